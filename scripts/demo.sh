#!/usr/bin/env bash
# demo.sh: from a bare Debian 12 or 13 to a report: sets up, builds, then trains methods, searches
# their codes and those of FAISS's own with FAISS, prints the table and writes the page of figures.
#
#   scripts/demo.sh                 a built-in data set, no download
#   scripts/demo.sh OPTIONS         the same with options of `lbh bench`, as
#                                   --preset compare --data DIR, or a specification of your own
#
# Results are kept: the same command again only measures what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh
build=${BUILD_DIR:-build}
lbh=$build/lbh
out=$build/demo
if [ $# -eq 0 ]; then
    set -- --preset demo
else
    out=$build/demo-$(printf '%s\n' "$@" | cksum | cut -d ' ' -f 1)
fi
echo "demo.sh: $lbh bench $* --out $out" >&2
"$lbh" bench "$@" --out "$out"
"$lbh" report "$out" -o "$out/report.html"
echo "demo.sh: \`$lbh --help\` lists what else there is; scripts/get_data.sh fetches public data sets" >&2
echo "demo.sh: the report: $(realpath "$out/report.html")" >&2
