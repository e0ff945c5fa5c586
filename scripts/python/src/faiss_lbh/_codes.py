"""Search over packed codes that are there already, without an encoder."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _lib
from ._arrays import Codes, Ids

Distances = npt.NDArray[np.int32]
_UINT8, _INT32, _INT64 = np.dtype(np.uint8), np.dtype(np.int32), np.dtype(np.int64)
_AT_ONCE = 1 << 26  # bytes of codes that one query reads sooner than a signal is answered
_search = _lib.plugin.lbh_hamming_search


def _queries(x: Any, size: int) -> Tuple[Codes, bool]:
    x = _arrays.plain(x, "queries")
    single = x.ndim == 1
    return _arrays.codes(x[None] if single else x, size, "queries"), single


def _room(n: int, k: int) -> Tuple[Distances, Ids]:
    k = max(_arrays.whole(k, "k"), 0)
    return np.empty((n, k), np.int32), np.empty((n, k), np.int64)


class HammingIndex:
    """Exhaustive search by Hamming distance over an array of codes, which is not copied.

    Parameters
    ----------
    codes : array of uint8 (n, code_size)
        Kept by reference (a copy only if it is not C-ordered). 4, 8, 16, 32, 64 and 128 bytes are the fastest.
    ids : array of int (n,), optional
        Of the codes; else their places.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> codes = numpy.random.default_rng(1).integers(0, 256, (1000, 8), numpy.uint8)
    >>> index = faiss_lbh.HammingIndex(codes)
    >>> distances, ids = index.search(codes[:2], 3)
    >>> distances[:, 0], ids[:, 0]
    (array([0, 0], dtype=int32), array([0, 1]))
    >>> len(index), index.code_size, index.codes is codes
    (1000, 8, True)
    >>> index.range_search(codes[:2], 1)        # copies of the queries
    (array([0, 1, 2]), array([0, 0], dtype=int32), array([0, 1]))
    """

    def __init__(self, codes: Any, ids: Any = None):
        self._codes: Codes = _arrays.codes(codes, None)
        self._at = int(self._codes.ctypes.data)
        self._n, self._size = self._codes.shape
        #: Of a query for which there is a short way.
        self._one = (self._size,) if self._codes.nbytes <= _AT_ONCE else None
        self.ids: Optional[Ids] = None if ids is None else _arrays.ids(ids, len(self._codes))

    @property
    def codes(self) -> Codes:
        """The array that is searched."""
        return self._codes

    def __len__(self) -> int:
        return len(self._codes)

    def __repr__(self) -> str:
        return f"HammingIndex({len(self)} codes of {self.code_size} bytes)"

    @property
    def code_size(self) -> int:
        """Bytes a code."""
        return int(self._codes.shape[1])

    def _lists(self, ids: Ids) -> Any:
        return (_lib.CodeList * 1)(_lib.CodeList(len(self), self._at, ids.ctypes.data))

    def _search_one(self, x: Any, k: int) -> Optional[Tuple[Distances, Ids]]:
        """One query that is an array as C wants it: without the microseconds that all that may be otherwise costs.
        None where something is."""
        if (type(x) is not np.ndarray or x.dtype is not _UINT8 or x.shape != self._one or type(k) is not int or k < 1
                or self.ids is not None):
            return None
        try:
            query = byref(_arrays.first(x))
        except (TypeError, ValueError):  # read-only, or not C-ordered
            return None
        distances, ids = np.empty(k, _INT32), np.empty(k, _INT64)
        _lib.use_threads()
        code = _search(1, query, self._n, self._at, self._size, k, byref(_arrays.first(distances)),
                       byref(_arrays.first(ids)))
        if code:
            _lib.check(code)
        return distances, ids

    def search(self, x: Any, k: int = 10) -> Tuple[Distances, Ids]:
        """The k nearest codes of each query.

        Parameters
        ----------
        x : array of uint8 (n, code_size), or (code_size,) for one
        k : int

        Returns
        -------
        distances : ndarray of int32 (n, k), or (k,)
            Rising; equal ones by rising id.
        ids : ndarray of int64 (n, k), or (k,)
            -1, at the distance 2**31 - 1, where there are fewer codes.

        Raises
        ------
        ValueError
            Codes of another size, k below 1.
        """
        found = self._search_one(x, k)
        if found is not None:
            return found
        queries, single = _queries(x, self.code_size)
        distances, ids = _room(len(queries), k)
        if self.ids is None:
            _lib.call(_lib.plugin.lbh_hamming_search, len(queries), _arrays.pointer(queries), len(self._codes),
                      self._at, queries.shape[1], int(k), _arrays.pointer(distances), _arrays.pointer(ids))
        else:
            lists = self._lists(self.ids)
            which = np.zeros(len(queries), np.int64)
            _lib.call(_lib.plugin.lbh_hamming_search_lists, len(queries), queries.ctypes.data, self.code_size, 1,
                      which.ctypes.data, 1, lists, int(k), distances.ctypes.data, ids.ctypes.data)
        return (distances[0], ids[0]) if single else (distances, ids)

    def range_search(self, x: Any, radius: int) -> Tuple[Ids, Distances, Ids]:
        """All codes at a distance below radius.

        Parameters
        ----------
        x : array of uint8 (n, code_size), or (code_size,)
        radius : int

        Returns
        -------
        lims : ndarray of int64 (n + 1,)
            Answers of query i are those from lims[i] to lims[i + 1], by (distance, id).
        distances : ndarray of int32 (lims[n],)
        ids : ndarray of int64 (lims[n],)
        """
        queries, _ = _queries(x, self.code_size)
        result = ctypes.POINTER(_lib.RangeResult)()
        if self.ids is None:
            _lib.call(_lib.plugin.lbh_hamming_range, byref(result), len(queries), queries.ctypes.data, len(self),
                      self.codes.ctypes.data, self.code_size, _arrays.whole(radius, "radius"))
        else:
            lists = self._lists(self.ids)
            which = np.zeros(len(queries), np.int64)
            _lib.call(_lib.plugin.lbh_hamming_range_lists, byref(result), len(queries), queries.ctypes.data,
                      self.code_size, 1, which.ctypes.data, 1, lists, _arrays.whole(radius, "radius"))
        return _arrays.take_range(result)


class MultiIndexHash:
    """Exact search by Hamming distance that looks at few codes: for short codes (to about 128 bits) of many
    rows (a million and more) that have near neighbours; single queries gain most.

    Parameters
    ----------
    codes : array of uint8 (n, code_size)
        Copied.
    ids : array of int (n,), optional
        None negative; else the places.
    substrings : int
        Their number; 0 chooses them of about log2 n bits.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> codes = numpy.random.default_rng(1).integers(0, 256, (1000, 8), numpy.uint8)
    >>> index = faiss_lbh.MultiIndexHash(codes)
    >>> int(index.search(codes[5], 1)[1][0])
    5
    >>> index.range_search(codes[:2], 1)[2]
    array([0, 1])
    >>> index.stats["queries"], index.code_size, index.nbytes > codes.nbytes
    (3, 8, True)
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     index.save(os.path.join(directory, "codes.mih"))
    ...     len(faiss_lbh.MultiIndexHash.load(os.path.join(directory, "codes.mih")).add(codes[:5]))
    1005
    """

    def __init__(self, codes: Any, ids: Any = None, *, substrings: int = 0):
        codes = _arrays.codes(codes, None)
        places = None if ids is None else _arrays.ids(ids, len(codes))
        self._handle = _lib.Handle("mih")
        self._stats = _lib.MihStats()
        _lib.call(_lib.plugin.lbh_mih_build, self._handle.out, codes.shape[1], len(codes), codes.ctypes.data,
                  None if places is None else places.ctypes.data, int(substrings))

    def __len__(self) -> int:
        return int(_lib.plugin.lbh_mih_ntotal(self._handle))

    def __repr__(self) -> str:
        return (f"MultiIndexHash({len(self)} codes of {self.code_size} bytes, "
                f"{_lib.plugin.lbh_mih_substrings(self._handle)} substrings)")

    @property
    def code_size(self) -> int:
        """Bytes a code."""
        return int(_lib.plugin.lbh_mih_code_size(self._handle))

    @property
    def nbytes(self) -> int:
        """Bytes of memory, or of the file."""
        return int(_lib.plugin.lbh_mih_bytes(self._handle))

    @property
    def stats(self) -> Dict[str, int]:
        """What the searches so far did: queries, how many of them read all codes (scanned), buckets looked
        up, candidates found there, and how many of these were looked at in full (checked)."""
        return {field[0]: int(getattr(self._stats, field[0])) for field in _lib.MihStats._fields_}

    def add(self, codes: Any, ids: Any = None) -> "MultiIndexHash":
        """Adds codes; costs as much as building anew.

        Parameters
        ----------
        codes : array of uint8 (n, code_size)
        ids : array of int (n,), optional
            If, and only if, the others have ids.

        Returns
        -------
        MultiIndexHash
            self
        """
        codes = _arrays.codes(codes, self.code_size)
        places = None if ids is None else _arrays.ids(ids, len(codes))
        _lib.call(_lib.plugin.lbh_mih_add, self._handle, len(codes), codes.ctypes.data,
                  None if places is None else places.ctypes.data)
        return self

    def search(self, x: Any, k: int = 10) -> Tuple[Distances, Ids]:
        """The k nearest codes of each query: the answers of :meth:`HammingIndex.search`.

        Parameters
        ----------
        x : array of uint8 (n, code_size), or (code_size,)
        k : int

        Returns
        -------
        distances : ndarray of int32 (n, k), or (k,)
        ids : ndarray of int64 (n, k), or (k,)
        """
        queries, single = _queries(x, self.code_size)
        distances, ids = _room(len(queries), k)
        _lib.call(_lib.plugin.lbh_mih_search, self._handle, len(queries), _arrays.pointer(queries), int(k),
                  _arrays.pointer(distances), _arrays.pointer(ids), byref(self._stats))
        return (distances[0], ids[0]) if single else (distances, ids)

    def range_search(self, x: Any, radius: int) -> Tuple[Ids, Distances, Ids]:
        """All codes at a distance below radius, as :meth:`HammingIndex.range_search`.

        Parameters
        ----------
        x : array of uint8 (n, code_size), or (code_size,)
        radius : int

        Returns
        -------
        lims, distances, ids : ndarray
        """
        queries, _ = _queries(x, self.code_size)
        result = ctypes.POINTER(_lib.RangeResult)()
        _lib.call(_lib.plugin.lbh_mih_range, byref(result), self._handle, len(queries), queries.ctypes.data,
                  _arrays.whole(radius, "radius"), byref(self._stats))
        return _arrays.take_range(result)

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes the index, whole or not at all.

        Parameters
        ----------
        path : path

        Raises
        ------
        FileError
        """
        _lib.call(_lib.plugin.lbh_mih_save, self._handle, os.fsencode(path))

    @classmethod
    def load(cls, path: Union[str, "os.PathLike[str]"], *, verify: bool = False) -> "MultiIndexHash":
        """Maps an index file into memory; it is there at once.

        Parameters
        ----------
        path : path
            Need not be trusted.
        verify : bool
            Read all of it and compare the checksum.

        Returns
        -------
        MultiIndexHash

        Raises
        ------
        FileError
        """
        self = cls.__new__(cls)
        self._handle, self._stats = _lib.Handle("mih"), _lib.MihStats()
        _lib.call(_lib.plugin.lbh_mih_load, self._handle.out, os.fsencode(path))
        if verify:
            _lib.call(_lib.plugin.lbh_mih_verify, self._handle)
        return self


