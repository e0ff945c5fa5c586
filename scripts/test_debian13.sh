#!/usr/bin/env bash
# test_debian13.sh: builds and tests everything inside a Debian 13 root, whose packages are FAISS 1.11
# with its C API, Python 3.13 and the compilers of that release. Usage, as root:
#
#   scripts/test_debian13.sh [--root DIRECTORY] [arguments of ctest]
#
#     --root  makes the root there, or uses the one that is there, and keeps it. Without it the
#             root is temporary (in ${TMPDIR:-/var/tmp}, 2 GB) and goes in the end.
#
# The root is made by debootstrap from the mirror that this machine's own apt uses; the machine's apt,
# packages and mounts stay as they are. It takes minutes.
set -euo pipefail

say() { echo "test_debian13.sh: $*" >&2; }
die() {
    say "$@"
    exit 1
}

# Mounts in a name space of our own: however this ends, none is left behind.
if [ -z "${LBH_MOUNTS_APART:-}" ]; then
    [ "$(id -u)" = 0 ] || die "must run as root (chroot, mount)"
    for tool in debootstrap chroot unshare tar; do
        command -v $tool >/dev/null || die "$tool is missing: apt-get install debootstrap util-linux"
    done
    LBH_MOUNTS_APART=1 exec unshare --mount --propagation private "$0" "$@"
fi

cd "$(dirname "$0")/.."
root='' keep=0
if [ "${1:-}" = --root ]; then
    [ -n "${2:-}" ] || die "--root wants a directory"
    mkdir -p "$2"
    root=$(cd "$2" && pwd) keep=1
    shift 2
else
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/debian13.XXXXXX")
fi

finish() {
    umount "$root/proc" "$root/dev" 2>/dev/null || true
    # Never into something that is still mounted.
    if [ $keep = 0 ] && ! mountpoint -q "$root/dev" && ! mountpoint -q "$root/proc"; then
        rm -rf --one-file-system "$root"
    fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The mirror of Debian itself, not of its security updates or of other archives.
mirror() {
    apt-get indextargets --format '$(SITE) $(CODENAME) $(ORIGIN) $(COMPONENT)' 2>/dev/null |
        awk '$2 ~ /security|updates|backports/ {next} $3 == "Debian" && $4 == "main" {print $1; exit}'
}

if [ ! -e "$root/etc/debian_version" ]; then
    site=$(mirror)
    [ -n "$site" ] || die "apt on this machine names no Debian mirror (apt-get update first?)"
    log=$root.log
    say "making a Debian 13 root from this machine's mirror (log: $log)"
    eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
    export http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}"
    debootstrap --variant=minbase --include=ca-certificates trixie "$root" "$site" >"$log" 2>&1 || {
        tail -n 5 "$log" | sed 's#https\?://[^ ]*#(mirror)#g' >&2
        die "debootstrap failed; is 'trixie' on this mirror, and the machine's debian-archive-keyring recent?"
    }
    rm -f "$log"
fi

# How names are resolved and how apt fetches, as on this machine.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -rL /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"

# The source as it stands here, without what git does not know; a build of an earlier run stays.
mkdir -p "$root/src"
git ls-files -z | tar --null --ignore-failed-read -cf - -T - | tar -C "$root/src" -xf -

say "building and testing in it"
chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive OMP_WAIT_POLICY=passive \
    /bin/bash -c 'cd /src && exec scripts/test.sh "$@"' bash "$@"
