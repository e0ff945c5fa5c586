#!/usr/bin/env python3
"""test_lbh.py MODULE_DIRECTORY LBH [PATH]: scripts/python/lbh.py against numpy, the command and
stock Python FAISS. The libraries come from $LBH_LIBRARY. PATH: a directory with another FAISS. Exit
code 77 without numpy; what needs FAISS is skipped without it."""
import os
import pickle
import subprocess
import sys
import tempfile
import unittest

module, command, *more = map(os.path.abspath, sys.argv[1:])
sys.path[:0] = [module, *more]
try:
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)
import lbh

try:
    import faiss
except ImportError:
    faiss = None

N, D = 2000, 24
rng = np.random.default_rng(7)
label = rng.integers(0, 5, N)
x = (rng.normal(size=(N, D)) / np.arange(1, D + 1) + 2 * rng.normal(size=(5, D))[label]
     ).astype(np.float32)


def hamming(a, b):
    return np.unpackbits(a[:, None] ^ b[None], axis=2).sum(2)


class Encoders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.enc = lbh.Encoder("sgh", D, 32, steps=200, seed=5).train(x)

    def test_linear_codes(self):
        A, b = self.enc.linear()
        z = x.astype(np.float64) @ A.T + b
        self.assertEqual(A.shape, (32, D))
        np.testing.assert_allclose(self.enc.project(x), z, rtol=1e-4, atol=1e-4)
        sure = np.abs(z) > 1e-4
        bits = np.unpackbits(self.enc.encode(x), axis=1, bitorder="little")
        self.assertTrue((bits == (z >= 0))[sure].all())
        msb = self.enc.encode(x, bit_order="msb")
        self.assertTrue((np.packbits(bits, axis=1) == msb).all())
        self.assertTrue((lbh.reverse_bits(msb) == self.enc.encode(x)).all())
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
        best = self.enc.search_decoded(codes, x[:9], 1, metric="ip")[0][:, 0]
        np.testing.assert_allclose(best, (x[:9] @ rebuilt.T).max(1), rtol=1e-3, atol=1e-3)

    def test_any_array(self):
        codes = self.enc.encode(x)
        wide = np.zeros((N, 2 * D))
        wide[:, ::2] = x
        for other in x.astype(np.float64), np.asfortranarray(x), wide[:, ::2], x.tolist():
            self.assertTrue((self.enc.encode(other) == codes).all())
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "x")
            x.astype(np.float64).tofile(path)
            mapped = np.memmap(path, np.float64, "r", shape=(N, D))
            again = lbh.Encoder("sgh", D, 32, steps=200, seed=5).train(mapped)
            self.assertEqual(again.digest, self.enc.digest)
            self.assertTrue((again.encode(mapped) == codes).all())
        bytes_ = rng.integers(0, 256, (500, D)).astype(np.uint8)
        enc = lbh.Encoder("itq", D, 16).train(bytes_)
        self.assertTrue((enc.encode(bytes_) == enc.encode(bytes_.astype(np.float32))).all())

    def test_files(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chdir(directory)
            self.enc.save("m.lbh")
            self.assertEqual(lbh.Encoder.load("m.lbh").digest, self.enc.digest)
            np.save("x.npy", x)
            subprocess.run([command, "encode", "--model", "m.lbh", "--input", "x.npy", "-o",
                            "c.npy"], check=True, stdout=subprocess.DEVNULL)
            self.assertTrue((np.load("c.npy") == self.enc.encode(x)).all())
            with self.assertRaises(lbh.Error) as caught:
                lbh.Encoder.load("absent.lbh")
            self.assertIn("absent.lbh", str(caught.exception))
            self.assertEqual(caught.exception.code, -3)
            os.chdir("/")
        again = pickle.loads(pickle.dumps(self.enc))
        self.assertEqual((again.digest, again.options), (self.enc.digest, self.enc.options))
        self.assertIn("trained on 2000 rows", repr(again))

    def test_labels(self):
        one_hot = np.zeros((N, 5), bool)
        one_hot[np.arange(N), label] = True
        lists = [[int(v)] for v in label]
        codes = [lbh.Encoder("jmlh", D, 16, steps=150).train(x, given).encode(x)
                 for given in (label, lists, one_hot)]
        self.assertTrue((codes[0] == codes[1]).all() and (codes[0] == codes[2]).all())
        some = np.where(np.arange(N) < 1500, label, -1)
        enc = lbh.Encoder("jmlh", D, 16, steps=150).train(x, some)
        self.assertEqual(enc.nclasses, 5)
        said, scores = enc.classify(enc.encode(x)), enc.class_scores(enc.encode(x))
        self.assertTrue((scores.argmax(1) == said).all())
        self.assertGreater((said == label)[1500:].mean(), 0.8)
        for bad, words in (label[:-1], "1999 rows"), ([0.5] * N, "whole numbers"):
            with self.assertRaisesRegex(ValueError, words):
                lbh.Encoder("jmlh", D, 16).train(x, bad)
        with self.assertRaisesRegex(lbh.InvalidArgument, "label"):
            lbh.Encoder("jmlh", D, 16).train(x)

    def test_progress(self):
        seen = []
        lbh.Encoder("sgh", D, 16, steps=50).train(x, progress=lambda *a: seen.append(a))
        self.assertEqual(seen[-1][:3], ("sgh", 50, 50))
        enc = lbh.Encoder("sgh", D, 16, steps=50)
        with self.assertRaises(lbh.Cancelled):
            enc.train(x, progress=lambda *a: a[1] >= 3)
        self.assertFalse(enc.is_trained)

        def broken(*_):
            raise KeyError("mine")
        with self.assertRaisesRegex(KeyError, "mine"):
            enc.train(x, progress=broken)
        enc.train(x)  # the encoder is as good as new
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "state")
            whole = lbh.Encoder("sgh", D, 16, steps=60).train(x)
            enc = lbh.Encoder("sgh", D, 16, steps=60)
            with self.assertRaises(lbh.Cancelled):
                enc.train(x, progress=lambda *a: a[1] >= 20, checkpoint=path)
            self.assertEqual(enc.train(x, checkpoint=path).digest, whole.digest)

    def test_reading_fails(self):
        class Failing(np.ndarray):
            def __getitem__(self, i):
                raise OSError("the disk is gone")
        with self.assertRaisesRegex(OSError, "the disk is gone"):
            lbh.Encoder("lsh", D, 16).train(x.view(Failing))

    def test_wrong_calls(self):
        enc = self.enc
        for call in (lambda: enc.encode(x[:, :5]), lambda: enc.encode(x[0]),
                     lambda: enc.encode(x.astype(str)), lambda: enc.encode(x, bit_order="big"),
                     lambda: enc.decode(np.zeros((3, 5), np.uint8)),
                     lambda: enc.decode(np.zeros((3, 4))),
                     lambda: lbh.reverse_bits(x), lambda: enc.train(x[:, :3]),
                     lambda: enc.search_decoded(enc.encode(x), x, 0),
                     lambda: enc.search_decoded(enc.encode(x), x, 3, metric="cosine"),
                     lambda: enc.encode(np.full((2, D), np.nan))):
            self.assertRaises(ValueError, call)
        for words, call in (("nbits", lambda: lbh.Encoder("sgh", D, 0)),
                            ("no method", lambda: lbh.Encoder("gan", D, 8)),
                            ("stepz", lambda: lbh.Encoder("sgh", D, 8, stepz=3)),
                            ("no method", lambda: lbh.method_options("gan")),
                            ("decoder", lambda: lbh.Encoder("lsh", D, 8).train(x).decoder())):
            with self.assertRaisesRegex(ValueError, words):
                call()
        with self.assertRaisesRegex(lbh.Error, "not trained"):
            lbh.Encoder("sgh", D, 8).encode(x)
        with self.assertRaisesRegex(lbh.Error, "trained"):
            enc.train(x)

    def test_methods(self):
        self.assertIn("sgh", lbh.methods())
        for method in lbh.methods():
            options = lbh.method_options(method)
            self.assertIn("seed", options)
            enc = lbh.Encoder(method, D, 8)
            self.assertEqual(enc.options, {name: o["default"] for name, o in options.items()})
        enc = lbh.Encoder("sgh", D, 8, steps=7, preset="official", metric="ip")
        self.assertEqual((enc.options["steps"], enc.options["metric"]), (7, 1))
        self.assertRegex(lbh.version(), r"^\d+\.\d+\.\d+$")


