#!/bin/sh
# test_neon.sh SOURCE_DIR: the Hamming search and the fused encoding, built for 64-bit ARM, under
# emulation: the same tests as everywhere. Skips (77) without a cross compiler or qemu:
#   apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
set -u
cc=${LBH_AARCH64_CC:-aarch64-linux-gnu-gcc}
for tool in "$cc" qemu-aarch64; do
    command -v "$tool" >/dev/null || { echo "skipped: there is no $tool"; exit 77; }
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
flags="-std=c11 -O2 -Wall -Wextra -ffp-contract=off -fopenmp -static -DLBH_EMULATED"
include="$(find "$1/plugin" -type d | sed "s/^/-I/" | tr "\n" " ") -I$1/tests/plugin/scan -I$1/tests/support -isystem $1/tests/sanitize"
echo 'int main(void) { return 0; }' >"$dir/empty.c"
$cc $flags "$dir/empty.c" -o "$dir/empty" 2>/dev/null ||
    { echo "skipped: $cc cannot link (libc6-dev-arm64-cross is missing?)"; exit 77; }

plugin=$(printf "$1/plugin/system/%s.c " arena cpu error profile threads watch)
hamming="$1/plugin/scan/hamming*.c $1/plugin/scan/topk.c $1/tests/plugin/scan/test_hamming*.c"
linear="$1/plugin/core/linear.c $1/plugin/core/tile.c $1/tests/plugin/core/test_linear.c"
for name in hamming linear; do
    eval sources=\$$name
    # Assertion macros leave some values unused.
    $cc $flags -Wno-unused $include -DLBH_DATA_DIR='"."' $plugin $sources \
        "$1/tests/support/support.c" "$1/tests/sanitize/criterion.c" -o "$dir/$name" -lm \
        2>"$dir/out" ||
        { cat "$dir/out"; exit 1; }
    # Two threads: emulated ones are slow, and each test runs in a process of its own.
    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive qemu-aarch64 "$dir/$name" >"$dir/out" 2>&1
    rc=$?
    grep -v 'this CPU does not run' "$dir/out"
    [ $rc = 0 ] || { echo "$name failed under qemu-aarch64"; exit 1; }
done
