#!/usr/bin/env bash
# test_newest_faiss.sh PYTHON DIRECTORY SOURCE LBH: the tests that want stock Python FAISS, with the
# newest faiss-cpu that pip finds, kept in DIRECTORY. Exit code 77 where pip can fetch none.
set -euo pipefail
python=$1 directory=$2 source=$3 lbh=$4

if [ ! -e "$directory/.complete" ]; then
    rm -rf "$directory"
    "$python" -m venv "$directory.venv" >"$directory.log" 2>&1 &&
        timeout 300 "$directory.venv/bin/pip" install --quiet --disable-pip-version-check \
            --retries 1 --timeout 15 --target "$directory" faiss-cpu >>"$directory.log" 2>&1 || {
        echo "skipped: faiss-cpu could not be fetched (see $directory.log)"
        exit 77
    }
    touch "$directory/.complete"
fi
"$python" "$source/tests/python/test_lbh.py" "$source/scripts/python" "$lbh" "$directory"
"$python" "$source/tests/bench/test_export.py" "$lbh" "$directory"
