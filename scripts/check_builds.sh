#!/usr/bin/env bash
# check_builds.sh: compiles everything with gcc and with clang, as C11 and as C17, with and without
# FAISS and HDF5, every warning an error, and links it. Usage:
#
#   scripts/check_builds.sh [DIRECTORY]        build-matrix, if no DIRECTORY is given
#
# A build that went well before is only brought up to date. A compiler that is not installed is left out
# with a message (scripts/setup.sh --lint installs clang); exit code 77 if clang is. Optimisation is off:
# what gcc sees only when it optimises, the build of scripts/test.sh shows.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=${1:-build-matrix}
faiss=$(scripts/get_faiss.sh)
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi

builds=0
try() { # NAME C-COMPILER C++-COMPILER STANDARD [cmake options]
    local name=$1 cc=$2 cxx=$3 standard=$4 build=$directory/$1
    shift 4
    mkdir -p "$build"
    if ! { cmake -S . -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Debug -DLBH_WERROR=ON \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_STANDARD="$standard" \
        -DCMAKE_C_FLAGS_DEBUG=-O0 -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DBUILD_TESTING=OFF \
        -DFAISS_ROOT="$faiss" "$@" && cmake --build "$build" -j"$(nproc)"; } >"$build/log" 2>&1; then
        grep -E '(error|warning|Error):?' "$build/log" >&2 || cat "$build/log" >&2
        echo "check_builds.sh: $name FAILED" >&2
        exit 1
    fi
    echo "check_builds.sh: $name: built, no warning" >&2
    builds=$((builds + 1))
}

pairs=("gcc g++") missing=
if command -v clang >/dev/null && command -v clang++ >/dev/null; then
    pairs+=("clang clang++")
else
    echo "check_builds.sh: SKIP: clang is missing: scripts/setup.sh --lint" >&2
    missing=1
fi
for pair in "${pairs[@]}"; do
    read -r cc cxx <<<"$pair"
    for standard in 11 17; do
        try "$cc-c$standard" "$cc" "$cxx" $standard
    done
    try "$cc-without-faiss" "$cc" "$cxx" 11 -DLBH_WITH_FAISS=OFF
    try "$cc-without-hdf5" "$cc" "$cxx" 11 -DLBH_WITH_HDF5=OFF
done
echo "check_builds.sh: $builds builds" >&2
[ -z "$missing" ] || exit 77
