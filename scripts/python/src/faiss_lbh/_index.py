"""Indexes: an encoder, a FAISS index of its codes, and the vectors to rank answers by, in one object."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_int64, c_void_p
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _lib
from ._arrays import Floats, Ids
from ._encoder import METRICS, Encoder, metric_number
from ._progress import as_progress

_RAISE = object()


class Index:
    """Search of vectors by learned codes: encoder, FAISS index and, where asked for, the vectors.

    Parameters
    ----------
    what : str or Encoder
        A whole factory string, ``"SGH64,BIVF1024,RFlat"``; or an encoder, trained or not, which several
        indexes may share.
    index : str, optional
        With an encoder the rest of the string, ``"BFlat"``, ``"IDMap2,BIVF1024,RFlat"``, ...
    d : int, optional
        Numbers a vector; else taken from the first call that has vectors.
    metric : {"l2", "ip", "cosine"}, optional
        What near means (the encoder's own, else ``"l2"``).
    **parameters
        Run-time parameters as of :meth:`set`.

    Notes
    -----
    The string is ``[IDMap2,] METHOD BITS [(name=value,...)] , INDEX [,RFlat|,RSQ8]``. INDEX: ``BFlat``
    (exhaustive), ``BIVF1024`` (1,024 lists), ``BHNSW32``, ``BHash16``, ``BHash4x16``. RFlat, RSQ8: keeps the
    vectors as floats or bytes, to rank candidates again. IDMap2: ids of one's own for BFlat and BHNSW.

    Searches by several threads at once are safe; changes want the index for themselves.

    Raises
    ------
    ValueError
        Says which part of the string is wrong.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> x = numpy.random.default_rng(1).normal(size=(2000, 16)).astype("float32")
    >>> index = faiss_lbh.Index("ITQ32,BFlat,RFlat").train(x).add(x)
    >>> distances, ids = index.search(x[:3], 2)
    >>> ids[:, 0]
    array([0, 1, 2])
    >>> index
    Index('ITQ32,BFlat,RFlat', d=16, 2000 vectors)
    >>> index.factory, index.metric, index.d, index.ntotal
    ('ITQ32,BFlat,RFlat', 'l2', 16, 2000)
    >>> enc = faiss_lbh.Encoder("itq", 32).fit(x)
    >>> faiss_lbh.Index(enc, "BIVF16", nprobe=4).train(x).add(x).nprobe
    4
    """

    _handle: Optional[_lib.Handle]
    _encoder: Optional[Encoder]
    _pending: Dict[str, Any]
    _string: str
    _metric: str

    def __init__(self, what: Union[str, Encoder], index: Optional[str] = None, *, d: Optional[int] = None,
                 metric: Optional[str] = None, **parameters: Any):
        own = object.__setattr__
        own(self, "_handle", None)
        own(self, "_encoder", None)
        own(self, "_pending", parameters)
        if isinstance(what, Encoder):
            own(self, "_encoder", what)
            own(self, "_string", "BFlat" if index is None else str(index))
            own(self, "_metric", metric or what.metric)
            metric_number(self._metric)
            if what.is_trained or d is not None:
                self._make(what.d if what.is_trained else int(d or 0))
        else:
            if index is not None:
                raise ValueError(f"index ({index!r}) goes with an encoder; a factory string has it inside")
            own(self, "_string", str(what))
            own(self, "_metric", metric or "l2")
            metric_number(self._metric)
            if d is not None:
                self._make(int(d))
            else:
                self._new(1)  # what is wrong is said now

    # ---- The handle --------------------------------------------------------------------------

    def _new(self, d: int) -> _lib.Handle:
        handle = _lib.Handle("pipeline")
        _lib.check(_lib.faiss_library.lbh_pipeline_new(handle.out, d, self._string.encode(),
                                                       metric_number(self._metric)))
        return handle

    def _make(self, d: int) -> None:
        if self._encoder is None:
            handle = self._new(d)
        else:
            if not self._encoder.is_trained:
                raise _lib.NotTrained("the encoder is not trained; call train of the index or of the encoder first")
            handle, used = _lib.Handle("pipeline"), self._encoder._trained()
            _lib.check(_lib.faiss_library.lbh_pipeline_new_with_encoder(
                handle.out, used, self._string.encode(), metric_number(self._metric)))
            # What the encoder has learned lives as long as this, also if it is trained anew.
            handle.used = used  # type: ignore[attr-defined]
        object.__setattr__(self, "_handle", handle)
        if self._pending and not any(value == "decoder" for value in self._pending.values()):
            self._set_pending()

    def _set_pending(self) -> None:
        parameters = dict(self._pending)
        object.__setattr__(self, "_pending", {})
        if parameters:
            self.set(**parameters)

    def _made(self) -> _lib.Handle:
        if self._handle is None:
            raise _lib.NotTrained(f"{self._string}: the index is not trained; call train first")
        return self._handle

    @classmethod
    def _adopt(cls, handle: _lib.Handle) -> "Index":
        self = cls.__new__(cls)
        own = object.__setattr__
        own(self, "_handle", handle)
        own(self, "_encoder", None)
        own(self, "_pending", {})
        own(self, "_string", _lib.faiss_library.lbh_pipeline_factory(handle).decode())
        own(self, "_metric", {n: m for m, n in METRICS.items()}[_lib.faiss_library.lbh_pipeline_metric(handle)])
        return self

    # ---- Properties --------------------------------------------------------------------------

    def __repr__(self) -> str:
        parts = [repr(self.factory)]
        parts += [f"metric={self._metric!r}"] if self._metric != "l2" else []
        if self._handle is None:
            return f"Index({', '.join(parts)}, not trained)"
        state = f"{self.ntotal} vectors" if self.is_trained else "not trained"
        return f"Index({', '.join(parts)}, d={self.d}, {state})"

    def __len__(self) -> int:
        return self.ntotal

    @property
    def factory(self) -> str:
        """The factory string."""
        if self._handle is None:
            return self._string
        return str(_lib.faiss_library.lbh_pipeline_factory(self._handle).decode())

    @property
    def metric(self) -> str:
        """What near means: "l2", "ip" or "cosine"."""
        return str(self._metric)

    @property
    def d(self) -> int:
        """Numbers a vector. NotTrained before they are known."""
        return int(_lib.faiss_library.lbh_pipeline_d(self._made()))

    @property
    def ntotal(self) -> int:
        """Vectors that are in it."""
        return 0 if self._handle is None else int(_lib.faiss_library.lbh_pipeline_ntotal(self._handle))

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be added."""
        return self._handle is not None and bool(_lib.faiss_library.lbh_pipeline_is_trained(self._handle))

    @property
    def encoder(self) -> Encoder:
        """The encoder: the one that was given, else a copy of the index's own."""
        if self._encoder is not None:
            return self._encoder
        inner = c_void_p(_lib.faiss_library.lbh_pipeline_encoder(self._made()))
        return Encoder.from_bytes(_lib.take_bytes(_lib.plugin.lbh_encoder_save_memory, inner))

    # ---- Parameters --------------------------------------------------------------------------

    @property
    def parameters(self) -> Dict[str, Any]:
        """All run-time parameters, which are attributes too: ``index.nprobe = 16``."""
        text = ctypes.create_string_buffer(1024)
        _lib.check(_lib.faiss_library.lbh_pipeline_parameters(self._made(), text, len(text)))
        values: Dict[str, Any] = {}
        for part in text.value.decode().split(","):
            name, value = part.split("=")
            values[name] = value if name == "rescore" else float(value) if "." in value else int(value)
        return values

    def set(self, **parameters: Any) -> "Index":
        """Sets run-time parameters, all or none.

        Parameters
        ----------
        **parameters
            ``rescore``: "none", "margin", "decoder" or "float" (with RFlat, RSQ8): what candidates are ranked
            by; ``k_factor``: candidates for each answer (10; "decoder": 0, all that are visited); ``margin_factor``;
            and those of the kind:
            ``nprobe``, ``max_codes`` (BIVF), ``efSearch`` (BHNSW), ``nflip`` (BHash).

        Returns
        -------
        Index
            self

        Raises
        ------
        ValueError
            Names the parameters that there are.

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> x = numpy.random.default_rng(1).normal(size=(500, 8))
        >>> index = faiss_lbh.Index("ITQ16,BIVF4,RFlat").train(x).set(nprobe=2, k_factor=5)
        >>> index.parameters["nprobe"], index.encoder
        (2, Encoder('itq', 16, d=8, trained on 500 rows))
        """
        if self._handle is None:
            self._pending.update(parameters)
        elif parameters:
            _lib.check(_lib.faiss_library.lbh_pipeline_set(self._handle, _arrays.assignments(parameters)))
        return self

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if self.__dict__.get("_handle") is None:
                if name in self.__dict__.get("_pending", {}):
                    return self._pending[name]
            else:
                value = self.parameters.get(name, _RAISE)
                if value is not _RAISE:
                    return value
        raise AttributeError(f"Index has no attribute or parameter {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(getattr(type(self), name, None), property) or name.startswith("_"):
            raise AttributeError(f"{name} cannot be set")
        try:
            self.set(**{name: value})
        except _lib.InvalidArgument as error:
            if self._handle is not None and name in self.parameters:
                raise
            raise AttributeError(str(error)) from None

    def __dir__(self) -> Any:
        return [*super().__dir__(), *(self.parameters if self._handle is not None else ())]

    # ---- Train, fill -------------------------------------------------------------------------

    def train(self, x: Any, labels: Any = None, neighbours: Any = None, *, progress: Any = None,
              checkpoint: Union[None, str, "os.PathLike[str]"] = None, seconds: float = 60) -> "Index":
        """Trains what is not trained yet: the encoder, the lists of BIVF, the ranges of RSQ8.

        Parameters
        ----------
        x : array (n, d)
        labels, neighbours : optional
            As of :meth:`Encoder.train`.
        progress, checkpoint, seconds : optional
            As of :meth:`Encoder.train`; the checkpoint is of the encoder's training.

        Returns
        -------
        Index
            self

        Raises
        ------
        ValueError
            Fewer rows than lists, a NaN, another shape.
        Cancelled, KeyboardInterrupt
            What was trained before that stays.
        """
        x = _arrays.rows(x, None if self._handle is None else self.d)
        if self._encoder is not None and not self._encoder.is_trained:
            self._encoder.train(x, labels, neighbours, progress=progress, checkpoint=checkpoint, seconds=seconds)
        if self._handle is None:
            self._make(x.shape[1])
        if not self.is_trained:
            pulled = _arrays.Pulled(x)
            label_lists, kept = _arrays.lists(labels, len(x), "labels")
            near_lists, kept_too = _arrays.lists(neighbours, len(x), "neighbours")
            if checkpoint is not None and self._encoder is None:
                _lib.keep_checkpoint(_lib.faiss_library.lbh_pipeline_encoder(self._handle), checkpoint, seconds)
            with as_progress(progress) as report:
                _lib.call(_lib.faiss_library.lbh_pipeline_train_rows, self._handle, byref(pulled.rows),
                          label_lists and byref(label_lists), near_lists and byref(near_lists),
                          progress=report, kept=pulled.kept)
            del kept, kept_too
        self._set_pending()
        return self

    def add(self, x: Any, *, ids: Any = None, progress: Any = None) -> "Index":
        """Adds vectors, all or none.

        Parameters
        ----------
        x : array (n, d)
            Any numbers; memory-mapped arrays need not fit in memory (with RFlat their copy must).
        ids : array of int (n,), optional
            None negative; with RFlat and RSQ8 none that is there already. Else the numbers after the highest
            that was ever used.
        progress : bool or callable, optional

        Returns
        -------
        Index
            self

        Raises
        ------
        ValueError
            A NaN, another shape, an id that is there; then nothing was added.
        Error
            The kind takes no ids (BFlat, BHNSW without IDMap2).
        Cancelled, KeyboardInterrupt
            Nothing was added.
        """
        handle = self._made()
        x = _arrays.rows(x, self.d)
        places = None if ids is None else _arrays.ids(ids, len(x))
        with as_progress(progress) as report:
            if x.dtype == np.float32 and x.flags.c_contiguous:
                if places is None:
                    _lib.call(_lib.faiss_library.lbh_pipeline_add, handle, len(x), x.ctypes.data, progress=report)
                else:
                    _lib.call(_lib.faiss_library.lbh_pipeline_add_with_ids, handle, len(x), x.ctypes.data,
                              places.ctypes.data, progress=report)
            else:
                pulled = _arrays.Pulled(x)
                _lib.call(_lib.faiss_library.lbh_pipeline_add_rows, handle, byref(pulled.rows),
                          None if places is None else places.ctypes.data, progress=report, kept=pulled.kept)
        return self

    def add_with_ids(self, x: Any, ids: Any) -> "Index":
        """FAISS's name of ``add(x, ids=ids)``.

        Parameters
        ----------
        x : array (n, d)
        ids : array of int (n,)

        Returns
        -------
        Index
            self

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> x = numpy.random.default_rng(1).normal(size=(500, 8)).astype("float32")
        >>> index = faiss_lbh.Index("IDMap2,ITQ16,BFlat,RFlat").train(x).add_with_ids(x[:3], [70, 80, 90])
        >>> index.remove_ids([80, 1000]), index.search(x[0], 1)[1]
        (1, array([70]))
        >>> bool((index.reconstruct(90) == x[2]).all()), len(index.reset())
        (True, 0)
        """
        return self.add(x, ids=ids)

    def remove_ids(self, ids: Any) -> int:
        """Removes vectors; BFlat without IDMap2 closes the gaps, so that later ids move down.

        Parameters
        ----------
        ids : array of int (n,)

        Returns
        -------
        int
            How many there were.

        Raises
        ------
        Error
            FAISS cannot remove from the kind (BHNSW, BHash).
        """
        ids = _arrays.some_ids(ids)
        removed = c_int64()
        _lib.call(_lib.faiss_library.lbh_pipeline_remove_ids, self._made(), len(ids), ids.ctypes.data,
                  byref(removed))
        return removed.value

    def reset(self) -> "Index":
        """Removes all vectors; what was trained stays.

        Returns
        -------
        Index
            self
        """
        _lib.check(_lib.faiss_library.lbh_pipeline_reset(self._made()))
        return self

    # ---- Search ------------------------------------------------------------------------------

    def search(self, x: Any, k: int = 10, *, filter: Any = None, **parameters: Any) -> Tuple[Floats, Ids]:
        """The k best vectors for each query.

        Parameters
        ----------
        x : array (n, d), or (d,) for one query
        k : int
        filter : mask of bool by id, ids, or a function of an id, optional
            Only these ids may be answers.
        **parameters
            As of :meth:`set`, for this search alone.

        Returns
        -------
        distances : ndarray of float32 (n, k), or (k,)
            Hamming distances, or with ``rescore`` the scores of that ranking: squared distances, rising, or
            inner products, falling.
        ids : ndarray of int64 (n, k), or (k,)
            -1 where there are fewer.

        Raises
        ------
        ValueError, NotTrained

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> x = numpy.random.default_rng(1).normal(size=(500, 8))
        >>> index = faiss_lbh.Index("ITQ16,BIVF4,RFlat").train(x).add(x)
        >>> index.search(x[7], 1, nprobe=4)[1]
        array([7])
        >>> int(index.search(x[7], 1, nprobe=4, filter=numpy.arange(500) != 7)[1][0]) == 7
        False
        """
        handle = self._made()
        queries, single = _arrays.queries(x, self.d)
        allowed = None if filter is None else _arrays.Filter(filter)
        k = _arrays.whole(k, "k")
        distances = np.empty((len(queries), max(k, 0)), np.float32)
        ids = np.empty(distances.shape, np.int64)
        _lib.call(_lib.faiss_library.lbh_pipeline_search_with, handle, _arrays.assignments(parameters),
                  allowed and allowed.function, allowed and allowed.context, len(queries),
                  queries.ctypes.data, k, distances.ctypes.data, ids.ctypes.data,
                  kept=allowed.kept if allowed else None)
        return (distances[0], ids[0]) if single else (distances, ids)

    def range_search(self, x: Any, radius: int, *, filter: Any = None
                     ) -> Tuple[Ids, npt.NDArray[np.int32], Ids]:
        """All vectors whose codes are at a Hamming distance below radius; not ranked again.

        Parameters
        ----------
        x : array (n, d), or (d,)
        radius : int
        filter : optional
            As of :meth:`search`.

        Returns
        -------
        lims : ndarray of int64 (n + 1,)
            Answers of query i are those from lims[i] to lims[i + 1].
        distances : ndarray of int32 (lims[n],)
        ids : ndarray of int64 (lims[n],)

        Raises
        ------
        Error
            FAISS cannot do this for the kind (BHNSW).

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> index = faiss_lbh.Index(faiss_lbh.from_linear(numpy.eye(3)), "BFlat")
        >>> index.add([[1, 1, 1], [1, 1, -1], [-1, -1, -1]]).range_search([[1, 1, 1]], 2)
        (array([0, 2]), array([0, 1], dtype=int32), array([0, 1]))
        """
        queries, _ = _arrays.queries(x, self.d)
        result = ctypes.POINTER(_lib.RangeResult)()
        _lib.call(_lib.faiss_library.lbh_pipeline_range_search, byref(result), self._made(), len(queries),
                  queries.ctypes.data, _arrays.whole(radius, "radius"))
        lims, distances, ids = _arrays.take_range(result)
        if filter is None:
            return lims, distances, ids
        if callable(filter):
            keep = np.fromiter((bool(filter(int(i))) for i in ids), bool, len(ids))
        else:
            chosen = _arrays.plain(filter, "filter")
            keep = np.isin(ids, np.flatnonzero(chosen) if chosen.dtype == bool else chosen)
        return np.concatenate([[0], np.cumsum(keep)])[lims], distances[keep], ids[keep]

    def reconstruct(self, ids: Any) -> Floats:
        """Vectors by id: the stored ones (RFlat, RSQ8), else what the decoder rebuilds from the codes.

        Parameters
        ----------
        ids : int, or array of int (n,)

        Returns
        -------
        ndarray of float32 (d,), or (n, d)

        Raises
        ------
        ValueError
            No such id, or neither vectors nor a decoder.
        """
        which = _arrays.some_ids(ids)
        out = np.empty((len(which), self.d), np.float32)
        for i, number in enumerate(which):
            _lib.call(_lib.faiss_library.lbh_pipeline_reconstruct, self._made(), int(number), out[i:].ctypes.data)
        return out if np.ndim(ids) else out[0]

    # ---- Files -------------------------------------------------------------------------------

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes a file and its members ``path.*``; a crash leaves the old or the new content.

        Parameters
        ----------
        path : path

        Raises
        ------
        FileError, NotTrained

        Examples
        --------
        >>> import faiss_lbh, numpy, os, tempfile
        >>> index = faiss_lbh.Index(faiss_lbh.from_linear(numpy.eye(3)), "BFlat").add([[1, 1, 1], [1, 1, -1]])
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     index.save(os.path.join(directory, "index.lbhp"))
        ...     faiss_lbh.Index.load(os.path.join(directory, "index.lbhp"))
        Index('layers3,BFlat', d=3, 2 vectors)
        """
        _lib.call(_lib.faiss_library.lbh_pipeline_save, self._made(), os.fsencode(path))

    @classmethod
    def load(cls, path: Union[str, "os.PathLike[str]"], *, mmap: bool = False) -> "Index":
        """What :meth:`save` wrote. Vectors stay in their file, which is mapped.

        Parameters
        ----------
        path : path
            The files need not be trusted.
        mmap : bool
            The codes stay in their file too, where FAISS can do so (BIVF): the index cannot be changed then.

        Returns
        -------
        Index

        Raises
        ------
        FileError
        """
        handle, lib = _lib.Handle("pipeline"), _lib.faiss_library
        _lib.call(lib.lbh_pipeline_load_mapped if mmap else lib.lbh_pipeline_load, handle.out,
                  os.fsencode(path))
        return cls._adopt(handle)

    def to_bytes(self) -> bytes:
        """The whole index as bytes.

        Returns
        -------
        bytes
        """
        return _lib.take_bytes(_lib.faiss_library.lbh_pipeline_save_memory, self._made())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Index":
        """The index of :meth:`to_bytes`.

        Parameters
        ----------
        data : bytes

        Returns
        -------
        Index

        Raises
        ------
        FileError
        """
        handle, data = _lib.Handle("pipeline"), bytes(data)
        _lib.call(_lib.faiss_library.lbh_pipeline_load_memory, handle.out, data, len(data))
        return cls._adopt(handle)

    def __reduce__(self) -> Any:
        if self.is_trained:
            return _loaded, (self.to_bytes(), {n: v for n, v in self.parameters.items()})
        what = (self._string,) if self._encoder is None else (self._encoder, self._string)
        return _unmade, (what, self.d if self._handle else None, self._metric, dict(self._pending))

    # ---- FAISS -------------------------------------------------------------------------------

    def to_faiss(self) -> Any:
        """A copy of the index of codes for the ``faiss`` module, to be searched with codes.

        Returns
        -------
        faiss.IndexBinary
            Search it with ``encoder.encode_queries(x)``.

        Raises
        ------
        ImportError
            There is no ``faiss`` module.
        """
        import faiss
        inner = c_void_p(_lib.faiss_library.lbh_pipeline_index(self._made()))
        data = _lib.take_bytes(_lib.faiss_library.lbh_index_save_memory, inner)
        return faiss.deserialize_index_binary(np.frombuffer(data, np.uint8))

    @classmethod
    def from_faiss(cls, index: Any, encoder: Encoder, *, metric: Optional[str] = None) -> "Index":
        """An index around the codes of a ``faiss.IndexBinary``, which are copied.

        Parameters
        ----------
        index : faiss.IndexBinary
        encoder : Encoder
            The one that made the codes.
        metric : {"l2", "ip", "cosine"}, optional

        Returns
        -------
        Index

        Raises
        ------
        ValueError
            Codes of another size, or a kind that is not known here.

        Examples
        --------
        >>> import faiss, faiss_lbh, numpy
        >>> enc = faiss_lbh.from_linear(numpy.eye(8))
        >>> index = faiss_lbh.Index(enc, "BFlat").add(numpy.eye(8) - .5)
        >>> theirs = index.to_faiss()
        >>> theirs.ntotal
        8
        >>> faiss_lbh.Index.from_faiss(theirs, enc).search(numpy.eye(8)[5] - .5, 1)[1]
        array([5])
        """
        import faiss
        self = cls(encoder, _factory_of(faiss, index), metric=metric)
        data = faiss.serialize_index_binary(index).tobytes()
        inner, lib = c_void_p(), _lib.faiss_library
        _lib.call(lib.lbh_index_load_memory, byref(inner), data, len(data))
        try:
            _lib.check(lib.lbh_pipeline_take_index(self._made(), byref(inner)))
        finally:
            lib.lbh_index_free(inner)  # NULL if it was taken
        return self


def _factory_of(faiss: Any, index: Any) -> str:
    """The factory string of a binary index of FAISS."""
    if hasattr(faiss, "downcast_IndexBinary"):
        index = faiss.downcast_IndexBinary(index)
    kind = type(index).__name__
    for name in "IndexBinaryIDMap2", "IndexBinaryIDMap":
        if kind == name:
            return f"{name[11:]},{_factory_of(faiss, index.index)}"
    if kind == "IndexBinaryFlat":
        return "BFlat"
    if kind == "IndexBinaryIVF":
        return f"BIVF{index.nlist}"
    if kind == "IndexBinaryHNSW":
        return f"BHNSW{index.hnsw.nb_neighbors(1)}"
    if kind == "IndexBinaryHash":
        return f"BHash{index.b}"
    if kind == "IndexBinaryMultiHash":
        return f"BHash{index.nhash}x{index.b}"
    raise ValueError(f"{kind} is no kind of index that is known here")


def _loaded(data: bytes, parameters: Dict[str, Any]) -> Index:
    index = Index.from_bytes(data)
    index.set(**parameters)
    return index


def _unmade(what: Tuple[Any, ...], d: Optional[int], metric: str, parameters: Dict[str, Any]) -> Index:
    return Index(*what, d=d, metric=metric, **parameters)
