"""Indexes: against NumPy, in files, bytes and pickles, beside FAISS."""
import copy
import os
import pickle
import subprocess
import threading
import unittest

from common import COMMAND, D, N, directory, faiss, faiss_lbh, hamming, label, nearest, np, rng, x

Q, K = x[:30] + np.float32(0.01), 7
KINDS = {"BFlat": {}, "BIVF16": {"nprobe": 16}, "BHash6": {"nflip": 6}, "BHash3x5": {"nflip": 5},
         "IDMap2,BFlat": {}}


class Searching(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.enc = faiss_lbh.Encoder("itq", 24).fit(x)
        cls.codes = cls.enc.encode(x)
        cls.distances = hamming(cls.enc.encode_queries(Q), cls.codes)

    def made(self, kind, n=N, **more):
        return faiss_lbh.Index(self.enc, kind, **more).train(x).add(x[:n])

    def same_ids(self, got, ids, exact, kind):
        """Of codes at the last distance any will do in FAISS's hash kinds, and in this order in all."""
        sure = exact < exact[:, -1:] if "BHash" in kind else np.ones(exact.shape, bool)
        np.testing.assert_array_equal(got[sure], ids[sure], kind)
        for i in range(len(got)):
            np.testing.assert_array_equal(self.distances[i][got[i]], exact[i])

    def test_hamming(self):
        exact, ids = nearest(self.distances, K)
        for kind, parameters in KINDS.items():
            index = self.made(kind, **parameters)
            got = index.search(Q, K)
            np.testing.assert_array_equal(got[0], exact, kind)
            self.same_ids(got[1], ids, exact, kind)
            self.assertEqual((got[0].dtype, got[1].dtype), (np.float32, np.int64))
            one = index.search(Q[3], K)
            np.testing.assert_array_equal(one[1], got[1][3])
            self.assertEqual((len(index), index.d, index.is_trained), (N, D, True))
        got = self.made("BHNSW16", efSearch=100).search(Q, K)
        np.testing.assert_array_equal(np.take_along_axis(self.distances, got[1], 1), got[0])

    def test_floats(self):
        exact, ids = nearest(((Q[:, None] - x[None]).astype(np.float64) ** 2).sum(2), K)
        got = self.made("BFlat,RFlat", k_factor=N).search(Q, K)
        np.testing.assert_array_equal(got[1], ids)
        np.testing.assert_allclose(got[0], exact, rtol=1e-3, atol=1e-4)
        products = -(Q.astype(np.float64) @ x.T)
        index = faiss_lbh.Index(self.enc, "BFlat,RFlat", metric="ip", k_factor=N).train(x).add(x)
        got = index.search(Q, K)
        np.testing.assert_allclose(-got[0], nearest(products, K)[0], rtol=1e-3, atol=1e-3)

        unit = lambda y: y / np.linalg.norm(y, axis=1, keepdims=True)  # noqa: E731
        angles = -(unit(Q.astype(np.float64)) @ unit(x.astype(np.float64)).T)
        for index in (faiss_lbh.Index("ITQ24,BFlat,RFlat", metric="cosine", k_factor=N),
                      faiss_lbh.Index(faiss_lbh.Encoder("itq", 24, metric="cosine"), "BFlat,RFlat", k_factor=N)):
            got = index.train(x).add(x).search(Q, K)
            np.testing.assert_allclose(-got[0], nearest(angles, K)[0], rtol=1e-4, atol=1e-5)
            self.assertEqual(index.metric, "cosine")

    def test_one_string_trains_itself(self):
        index = faiss_lbh.Index("ITQ24,BIVF16,RFlat", nprobe=16)
        self.assertIn("not trained", repr(index))
        with self.assertRaisesRegex(faiss_lbh.NotTrained, "train"):
            index.add(x)
        index.train(x.astype(np.float64)).add(x.tolist())
        self.assertEqual((index.nprobe, index.encoder.digest), (16, self.enc.digest))
        again = faiss_lbh.Index("ITQ24,BIVF16,RFlat", d=D, nprobe=16)
        again.train(x).add(x)
        np.testing.assert_array_equal(again.search(Q, K)[1], index.search(Q, K)[1])

    def test_training(self):
        """The index hands on what the encoder's training takes: labels, neighbours, progress, a checkpoint."""
        def pair(method, *arguments, **options):
            text = ",".join(f"{name}={value}" for name, value in options.items())
            index = faiss_lbh.Index(f"{method.upper()}16({text}),BFlat").train(x, *arguments)
            self.assertEqual(index.encoder.digest,
                             faiss_lbh.Encoder(method, 16, **options).train(x, *arguments).digest)
            return index.encoder.digest
        self.assertNotEqual(pair("jmlh", label, steps=20), pair("jmlh", (label + np.arange(N)) % 5, steps=20))
        self.assertEqual(len({pair("sgh", None, [[(i + step) % N] for i in range(N)], steps=20, pairs="neighbours")
                              for step in (5, 6)}), 2)
        for make in (lambda: faiss_lbh.Index("SGH16(steps=60),BFlat"),
                     lambda: faiss_lbh.Index(faiss_lbh.Encoder("sgh", 16, steps=60), "BFlat")):
            seen, index = [], make()
            whole = make().train(x, progress=lambda *a: seen.append(a)).encoder.digest
            self.assertEqual((seen[-1][0], seen[-1][1]), ("sgh", seen[-1][2]))
            with directory() as there:
                path = os.path.join(there, "state")
                with self.assertRaises(faiss_lbh.Cancelled):
                    index.train(x, checkpoint=path, seconds=0, progress=lambda what, step, *_: step >= 20)
                self.assertFalse(index.is_trained)
                self.assertTrue(os.path.exists(path))
                self.assertEqual(index.train(x, checkpoint=path).encoder.digest, whole)

    def test_filters(self):
        allowed = rng.random(N) < .3
        masked = np.where(allowed[None], self.distances, 1000)
        exact, ids = nearest(masked, K)
        for kind, parameters in KINDS.items():
            index = self.made(kind, **parameters)
            for one in (allowed, np.flatnonzero(allowed), np.flatnonzero(allowed)[::-1].tolist(),
                        lambda i: allowed[i]):
                got = index.search(Q, K, filter=one)
                np.testing.assert_array_equal(got[0], exact, kind)
                self.same_ids(got[1], ids, exact, kind)
                self.assertTrue(allowed[got[1]].all())
        few = self.made("BFlat").search(Q, K, filter=[4, 5])[1]
        self.assertEqual(set(few.ravel()), {4, 5, -1})
        vectors = self.made("BFlat,RFlat", k_factor=N).search(Q, K, filter=allowed)[1]
        true = ((Q[:, None] - x[None]).astype(np.float64) ** 2).sum(2)
        np.testing.assert_array_equal(vectors, nearest(np.where(allowed[None], true, 1e9), K)[1])

        def broken(i):
            raise KeyError("mine")
        with self.assertRaisesRegex(KeyError, "mine"):
            self.made("BFlat").search(Q, K, filter=broken)
        with self.assertRaisesRegex(ValueError, "filter"):
            self.made("BFlat").search(Q, K, filter=[.5])

    def test_range(self):
        for kind, parameters in KINDS.items():
            index = self.made(kind, **parameters)
            for radius in 1, 5:  # there are codes at 1, and none from 2 to 5
                lims, distances, ids = index.range_search(Q, radius)
                for i in range(len(Q)):
                    found = np.flatnonzero(self.distances[i] < radius)
                    np.testing.assert_array_equal(np.sort(ids[lims[i]:lims[i + 1]]), found)
            even = index.range_search(Q, 5, filter=np.arange(N) % 2 == 0)
            for other in (lambda i: i % 2 == 0, np.arange(0, N, 2)):
                for a, b in zip(even, index.range_search(Q, 5, filter=other)):
                    np.testing.assert_array_equal(a, b)
            self.assertEqual(int((ids % 2 == 0).sum()), len(even[2]))

    def test_ids(self):
        ids = rng.permutation(10 * N)[:N]
        index = faiss_lbh.Index(self.enc, "IDMap2,BFlat,RFlat", k_factor=N).train(x).add(x, ids=ids)
        self.assertEqual(index.search(x[5], 1)[1][0], ids[5])
        np.testing.assert_array_equal(index.reconstruct(ids[[3, 1]]), x[[3, 1]])
        np.testing.assert_array_equal(index.reconstruct(int(ids[3])), x[3])
        self.assertEqual(index.remove_ids(ids[:10]), 10)
        self.assertEqual((len(index), index.remove_ids([])), (N - 10, 0))
        self.assertEqual(index.remove_ids(int(ids[10])), 1)
        with self.assertRaises(ValueError):
            index.reconstruct(ids[0])
        with self.assertRaisesRegex(ValueError, "already|twice|there"):
            index.add_with_ids(x[:3], [ids[20], 10 ** 9, 10 ** 9 + 1])
        self.assertEqual(len(index), N - 11)
        index.add(x[:1])
        self.assertEqual(index.search(x[0], 1)[1][0], ids.max() + 1)
        self.assertEqual(len(index.reset()), 0)
        index.add(x)
        self.assertEqual(index.search(x[9], 1)[1][0], 9)
        with self.assertRaisesRegex(faiss_lbh.Error, "ids"):
            self.made("BFlat").add(x[:2], ids=[7, 8])
        with self.assertRaisesRegex(ValueError, "ids"):
            index.add(x[:2], ids=[1.5, 2])
        decoded = self.made("BFlat").reconstruct([2, 4])
        np.testing.assert_array_equal(decoded, self.enc.decode(self.codes[[2, 4]]))

    def test_parameters(self):
        index = self.made("BIVF16,RFlat")
        self.assertEqual((index.nprobe, index.rescore, index.k_factor), (1, "float", 10))
        index.nprobe = 4
        self.assertEqual(index.parameters["nprobe"], 4)
        all_ = index.search(Q, K, nprobe=16, rescore="none")[0]
        np.testing.assert_array_equal(all_, nearest(self.distances, K)[0])
        self.assertEqual((index.nprobe, index.rescore), (4, "float"))
        self.assertIn("nprobe", dir(index))
        with self.assertRaisesRegex(ValueError, "within 1..16"):
            index.nprobe = 17
        with self.assertRaisesRegex(ValueError, "rescore"):
            index.set(rescore="all")
        with self.assertRaisesRegex(ValueError, "nprob"):
            index.search(Q, K, nprob=3)
        for name in "nprob", "ntotal", "_secret":
            with self.assertRaises(AttributeError):
                setattr(index, name, 3)
        with self.assertRaises(AttributeError):
            index.efSearch
        self.assertEqual(index.set(rescore="margin", k_factor=2.5).parameters["k_factor"], 2.5)

    def test_files(self):
        index = self.made("BIVF16,RFlat", nprobe=3, rescore="margin")
        expected = index.search(Q, K)
        with directory() as there:
            path = os.path.join(there, "i.lbhp")
            index.save(path)
            loaded = faiss_lbh.Index.load(path)
            loaded.nprobe = 3
            mapped = faiss_lbh.Index.load(path, mmap=True)
            mapped.nprobe = 3
            for twin in loaded, mapped:
                for a, b in zip(expected, twin.search(Q, K)):
                    np.testing.assert_array_equal(a, b)
            with self.assertRaises(faiss_lbh.Error):
                mapped.add(x[:1])
            with self.assertRaises(faiss_lbh.FileError):
                faiss_lbh.Index.load(os.path.join(there, "absent"))
        index.set(max_codes=900)  # which FAISS does not write
        expected = index.search(Q, K)
        for twin in (pickle.loads(pickle.dumps(index)), copy.copy(index), copy.deepcopy(index)):
            self.assertEqual((twin.parameters, repr(twin)), (index.parameters, repr(index).replace("'BIVF", "'BIVF")))
            for a, b in zip(expected, twin.search(Q, K)):
                np.testing.assert_array_equal(a, b)
        for untrained in (faiss_lbh.Index("ITQ16,BFlat", nflip=3), faiss_lbh.Index("ITQ16,BFlat", d=D),
                          faiss_lbh.Index(faiss_lbh.Encoder("itq", 16), "BFlat")):
            self.assertEqual(repr(pickle.loads(pickle.dumps(untrained))), repr(untrained))
        self.assertEqual(len(faiss_lbh.Index.from_bytes(index.to_bytes())), N)
        self.assertRaises(faiss_lbh.FileError, faiss_lbh.Index.from_bytes, index.to_bytes()[:-1])

    @unittest.skipUnless(COMMAND, "no lbh command here")
    def test_recall_is_the_commands(self):
        """The same data and seed: the same answers (the command holds rows out unless told otherwise)."""
        with directory() as there:
            at = lambda name: os.path.join(there, name)  # noqa: E731
            run = lambda *a: subprocess.run([COMMAND, *a], check=True, stdout=subprocess.DEVNULL)  # noqa: E731
            np.save(at("x.npy"), x)
            np.save(at("q.npy"), Q)
            run("train", "--method", "sgh", "--nbits", "32", "--base", at("x.npy"), "--set", "steps=100",
                "-o", at("m"))
            run("build", "--model", at("m"), "--base", at("x.npy"), "--index", "BIVF16", "-o", at("i"))
            run("search", "--model", at("m"), "--index", at("i"), "--query", at("q.npy"), "-k", "10", "--set",
                "nprobe=4", "-o", at("ids.npy"))
            index = faiss_lbh.Index("SGH32(steps=100,held_out=-1),BIVF16").train(x).add(x)
            np.testing.assert_array_equal(index.search(Q, 10, nprobe=4)[1], np.load(at("ids.npy")))

    @unittest.skipUnless(faiss, "no Python FAISS here")
    def test_faiss(self):
        queries = self.enc.encode_queries(Q)
        for kind, parameters in {**KINDS, "BHNSW16": {"efSearch": 100}}.items():
            index = self.made(kind, **parameters)
            theirs = index.to_faiss()
            self.assertIsInstance(theirs, faiss.IndexBinary)
            np.testing.assert_array_equal(theirs.search(queries, K)[0], index.search(Q, K)[0], kind)
            back = faiss_lbh.Index.from_faiss(theirs, self.enc)
            back.set(**parameters)
            np.testing.assert_array_equal(back.search(Q, K)[1], index.search(Q, K)[1], kind)
            back.add(x[:5])
            self.assertEqual(len(back), N + 5)
        with self.assertRaises(ValueError):
            faiss_lbh.Index.from_faiss(faiss.IndexBinaryFlat(64), self.enc)

    def test_one_encoder_for_many(self):
        indexes = [self.made(kind) for kind in ("BFlat", "BIVF16", "BFlat,RFlat")]
        self.assertTrue(all(index.encoder is self.enc for index in indexes))
        other = faiss_lbh.Encoder("itq", 24).fit(x)
        index = faiss_lbh.Index(other, "BFlat").add(x)
        before = index.search(Q, K)
        other.fit(x[:, ::-1])  # what the index has stays what it was
        for a, b in zip(before, index.search(Q, K)):
            np.testing.assert_array_equal(a, b)
        fresh = faiss_lbh.Encoder("itq", 24)
        self.assertEqual(len(faiss_lbh.Index(fresh, "BFlat").train(x).add(x)), N)
        self.assertTrue(fresh.is_trained)

    def test_threads(self):
        """Searches at once, with parameters of their own."""
        index, wrong = self.made("BIVF16"), []
        expected = {n: index.search(Q, K, nprobe=n)[1] for n in (1, 4, 16)}

        def work(n):
            for _ in range(40):
                if not (index.search(Q, K, nprobe=n)[1] == expected[n]).all():
                    wrong.append(n)
        threads = [threading.Thread(target=work, args=(n,)) for n in expected]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_wrong_calls(self):
        for words, call in (("no method", lambda: faiss_lbh.Index("GAN64,BFlat")),
                            ("index", lambda: faiss_lbh.Index("SGH64,Flat")),
                            ("goes with", lambda: faiss_lbh.Index("SGH64,BFlat", "BFlat")),
                            ("metric", lambda: faiss_lbh.Index("SGH64,BFlat", metric="l1")),
                            ("at least 5000", lambda: faiss_lbh.Index(self.enc, "BIVF5000").train(x)),
                            ("expecting 24", lambda: self.made("BFlat").search(x[:, :5])),
                            ("k ", lambda: self.made("BFlat").search(Q, 0))):
            with self.assertRaisesRegex(ValueError, words):
                call()


if __name__ == "__main__":
    unittest.main()
