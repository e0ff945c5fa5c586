#!/usr/bin/env bash
# get_faiss.sh: finds or makes a FAISS with its C API and prints, as its only line on stdout, the
# prefix for cmake's -DFAISS_ROOT: it holds include/faiss, lib/libfaiss and lib/libfaiss_c.
#
#   scripts/get_faiss.sh               whatever is at hand, see below
#   scripts/get_faiss.sh --optimized   Debian's FAISS source, built whole for AVX2 (a few minutes)
#
# In this order: $FAISS_ROOT; an installed FAISS with libfaiss_c (Debian 13: libfaiss-dev has it);
# else (Debian 12) the c_api/ directory of the source package that the installed libfaiss-dev was
# built from, compiled and put beside the packaged libfaiss.a. The source comes through apt from the
# mirror that this machine's own apt is configured for, verified by apt's signatures; apt's own
# state is not touched.
#
# Results are kept in ${XDG_CACHE_HOME:-~/.cache}/faiss-lbh/. A directory there appears by a rename
# when it is complete, so two runs at once or a run cut off half-way do no harm.
set -euo pipefail

say() { echo "get_faiss.sh: $*" >&2; }
die() {
    say "$@"
    exit 1
}

optimized=0
case ${1:-} in
'') ;;
--optimized) optimized=1 ;;
*)
    sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
    ;;
esac

scripts=$(cd "$(dirname "$0")" && pwd)

# Prints the file libNAME.{a,so} of a prefix, wherever a distribution puts it.
library() { # prefix name
    local dir file
    for dir in lib "lib/$(gcc -print-multiarch 2>/dev/null || true)" lib64; do
        for file in "$1/$dir/lib$2.a" "$1/$dir/lib$2.so"; do
            [ -e "$file" ] && echo "$file" && return 0
        done
    done
    return 1
}

has_headers() { [ -e "$1/include/faiss/c_api/IndexBinary_c.h" ]; }

# ---- 1. What the user names -------------------------------------------------------------------
if [ $optimized = 0 ] && [ -n "${FAISS_ROOT:-}" ]; then
    has_headers "$FAISS_ROOT" || die "FAISS_ROOT=$FAISS_ROOT has no include/faiss/c_api"
    library "$FAISS_ROOT" faiss_c >/dev/null || die "FAISS_ROOT=$FAISS_ROOT has no lib/libfaiss_c"
    (cd "$FAISS_ROOT" && pwd)
    exit 0
fi

cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/faiss-lbh
arch=$(uname -m)
mkdir -p "$cache"

# Everything below writes under $work, which goes when the script ends, however it ends.
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Takes the lock of one result for the rest of the script; 0 if the result is there already.
ready_or_lock() { # directory
    [ -e "$1/.complete" ] && return 0
    exec 9>"$1.lock"
    flock -n 9 || {
        say "waiting for another run that makes $1"
        flock 9
    }
    [ -e "$1/.complete" ] && return 0
    rm -rf "$1" "$1".tmp.* # left by a run that was killed: nobody else holds the lock
    work=$(mktemp -d "$1.tmp.XXXXXX")
    chmod 755 "$work"
    return 1
}

finish() { # directory: $work/prefix becomes it
    touch "$work/prefix/.complete"
    mv -T "$work/prefix" "$1"
}

link_prefix() { # libfaiss headers-dir: $work/prefix with links to a packaged FAISS
    mkdir -p "$work/prefix/include" "$work/prefix/lib"
    ln -s "$2" "$work/prefix/include/faiss"
    ln -s "$1" "$work/prefix/lib/"
}

# ---- 2. What is installed ---------------------------------------------------------------------
system_root=
for root in /usr/local /usr; do
    if has_headers "$root" && library "$root" faiss >/dev/null; then
        system_root=$root
        break
    fi
done

installed_version() {
    dpkg-query -W -f='${db:Status-Status} ${Version}' libfaiss-dev 2>/dev/null |
        sed -n 's/^installed //p'
}
version=$(installed_version || true)

