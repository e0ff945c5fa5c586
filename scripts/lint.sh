#!/usr/bin/env bash
# lint.sh: static analysis of plugin/, c_api/ and bench/: cppcheck and clang-tidy, neither of which may
# find anything. Usage:
#
#   scripts/lint.sh [cppcheck|clang-tidy] [FILE ...]       both, over all files, if none are named
#
# What they are not to report, and why: scripts/cppcheck.txt and .clang-tidy. A tool that is not
# installed (scripts/setup.sh --lint) is left out with a message; exit code 77 if one was.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=(cppcheck clang-tidy)
case ${1:-} in
cppcheck | clang-tidy)
    tools=("$1")
    shift
    ;;
esac
if [ $# -gt 0 ]; then
    files=("$@")
else
    mapfile -t files < <(find plugin c_api bench -name '*.c' -o -name '*.cpp' | sort)
fi

run_cppcheck() {
    local include=()
    mapfile -t include < <(find plugin c_api bench -type d | sed "s/^/-I/")
    printf '%s\n' "${files[@]}" |
        cppcheck --file-list=- "${include[@]}" --library=posix,openmp,scripts/cppcheck.cfg \
            --enable=warning,performance,portability --suppressions-list=scripts/cppcheck.txt \
            --inline-suppr --error-exitcode=1 --quiet -j "$(nproc)" \
            --template='{file}:{line}: {severity}: {message} [{id}]'
}

# One file a process: several in one make its analyzer forget what it knows of va_start.
run_clang-tidy() {
    local build=build-lint
    { cmake -S . -B $build -DBUILD_TESTING=OFF -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
        -DFAISS_ROOT="$(scripts/get_faiss.sh)" &&
        cmake --build $build --target lbh_bench_git; } >$build.log 2>&1 || { # a header that is made
        cat $build.log >&2
        return 1
    }
    rm -f $build.log
    printf '%s\0' "${files[@]}" |
        xargs -0 -n1 -P "$(nproc)" clang-tidy --quiet -p $build 2>/dev/null
}

missing= failed=
for tool in "${tools[@]}"; do
    if ! command -v "$tool" >/dev/null; then
        echo "lint.sh: SKIP: $tool is missing: scripts/setup.sh --lint" >&2
        missing=1
    elif "run_$tool"; then
        echo "lint.sh: $tool: ${#files[@]} files, nothing found" >&2
    else
        echo "lint.sh: $tool found something" >&2
        failed=1
    fi
done
[ -z "$failed" ] || exit 1
[ -z "$missing" ] || exit 77
