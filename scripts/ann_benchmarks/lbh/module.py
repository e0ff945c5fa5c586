"""faiss-lbh in ann-benchmarks: methods of learned binary codes, searched by Hamming distance in a
FAISS index and ranked again by the vectors. Over lbh.py (on PYTHONPATH, beside this file, or in
the source tree that this file lies in, also behind a symbolic link), so over liblbh and
liblbh_faiss; no FAISS module."""
import ctypes
import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

import numpy as np  # noqa: E402

try:
    from ann_benchmarks.algorithms.base.module import BaseANN
except ImportError:  # its layout before 2023
    from ann_benchmarks.algorithms.base import BaseANN

_here = os.path.dirname(os.path.realpath(__file__))
sys.path += [_here, os.path.join(_here, "..", "..", "python")]
import lbh  # noqa: E402


def _strip(ids):
    """Missing answers are -1, which the runner would take for the last row."""
    return ids[ids >= 0]


class LBH(BaseANN):
    """Float vectors: METHOD BITS , INDEX , RFlat. The runner's distances are Euclidean or angular;
    for the latter all vectors are brought to length 1, where both orders are the same."""

    def __init__(self, metric, method, nbits, index, options=""):
        if metric not in ("euclidean", "angular"):
            raise NotImplementedError(f"lbh has no distance {metric}")
        self._angular, self._index, self._kilobytes = metric == "angular", index, 0
        options = f"({options})" if options else ""
        self._factory = f"{method}{nbits}{options},{index},RFlat"
        self._nbits, self._parameters, self._pipeline = nbits, {}, None

    def _prepare(self, x):
        x = np.ascontiguousarray(x, np.float32)
        if self._angular:
            length = np.linalg.norm(x, axis=1, keepdims=True)
            x = x / np.where(length > 0, length, 1)
        return x

    def fit(self, X):
        X = self._prepare(X)
        self._pipeline = lbh.Pipeline(X.shape[1], self._factory).train(X).add(X)
        self._kilobytes = len(X) * ((self._nbits + 7) // 8 + 4 * X.shape[1]) / 1024
        if self._parameters:
            self._pipeline.set(**self._parameters)

    def set_query_arguments(self, k_factor, effort=None):
        """k_factor: candidates for each answer. effort: nprobe, efSearch or nflip of the index."""
        self._parameters = {"k_factor": k_factor}
        kinds = {"BIVF": "nprobe", "BHNSW": "efSearch", "BHash": "nflip"}
        for kind, name in kinds.items():
            if effort is not None and self._index.startswith(kind):
                self._parameters[name] = effort
        if self._pipeline:
            self._pipeline.set(**self._parameters)

    def query(self, v, n):
        return _strip(self._pipeline.search(self._prepare(v[None]), n)[1][0])

    def batch_query(self, X, n):
        self._batch = self._pipeline.search(self._prepare(X), n)[1]

    def get_batch_results(self):
        return [_strip(ids) for ids in self._batch]

    def get_memory_usage(self):
        """Codes and vectors, in kB; the process has the runner's copies too."""
        return self._kilobytes

    def done(self):
        self._pipeline = None

    def __str__(self):
        parameters = "".join(f",{name}={value}" for name, value in self._parameters.items())
        return f"lbh({self._factory}{parameters})"


class LBHBits(BaseANN):
    """Sets of bits: no encoder, the bits are the codes. Searched by our kernels where there are
    some for the kind of index."""

    def __init__(self, metric, index):
        if metric != "hamming":
            raise NotImplementedError(f"bits have no distance {metric}")
        self._index, self._kilobytes, self._effort = index, 0, None
        self._handle, self._lib = ctypes.c_void_p(), None

    def fit(self, X):
        self._lib = lbh._faiss_lib()
        codes = np.packbits(np.asarray(X, bool), axis=1, bitorder="little")
        self._code_size = codes.shape[1]
        self._lib.lbh_index_build_codes(ctypes.byref(self._handle), self._code_size,
                                        self._index.encode(), len(codes), codes.ctypes.data)
        self._lib.lbh_index_accelerate(ctypes.byref(self._handle))
        self._kilobytes = codes.size / 1024

    def set_query_arguments(self, effort):
        """nprobe, efSearch or nflip."""
        self._effort = effort
        for kind, name in {"BIVF": "nprobe", "BHNSW": "efSearch", "BHash": "nflip"}.items():
            if self._index.startswith(kind):
                self._lib.lbh_index_set(self._handle, f"{name}={effort}".encode())

    def _search(self, X, n):
        codes = np.packbits(np.asarray(X, bool), axis=1, bitorder="little")
        distances = np.empty((len(codes), n), np.int32)
        ids = np.empty((len(codes), n), np.int64)
        self._lib.lbh_index_search_codes(self._handle, self._code_size, len(codes),
                                         codes.ctypes.data, n, distances.ctypes.data,
                                         ids.ctypes.data)
        return ids

    def query(self, v, n):
        return _strip(self._search(v[None], n)[0])

    def batch_query(self, X, n):
        self._batch = self._search(X, n)

    def get_batch_results(self):
        return [_strip(ids) for ids in self._batch]

    def get_memory_usage(self):
        return self._kilobytes

    def done(self):
        if self._handle:
            self._lib.lbh_index_free(self._handle)
            self._handle = ctypes.c_void_p()

    def __str__(self):
        effort = "" if self._effort is None else f",{self._effort}"
        return f"lbh({self._index}{effort})"
