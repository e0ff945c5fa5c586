"""Encoders against NumPy, the command, and files."""
import copy
import os
import pickle
import subprocess
import unittest
from unittest import mock

from common import COMMAND, D, N, directory, faiss_lbh, hamming, label, np, rng, there_is, x


class Codes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.enc = faiss_lbh.Encoder("sgh", 32, steps=200, seed=5).train(x)

    def test_linear_codes(self):
        A, b = self.enc.linear()
        z = x.astype(np.float64) @ A.T + b
        self.assertEqual(A.shape, (32, D))
        np.testing.assert_allclose(self.enc.project(x), z, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(self.enc.project(x, queries=True), z, rtol=1e-4, atol=1e-4)
        sure = np.abs(z) > 1e-4
        bits = np.unpackbits(self.enc.encode(x), axis=1, bitorder="little")
        self.assertTrue((bits == (z >= 0))[sure].all())
        msb = self.enc.encode(x, bit_order="msb")
        self.assertTrue((np.packbits(bits, axis=1) == msb).all())
        self.assertTrue((faiss_lbh.reverse_bits(msb) == self.enc.encode(x)).all())
        self.assertTrue((self.enc.encode_queries(x) == self.enc.encode(x)).all())

    def test_decoder(self):
        U, c = self.enc.decoder()
        codes = self.enc.encode(x[:200])
        bits = np.unpackbits(codes, axis=1, bitorder="little")
        rebuilt = self.enc.decode(codes)
        np.testing.assert_allclose(rebuilt, bits @ U + c, rtol=1e-3, atol=1e-3)
        error = ((rebuilt - x[:200]) ** 2).sum()
        refined = self.enc.decode(self.enc.encode(x[:200], refine=50))
        self.assertLess(((refined - x[:200]) ** 2).sum(), error)
        distances, ids = self.enc.search_decoded(codes, x[:9], 4)
        expected = ((x[:9, None] - rebuilt[None]) ** 2).sum(2)
        np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :4], rtol=1e-3)
        one = self.enc.search_decoded(codes, x[0], 4)
        self.assertTrue((one[1] == ids[0]).all())
        best = self.enc.search_decoded(codes, x[:9], 1, metric="ip")[0][:, 0]
        np.testing.assert_allclose(best, (x[:9] @ rebuilt.T).max(1), rtol=1e-3, atol=1e-3)

    def test_pieces(self):
        """Between pieces Python looks for signals; they change nothing."""
        enc = faiss_lbh.Encoder("jmlh", 16, steps=10).train(x, label)
        codes, call = enc.encode(x), faiss_lbh._lib.call
        tasks = {"decode": lambda: self.enc.decode(self.enc.encode(x)), "class_scores": lambda: enc.class_scores(codes),
                 "classify": lambda: enc.classify(codes), "quantize": lambda: faiss_lbh.quantize(x)}
        whole = {name: task() for name, task in tasks.items()}
        with mock.patch.object(faiss_lbh._arrays, "_BLOCK_BYTES", 1000), \
                mock.patch.object(faiss_lbh._lib, "call", side_effect=call) as calls:
            for name, task in tasks.items():
                before = calls.call_count
                np.testing.assert_array_equal(task(), whole[name])
                self.assertEqual(calls.call_count - before > N // 200, name != "quantize", name)

    def test_any_array(self):
        codes = self.enc.encode(x)
        wide = np.zeros((N, 2 * D))
        wide[:, ::2] = x
        others = [x.astype(np.float64), np.asfortranarray(x), wide[:, ::2], x.tolist(),
                  np.ma.masked_array(x, np.zeros(x.shape, bool))]
        if there_is("torch"):
            import torch
            others += [torch.tensor(x), torch.tensor(x, requires_grad=True)]
            halves = torch.tensor(x).to(torch.bfloat16)
            self.assertTrue((self.enc.encode(halves) == self.enc.encode(halves.float())).all())
        for other in others:
            self.assertTrue((self.enc.encode(other) == codes).all())
        with directory() as there:
            path = os.path.join(there, "x")
            x.astype(np.float64).tofile(path)
            mapped = np.memmap(path, np.float64, "r", shape=(N, D))
            again = faiss_lbh.Encoder("sgh", 32, steps=200, seed=5).train(mapped)
            self.assertEqual(again.digest, self.enc.digest)
            self.assertTrue((again.encode(mapped) == codes).all())
        bytes_ = rng.integers(0, 256, (500, D)).astype(np.uint8)
        enc = faiss_lbh.Encoder("itq", 16).train(bytes_)
        self.assertTrue((enc.encode(bytes_) == enc.encode(bytes_.astype(np.float32))).all())
        self.assertTrue((enc.encode_queries(bytes_[::2]) == enc.encode(bytes_)[::2]).all())

    def test_files(self):
        with directory() as there:
            path = os.path.join(there, "m.lbh")
            self.enc.save(path)
            self.assertEqual(faiss_lbh.Encoder.load(path).digest, self.enc.digest)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), self.enc.to_bytes())
            with self.assertRaises(faiss_lbh.FileError) as caught:
                faiss_lbh.Encoder.load(os.path.join(there, "absent.lbh"))
            self.assertIn("absent.lbh", str(caught.exception))
            self.assertEqual(caught.exception.code, -3)
            self.assertIsInstance(caught.exception, OSError)
        for twin in pickle.loads(pickle.dumps(self.enc)), copy.copy(self.enc), copy.deepcopy(self.enc):
            self.assertEqual((twin.digest, twin.options), (self.enc.digest, self.enc.options))
            self.assertEqual(repr(twin), repr(self.enc))
        untrained = pickle.loads(pickle.dumps(faiss_lbh.Encoder("sgh", 16, steps=7)))
        self.assertEqual((untrained.is_trained, untrained.options["steps"]), (False, 7))
        self.assertIn("trained on 2000 rows", repr(self.enc))
        self.enc.notes["where"] = "here"
        again = faiss_lbh.Encoder.from_bytes(self.enc.to_bytes())
        self.assertEqual((again.notes["where"], again.notes.get("absent", "no")), ("here", "no"))
        self.enc.notes["where"] = None
        with self.assertRaises(KeyError):
            self.enc.notes["where"]

    @unittest.skipUnless(COMMAND, "no lbh command here")
    def test_as_the_command(self):
        with directory() as there:
            at = lambda name: os.path.join(there, name)  # noqa: E731
            self.enc.save(at("m.lbh"))
            np.save(at("x.npy"), x)
            subprocess.run([COMMAND, "encode", "--model", at("m.lbh"), "--input", at("x.npy"), "-o",
                            at("c.npy")], check=True, stdout=subprocess.DEVNULL)
            self.assertTrue((np.load(at("c.npy")) == self.enc.encode(x)).all())

    def test_label_arrays(self):
        """What numpy, scikit-learn and scipy make labels of: the same classes, or a refusal."""
        def learned(y):
            return faiss_lbh.Encoder("itq-cca", 16).train(x, y).encode(x).tobytes()
        one = np.eye(5, dtype=np.int64)[label]
        right = learned(label)
        for name, y in {
                "int32": label.astype(np.int32), "float64": label.astype(np.float64), "list": label.tolist(),
                "uint8": label.astype(np.uint8), "column": label[:, None], "lists": [[c] for c in label],
                "int 0/1": one, "bool": one.astype(bool), "float 0/1": one.astype(np.float32),
                "-1/1": 2 * one - 1, "int8 -1/1": (2 * one - 1).astype("i1"),
                "by columns": np.asfortranarray(one), "padded": np.stack([label, np.full(N, -1)], axis=1),
                "no mask": np.ma.masked_array(label)}.items():
            self.assertEqual(learned(y), right, name)
        for words, y in {
                "whole numbers": label + .5, "masked": np.ma.masked_equal(label, 2), "twice": one + 1,
                "behind -1": np.stack([np.full(N, -1), label], axis=1), "class -2": label - 2,
                "ids": np.stack([np.arange(N) + 100, label], axis=1), "unsigned": (one + 1).astype(np.uint16),
                "below 2": np.full(N, 2 ** 64 - 1, np.uint64), "shape": np.zeros((N, 2, 2), int),
                "are for 3 rows": [0, 1, 2]}.items():
            with self.assertRaisesRegex(ValueError, words):
                learned(y)
        try:
            import scipy.sparse as sparse
        except ImportError:
            return
        stored = sparse.csr_matrix((one.ravel(), np.tile(np.arange(5), N), np.arange(N + 1) * 5))
        self.assertEqual(stored.nnz, 5 * N)  # with its zeros
        for y in sparse.csr_matrix(one), stored, stored.tocoo(), sparse.csc_matrix(one.astype(bool)):
            self.assertEqual(learned(y), right)
        for y in sparse.csr_matrix(2 * one), sparse.csr_matrix(2 * one - 1):
            with self.assertRaisesRegex(ValueError, "0 and 1 only"):
                learned(y)

    def test_labels(self):
        one_hot = np.zeros((N, 5), bool)
        one_hot[np.arange(N), label] = True
        lists = [[int(v)] for v in label]
        codes = [faiss_lbh.Encoder("jmlh", 16, steps=150).train(x, given).encode(x)
                 for given in (label, lists, one_hot, one_hot.astype(int))]
        for other in codes[1:]:
            self.assertTrue((codes[0] == other).all())
        some = np.where(np.arange(N) < 1500, label, -1)
        enc = faiss_lbh.Encoder("jmlh", 16, steps=150).fit(x, some)
        self.assertEqual(enc.nclasses, 5)
        said, scores = enc.classify(enc.encode(x)), enc.class_scores(enc.encode(x))
        self.assertTrue((scores.argmax(1) == said).all())
        self.assertGreater((said == label)[1500:].mean(), 0.8)
        for bad, words in (label[:-1], "1999 rows"), ([0.5] * N, "whole numbers"):
            with self.assertRaisesRegex(ValueError, words):
                faiss_lbh.Encoder("jmlh", 16).train(x, bad)
        with self.assertRaisesRegex(faiss_lbh.InvalidArgument, "label"):
            faiss_lbh.Encoder("jmlh", 16).train(x)

    def test_neighbours(self):
        digests = [faiss_lbh.Encoder("sgh", 16, steps=20, pairs="neighbours").train(
            x, neighbours=[[(i + step) % N] for i in range(N)]).digest for step in (5, 5, 6)]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    def test_progress(self):
        seen = []
        faiss_lbh.Encoder("sgh", 16, steps=50).train(x, progress=lambda *a: seen.append(a))
        self.assertEqual(seen[-1][0], "sgh")
        self.assertEqual(seen[-1][1], seen[-1][2])
        enc = faiss_lbh.Encoder("sgh", 16, steps=50)
        with self.assertRaises(faiss_lbh.Cancelled):
            enc.train(x, progress=lambda *a: True)
        self.assertFalse(enc.is_trained)

        def broken(*_):
            raise KeyError("mine")
        with self.assertRaisesRegex(KeyError, "mine"):
            enc.train(x, progress=broken)
        enc.train(x, progress=True)  # the encoder is as good as new
        with directory() as there:
            path = os.path.join(there, "state")
            whole = faiss_lbh.Encoder("sgh", 16, steps=60).train(x)
            enc = faiss_lbh.Encoder("sgh", 16, steps=60)
            enc_progress = []
            try:
                enc.train(x, checkpoint=path, seconds=0, progress=lambda *a: enc_progress.append(a) or a[1] >= 20)
            except faiss_lbh.Cancelled:
                self.assertTrue(os.path.exists(path))
            self.assertEqual(enc.train(x, checkpoint=path).digest, whole.digest)

    def test_reading_fails(self):
        class Failing(np.ndarray):
            def __getitem__(self, i):
                raise OSError("the disk is gone")
        with self.assertRaisesRegex(OSError, "the disk is gone"):
            faiss_lbh.Encoder("lsh", 16).train(x.view(Failing))

    def test_wrong_calls(self):
        enc = self.enc
        masked = np.ma.masked_array(x, np.zeros(x.shape, bool))
        masked[5, 3] = np.ma.masked
        for call in (lambda: enc.encode(x[:, :5]), lambda: enc.encode(x[0]), lambda: enc.encode(x.astype(str)),
                     lambda: enc.encode(x, bit_order="big"), lambda: enc.decode(np.zeros((3, 5), np.uint8)),
                     lambda: enc.decode(np.zeros((3, 4))), lambda: faiss_lbh.reverse_bits(x),
                     lambda: enc.search_decoded(enc.encode(x), x, 0), lambda: enc.encode(masked),
                     lambda: enc.search_decoded(enc.encode(x), x, 3, metric="l1"),
                     lambda: enc.encode(np.full((2, D), np.nan)), lambda: enc.encode(x * 1j)):
            self.assertRaises(ValueError, call)
        for words, call in (("nbits", lambda: faiss_lbh.Encoder("sgh", 0)),
                            ("no method", lambda: faiss_lbh.Encoder("gan", 8)),
                            ("stepz", lambda: faiss_lbh.Encoder("sgh", 8, stepz=3)),
                            ("metric", lambda: faiss_lbh.Encoder("sgh", 8, metric="l1")),
                            ("no method", lambda: faiss_lbh.method_options("gan")),
                            ("decoder", lambda: faiss_lbh.Encoder("lsh", 8).train(x).decoder())):
            with self.assertRaisesRegex(ValueError, words):
                call()
        with self.assertRaisesRegex(faiss_lbh.NotTrained, "not trained"):
            faiss_lbh.Encoder("sgh", 8).encode(x)

    def test_cosine(self):
        lengths = 2. ** rng.integers(-3, 4, (N, 1))  # which rounding does not notice
        for method, options in ("itq", {}), ("sgh", {"steps": 100}), ("lsh", {}):
            enc, other = (faiss_lbh.Encoder(method, 16, metric="cosine", **options).fit(y) for y in (x, lengths * x))
            self.assertTrue((enc.encode(x) == enc.encode(lengths * x)).all())
            self.assertTrue((enc.encode(x) == other.encode(x)).all())
            self.assertIn("metric='cosine'", repr(enc))

    def test_training_anew(self):
        enc = faiss_lbh.Encoder("itq", 16).train(x)
        first = enc.digest
        enc.train(2 * x[:500] + x[:500] ** 2)
        self.assertNotEqual(enc.digest, first)
        self.assertEqual(enc.train(x).digest, first)
        with self.assertRaises(ValueError):
            enc.train(np.full((9, D), np.inf))
        self.assertEqual(enc.digest, first)

    def test_methods(self):
        self.assertIn("sgh", faiss_lbh.methods())
        for method in faiss_lbh.methods():
            options = faiss_lbh.method_options(method)
            self.assertIn("seed", options)
            enc = faiss_lbh.Encoder(method, 8)
            self.assertEqual(enc.options, {name: o["default"] for name, o in options.items()})
        enc = faiss_lbh.Encoder("sgh", 8, steps=7, preset="official", metric="ip")
        self.assertEqual((enc.options["steps"], enc.options["metric"]), (7, 1))
        self.assertRegex(faiss_lbh.version(), r"^\d+\.\d+\.\d+$")


