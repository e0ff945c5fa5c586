"""lbh: learned binary hashing from Python. One file over liblbh and liblbh_faiss; needs numpy only.

    import lbh
    enc = lbh.Encoder("sgh", d=128, nbits=64, steps=5000).train(base)   # base: (n, 128) numbers
    codes = enc.encode(base)                                           # (n, 8) uint8
    enc.save("my.lbh")
    index = lbh.build_index(enc, "BIVF1024", base)                     # a faiss.IndexBinary
    distances, ids = index.search(enc.encode_queries(queries), 10)

Arrays of any number type are taken; what is not C-ordered float32 is converted block by block, so
that a numpy.memmap larger than memory works. Errors of the library are lbh.Error with the library's
text; bad arguments are ValueError too.

The libraries are looked for at $LBH_LIBRARY (a file or a directory), beside this file, in the build
directory of this source tree, and where the system keeps libraries. OMP_WAIT_POLICY=passive and
GOMP_SPINCOUNT=5000, set before Python starts, keep waiting threads from spinning where cores are
shared.
"""
import ctypes
import ctypes.util
import os
import tempfile
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_void_p

import numpy as np

__all__ = ["Encoder", "Pipeline", "Error", "InvalidArgument", "Cancelled", "build_index", "faiss_version",
           "methods", "method_options", "reverse_bits", "version"]

_EINVAL, _ECANCELLED = -1, -7
_BLOCK_BYTES = 1 << 24  # of floats at a time, where arrays are converted


class Error(RuntimeError):
    """The library's own words; .code is its error code (LBH_E...)."""
    code = 0


class InvalidArgument(Error, ValueError):
    """LBH_EINVAL: an argument, an option or the data are wrong."""


class Cancelled(Error):
    """LBH_ECANCELLED: the progress callback asked to stop."""


# ---- The libraries -----------------------------------------------------------------------------

class _Param(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_double), ("min", c_double), ("max", c_double),
                ("integer", c_int), ("choices", c_char_p), ("doc", c_char_p)]


class _Rows(ctypes.Structure):
    pass


_READ = ctypes.CFUNCTYPE(c_int, POINTER(_Rows), c_int64, POINTER(c_int64), POINTER(c_float))
_Rows._fields_ = [("n", c_int64), ("d", c_int), ("read", _READ), ("ctx", c_void_p)]
_PROGRESS = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_int64, c_int64, c_double)


class _Lists(ctypes.Structure):
    _fields_ = [("n", c_int64), ("nitems", c_int64), ("start", c_void_p), ("item", c_void_p)]


