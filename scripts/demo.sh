#!/usr/bin/env bash
# demo.sh: from a bare Debian 12 or 13 to the comparison of learned codes with FAISS's own: sets up,
# builds, then trains each method, searches its codes with FAISS and prints one table.
#
#   scripts/demo.sh                 a built-in data set, no download
#   scripts/demo.sh OPTIONS         the same with options of `lbh compare`, as
#                                   --base mnist/base.bvecs --query mnist/query.bvecs --nbits 32
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh
lbh=${BUILD_DIR:-build}/lbh
if [ $# -eq 0 ]; then
    # Named, so that the demonstration stays short whatever methods there are.
    set -- --base synthetic:n=100000,d=128 --nbits 64 --methods lsh,itq,sgh,LSH,ITQ,PQ
fi
echo "demo.sh: $lbh compare $*" >&2
"$lbh" compare "$@"
echo "demo.sh: \`$lbh --help\` lists what else there is; scripts/get_data.sh fetches public data sets" >&2
