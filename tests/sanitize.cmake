# Builds everything of ours, libraries and tests, with sanitizers: scripts/test.sh --sanitize=... and
# scripts/fuzz.sh set this. What is linked (FAISS, OpenBLAS, HDF5, ...) stays as it is.
set(LBH_SANITIZE "" CACHE STRING "address,undefined or thread: build with these sanitizers")
option(LBH_FUZZ "Build the fuzz targets on libFuzzer (clang); our OpenMP is then switched off" OFF)

if(LBH_FUZZ)
    # With libgomp clang leaves the OpenMP pragmas alone: readers run in one thread, on the run-time
    # that FAISS and OpenBLAS use, and no second one is needed. Its header is gcc's.
    foreach(file include/omp.h libgomp.so)
        execute_process(COMMAND gcc -print-file-name=${file} OUTPUT_VARIABLE gcc_${file}
                        OUTPUT_STRIP_TRAILING_WHITESPACE)
    endforeach()
    file(COPY ${gcc_include/omp.h} DESTINATION ${CMAKE_BINARY_DIR}/omp)
    foreach(language C CXX)
        set(OpenMP_${language}_FLAGS
            "-fopenmp=libgomp -Wno-unknown-pragmas -idirafter ${CMAKE_BINARY_DIR}/omp"
            CACHE STRING "" FORCE)
        set(OpenMP_${language}_LIB_NAMES gomp CACHE STRING "" FORCE)
    endforeach()
    set(OpenMP_gomp_LIBRARY ${gcc_libgomp.so} CACHE FILEPATH "" FORCE)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(LBH_SANITIZE)
    add_compile_options(-fsanitize=${LBH_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer -g1 -O1) # -O1: built in two thirds of the time
    add_link_options(-fsanitize=${LBH_SANITIZE})
    # The choice of a clone runs before the run-time of the sanitizer does.
    add_compile_definitions(LBH_NO_CLONES)
    if(LBH_SANITIZE STREQUAL "thread") # gcc says so itself, clang does not
        add_compile_definitions(__SANITIZE_THREAD__=1)
    endif()
endif()
