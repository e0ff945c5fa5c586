#!/usr/bin/env bash
# jmlh.sh: the experiments behind JMLH: its ablations, a sweep over lambda, the supervised rivals and
# very short codes on labelled sets, one line of JSON for each seed; then medians of mAP over the
# whole base.
#
#   scripts/experiments/jmlh.sh [OPTIONS] [SET ...]
#
#   SET            a directory with base.*, query.*, base_labels.* and query_labels.*: trained on the
#                  whole base; split:DIRECTORY, the protocol of the paper for CIFAR-10: the base is
#                  split, 100 queries and 500 training rows of each class, another split with each
#                  seed; split:synthetic:... likewise. Without: split:mnist, mnist and reuters of
#                  LBH_DATA_DIR (../shared/data), where present, and a synthetic set
#   -o FILE        results, build/jmlh.jsonl if not given. Lines that FILE has already are not
#                  measured again: after an interruption the same command goes on. Measurements of
#                  another version of the program belong into another FILE
#   --bits LIST    16,32,64
#   --variants "SPEC SPEC ..."   rows of `lbh compare`, as jmlh jmlh:lambda=0.1 itq
#   --table NAME   the variants of: methods (default), ablations, lambda; or short: methods at 4, 6,
#                  8, 10 and 12 bits
#   --seeds LIST   1,2,3
#   --plan PLAN    queries-per-class=100,train-per-class=500
#   --summary      nothing but the summary of FILE
#
# LBH names the program, build/lbh if not set. Paths are relative to the top of the source tree.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/experiments/common.sh

out=build/jmlh.jsonl bits=16,32,64 seeds=1,2,3 sets=()
plan=queries-per-class=100,train-per-class=500
lbh=${LBH:-build/lbh}
methods="jmlh itq itq-cca sdh ksh"
variants=$methods

choose_table() {
    case $1 in
    methods) variants=$methods ;;
    ablations)
        variants="jmlh jmlh:preset=cont jmlh:preset=qr jmlh:preset=nr jmlh-vae
            jmlh:estimator=exact jmlh:estimator=straight_through jmlh:noise=none"
        ;;
    lambda)
        variants="jmlh:lambda=0 jmlh:lambda=0.005 jmlh:lambda=0.01 jmlh:lambda=0.02
            jmlh:lambda=0.05 jmlh:lambda=0.1 jmlh:lambda=0.2 jmlh:lambda=0.5 jmlh:lambda=1"
        ;;
    short) variants=$methods bits=4,6,8,10,12 ;;
    *) die "--table is methods, ablations, lambda or short, not $1" ;;
    esac
}

option() {
    case $1 in
    --variants) variants=$2 ;;
    --table) choose_table "$2" ;;
    --plan) plan=$2 ;;
    *) return 1 ;;
    esac
}

# Per set, a table of medians over the seeds: variants by bits, with the median training time. Where
# fewer seeds were measured than elsewhere in the table, the number is given.
summary() {
    python3 - "$out" <<'PY'
import json, sys
from statistics import median
found = {}
for line in open(sys.argv[1], encoding="utf-8"):
    r = json.loads(line)
    row = r["result"]["rows"][0]
    cell = found.setdefault(r["set"], {}).setdefault(r["variant"], {}).setdefault(r["nbits"], {})
    cell[r["seed"]] = (row["map"], row["train_seconds"])
for name, variants in found.items():
    bits = sorted({b for cells in variants.values() for b in cells})
    most = max(len(c) for cells in variants.values() for c in cells.values())
    print(f"\n{name}: mAP, median of {most} seed(s)\n")
    print("| variant | " + " | ".join(f"{b} bits" for b in bits) + " | train s |")
    print("|---|" + "---:|" * (len(bits) + 1))
    def text(cell):
        if not cell:
            return ""
        value = f"{median(m for m, _ in cell.values()):.3f}"
        return value if len(cell) == most else f"{value} ({len(cell)})"
    for variant, cells in variants.items():
        seconds = median(s for c in cells.values() for _, s in c.values())
        print(f"| {variant} | " + " | ".join(text(cells.get(b)) for b in bits) + f" | {seconds:.1f} |")
PY
}

# Sets `files` to the options of `lbh compare` for a set and a seed.
open_set() {
    local dir=${1#split:} base base_labels query query_labels
    files=(--metric label)
    case $dir in
    synthetic:*) files+=(--base "$dir") ;;
    *)
        base=$(need_file "$dir" base)
        base_labels=$(need_file "$dir" base_labels)
        files+=(--base "$base" --base-labels "$base_labels")
        ;;
    esac
    case $1 in
    split:*) files+=(--split "$plan,seed=$2") ;;
    synthetic:*) ;;
    *)
        query=$(need_file "$dir" query)
        query_labels=$(need_file "$dir" query_labels)
        files+=(--query "$query" --query-labels "$query_labels" --labels "$base_labels")
        ;;
    esac
}

read_options "--variants --table --plan" "$@"
begin
if [ ${#sets[@]} -eq 0 ]; then
    data=${LBH_DATA_DIR:-../shared/data}
    for set in "split:$data/mnist" "$data/mnist" "$data/reuters"; do
        if [ -d "${set#split:}" ]; then
            sets+=("$set")
        else
            say "left out: ${set#split:} is absent"
        fi
    done
    sets+=(split:synthetic:n=60000,d=64,clusters=20)
fi

for set in "${sets[@]}"; do
    check_name "$set"
    for seed in ${seeds//,/ }; do
        open_set "$set" "$seed"
        for nbits in ${bits//,/ }; do
            for variant in $variants; do
                measure "{\"set\":\"$set\",\"nbits\":$nbits,\"variant\":\"$variant\",\"seed\":$seed," \
                    "$set, $nbits bits, seed $seed: $variant" "${files[@]}" --nbits "$nbits" \
                    --methods "$variant" --seed "$seed"
            done
        done
    done
done
finish
