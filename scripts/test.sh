#!/usr/bin/env bash
# test.sh: sets up, builds and runs all tests. Arguments go to ctest:
#
#   scripts/test.sh                 everything
#   scripts/test.sh -R c_api -V     what matches, with its output
#   scripts/test.sh --sanitize=address,undefined ...
#                                   with AddressSanitizer, LeakSanitizer and
#                                   UndefinedBehaviorSanitizer (gcc), in build-address/
#   scripts/test.sh --sanitize=address,undefined --only=NAME,NAME ...
#                                   these alone, which are tests in C: no more is built
#   scripts/test.sh --sanitize=thread ...
#                                   with ThreadSanitizer (clang, its OpenMP), in build-thread/
#
# BUILD_DIR names another build directory. What sanitizers do not see: FAISS, OpenBLAS, HDF5 and the
# rest of what is linked is not built with them; the copies of loops for AVX2 and AVX-512 that gcc
# makes (LBH_CLONES) are left out. Leaks of other people's libraries are named in
# tests/sanitize/leaks.supp. Any report fails the run, also that of a test that passes. Left out are
# tests of documents and of the installed package, which compile programs without a sanitizer, and,
# with ThreadSanitizer, those in Python.
#
# Races and OpenMP: ThreadSanitizer does not see how gcc's libgomp makes threads wait for each other
# and takes every parallel region for a race. So this build is clang's, on LLVM's libomp, which tells
# it, through libarcher, where threads meet; FAISS and OpenBLAS, which want libgomp, are served by
# libomp too. Not seen: races inside of FAISS and OpenBLAS, and between two threads' OpenMP pools
# where only FAISS orders them.
set -euo pipefail
cd "$(dirname "$0")/.."

sanitize='' only=()
case ${1:-} in
--sanitize=*)
    sanitize=${1#--sanitize=}
    shift
    ;;
esac
case ${1:-} in
--only=*)
    IFS=, read -ra only <<<"${1#--only=}"
    shift
    ;;
esac

# `lbh bench` limits the memory of its children, of which a sanitizer takes terabytes for itself.
left_out='^(docs_|package$|python_wheel|bench_bench$|faults_kill_bench$)'
setup=() options=()
case $sanitize in
'') build=${BUILD_DIR:-build} ;;
address,undefined)
    build=${BUILD_DIR:-build-address}
    ;;
thread)
    build=${BUILD_DIR:-build-thread}
    left_out="$left_out|python|_kill"
    setup=(--thread)
    options=(-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++)
    ;;
*)
    sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
    ;;
esac

pattern=() targets=()
if [ ${#only[@]} -gt 0 ]; then
    pattern=(-R "^($(IFS='|' && echo "${only[*]}"))\$")
    targets=("${only[@]/#/--target=test_}")
fi
if [ -z "$sanitize" ]; then
    scripts/build.sh --test "${targets[@]}"
    ctest --test-dir "$build" --output-on-failure "${pattern[@]}" "$@"
    exit
fi

[ ${#setup[@]} -eq 0 ] || scripts/setup.sh "${setup[@]}"
mkdir -p "$build"
build=$(cd "$build" && pwd)
# Each process leaves its report in a file of its own: a test may swallow what it says.
reports=$build/reports
rm -rf "$reports"
mkdir "$reports"
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:verify_asan_link_order=0:log_path=$reports/address"
export LSAN_OPTIONS="suppressions=$PWD/tests/sanitize/leaks.supp:print_suppressions=0"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports/undefined"
export TSAN_OPTIONS="ignore_noninstrumented_modules=1:log_path=$reports/thread"
if [ "$sanitize" = thread ]; then
    OMP_TOOL_LIBRARIES=$(clang -print-file-name=libarcher.so)
    # clang knows the directory of its own libraries, one above that of its run-time.
    [ -e "$OMP_TOOL_LIBRARIES" ] ||
        OMP_TOOL_LIBRARIES=$(cd "$(clang -print-resource-dir)/../.." && pwd)/libarcher.so
    [ -e "$OMP_TOOL_LIBRARIES" ] || {
        echo "test.sh: no libarcher.so, without which every parallel region is reported" >&2
        exit 1
    }
    export OMP_TOOL_LIBRARIES
fi
BUILD_DIR=$build scripts/build.sh --test "-DLBH_SANITIZE=$sanitize" "${options[@]}" "${targets[@]}"
status=0
ctest --test-dir "$build" --output-on-failure -E "$left_out" "${pattern[@]}" "$@" || status=$?
for report in "$reports"/*; do
    [ -e "$report" ] || continue
    head -n 60 "$report" >&2
    status=1
done
[ $status = 0 ] || echo "test.sh: failed under $sanitize; reports: $reports" >&2
exit $status
