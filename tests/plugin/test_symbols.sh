#!/bin/sh
# test_symbols.sh LIBRARY LIST: the library exports exactly the symbols of the list.
set -eu
exported=$(nm -D --defined-only "$1" | awk '{print $3}' | sort)
if [ "$exported" != "$(sort "$2")" ]; then
    echo "exported symbols of $1 differ from $2 (< exported, > listed):"
    echo "$exported" >"${TMPDIR:-/tmp}/symbols.$$"
    sort "$2" | diff "${TMPDIR:-/tmp}/symbols.$$" - || true
    rm -f "${TMPDIR:-/tmp}/symbols.$$"
    exit 1
fi
