"""What users of the package's forerunner met: interrupts, copies, half-added rows, spinning threads, forks,
what could not be said, and what could not be installed."""
import ctypes
import inspect
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

from common import D, N, directory, faiss, faiss_lbh, np, python, rng, there_is, x

PATIENCE = 100  # times the .2 s, since machines are busy: tests do not time, they only end


class Interrupts(unittest.TestCase):
    """KeyboardInterrupt comes out of every call that can take long, and leaves a usable object."""

    def setUp(self):  # a shell's background jobs ignore it
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def interrupt(self, call):
        """Ctrl-C while the call runs. How long it took to come out."""
        sent = []

        def send():
            time.sleep(.3)
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)
        thread = threading.Thread(target=send)
        thread.start()
        try:
            call()
        except KeyboardInterrupt:
            return time.perf_counter() - sent[0]
        else:
            self.fail("the call ended before")
        finally:
            thread.join()

    def check(self, call):
        self.assertLess(self.interrupt(call), .2 * PATIENCE)

    def test_training(self):
        big = rng.normal(size=(20000, 64)).astype(np.float32)
        for method in "sgh", "sigah":
            enc = faiss_lbh.Encoder(method, 16, steps=10 ** 7)
            self.check(lambda: enc.train(big))
            self.assertFalse(enc.is_trained)
            enc.set_params(steps=3).train(big)
        seen = []
        enc = faiss_lbh.Encoder("sgh", 16, steps=10 ** 7)
        self.check(lambda: enc.train(big, progress=lambda *a: seen.append(a)))
        self.assertTrue(seen)

    def test_searching(self):
        codes = rng.integers(0, 256, (200000, 16), np.uint8)
        index = faiss_lbh.HammingIndex(codes)
        self.check(lambda: index.search(codes, 10))
        self.assertEqual(index.search(codes[0], 1)[1][0], 0)
        mih = faiss_lbh.MultiIndexHash(codes)
        self.check(lambda: mih.search(codes, 10))
        self.assertEqual(mih.search(codes[0], 1)[1][0], 0)

    def test_index(self):
        big = rng.normal(size=(60000, 32)).astype(np.float32)
        enc = faiss_lbh.Encoder("lsh", 64).fit(big)
        index = faiss_lbh.Index(enc, "BHNSW32")
        self.check(lambda: index.add(np.concatenate([big] * 8)))
        self.assertEqual(len(index), 0)
        index.add(big[:100])
        self.assertEqual(index.search(big[7], 1)[0][0], 0)
        index = faiss_lbh.Index(enc, "BFlat,RFlat").add(np.concatenate([big] * 3))
        self.check(lambda: index.search(np.concatenate([big] * 8), 10, k_factor=100))
        self.assertEqual(index.search(big[7], 1)[1][0], 7)
        index = faiss_lbh.Index(enc, "BIVF8192")
        self.check(lambda: index.train(np.concatenate([big] * 4)))
        self.assertFalse(index.is_trained)
        index = faiss_lbh.Index(enc, "BFlat").add(big)
        self.check(lambda: index.search(big, 10, filter=lambda i: time.sleep(0) or True))

    def test_other_signals(self):
        """Handlers run during a call; one that raises nothing does not end it."""
        seen = []
        before = signal.signal(signal.SIGALRM, lambda *a: seen.append(a))
        try:
            signal.setitimer(signal.ITIMER_REAL, .1)
            enc = faiss_lbh.Encoder("sgh", 16, steps=10 ** 7, time_limit=.5).train(x)
            self.assertTrue(seen and enc.is_trained)

            def stop(*_):
                raise TimeoutError("mine")
            signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, .1)
            with self.assertRaisesRegex(TimeoutError, "mine"):
                faiss_lbh.Encoder("sgh", 16, steps=10 ** 7).train(x)
        finally:
            signal.signal(signal.SIGALRM, before)


class Copies(unittest.TestCase):
    def test_copies_outlive_each_other(self):
        python("""
import copy, gc, faiss_lbh, numpy as np
x = np.random.default_rng(1).normal(size=(500, 16))
for first in (faiss_lbh.Index("ITQ16,BFlat,RFlat").train(x).add(x), faiss_lbh.Encoder("itq", 16).fit(x)):
    second = copy.copy(first)
    del first
    gc.collect()
    second.search(x, 3) if hasattr(second, "search") else second.encode(x)
""")


class AllOrNone(unittest.TestCase):
    def test_a_nan_near_the_end(self):
        big = rng.normal(size=(30000, D))
        big[-3, 2] = np.nan
        for kind in "BFlat", "BIVF16", "BFlat,RFlat", "IDMap2,BFlat":
            index = faiss_lbh.Index("LSH32," + kind if "IDMap" not in kind else "IDMap2,LSH32,BFlat").train(x)
            index.add(x[:5])
            for rows in big, big.astype(np.float32):
                with self.assertRaisesRegex(ValueError, "row 29997"):
                    index.add(rows)
                self.assertEqual(len(index), 5)


