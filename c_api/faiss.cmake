# faiss.cmake: finds a FAISS with its C API at FAISS_ROOT, else where the system keeps libraries, and
# makes the target faiss_c_api of it. Users of liblbh_faiss never see that target.

# Results of an earlier run with another FAISS_ROOT are void.
if(NOT "${LBH_FAISS_ROOT_SEARCHED}" STREQUAL "${FAISS_ROOT}|$ENV{FAISS_ROOT}")
    unset(FAISS_INCLUDE_DIR CACHE)
    unset(FAISS_LIBRARY CACHE)
    unset(FAISS_C_LIBRARY CACHE)
    set(LBH_FAISS_ROOT_SEARCHED "${FAISS_ROOT}|$ENV{FAISS_ROOT}" CACHE INTERNAL "")
endif()

set(lbh_faiss_hints HINTS ${FAISS_ROOT} ENV FAISS_ROOT)
if(FAISS_ROOT) # a root that was named must be the one that is used
    set(lbh_faiss_hints PATHS ${FAISS_ROOT} NO_DEFAULT_PATH)
endif()
find_path(FAISS_INCLUDE_DIR faiss/c_api/IndexBinary_c.h ${lbh_faiss_hints} PATH_SUFFIXES include)
set(lbh_lib_dirs PATH_SUFFIXES lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE})
find_library(FAISS_LIBRARY faiss ${lbh_faiss_hints} ${lbh_lib_dirs})
find_library(FAISS_C_LIBRARY faiss_c ${lbh_faiss_hints} ${lbh_lib_dirs})
mark_as_advanced(FAISS_INCLUDE_DIR FAISS_LIBRARY FAISS_C_LIBRARY)

if(NOT FAISS_INCLUDE_DIR OR NOT FAISS_LIBRARY OR NOT FAISS_C_LIBRARY)
    if(FAISS_ROOT)
        set(where "at FAISS_ROOT=${FAISS_ROOT}")
    else()
        set(where "on this system")
    endif()
    message(FATAL_ERROR
            "No FAISS with its C API (libfaiss_c) found ${where}.\n"
            "Get one and name it:  cmake -DFAISS_ROOT=$(scripts/get_faiss.sh) ...\n"
            "or build the encoders alone:  cmake -DLBH_WITH_FAISS=OFF ...")
endif()

file(STRINGS ${FAISS_INCLUDE_DIR}/faiss/Index.h lbh_faiss_version_lines
     REGEX "#define FAISS_VERSION_(MAJOR|MINOR|PATCH)")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3"
       FAISS_VERSION "${lbh_faiss_version_lines}")
if(FAISS_VERSION VERSION_LESS 1.7.3)
    message(FATAL_ERROR "FAISS ${FAISS_VERSION} at ${FAISS_INCLUDE_DIR} is too old: 1.7.3 is needed")
endif()
message(STATUS "FAISS ${FAISS_VERSION}: ${FAISS_C_LIBRARY}")

# FAISS's arithmetic on the BLAS that the encoders use (OpenBLAS holds LAPACK too), and its threads
# on the same OpenMP: a second run-time in the process would fight the first for the cores.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LBH_OPENBLAS REQUIRED IMPORTED_TARGET openblas)
find_package(OpenMP REQUIRED COMPONENTS C CXX)
if(OpenMP_C_LIB_NAMES AND NOT OpenMP_C_LIB_NAMES MATCHES "gomp")
    message(WARNING "This compiler's OpenMP is not libgomp, which FAISS and OpenBLAS use: expect two "
                    "pools of threads in one process")
endif()

add_library(faiss_c_api INTERFACE)
target_include_directories(faiss_c_api SYSTEM INTERFACE ${FAISS_INCLUDE_DIR})
target_link_libraries(faiss_c_api INTERFACE ${FAISS_C_LIBRARY} ${FAISS_LIBRARY}
                      PkgConfig::LBH_OPENBLAS OpenMP::OpenMP_CXX)

# Can libfaiss_c go into a shared library? If not, ours has its own copy of the functions that it
# calls: see the end of faiss_gap.cpp.
if(NOT "${LBH_FAISS_C_PROBED}" STREQUAL "${FAISS_C_LIBRARY}")
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/probe)
    file(WRITE ${probe}.cpp "extern \"C\" int faiss_IndexBinary_free();\n"
         "extern \"C\" int probe() { return faiss_IndexBinary_free(); }\n")
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -shared -fPIC ${probe}.cpp ${FAISS_C_LIBRARY}
                            -o ${probe}.so
                    RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
    set(LBH_FAISS_C_PROBED ${FAISS_C_LIBRARY} CACHE INTERNAL "")
    set(LBH_FAISS_C_IN_SHARED ${result} CACHE INTERNAL "0 = yes")
endif()
