#!/usr/bin/env bash
# test_wheel.sh PYTHON DIRECTORY SOURCE LBH: builds the wheel and tests it as people get it: in clean
# environments, away from the source tree. The newest Python here (in pyenv's directory or on PATH) runs all tests,
# beside the newest faiss-cpu and scikit-learn. The oldest that is promised runs what tells whether it can: the
# examples of all names and searches, with nothing but NumPy; the system's Python, beside its PyTorch, an export.
# With LBH_TEST_ALL=1 all tests run in each, bare and beside the others. mypy reads the package (what `lbh`
# writes is opened by the newest FAISS in bench_export_newest). All is kept in DIRECTORY. Exit code 77 where PyPI cannot be reached: then nothing was tested.
set -euo pipefail
python=$1 directory=$2 source=$3 lbh=$4
unset LBH_LIBRARY PYTHONPATH LBH_COMMAND
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
all="encoder index codes findings sklearn docs"
mkdir -p "$directory"
cd "$directory"

install() { # environment package...: by the pip of probe
    local environment=$1
    shift
    timeout 600 probe/bin/pip --python "$environment/bin/python" install --quiet --no-compile --retries 1 --timeout 15 \
        "$@" >>pip.log 2>&1
}

if [ ! -e probe/.complete ]; then
    rm -rf probe
    { "$python" -m venv probe >pip.log 2>&1 && install probe "pip>=24.1,<26"; } || {
        echo "skipped: PyPI cannot be reached (see $directory/pip.log)"
        exit 77
    }
    touch probe/.complete
fi
PYTHON=$python "$source/scripts/python/build_wheel.sh" "$directory/wheel" >wheel.path
wheel=$(cat wheel.path)
echo "$(basename "$wheel"): $(stat -c %s "$wheel") bytes, after $SECONDS s"

rm -rf tests
cp -r "$source/tests/python/package" tests
run() { # environment test[.case]...
    local environment=$PWD/$1 test
    shift
    for test; do
        (cd tests && LBH_COMMAND=$lbh OMP_WAIT_POLICY=passive "$environment/bin/python" "test_${test%%.*}.py" --quiet \
            $([ "$test" = "${test#*.}" ] || echo "${test#*.}")) ||
            { echo "test_$test failed in $environment"; exit 1; }
    done
}

environment() { # name python [option of venv]: made where there is none; the wheel in it
    [ -e "$1/.venv" ] || { rm -rf "$1" && "$2" -m venv --without-pip ${3:-} "$1" && touch "$1/.venv"; }
    [ -n "${3:-}" ] || [ -e "$1/.numpy" ] || { install "$1" numpy && touch "$1/.numpy"; }
    install "$1" --no-index --no-deps --force-reinstall "$wheel"
}

beside() { # name: faiss-cpu and the others in it
    [ -e "$1/.complete" ] || install "$1" faiss-cpu scikit-learn tqdm || echo "$1: no newest FAISS or scikit-learn"
    touch "$1/.complete"
}

for version in 3.9 3.13; do
    found=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/$version.*/bin/python3 2>/dev/null | tail -n 1 || true)
    [ -n "$found" ] || found=$(command -v python$version || true)
    [ -n "$found" ] || { echo "no Python $version here"; continue; }
    name=python$version
    environment $name "$found"
    "$name/bin/python" -c 'import faiss_lbh, sys; assert sys.prefix in faiss_lbh.__file__; faiss_lbh.show_config()'
    if [ -n "${LBH_TEST_ALL:-}" ]; then
        [ -e $name/.complete ] || run $name $all # bare
        beside $name
        run $name $all
    elif [ $version = 3.9 ]; then
        run $name codes docs
    else
        beside $name
        run $name $all
    fi
    echo "Python $version after $SECONDS s"
done

# What the system's packages have: PyTorch, an older FAISS and scikit-learn.
environment system "$python" --system-site-packages
run system torch.EndToEnd.test_sgh_and_its_decoder ${LBH_TEST_ALL:+torch $all}

[ -e probe/.mypy ] || { install probe mypy numpy && touch probe/.mypy; }
(cd "$source/scripts/python" && "$directory/probe/bin/mypy" --cache-dir "$directory/mypy" --python-executable \
    "$directory/probe/bin/python")
echo "all after $SECONDS s"
