# Writes OUTPUT, a header with the revision of SOURCE, unless it says so already.
execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --abbrev=7 --match=none
                OUTPUT_VARIABLE revision ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT revision)
    set(revision unknown)
endif()
set(text "/* made by bench_git.cmake */\n#define LBH_GIT \"${revision}\"\n")
set(old "")
if(EXISTS "${OUTPUT}")
    file(READ "${OUTPUT}" old)
endif()
if(NOT text STREQUAL old)
    file(WRITE "${OUTPUT}" "${text}")
endif()
