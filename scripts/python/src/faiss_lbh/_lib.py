"""The shared libraries: where they lie, their functions, their errors, calls that can be interrupted."""
from __future__ import annotations

import ctypes
import os
import re
import threading
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_void_p
from typing import Any, Callable, Dict, List, Optional, Tuple

__all__ = ["Error", "InvalidArgument", "NotTrained", "FileError", "Cancelled"]

#: progress(what, step, steps, loss); a true result stops the call.
Progress = Callable[[str, int, int, float], Any]


class Error(RuntimeError):
    """What the library refused or could not do, in its own words.

    Attributes
    ----------
    code : int
        The library's error code, below 0 (``LBH_E...`` of its C header).

    Examples
    --------
    >>> import faiss_lbh
    >>> try:
    ...     faiss_lbh.Encoder.load("there-is-no-such-file.lbh")
    ... except faiss_lbh.Error as error:
    ...     print(error.code)
    -3
    """

    code = 0


class InvalidArgument(Error, ValueError):
    """An argument, an option or the data are wrong.

    Examples
    --------
    >>> import faiss_lbh
    >>> faiss_lbh.Encoder("sgh", 64, stepz=3)
    Traceback (most recent call last):
    ...
    faiss_lbh.InvalidArgument: sgh: there is no option "stepz"; method_options() lists them
    """


class NotTrained(Error, ValueError, AttributeError):
    """The call does not fit the state: something is not trained yet, or is trained already.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> faiss_lbh.Encoder("itq", 8).encode(numpy.zeros((1, 8)))
    Traceback (most recent call last):
    ...
    faiss_lbh.NotTrained: itq: the encoder is not trained; call fit or train first
    """


class FileError(Error, OSError):
    """A file cannot be read or written, is damaged, or is not what it should be.

    Examples
    --------
    >>> import faiss_lbh
    >>> try:
    ...     faiss_lbh.Index.from_bytes(b"nonsense")
    ... except faiss_lbh.FileError as error:
    ...     print(error)
    pipeline in memory: this is no pipeline of faiss-lbh
    """


class OutOfMemory(Error, MemoryError):
    """There is no memory for it.

    Examples
    --------
    >>> import faiss_lbh
    >>> issubclass(faiss_lbh.OutOfMemory, MemoryError)
    True
    """


class Cancelled(Error):
    """A progress function asked to stop; the object is as it was before the call.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> enc = faiss_lbh.Encoder("sgh", 8)
    >>> try:
    ...     enc.train(numpy.eye(50), progress=lambda what, step, steps, loss: True)
    ... except faiss_lbh.Cancelled:
    ...     print(enc.is_trained)
    False
    """


_OK, _EINVAL, _ECANCELLED = 0, -1, -7
_PIECE = 1 << 24  # bytes that are copied within some milliseconds
_KINDS: Dict[int, type] = {-1: InvalidArgument, -2: OutOfMemory, -3: FileError, -4: FileError, -5: NotTrained,
                           -7: Cancelled}
for _kind in (Error, InvalidArgument, NotTrained, FileError, OutOfMemory, Cancelled):
    _kind.__module__ = "faiss_lbh"


# ---- Structures and signatures -----------------------------------------------------------------

class Param(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_double), ("min", c_double), ("max", c_double),
                ("integer", c_int), ("choices", c_char_p), ("doc", c_char_p)]


class Rows(ctypes.Structure):
    _fields_ = [("n", c_int64), ("d", c_int), ("read", c_void_p), ("ctx", c_void_p)]


class Lists(ctypes.Structure):
    _fields_ = [("n", c_int64), ("nitems", c_int64), ("start", c_void_p), ("item", c_void_p)]


class RangeResult(ctypes.Structure):
    _fields_ = [("n", c_int64), ("lims", POINTER(c_int64)), ("distances", POINTER(c_int32)),
                ("labels", POINTER(c_int64))]


class CodeList(ctypes.Structure):
    _fields_ = [("n", c_int64), ("codes", c_void_p), ("ids", c_void_p)]


class Layers(ctypes.Structure):
    _fields_ = [("nlayers", c_int), ("metric", c_int), ("width", c_int * 5), ("W", c_void_p * 4), ("b", c_void_p * 4),
                ("U", c_void_p), ("c", c_void_p)]


class MihStats(ctypes.Structure):
    _fields_ = [(name, c_int64) for name in ("queries", "scanned", "buckets", "candidates", "checked")]


class Mask(ctypes.Structure):
    _fields_ = [("first", c_int64), ("n", c_int64), ("data", c_void_p)]


