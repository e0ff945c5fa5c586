#!/usr/bin/env bash
# kill_scale.sh LBH [KILLS]: kills `lbh scale` with SIGKILL at scattered moments, and goes on from what is
# there. No shard that was finished may be made again, and what a run ends with must be, byte for byte, what
# a run that nobody killed ends with.
set -u
lbh=$1 kills=${2:-12}
dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
options=(--base synthetic:n=150000,d=24,clusters=50,queries=200 -m sgh -b 64 --set steps=300 --train-rows 3000
    --index BIVF64 --nprobe 5 --shard-rows 4000 -q)
run() {
    "$lbh" scale "${options[@]}" -o "$1" >/dev/null 2>err
}
fail() {
    echo "after kill $i: $*"
    ls -lA run
    exit 1
}
begun=$(date +%s%N)
run whole || { cat err; exit 1; }
length=$((($(date +%s%N) - begun) / 1000000)) # ms
same() {
    for file in codes.npy index.faiss ids.npy distances.npy model.lbh lists.faiss; do
        cmp "whole/$file" "run/$file" || fail "$file is not that of a run in one piece"
    done
    [ -z "$(find run -name '*.part')" ] || fail "something is left that is not whole"
    # A record a shard, of its rows and lists: none was made twice.
    [ "$(stat -c %s run/encoded.log)" = "$(stat -c %s whole/encoded.log)" ] || fail "shards were repeated"
    [ "$(stat -c %s run/built.log)" = "$(stat -c %s whole/built.log)" ] || fail "shards were repeated"
}
done_=0 resumed=0 building=0 ended=0
for ((i = 0; i < kills; )); do
    "$lbh" scale "${options[@]}" -o run >/dev/null 2>err &
    pid=$!
    ms=$((length * (i * 37 % 100 + 5) / 90)) # up to the length of a run, and more
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
    if kill -9 "$pid" 2>/dev/null; then
        i=$((i + 1))
    else # runs are shorter than the first was, beside other work
        length=$((length * 9 / 10))
    fi
    wait "$pid" 2>/dev/null
    rc=$?
    now=$(($(stat -c %s run/encoded.log 2>/dev/null || echo 0) + $(stat -c %s run/built.log 2>/dev/null || echo 0)))
    [ "$now" -ge "$done_" ] || fail "fewer shards are done than were"
    [ "$now" -gt 0 ] && resumed=$((resumed + 1))
    [ -s run/built.log ] && building=$((building + 1))
    done_=$now
    if [ "$rc" = 0 ]; then
        same
        ended=$((ended + 1))
        rm -rf run
        done_=0
    elif [ "$rc" != 137 ]; then
        cat err
        fail "exit code $rc"
    fi
done
i=end
run run || { cat err; fail "the last run"; }
same
echo "$kills kills: $resumed times there were shards to go on from, $building times the index was begun;" \
    "$((ended + 1)) runs came to their end"
