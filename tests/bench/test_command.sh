#!/bin/sh
# test_command.sh LBH: the command from end to end on the built-in data set, for every method.
set -eu
lbh=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export OMP_WAIT_POLICY=passive
base=synthetic:n=3000,d=24,queries=50,clusters=12
say() { echo "test_command.sh: $*"; }

# The document on stdin is JSON, and the Python expression about `j` holds.
json() {
    command -v python3 >/dev/null || { cat >/dev/null; return 0; }
    python3 -c '
import json, sys
j = json.load(sys.stdin)
assert eval(sys.argv[1]), (sys.argv[1], j)' "$1"
}
# Some options that make training short; methods that do not have them are trained as they are.
short() {
    if "$lbh" methods "$1" | grep -q '^ *steps='; then echo "--set steps=20"; fi
}

"$lbh" --version | grep -q '^lbh [0-9]'
"$lbh" --help | grep -q compare
"$lbh" help search | grep -q -- --query
"$lbh" methods --json | json 'len(j["methods"]) > 0 and all(m["options"] for m in j["methods"])'
names=$("$lbh" methods | sed -n 's/^\([a-z][a-z0-9_-]*\): .*/\1/p')
[ -n "$names" ]

for m in $names; do
    say "$m"
    # shellcheck disable=SC2046
    "$lbh" train --method "$m" --nbits 20 --base $base $(short "$m") --seed 5 -o "$m.lbh" \
        --profile --json | json '(j["n_train"] == 3000 and j["d"] == 24 and
        abs(sum(p["share"] for p in j["profile"].values()) - 1) < 1e-6)'
    # shellcheck disable=SC2046
    "$lbh" train --method "$m" --nbits 20 --base $base $(short "$m") --seed 5 \
        -o again.lbh >/dev/null
    [ "$("$lbh" info "$m.lbh" --json | grep digest)" = "$("$lbh" info again.lbh --json | grep digest)" ]
    "$lbh" info "$m.lbh" --json | json 'j["nbits"] == 20 and j["options"]["seed"] == 5'
    for f in c.bvecs c.u8bin c.npy; do
        "$lbh" encode --model "$m.lbh" --input $base -o $f >/dev/null
    done
    # the three formats hold the same 3000 x 3 bytes
    tail -c 9000 c.u8bin >a && tail -c 9000 c.npy >b && cmp a b
    [ "$(wc -c <c.bvecs)" = 21000 ]
    "$lbh" encode --model "$m.lbh" --input "$base@1000:1010" -o part.u8bin --threads 1 >/dev/null
    tail -c 30 part.u8bin >a && tail -c 9000 c.u8bin | tail -c +3001 | head -c 30 >b && cmp a b
    "$lbh" eval --model "$m.lbh" --base $base --json |
        json '0 <= j["recall"]["10@1000"] <= 1 and 0 < j["map"] < 1 and j["map_k"] == 1000'
    "$lbh" eval --model "$m.lbh" --base $base --metric label --json |
        json '0 < j["map"] <= 1 and j["precision_100"] > 0 and "recall" not in j'
done

say "numbers of threads that are none, or far too many"
for threads in 0 -1 abc "" 4,2 4097 100000 99999999999999999999; do
    OMP_NUM_THREADS=$threads "$lbh" train --method itq --nbits 8 --base "$base@0:200" -o t.lbh \
        >/dev/null 2>&1 || { say "OMP_NUM_THREADS=$threads: exit code $?"; exit 1; }
done

say "index kinds"
m=$(echo "$names" | head -n 1)
for kind in BFlat BIVF8 BHNSW8 BHash6 BHash2x6 IDMap,BFlat; do
    "$lbh" build --model "$m.lbh" --base $base --index $kind -o i.faiss >/dev/null
    "$lbh" search --model "$m.lbh" --index i.faiss --query $base,part=query -k 5 -o ids.ivecs \
        --distances d.npy --json | json 'j["queries"] == 50 and j["k"] == 5'
    [ "$(wc -c <ids.ivecs)" = 1200 ]
    [ "$(wc -c <d.npy)" = 1128 ]
done
"$lbh" build --model "$m.lbh" --base $base --index BIVF8 -o i.faiss >/dev/null
"$lbh" build --model "$m.lbh" --base $base -o flat.faiss >/dev/null
"$lbh" search --model "$m.lbh" --index i.faiss --query $base,part=query --set nprobe=8 -o a.npy \
    --distances da.npy >/dev/null
"$lbh" search --model "$m.lbh" --index flat.faiss --query $base,part=query -o b.npy \
    --distances db.npy >/dev/null
cmp da.npy db.npy # all lists probed: the flat distances
cmp a.npy b.npy   # and ids
"$lbh" search --model "$m.lbh" --index flat.faiss --query $base,part=query --stock -o c.npy >/dev/null
cmp b.npy c.npy

say "a query's own row is left out"
"$lbh" search --model "$m.lbh" --index flat.faiss --query "$base@7:8" -k 2 | grep -q '	7	0$'
printf '\001\000\000\000\007\000\000\000' >own.ivecs
if "$lbh" search --model "$m.lbh" --index flat.faiss --query "$base@7:8" -k 50 \
    --query-ids own.ivecs | grep -q '	7	'; then exit 1; fi
"$lbh" search --model "$m.lbh" --index flat.faiss --query "$base@7:8" -k 50 \
    --query-ids own.ivecs --json | json 'len(j["ids"][0]) == 50'

say compare
"$lbh" compare --base $base --nbits 16 --methods "$m,LSH,ITQ,PQ" >table 2>err
[ "$(grep -c '^| ' table)" = 5 ]
[ ! -s err ]
"$lbh" compare --base $base --nbits 16 --methods "$m,PQ,ITQ" --seeds 3 --json |
    json 'len(j["rows"]) == 3 and all(0 <= r["map"] <= 1 and r["bytes_per_item"] == 2
          and len(r["recall"]) == 4 for r in j["rows"])'
"$lbh" compare --base $base --nbits 48 --methods "$m,ITQ,PQ" --metric ip --json |
    json '[r["method"] for r in j["rows"]][1:] == ["Pad48,ITQ48,LSH", "PQ6"]'
"$lbh" compare --base $base --nbits 48 --methods "$m,ITQ,PQ" --metric cosine --json |
    json 'len(j["rows"]) == 3 and all(r["map"] > 0.1 for r in j["rows"])'
"$lbh" compare --base $base --nbits 12 --methods "$m,PQ" --metric label --json 2>err |
    json 'len(j["rows"]) == 1 and j["rows"][0]["map"] > 0'
grep -q 'left out' err
head -c 4 /dev/zero >own2.ivecs # 50 queries that are rows 0..49 of the base
python3 - <<'PY' 2>/dev/null || exit 0
import struct
open("own50.ivecs", "wb").write(b"".join(struct.pack("<ii", 1, i) for i in range(50)))
PY
"$lbh" compare --base $base --query "$base@0:50" --query-ids own50.ivecs --nbits 16 \
    --methods "$m,PQ,ITQ" --json |
    json 'all(r["recall"]["1@1"] < 1 for r in j["rows"])'
say speed
"$lbh" speed --only scan --codes 2000 --repeats 1 --threads 2 --json |
    json 'len(j) == 46 and all(set(("name", "threads", "ours", "rival", "ratio", "limit_fraction"))
          <= set(r) and r["ours"] > 0 and r["ratio"]["min"] <= r["ratio"]["max"] for r in j)'
"$lbh" speed --only mih,ivf --codes 3000 --repeats 1 --threads 1 | grep -c 'BHash4x16' | grep -qx 1
say ok
