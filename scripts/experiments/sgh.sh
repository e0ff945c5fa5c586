#!/usr/bin/env bash
# sgh.sh: the experiments behind the defaults of SGH: every variant on every data set at 16, 32, 64
# and 128 bits, medians of 3 seeds, one line of JSON each; then the recall of each variant relative
# to ITQ's, over all of them.
#
#   scripts/experiments/sgh.sh [OPTIONS] [DATA ...]
#
#   DATA           a directory with base.* and query.* (and learn.*, query_ids.ivecs where there are
#                  such), ip:DIRECTORY to search by inner product, or synthetic:... ; without: mnist,
#                  sift, reuters and ip:word2vec of LBH_DATA_DIR (../shared/data), where present, and
#                  a synthetic set
#   -o FILE        results, build/sgh.jsonl if not given. Lines that FILE has already are not
#                  measured again: after an interruption the same command goes on. Measurements of
#                  another version of the program belong into another FILE
#   --bits LIST    16,32,64,128
#   --variants "SPEC SPEC ..."   rows of `lbh compare`, as sgh sgh:noise=1; itq is always measured
#   --seeds N      3
#   --queries N    1000, the first ones; every set must have that many
#   --quick        one seed, 200 queries
#   --summary      nothing but the summary of FILE
#
# LBH names the program, build/lbh if not set. Paths are relative to the top of the source tree.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/experiments/common.sh

out=build/sgh.jsonl bits=16,32,64,128 seeds=3 queries=1000 sets=()
lbh=${LBH:-build/lbh}
variants="itq
    sgh
    sgh:noise=1 sgh:noise=0 sgh:noise=1.5
    sgh:init=random
    sgh:schedule=constant
    sgh:estimator=unbiased
    sgh:steps=5000 sgh:steps=50000
    sgh:batch=2000
    sgh:coding=01
    sgh:kl=0.1 sgh:kl=0.1:learn_prior=1
    sgh:pca=0 sgh:pca=64
    sgh:slope=1 sgh:slope=4
    sgh:lr=0.003 sgh:lr=0.03
    sgh:init=random:schedule=constant:steps=5000:noise=1
    sgh:preset=official sgh:preset=paper"

option() {
    case $1 in
    --variants) variants="itq $2" ;;
    --queries) queries=$2 ;;
    --quick) seeds=1 queries=200 ;;
    *) return 1 ;;
    esac
}

# Recall 10@100 of each variant, relative to that of ITQ on the same set at the same bits: the mean
# over all cases, the worst, and how many there are. Latest line wins.
summary() {
    python3 - "$out" <<'EOF'
import json, sys
score = {}
for line in open(sys.argv[1], encoding="utf-8"):
    r = json.loads(line)
    row = r["result"]["rows"][0]
    score.setdefault(r["variant"], {})[r["set"], r["nbits"], r["seeds"], r["queries"]] = (
        row["recall"]["10@100"], row["map"], row["train_seconds"])
itq = score.get("itq", {})
table = []
for variant, cases in score.items():
    both = [(cases[c], itq[c]) for c in cases if c in itq and itq[c][0] > 0 and itq[c][1] > 0]
    if both:
        recall = [a[0] / b[0] for a, b in both]
        maps = [a[1] / b[1] for a, b in both]
        table.append((sum(recall) / len(both), min(recall), sum(maps) / len(both),
                      sum(a[2] for a, _ in both), len(both), variant))
print("| variant | recall 10@100 / ITQ's, mean | worst | mAP / ITQ's, mean | train s, sum | cases |")
print("|---|---:|---:|---:|---:|---:|")
for mean, worst, ap, seconds, cases, variant in sorted(table, reverse=True):
    print(f"| {variant} | {mean:.3f} | {worst:.3f} | {ap:.3f} | {seconds:.0f} | {cases} |")
EOF
}

# Sets `files` to the options of `lbh compare` for a data set.
open_set() {
    local dir=${1#ip:} base query learn
    files=()
    case $1 in
    synthetic:*)
        files=(--base "$1,queries=$queries")
        return
        ;;
    ip:*) files=(--metric ip) ;;
    esac
    base=$(need_file "$dir" base)
    query=$(need_file "$dir" query)
    learn=$(find_file "$dir" learn)
    files+=(--base "$base" --query "$query@0:$queries")
    [ -z "$learn" ] || files+=(--train "$learn")
    [ ! -e "$dir/query_ids.ivecs" ] ||
        files+=(--query-ids "$dir/query_ids.ivecs@0:$queries")
}

read_options "--variants --queries" "$@"
[[ $seeds =~ ^[0-9]+$ && $queries =~ ^[0-9]+$ ]] || die "--seeds and --queries want a number"
begin
if [ ${#sets[@]} -eq 0 ]; then
    data=${LBH_DATA_DIR:-../shared/data}
    for name in mnist sift reuters word2vec; do
        if [ -d "$data/$name" ]; then
            case $name in
            word2vec) sets+=("ip:$data/$name") ;;
            *) sets+=("$data/$name") ;;
            esac
        else
            say "left out: $data/$name is absent"
        fi
    done
    sets+=(synthetic:n=100000,d=128)
fi

for set in "${sets[@]}"; do
    check_name "$set"
    open_set "$set"
    for nbits in ${bits//,/ }; do
        for variant in $variants; do
            key="{\"set\":\"$set\",\"nbits\":$nbits,\"variant\":\"$variant\",\"seeds\":$seeds,"
            measure "$key\"queries\":$queries," "$set, $nbits bits: $variant" "${files[@]}" \
                --nbits "$nbits" --methods "$variant" --seeds "$seeds"
        done
    done
done
finish
