"""What the tests of the package share: data, oracles, and what may be absent."""
import importlib.util
import os
import subprocess
import sys
import tempfile

import numpy as np

import faiss_lbh

try:
    import faiss
except ImportError:
    faiss = None
def there_is(module):
    """Whether it can be imported; those that take long to load are by the tests that are about them."""
    return importlib.util.find_spec(module) is not None


COMMAND = os.environ.get("LBH_COMMAND")  # the `lbh` command, where there is one

N, D = 2000, 24
rng = np.random.default_rng(7)
label = rng.integers(0, 5, N)
x = (rng.normal(size=(N, D)) / np.arange(1, D + 1) + 2 * rng.normal(size=(5, D))[label]).astype(np.float32)


def hamming(a, b):
    return np.unpackbits(a[:, None] ^ b[None], axis=2).sum(2, dtype=np.int32)


def nearest(scores, k):
    """(scores, ids) of the k least of each row, equal ones by rising id."""
    ids = np.argsort(scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, ids, 1), ids


def python(program, *arguments, **more):
    """Runs a program in a Python of its own; its output."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True,
                          timeout=120, **more)
    if done.returncode:
        raise AssertionError(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def directory():
    return tempfile.TemporaryDirectory()
