#!/usr/bin/env bash
# kill_bench.sh LBH [KILLS]: kills `lbh bench` with SIGKILL at scattered moments, and goes on from
# what is there. The results must always be whole lines, none that was there may be lost, and when a
# run comes to its end it must have the cells of a run that nobody killed.
set -u
lbh=$1 kills=${2:-12}
dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
cat >spec.ini <<'END'
[bench]
nbits = 16
seeds = 1 2 3
repeats = 1
k = 5
at = 1 5
map_k = 5
rescore = hamming
[data small]
base = synthetic:n=300,d=16,queries=20
metric = l2
[method lsh]
[method itq]
END
fail() {
    echo "after kill $i: $*"
    ls -lA run
    exit 1
}
keys() { sed -n 's/.*"key":"\([0-9a-f]*\)","status":"ok".*/\1/p' "$1/bench.jsonl" | sort -u; }
begun=$(date +%s%N)
"$lbh" bench spec.ini --out whole -q >/dev/null 2>err || { cat err; exit 1; }
length=$((($(date +%s%N) - begun) / 1000000)) # ms
keys whole >want
[ "$(wc -l <want)" = 6 ] || { echo "not the six cells that were asked for"; exit 1; }

lines=0 resumed=0 midway=0 ended=0
for ((i = 0; i < kills; )); do
    "$lbh" bench spec.ini --out run -q >/dev/null 2>err &
    pid=$!
    ms=$((length * (i * 37 % 100 + 10) / 80)) # up to the length of a run, and more
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
    if kill -9 "$pid" 2>/dev/null; then
        i=$((i + 1))
    fi
    wait "$pid" 2>/dev/null
    rc=$?
    # What a kill leaves beside the files, anywhere below.
    [ -n "$(find run -regextype posix-extended -regex '.*\.[A-Za-z0-9]{6}' -newer err \
        2>/dev/null)" ] && midway=$((midway + 1))
    now=0
    if [ -s run/bench.jsonl ]; then
        grep -vq '^{"format":.*}$' run/bench.jsonl && fail "a line is not whole"
        [ "$(tail -c 1 run/bench.jsonl | od -An -c | tr -d ' ')" = '\n' ] || fail "no last newline"
        now=$(wc -l <run/bench.jsonl)
        resumed=$((resumed + 1))
    fi
    [ "$now" -ge "$lines" ] || fail "$now results, and there were $lines"
    lines=$now
    if [ "$rc" = 0 ]; then
        keys run >have
        cmp -s want have || fail "the cells at the end are not those of a run in one piece"
        ended=$((ended + 1))
        length=$((length * 3 / 4 + 10)) # the machine is faster than it was
        rm -rf run
        lines=0
    elif [ "$rc" = 137 ]; then
        [ "$now" = 0 ] && length=$((length * 9 / 8)) # slower
    else
        cat err
        fail "exit code $rc"
    fi
done
i=end
"$lbh" bench spec.ini --out run -q >/dev/null 2>err || { cat err; fail "the last run"; }
keys run >have
cmp -s want have || fail "the cells at the end are not those of a run in one piece"
echo "$kills kills: $resumed times there were results to go on from, $midway left a" \
    "half-written file; $((ended + 1)) runs came to their end"
