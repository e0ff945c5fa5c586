#!/usr/bin/env bash
# mutate.sh: which changes to the code do the tests not see? Comparisons, arithmetic and constants of a
# room are changed one at a time (universalmutator of PyPI, by mutate.rules), in a copy of the tree;
# what the room's tests still pass with is listed. Usage:
#
#   scripts/mutate.sh ROOM [COUNT [SEED]]     ROOM: core scan score c_api measure harness
#
# A sample of COUNT (60) changes, the same for the same SEED (1) and sources. Changes that do not
# compile, or compile to the same code, are not counted. MUTATE_DIR names the copy, which is kept and
# used again; MUTATE_SKIP leaves out as many of the sample, to go on with a run.
set -euo pipefail
cd "$(dirname "$0")/.."

room=${1:-} count=${2:-60} seed=${3:-1}
# Folders, and tests as TARGET=NAME, the quickest first.
case $room in
core) folders=plugin/core
    tests="core linalg linear unit product mlp map_codes table_codes byte_tables itq lbh=exact sgh_gram jmlh
           baselines sigah sgh golden test_alloc=faults_alloc" ;;
scan) folders=plugin/scan
    tests="mih mih_file hamming test_alloc=faults_alloc" ;;
score) folders=plugin/score
    tests="decoded rescore byte_filter cosine byte_tables test_alloc=faults_alloc" ;;
c_api) folders="c_api/index c_api/pipeline c_api/export"
    tests="c_api_search c_api_calls c_api_float_index c_api_arguments c_api_export c_api_ids c_api_file
           c_api_lifecycle c_api_decoded_lists c_api_index_writer c_api_pipeline c_api_pipeline_more
           c_api_pipeline_file c_api_golden c_api_limits test_alloc=faults_alloc" ;;
measure) folders=bench/measure
    tests="bench_metrics bench_labels bench_spec bench_writers lbh_command=bench_rescore lbh_command=bench_decoder
           lbh_command=bench_truth lbh_command=bench_bench lbh_command=bench_figures
           lbh_command=bench_ann_benchmarks lbh_command=bench_labels_python
           lbh_command=bench_curve" ;;
harness) folders=bench/harness
    tests="bench_spec bench_result_lines lbh_command=bench_answers lbh_command=bench_bench lbh_command=bench_figures
           lbh_command=bench_truth lbh_command=bench_rescore" ;;
*)
    sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
    ;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/faiss-lbh/mutate-venv
if [ ! -x "$cache/bin/mutate" ]; then
    python3 -m venv "$cache"
    "$cache/bin/pip" install -q universalmutator >&2
fi

here=$PWD
copy=${MUTATE_DIR:-$(mktemp -d /tmp/lbh-mutate.XXXXXX)}
mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
# As new files: an object of the last change to a copy that is used again is newer than the old file.
git ls-files -z | tar --null -T - -cf - | tar -xmf - -C "$copy"
cd "$copy"
[ -e build/build.ninja ] || BUILD_DIR=build scripts/build.sh --test >&2

# passes TARGET=NAME: builds the test and runs it; a loop without end fails.
passes() {
    local target=${1%=*} name=${1#*=}
    [ "$target" = "$1" ] && target=test_$name
    [ "$target" = lbh ] && target=plugin/liblbh.so
    ninja -C build "$target" >build/mutate.log 2>&1 &&
        OMP_NUM_THREADS=1 timeout -k 5 "${MUTATE_TIMEOUT:-120}" \
            ctest --test-dir build -R "^$name\$" --no-tests=error >build/mutate.log 2>&1
}
# in_order FILE: the tests, first those whose name begins with the file's first word.
in_order() {
    local word=${1##*/} test name first=() others=()
    word=${word#bench_} word=${word%%[_.]*}
    for test in $tests; do
        name=${test#*=} name=${name#bench_} name=${name#c_api_}
        if [ "${name%%_*}" = "$word" ]; then first+=("$test"); else others+=("$test"); fi
    done
    echo "${first[@]}" "${others[@]}"
}
for test in $tests; do
    [ -z "${MUTATE_SKIP:-}" ] || break
    passes "$test" || { echo "mutate.sh: $test fails without a change" >&2; exit 1; }
done

mutants=$(mktemp -d /tmp/lbh-mutants.XXXXXX)
trap 'rm -rf "$mutants"' EXIT
for file in $(find $folders -name '*.c' | sort); do
    mkdir "$mutants/${file##*/}"
    "$cache/bin/mutate" "$file" c --noCheck --only "$here/scripts/mutate.rules" \
        --mutantDir "$mutants/${file##*/}" >/dev/null 2>&1
    (cd "$mutants" && printf '%s\n' "${file##*/}"/*) | sed "s|^|$file |"
    # In the order of a hash of the names: shuf with the bytes of so short a cycle takes neighbours.
done | LC_ALL=C sort -R --random-source=<(yes "$seed") | sed -n "1,${count}p" >"$mutants/list"

killed=0 survived=0 void=0
while read -r file mutant; do
    mutant=$mutants/$mutant
    [ "$((killed + survived + void))" -ge "${MUTATE_SKIP:-0}" ] || { void=$((void + 1)); continue; }
    line=$(diff "$file" "$mutant" | sed -n '1s/c.*//p' || true)
    text="$file:$line: $(sed -n "${line}s/^ *//p" "$file")  ==>  $(sed -n "${line}s/^ *//p" "$mutant")"
    object=$(find build -path '*.dir/*' -name "${file##*/}.o" | head -1)
    cp "$file" "$mutants/original.c"
    cp "$object" "$mutants/original.o"
    cp "$mutant" "$file"
    by=
    if ! ninja -C build "${object#build/}" >build/mutate.log 2>&1 || cmp -s "$object" "$mutants/original.o"; then
        void=$((void + 1))
    else
        for test in $(in_order "$file"); do
            passes "$test" || { by=${test#*=}; break; }
        done
        if [ -n "$by" ]; then
            killed=$((killed + 1))
            echo "killed by $by: $text"
        else
            survived=$((survived + 1))
            echo "SURVIVED $text"
        fi
    fi
    cp "$mutants/original.c" "$file"
done <"$mutants/list"
echo "$room: $((killed + survived)) changes, $survived survived ($((100 * survived / (killed + survived > 0 ? killed + survived : 1))) %)," \
    "$void not counted"