class Members(ctypes.Structure):
    _fields_ = [("n", c_int64), ("data", c_void_p)]


_P, _N, _OUT = c_void_p, c_int64, POINTER(c_void_p)
_SIZE = POINTER(c_size_t)
# name: (result, arguments); a result c_int is an error code, c_size_t a number. "lbh_" goes before.
_PLUGIN: Dict[str, Tuple[Any, ...]] = {
    "version": (c_char_p,), "last_error": (c_char_p,), "isa": (c_char_p,), "free": (None, _P),
    "method_count": (c_size_t,), "method_name": (c_char_p, c_int), "method_summary": (c_char_p, c_char_p),
    "method_cite": (c_char_p, c_char_p), "method_needs_labels": (c_size_t, c_char_p),
    "method_param": (c_int, POINTER(Param), c_char_p, c_int),
    "on_progress": (None, _P, _P), "set_num_threads": (c_int, c_int), "num_threads": (c_size_t,),
    "codes_reverse_bits": (c_int, _N, c_size_t, _P),
    "labels_read": (c_int, _N, _N, _P, c_int, POINTER(c_int), _P, _P),
    "encoder_new": (c_int, _OUT, c_char_p, c_int, c_int), "encoder_free": (None, _P),
    "encoder_set": (c_int, _P, c_char_p), "encoder_get_value": (c_int, _P, c_char_p, POINTER(c_double)),
    "encoder_checkpoint": (c_int, _P, c_char_p, c_double),
    "encoder_train_rows": (c_int, _P, POINTER(Rows), POINTER(Lists), POINTER(Lists)),
    "encoder_set_note": (c_int, _P, c_char_p, c_char_p), "encoder_note": (c_char_p, _P, c_char_p),
    "encoder_method": (c_char_p, _P), "encoder_d": (c_size_t, _P), "encoder_nbits": (c_size_t, _P),
    "encoder_is_trained": (c_size_t, _P), "encoder_n_train": (c_int64, _P),
    "encoder_digest": (ctypes.c_uint64, _P),
    "encoder_encode": (c_int, _P, _N, _P, _P), "encoder_encode_queries": (c_int, _P, _N, _P, _P),
    "encoder_encode_u8": (c_int, _P, _N, _P, _N, _P),
    "encoder_encode_queries_u8": (c_int, _P, _N, _P, _N, _P),
    "encoder_encode_refined": (c_int, _P, _N, _P, c_int, _P),
    "encoder_project": (c_int, _P, _N, _P, _P), "encoder_project_queries": (c_int, _P, _N, _P, _P),
    "encoder_linear": (c_int, _P, _P, _P), "encoder_decoder": (c_int, _P, _P, _P),
    "encoder_decode": (c_int, _P, _N, _P, _P), "encoder_nclasses": (c_size_t, _P, POINTER(c_int)),
    "encoder_class_scores": (c_int, _P, _N, _P, _P), "encoder_classify": (c_int, _P, _N, _P, _P),
    "encoder_search_decoded": (c_int, _P, c_int, _N, _P, _N, _P, _N, _P, _P),
    "encoder_from_layers": (c_int, _OUT, POINTER(Layers)),
    "rescorer_new": (c_int, _OUT, _P, c_int, c_int, _P), "rescorer_free": (None, _P),
    "rescorer_rank": (c_int, _P, _N, _P, _N, _P, _P, _N, _N, _P, _P),
    "encoder_best_rescore": (c_size_t, _P),
    "encoder_save": (c_int, _P, c_char_p), "encoder_load": (c_int, _OUT, c_char_p),
    "encoder_save_memory": (c_int, _P, _OUT, _SIZE),
    "encoder_load_memory": (c_int, _OUT, c_char_p, c_size_t),
    "hamming_search": (c_int, _N, _P, _N, _P, c_size_t, _N, _P, _P),
    "hamming_range": (c_int, POINTER(POINTER(RangeResult)), _N, _P, _N, _P, c_size_t, c_int32),
    "hamming_search_lists": (c_int, _N, _P, c_size_t, _N, _P, _N, POINTER(CodeList), _N, _P, _P),
    "hamming_range_lists": (c_int, POINTER(POINTER(RangeResult)), _N, _P, c_size_t, _N, _P, _N,
                            POINTER(CodeList), c_int32),
    "range_result_free": (None, POINTER(RangeResult)),
    "mih_build": (c_int, _OUT, c_size_t, _N, _P, _P, c_int), "mih_free": (None, _P),
    "mih_add": (c_int, _P, _N, _P, _P), "mih_ntotal": (c_int64, _P), "mih_code_size": (c_size_t, _P),
    "mih_substrings": (c_size_t, _P), "mih_bytes": (c_size_t, _P),
    "mih_search": (c_int, _P, _N, _P, _N, _P, _P, POINTER(MihStats)),
    "mih_range": (c_int, POINTER(POINTER(RangeResult)), _P, _N, _P, c_int32, POINTER(MihStats)),
    "mih_save": (c_int, _P, c_char_p), "mih_load": (c_int, _OUT, c_char_p), "mih_verify": (c_int, _P),
}
_FAISS: Dict[str, Tuple[Any, ...]] = {
    "faiss_version": (c_char_p,), "index_free": (None, _P),
    "index_save_memory": (c_int, _P, _OUT, _SIZE), "index_load_memory": (c_int, _OUT, c_char_p, c_size_t),
    "pipeline_new": (c_int, _OUT, c_int, c_char_p, c_int),
    "pipeline_new_with_encoder": (c_int, _OUT, _P, c_char_p, c_int), "pipeline_free": (None, _P),
    "pipeline_take_index": (c_int, _P, _OUT),
    "pipeline_train_rows": (c_int, _P, POINTER(Rows), POINTER(Lists), POINTER(Lists)),
    "pipeline_add_rows": (c_int, _P, POINTER(Rows), _P),
    "pipeline_add": (c_int, _P, _N, _P), "pipeline_add_with_ids": (c_int, _P, _N, _P, _P),
    "pipeline_remove_ids": (c_int, _P, _N, _P, POINTER(c_int64)), "pipeline_reset": (c_int, _P),
    "pipeline_search_with": (c_int, _P, c_char_p, _P, _P, _N, _P, _N, _P, _P),
    "pipeline_range_search": (c_int, POINTER(POINTER(RangeResult)), _P, _N, _P, c_int32),
    "pipeline_reconstruct": (c_int, _P, _N, _P), "pipeline_set": (c_int, _P, c_char_p),
    "pipeline_parameters": (c_int, _P, c_char_p, c_size_t), "pipeline_factory": (c_char_p, _P),
    "pipeline_d": (c_size_t, _P), "pipeline_metric": (c_size_t, _P), "pipeline_ntotal": (c_int64, _P),
    "pipeline_is_trained": (c_size_t, _P), "pipeline_encoder": (_P, _P), "pipeline_index": (_P, _P),
    "pipeline_save": (c_int, _P, c_char_p), "pipeline_load": (c_int, _OUT, c_char_p),
    "pipeline_load_mapped": (c_int, _OUT, c_char_p),
    "pipeline_save_memory": (c_int, _P, _OUT, _SIZE),
    "pipeline_load_memory": (c_int, _OUT, c_char_p, c_size_t),
    "export_faiss": (c_int, _P, c_char_p, c_char_p, POINTER(Rows), c_char_p),
}


