#!/usr/bin/env bash
# docs.sh: makes the API reference from the public headers with doxygen: HTML in DIRECTORY/html.
#
#   scripts/docs.sh [DIRECTORY]       build/docs if no DIRECTORY is given
#
# A warning is an error. Exit code 77 where doxygen is not installed.
set -euo pipefail
out=${1:-$(dirname "$0")/../build/docs}
command -v doxygen >/dev/null || {
    echo "docs.sh: SKIP: doxygen is missing: apt install doxygen" >&2
    exit 77
}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."

# Headers have plain comments, which docs_filter.awk makes into Doxygen's form as they are
# read: who reads the header sees no markup.
{
    cat Doxyfile
    echo "OUTPUT_DIRECTORY = $out"
    echo "PROJECT_NUMBER = $(sed -n 's/^#define LBH_VERSION "\(.*\)"/\1/p' plugin/include/lbh.h)"
    echo "WARN_LOGFILE = $out/warnings"
} | doxygen - >"$out/log" 2>&1 || { cat "$out/log" "$out/warnings" >&2; exit 1; }
if [ -s "$out/warnings" ]; then
    cat "$out/warnings" >&2
    exit 1
fi
echo "docs.sh: $out/html/index.html" >&2
