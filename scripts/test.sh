#!/usr/bin/env bash
# test.sh: sets up, builds and runs all tests. Arguments go to ctest:
#
#   scripts/test.sh                 everything
#   scripts/test.sh -R c_api -V     what matches, with its output
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh --test
ctest --test-dir "${BUILD_DIR:-build}" --output-on-failure "$@"
