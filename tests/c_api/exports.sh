#!/bin/sh
# exports.sh LIBRARY HEADER...: the shared library exports the functions that its headers declare, and
# nothing else (no FAISS, no C++).
set -eu
exported=$(nm -D --defined-only "$1" | awk '{print $3}' | sort)
shift
declared=$(sed -n 's/^LBH_API .*[ *]\(lbh_[a-z_]*\)(.*/\1/p' "$@" | sort)
[ "$exported" = "$declared" ] && exit 0
echo "exported but not declared, or declared but not exported:"
{
    echo "$exported"
    echo "$declared"
} | sort | uniq -u
exit 1
