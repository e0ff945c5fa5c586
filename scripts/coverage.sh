#!/usr/bin/env bash
# coverage.sh: builds plugin/ and c_api/ with gcov's counters, runs their tests, and prints the share of
# lines that these reach, a file a row and in all. Fails below 90 %. Usage:
#
#   scripts/coverage.sh [--report] [arguments of ctest]
#
#     --report   no build and no tests: only the table of what was run before
#
# The build directory is build-coverage, or what BUILD_DIR names; gcovr and gcov do the counting
# (scripts/setup.sh --lint installs gcovr). Which lines are not reached, and why, is in
# docs/reliability.md.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=90
build=${BUILD_DIR:-build-coverage}
report=
if [ "${1:-}" = --report ]; then
    report=1
    shift
fi
command -v gcovr >/dev/null || {
    echo "coverage.sh: SKIP: gcovr is missing: scripts/setup.sh --lint" >&2
    exit 77
}

if [ -z "$report" ]; then
    # Little optimisation, so that lines keep their code; threads count atomically where they can.
    counters="--coverage -fprofile-update=prefer-atomic"
    BUILD_DIR=$build scripts/build.sh --test -DCMAKE_BUILD_TYPE=Debug \
        "-DCMAKE_C_FLAGS=$counters" "-DCMAKE_CXX_FLAGS=$counters" \
        "-DCMAKE_C_FLAGS_DEBUG=-O1 -g" "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g"
    find "$build" -name '*.gcda' -delete
    # The two libraries' own tests: not those of the command, of documents and of Python, nor what looks
    # at the built files themselves.
    skip='bench|python|docs_|package|fuzz|symbols|exports|rooms|kill|aarch64'
    ctest --test-dir "$build" --output-on-failure -E "$skip" "$@"
fi

# gcov writes where it runs.
gcovr --root . --object-directory "$build" --filter plugin/ --filter c_api/ \
    --exclude plugin/scan/hamming_neon.c --fail-under-line $limit --exclude-unreachable-branches \
    --print-summary "$build"
