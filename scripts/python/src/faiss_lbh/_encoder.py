"""Encoders: rows of numbers to short binary codes."""
from __future__ import annotations

import os
from ctypes import byref, c_double
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _lib
from ._arrays import Codes, Floats, Ids
from ._progress import as_progress

METRICS = {"l2": 0, "ip": 1, "cosine": 2}


def metric_number(metric: str) -> int:
    if metric not in METRICS:
        raise ValueError(f"metric ({metric!r}) is none of {', '.join(map(repr, METRICS))}")
    return METRICS[metric]


def methods() -> Dict[str, str]:
    """All methods that can be trained, and what they do.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> import faiss_lbh
    >>> print(faiss_lbh.methods()["lsh"])
    random hyperplanes; learns only the mean
    """
    names = [_lib.plugin.lbh_method_name(i) for i in range(_lib.plugin.lbh_method_count())]
    return {name.decode(): _lib.plugin.lbh_method_summary(name).decode() for name in names}


def method_options(method: str) -> Dict[str, Dict[str, Any]]:
    """The options of a method, with bounds and defaults.

    Parameters
    ----------
    method : str
        One of :func:`methods`.

    Returns
    -------
    dict
        ``{name: {"default", "min", "max", "integer", "choices", "doc"}}``

    Raises
    ------
    ValueError
        There is no such method.

    Examples
    --------
    >>> import faiss_lbh
    >>> faiss_lbh.method_options("lsh")["centre"]["doc"]
    '1: take off the mean of the training rows'
    """
    options: Dict[str, Dict[str, Any]] = {}
    p = _lib.Param()
    if _lib.plugin.lbh_method_summary(str(method).encode()) is None:
        raise ValueError(f"there is no method {method!r}; there are {', '.join(methods())}")
    while _lib.plugin.lbh_method_param(byref(p), str(method).encode(), len(options)) == 0:
        options[p.name.decode()] = {
            "default": p.value, "min": p.min, "max": p.max, "integer": bool(p.integer),
            "choices": p.choices.decode().split("|") if p.choices else None, "doc": p.doc.decode()}
    return options


