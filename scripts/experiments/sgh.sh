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

say() { echo "sgh.sh: $*" >&2; }
die() {
    say "$@"
    exit 2
}

out=build/sgh.jsonl bits=16,32,64,128 seeds=3 queries=1000 summary_only= sets=()
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

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
        exit 0
        ;;
    -o | --bits | --variants | --seeds | --queries)
        [ $# -ge 2 ] || die "$1 wants a value"
        case $1 in
        -o) out=$2 ;;
        --bits) bits=$2 ;;
        --variants) variants="itq $2" ;;
        --seeds) seeds=$2 ;;
        --queries) queries=$2 ;;
        esac
        shift
        ;;
    --quick) seeds=1 queries=200 ;;
    --summary) summary_only=1 ;;
    -*) die "unknown option $1 (try --help)" ;;
    *) sets+=("$1") ;;
    esac
    shift
done

# Recall 10@100 of each variant, relative to that of ITQ on the same set at the same bits: the mean
# over all cases, the worst, and how many there are. Latest line wins.
summary() {
    command -v python3 >/dev/null || {
        say "no python3, no summary; the results are in $out"
        return 0
    }
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

# The file DIRECTORY/NAME.* in a format of vectors.
vectors() {
    local extension
    for extension in fvecs bvecs fbin u8bin npy; do
        if [ -e "$1/$2.$extension" ]; then
            echo "$1/$2.$extension"
            return
        fi
    done
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
    base=$(vectors "$dir" base) query=$(vectors "$dir" query) learn=$(vectors "$dir" learn)
    [ -n "$base" ] && [ -n "$query" ] || die "$dir has no base.* or no query.*"
    files+=(--base "$base" --query "$query@0:$queries")
    [ -z "$learn" ] || files+=(--train "$learn")
    [ ! -e "$dir/query_ids.ivecs" ] ||
        files+=(--query-ids "$dir/query_ids.ivecs@0:$queries")
}

# One line: measured and appended whole, or not at all.
measure() {
    local set=$1 nbits=$2 variant=$3 key document rc=0
    key="{\"set\":\"$set\",\"nbits\":$nbits,\"variant\":\"$variant\",\"seeds\":$seeds,\"queries\":$queries,"
    if grep -qF -- "$key" "$out"; then return; fi
    say "$set, $nbits bits: $variant"
    document=$("$lbh" compare "${files[@]}" --nbits "$nbits" --methods "$variant" --seeds "$seeds" \
        --json) || rc=$?
    [ $rc -ne 130 ] || exit 130
    if [ $rc -ne 0 ]; then
        failed=$((failed + 1))
        return
    fi
    # Strings of JSON hold no raw newline or tab: all of these are layout.
    printf '%s"result":%s}\n' "$key" "$(tr -d '\n\t' <<<"$document")" >>"$out"
}

if [ -n "$summary_only" ]; then
    [ -e "$out" ] || die "$out is not there"
    summary
    exit 0
fi
[ -x "$lbh" ] || die "$lbh is not there: run scripts/build.sh, or set LBH"
[[ $seeds =~ ^[0-9]+$ && $queries =~ ^[0-9]+$ && $bits =~ ^[0-9]+(,[0-9]+)*$ ]] ||
    die "--seeds and --queries want a number, --bits numbers with commas between"
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

mkdir -p "$(dirname "$out")"
touch "$out"
# A line that was cut off while it was written (power, disk) is measured again.
if [ -s "$out" ] && [ -n "$(tail -c 1 "$out")" ]; then
    say "the last line of $out is not whole and is dropped"
    head -n -1 "$out" >"$out.whole"
    mv "$out.whole" "$out"
fi
failed=0
for set in "${sets[@]}"; do
    case $set in *[\"\\]*) die "a name with a quote or a backslash: $set" ;; esac
    open_set "$set"
    for nbits in ${bits//,/ }; do
        for variant in $variants; do measure "$set" "$nbits" "$variant"; done
    done
done
summary
[ $failed -eq 0 ] || {
    say "$failed measurements failed"
    exit 1
}
