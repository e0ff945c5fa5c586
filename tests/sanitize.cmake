# Builds everything of ours, libraries and tests, with sanitizers: scripts/test.sh --sanitize=... and
# scripts/fuzz.sh set this. What is linked (FAISS, OpenBLAS, HDF5, ...) stays as it is.
set(LBH_SANITIZE "" CACHE STRING "address,undefined or thread: build with these sanitizers")
option(LBH_FUZZ "Build the fuzz targets on libFuzzer (clang)" OFF)

if(NOT LBH_SANITIZE)
    return()
endif()
if(LBH_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_compile_options(-fsanitize=${LBH_SANITIZE} -fno-sanitize-recover=all
                    -fno-omit-frame-pointer -g1)
add_link_options(-fsanitize=${LBH_SANITIZE})
# The choice of a clone runs before the run-time of the sanitizer does.
add_compile_definitions(LBH_NO_CLONES)
