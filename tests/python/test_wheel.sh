#!/usr/bin/env bash
# test_wheel.sh PYTHON DIRECTORY SOURCE LBH: builds the wheel and tests it as people get it: in clean
# environments, away from the source tree, with the oldest and a new Python where there are some (in pyenv's
# directory or on PATH), bare, and beside the newest faiss-cpu and scikit-learn; mypy reads the package (what `lbh`
# writes is opened by the newest FAISS in bench_export_newest). All is kept in DIRECTORY. Exit code 77 where PyPI cannot be
# reached: then nothing was tested.
set -euo pipefail
python=$1 directory=$2 source=$3 lbh=$4
unset LBH_LIBRARY PYTHONPATH LBH_COMMAND
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
mkdir -p "$directory"
cd "$directory"

install() { # environment package...
    local environment=$1
    shift
    timeout 600 "$environment/bin/pip" install --quiet --retries 1 --timeout 15 "$@" >>pip.log 2>&1
}

if [ ! -e probe/.complete ]; then
    rm -rf probe
    { "$python" -m venv probe >pip.log 2>&1 && install probe scikit-build-core; } || {
        echo "skipped: PyPI cannot be reached (see $directory/pip.log)"
        exit 77
    }
    touch probe/.complete
fi
PYTHON=$python "$source/scripts/python/build_wheel.sh" "$directory/wheel" >wheel.path
wheel=$(cat wheel.path)
echo "$(basename "$wheel"): $(stat -c %s "$wheel") bytes"

# The oldest Python that is promised, a new one, the system's.
pythons=("$python")
for version in 3.9 3.13; do
    found=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/$version.*/bin/python3 2>/dev/null | tail -n 1 || true)
    [ -n "$found" ] || found=$(command -v python$version || true)
    if [ -n "$found" ]; then pythons+=("$found"); else echo "no Python $version here"; fi
done

rm -rf tests
cp -r "$source/tests/python/package" tests
run() { # environment test...
    local environment=$PWD/$1 test
    shift
    for test; do
        (cd tests && LBH_COMMAND=$lbh OMP_WAIT_POLICY=passive "$environment/bin/python" "test_$test.py" --quiet) ||
            { echo "test_$test.py failed in $environment"; exit 1; }
    done
}

for p in "${pythons[@]}"; do
    name=$("$p" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    [ -e "$name/.complete" ] || { rm -rf "$name" && "$p" -m venv "$name"; }
    [ -e "$name/.complete" ] || install "$name" numpy
    install "$name" --no-index --no-deps --force-reinstall "$wheel"
    [ -e "$name/.complete" ] || { run "$name" encoder codes; touch "$name/.bare"; }
    [ -e "$name/.complete" ] || install "$name" faiss-cpu scikit-learn tqdm || echo "$name: no newest FAISS or scikit-learn"
    touch "$name/.complete"
    "$name/bin/python" -c 'import faiss_lbh, sys; assert sys.prefix in faiss_lbh.__file__; faiss_lbh.show_config()'
    run "$name" encoder index codes findings sklearn docs
done

# What the system's packages have: PyTorch, an older FAISS and scikit-learn.
[ -e system/.complete ] || { rm -rf system && "$python" -m venv --system-site-packages system && touch system/.complete; }
install system --no-index --no-deps --force-reinstall "$wheel"
run system torch sklearn docs

install probe mypy numpy
(cd "$source/scripts/python" && "$directory/probe/bin/mypy" --cache-dir "$directory/mypy" --python-executable \
    "$directory/probe/bin/python")