if [ $optimized = 0 ] && [ -n "$system_root" ] && c_lib=$(library "$system_root" faiss_c); then
    lib=$(library "$system_root" faiss)
    # Its own key for every file it links to, so that an upgrade does not leave stale links behind.
    key=$(printf '%s %s %s' "$system_root" "$lib" "$c_lib" | cksum | cut -d' ' -f1)
    out=$cache/${version:-installed}-system-$arch-$key
    if ! ready_or_lock "$out"; then
        link_prefix "$lib" "$system_root/include/faiss"
        ln -s "$c_lib" "$work/prefix/lib/"
        finish "$out"
    fi
    echo "$out"
    exit 0
fi

# ---- 3. Debian's source package -----------------------------------------------------------------
[ -n "$version" ] || die "no FAISS with its C API found; set FAISS_ROOT to the prefix of one (built" \
    "with -DFAISS_ENABLE_C_API=ON), or install Debian's libfaiss-dev"

# The machine's own source entries, each `deb` turned into `deb-src`. Entries keep their options
# (signed-by and the like); of several archives only those that hold libfaiss-dev are taken.
private_sources() { # directory: fills it with .sources and .list files
    local uri file parts list
    uri=$(apt-cache madison libfaiss-dev 2>/dev/null | awk -F'|' 'NR == 1 {print $3}' |
        awk '{sub(/\/$/, "", $1); print $1}')
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for file in "$list" "$parts"/*.list; do
        [ -f "$file" ] || continue
        awk -v uri="$uri" '
            $1 != "deb" {next}
            uri != "" && index($0, uri) == 0 {next}
            {sub(/^[ \t]*deb/, "deb-src"); sub(/arch=[^] \t]*/, ""); sub(/\[[ \t]*\]/, ""); print}
        ' "$file" >>"$1/$(basename "$file" .list).list"
    done
    for file in "$parts"/*.sources; do
        [ -f "$file" ] || continue
        # Stanzas are separated by empty lines; comments may stand anywhere.
        grep -v '^#' "$file" | awk -v uri="$uri" '
            BEGIN {RS = ""; FS = "\n"}
            tolower($0) ~ /(^|\n)enabled:[ \t]*no/ {next}
            uri != "" && index($0, uri) == 0 {next}
            {
                for (i = 1; i <= NF; i++) {
                    field = tolower($i)
                    if (field ~ /^types:/) {
                        if (field !~ /[ \t]deb([ \t]|$)/ && field !~ /:deb([ \t]|$)/) next
                        $i = "Types: deb-src"
                    }
                }
                for (i = 1; i <= NF; i++)
                    if (tolower($i) !~ /^architectures:/) print $i
                print ""
            }
        ' >>"$1/$(basename "$file")"
    done
    # apt complains about empty files.
    find "$1" -type f -empty -delete
}

# Unpacks the source package of the installed libfaiss-dev into $work/src.
fetch_source() {
    local apt=$work/apt source_version
    source_version=$(dpkg-query -W -f='${source:Package}=${source:Version}' libfaiss-dev)
    mkdir -p "$apt/sources.d" "$apt/lists/partial" "$apt/archives/partial"
    private_sources "$apt/sources.d"
    [ -n "$(ls -A "$apt/sources.d")" ] || die "apt on this machine names no archive with libfaiss-dev"
    local options=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/sources.d"
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache::archives=$apt/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=
        -o Acquire::Languages=none -o Acquire::Retries=3)
    say "fetching the source package $source_version"
    apt-get "${options[@]}" update >&2 || say "apt-get update reported errors, trying all the same"
    mkdir "$work/download"
    # An unauthenticated package is refused here.
    (cd "$work/download" && apt-get "${options[@]}" -o APT::Get::AllowUnauthenticated=false \
        source --download-only "$source_version") >&2 ||
        die "could not fetch $source_version; set FAISS_ROOT to a FAISS with its C API instead"
    dpkg-source --no-check -x "$work"/download/*.dsc "$work/src" >"$work/unpack.log" 2>&1 ||
        die "could not unpack $source_version: $(tail -n 1 "$work/unpack.log")"
}

# Runs a command with its output in a file, shown only if it fails.
quietly() { # name command...
    local name=$1
    shift
    "$@" >"$work/$name.log" 2>&1 || {
        tail -n 20 "$work/$name.log" >&2
        die "$name failed"
    }
}

# The C API alone, against the packaged headers. -DNDEBUG: without it FAISS prints every exception.
build_c_api() {
    local capi=$work/src/c_api source objects=()
    mkdir "$work/obj"
    rm -rf "$capi/gpu"
    cat >"$work/Makefile" <<'MAKE'
sources := $(filter-out %/example_c.cpp,$(wildcard $(CAPI)/*.cpp $(CAPI)/*/*.cpp))
objects := $(patsubst $(CAPI)/%.cpp,obj/%.o,$(sources))
libfaiss_c.a: $(objects)
	$(AR) rcs $@ $^