class NothingIsGuessed(unittest.TestCase):
    """What is no whole number is not made one, and what may be two things is refused."""

    def test_numbers_that_are_not_whole(self):
        index = faiss_lbh.Index("ITQ16,BIVF4,RFlat").train(x).add(x)
        codes = faiss_lbh.HammingIndex(index.encoder.encode(x))
        for call in (lambda: index.search(x[0], 2.5), lambda: index.range_search(x[0], .5),
                     lambda: index.reconstruct(7.5), lambda: index.remove_ids([7.5]),
                     lambda: codes.search(codes.codes[0], 2.5), lambda: codes.range_search(codes.codes[0], .5)):
            with self.assertRaisesRegex(ValueError, "whole number"):
                call()
        high = np.array([2 ** 63], np.uint64)
        for call in (lambda: index.add(x[:1], ids=high), lambda: index.search(x[0], 1, filter=high)):
            with self.assertRaisesRegex(ValueError, "below 2\\^63"):
                call()
        self.assertEqual(len(index), len(x))
        self.assertEqual(index.search(x[0], np.int32(3))[1].shape, (3,))

    def test_masks_and_ids(self):
        index = faiss_lbh.Index("ITQ16,BFlat,RFlat").train(x).add(x)
        mask = np.arange(len(x)) > 5
        with self.assertRaisesRegex(ValueError, "mask"):
            index.search(x[0], 1, filter=mask.astype(np.uint8))
        self.assertGreater(index.search(x[0], 1, filter=mask)[1][0], 5)
        self.assertEqual(index.search(x[1], 1, filter=[0, 1])[1][0], 1)

    def test_bits_rows_and_missing_numbers(self):
        enc = faiss_lbh.Encoder("itq", 16).fit(x)
        bits = enc.transform(x)
        self.assertTrue((enc.inverse_transform(bits) == enc.decode(enc.encode(x))).all())
        for wrong in 2. * bits - 1, bits * 255, bits * np.nan:
            with self.assertRaisesRegex(ValueError, "0 and 1"):
                enc.inverse_transform(wrong)
        with self.assertRaisesRegex(ValueError, "NaN"):
            faiss_lbh.quantize(np.where(x == x.max(), np.nan, x))
        near = np.full((len(x), 2), -1)
        enc.train(x, neighbours=near)
        near[3, 1] = -5
        with self.assertRaisesRegex(ValueError, "-1 for none"):
            enc.train(x, neighbours=near)


class Threads(unittest.TestCase):
    def test_waiting_threads_do_not_spin(self):
        """What OpenMP says of itself when it is loaded: it is told so for that moment only, and by this package,
        also where PyPI's FAISS has brought an OpenMP of its own before."""
        quiet = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        own = faiss and any("faiss_cpu.libs" in name for name in os.listdir(os.path.dirname(os.path.dirname(faiss.__file__))))
        for first in ("", "import faiss") if own else ("",):
            program = f"""
import os, sys
{first}
before = dict(os.environ)
print("ours from here", file=sys.stderr, flush=True)
import faiss_lbh
assert dict(os.environ) == before
"""
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
                                  env={**quiet, "OMP_DISPLAY_ENV": "verbose"})
            self.assertEqual(done.returncode, 0, done.stderr)
            said = done.stderr.partition("ours from here")[2]
            self.assertRegex(said, r"OMP_WAIT_POLICY = 'PASSIVE'")
            self.assertRegex(said, r"GOMP_SPINCOUNT = '5000'")

    def test_number(self):
        before = faiss_lbh.get_num_threads()
        try:
            faiss_lbh.set_num_threads(3)
            got = []
            thread = threading.Thread(target=lambda: (faiss_lbh.Encoder("lsh", 8).fit(x),
                                                      got.append(faiss_lbh.get_num_threads()),
                                                      got.append(faiss_lbh._lib.plugin.lbh_num_threads())))
            thread.start()
            thread.join()
            self.assertEqual(got, [3, 3], "OpenMP has a number for each thread")
            self.assertRaises(ValueError, faiss_lbh.set_num_threads, 0)
        finally:
            faiss_lbh.set_num_threads(before)


def in_child(enc, x, there):
    there.put(enc.encode(x).sum())


