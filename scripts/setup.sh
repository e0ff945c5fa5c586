#!/usr/bin/env bash
# setup.sh: installs, with apt, the Debian packages that the other scripts need and that are not
# there yet. Usage:
#
#   scripts/setup.sh [--test] [--browser] [--arm] [--fuzz] [--lint] [--thread] [--source]
#
#     --test    also what the tests need (Criterion, Python with numpy, h5py, yaml and FAISS; doxygen, groff)
#     --browser also Chromium, in which a test looks at the report
#     --arm     also what runs the tests of the ARM kernels here (a cross compiler, qemu)
#     --fuzz    also what scripts/fuzz.sh needs (clang and its run-time libraries)
#     --lint    also what scripts/lint.sh, check_builds.sh and coverage.sh need (clang, clang-tidy,
#               cppcheck, gcovr)
#     --thread  also what the tests under ThreadSanitizer need (clang, its libomp)
#     --source  also what getting a FAISS from Debian's source package needs
#
# Prints nothing when everything is there. On a system without apt it names what it could not check
# and leaves the rest to the build, which says itself what it misses.
set -euo pipefail

want_test=0 want_browser=0 want_arm=0 want_clang='' want_lint=0 want_source=0
for arg in "$@"; do
    case $arg in
    --test) want_test=1 ;;
    --browser) want_browser=1 ;;
    --arm) want_arm=1 ;;
    --lint) want_lint=1 ;;
    --fuzz | --thread) want_clang=$arg ;;
    --source) want_source=1 ;;
    *)
        sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
        exit 2
        ;;
    esac
done

have_command() { command -v "$1" >/dev/null 2>&1; }

have_package() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

missing=()

# A tool counts as there wherever it came from.
need_tool() { # command package
    have_command "$1" || missing+=("$2")
}

need_package() {
    have_package "$1" || missing+=("$1")
}

if ! have_command apt-get || ! have_command dpkg-query; then
    echo "setup.sh: no apt here; needed: a C and a C++ compiler, cmake, ninja or make, pkg-config," \
         "OpenBLAS (OpenMP), LAPACKE, xxHash, Random123, cJSON, inih, zlib, HDF5 (optional), FAISS with its C API; to draw, Python with jinja2 and matplotlib; for the tests Criterion" >&2
    exit 0
fi

need_tool gcc gcc
need_tool g++ g++
need_tool cmake cmake
need_tool pkg-config pkg-config
have_command ninja || have_command make || missing+=(ninja-build)
need_tool flock util-linux
# The OpenMP flavour shares libgomp with us: one pool of threads in the process.
need_package libopenblas-openmp-dev
need_package liblapacke-dev
need_package libxxhash-dev
need_package librandom123-dev
need_package libcjson-dev
need_package libinih-dev
need_package zlib1g-dev
need_package libhdf5-dev
need_package python3-jinja2 # draws pages and figures
need_package python3-matplotlib
[ -n "${FAISS_ROOT:-}" ] || need_package libfaiss-dev
if [ $want_source = 1 ]; then
    need_tool dpkg-source dpkg-dev
    need_tool patch patch
    need_tool xz xz-utils
fi
if [ $want_test = 1 ]; then
    need_package libcriterion-dev
    need_package python3-numpy
    need_package python3-h5py
    need_package python3-yaml
    need_package python3-faiss
    need_package python3-scipy # reads MATLAB's files
    need_package python3-sklearn
    need_package python3-pil # reads pictures
    need_package python3-torch
    need_package python3-venv
    need_tool ccache ccache # for build.sh and the wheel
    need_tool doxygen doxygen
    need_tool groff groff-base
fi
[ $want_browser = 0 ] || need_tool chromium chromium
if [ $want_arm = 1 ]; then
    need_tool aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
    need_package libc6-dev-arm64-cross
    need_tool qemu-aarch64 qemu-user
fi
if [ $want_lint = 1 ]; then
    need_tool clang clang
    need_package libomp-dev # its OpenMP
    need_tool clang-tidy clang-tidy
    need_tool cppcheck cppcheck
    need_tool gcovr gcovr
fi
if [ -n "$want_clang" ]; then
    need_tool clang clang
    # Only a clang that is there says which libraries (libFuzzer, sanitizers) are its own.
    version=$(clang -dumpversion 2>/dev/null || true)
    [ -z "$version" ] || need_package "libclang-rt-${version%%.*}-dev"
    [ -z "$version" ] || [ "$want_clang" = --fuzz ] || need_package "libomp-${version%%.*}-dev"
fi
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! have_command sudo; then
        echo "setup.sh: as root, first run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" >&2
}

echo "setup.sh: installing ${missing[*]}" >&2
# Package lists may be absent (containers) or old: refresh them once, and go on with what there is.
apt update || echo "setup.sh: apt-get update failed, going on with the lists there are" >&2
apt install --no-install-recommends "${missing[@]}" || {
    echo "setup.sh: could not install ${missing[*]} (see above)" >&2
    exit 1
}
if [ -n "$want_clang" ] && [ -z "$version" ]; then exec "$0" "$want_clang"; fi
