#!/bin/bash
# test_interrupt.sh LBH: Ctrl-C stops at exit code 130 with nothing written, and keeps old files.
set -u
lbh=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export OMP_WAIT_POLICY=passive
bad=0
"$lbh" train --method lsh --nbits 64 --base synthetic:n=100,d=64 -o m.lbh >/dev/null || exit 1

# interrupted COMMAND...: SIGINT in the middle of something long
interrupted() {
    echo old >out.npy
    echo old >out.lbh
    # A job in the background of a script starts with SIGINT ignored; `env` gives it back.
    env --default-signal=INT "$lbh" "$@" >.out 2>.err &
    local pid=$! rc i
    for i in $(seq 200); do # until it is at work: a temporary file, or two seconds
        sleep 0.02
        ls out.npy.* >/dev/null 2>&1 && break
        [ "$i" -gt 100 ] && break
    done
    kill -INT $pid
    wait $pid
    rc=$?
    if [ $rc != 130 ] || [ "$(cat out.npy out.lbh)" != "old
old" ] || [ "$(ls | wc -l)" != 3 ] || [ "$(wc -l <.err)" != 1 ] || ! grep -q interrupted .err; then
        echo "lbh $*: exit code $rc, files: $(ls)"
        cat .err
        bad=1
    fi
}
interrupted encode --model m.lbh --input synthetic:n=1000000000,d=64 -o out.npy
interrupted compare --base synthetic:n=2000000,d=64,queries=100000 --nbits 64 --methods lsh
for m in $("$lbh" methods | sed -n 's/^\([a-z][a-z0-9_-]*\): .*/\1/p'); do
    if "$lbh" methods "$m" | grep -q '^ *steps='; then
        interrupted train --method "$m" --nbits 64 --base synthetic:n=2000,d=64 \
            --set steps=100000000 -o out.lbh
    fi
done
exit $bad