class Encoder:
    """Learns to turn rows of numbers into binary codes; a transformer of scikit-learn.

    Parameters
    ----------
    method : str
        One of :func:`methods`. ``"sgh"`` for neighbours by distance or inner product; ``"jmlh"`` with labels.
    nbits : int
        Bits of a code, 1 to 4096; codes have ``(nbits + 7) // 8`` bytes.
    metric : {"l2", "ip", "cosine"}
        What near means: Euclidean distance, inner product, or the angle.
    **options
        Those of the method, see :func:`method_options`; ``preset="..."`` applies first.

    Raises
    ------
    ValueError
        An unknown method or option, or a value out of its bounds.

    See Also
    --------
    Index : search by the codes.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> x = numpy.random.default_rng(1).normal(size=(1000, 16)).astype("float32")
    >>> enc = faiss_lbh.Encoder("itq", 32).fit(x)
    >>> enc
    Encoder('itq', 32, d=16, trained on 1000 rows)
    >>> enc.encode(x).shape                     # packed: a bit of code is a bit of memory
    (1000, 4)
    >>> enc.transform(x).shape                  # scikit-learn: a bit of code is a number, 0 or 1
    (1000, 32)
    >>> enc.d, enc.code_size, enc.n_train, enc.options["iterations"]
    (16, 4, 1000, 50.0)
    >>> twin = faiss_lbh.Encoder.from_bytes(enc.to_bytes())
    >>> twin.digest == enc.digest
    True
    """

    def __init__(self, method: str = "sgh", nbits: int = 64, *, metric: str = "l2", **options: Any):
        self.method, self.nbits, self.metric = method, nbits, metric
        self._options = options
        self._handle: Optional[_lib.Handle] = None
        self._new(1)  # what is wrong is said now, not when it is trained

    # ---- The handle --------------------------------------------------------------------------

    def _new(self, d: int) -> _lib.Handle:
        handle = _lib.Handle("encoder")
        metric_number(self.metric)
        if isinstance(self.nbits, bool) or not isinstance(self.nbits, (int, np.integer)):
            raise _lib.InvalidArgument(f"nbits ({self.nbits!r}) must be a whole number")
        _lib.check(_lib.plugin.lbh_encoder_new(handle.out, str(self.method).encode(), int(d), int(self.nbits)))
        options = dict(self._options)
        first = {"preset": options.pop("preset")} if "preset" in options else {}
        if self.metric != "l2":
            first["metric"] = self.metric
        if first or options:
            _lib.check(_lib.plugin.lbh_encoder_set(handle, _arrays.assignments({**first, **options})))
        return handle

    @classmethod
    def _adopt(cls, handle: _lib.Handle, metric: str = "l2") -> "Encoder":
        self = cls.__new__(cls)
        self._handle = handle
        self.method = _lib.plugin.lbh_encoder_method(handle).decode()
        self.nbits = int(_lib.plugin.lbh_encoder_nbits(handle))
        self.metric, self._options = metric, {}
        value = c_double()
        for name, option in method_options(self.method).items():
            _lib.check(_lib.plugin.lbh_encoder_get_value(handle, name.encode(), byref(value)))
            chosen: Any = int(value.value) if option["integer"] else value.value
            if option["choices"]:
                chosen = option["choices"][int(value.value)]
            if name == "metric" and chosen in METRICS:
                self.metric = chosen
            elif value.value != option["default"]:
                self._options[name] = chosen
        return self

    def _trained(self) -> _lib.Handle:
        if self._handle is None:
            raise _lib.NotTrained(f"{self.method}: the encoder is not trained; call fit or train first")
        return self._handle

    def __repr__(self) -> str:
        parts = [repr(self.method), repr(self.nbits)]
        parts += [f"metric={self.metric!r}"] if self.metric != "l2" else []
        parts += [f"{name}={value!r}" for name, value in self._options.items()]
        if self._handle is not None:
            parts += [f"d={self.d}", f"trained on {self.n_train} rows"]
        return f"Encoder({', '.join(parts)})"

    # ---- Properties --------------------------------------------------------------------------

    @property
    def is_trained(self) -> bool:
        """Whether it can encode."""
        return self._handle is not None

    @property
    def d(self) -> int:
        """Numbers a row. NotTrained before training, which says it."""
        return int(_lib.plugin.lbh_encoder_d(self._trained()))

    @property
    def n_features_in_(self) -> int:
        """scikit-learn's name of :attr:`d`."""
        return self.d

    @property
    def code_size(self) -> int:
        """Bytes a code: ``(nbits + 7) // 8``."""
        return (int(self.nbits) + 7) // 8

    @property
    def n_train(self) -> int:
        """Rows it was trained on."""
        return int(_lib.plugin.lbh_encoder_n_train(self._trained()))

    @property
    def digest(self) -> int:
        """A hash of all that was learned: equal models have equal ones."""
        return int(_lib.plugin.lbh_encoder_digest(self._trained()))

    @property
    def nclasses(self) -> int:
        """Classes of the classifier that was learned with the codes; 0 if there is none."""
        return int(_lib.plugin.lbh_encoder_nclasses(self._trained(), None))

    @property
    def options(self) -> Dict[str, float]:
        """The values of all options, by name."""
        handle = self._handle or self._new(1)
        value, values = c_double(), {}
        for name in method_options(self.method):
            _lib.check(_lib.plugin.lbh_encoder_get_value(handle, name.encode(), byref(value)))
            values[name] = value.value
        return values

    @property
    def notes(self) -> "Notes":
        """Lines of text that are kept in the model's file, as a mapping; ``None`` removes one."""
        return Notes(self)

    # ---- Training ----------------------------------------------------------------------------

    def train(self, x: Any, labels: Any = None, neighbours: Any = None, *, progress: Any = None,
              checkpoint: Union[None, str, "os.PathLike[str]"] = None, seconds: float = 60) -> "Encoder":
        """Learns from the rows of x; what was learned before is replaced.

        Parameters
        ----------
        x : array (n, d)
            Any numbers; memory-mapped arrays need not fit in memory.
        labels : optional
            An integer a row (negative: not labelled), a list of them a row, or a 0/1 (also sparse) matrix
            of rows x classes.
        neighbours : optional
            Ids of rows that ought to be near, a list a row.
        progress : bool or callable, optional
            ``True``: a bar of tqdm, where that is installed. A function gets (what, step, steps, loss) about
            every 50 ms; a true result stops the training (:class:`Cancelled`).
        checkpoint : path, optional
            A file that keeps the state, written every so many `seconds`: training that was stopped goes on
            from there, and ends with the same model.
        seconds : float

        Returns
        -------
        Encoder
            self

        Raises
        ------
        ValueError
            Data of another shape, or with a NaN or an infinity.
        Cancelled, KeyboardInterrupt
            The encoder is as it was before.

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> x = numpy.random.default_rng(1).normal(size=(300, 8))
        >>> label = (x[:, 0] > 0).astype(int)
        >>> enc = faiss_lbh.Encoder("jmlh", 16, steps=200).train(x, label)
        >>> bool((enc.classify(enc.encode(x)) == label).mean() > .8)
        True
        """
        x = _arrays.rows(x, None)
        if len(x) == 0:
            raise _lib.InvalidArgument("Found array with 0 sample(s) in x while a minimum of 1 is required.")
        pulled = _arrays.Pulled(x)
        label_lists, kept = _arrays.lists(labels, len(x), "labels")
        near_lists, kept_too = _arrays.lists(neighbours, len(x), "neighbours")
        handle = self._new(x.shape[1])
        if checkpoint is not None:
            _lib.keep_checkpoint(handle, checkpoint, seconds)
        with as_progress(progress) as report:
            _lib.call(_lib.plugin.lbh_encoder_train_rows, handle, byref(pulled.rows),
                      label_lists and byref(label_lists), near_lists and byref(near_lists),
                      progress=report, kept=pulled.kept)
        del kept, kept_too
        self._handle = handle
        return self

    def fit(self, X: Any, y: Any = None) -> "Encoder":
        """scikit-learn's name of :meth:`train`.

        Parameters
        ----------
        X : array (n, d)
        y : labels, optional

        Returns
        -------
        Encoder
            self
        """
        needs = _lib.plugin.lbh_method_needs_labels(str(self.method).encode())
        return self.train(X, y if needs else None)

    # ---- Encoding ----------------------------------------------------------------------------

    def _map(self, function: Any, x: Any, width: int, dtype: Any, *more: Any, bytes_: Any = None) -> Any:
        """function(encoder, n, rows, *more, out) over the blocks of x."""
        handle, d = self._trained(), self.d
        x = _arrays.rows(x, d)
        out = np.empty((len(x), width), dtype)
        for i, block in _arrays.blocks(x):
            to = out[i:].ctypes.data
            if block.dtype == np.uint8 and bytes_ is not None:
                _lib.call(bytes_, handle, len(block), block.ctypes.data, d, to)
            else:
                block = np.ascontiguousarray(block, np.float32)
                _lib.call(function, handle, len(block), block.ctypes.data, *more, to)
        return out

    def encode(self, x: Any, *, refine: int = 0, bit_order: str = "lsb") -> Codes:
        """Codes of database rows.

        Parameters
        ----------
        x : array (n, d)
        refine : int
            Search for a code from which the decoder rebuilds the row better, until so many flips of a bit
            gained nothing.
        bit_order : {"lsb", "msb"}
            The first bit is the lowest of its byte, as FAISS has it, or the highest, as ``numpy.packbits``,
            pgvector, Vespa and sentence-transformers have it.

        Returns
        -------
        ndarray of uint8 (n, code_size)

        Raises
        ------
        ValueError
            A row with a NaN or an infinity, or of another size.
        NotTrained
        """
        lib = _lib.plugin
        packed = self._map(lib.lbh_encoder_encode_refined, x, self.code_size, np.uint8, int(refine)) if refine \
            else self._map(lib.lbh_encoder_encode, x, self.code_size, np.uint8, bytes_=lib.lbh_encoder_encode_u8)
        return _arrays.order(packed, bit_order)

    def encode_queries(self, x: Any, *, bit_order: str = "lsb") -> Codes:
        """Codes of queries, which some models encode otherwise than rows (those for inner products).

        Parameters
        ----------
        x : array (n, d)
        bit_order : {"lsb", "msb"}

        Returns
        -------
        ndarray of uint8 (n, code_size)
        """
        lib = _lib.plugin
        return _arrays.order(self._map(lib.lbh_encoder_encode_queries, x, self.code_size, np.uint8,
                                       bytes_=lib.lbh_encoder_encode_queries_u8), bit_order)

    def project(self, x: Any, *, queries: bool = False) -> Floats:
        """The values before the threshold: bit j is value j >= 0.

        Parameters
        ----------
        x : array (n, d)
        queries : bool
            As queries are encoded.

        Returns
        -------
        ndarray of float32 (n, nbits)

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> enc = faiss_lbh.from_linear(numpy.eye(4), [-1, 0, 0, 0])
        >>> enc.project([[1, 2, -3, 4]])
        array([[ 0.,  2., -3.,  4.]], dtype=float32)
        >>> enc.linear()[1]
        array([-1.,  0.,  0.,  0.], dtype=float32)
        """
        lib = _lib.plugin
        return self._map(lib.lbh_encoder_project_queries if queries else lib.lbh_encoder_project, x,
                         int(self.nbits), np.float32)

    def transform(self, X: Any) -> Codes:
        """The bits of the codes, one number each; packed ones are of :meth:`encode`.

        Parameters
        ----------
        X : array (n, d)

        Returns
        -------
        ndarray of uint8 (n, nbits)
            0 and 1.
        """
        X = _arrays.rows(X, self.d, "X")
        if len(X) == 0:
            raise _lib.InvalidArgument("Found array with 0 sample(s) in X while a minimum of 1 is required.")
        return np.unpackbits(self.encode(X), axis=1, count=int(self.nbits), bitorder="little")

    def fit_transform(self, X: Any, y: Any = None) -> Codes:
        """:meth:`fit`, then :meth:`transform`.

        Parameters
        ----------
        X : array (n, d)
        y : labels, optional

        Returns
        -------
        ndarray of uint8 (n, nbits)

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> x = numpy.random.default_rng(1).normal(size=(300, 8))
        >>> enc = faiss_lbh.Encoder("itq", 8)
        >>> bits = enc.fit_transform(x)
        >>> bits.shape, enc.inverse_transform(bits).shape, enc.n_features_in_
        ((300, 8), (300, 8), 8)
        >>> enc.get_feature_names_out()[:2].tolist()
        ['bit0', 'bit1']
        >>> enc.set_params(nbits=4).get_params()
        {'method': 'itq', 'nbits': 4, 'metric': 'l2'}
        """
        return self.fit(X, y).transform(X)

    def inverse_transform(self, X: Any) -> Floats:
        """Rows rebuilt from the bits of :meth:`transform`, by the decoder.

        Parameters
        ----------
        X : array of 0 and 1 (n, nbits)

        Returns
        -------
        ndarray of float32 (n, d)

        Raises
        ------
        ValueError
            The method has no decoder.
        """
        bits = _arrays.rows(X, int(self.nbits), "bits")
        if not ((bits == 0) | (bits == 1)).all():
            raise ValueError("bits are 0 and 1")
        return self.decode(np.packbits(bits != 0, axis=1, bitorder="little"))

    # ---- From codes --------------------------------------------------------------------------

    def _of_codes(self, function: Any, codes: Any, shape: Tuple[int, ...], dtype: Any) -> Any:
        codes = _arrays.codes(codes, self.code_size)
        out = np.empty((len(codes), *shape), dtype)
        for part in _arrays.steps(len(codes), out[:1].nbytes):
            _lib.call(function, self._trained(), len(codes[part]), codes[part].ctypes.data, out[part].ctypes.data)
        return out

    def decode(self, codes: Any) -> Floats:
        """Rows rebuilt from codes.

        Parameters
        ----------
        codes : array of uint8 (n, code_size)

        Returns
        -------
        ndarray of float32 (n, d)

        Raises
        ------
        ValueError
            The method has no decoder.

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> enc = faiss_lbh.from_linear(numpy.eye(3), decoder=(2 * numpy.eye(3), [-1, -1, -1]))
        >>> enc.decode(enc.encode([[.7, -.2, 3]]))
        array([[ 1., -1.,  1.]], dtype=float32)
        >>> enc.decoder()[1]
        array([-1., -1., -1.], dtype=float32)
        """
        return self._of_codes(_lib.plugin.lbh_encoder_decode, codes, (self.d,), np.float32)

    def class_scores(self, codes: Any) -> Floats:
        """Scores of the classes; log-odds where rows have several labels.

        Parameters
        ----------
        codes : array of uint8 (n, code_size)

        Returns
        -------
        ndarray of float32 (n, nclasses)

        Raises
        ------
        ValueError
            The method learned no classifier.
        """
        return self._of_codes(_lib.plugin.lbh_encoder_class_scores, codes, (self.nclasses,), np.float32)

    def classify(self, codes: Any) -> Ids:
        """The class of highest score of each code.

        Parameters
        ----------
        codes : array of uint8 (n, code_size)

        Returns
        -------
        ndarray of int64 (n,)

        Raises
        ------
        ValueError
            The method learned no classifier.

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> x = numpy.random.default_rng(1).normal(size=(300, 8))
        >>> enc = faiss_lbh.Encoder("jmlh", 16, steps=20).train(x, (x[:, 0] > 0).astype(int))
        >>> codes = enc.encode(x)
        >>> bool((enc.class_scores(codes).argmax(1) == enc.classify(codes)).all()), enc.nclasses
        (True, 2)
        """
        return self._of_codes(_lib.plugin.lbh_encoder_classify, codes, (), np.int64)

    def search_decoded(self, codes: Any, queries: Any, k: int, *, metric: Optional[str] = None
                       ) -> Tuple[Floats, Ids]:
        """The k best codes for each query by the distance to (inner product with) the decoded rows, from
        the codes alone.

        Parameters
        ----------
        codes : array of uint8 (n, code_size)
        queries : array (nq, d), or (d,) for one
        k : int
        metric : {"l2", "ip"}, optional
            The encoder's own.

        Returns
        -------
        distances : ndarray of float32 (nq, k)
            Squared distances, rising, or inner products, falling.
        ids : ndarray of int64 (nq, k)
            Rows of codes; -1 where there are fewer.

        Examples
        --------
        >>> import faiss_lbh, numpy
        >>> enc = faiss_lbh.from_linear(numpy.eye(3), decoder=(2 * numpy.eye(3), [-1, -1, -1]))
        >>> codes = enc.encode([[1, -1, 1], [1, 1, 1]])
        >>> enc.search_decoded(codes, [1, -1, 1], 2)
        (array([0., 4.], dtype=float32), array([0, 1]))
        """
        codes = _arrays.codes(codes, self.code_size)
        x, single = _arrays.queries(queries, self.d)
        out = np.empty((len(x), max(int(k), 0)), np.float32)
        ids = np.empty(out.shape, np.int64)
        _lib.call(_lib.plugin.lbh_encoder_search_decoded, self._trained(),
                  metric_number(metric or self.metric), len(codes), codes.ctypes.data, len(x), x.ctypes.data,
                  int(k), out.ctypes.data, ids.ctypes.data)
        return (out[0], ids[0]) if single else (out, ids)

    def linear(self) -> Tuple[Floats, Floats]:
        """The encoder as one linear map.

        Returns
        -------
        A : ndarray of float32 (nbits, d)
        b : ndarray of float32 (nbits,)
            Bits are ``A @ x + b >= 0``.

        Raises
        ------
        ValueError
            The encoder is not one linear map.
        """
        A, b = np.empty((int(self.nbits), self.d), np.float32), np.empty(int(self.nbits), np.float32)
        _lib.check(_lib.plugin.lbh_encoder_linear(self._trained(), A.ctypes.data, b.ctypes.data))
        return A, b

    def decoder(self) -> Tuple[Floats, Floats]:
        """The decoder.

        Returns
        -------
        U : ndarray of float32 (nbits, d)
        c : ndarray of float32 (d,)
            The row of a code is c plus the rows U[j] of its set bits.

        Raises
        ------
        ValueError
            The method has none.
        """
        U, c = np.empty((int(self.nbits), self.d), np.float32), np.empty(self.d, np.float32)
        _lib.check(_lib.plugin.lbh_encoder_decoder(self._trained(), U.ctypes.data, c.ctypes.data))
        return U, c

    # ---- Files -------------------------------------------------------------------------------

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes a model file, whole or not at all; ``lbh`` and the C library read it too.

        Parameters
        ----------
        path : path

        Raises
        ------
        FileError, NotTrained

        Examples
        --------
        >>> import faiss_lbh, numpy, os, tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     faiss_lbh.from_linear(numpy.eye(8)).save(os.path.join(directory, "eye.lbh"))
        ...     faiss_lbh.Encoder.load(os.path.join(directory, "eye.lbh"))
        Encoder('layers', 8, d=8, trained on 0 rows)
        """
        _lib.call(_lib.plugin.lbh_encoder_save, self._trained(), os.fsencode(path))

    @classmethod
    def load(cls, path: Union[str, "os.PathLike[str]"]) -> "Encoder":
        """The encoder in a model file of :meth:`save` or of ``lbh train``.

        Parameters
        ----------
        path : path
            The file need not be trusted.

        Returns
        -------
        Encoder

        Raises
        ------
        FileError
        """
        handle = _lib.Handle("encoder")
        _lib.call(_lib.plugin.lbh_encoder_load, handle.out, os.fsencode(path))
        return cls._adopt(handle)

    def to_bytes(self) -> bytes:
        """What :meth:`save` would write.

        Returns
        -------
        bytes
        """
        return _lib.take_bytes(_lib.plugin.lbh_encoder_save_memory, self._trained())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Encoder":
        """The encoder of :meth:`to_bytes`.

        Parameters
        ----------
        data : bytes

        Returns
        -------
        Encoder

        Raises
        ------
        FileError
        """
        handle, data = _lib.Handle("encoder"), bytes(data)
        _lib.call(_lib.plugin.lbh_encoder_load_memory, handle.out, data, len(data))
        return cls._adopt(handle)

    def __getstate__(self) -> Dict[str, Any]:
        state = {"method": self.method, "nbits": self.nbits, "metric": self.metric, "options": self._options}
        if self._handle is not None:
            state["model"] = self.to_bytes()
        return state

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._handle = None
        self.method, self.nbits, self.metric = state["method"], state["nbits"], state["metric"]
        self._options = dict(state["options"])
        if "model" in state:
            self._handle = type(self).from_bytes(state["model"])._handle

    def __copy__(self) -> "Encoder":
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin

    def __deepcopy__(self, memo: Any) -> "Encoder":
        return self.__copy__()

    def export_faiss(self, format: str, path: Union[str, "os.PathLike[str]"], base: Any = None,
                     **options: Any) -> None:
        """Writes a float index that stock FAISS opens and searches without this package.

        Parameters
        ----------
        format : {"faiss-lsh", "faiss-ivf", "faiss-aq"}
        path : path
        base : array (n, d), optional
            Rows to put into it.
        **options
            ``nlist``, ``nprobe``, ``metric``, ``norms``, ``refine``: see docs/usage.md.

        Raises
        ------
        ValueError
            The encoder has no such form.
        FileError

        Examples
        --------
        >>> import faiss_lbh, numpy, os, tempfile
        >>> x = numpy.random.default_rng(1).normal(size=(300, 8))
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "itq.faiss")
        ...     faiss_lbh.Encoder("itq", 8).fit(x).export_faiss("faiss-lsh", path, x)
        ...     os.path.getsize(path) > 300
        True
        """
        pulled = None if base is None else _arrays.Pulled(_arrays.rows(base, self.d, "base"))
        _lib.call(_lib.faiss_library.lbh_export_faiss, self._trained(), format.encode(),
                  _arrays.assignments(options), pulled and byref(pulled.rows), os.fsencode(path),
                  kept=pulled.kept if pulled else None)

    # ---- scikit-learn ------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> Dict[str, Any]:
        """The arguments that it was made with.

        Parameters
        ----------
        deep : bool
            Of no effect.

        Returns
        -------
        dict
        """
        return {"method": self.method, "nbits": self.nbits, "metric": self.metric, **self._options}

    def set_params(self, **params: Any) -> "Encoder":
        """Changes arguments; the next :meth:`fit` uses them.

        Parameters
        ----------
        **params
            As of the class.

        Returns
        -------
        Encoder
            self

        Raises
        ------
        ValueError
            As of the class; then nothing was changed.
        """
        merged = {**self.get_params(), **params}
        changed = type(self)(**merged)
        self.method, self.nbits, self.metric = changed.method, changed.nbits, changed.metric
        self._options = changed._options
        return self

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:
        """Names of what :meth:`transform` gives out.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str (nbits,)
        """
        return np.asarray([f"bit{j}" for j in range(int(self.nbits))], object)

    def __sklearn_is_fitted__(self) -> bool:
        return self.is_trained

    def __sklearn_clone__(self) -> "Encoder":
        return type(self)(**self.get_params())

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags
        needs = bool(_lib.plugin.lbh_method_needs_labels(str(self.method).encode()))
        return Tags(estimator_type=None, target_tags=TargetTags(required=needs), input_tags=InputTags(),
                    transformer_tags=TransformerTags(preserves_dtype=[]))


class Notes:
    """The notes of an encoder: a mapping of short names to lines of text, kept in its file.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> enc = faiss_lbh.from_linear(numpy.eye(8))
    >>> enc.notes["source"] = "a test"
    >>> faiss_lbh.Encoder.from_bytes(enc.to_bytes()).notes["source"]
    'a test'
    >>> enc.notes.get("absent", "none")
    'none'
    """

    def __init__(self, encoder: Encoder):
        self._encoder = encoder

    def __getitem__(self, name: str) -> str:
        value = _lib.plugin.lbh_encoder_note(self._encoder._trained(), name.encode())
        if value is None:
            raise KeyError(name)
        return str(value.decode())

    def __setitem__(self, name: str, value: Optional[str]) -> None:
        _lib.check(_lib.plugin.lbh_encoder_set_note(self._encoder._trained(), name.encode(),
                                                    None if value is None else value.encode()))

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The note, or `default` if there is none."""
        try:
            return self[name]
        except KeyError:
            return default


