#!/usr/bin/env bash
# openblas_pthread.sh TEST: runs a test with OpenBLAS built on POSIX threads (Debian's
# libopenblas0-pthread, which may be installed beside the one on OpenMP) in the place of the one that
# it was linked with. LBH_OPENBLAS_PTHREAD: the directory of that library, if it is elsewhere.
set -u
for dir in "${LBH_OPENBLAS_PTHREAD:-}" /usr/lib/*/openblas-pthread; do
    [ -e "$dir/libopenblas.so.0" ] && break
done
if [ ! -e "$dir/libopenblas.so.0" ]; then
    echo "skipped: no OpenBLAS on POSIX threads here (apt-get install libopenblas0-pthread)"
    exit 77
fi
export LD_LIBRARY_PATH=$dir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ldd "$1" | grep -q "$dir/libopenblas" || { echo "$1 does not take $dir"; exit 1; }
for threads in 1 2; do
    OPENBLAS_NUM_THREADS=$threads OMP_WAIT_POLICY=passive "$1" || exit 1
done
