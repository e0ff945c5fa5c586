"""test_exact.py LIBRARY: lbh_exact.h against whole numbers of any length: a float is a whole number
times 2^-149, so Python knows every distance and its order without rounding."""
import ctypes
import sys
from fractions import Fraction

import numpy as np

L2, IP, COSINE = 0, 1, 2
LIB = ctypes.CDLL(sys.argv[1])
LIB.lbh_last_error.restype = ctypes.c_char_p


class Rows(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int64), ("d", ctypes.c_int), ("read", ctypes.c_void_p),
                ("ctx", ctypes.c_void_p)]


LIB.lbh_rows_from_matrix.restype = Rows
LIB.lbh_rows_from_matrix.argtypes = [ctypes.c_int64, ctypes.c_int, ctypes.c_void_p]
READ = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Rows), ctypes.c_int64,
                        ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_float))
PROGRESS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64,
                            ctypes.c_int64, ctypes.c_double)


def pointer(a):
    return None if a is None else ctypes.c_void_p(a.ctypes.data)


def matrix(x):
    return LIB.lbh_rows_from_matrix(len(x), x.shape[1], x.ctypes.data)


def pulled(x):
    """The same rows by a callback."""
    def read(_, count, ids, to):
        for i in range(count):
            ctypes.memmove(ctypes.addressof(to.contents) + 4 * i * x.shape[1],
                           x[ids[i]].ctypes.data, 4 * x.shape[1])
        return 0
    rows = Rows(len(x), x.shape[1], None, None)
    rows.keep = READ(read)
    rows.read = ctypes.cast(rows.keep, ctypes.c_void_p)
    return rows


def answers(rows, metric, q, k, skip=None, among=None):
    distance = np.empty((len(q), k))
    label = np.empty((len(q), k), np.int64)
    if among is None:
        code = LIB.lbh_exact_search(ctypes.byref(rows), metric, ctypes.c_int64(len(q)), pointer(q),
                                    pointer(skip), ctypes.c_int64(k), pointer(distance),
                                    pointer(label))
    else:
        code = LIB.lbh_exact_rank(ctypes.byref(rows), metric, ctypes.c_int64(len(q)), pointer(q),
                                  ctypes.c_int64(among.shape[1]), pointer(among),
                                  ctypes.c_int64(k), pointer(distance), pointer(label))
    return code, distance, label


POWER = np.array([1 << i for i in range(320)], object)


def whole(x):
    part, exponent = np.frexp(x.astype(float))
    return (part * 2**24).astype(np.int64).astype(object) * POWER[exponent + 155] // 2**30


def truth(metric, x, q, k, skip=None, among=None):
    """Rows in the true order, and their distances; -1 and infinity where there are none."""
    rows, label, distance = whole(x), [], []
    own = (rows * rows).sum(1)
    for i, y in enumerate(whole(q)):
        of = np.arange(len(x)) if among is None else among[i][among[i] >= 0]
        if metric == L2:
            score = ((rows[of] - y) ** 2).sum(1)
        elif metric == IP:
            score = -(rows[of] @ y)
        else:  # the square of q . x / |x|, with its sign: of two that differ the first 1300 bits do
            dot = rows[of] @ y
            score = -dot * abs(dot) * 2**1300 // np.where(own[of] == 0, 1, own[of])
        best = sorted(s for s in zip(score, of) if skip is None or s[1] != skip[i])[:k]
        gaps = k - len(best)
        label.append([r for _, r in best] + [-1] * gaps)
        if metric == COSINE:
            length = (y * y).sum() * 2**1300 or 1
            distance.append([((s > 0) - (s < 0)) * float(Fraction(abs(s), length)) ** .5 for s, _ in best] +
                            [np.inf] * gaps)
        else:
            distance.append([s / 2**298 for s, _ in best] + [np.inf] * gaps)
    return np.array(distance), np.array(label)


# ---- Data --------------------------------------------------------------------------------------

