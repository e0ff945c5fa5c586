"""What people have as arrays, made what the library takes."""
from __future__ import annotations

import ctypes
import operator
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from . import _lib

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]
_BLOCK_BYTES = 1 << 24  # at a time, where arrays are converted, and where only Python asks for signals


#: The first byte of a writable array that is C-ordered, to be handed to C by byref().
first: Any = ctypes.c_char.from_buffer


def pointer(x: Any) -> Any:
    """The address of an array for a call, not to be kept, in half the time of x.ctypes.data, which a single query
    would notice."""
    try:
        return ctypes.byref(first(x))
    except (TypeError, ValueError):  # read-only, or empty
        return x.ctypes.data


def plain(x: Any, what: str = "x") -> npt.NDArray[Any]:
    """x as an array, memory-mapped ones as they are; of tensors (on any device, with gradients, of 16
    bits) the values. Masked and sparse ones are refused: they have values that are not there."""
    if type(x) is np.ndarray and x.dtype.kind in "fiub":
        return x
    if hasattr(x, "tocsr"):
        raise TypeError(f"{what} is sparse; a dense array is required")
    if hasattr(x, "detach"):  # PyTorch
        x = x.detach().cpu()
        x = x.float().numpy() if x.is_floating_point() and x.element_size() < 4 else x.numpy()
    x = np.asanyarray(x)
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.getmaskarray(x).any():
            raise ValueError(f"{what} has masked values; fill or drop them")
        x = x.data
    if x.dtype.kind == "O":
        x = x.astype(np.float64)
    if x.dtype.kind == "c":
        raise ValueError(f"{what}: Complex data not supported")
    if x.dtype.kind not in "fiub" and x.dtype.name not in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        raise ValueError(f"{what} holds {x.dtype}; expected numbers")
    if x.dtype.kind not in "fiub":
        x = x.astype(np.float32)
    return x


def rows(x: Any, d: Optional[int], what: str = "x") -> npt.NDArray[Any]:
    """x as a 2-d array of d numbers a row."""
    x = plain(x, what)
    if x.ndim == 1:
        raise ValueError(f"{what} has the shape {x.shape}; expected (n, {d or 'd'}). Reshape your data: "
                         "x[None] is one row")
    if x.ndim != 2:
        raise ValueError(f"{what} has the shape {x.shape}; expected (n, {d or 'd'})")
    if x.shape[1] == 0:
        raise ValueError(f"{what} has 0 feature(s) (shape={x.shape}) while a minimum of 1 is required.")
    if d is not None and x.shape[1] != d:
        raise ValueError(f"{what} has {x.shape[1]} features, but it is expecting {d} features as input")
    return x


def floats(x: Any, d: int, what: str = "x") -> Floats:
    return np.ascontiguousarray(rows(x, d, what), np.float32)


def queries(x: Any, d: int) -> Tuple[Floats, bool]:
    """One query (d numbers) or several, as floats; whether it was one."""
    x = plain(x, "queries")
    single = x.ndim == 1
    return floats(x[None] if single else x, d, "queries"), single


def codes(x: Any, size: Optional[int], what: str = "codes") -> Codes:
    """Packed codes, uint8 (n, size)."""
    x = plain(x, what)
    if x.ndim != 2 or x.dtype != np.uint8 or (size is not None and x.shape[1] != size) or not x.shape[1]:
        raise ValueError(f"{what} are {x.dtype} of the shape {x.shape}; expected uint8 "
                         f"(n, {size or 'bytes'})")
    return np.ascontiguousarray(x)


def ids(x: Any, n: int) -> Ids:
    x = plain(x, "ids")
    if x.dtype.kind not in "iu" or x.shape != (n,):
        raise ValueError(f"ids are {x.dtype} of the shape {x.shape}; expected whole numbers ({n},)")
    if x.dtype.kind == "u" and x.size and x.max() >= 2 ** 63:
        raise ValueError(f"ids must be below 2^63, not {x.max()}")
    return np.ascontiguousarray(x, np.int64)


def some_ids(x: Any) -> Ids:
    """One id, or as many as there are."""
    x = np.atleast_1d(plain(x, "ids"))
    return ids(x if x.size else x.astype(np.int64), len(x))


def whole(x: Any, what: str) -> int:
    """A number that is whole, and not rounded to one."""
    try:
        return operator.index(x)
    except TypeError:
        raise ValueError(f"{what} ({x!r}) must be a whole number") from None