_ENC, _N, _DATA = c_void_p, c_int64, c_void_p
_SIGNATURES = {  # name: (result or int, arguments); an int result is an error code
    "version": (c_char_p,), "last_error": (c_char_p,), "method_count": (c_size_t,),
    "method_name": (c_char_p, c_int), "method_summary": (c_char_p, c_char_p),
    "method_needs_labels": (c_size_t, c_char_p),
    "method_param": (c_int, POINTER(_Param), c_char_p, c_int),
    "codes_reverse_bits": (c_int, _N, c_size_t, _DATA),
    "encoder_new": (c_int, POINTER(c_void_p), c_char_p, c_int, c_int),
    "encoder_free": (None, _ENC), "encoder_set": (c_int, _ENC, c_char_p),
    "encoder_get_value": (c_int, _ENC, c_char_p, POINTER(c_double)),
    "encoder_on_progress": (None, _ENC, _PROGRESS, c_void_p),
    "encoder_checkpoint": (c_int, _ENC, c_char_p, c_double),
    "encoder_train_rows": (c_int, _ENC, POINTER(_Rows), POINTER(_Lists), POINTER(_Lists)),
    "encoder_method": (c_char_p, _ENC), "encoder_d": (c_size_t, _ENC),
    "encoder_nbits": (c_size_t, _ENC), "encoder_is_trained": (c_size_t, _ENC),
    "encoder_n_train": (c_int64, _ENC), "encoder_digest": (ctypes.c_uint64, _ENC),
    "encoder_encode": (c_int, _ENC, _N, _DATA, _DATA),
    "encoder_encode_queries": (c_int, _ENC, _N, _DATA, _DATA),
    "encoder_encode_refined": (c_int, _ENC, _N, _DATA, c_int, _DATA),
    "encoder_project": (c_int, _ENC, _N, _DATA, _DATA),
    "encoder_linear": (c_int, _ENC, _DATA, _DATA), "encoder_decoder": (c_int, _ENC, _DATA, _DATA),
    "encoder_decode": (c_int, _ENC, _N, _DATA, _DATA),
    "encoder_nclasses": (c_size_t, _ENC, POINTER(c_int)),
    "encoder_class_scores": (c_int, _ENC, _N, _DATA, _DATA),
    "encoder_classify": (c_int, _ENC, _N, _DATA, _DATA),
    "encoder_search_decoded": (c_int, _ENC, c_int, _N, _DATA, _N, _DATA, _N, _DATA, _DATA),
    "encoder_save": (c_int, _ENC, c_char_p), "encoder_load": (c_int, POINTER(c_void_p), c_char_p),
    "encoder_load_memory": (c_int, POINTER(c_void_p), c_char_p, c_size_t),
}
_FAISS_SIGNATURES = {
    "faiss_version": (c_char_p,), "index_free": (None, c_void_p),
    "index_new": (c_int, POINTER(c_void_p), c_size_t, c_char_p),
    "index_build_codes": (c_int, POINTER(c_void_p), c_size_t, c_char_p, _N, _DATA),
    "index_set": (c_int, c_void_p, c_char_p), "index_save": (c_int, c_void_p, c_char_p),
    "index_search_codes": (c_int, c_void_p, c_size_t, _N, _DATA, _N, _DATA, _DATA),
    "index_accelerate": (c_int, POINTER(c_void_p)),
    "pipeline_new": (c_int, POINTER(c_void_p), c_size_t, c_char_p, c_size_t),
    "pipeline_free": (None, c_void_p), "pipeline_d": (c_size_t, c_void_p),
    "pipeline_ntotal": (c_int64, c_void_p), "pipeline_set": (c_int, c_void_p, c_char_p),
    "pipeline_train": (c_int, c_void_p, _N, _DATA), "pipeline_add": (c_int, c_void_p, _N, _DATA),
    "pipeline_search": (c_int, c_void_p, _N, _DATA, _N, _DATA, _DATA),
    "pipeline_save": (c_int, c_void_p, c_char_p),
    "pipeline_load": (c_int, POINTER(c_void_p), c_char_p),
    "export_faiss": (c_int, _ENC, c_char_p, c_char_p, POINTER(_Rows), c_char_p),
}


def _candidates(name):
    file = f"lib{name}.so"
    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.environ["LBH_LIBRARY"]] if os.environ.get("LBH_LIBRARY") else \
        [here, os.path.join(here, "..", "..", "build"), os.path.join(here, "..", "..", "..", "lib")]
    for place in places:
        directory = place if os.path.isdir(place) else os.path.dirname(os.path.abspath(place))
        for sub in "", "plugin", "c_api", "lib":
            for version in "", ".0":
                path = os.path.join(directory, sub, file + version)
                if os.path.exists(path):
                    yield path
    if not os.environ.get("LBH_LIBRARY"):
        yield from filter(None, [ctypes.util.find_library(name), file + ".0"])


def _load(name, signatures):
    tried = []
    for path in _candidates(name):
        try:
            library = ctypes.CDLL(path)
            break
        except OSError as error:
            tried.append(str(error))
    else:
        raise ImportError(f"lib{name}.so is not there: build it (cmake --build build) or name its "
                          f"directory in LBH_LIBRARY. {'; '.join(tried)}".strip())
    for function, (result, *arguments) in signatures.items():
        f = getattr(library, "lbh_" + function)
        f.restype, f.argtypes = result, arguments
        if result is c_int:
            f.errcheck = _check
    return library


