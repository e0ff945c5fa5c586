"""Vectors and codes in Parquet files, against the arrays that they were made of."""
import glob
import os
import unittest

from common import D, N, directory, faiss_lbh, label, np, python, x

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from faiss_lbh import parquet
except ImportError:
    pa = None

if pa:
    enc = faiss_lbh.Encoder("itq", 20).fit(x)  # not whole bytes
    ids = np.arange(N)[::-1] * 3 + 5
    flat = pa.array(x.ravel())
    COLUMNS = {
        "list": pa.ListArray.from_arrays(pa.array(np.arange(0, N * D + 1, D), pa.int32()), flat),
        "large": pa.LargeListArray.from_arrays(pa.array(np.arange(0, N * D + 1, D)), flat),
        "fixed": pa.FixedSizeListArray.from_arrays(flat, D),
        "double": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel().astype(np.float64)), D),
        "tensor": pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [D]),
                                                 pa.FixedSizeListArray.from_arrays(flat, D))}


@unittest.skipUnless(pa, "no pyarrow here")
class Parquet(unittest.TestCase):
    def setUp(self):
        self.there = directory()
        self.addCleanup(self.there.cleanup)

    def path(self, name):
        return os.path.join(self.there.name, name)

    def base(self, rows_a_group=333):
        table = pa.table({"id": ids, "label": label, **COLUMNS})
        pq.write_table(table, self.path("base.parquet"), row_group_size=rows_a_group)
        return self.path("base.parquet")

    def test_rows(self):
        base = self.base()
        for column in COLUMNS:
            for batch_rows in 100, 5000:
                parts = list(parquet.rows(base, column, ids="id", batch_rows=batch_rows))
                self.assertGreater(len(parts), 1)
                self.assertLessEqual(max(len(p) for _, p in parts), batch_rows)
                np.testing.assert_array_equal(np.concatenate([p for _, p in parts]), x)
                np.testing.assert_array_equal(np.concatenate([i for i, _ in parts]), ids)
        self.assertIsNone(next(parquet.rows(base, "list"))[0])

    def test_slices(self):
        for name, column in COLUMNS.items():
            np.testing.assert_array_equal(parquet.matrix(column[7:19]), x[7:19], name)
            np.testing.assert_array_equal(parquet.matrix(column[7:7]).shape[0], 0)
        codes = enc.encode(x)
        np.testing.assert_array_equal(parquet.matrix(parquet.code_array(codes)[3:9]), codes[3:9])

    def test_several_files_and_a_sample(self):
        for i in range(3):
            parquet.write_vectors(self.path(f"part{i}.parquet"), x[i::3], ids[i::3])
        files = sorted(glob.glob(self.path("*.parquet")))
        together = np.concatenate([x[i::3] for i in range(3)])
        for source in files, self.there.name:
            np.testing.assert_array_equal(np.concatenate([p for _, p in parquet.rows(source, "vector")]), together)
        some = parquet.sample(files, "vector", 500)
        self.assertEqual(some.shape, (500, D))
        places = [int(np.flatnonzero((together == row).all(1))[0]) for row in some]
        self.assertEqual(places, sorted(set(places)))
        for third in range(3):  # from everywhere
            self.assertGreater(sum(third * N // 3 <= p < (third + 1) * N // 3 for p in places), 100)
        np.testing.assert_array_equal(parquet.sample(files, "vector", 500), some)
        self.assertFalse(np.array_equal(parquet.sample(files, "vector", 500, seed=2), some))
        np.testing.assert_array_equal(parquet.sample(files, "vector", 10 * N), together)

    def test_encode(self):
        base, target, seen = self.base(), self.path("codes.parquet"), []
        for order in "lsb", "msb":
            n = parquet.encode(enc, base, target, "list", ids="id", keep=["label"], bit_order=order, batch_rows=300,
                               progress=lambda done, total: seen.append((done, total)))
            self.assertEqual((n, seen[-1]), (N, (N, N)))
            table = pq.read_table(target)
            self.assertEqual(table.schema.field("code").type, pa.binary(3))
            self.assertEqual(table.column_names, ["id", "label", "code"])
            np.testing.assert_array_equal(table["label"].to_numpy(), label)
            self.assertEqual(table["code"][5].as_py(), enc.encode(x[5:6], bit_order=order)[0].tobytes())
            found, codes = parquet.read_codes(target, ids="id", encoder=enc)
            np.testing.assert_array_equal(codes, enc.encode(x))
            np.testing.assert_array_equal(found, ids)
        with self.assertRaisesRegex(ValueError, "order 'msb', not 'lsb'"):
            parquet.read_codes(target, bit_order="lsb")
        with self.assertRaisesRegex(ValueError, "another encoder"):
            parquet.read_codes(target, encoder=faiss_lbh.Encoder("itq", 20).fit(x[:500]))
        parquet.encode(enc, base, target, "double", queries=True)
        np.testing.assert_array_equal(parquet.read_codes(target)[1], enc.encode_queries(x))

    def test_codes(self):
        target, codes = self.path("codes.parquet"), enc.encode(x)
        parquet.write_codes(target, codes, ids, encoder=enc, bit_order="msb")
        self.assertEqual(pq.read_table(target)["code"][0].as_py(), enc.encode(x[:1], bit_order="msb")[0].tobytes())
        np.testing.assert_array_equal(parquet.read_codes(target)[1], codes)
        pq.write_table(pa.table({"code": parquet.code_array(faiss_lbh.reverse_bits(codes))}), target)
        np.testing.assert_array_equal(parquet.read_codes(target, bit_order="msb")[1], codes)
        parquet.write_codes(target, codes[:0])
        self.assertEqual(parquet.read_codes(target)[1].shape[0], 0)
        with self.assertRaisesRegex(ValueError, "nbits"):
            parquet.write_codes(target, codes, nbits=30)

    def test_refusals(self):
        path, before = self.path("bad.parquet"), self.path("codes.parquet")
        parquet.write_codes(before, enc.encode(x[:9]))
        rows = x[:50].tolist()
        for bad, message in ((rows[:40] + [None], "row 10 is null"), (rows[:40] + [[1.] * 3], "row 10 has 3 numbers"),
                             (rows[:40] + [[1.] * (D - 1) + [None]], "row 10 has a number that is null"),
                             (rows[:40] + [[np.nan] * D], "after 30 rows")):
            pq.write_table(pa.table({"v": bad}), path)
            with self.assertRaisesRegex(ValueError, message):
                parquet.encode(enc, path, before, "v", batch_rows=30)
            self.assertEqual(len(parquet.read_codes(before)[1]), 9)  # the old file is as it was
        self.assertEqual(sorted(os.listdir(self.there.name)), ["bad.parquet", "codes.parquet"])
        pq.write_table(pa.table({"v": ["a"], "id": [1.5]}), path)
        with self.assertRaisesRegex(TypeError, "string"):
            next(parquet.rows(path, "v"))
        with self.assertRaisesRegex(ValueError, "no column 'w'; there are v, id"):
            next(parquet.rows(path, "w"))
        pq.write_table(pa.table({"v": rows, "id": [1.5] * 50}), path)
        with self.assertRaisesRegex(ValueError, "whole numbers"):
            parquet.encode(enc, path, before, "v", ids="id")

    def test_memory_does_not_grow(self):
        """Encodes 10 times the rows in hardly more memory: what the allocator holds varies by some 50 MB."""
        program = ("import sys, resource, faiss_lbh\nfrom faiss_lbh import parquet\n"
                   "enc = faiss_lbh.Encoder.load(sys.argv[1])\n"
                   "parquet.encode(enc, sys.argv[2:], sys.argv[1] + '.parquet', 'vector')\n"
                   "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
        big = np.tile(x, (25, 1))
        parquet.write_vectors(self.path("x.parquet"), big)
        wide = faiss_lbh.Encoder("itq", 20).fit(x)
        wide.save(self.path("m"))
        peaks = [int(python(program, self.path("m"), *[self.path("x.parquet")] * n)) for n in (10, 100)]
        self.assertLess(peaks[1] - peaks[0], 90 * big.nbytes / 1024 / 4)


if __name__ == "__main__":
    unittest.main()
