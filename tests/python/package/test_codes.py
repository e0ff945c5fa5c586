"""Search over ready codes, against counting bits."""
import os
import threading
import unittest

from common import directory, faiss, faiss_lbh, hamming, nearest, np, rng

N, NQ, SIZE, K = 3000, 20, 8, 9
codes = rng.integers(0, 256, (N, SIZE), np.uint8)
codes[1500:] = codes[:1500] ^ (1 << rng.integers(0, 8, (1500, 1))).astype(np.uint8) * (rng.random((1500, SIZE)) < .3)
queries = codes[:NQ] ^ 1
ids = rng.permutation(5 * N)[:N]
DISTANCES = hamming(queries, codes)


class Codes(unittest.TestCase):
    def check(self, index, names=None):
        names = np.arange(N) if names is None else names
        order = np.argsort(names)
        exact, places = nearest(DISTANCES[:, order], K)
        distances, found = index.search(queries, K)
        np.testing.assert_array_equal(distances, exact)
        np.testing.assert_array_equal(found, names[order][places])
        self.assertEqual((distances.dtype, found.dtype, len(index), index.code_size),
                         (np.int32, np.int64, N, SIZE))
        np.testing.assert_array_equal(index.search(queries[2], K)[1], found[2])
        lims, distances, found = index.range_search(queries, 12)
        for i in range(NQ):
            np.testing.assert_array_equal(np.sort(found[lims[i]:lims[i + 1]]),
                                          np.sort(names[DISTANCES[i] < 12]))
        self.assertIn("3000 codes", repr(index))
        self.assertRaises(ValueError, index.search, queries[:, :3], K)
        self.assertRaises(ValueError, index.search, queries, 0)

    def test_hamming(self):
        self.check(faiss_lbh.HammingIndex(codes))
        self.check(faiss_lbh.HammingIndex(codes, ids), ids)
        self.check(faiss_lbh.HammingIndex(np.asfortranarray(codes)))
        kept = faiss_lbh.HammingIndex(codes)
        self.assertTrue(np.shares_memory(kept.codes, codes))
        self.assertRaises(ValueError, faiss_lbh.HammingIndex, codes.astype(np.float32))
        self.assertRaises(ValueError, faiss_lbh.HammingIndex, codes, ids[:-1])

    def test_one_query_in_every_form(self):
        """The short way and the general one give the same, and refuse the same."""
        wide = np.repeat(queries, 2, axis=1)
        readonly = queries.copy()
        readonly.flags.writeable = False
        for names in None, ids:
            index = faiss_lbh.HammingIndex(codes, names)
            exact = index.search(queries, K)
            for i in range(NQ):
                for query in queries[i], readonly[i], wide[i, ::2], np.asfortranarray(queries)[i]:
                    for k in K, np.int64(K):
                        distances, found = index.search(query, k)
                        self.assertEqual((distances.dtype, found.dtype, found.shape), (np.int32, np.int64, (K,)))
                        np.testing.assert_array_equal(distances, exact[0][i])
                        np.testing.assert_array_equal(found, exact[1][i])
            for query, k in ((queries[0, :3], K), (queries[0], 0), (queries[0], -1), (queries[0], 2.5),
                             (queries[0].astype(np.int64), K), (queries[0].astype(np.int8), K)):
                self.assertRaises(ValueError, index.search, query, k)
            self.assertEqual(index.search(queries[0], N + 5)[1][-5:].tolist(), [-1] * 5)
        self.assertEqual(faiss_lbh.HammingIndex(codes[:0]).search(queries[0], 2)[1].tolist(), [-1, -1])
        before = faiss_lbh.get_num_threads()
        try:
            faiss_lbh.set_num_threads(before + 1)
            seen = []
            thread = threading.Thread(target=lambda: (faiss_lbh.HammingIndex(codes).search(queries[0], 1),
                                                      seen.append(faiss_lbh._lib.plugin.lbh_num_threads())))
            thread.start()
            thread.join()
            self.assertEqual(seen, [before + 1])
        finally:
            faiss_lbh.set_num_threads(before)

    def test_multi_index_hash(self):
        self.check(faiss_lbh.MultiIndexHash(codes))
        self.check(faiss_lbh.MultiIndexHash(codes, ids), ids)
        index = faiss_lbh.MultiIndexHash(codes[:1000], substrings=4).add(codes[1000:])
        self.check(index)
        self.assertGreater(index.stats["queries"], NQ)
        self.assertGreater(index.nbytes, codes.nbytes)
        with directory() as there:
            path = os.path.join(there, "x.mih")
            index.save(path)
            self.check(faiss_lbh.MultiIndexHash.load(path, verify=True))
            with open(path, "r+b") as file:
                file.seek(4000)
                file.write(b"\xff\x00\xff")
            self.assertRaises(faiss_lbh.FileError, faiss_lbh.MultiIndexHash.load, path, verify=True)
        self.assertRaises(ValueError, faiss_lbh.MultiIndexHash, codes, -ids - 1)

    @unittest.skipUnless(faiss, "no Python FAISS here")
    def test_accelerate(self):
        flat = faiss.IndexBinaryFlat(8 * SIZE)
        fast = faiss_lbh.accelerate(flat)
        self.assertTrue((fast.search(queries, K)[1] == -1).all())
        flat.add(codes[:1000])
        fast.search(queries, K)
        flat.add(codes[1000:])  # moves its memory
        exact, places = nearest(DISTANCES, K)
        distances, found = fast.search(queries, K)
        np.testing.assert_array_equal(distances, exact)
        np.testing.assert_array_equal(found, places)
        ivf = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(8 * SIZE), 8 * SIZE, 16)
        fast = faiss_lbh.accelerate(ivf)
        self.assertRaises(faiss_lbh.NotTrained, fast.search, queries, K)
        ivf.train(codes)
        ivf.add_with_ids(codes, ids)
        for nprobe in 1, 4, 16:
            ivf.nprobe = nprobe
            np.testing.assert_array_equal(fast.search(queries, K)[0], ivf.search(queries, K)[0])
            lims, distances, found = fast.range_search(queries, 12)
            theirs = ivf.range_search(queries, 12)
            np.testing.assert_array_equal(lims, theirs[0])
            for i in range(NQ):
                np.testing.assert_array_equal(np.sort(found[lims[i]:lims[i + 1]]),
                                              np.sort(theirs[2][lims[i]:lims[i + 1]]))
        np.testing.assert_array_equal(fast.search(queries[0], 1)[1], fast.search(queries, 1)[1][0])
        self.assertIn("3000 codes", repr(fast))
        self.assertRaises(TypeError, faiss_lbh.accelerate, faiss.IndexBinaryHNSW(64, 8))

    def test_embeddings(self):
        embeddings = rng.normal(size=(500, 64)).astype(np.float32)
        np.testing.assert_array_equal(faiss_lbh.quantize(embeddings), np.packbits(embeddings > 0, axis=1))
        np.testing.assert_array_equal(faiss_lbh.quantize(embeddings, "binary"),
                                      (np.packbits(embeddings > 0, axis=1).astype(int) - 128).astype(np.int8))
        np.testing.assert_array_equal(faiss_lbh.quantize(embeddings, bit_order="lsb"),
                                      np.packbits(embeddings > 0, axis=1, bitorder="little"))
        enc = faiss_lbh.Encoder("itq", 32).fit(embeddings)
        np.testing.assert_array_equal(faiss_lbh.quantize(embeddings, encoder=enc, bit_order="lsb"),
                                      enc.encode(embeddings))
        self.assertRaises(ValueError, faiss_lbh.quantize, embeddings, "int8")
        self.assertRaises(ValueError, faiss_lbh.quantize, embeddings, bit_order="big")
        unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        for score, products in ("cos", unit[:7] @ unit.T), ("dot", embeddings[:7] @ embeddings.T):
            hits = faiss_lbh.semantic_search(embeddings[:7], embeddings, top_k=4, score=score, nbits=64, k_factor=200)
            for q, row in enumerate(hits):
                best = np.argsort(-products[q])[:4]
                self.assertEqual([hit["corpus_id"] for hit in row], best.tolist())
                np.testing.assert_allclose([hit["score"] for hit in row], products[q][best], rtol=1e-4)
        index = faiss_lbh.Index("ITQ64,BFlat,RFlat").train(unit).add(unit)
        hits = faiss_lbh.semantic_search(embeddings[3], index, top_k=2)
        self.assertEqual(hits[0][0]["corpus_id"], 3)
        self.assertAlmostEqual(hits[0][0]["score"], 1, places=4)


if __name__ == "__main__":
    unittest.main()
