#!/bin/bash
# test_errors.sh LBH: every mistake gives one line, the right exit code, and no file.
set -u
lbh=$1
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export OMP_WAIT_POLICY=passive
base=synthetic:n=500,d=16,queries=10,clusters=4
bad=0

# expect CODE TEXT COMMAND...: exit code, one line on stderr that begins "lbh: " and holds TEXT, no
# new file.
expect() {
    local code=$1 text=$2 got before
    shift 2
    before=$(ls -A)
    "$lbh" "$@" >/dev/null 2>.err
    got=$?
    if [ $got != "$code" ] || [ "$(wc -l <.err)" != 1 ] || ! grep -q "^lbh: .*$text" .err ||
        [ "$before" != "$(ls -A)" ]; then
        echo "lbh $*: exit code $got (want $code), stderr (want one line with '$text'):"
        cat .err
        bad=1
    fi
}
touch .err
"$lbh" train --method lsh --nbits 16 --base $base -o m.lbh >/dev/null || exit 1
"$lbh" build --model m.lbh --base $base -o i.faiss >/dev/null || exit 1

# usage
expect 2 'command is missing'
expect 2 'unknown command' frobnicate
expect 2 '--method is missing' train --nbits 8 --base $base -o x
expect 2 'unknown' train --frob
expect 2 'between 1 and 4096' train --method lsh --nbits 0 --base $base -o x
expect 2 'not a whole number' train --method lsh --nbits 8.5 --base $base -o x
expect 2 'nosuch' train --method nosuch --nbits 8 --base $base -o x
expect 2 'nosuch' train --method lsh --nbits 8 --base $base --set nosuch=1 -o x
expect 2 'seed' train --method lsh --nbits 8 --base $base --set seed=-1 -o x
expect 2 'too many' info a b
expect 2 'missing' info
expect 2 'none of l2' eval --model m.lbh --base $base --metric l3
expect 2 'written as' encode --model m.lbh --input $base -o x.txt
expect 2 'written as' search --model m.lbh --index i.faiss --query $base -o x.bvecs
expect 2 'nprobe' search --model m.lbh --index i.faiss --query $base --set nprobe=3 -o x.ivecs
expect 2 'BNope' build --model m.lbh --base $base --index BNope -o x
expect 2 'neither a method' compare --base $base --methods nope
expect 2 'query is missing' compare --base x.fvecs
expect 2 'unknown kind' encode --model m.lbh --input x.csv -o x.npy
expect 2 'rows' encode --model m.lbh --input "$base@499:501" -o x.npy

# data
printf '' >empty.fvecs
head -c 1000 /dev/zero >zero.fvecs
printf '\002\000\000\000\000\000\200\077' >cut.fvecs
printf '\001\000\000\000\000\000\300\177\001\000\000\000\000\000\200\077' >nan.fvecs
printf '\001\000\000\000\000\000\200\177\001\000\000\000\000\000\200\077' >inf.fvecs
printf '\001\000\000\000\000\000\000\077\001\000\000\000\000\000\200\077' >one.fvecs
for f in empty:empty zero:dimension cut:'cut off' nan:'row 0 holds a NaN' inf:'row 0 holds'; do
    expect 1 "${f#*:}" train --method lsh --nbits 8 --base "${f%%:*}.fvecs" -o x
    expect 1 "${f#*:}" compare --base "${f%%:*}.fvecs" --query one.fvecs --nbits 8 --methods lsh
done
expect 2 'query-labels' compare --base one.fvecs --query one.fvecs --nbits 8 --methods lsh --metric label
expect 1 'No such file' train --method lsh --nbits 8 --base absent.fvecs -o x
expect 1 'dimension 1, the model is for dimension 16' encode --model m.lbh --input one.fvecs -o x.npy
expect 1 'dimension' eval --model m.lbh --base $base --query one.fvecs
expect 1 'dimension' compare --base $base --query one.fvecs --methods lsh
expect 1 'labels for 500 rows' train --method lsh --nbits 8 --base "$base@0:400" --labels $base -o x
size=$(wc -c <m.lbh)
for at in 0 1 4 63 64 100 $((size / 2)) $((size - 1)); do
    head -c $at m.lbh >cut.lbh
    expect 1 . info cut.lbh
    expect 1 . encode --model cut.lbh --input $base -o x.npy
done
head -c 40 i.faiss >cut.faiss
expect 1 . search --model m.lbh --index cut.faiss --query $base -o x.ivecs
expect 1 . search --model m.lbh --index m.lbh --query $base -o x.ivecs

# places that cannot be written
expect 1 'nodir' train --method lsh --nbits 8 --base $base -o nodir/x
expect 1 'directory' train --method lsh --nbits 8 --base $base -o .
long=$(printf 'a%.0s' {1..260})
for f in '-o' '-o y --checkpoint'; do # before the training, which would take for ever
    # shellcheck disable=SC2086
    expect 1 'too long' train --method sgh --set steps=1000000000 --nbits 8 --base $base $f $long
done
expect 1 'too long' encode --model m.lbh --input $base -o "$long.npy"
expect 1 'too long' build --model m.lbh --base $base -o "$long"
expect 1 'too long' search --model m.lbh --index i.faiss --query $base -o x.npy --distances "$long.npy"
expect 1 'too long' export --model m.lbh --format faiss-lsh -o "$long"
expect 1 'too long' eval --model m.lbh --base $base --pr "$long.csv"
expect 1 'too long' curve --base $base --methods lsh -b 8 -o "$long.svg"
expect 1 'not a regular file' train --method lsh --nbits 8 --base $base -o /dev/full
ln -s /dev/full full.npy
expect 1 'No space left' encode --model m.lbh --input $base -o full.npy
if [ "$(id -u)" != 0 ]; then
    mkdir locked && chmod a-w locked
    expect 1 'ermission' encode --model m.lbh --input $base -o locked/x.npy
fi

# a full disk, and a full stdout
(ulimit -f 1 && "$lbh" encode --model m.lbh --input "synthetic:n=20000,d=16" -o big.npy) \
    >/dev/null 2>.err
[ $? = 1 ] && grep -q '^lbh: .*big.npy' .err && ! ls | grep -q big ||
    { echo "file size limit:"; cat .err; ls; bad=1; }
for c in "methods" "--help" "info m.lbh" "info m.lbh --json" "train --help" \
    "eval --model m.lbh --base $base" "compare --base $base --nbits 8 --methods lsh"; do
    # shellcheck disable=SC2086
    "$lbh" $c >/dev/full 2>.err
    [ $? = 1 ] && grep -q '^lbh: cannot write to standard output' .err ||
        { echo "lbh $c >/dev/full:"; cat .err; bad=1; }
done
exit $bad