obj/%.o: $(CAPI)/%.cpp
	mkdir -p $(dir $@)
	$(CXX) -std=c++17 -O2 -DNDEBUG -DFINTEGER=int -fPIC -fopenmp -w -c $< -o $@
MAKE
    say "compiling FAISS's C API"
    quietly compile make -C "$work" -f Makefile -j"$(nproc)" CAPI="$capi" libfaiss_c.a
    link_prefix "$(library "$system_root" faiss)" "$system_root/include/faiss"
    mv "$work/libfaiss_c.a" "$work/prefix/lib/"
}

# The whole of FAISS for AVX2. Jobs are limited by memory too: a file can take 1.5 GB.
build_optimized() {
    local jobs memory opt=generic suffix=
    jobs=$(nproc)
    memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null || echo 1)
    [ "${memory:-1}" -ge 1 ] || memory=1
    [ "$jobs" -le "$memory" ] || jobs=$memory
    case $arch in x86_64) opt=avx2 suffix=_avx2 ;; esac
    say "building FAISS $version with FAISS_OPT_LEVEL=$opt (some minutes)"
    quietly configure cmake -S "$work/src" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$work/prefix" -DCMAKE_INSTALL_LIBDIR=lib \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF \
        -DFAISS_ENABLE_C_API=ON -DFAISS_ENABLE_GPU=OFF -DFAISS_ENABLE_PYTHON=OFF \
        -DFAISS_ENABLE_EXTRAS=OFF -DFAISS_ENABLE_MKL=OFF -DFAISS_OPT_LEVEL=$opt
    # FAISS hangs its C API on the plain library; the archive does not care which one it meets.
    quietly build cmake --build "$work/build" -j"$jobs" --target "faiss$suffix" faiss_c
    mkdir -p "$work/prefix/include/faiss/c_api" "$work/prefix/lib"
    cp "$(find "$work/build" -name "libfaiss$suffix.a" | head -n 1)" "$work/prefix/lib/libfaiss.a"
    cp "$(find "$work/build" -name libfaiss_c.a | head -n 1)" "$work/prefix/lib/libfaiss_c.a"
    (cd "$work/src" && find faiss -name '*.h' ! -path '*/gpu/*' ! -path '*/python/*' -exec \
        cp --parents {} "$work/prefix/include/" \;)
    (cd "$work/src/c_api" && find . -name '*.h' ! -path './gpu/*' -exec \
        cp --parents {} "$work/prefix/include/faiss/c_api/" \;)
}

if [ $optimized = 1 ]; then out=$cache/$version-optimized-$arch; else out=$cache/$version-capi-$arch; fi
if ! ready_or_lock "$out"; then
    "$scripts/setup.sh" --source
    fetch_source
    if [ $optimized = 1 ]; then build_optimized; else build_c_api; fi
    finish "$out"
fi
echo "$out"