def blocks(x: npt.NDArray[Any]) -> Iterator[Tuple[int, npt.NDArray[Any]]]:
    """Pieces (first row, C-ordered float32 or uint8) of x."""
    if x.dtype in (np.float32, np.uint8) and x.flags.c_contiguous:
        yield 0, x
        return
    step = max(64, _BLOCK_BYTES // 4 // x.shape[1])
    for i in range(0, len(x), step):
        yield i, np.ascontiguousarray(x[i:i + step], np.float32)


def steps(n: int, size: int) -> Iterator[slice]:
    """Pieces of n rows of so many bytes, at least one."""
    step = max(64, _BLOCK_BYTES // max(size, 1))
    for i in range(0, max(n, 1), step):
        yield slice(i, i + step)


def order(packed: Codes, bit_order: str) -> Codes:
    if bit_order not in ("lsb", "msb"):
        raise ValueError(f"bit_order ({bit_order!r}) is neither 'lsb' nor 'msb'")
    return reverse_bits(packed) if bit_order == "msb" else packed


def reverse_bits(codes: Any) -> Codes:
    """The codes with the bits of each byte turned round: from least significant first, as this package and
    FAISS have them, to most significant first, as ``numpy.packbits``, pgvector, Vespa and
    sentence-transformers have them, or back.

    Parameters
    ----------
    codes : array of uint8, any shape

    Returns
    -------
    ndarray of uint8
        A copy.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> faiss_lbh.reverse_bits(numpy.array([[1, 192]], numpy.uint8))
    array([[128,   3]], dtype=uint8)
    """
    out = np.array(codes, order="C")
    if out.dtype != np.uint8:
        raise ValueError(f"codes are {out.dtype}; expected uint8")
    _lib.check(_lib.plugin.lbh_codes_reverse_bits(out.size, 1, out.ctypes.data))
    return out


class Pulled:
    """x as rows that the library pulls, so that x need not fit in memory."""

    def __init__(self, x: npt.NDArray[Any]):
        d = x.shape[1]

        def read(count: int, places: int, to: int) -> None:
            which = np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(places))
            out = np.ctypeslib.as_array((ctypes.c_float * (count * d)).from_address(to)).reshape(count, d)
            first = int(which[0])
            if int(which[-1]) - first == count - 1 and (which[1:] - which[:-1] == 1).all():
                out[:] = x[first:first + count]
            else:
                out[:] = x[which]

        self.kept: List[Any] = [None, read]  # and what it raises
        self.rows = _lib.Rows(x.shape[0], d, _lib.READ, id(self.kept))


_ANY, _LISTS = 0, 4  # LBH_LABELS_*


def _label_array(labels: Any, form: int) -> Tuple[Ids, Ids]:
    """(start, item) of an array of labels, by the library's rule (lbh_labels_read in lbh.h)."""
    labels = plain(labels, "labels")
    if labels.ndim not in (1, 2) or 0 in labels.shape[1:]:
        raise ValueError(f"labels have the shape {labels.shape}; expected one a row, or a matrix")
    limit = 2.0 ** 53 if labels.dtype.kind == "f" else 2 ** 63
    if labels.dtype.kind in "fu" and not ((labels == np.floor(labels)) & (abs(labels) < limit)).all():
        raise ValueError("labels must be whole numbers below 2^63")
    x = np.ascontiguousarray(labels.reshape(len(labels), -1) if labels.size else
                             np.empty((len(labels), 1)), np.int64)
    start, item = np.empty(len(x) + 1, np.int64), np.empty(x.size, np.int64)
    _lib.check(_lib.plugin.lbh_labels_read(
        len(x), x.shape[1], x.ctypes.data, labels.dtype.kind not in "ub",
        ctypes.byref(ctypes.c_int(form)), start.ctypes.data, item.ctypes.data))
    return start, item[:start[-1]]


def _sparse(matrix: Any) -> Tuple[Any, Any]:
    """(start, item) of a scipy.sparse matrix of labels: what it stores is 1, or 0, which is no label."""
    if matrix.ndim != 2:
        raise ValueError(f"a sparse matrix of labels has two axes, not {matrix.ndim}")
    matrix = matrix.tocsr()
    if not np.isin(matrix.data, (0, 1)).all():
        raise ValueError("a sparse matrix of labels holds 0 and 1 only")
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    there = np.unique(np.stack([row, matrix.indices])[:, matrix.data != 0], axis=1)
    return np.searchsorted(there[0], np.arange(matrix.shape[0] + 1)), there[1]


def lists(labels: Any, n: int, what: str) -> Tuple[Optional[_lib.Lists], Any]:
    """(structure, arrays to keep) of labels or neighbours: an array, lists, a sparse matrix."""
    if labels is None:
        return None, None
    if hasattr(labels, "tocsr"):  # scipy.sparse
        return _make_lists(*_sparse(labels), n, what)
    is_array = hasattr(labels, "__array__") or hasattr(labels, "detach")
    labels = labels if is_array else list(labels)
    if what == "labels" and (is_array or all(np.ndim(row) == 0 for row in labels)):
        return _make_lists(*_label_array(labels, _ANY), n, what)
    parts = [np.atleast_1d(np.asarray(row)) for row in (plain(labels, what) if is_array else labels)]
    if any(part.size and part.dtype.kind not in "iu" for part in parts):
        raise ValueError(f"{what} must be whole numbers")
    if what == "labels":
        padded = np.full((len(parts), max([part.size for part in parts] + [1])), -1, np.int64)
        for place, part in zip(padded, parts):
            place[:part.size] = part
        return _make_lists(*_label_array(padded, _LISTS), n, what)
    if any((part < -1).any() for part in parts):
        raise ValueError(f"{what} are numbers of rows, or -1 for none")
    parts = [part[part >= 0] if part.size else np.empty(0, np.int64) for part in parts]
    start = np.concatenate([[0], np.cumsum([part.size for part in parts], dtype=np.int64)])
    return _make_lists(start, np.concatenate(parts) if parts else np.empty(0), n, what)


def _make_lists(start: Any, item: Any, n: int, what: str) -> Tuple[_lib.Lists, Any]:
    start, item = np.ascontiguousarray(start, np.int64), np.ascontiguousarray(item, np.int64)
    if len(start) != n + 1:
        raise ValueError(f"{what} are for {len(start) - 1} rows, x has {n}")
    nitems = n if what == "neighbours" else int(item.max()) + 1 if item.size else 0
    return _lib.Lists(n, nitems, start.ctypes.data, item.ctypes.data), (start, item)


class Filter:
    """Which ids may be answers: the function and its context for the library. A mask is by id; ids are any
    whole numbers; a function gets an id."""

    def __init__(self, allowed: Any):
        self.kept: List[Any] = [None, None]
        if callable(allowed):
            self.kept[1] = allowed
            self.function, self.context = _lib.address("filter"), id(self.kept)
            return
        array = plain(allowed, "filter")
        if array.ndim != 1 or array.dtype.kind not in "biu":
            raise ValueError(f"filter is {array.dtype} of the shape {array.shape}; expected a mask (bool), ids "
                             "(whole numbers) or a function")
        self._structure: Any
        if array.dtype == bool:
            self._array = np.ascontiguousarray(array, np.uint8)
            self._structure = _lib.Mask(0, len(array), self._array.ctypes.data)
            self.function = _lib.address("mask")
        else:
            self._array = np.unique(ids(array, len(array)))
            if len(self._array) < len(array) and self._array[0] >= 0 and self._array[-1] <= 1:
                raise ValueError("filter holds 0 and 1 again and again, as a mask does; x.astype(bool) is one")
            self._structure = _lib.Members(len(self._array), self._array.ctypes.data)
            self.function = _lib.address("member")
        self.context = ctypes.addressof(self._structure)


def assignments(values: Any) -> bytes:
    """name=value,... of options or parameters."""
    def text(v: Any) -> str:
        if isinstance(v, (bool, np.bool_)):
            return str(int(v))
        return repr(float(v)) if isinstance(v, (float, np.floating)) and not float(v).is_integer() else \
            str(int(v)) if isinstance(v, (float, np.floating)) else str(v)
    for name, value in values.items():
        if "," in str(value) or "=" in str(value):
            raise ValueError(f"{name}: {value!r} is no value")
    return ",".join(f"{name}={text(value)}" for name, value in values.items()).encode()


def copied(at: Any, n: int, dtype: Any) -> npt.NDArray[Any]:
    """n numbers that a pointer of ctypes points to."""
    out = np.empty(n, dtype)
    if n:
        there = np.ctypeslib.as_array(at, (n,))
        for part in steps(n, out.itemsize):
            out[part] = there[part]
    return out


def take_range(pointer: Any) -> Tuple[Ids, npt.NDArray[np.int32], Ids]:
    """(lims, distances, ids) of a range search; frees it."""
    result = pointer.contents
    try:
        lims = copied(result.lims, result.n + 1, np.int64)
        total = int(lims[-1])
        return lims, copied(result.distances, total, np.int32), copied(result.labels, total, np.int64)
    finally:
        _lib.plugin.lbh_range_result_free(pointer)