def sets(g, n, nq, d):
    """Data that single precision, or double, orders wrongly."""
    x, q = g.standard_normal((n, d)), g.standard_normal((nq, d))

    def column(at_base, at_query):
        a, b = x.copy(), q.copy()
        a[:, 0], b[:, 0] = at_base, at_query
        return a, b

    def one(a, b, row, value):
        a, b = a.copy(), b.copy()
        (a if row >= 0 else b)[row if row >= 0 else 0, 1] = value
        return a, b
    yield "plain", x, q
    yield "constant column", *column(20240101, 20240101)
    yield "constant column, other in queries", *column(20240101, 20240101 + np.arange(nq) * 30)
    yield "dates", *column(20240101 + g.integers(0, 365, n), 20240101 + g.integers(0, 365, nq))
    yield "coordinates", x * 1000 + 6e6, q * 1000 + 6e6
    yield "two places", x + 6e6 * (np.arange(n) % 2)[:, None], q
    for scale in (1e-30, 1e30, 6e37, 1e-43):
        yield f"times {scale}", x * scale, q * scale
    yield "one row of 1e37", *one(x, q, n // 2, 1e37)
    yield "the first row of 1e37", *one(x, q, 0, 1e37)
    yield "one query of 1e37", *one(x, q, -1, 1e37)
    yield "rows of all sizes", x * 10.0 ** g.integers(-35, 35, (n, 1)), \
        q * 10.0 ** g.integers(-35, 35, (nq, 1))
    yield "columns of all sizes", x * 10.0 ** np.linspace(-20, 18, d), \
        q * 10.0 ** np.linspace(-20, 18, d)
    yield "whole numbers", np.rint(2 * x), np.rint(2 * q)
    yield "zeros and ones", x > 0, q > 0
    yield "halves", np.rint(x) / 2, np.rint(q) / 2
    unit = [(a > 0) / np.sqrt(np.maximum((a > 0).sum(1, keepdims=True), 1)) for a in (x, q)]
    yield "zeros and ones of length 1", *unit
    yield "rows that come often", x[g.integers(0, min(n, 9), n)], q
    yield "queries of zeros", x, 0 * q
    yield "rows of zeros", x * (np.arange(n) % 3 > 0)[:, None], q
    yield "few directions", np.rint(x[np.arange(n) % 7] * 4) * (1 + np.arange(n) % 5)[:, None], q
    least = 2.0**-149
    yield "few directions of the least floats", least * np.rint(x[np.arange(n) % 7] * 4) * \
        (1 + np.arange(n) % 5)[:, None], least * np.rint(q * 9)
    yield "one direction", np.rint(x[0] * 1000) * (1 + np.arange(n) % 97)[:, None], q
    yield "nothing but zeros", 0 * x, 0 * q
    # 2^-30 apart beside 1e8: beyond doubles
    for name, at in ("beyond doubles", 1e8), ("beyond doubles, at many distances", 1e8 + 1e6 * (np.arange(n) % 60)):
        far = column(at, -1e8)
        yield name, far[0] * np.r_[1, [2.0**-28] * (d - 1)], far[1] * np.r_[1, [2.0**-28] * (d - 1)]


def check(name, x, q, k, metric, skip):
    x, q = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(q, np.float32)
    assert np.isfinite(x).all() and np.isfinite(q).all(), name
    want, order = truth(metric, x, q, k, skip)
    for rows in (matrix(x), pulled(x)):
        code, distance, label = answers(rows, metric, q, k, skip)
        assert code == 0, (name, LIB.lbh_last_error())
        assert (label == order).all(), (name, metric, x.shape, np.argwhere(label != order)[:5])
    distance = distance if metric == L2 else -distance
    there = order >= 0
    y = np.where(there[..., None], x[order], 0).astype(float)
    size = want if metric == L2 else np.abs(y * q[:, None].astype(float)).sum(2)
    if metric == COSINE:
        both = np.sqrt((y ** 2).sum(2) * (q.astype(float) ** 2).sum(1)[:, None])
        size = size / np.where(both > 0, both, 1)
    off = np.abs(distance[there] - want[there])
    assert (off <= 1e-14 * x.shape[1] * size[there] + 1e-300).all(), name
    assert (distance[~there] == np.inf).all(), name
    assert (distance[:, 1:] >= distance[:, :-1]).all(), name


def test_search():
    for n, nq, d, k in ((300, 3, 5, 10), (260, 20, 17, 12), (400, 9, 8, 150), (4, 9, 4, 10)):
        g = np.random.default_rng(n)
        for name, x, q in sets(g, n, nq, d):
            for metric in (L2, IP, COSINE):
                for skip in (None, np.arange(nq) % n)[metric == COSINE:]:
                    check(name, x, q, k, metric, skip)


def test_rank():
    g = np.random.default_rng(7)
    for name, x, q in sets(g, 300, 6, 9):
        x, q = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(q, np.float32)
        among = np.array([g.permutation(300)[:80] for _ in q])
        among[:, ::7] = -1
        for metric in (L2, IP, COSINE):
            _, order = truth(metric, x, q, 20, among=among)
            for rows in (matrix(x), pulled(x)):
                code, _, label = answers(rows, metric, q, 20, among=among)
                assert code == 0 and (label == order).all(), (name, metric)
    among[2, 3] = 300
    code, *_ = answers(matrix(x), L2, q, 20, among=among)
    assert code != 0 and b"300" in LIB.lbh_last_error()


def test_chunks():
    """A base of several chunks: rows of 65536 numbers are read 1024 at a time. The nearest of a
    query lie in different chunks, some equally far."""
    n, d, nq, k = 2100, 65536, 9, 40
    g = np.random.default_rng(3)
    few = np.rint(g.standard_normal((n, 4)) * 3).astype(np.float32)
    few[:, 3] += 2e7
    q = np.zeros((nq, d), np.float32)
    q[:, :4] = np.rint(g.standard_normal((nq, 4)) * 3)
    q[:, 3] += 2e7

    def read(_, count, ids, to):
        ctypes.memset(to, 0, 4 * d * count)
        for i in range(count):
            ctypes.memmove(ctypes.addressof(to.contents) + 4 * i * d, few[ids[i]].ctypes.data, 16)
        return 0
    rows, seen, stop = Rows(n, d, None, None), [], False
    keep = READ(read)
    rows.read = ctypes.cast(keep, ctypes.c_void_p)
    watch = PROGRESS(lambda _, name, step, steps, loss: seen.append((name, step, steps)) or stop)
    LIB.lbh_on_progress(watch, None)
    for metric in (L2, IP):
        code, _, label = answers(rows, metric, q, k)
        _, order = truth(metric, few, q[:, :4], k)
        assert code == 0 and (label == order).all(), metric
    assert {(name, steps) for name, _, steps in seen} == {(b"exact search", nq * n)}, seen
    assert max(step for _, step, _ in seen) in (9 * 2048, nq * n), seen
    stop = True
    assert answers(rows, L2, q, k)[0] == -7 and b"exact search" in LIB.lbh_last_error()
    LIB.lbh_on_progress(ctypes.cast(None, PROGRESS), None)


def test_refusals():
    x, q = np.ones((50, 3), np.float32), np.ones((30, 3), np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        for nq in (1, 30):
            y = x.copy()
            y[17, 1] = bad
            for metric in (L2, IP):
                code, *_ = answers(matrix(y), metric, q[:nq], 5)
                assert code == -1 and b"row 17 " in LIB.lbh_last_error(), LIB.lbh_last_error()
        z = q.copy()
        z[4, 2] = bad
        code, *_ = answers(matrix(x), L2, z, 5)
        assert code == -1 and b"query 4 " in LIB.lbh_last_error()
    for metric, k, what in ((3, 5, b"metric (3)"), (-1, 5, b"metric (-1)"), (L2, 0, b"k (0)")):
        label = np.empty((30, 5), np.int64)
        rows = matrix(x)
        code = LIB.lbh_exact_search(ctypes.byref(rows), metric, ctypes.c_int64(30), pointer(q), None,
                                    ctypes.c_int64(k), None, pointer(label))
        assert code == -1 and what in LIB.lbh_last_error()
    empty = matrix(x[:0])
    code, distance, label = answers(empty, IP, q, 2)
    assert code == 0 and (label == -1).all() and (distance == -np.inf).all()


for test in (test_search, test_rank, test_chunks, test_refusals):
    test()
    print("passed", test.__name__)
