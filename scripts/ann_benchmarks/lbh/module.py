"""faiss-lbh in ann-benchmarks and VIBE: learned binary codes, searched by Hamming distance in a FAISS index and
ranked again by the vectors, by margins, or by the decoder; and sets of bits, searched as they are. Over the
package faiss_lbh (pip install faiss-lbh); no FAISS module."""
import hashlib
import os
import tempfile
import time

import faiss_lbh
import numpy as np

try:
    from ..base.module import BaseANN  # of ann_benchmarks.algorithms, or vibe.algorithms
except ImportError:  # ann-benchmarks' layout before 2023
    from ann_benchmarks.algorithms.base import BaseANN

# The runner's distances and ours. Angular and cosine: vectors are brought to length 1, where all orders are
# one; "normalized" ones have it.
_METRICS = {"euclidean": "l2", "angular": "unit", "cosine": "unit", "normalized": "l2", "ip": "ip"}
_EFFORT = {"BIVF": "nprobe", "BHNSW": "efSearch", "BHash": "nflip"}


def _strip(ids):
    """Missing answers are -1, which the runner would take for the last row."""
    return ids[ids >= 0]


def _trained(method, nbits, metric, options, X):
    """(encoder, seconds that its training took): one training serves all groups that have the same encoder on
    the same data, though the runner starts a process for each."""
    sample = np.ascontiguousarray(X[:: max(1, len(X) // 1000)])
    key = repr((faiss_lbh.__version__, method, nbits, metric, sorted(options.items()), X.shape, str(X.dtype)))
    name = hashlib.sha256(key.encode() + sample.tobytes()).hexdigest()[:32]
    directory = os.environ.get("LBH_ENCODERS") or \
        os.path.join(tempfile.gettempdir(), f"faiss-lbh-encoders-{os.getuid()}")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, name + ".lbh")
    if os.path.exists(path):
        encoder = faiss_lbh.Encoder.load(path)
        return encoder, float(encoder.notes.get("seconds", "0"))
    start = time.perf_counter()
    encoder = faiss_lbh.Encoder(method, nbits, metric=metric, **options).fit(X)
    seconds = time.perf_counter() - start
    encoder.notes["seconds"] = repr(seconds)
    encoder.save(path)  # whole or not at all, whoever else does the same
    return encoder, seconds


class LBH(BaseANN):
    """Float vectors. index: BFlat, BIVF256, ...; store: RFlat or RSQ8 to rank by the vectors, "" to keep none;
    options of the method, as "name=value,...". """

    def __init__(self, metric, method, nbits, index, store="RFlat", options=""):
        if metric not in _METRICS:
            raise NotImplementedError(f"lbh has no distance {metric}")
        self._unit, self._metric = _METRICS[metric] == "unit", "ip" if metric == "ip" else "l2"
        self._method, self._nbits, self._index, self._store = method.lower(), nbits, index, store
        self._options = dict(part.split("=") for part in options.split(",") if part)
        self._name = f"{method}{nbits}{f'({options})' if options else ''},{index}{store and ','}{store}"
        self._parameters, self._made, self._kilobytes, self._seconds = {}, None, 0, 0.0

    def _prepare(self, x):
        x = np.ascontiguousarray(x, np.float32)
        if self._unit:
            length = np.linalg.norm(x, axis=-1, keepdims=True)
            x = x / np.where(length > 0, length, 1)
        return x

    def fit(self, X):
        X = self._prepare(X)
        encoder, self._seconds = _trained(self._method, self._nbits, self._metric, self._options, X)
        string = self._index + (self._store and "," + self._store)
        self._made = faiss_lbh.Index(encoder, string, metric=self._metric).train(X).add(X)
        width = {"RFlat": 4, "RSQ8": 1}.get(self._store, 0)
        self._kilobytes = len(X) * (encoder.code_size + width * X.shape[1]) / 1024
        self._made.set(**self._parameters)

    def set_query_arguments(self, k_factor, effort=None, rescore=None):
        """k_factor: candidates for each answer. effort: nprobe, efSearch or nflip of the index (None or 0:
        it has none). rescore: margin or decoder; else by the vectors."""
        self._parameters = {"k_factor": k_factor}
        for kind, name in _EFFORT.items():
            if effort is not None and self._index.startswith(kind):
                self._parameters[name] = effort
        if rescore:
            self._parameters["rescore"] = rescore
        if self._made:
            self._made.set(**self._parameters)

    def query(self, v, n):
        return _strip(self._made.search(self._prepare(v), n)[1])

    def batch_query(self, X, n):
        self._batch = self._made.search(self._prepare(X), n)[1]

    def get_batch_results(self):
        return [_strip(ids) for ids in self._batch]

    def get_memory_usage(self):
        """Codes and vectors, in kB; the process has the runner's copies too."""
        return self._kilobytes

    def get_additional(self):
        """The build time has the training in it only where this run trained: here it always is."""
        return {"encoder_seconds": self._seconds}

    def done(self):
        self._made = None

    def __str__(self):
        parameters = "".join(f",{name}={value}" for name, value in self._parameters.items())
        return f"lbh({self._name}{parameters})"


class LBHBits(BaseANN):
    """Sets of bits, as bool or packed eight a byte: the bits are the codes. index: BFlat, MIH (multi-index
    hashing), or BIVF256 and the like."""

    def __init__(self, metric, index):
        if metric != "hamming":
            raise NotImplementedError(f"bits have no distance {metric}")
        self._index, self._kilobytes, self._effort, self._made = index, 0, None, None

    def _codes(self, X):
        X = np.asarray(X)
        if X.dtype == np.uint8 and self._packed:
            return np.ascontiguousarray(X)
        return np.packbits(X.astype(bool), axis=-1, bitorder="little")

    def _rows(self, X):
        """For the kinds that are FAISS's: the bits as numbers, of which an encoder makes the same bits."""
        return np.unpackbits(self._codes(X), axis=-1, bitorder="little")

    def fit(self, X):
        X = np.asarray(X)
        self._packed = X.dtype == np.uint8 and X.size > 0 and X.max() > 1
        codes = self._codes(X)
        self._kilobytes = codes.size / 1024
        if self._index in ("BFlat", "MIH"):
            self._made = {"BFlat": faiss_lbh.HammingIndex, "MIH": faiss_lbh.MultiIndexHash}[self._index](codes)
            return
        d = 8 * codes.shape[1]
        encoder = faiss_lbh.from_linear(np.eye(d), np.full(d, -0.5))
        self._made = faiss_lbh.Index(encoder, self._index)
        rows = self._rows(X)
        self._made.train(rows).add(rows)

    def set_query_arguments(self, effort):
        """nprobe, efSearch or nflip."""
        self._effort = effort
        for kind, name in _EFFORT.items():
            if self._index.startswith(kind):
                self._made.set(**{name: effort})

    def _search(self, X, n):
        queries = self._rows(X) if isinstance(self._made, faiss_lbh.Index) else self._codes(X)
        return self._made.search(queries, n)[1]

    def query(self, v, n):
        return _strip(self._search(v, n))

    def batch_query(self, X, n):
        self._batch = self._search(X, n)

    def get_batch_results(self):
        return [_strip(ids) for ids in self._batch]

    def get_memory_usage(self):
        return self._kilobytes

    def done(self):
        self._made = None

    def __str__(self):
        effort = "" if self._effort is None else f",{self._effort}"
        return f"lbh({self._index}{effort})"