class Elsewhere(unittest.TestCase):
    def test_from_linear(self):
        A, b = rng.normal(size=(20, D)), rng.normal(size=20)
        enc = faiss_lbh.from_linear(A, b)
        bits = np.unpackbits(enc.encode(x), axis=1, count=20, bitorder="little")
        z = x @ A.T + b
        self.assertTrue((bits == (z >= 0))[np.abs(z) > 1e-3].all())
        self.assertEqual(faiss_lbh.Encoder.from_bytes(enc.to_bytes()).digest, enc.digest)
        cosine = faiss_lbh.from_linear(A, b, metric="cosine")
        self.assertTrue((cosine.encode(x) == cosine.encode(3 * x)).all())
        self.assertEqual(faiss_lbh.Encoder.from_bytes(cosine.to_bytes()).metric, "cosine")
        itq = faiss_lbh.Encoder("itq", 16).train(x)
        twin = faiss_lbh.from_linear(*itq.linear(), decoder=itq.decoder())
        self.assertTrue((twin.encode(x) == itq.encode(x)).all())
        U, c = itq.decoder()
        bits = np.unpackbits(twin.encode(x), axis=1, bitorder="little")
        np.testing.assert_allclose(twin.decode(twin.encode(x)), bits @ U + c, atol=1e-4)

    def test_from_layers(self):
        layers = [(rng.normal(size=(30, D)), rng.normal(size=30)), (rng.normal(size=(40, 30)), None),
                  (rng.normal(size=(12, 40)), rng.normal(size=12))]
        enc, y = faiss_lbh.from_layers(layers), x.astype(np.float64)
        for i, (W, b) in enumerate(layers):
            y = y @ W.T + (0 if b is None else b)
            y = np.maximum(y, 0) if i < 2 else y
        bits = np.unpackbits(enc.encode(x), axis=1, count=12, bitorder="little")
        self.assertTrue((bits == (y >= 0))[np.abs(y) > 1e-2].all())
        for bad in ([], layers * 2, [layers[0], layers[2]], [(np.full((3, 3), np.nan), None)],
                    [(np.eye(3), np.zeros(4))]):
            self.assertRaises(ValueError, faiss_lbh.from_layers, bad)
        with self.assertRaisesRegex(ValueError, "decoder"):
            faiss_lbh.from_linear(np.eye(4), decoder=(np.eye(3), np.zeros(3)))

    def test_faiss_itq(self):
        """FAISS's own ITQ, as a model of ours, has FAISS's codes."""
        from common import faiss
        if not faiss:
            self.skipTest("no Python FAISS here")
        index = faiss.index_factory(D, "ITQ16,LSH")
        index.train(x)
        centre, pca, rotate = (faiss.downcast_VectorTransform(index.chain.at(0)), None, None)
        linear = lambda t: (faiss.vector_to_array(t.A).reshape(t.d_out, t.d_in),  # noqa: E731
                            faiss.vector_to_array(t.b) if t.b.size() else np.zeros(t.d_out))
        itq = faiss.downcast_VectorTransform(index.chain.at(0))
        if not hasattr(itq, "pca_then_itq"):
            self.skipTest("this FAISS hides its ITQ")
        del centre, pca, rotate
        A, b = linear(itq.pca_then_itq)
        mean = faiss.vector_to_array(itq.mean)
        unit = x - mean
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        enc = faiss_lbh.from_linear(A, b)
        ours, theirs = enc.encode(unit), index.sa_encode(x)
        self.assertLess(hamming(ours[:200], theirs[:200]).diagonal().mean(), 0.02)


if __name__ == "__main__":
    unittest.main()