@unittest.skipUnless(faiss, "no Python FAISS here")
class WithFaiss(unittest.TestCase):
    def test_indexes(self):
        enc = lbh.Encoder("itq", D, 24).train(x)
        codes = enc.encode(x)
        exact = np.sort(hamming(codes[:20], codes), axis=1)[:, :7]
        for factory, parameters in (("BFlat", {}), ("BIVF16", {"nprobe": 16}),
                                    ("BHash6", {"nflip": 6}), ("BHash3x5", {"nflip": 5}),
                                    ("IDMap2,BFlat", {})):
            index = lbh.build_index(enc, factory, x, **parameters)
            self.assertIsInstance(index, faiss.IndexBinary)
            self.assertEqual((index.ntotal, index.d), (N, 24))
            distances, ids = index.search(codes[:20], 7)
            self.assertTrue((distances == exact).all(), factory)
            self.assertTrue((np.take_along_axis(hamming(codes[:20], codes), ids, 1)
                             == distances).all())
            again = lbh.build_index(enc, factory, codes=codes, **parameters)
            self.assertTrue((again.search(codes[:20], 7)[0] == exact).all())
        distances, ids = lbh.build_index(enc, "BHNSW16", x, efSearch=100).search(codes[:20], 7)
        self.assertTrue((np.take_along_axis(hamming(codes[:20], codes), ids, 1)
                         == distances).all())

    def test_refusals(self):
        enc = lbh.Encoder("itq", D, 24).train(x)
        for words, call in (("binary index", lambda: lbh.build_index(enc, "Flat", x)),
                            ("at least 5000", lambda: lbh.build_index(enc, "BIVF5000", x)),
                            ("nprobe", lambda: lbh.build_index(enc, "BFlat", x, nprobe=3)),
                            ("rows x or", lambda: lbh.build_index(enc, "BFlat")),
                            ("expected uint8", lambda: lbh.build_index(enc, "BFlat", codes=x))):
            with self.assertRaisesRegex(ValueError, words):
                call()

    def test_export(self):
        enc = lbh.Encoder("sgh", D, 32, steps=200).train(x)
        codes = enc.encode(x)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "x.faiss")
            enc.export_faiss("faiss-lsh", path, x)
            distances, _ = faiss.read_index(path).search(x[:20], 5)
            self.assertTrue((distances == np.sort(hamming(codes[:20], codes), 1)[:, :5]).all())
            enc.export_faiss("faiss-ivf", path, x.astype(np.float64), nlist=8, nprobe=8)
            distances, _ = faiss.read_index(path).search(x[:20], 5)
            self.assertTrue((distances == np.sort(hamming(codes[:20], codes), 1)[:, :5]).all())
            enc.export_faiss("faiss-aq", path, x, norms="float")
            distances, _ = faiss.read_index(path).search(x[:20], 5)
            expected, _ = enc.search_decoded(codes, x[:20], 5)
            np.testing.assert_allclose(distances, expected, rtol=1e-3, atol=1e-3)
            with self.assertRaisesRegex(ValueError, "no option"):
                enc.export_faiss("faiss-lsh", path, nlist=3)


class Library(unittest.TestCase):
    def test_it_is_missed_with_a_message(self):
        with tempfile.TemporaryDirectory() as directory:
            env = {**os.environ, "LBH_LIBRARY": directory, "PYTHONPATH": module}
            done = subprocess.run([sys.executable, "-c", "import lbh; lbh.version()"], env=env,
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("LBH_LIBRARY", done.stderr.splitlines()[-1])


print("FAISS", faiss and faiss.__version__)
unittest.main(argv=sys.argv[:1])
