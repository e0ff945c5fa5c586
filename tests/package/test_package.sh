#!/bin/sh
# test_package.sh BUILD_DIR HERE LIBDIR FAISS_ROOT GENERATOR: installs into a scratch prefix, then builds and
# runs a small program against it, by find_package (shared and static) and by pkg-config.
set -eu
build=$1 here=$2 libdir=$3 faiss=$4 generator=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }

for file in bin/lbh include/lbh.h include/lbh_scan.h include/lbh_mih.h include/lbh_exact.h include/lbh_faiss.h \
    "$libdir/liblbh.so" "$libdir/liblbh.a" \
    "$libdir/liblbh_faiss.so" "$libdir/liblbh_faiss.a" "$libdir/pkgconfig/lbh.pc" \
    share/man/man1/lbh.1 share/man/man1/lbh-train.1 share/faiss-lbh/report/report.py \
    share/faiss-lbh/report/page.html share/faiss-lbh/report/page.css; do
    [ -s "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
"$prefix/bin/lbh" --version
if /usr/bin/python3 -c 'import jinja2, matplotlib' 2>/dev/null; then
    "$prefix/bin/lbh" curve --base synthetic:n=300,d=16 -m itq -b 8 --points 2 --samples 2000 -o "$work/curve.svg" >"$work/log"
    grep -q '</svg>' "$work/curve.svg"
fi

mkdir "$work/user"
cp "$here/user.c" "$work/user/user.c"
cp "$here/user.cmake" "$work/user/CMakeLists.txt"
cmake -S "$work/user" -B "$work/user/build" -G "$generator" -DCMAKE_PREFIX_PATH="$prefix" -DFAISS_ROOT="$faiss" \
    -DCMAKE_BUILD_TYPE=Release
cmake --build "$work/user/build"
"$work/user/build/user_shared"
"$work/user/build/user_static"

# The prefix is written into the .pc files at configuration time; here it is another one.
flags=$(PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig" pkg-config \
    --define-variable=libdir="$prefix/$libdir" \
    --define-variable=includedir="$prefix/include" --cflags --libs lbh_faiss)
# shellcheck disable=SC2086
cc -std=c11 "$here/user.c" -o "$work/by_pkgconfig" $flags -Wl,-rpath,"$prefix/$libdir"
"$work/by_pkgconfig"

# The example of indexes in docs/usage.md, as it stands there.
awk '/^```c$/ { on = 1; text = ""; next } /^```$/ { if (on && text ~ /include <lbh_faiss.h>/ && text ~ /int main/) { printf "%s", text; exit } on = 0 } on { text = text $0 "\n" }' "$here/../../docs/usage.md" \
    >"$work/example.c"
grep -q 'int main' "$work/example.c" || { echo "docs/usage.md has no such example"; exit 1; }
# shellcheck disable=SC2086
cc -std=c11 "$work/example.c" -o "$work/example" $flags -Wl,-rpath,"$prefix/$libdir"
(cd "$work" && ./example)
[ -s "$work/sgh.lbh" ] && [ -s "$work/base.faiss" ]
