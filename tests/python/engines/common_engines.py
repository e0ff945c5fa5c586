"""What the tests of engines share: rows in clusters, their codes, our own exhaustive answers."""
import tempfile
import unittest

import numpy as np

import faiss_lbh

N, D, NQ, K, NBITS = 3000, 24, 12, 10, 60  # not whole bytes
rng = np.random.default_rng(7)
label = rng.integers(0, 5, N)
spectrum = 1 / np.sqrt(np.arange(1, D + 1))
x = ((rng.normal(size=(N, D)) + 2 * rng.normal(size=(5, D))[label]) * spectrum).astype(np.float32)
queries = (x[:NQ] + rng.normal(size=(NQ, D)) * spectrum / 4).astype(np.float32)
ids = rng.permutation(5 * N)[:N].astype(np.int64)

enc = faiss_lbh.Encoder("sgh", NBITS, steps=300).fit(x)
codes, query_codes = enc.encode(x), enc.encode_queries(queries)
ours = faiss_lbh.HammingIndex(codes, ids)
place = {int(i): row for row, i in enumerate(ids)}


def hamming(some, query):
    return np.unpackbits(some ^ query, axis=-1).sum(-1)


class Engine(unittest.TestCase):
    """Comparisons with the exhaustive answer."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.there = scratch.name

    def same(self, found, k=K, keep=None):
        """Exactly the k nearest: the distances are ours, each is that of its id, and no id comes twice."""
        chosen = np.ones(N, bool) if keep is None else keep
        exact = faiss_lbh.HammingIndex(codes[chosen], ids[chosen]).search(query_codes, k)[0]
        distances, named = found[:2]
        np.testing.assert_array_equal(distances, exact)
        for q, row in enumerate(named):
            self.assertEqual(len(set(row.tolist())), k)
            rows = [place[int(i)] for i in row]
            self.assertTrue(chosen[rows].all())
            np.testing.assert_array_equal(hamming(codes[rows], query_codes[q]), distances[q])

    def recall(self, found, k=K):
        """The share of answers as near as the exact k-th."""
        exact = ours.search(query_codes, k)[0][:, -1:]
        for q, row in enumerate(found[1]):
            np.testing.assert_array_equal(hamming(codes[[place[int(i)] for i in row]], query_codes[q]), found[0][q])
        return float((found[0] <= exact).mean())


def by_vectors(candidates, k=K):
    """(squared distances, ids) of candidates (nq, m) of ids, ranked by their vectors."""
    rows = np.vectorize(place.get)(candidates)
    distances = ((x[rows].astype(np.float64) - queries[:, None]) ** 2).sum(2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(candidates, order, 1)