_libraries = {}


def _lib():
    if "lbh" not in _libraries:
        _libraries["lbh"] = _load("lbh", _SIGNATURES)
    return _libraries["lbh"]


def _faiss_lib():
    _lib()  # the one that liblbh_faiss will find in the process
    if "lbh_faiss" not in _libraries:
        _libraries["lbh_faiss"] = _load("lbh_faiss", _FAISS_SIGNATURES)
    return _libraries["lbh_faiss"]


def _check(code, function, arguments):
    if code:
        kind = {_EINVAL: InvalidArgument, _ECANCELLED: Cancelled}.get(code, Error)
        error = kind(_lib().lbh_last_error().decode(errors="replace"))
        error.code = code
        raise error
    return code


# ---- Arrays ------------------------------------------------------------------------------------

def _rows(x, d, what="x"):
    """x as a 2-d array of d numbers a row; not copied, not converted."""
    x = np.asanyarray(x)
    if x.ndim != 2 or x.shape[1] != d:
        raise ValueError(f"{what} has the shape {x.shape}; expected (n, {d})")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{what} holds {x.dtype}; expected numbers")
    return x


def _codes(codes, code_size):
    codes = np.asanyarray(codes)
    if codes.ndim != 2 or codes.shape[1] != code_size or codes.dtype != np.uint8:
        raise ValueError(f"codes are {codes.dtype} of the shape {codes.shape}; expected uint8 "
                         f"(n, {code_size})")
    return np.ascontiguousarray(codes)


