#!/usr/bin/env python3
"""test_floors.py LBH: what the methods reach must not sink unseen. Floors of recall 10@100 and mAP for
each method and length, on four small sets that are made here and behave like digits, descriptors, word
vectors and sentence vectors; each lies a little below what was measured when it was written."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

lbh = os.path.abspath(sys.argv[1])
show = len(sys.argv) > 2  # prints what is reached, to set floors by
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"
N, NQ = 1500, 200


def digits(r, n):
    """Ten shapes, each bent by 8 numbers, as grey pixels between 0 and 255, most of them black."""
    shape, bend = r.normal(size=(10, 100)), r.normal(size=(10, 8, 100))
    kind, z = r.randint(0, 10, n), r.normal(size=(n, 8))
    x = 1.4 * shape[kind] + .5 * np.einsum("nk,nkd->nd", np.tanh(z), bend[kind]) - .8
    return np.clip(100 * x, 0, 255)


def descriptors(r, n):
    """Gradients at 16 places in 8 directions: few large ones, neighbours alike, cut off."""
    place, turn = r.gamma(.6, 1, (n, 16, 1)), r.dirichlet(np.full(8, .5), n)[:, None, :]
    x = place * (turn + .6 * r.gamma(.4, .3, (n, 16, 8)))
    x = x.reshape(n, 128) / np.linalg.norm(x.reshape(n, 128), axis=1)[:, None]
    return np.rint(np.minimum(512 * np.minimum(x, .3), 255))


def words(r, n):
    """Topics with a spectrum that falls, lengths from tenths to tens: inner products."""
    topic = r.normal(size=(60, 64)) / (1 + np.arange(64)) ** .3
    x = topic[r.randint(0, 60, n)] + .7 * r.normal(size=(n, 64)) / (1 + np.arange(64)) ** .3
    return x * np.exp(.7 * r.normal(size=(n, 1)))


def sentences(r, n):
    """Of length 1, in a cone around a common direction."""
    mean, mix = 3 * r.normal(size=96), r.normal(size=(20, 96))
    x = mean + r.laplace(size=(n, 20)) @ mix + .5 * r.normal(size=(n, 96))
    return x / np.linalg.norm(x, axis=1)[:, None]


SETS = {"digits": (digits, "l2"), "descriptors": (descriptors, "l2"), "words": (words, "ip"),
        "sentences": (sentences, "l2")}
METHODS = ["lsh", "itq", "sgh:steps=600", "sigah:steps=200"]
# set: {method: ((recall 10@100, mAP) at 32 bits, the same at 64)}
FLOORS = {
    "digits": {"lsh": ((0.943, 0.635), (0.983, 0.786)),
        "itq": ((0.969, 0.723), (0.984, 0.824)),
        "sgh": ((0.976, 0.747), (0.984, 0.820)),
        "sigah": ((0.980, 0.776), (0.985, 0.855))},
    "descriptors": {"lsh": ((0.525, 0.180), (0.743, 0.330)),
        "itq": ((0.777, 0.363), (0.897, 0.497)),
        "sgh": ((0.802, 0.376), (0.909, 0.517)),
        "sigah": ((0.790, 0.387), (0.917, 0.524))},
    "words": {"lsh": ((0.564, 0.221), (0.661, 0.306)),
        "itq": ((0.649, 0.324), (0.685, 0.348)),
        "sgh": ((0.790, 0.363), (0.901, 0.439)),
        "sigah": ((0.566, 0.282), (0.570, 0.288))},
    "sentences": {"lsh": ((0.691, 0.311), (0.860, 0.481)),
        "itq": ((0.828, 0.416), (0.924, 0.565)),
        "sgh": ((0.803, 0.414), (0.927, 0.564)),
        "sigah": ((0.829, 0.424), (0.930, 0.576))}}

failed = False
for name, (make, metric) in SETS.items():
    rows = make(np.random.RandomState(5), N + NQ).astype(np.float32)
    np.save("base.npy", rows[:N])
    np.save("query.npy", rows[N:])
    for place, bits in enumerate((32, 64)):
        done = subprocess.run([lbh, "compare", "-q", "--json", "-b", str(bits), "--base", "base.npy",
                               "--query", "query.npy", "--metric", metric, "--map-k", "50",
                               "--score", "hamming", "-m", ",".join(METHODS)],
                              capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)
        for method, row in zip(METHODS, json.loads(done.stdout)["rows"]):
            reached = row["recall"]["10@100"], row["map"]
            if show:
                print(name, bits, method, "%.3f %.3f" % reached, flush=True)
                continue
            floor = FLOORS[name][method.partition(":")[0]][place]
            for what, value, least in zip(("recall 10@100", "mAP"), reached, floor):
                if value < least:
                    print(f"{name}, {method}, {bits} bits: {what} {value:.3f}, not {least}")
                    failed = True
sys.exit(failed)