# ---- Learned elsewhere ---------------------------------------------------------------------------

def from_layers(layers: Sequence[Tuple[Any, Any]], *, decoder: Optional[Tuple[Any, Any]] = None,
                metric: str = "l2") -> Encoder:
    """An encoder of a network that was learned elsewhere: ``y = relu(W @ y + b)`` for each layer but the
    last, whose outputs >= 0 are the bits.

    Parameters
    ----------
    layers : sequence of (W, b), 1 to 4
        W : array (outputs, inputs), b : array (outputs,) or None for 0.
    decoder : (U, c), optional
        U : array (nbits, d), c : array (d,): the row of a code is c plus the rows U[j] of its set bits.
    metric : {"l2", "ip", "cosine"}
        What near means; "cosine": rows are brought to unit length first.

    Returns
    -------
    Encoder
        Trained, of the method ``"layers"``.

    Raises
    ------
    ValueError
        Shapes that do not fit each other, more layers, a NaN.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> W, V = numpy.eye(4), numpy.array([[1, -1, 0, 0]])
    >>> enc = faiss_lbh.from_layers([(W, None), (V, [-1.])])
    >>> enc.encode([[3, 1, 0, 0], [1, 3, 0, 0]])
    array([[1],
           [0]], dtype=uint8)
    """
    made = _lib.Layers(metric=metric_number(metric))
    kept: List[Any] = []
    if not 1 <= len(layers) <= 4:
        raise _lib.InvalidArgument(f"{len(layers)} layers; 1 to 4 are possible")
    for i, (weights, bias) in enumerate(layers):
        W = np.ascontiguousarray(_arrays.rows(weights, made.width[i] if i else None, f"W of layer {i}"), np.float32)
        b = np.zeros(len(W), np.float32) if bias is None else \
            np.ascontiguousarray(_arrays.plain(bias, f"b of layer {i}"), np.float32)
        if b.shape != (len(W),):
            raise _lib.InvalidArgument(f"b of layer {i} has the shape {b.shape}; expected {(len(W),)}")
        made.width[i], made.width[i + 1] = W.shape[1], W.shape[0]
        made.W[i], made.b[i] = W.ctypes.data, b.ctypes.data
        kept += [W, b]
    made.nlayers = len(layers)
    if decoder is not None:
        U = _arrays.floats(decoder[0], made.width[0], "U of the decoder")
        c = np.ascontiguousarray(_arrays.plain(decoder[1], "c of the decoder"), np.float32)
        if len(U) != made.width[len(layers)] or c.shape != (made.width[0],):
            raise _lib.InvalidArgument(f"the decoder has the shapes {U.shape} and {c.shape}; expected "
                                       f"{(made.width[len(layers)], made.width[0])} and {(made.width[0],)}")
        made.U, made.c = U.ctypes.data, c.ctypes.data
        kept += [U, c]
    handle = _lib.Handle("encoder")
    _lib.check(_lib.plugin.lbh_encoder_from_layers(handle.out, byref(made)))
    return Encoder._adopt(handle, metric)


def from_linear(A: Any, b: Any = None, *, decoder: Optional[Tuple[Any, Any]] = None, metric: str = "l2") -> Encoder:
    """An encoder of a linear map that was learned elsewhere (FAISS's ITQ, a head of a network): bits are
    ``A @ x + b >= 0``.

    Parameters
    ----------
    A : array (nbits, d)
    b : array (nbits,), optional
    decoder, metric
        As of :func:`from_layers`.

    Returns
    -------
    Encoder

    Raises
    ------
    ValueError
        Shapes that do not fit each other, a NaN.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> faiss_lbh.from_linear(numpy.eye(8), -numpy.arange(8)).encode([[3] * 8])
    array([[15]], dtype=uint8)
    """
    return from_layers([(A, b)], decoder=decoder, metric=metric)