def _blocks(x):
    """Pieces (first row, C-ordered float32) of x."""
    if x.dtype == np.float32 and x.flags.c_contiguous:
        yield 0, x
        return
    step = max(64, _BLOCK_BYTES // 4 // x.shape[1])
    for i in range(0, len(x), step):
        yield i, np.ascontiguousarray(x[i:i + step], np.float32)


def _order(codes, bit_order):
    if bit_order not in ("lsb", "msb"):
        raise ValueError(f"bit_order ({bit_order!r}) is neither 'lsb' nor 'msb'")
    return reverse_bits(codes) if bit_order == "msb" else codes


def _lists(labels, n, what):
    """(structure, arrays to keep) of a label a row (negative: none), of lists, of a 0/1 matrix."""
    if labels is None:
        return None, None
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu":
        start = np.concatenate([[0], np.cumsum(labels >= 0)])
        return _make_lists(start, labels[labels >= 0], n, what)
    if hasattr(labels, "tocsr"):  # scipy.sparse
        labels = labels.tocsr()
        start, item = labels.indptr, labels.indices
    elif isinstance(labels, np.ndarray) and labels.ndim == 2 and labels.dtype == bool:
        start, item = np.concatenate([[0], np.cumsum(labels.sum(1))]), np.nonzero(labels)[1]
    else:
        parts = [np.atleast_1d(np.asarray(row)) for row in labels]
        if any(part.size and part.dtype.kind not in "iu" for part in parts):
            raise ValueError(f"{what} must be whole numbers")
        parts = [part[part >= 0] if part.size else np.empty(0, np.int64) for part in parts]
        start = np.concatenate([[0], np.cumsum([part.size for part in parts], dtype=np.int64)])
        item = np.concatenate(parts) if parts else np.empty(0)
    return _make_lists(start, item, n, what)


def _make_lists(start, item, n, what):
    start, item = np.ascontiguousarray(start, np.int64), np.ascontiguousarray(item, np.int64)
    if len(start) != n + 1:
        raise ValueError(f"{what} are for {len(start) - 1} rows, x has {n}")
    nitems = n if what == "neighbours" else int(item.max()) + 1 if item.size else 0
    return _Lists(n, nitems, start.ctypes.data, item.ctypes.data), (start, item)


class _Pulled:
    """x as the library's lbh_rows; exceptions of reading are kept for raise_kept()."""

    def __init__(self, x):
        self.x, self.error = x, None
        self.read = _READ(self._read)  # kept alive with self
        self.rows = _Rows(x.shape[0], x.shape[1], self.read, None)

    def _read(self, _, count, ids, to):
        try:
            ids = np.ctypeslib.as_array(ids, (count,))
            np.ctypeslib.as_array(to, (count, self.x.shape[1]))[:] = self.x[ids]
            return 0
        except BaseException as error:  # must not cross C
            self.error = error
            return _EINVAL


# ---- Encoders ----------------------------------------------------------------------------------

class Encoder:
    """Turns rows of d numbers into codes of nbits bits, packed into (nbits + 7) // 8 bytes.

    Options are those of the method (lbh.method_options), by name: numbers, or names of choices;
    preset="..." applies first.
    """

    def __init__(self, method, d, nbits, **options):
        self._handle = c_void_p()
        self._lib = _lib()
        self._lib.lbh_encoder_new(byref(self._handle), str(method).encode(), int(d), int(nbits))
        self._settle()
        options = {**({"preset": options["preset"]} if "preset" in options else {}), **options}
        if options:
            text = ",".join(f"{k}={int(v) if isinstance(v, (bool, np.bool_)) else v}"
                            for k, v in options.items())
            self._lib.lbh_encoder_set(self._handle, text.encode())

    def _settle(self):
        self.method = self._lib.lbh_encoder_method(self._handle).decode()
        self.d = self._lib.lbh_encoder_d(self._handle)
        self.nbits = self._lib.lbh_encoder_nbits(self._handle)
        self.code_size = (self.nbits + 7) // 8

    @classmethod
    def _from(cls, load, *arguments):
        enc = cls.__new__(cls)
        enc._handle, enc._lib = c_void_p(), _lib()
        getattr(enc._lib, load)(byref(enc._handle), *arguments)
        enc._settle()
        return enc

    @classmethod
    def load(cls, path):
        """The encoder in a model file of save() or of `lbh train`."""
        return cls._from("lbh_encoder_load", os.fsencode(path))

    @classmethod
    def from_bytes(cls, data):
        return cls._from("lbh_encoder_load_memory", bytes(data), len(data))

    def __del__(self):
        if getattr(self, "_handle", None):
            self._lib.lbh_encoder_free(self._handle)
            self._handle = None

    def __reduce__(self):
        return Encoder.from_bytes, (self.to_bytes(),)

    def __repr__(self):
        state = f"trained on {self.n_train} rows" if self.is_trained else "untrained"
        return f"<lbh.Encoder {self.method}, {self.d} -> {self.nbits} bits, {state}>"

    @property
    def is_trained(self):
        return bool(self._lib.lbh_encoder_is_trained(self._handle))

    @property
    def n_train(self):
        return self._lib.lbh_encoder_n_train(self._handle)

    @property
    def digest(self):
        """Hash of all that was learned: equal models have equal ones."""
        return self._lib.lbh_encoder_digest(self._handle)

    @property
    def options(self):
        """Values of all options, by name."""
        value, values = c_double(), {}
        for name in method_options(self.method):
            self._lib.lbh_encoder_get_value(self._handle, name.encode(), byref(value))
            values[name] = value.value
        return values

    def train(self, x, labels=None, neighbours=None, progress=None, checkpoint=None, seconds=60):
        """Learns from the rows of x and returns self.

        labels: an integer a row (negative: not labelled), a list of them a row, or a (sparse or
        bool) matrix of rows x classes. neighbours: ids of rows that ought to be near, a list a row.
        progress(method, step, steps, loss) is called now and then; a true result stops the training
        (lbh.Cancelled). checkpoint: a file that keeps the state, written every so many seconds.
        """
        x = _rows(x, self.d)
        pulled, raised = _Pulled(x), []
        label_lists, kept = _lists(labels, len(x), "labels")
        near_lists, kept_too = _lists(neighbours, len(x), "neighbours")

        def report(_, method, step, steps, loss):
            try:  # Ctrl-C arrives here as well
                return int(bool(progress and progress(method.decode(), step, steps, loss)))
            except BaseException as error:
                raised.append(error)
                return 1

        callback = _PROGRESS(report)
        if checkpoint is not None:
            self._lib.lbh_encoder_checkpoint(self._handle, os.fsencode(checkpoint), float(seconds))
        self._lib.lbh_encoder_on_progress(self._handle, callback, None)
        try:
            self._lib.lbh_encoder_train_rows(self._handle, byref(pulled.rows),
                                             label_lists and byref(label_lists),
                                             near_lists and byref(near_lists))
        except Error as error:
            for cause in raised + [pulled.error]:
                if cause is not None:
                    raise cause from error
            raise
        finally:
            self._lib.lbh_encoder_on_progress(self._handle, _PROGRESS(), None)
        del kept, kept_too
        return self

    def _map(self, function, x, width, dtype, *more):
        """function(encoder, n, rows, *more, out) over the blocks of x."""
        x = _rows(x, self.d)
        out = np.empty((len(x), width), dtype)
        for i, block in _blocks(x):
            function(self._handle, len(block), block.ctypes.data, *more, out[i:].ctypes.data)
        return out

    def encode(self, x, refine=0, bit_order="lsb"):
        """Codes of database rows: uint8 (n, code_size).

        refine: search for a code from which the decoder rebuilds the row better, until so many
        flips gained nothing. bit_order: "lsb" as FAISS has it, or "msb" as numpy.packbits, pgvector
        and Vespa have it.
        """
        more = (self._lib.lbh_encoder_encode_refined, int(refine)) if refine else \
            (self._lib.lbh_encoder_encode,)
        return _order(self._map(more[0], x, self.code_size, np.uint8, *more[1:]), bit_order)

    def encode_queries(self, x, bit_order="lsb"):
        """Codes of queries, which differ from those of rows in models for inner products."""
        return _order(self._map(self._lib.lbh_encoder_encode_queries, x, self.code_size, np.uint8),
                      bit_order)

    def project(self, x):
        """The values before the threshold: float32 (n, nbits); bit j is value j >= 0."""
        return self._map(self._lib.lbh_encoder_project, x, self.nbits, np.float32)

    def _of_codes(self, function, codes, shape, dtype):
        codes = _codes(codes, self.code_size)
        out = np.empty((len(codes), *shape), dtype)
        function(self._handle, len(codes), codes.ctypes.data, out.ctypes.data)
        return out

    def decode(self, codes):
        """Vectors rebuilt from codes: float32 (n, d). Error if the method has no decoder."""
        return self._of_codes(self._lib.lbh_encoder_decode, codes, (self.d,), np.float32)

    @property
    def nclasses(self):
        """Classes of the classifier that was learned with the codes; 0 if there is none."""
        return self._lib.lbh_encoder_nclasses(self._handle, None)

    def class_scores(self, codes):
        """float32 (n, nclasses)."""
        return self._of_codes(self._lib.lbh_encoder_class_scores, codes, (self.nclasses,),
                              np.float32)

    def classify(self, codes):
        """The class of highest score of each code: int64 (n,)."""
        return self._of_codes(self._lib.lbh_encoder_classify, codes, (), np.int64)

    def linear(self):
        """(A, b) with bits = [A x + b >= 0]; Error if the encoder is not one linear map."""
        A, b = np.empty((self.nbits, self.d), np.float32), np.empty(self.nbits, np.float32)
        self._lib.lbh_encoder_linear(self._handle, A.ctypes.data, b.ctypes.data)
        return A, b

    def decoder(self):
        """(U, c): the vector of a code is c plus the rows U[j] of its set bits. Error if there is
        none."""
        U, c = np.empty((self.nbits, self.d), np.float32), np.empty(self.d, np.float32)
        self._lib.lbh_encoder_decoder(self._handle, U.ctypes.data, c.ctypes.data)
        return U, c

    def search_decoded(self, codes, queries, k, metric="l2"):
        """The k best codes for each query by the decoder's score: (distances, ids)."""
        metric = {"l2": 0, "ip": 1}.get(metric, -1)
        codes = _codes(codes, self.code_size)
        queries = np.ascontiguousarray(_rows(queries, self.d, "queries"), np.float32)
        distances = np.empty((len(queries), max(int(k), 0)), np.float32)
        ids = np.empty(distances.shape, np.int64)
        self._lib.lbh_encoder_search_decoded(self._handle, metric, len(codes), codes.ctypes.data,
                                             len(queries), queries.ctypes.data, int(k),
                                             distances.ctypes.data, ids.ctypes.data)
        return distances, ids

    def save(self, path):
        """Writes a model file: whole, or not at all."""
        self._lib.lbh_encoder_save(self._handle, os.fsencode(path))

    def to_bytes(self):
        """What save() would write."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "model")
            self.save(path)
            with open(path, "rb") as file:
                return file.read()

    def export_faiss(self, format, path, base=None, **options):
        """Writes "faiss-lsh", "faiss-ivf" or "faiss-aq": a float index that faiss.read_index opens
        without this library. base: rows to put into it. See lbh_export_faiss in lbh_faiss.h."""
        pulled = None if base is None else _Pulled(_rows(base, self.d, "base"))
        text = ",".join(f"{name}={value}" for name, value in options.items())
        try:
            _faiss_lib().lbh_export_faiss(self._handle, format.encode(), text.encode(),
                                          pulled and byref(pulled.rows), os.fsencode(path))
        except Error as error:
            if pulled and pulled.error is not None:
                raise pulled.error from error
            raise


# ---- Pipelines ---------------------------------------------------------------------------------

class Pipeline:
    """Encoder, index and vectors to rescore by under one factory string, as "SGH64,BIVF1024,RFlat";
    see lbh_pipeline.h. Needs no faiss module. metric: "l2" or "ip"."""

    def __init__(self, d, factory, metric="l2"):
        self._handle, self._lib = c_void_p(), _faiss_lib()
        metric = {"l2": 0, "ip": 1}.get(metric, -1)
        if metric < 0:
            raise ValueError("metric is neither 'l2' nor 'ip'")
        self._lib.lbh_pipeline_new(byref(self._handle), int(d), str(factory).encode(), metric)

    @classmethod
    def load(cls, path):
        p = cls.__new__(cls)
        p._handle, p._lib = c_void_p(), _faiss_lib()
        p._lib.lbh_pipeline_load(byref(p._handle), os.fsencode(path))
        return p

    def __del__(self):
        if getattr(self, "_handle", None):
            self._lib.lbh_pipeline_free(self._handle)
            self._handle = None

    @property
    def d(self):
        return self._lib.lbh_pipeline_d(self._handle)

    @property
    def ntotal(self):
        return self._lib.lbh_pipeline_ntotal(self._handle)

    def _floats(self, x):
        return np.ascontiguousarray(_rows(x, self.d), np.float32)

    def train(self, x):
        """Trains what is not trained yet; returns self."""
        x = self._floats(x)
        self._lib.lbh_pipeline_train(self._handle, len(x), x.ctypes.data)
        return self

    def add(self, x):
        """Adds rows; their ids follow those that are there. Returns self."""
        for _, block in _blocks(_rows(x, self.d)):
            self._lib.lbh_pipeline_add(self._handle, len(block), block.ctypes.data)
        return self

    def set(self, **parameters):
        """nprobe, k_factor, rescore, ... of the searches to come; returns self."""
        text = ",".join(f"{name}={value}" for name, value in parameters.items())
        self._lib.lbh_pipeline_set(self._handle, text.encode())
        return self

    def search(self, x, k):
        """(distances, ids) of the k best for each row: float32 and int64, (n, k); id -1 where there
        are fewer."""
        x, k = self._floats(x), int(k)
        distances = np.empty((len(x), max(k, 0)), np.float32)
        ids = np.empty(distances.shape, np.int64)
        self._lib.lbh_pipeline_search(self._handle, len(x), x.ctypes.data, k,
                                      distances.ctypes.data, ids.ctypes.data)
        return distances, ids

    def save(self, path):
        self._lib.lbh_pipeline_save(self._handle, os.fsencode(path))


# ---- Functions ---------------------------------------------------------------------------------

def version():
    return _lib().lbh_version().decode()


def faiss_version():
    """Version of the FAISS inside liblbh_faiss (not of the faiss module)."""
    return _faiss_lib().lbh_faiss_version().decode()


def methods():
    """{name: one line on what it does}."""
    names = [_lib().lbh_method_name(i) for i in range(_lib().lbh_method_count())]
    return {name.decode(): _lib().lbh_method_summary(name).decode() for name in names}


def method_options(method):
    """{name: {"default", "min", "max", "integer", "choices", "doc"}} of a method's options."""
    options, p = {}, _Param()
    if str(method) not in methods():
        raise ValueError(f"there is no method {method!r}; lbh.methods() has them")
    try:
        while True:
            _lib().lbh_method_param(byref(p), str(method).encode(), len(options))
            choices = p.choices.decode().split("|") if p.choices else None
            options[p.name.decode()] = {
                "default": p.value, "min": p.min, "max": p.max, "integer": bool(p.integer),
                "choices": choices, "doc": p.doc.decode()}
    except InvalidArgument:  # past the last one
        return options


def reverse_bits(codes):
    """The codes with the bits of each byte turned round: "lsb" to "msb" order or back. A copy."""
    codes = np.array(codes, order="C")
    if codes.dtype != np.uint8:
        raise ValueError(f"codes are {codes.dtype}; expected uint8")
    _lib().lbh_codes_reverse_bits(codes.size, 1, codes.ctypes.data)
    return codes


def build_index(enc, factory, x=None, codes=None, **parameters):
    """A faiss.IndexBinary (trained, filled) of the codes of the rows x, or of ready codes.

    factory: "BFlat", "BIVF1024", "BIVF1024_HNSW32", "BHNSW32", "BHash16", "BHash4x16", and
    "IDMap2,..." of any of them. parameters: nprobe, nflip, efSearch, ... as the kind has them.
    Needs the faiss module (1.7.3 or later), whose own object is returned.
    """
    import faiss
    if (x is None) == (codes is None):
        raise ValueError("give the rows x or their codes")
    lib, handle = _faiss_lib(), c_void_p()
    if codes is None:
        lib.lbh_index_new(byref(handle), enc.code_size, factory.encode())  # a bad string fails now
        lib.lbh_index_free(handle)
        codes = enc.encode(x)
    codes, handle = _codes(codes, enc.code_size), c_void_p()
    lib.lbh_index_build_codes(byref(handle), enc.code_size, factory.encode(), len(codes),
                              codes.ctypes.data)
    with tempfile.TemporaryDirectory() as directory:  # the way from their FAISS to yours is a file
        path = os.path.join(directory, "index")
        try:
            if parameters:
                text = ",".join(f"{name}={value}" for name, value in parameters.items())
                lib.lbh_index_set(handle, text.encode())
            lib.lbh_index_save(handle, os.fsencode(path))
        finally:
            lib.lbh_index_free(handle)
        return faiss.read_index_binary(path)
