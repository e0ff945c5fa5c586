#!/usr/bin/env bash
# fuzz.sh: fuzzes the readers of this library, with libFuzzer under AddressSanitizer and
# UndefinedBehaviorSanitizer. Usage:
#
#   scripts/fuzz.sh list               the targets: tests/fuzz/NAME.c
#   scripts/fuzz.sh TARGET SECONDS     fuzzes one
#   scripts/fuzz.sh all SECONDS        fuzzes all, SECONDS each, one a core
#   scripts/fuzz.sh --replay [TARGET]  only runs the inputs that there are: those that once failed
#                                      (tests/fuzz/regressions/), seeds, the corpus found so far
#
# FUZZ_SEED=1 in the environment, or another number, begins each target with the same random inputs.
#
# Without clang the targets are built with gcc and its sanitizers, which can replay and not fuzz.
# Everything lies in build-fuzz/ (BUILD_DIR names another directory): seeds/, corpus/ (kept from run
# to run), crashes/, logs/. Prints the executions of each target and the whole; exit code 1 if an
# input failed, whose file is named. Runs with the lowest priority.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
}
say() { echo "fuzz.sh: $*" >&2; }

seconds=0 only='' action=${1:-}
case $action in
list) [ $# = 1 ] || usage ;;
--replay)
    [ $# -le 2 ] || usage
    only=${2:-}
    ;;
'' | -*) usage ;;
*)
    [ $# = 2 ] && [[ $2 =~ ^[0-9]+$ ]] && [ "$2" -gt 0 ] || usage
    [ "$action" = all ] || only=$action
    seconds=$2 action=fuzz
    ;;
esac

build=${BUILD_DIR:-build-fuzz}
mkdir -p "$build"
build=$(cd "$build" && pwd)

scripts/setup.sh --test --fuzz
options=(-DBUILD_TESTING=ON -DLBH_SANITIZE=address,undefined -DFAISS_ROOT="$(scripts/get_faiss.sh)")
wanted=(fuzz_replay fuzz_seeds)
if command -v clang >/dev/null && command -v clang++ >/dev/null; then
    options+=(-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DLBH_FUZZ=ON)
    if [ -z "$only" ]; then wanted+=(fuzz); else wanted+=("fuzz_$only"); fi
elif [ $action = fuzz ]; then
    say "no clang, whose libFuzzer is needed; scripts/fuzz.sh --replay works with gcc"
    exit 1
fi
if command -v ninja >/dev/null; then options+=(-G Ninja); fi
[ -e "$build/CMakeCache.txt" ] || cmake -S . -B "$build" "${options[@]}" >"$build/cmake.log" 2>&1 || {
    cat "$build/cmake.log" >&2
    exit 1
}
[ $action = fuzz ] || wanted=(fuzz_replay fuzz_seeds)
cmake --build "$build" -j"$(nproc)" --target "${wanted[@]}" >"$build/build.log" 2>&1 || {
    tail -n 40 "$build/build.log" >&2
    exit 1
}
replay=$build/tests/fuzz_replay

mapfile -t targets < <("$replay" --list)
[ $action = list ] && printf '%s\n' "${targets[@]}" && exit
if [ -n "$only" ]; then
    printf '%s\n' "${targets[@]}" | grep -qx -- "$only" || usage
    targets=("$only")
fi

# Files of a run lie in memory, and go with it.
shm=/dev/shm
[ -w $shm ] || shm=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d $shm/lbh_fuzz_run.XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM

# One thread: it is the reader that is wanted, not the waiting.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 HDF5_USE_FILE_LOCKING=FALSE
export LSAN_OPTIONS="suppressions=$PWD/tests/sanitize/leaks.supp:print_suppressions=0"
python3=/usr/bin/python3
[ -x $python3 ] || python3=python3
rm -rf "$build/seeds"
nice -n 15 $python3 tests/fuzz/seeds.py "$build/tests/fuzz_seeds" "$build/seeds"

failed=0
inputs() { # target: the directories of inputs that there are
    local dir
    for dir in "tests/fuzz/regressions/$1" "$build/corpus/$1" "$build/seeds/$1"; do
        [ ! -d "$dir" ] || echo "$dir"
    done
}

replay_one() { # target
    local dirs
    mapfile -t dirs < <(inputs "$1")
    ulimit -c 0
    nice -n 15 "$replay" "$1" "${dirs[@]}" 2>"$build/logs/$1.replay.log" || {
        failed=1
        tail -n 40 "$build/logs/$1.replay.log" >&2
        say "$1: an input fails, see above"
    }
}

executions() { # log
    awk '/stat::number_of_executed_units/ {n = $2} /^#[0-9]+/ {m = substr($1, 2)}
         END {print n ? n : m + 0}' "$1"
}

fuzz_one() { # target
    local log=$build/logs/$1.log dirs status=0 dict=()
    mkdir -p "$build/corpus/$1" "$build/crashes/$1"
    mapfile -t dirs < <(inputs "$1")
    [ ! -e "$build/seeds/$1.dict" ] || dict=(-dict="$build/seeds/$1.dict")
    # The first directory takes what is found. A child of the target that dies is no crash of it.
    ASAN_OPTIONS=abort_on_error=0:allocator_may_return_null=1 nice -n 15 "$build/fuzz/$1" \
        "$build/corpus/$1" "${dirs[@]}" "${dict[@]}" -max_total_time="$seconds" -timeout=60 \
        -rss_limit_mb=4096 -malloc_limit_mb=2048 -max_len=16384 -print_final_stats=1 -seed="${FUZZ_SEED:-0}" \
        -artifact_prefix="$build/crashes/$1/" >"$log" 2>&1 || status=$?
    printf '%-20s %12d executions%s\n' "$1" "$(executions "$log")" "$([ $status = 0 ] || echo '  FAILED')"
    if [ $status = 0 ]; then
        rm -rf "$build/crashes/$1" # of child processes, if any
        return
    fi
    grep -E -A12 'ERROR:|runtime error|does not hold|SUMMARY' "$log" | tail -n 40 >&2
    say "$1: failed; the input: $(ls -t "$build/crashes/$1"/* 2>/dev/null | head -n 1), the log: $log"
    return 1
}

end_one() { # waits for one that runs
    wait -n || failed=1
    running=$((running - 1))
}

mkdir -p "$build/logs"
if [ $action = fuzz ]; then
    running=0 total=0
    for target in "${targets[@]}"; do # a core each
        if [ $running -ge "$(nproc)" ]; then end_one; fi
        fuzz_one "$target" &
        running=$((running + 1))
    done
    while [ $running -gt 0 ]; do end_one; done
    for target in "${targets[@]}"; do
        total=$((total + $(executions "$build/logs/$target.log")))
    done
    printf '%-20s %12d executions\n' total "$total"
else
    for target in "${targets[@]}"; do replay_one "$target"; done
fi
exit $failed