# ---- Loading -----------------------------------------------------------------------------------

def _candidates(file: str) -> List[str]:
    """Beside this file (installed), or in the build tree that LBH_LIBRARY names."""
    named = os.environ.get("LBH_LIBRARY")
    places = [named] if named else [os.path.dirname(os.path.abspath(__file__))]
    return [os.path.join(place, sub, file) for place in places for sub in ("", "plugin", "c_api", "lib", "python")]


def _open(name: str) -> ctypes.CDLL:
    for path in _candidates(name):
        if os.path.exists(path):
            return ctypes.CDLL(path)
    raise ImportError(f"faiss_lbh is not whole: {name} is in none of {', '.join(_candidates(name))}")


def _declare(library: ctypes.CDLL, signatures: Dict[str, Tuple[Any, ...]]) -> None:
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, "lbh_" + name)
        function.restype, function.argtypes = result, arguments


def _load() -> Tuple[ctypes.CDLL, ctypes.CDLL, ctypes.CDLL]:
    """Threads that wait do not spin: where cores are shared, that costs many times the work. OpenMP reads
    this when it is loaded, so the variables are set for that moment only."""
    added = {name: value for name, value in (("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "5000"))
             if name not in os.environ}
    os.environ.update(added)
    try:
        plugin, faiss, callbacks = (_open(f"{name}.so") for name in ("liblbh", "liblbh_faiss", "_callbacks"))
    finally:
        for name in added:
            del os.environ[name]
    _declare(plugin, _PLUGIN)
    _declare(faiss, _FAISS)
    return plugin, faiss, callbacks


plugin, faiss_library, _callbacks = _load()


def address(name: str) -> int:
    """Of a function of _callbacks.c."""
    return ctypes.cast(getattr(_callbacks, "faiss_lbh_" + name), c_void_p).value or 0


_PROGRESS, READ = address("progress"), address("read")


class Handle:
    """An object of the library, freed with the last reference to it: whoever works with it has one, so that
    nothing is freed under a call in another thread."""

    def __init__(self, kind: str):
        library = plugin if kind in ("encoder", "mih", "rescorer") else faiss_library
        self.pointer = c_void_p()
        self._free = getattr(library, f"lbh_{kind}_free")

    @property
    def _as_parameter_(self) -> c_void_p:  # what ctypes hands to C
        return self.pointer

    @property
    def out(self) -> Any:
        """For functions that make one."""
        return ctypes.byref(self.pointer)

    def __del__(self) -> None:
        if self.pointer:
            self._free(self.pointer)


# ---- Calls -------------------------------------------------------------------------------------

_threads: Optional[int] = None
_thread = threading.local()


def set_num_threads(n: int) -> None:
    """Sets how many threads a call of this package uses at most, from whichever Python thread it is called.

    Parameters
    ----------
    n : int
        At least 1. At first it is the number of processors, or ``OMP_NUM_THREADS``. Small work takes fewer.

    Examples
    --------
    >>> import faiss_lbh
    >>> before = faiss_lbh.get_num_threads()
    >>> faiss_lbh.set_num_threads(1)
    >>> faiss_lbh.get_num_threads()
    1
    >>> faiss_lbh.set_num_threads(before)
    """
    global _threads
    check(plugin.lbh_set_num_threads(int(n)))
    _threads = _thread.n = int(n)


def get_num_threads() -> int:
    """How many threads a call of this package uses at most.

    Returns
    -------
    int

    Examples
    --------
    >>> import faiss_lbh
    >>> faiss_lbh.get_num_threads() >= 1
    True
    """
    return _threads if _threads is not None else int(plugin.lbh_num_threads())


def check(code: int) -> None:
    """Raises the error that a code stands for."""
    if code == _OK:
        return
    text = plugin.lbh_last_error().decode(errors="replace")
    text = re.sub(r" ?\(lbh_\w+\)", "", text)  # which C function to call helps nobody here
    text = text.replace("`lbh methods`", "method_options()" if "option" in text else "methods()")
    if code == -5 and "not trained" in text and "before" not in text:
        text += "; call fit or train first"
    error = _KINDS.get(code, Error)(text)
    error.code = code  # type: ignore[attr-defined]
    raise error


def use_threads() -> None:
    """Makes the number of :func:`set_num_threads` that of this thread; for calls that are not by :func:`call`."""
    if _threads is not None and getattr(_thread, "n", None) != _threads:
        plugin.lbh_set_num_threads(_threads)
        _thread.n = _threads


def call(function: Any, *arguments: Any, progress: Optional[Progress] = None,
         kept: Optional[List[Any]] = None) -> None:
    """Runs a function of the library that may take long. Signals are handled meanwhile: what a handler, the
    progress function, or the function that C calls (kept[1], see _callbacks.c) raises is raised from here."""
    use_threads()
    kept = [None, None] if kept is None else kept
    kept[0] = progress
    plugin.lbh_on_progress(_PROGRESS, id(kept))
    try:
        code = function(*arguments)
    finally:
        plugin.lbh_on_progress(None, None)
    for raised in kept[2:]:
        raise raised
    check(code)


def keep_checkpoint(encoder: Any, path: Any, seconds: float) -> None:
    """The training of an encoder is to keep its state in a file."""
    check(plugin.lbh_encoder_checkpoint(encoder, os.fsencode(path), float(seconds)))


# CPython's own way to make bytes that are filled afterwards.
_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.restype, _new_bytes.argtypes = ctypes.py_object, [c_void_p, ctypes.c_ssize_t]
_address_of = ctypes.pythonapi.PyBytes_AsString
_address_of.restype, _address_of.argtypes = c_void_p, [ctypes.py_object]


def _copied(at: int, size: int) -> bytes:
    """Bytes out of memory. They are filled a piece at a time, between two of which Python looks for signals."""
    data = _new_bytes(None, size)
    to = _address_of(data)
    for first in range(0, size, _PIECE):
        ctypes.memmove(to + first, at + first, min(_PIECE, size - first))
    return data  # type: ignore[no-any-return]


def take_bytes(function: Any, handle: Any) -> bytes:
    """What a ..._save_memory function hands out."""
    data, size = c_void_p(), c_size_t()
    call(function, handle, ctypes.byref(data), ctypes.byref(size))
    try:
        return _copied(data.value or 0, size.value)
    finally:
        plugin.lbh_free(data)
