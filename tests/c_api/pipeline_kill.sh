#!/usr/bin/env bash
# pipeline_kill.sh WRITER: kills a saver with SIGKILL again and again, at scattered moments; after
# each kill the pipeline must be the old or the new one, whole. LBH_KILLS: how often (50). Works in
# memory where it can: what a killed process leaves does not depend on the disk, and a save is
# faster there.
set -u
writer=$1 kills=${LBH_KILLS:-50}
dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$dir"' EXIT
path=$dir/set.lbhp
seen=(0 0) midway=0
# Generations of members in the directory: more than one if a save was not done.
generations() { ls "$dir" | sed -n 's/^set\.lbhp\.\([0-9]*\)\..*/\1/p' | sort -u | wc -l; }
for ((i = 0; i < kills; i++)); do
    "$writer" save "$path" >"$dir/said" 2>"$dir/error" &
    pid=$!
    for ((t = 0; t < 2000; t++)); do # until its first save is done
        [ -s "$dir/said" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.005
    done
    sleep "0.0$(printf %02d $((i * 37 % 60)))" # 0 to 59 ms, in a scattered order
    if ! kill -9 "$pid" 2>/dev/null; then
        echo "the saver ended by itself:"
        cat "$dir/error"
        exit 1
    fi
    wait "$pid" 2>/dev/null
    : >"$dir/said"
    [ "$(generations)" -gt 1 ] && midway=$((midway + 1))
    if ! which=$("$writer" check "$path"); then
        echo "after kill $i:"
        ls -l "$dir"
        exit 1
    fi
    seen[which]=$((seen[which] + 1))
done
echo "$kills kills, $midway in the middle of a save; found the first content ${seen[0]} times," \
    "the second ${seen[1]} times"
if [ "$midway" -eq 0 ]; then
    echo "no kill hit a save: nothing was tested"
    exit 1
fi

# What the last kill left behind goes with the next save: two saves later one set is left.
"$writer" save "$path" >"$dir/said" &
pid=$!
while [ ! -s "$dir/said" ]; do sleep 0.01; done
sleep 0.2
kill -9 "$pid"
wait "$pid" 2>/dev/null
if [ "$(generations)" -gt 2 ]; then # the whole one, and the one that was being written
    echo "more than two generations are left:"
    ls -l "$dir"
    exit 1
fi