class Forks(unittest.TestCase):
    def setUp(self):  # with one thread there is nothing to lose in a fork
        self.addCleanup(faiss_lbh.set_num_threads, faiss_lbh.get_num_threads())
        faiss_lbh.set_num_threads(3)

    def test_children_work(self):
        big = rng.normal(size=(20000, 64)).astype(np.float32)
        enc = faiss_lbh.Encoder("itq", 64).fit(big)
        index = faiss_lbh.Index(enc, "BFlat,RFlat").add(big)
        codes, found = enc.encode(big), index.search(big[:500], 5)[1]
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            good = (enc.encode(big) == codes).all() and (index.search(big[:500], 5)[1] == found).all() and \
                faiss_lbh.Encoder("itq", 64).fit(big).digest == enc.digest
            os._exit(0 if good else 1)
        status = os.waitpid(pid, 0)[1]
        self.assertTrue(os.WIFEXITED(status), "the child hung")
        self.assertEqual(os.WEXITSTATUS(status), 0)
        context = multiprocessing.get_context("fork")
        there = context.Queue()
        workers = [context.Process(target=in_child, args=(enc, big, there)) for _ in range(3)]
        for worker in workers:
            worker.start()
        self.assertEqual([there.get(timeout=60) for _ in workers], [codes.sum()] * 3)
        for worker in workers:
            worker.join()

    @unittest.skipUnless(there_is("joblib"), "no joblib here")
    def test_joblib(self):
        """Of the backends one forks, and one starts new processes, to which encoders and indexes are pickled."""
        import joblib
        big = rng.normal(size=(20000, 64)).astype(np.float32)
        enc = faiss_lbh.Encoder("itq", 64).fit(big)
        index = faiss_lbh.Index(enc, "BFlat,RFlat").add(big)
        codes, found = enc.encode(big), index.search(big[:500], 5)[1]
        for backend in "multiprocessing", "loky":
            parallel = joblib.Parallel(n_jobs=2, backend=backend, timeout=60)
            for got in parallel(joblib.delayed(enc.encode)(big) for _ in range(3)):
                np.testing.assert_array_equal(got, codes)
            for got in parallel(joblib.delayed(index.search)(big[:500], 5) for _ in range(3)):
                np.testing.assert_array_equal(got[1], found)


class Words(unittest.TestCase):
    def test_errors_name_no_c_functions(self):
        enc = faiss_lbh.Encoder("itq", 16)
        index = faiss_lbh.Index("ITQ16,BIVF16", d=D)
        for call in (lambda: enc.encode(x), lambda: index.add(x), lambda: index.search(x, 1),
                     lambda: index.to_bytes(), lambda: faiss_lbh.Index(enc, "BFlat").add(x),
                     lambda: index.train(x[:3]), lambda: enc.digest, lambda: index.range_search(x, 3)):
            with self.assertRaises(faiss_lbh.Error) as caught:
                call()
            self.assertNotIn("lbh_", str(caught.exception).replace("faiss_lbh", ""))

    def test_everything_says_what_it_is(self):
        for name in faiss_lbh.__all__:
            thing = getattr(faiss_lbh, name)
            self.assertTrue(inspect.getdoc(thing), name)
            self.assertEqual(re.findall(r"see \S*\.h", inspect.getdoc(thing)), [], name)
            if inspect.isclass(thing):
                for member, value in vars(thing).items():
                    if not member.startswith("_") and not isinstance(value, (int, str)):
                        said = inspect.getdoc(getattr(thing, member))
                        self.assertTrue(said, f"{name}.{member}")
                        self.assertNotRegex(said, r"see \S*\.h|lbh_[a-z]", f"{name}.{member}")
                        if callable(value):
                            for parameter, what in inspect.signature(value).parameters.items():
                                if parameter != "self":
                                    self.assertIsNot(what.annotation, inspect.Parameter.empty,
                                                     f"{name}.{member}({parameter})")

    def test_without_the_library(self):
        with directory() as there:
            try:
                python("import faiss_lbh", env={**os.environ, "LBH_LIBRARY": there})
            except AssertionError as error:
                self.assertIn("ImportError: faiss_lbh is not whole", str(error))
            else:
                self.fail("it was found")


@unittest.skipUnless(faiss, "no Python FAISS here")
class BesideFaiss(unittest.TestCase):
    def test_both_in_one_process(self):
        for first in "faiss, faiss_lbh", "faiss_lbh, faiss":
            python(f"""
import {first}
import numpy as np
x = np.random.default_rng(1).normal(size=(3000, 32)).astype("f4")
index = faiss.IndexFlatL2(32)
index.add(x)
ours = faiss_lbh.Index("SGH32(steps=50),BFlat,RFlat", k_factor=3000).train(x).add(x)
assert (ours.search(x[:50], 5)[1] == index.search(x[:50], 5)[1]).all()
""")


if __name__ == "__main__":
    unittest.main()
