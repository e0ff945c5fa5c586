#!/usr/bin/env bash
# sigah.sh: the search behind the defaults of SiGAH and the ablations of its paper: groups of
# variants, measured and summed up by sgh.sh (same options, same resumable file of results).
#
#   scripts/experiments/sigah.sh GROUP [OPTIONS OF sgh.sh] [DATA ...]
#
#   GROUP   table        sigah and sgh at their defaults, preset=paper
#           search       noise, neighbours, beta, graph, relative errors, steps, batch, start
#           activations  table 5 of the paper
#           adversarial  table 4: with and without discriminator; its weight
#           width        figure 4: sparse features, in multiples of the dimension
#           margin       figure 7
#           lambdas      figure 8 a-c: weights of sparsity, graph and discriminator
#           autoencoders figure 8 d: plain auto-encoders of three and four layers
#   DATA    as for sgh.sh; without: mnist, sift, reuters and word2vec of LBH_DATA_DIR
#           (../shared/data), where present, and a synthetic set of 960 dimensions; all by Euclidean
#           distance
#
# Results go to build/sigah.jsonl unless -o says otherwise. itq is always measured. Training of all
# groups on all sets takes hours: name one set, or --quick, for a first look.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() { sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }

# PREFIX VALUE ...: one variant for each value
each() {
    local prefix=$1 value
    shift
    for value in "$@"; do printf 'sigah:%s=%s ' "$prefix" "$value"; done
}

group=${1:-}
[ $# -eq 0 ] || shift
case $group in
table) variants="sgh sigah sigah:preset=paper" ;;
search)
    variants="sigah $(each noise 0 0.5 1 1.25 1.5) $(each neighbours 0.01 0.05 0.1)
        $(each beta 3 6 14) $(each graph 0.03 0.1 0.3 1) sigah:graph_loss=laplacian
        sigah:relative=0 $(each steps 2000 16000) sigah:batch=256 $(each lr 0.003 0.03)
        sigah:init=random sigah:orthogonal=1 $(each slope 1 4) sigah:bias=0 sigah:warmup=0"
    ;;
activations) variants="sigah $(each activation relu tanh sigmoid swish linear)" ;;
adversarial) variants="sigah $(each adversarial 0 0.01 0.03 0.3 1)" ;;
width) variants="sigah $(each m_scale 0.25 0.5 1 4)" ;;
margin) variants="sigah $(each margin 0.02 0.05 0.2 0.5 1 2)" ;;
lambdas)
    variants="sigah $(each sparsity 0 0.01 0.1 1) $(each graph 0 0.03 0.3 1)
        $(each adversarial 0 0.01 1)"
    ;;
autoencoders)
    variants="sigah sigah:preset=ae3
        $(each preset=ae4:m_scale 0.25 0.5 1 2)"
    ;;
-h | --help)
    usage
    exit 0
    ;;
*)
    usage >&2
    exit 2
    ;;
esac

# What sgh.sh is to be told besides: a file of results and data sets, where none are named.
out=(-o build/sigah.jsonl) sets=() data=${LBH_DATA_DIR:-../shared/data} takes_value=
for arg in "$@"; do
    case $arg in
    -o) out=() takes_value=1 ;;
    --bits | --seeds | --queries | --variants) takes_value=1 ;;
    -*) takes_value= ;;
    *)
        [ -n "$takes_value" ] || sets=(named)
        takes_value=
        ;;
    esac
done
if [ ${#sets[@]} -eq 0 ]; then
    for name in mnist sift reuters word2vec; do
        if [ -d "$data/$name" ]; then
            sets+=("$data/$name")
        else
            echo "sigah.sh: left out: $data/$name is absent" >&2
        fi
    done
    sets+=(synthetic:n=100000,d=960)
else
    sets=()
fi
exec scripts/experiments/sgh.sh "${out[@]}" --bits 32,64 --variants "$variants" "$@" "${sets[@]}"