# ---- An index of the user's own FAISS --------------------------------------------------------------

class AcceleratedIndex:
    """The search of a ``faiss.IndexBinaryFlat`` or ``IndexBinaryIVF`` by this package's kernels, over its
    memory; made by :func:`accelerate`. The index may go on changing between searches."""

    def __init__(self, index: Any):
        import faiss
        self._faiss, self.index = faiss, faiss.downcast_IndexBinary(index)
        self._ivf = isinstance(self.index, faiss.IndexBinaryIVF)
        if not self._ivf and not isinstance(self.index, faiss.IndexBinaryFlat):
            raise TypeError(f"{type(self.index).__name__} cannot be accelerated; IndexBinaryFlat and "
                            "IndexBinaryIVF can")

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def __repr__(self) -> str:
        return f"AcceleratedIndex({type(self.index).__name__}, {len(self)} codes)"

    def _flat(self, index: Any) -> Codes:
        n, size = index.ntotal, index.code_size
        if n == 0:
            return np.empty((0, size), np.uint8)
        return np.asarray(self._faiss.rev_swig_ptr(index.xb.data(), n * size)).reshape(n, size)

    def _probe(self, queries: Codes) -> Tuple[Ids, Any, int]:
        """(which lists, the lists, how many of them): those that the queries name, numbered anew."""
        ivf = self.index
        if not ivf.is_trained:
            raise _lib.NotTrained("the index is not trained")
        quantizer = self._faiss.downcast_IndexBinary(ivf.quantizer)
        nprobe = min(int(ivf.nprobe), int(ivf.nlist))
        if isinstance(quantizer, self._faiss.IndexBinaryFlat):
            keys = HammingIndex(self._flat(quantizer)).search(queries, nprobe)[1]
        else:
            keys = quantizer.search(queries, nprobe)[1]
        numbers, which = np.unique(keys, return_inverse=True)
        which = np.ascontiguousarray(which.reshape(keys.shape), np.int64)
        if len(numbers) and numbers[0] < 0:
            numbers, which = numbers[1:], which - 1
        inverted = ivf.invlists
        lists = (_lib.CodeList * max(len(numbers), 1))()
        for i, number in enumerate(numbers):
            number = int(number)
            n = inverted.list_size(number)
            if n:
                lists[i] = _lib.CodeList(n, int(inverted.get_codes(number)), int(inverted.get_ids(number)))
        return which, lists, len(numbers)

    def search(self, x: Any, k: int = 10) -> Tuple[Distances, Ids]:
        """FAISS's answers; equal distances by rising id.

        Parameters
        ----------
        x : array of uint8 (n, code_size), or (code_size,)
        k : int

        Returns
        -------
        distances : ndarray of int32 (n, k), or (k,)
        ids : ndarray of int64 (n, k), or (k,)
        """
        if not self._ivf:
            return HammingIndex(self._flat(self.index)).search(x, k)
        queries, single = _queries(x, self.index.code_size)
        distances, ids = _room(len(queries), k)
        which, lists, count = self._probe(queries)
        _lib.call(_lib.plugin.lbh_hamming_search_lists, len(queries), queries.ctypes.data,
                  self.index.code_size, which.shape[1], which.ctypes.data, count, lists, int(k),
                  distances.ctypes.data, ids.ctypes.data)
        return (distances[0], ids[0]) if single else (distances, ids)

    def range_search(self, x: Any, radius: int) -> Tuple[Ids, Distances, Ids]:
        """All codes at a distance below radius.

        Parameters
        ----------
        x : array of uint8 (n, code_size), or (code_size,)
        radius : int

        Returns
        -------
        lims, distances, ids : ndarray
            As :meth:`HammingIndex.range_search`.
        """
        if not self._ivf:
            return HammingIndex(self._flat(self.index)).range_search(x, radius)
        queries, _ = _queries(x, self.index.code_size)
        which, lists, count = self._probe(queries)
        result = ctypes.POINTER(_lib.RangeResult)()
        _lib.call(_lib.plugin.lbh_hamming_range_lists, byref(result), len(queries), queries.ctypes.data,
                  self.index.code_size, which.shape[1], which.ctypes.data, count, lists,
                  _arrays.whole(radius, "radius"))
        return _arrays.take_range(result)


def accelerate(index: Any) -> AcceleratedIndex:
    """Makes the search of an index of your own ``faiss`` module run the kernels of this package, over the
    index's memory: nothing is copied, and the index stays as it is.

    Parameters
    ----------
    index : faiss.IndexBinaryFlat or faiss.IndexBinaryIVF
        ``nprobe`` is read from it at each search.

    Returns
    -------
    AcceleratedIndex
        Has ``search(codes, k)`` and ``range_search(codes, radius)``.

    Raises
    ------
    TypeError
        Another kind of index.
    ImportError
        There is no ``faiss`` module.

    Examples
    --------
    >>> import faiss, faiss_lbh, numpy
    >>> codes = numpy.random.default_rng(1).integers(0, 256, (1000, 8), numpy.uint8)
    >>> index = faiss.IndexBinaryFlat(64)
    >>> index.add(codes)
    >>> faiss_lbh.accelerate(index).search(codes[:3], 10)[1][:, 0]
    array([0, 1, 2])
    >>> faiss_lbh.accelerate(index).range_search(codes[:3], 1)[2]
    array([0, 1, 2])
    """
    return AcceleratedIndex(index)
