#!/usr/bin/env python3
"""test_python.py LBH: stock Python FAISS opens the index of `lbh build`, and searching it with the
codes of `lbh encode` gives the ids and distances of `lbh search`. Exit code 77 without FAISS."""
import os
import subprocess
import sys
import tempfile

try:
    import faiss
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

lbh = sys.argv[1]
K = 12


def run(*args):
    subprocess.run([lbh, *args], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "OMP_WAIT_POLICY": "passive"})


def by_distance_then_id(distances, ids):
    order = np.lexsort((ids, distances), axis=1)
    return np.take_along_axis(distances, order, 1), np.take_along_axis(ids, order, 1)


with tempfile.TemporaryDirectory() as d:
    os.chdir(d)
    rng = np.random.default_rng(5)
    base = (rng.normal(size=(4000, 40)) / np.arange(1, 41)).astype(np.float32)
    np.save("base.npy", base)
    np.save("query.npy", base[:60] + 0.01)
    for bits in "16", "64", "100":
        run("train", "--method", "itq", "--nbits", bits, "--base", "base.npy", "-o", "m.lbh")
        run("encode", "--model", "m.lbh", "--input", "base.npy", "-o", "b.npy")
        run("encode", "--model", "m.lbh", "--input", "query.npy", "--queries", "-o", "q.npy")
        codes, queries = np.load("b.npy"), np.load("q.npy")
        assert codes.dtype == np.uint8 and codes.shape == (4000, (int(bits) + 7) // 8)
        bit_sum = np.unpackbits(codes[:50, None] ^ queries[None], axis=2).sum(2)
        for kind in "BFlat", "BIVF16":
            run("build", "--model", "m.lbh", "--base", "base.npy", "--index", kind, "-o", "i")
            probe = ["--set", "nprobe=16"] if kind == "BIVF16" else []
            run("search", "--model", "m.lbh", "--index", "i", "--query", "query.npy", "-k", str(K),
                "-o", "ids.npy", "--distances", "d.npy", *probe)
            index = faiss.read_index_binary("i")
            assert index.ntotal == 4000 and index.d == 8 * codes.shape[1]
            if kind == "BIVF16":
                faiss.downcast_IndexBinary(index).nprobe = 16
            distances, ids = index.search(queries, 4000)
            distances, ids = by_distance_then_id(distances, ids)
            assert (distances[:, :K] == np.load("d.npy")).all(), (kind, bits)
            ours = np.load("ids.npy")
            assert ours.dtype == np.int64
            # below the last distance the answers must be the same; at it, any of the tied will do
            sure = distances[:, :K] < distances[:, K - 1:K]
            assert (ours == ids[:, :K])[sure].all(), (kind, bits)
            if kind == "BFlat":
                assert (ours == ids[:, :K]).all(), bits
            for q in range(60):
                for i, x in zip(ours[q], np.load("d.npy")[q]):
                    if i < 50:
                        assert bit_sum[i, q] == x
print("ok")
