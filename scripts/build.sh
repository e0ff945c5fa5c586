#!/usr/bin/env bash
# build.sh: everything from a bare Debian to a built tree in build/: packages, a FAISS with its C
# API, cmake (Release). Run again, it does only what is not done. Usage:
#
#   scripts/build.sh [--test] [--target=NAME ...] [cmake options]
#
# --test: the tests too; --target: these alone
#
# BUILD_DIR names another build directory. Nothing goes to stdout.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD_DIR:-build}
setup=() options=() targets=()
for arg in "$@"; do
    case $arg in
    --test)
        setup=(--test)
        options+=(-DBUILD_TESTING=ON)
        ;;
    -D*) options+=("$arg") ;;
    --target=*) targets+=(--target "${arg#--target=}") ;;
    *)
        sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
        exit 2
        ;;
    esac
done

scripts/setup.sh "${setup[@]}"
faiss=$(scripts/get_faiss.sh)

# A build tree belongs to one source tree: one that was copied or moved is made anew.
cache=$build/CMakeCache.txt
if [ -e "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$cache"; then
    echo "build.sh: $build belongs to another source tree, starting anew" >&2
    rm -rf "$build"
fi
if [ ! -e "$cache" ]; then
    # Without --test the tests' packages may be absent.
    [ ${#setup[@]} -gt 0 ] || options+=(-DBUILD_TESTING=OFF)
    options+=(-DCMAKE_BUILD_TYPE=Release)
    if command -v ninja >/dev/null; then options+=(-G Ninja); fi
    # What is compiled more than once, as for the Python package, is compiled once.
    if command -v ccache >/dev/null; then
        export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER-ccache}
        export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
    fi
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake -S . -B "$build" -DFAISS_ROOT="$faiss" "${options[@]}" >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
}
cmake --build "$build" -j"$(nproc)" "${targets[@]}" >&2
