"""Vectors and codes in Parquet files, by pyarrow, batch by batch: files may be larger than memory.

>>> import faiss_lbh, numpy, tempfile
>>> from faiss_lbh import parquet
>>> base = numpy.random.default_rng(1).normal(size=(2000, 32)).astype("float32")
>>> here = tempfile.mkdtemp()
>>> parquet.write_vectors(here + "/base.parquet", base, ids=numpy.arange(2000))
>>> enc = faiss_lbh.Encoder("itq", 32).fit(parquet.sample(here + "/base.parquet", "vector", 1000))
>>> parquet.encode(enc, here + "/base.parquet", here + "/codes.parquet", "vector", ids="id")
2000
>>> ids, codes = parquet.read_codes(here + "/codes.parquet", ids="id", encoder=enc)
>>> codes.shape
(2000, 4)

Sources are what ``pyarrow.dataset.dataset`` takes: a file, a list of files, a directory of them, an object
store's address, or such a dataset itself (of other formats of Arrow's too). Vectors are lists, fixed-size
lists or tensors of numbers; codes are ``FixedSizeBinary``. Files are written whole or not at all.
"""
from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from . import _arrays
from ._arrays import Codes, Ids
from ._encoder import Encoder

__all__ = ["rows", "sample", "encode", "write_vectors", "write_codes", "read_codes"]

_NOTE = b"faiss_lbh"  # a code column's own account of itself: JSON in the metadata of the field
Path = Union[str, "os.PathLike[str]"]


# ---- Arrow and NumPy -----------------------------------------------------------------------------

def matrix(array: Any, what: str = "the column") -> npt.NDArray[Any]:
    """An Arrow array of lists of numbers, or of binaries of one length, as a matrix; not copied where there
    is no need.

    Parameters
    ----------
    array : pyarrow.Array
    what : str
        Its name in messages.

    Returns
    -------
    ndarray (n, d)
        uint8 of ``FixedSizeBinary``, else of the numbers' own type.

    Raises
    ------
    ValueError
        A row that is missing (null), or shorter than another.
    TypeError
        Something else than lists of numbers.

    Examples
    --------
    >>> import pyarrow
    >>> matrix(pyarrow.array([[1., 2.], [3., 4.]]))
    array([[1., 2.],
           [3., 4.]])
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):  # fixed_shape_tensor
        array = array.storage
    kind = array.type
    if array.null_count:
        where = pc.index(pc.is_null(array), True).as_py()
        raise ValueError(f"{what}: row {where} is null; drop or fill the rows without a vector")
    if pa.types.is_fixed_size_binary(kind):
        size = kind.byte_width
        data = np.frombuffer(array.buffers()[1] or b"", np.uint8)
        return data[array.offset * size:(array.offset + len(array)) * size].reshape(-1, size)
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise TypeError(f"{what} is {kind}; expected lists of numbers, or binaries of one length")
    if not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise TypeError(f"{what} has lists of {kind.value_type}; expected numbers")
    if pa.types.is_fixed_size_list(kind):
        d = kind.list_size
    else:
        lengths = pc.list_value_length(array)
        d = lengths[0].as_py() if len(array) else 0
        other = pc.index(pc.not_equal(lengths, d), True).as_py()
        if other >= 0:
            raise ValueError(f"{what}: row {other} has {lengths[other].as_py()} numbers, the first has {d}")
    values = array.flatten()
    if values.null_count:
        where = pc.index(pc.is_null(values), True).as_py() // max(d, 1)
        raise ValueError(f"{what}: row {where} has a number that is null")
    return values.to_numpy(zero_copy_only=False).reshape(len(array), d)


def _whole(array: Any, what: str) -> Ids:
    if not pa.types.is_integer(array.type) or array.null_count:
        raise ValueError(f"{what} is {array.type} with {array.null_count} nulls; ids are whole numbers")
    return array.cast(pa.int64()).to_numpy(zero_copy_only=False)


def vector_array(x: Any) -> Any:
    """The rows of a matrix as an Arrow array of fixed-size lists; of floats of 64 bits as of 32."""
    x = np.ascontiguousarray(x)
    if x.dtype == np.float64:
        x = x.astype(np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), x.shape[1])


def code_array(codes: Codes) -> Any:
    """Packed codes as an Arrow array of ``FixedSizeBinary``."""
    codes = np.ascontiguousarray(codes)
    kind = pa.binary(codes.shape[1])
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(codes), [None, pa.py_buffer(codes)])


def _dataset(source: Any) -> Any:
    if isinstance(source, ds.Dataset):
        return source
    if isinstance(source, (list, tuple)):
        return ds.dataset([os.fspath(path) for path in source])
    return ds.dataset(os.fspath(source))


def _batches(source: Any, columns: Sequence[str], batch_rows: int) -> Iterator[Any]:
    """Record batches of these columns, in the order of the files; few of them are read ahead, so that
    memory does not grow with the files."""
    data = _dataset(source)
    missing = [name for name in columns if name not in data.schema.names]
    if missing:
        raise ValueError(f"there is no column {missing[0]!r}; there are {', '.join(data.schema.names)}")
    if batch_rows < 1:
        raise ValueError(f"batch_rows ({batch_rows}) must be at least 1")
    yield from data.to_batches(columns=list(dict.fromkeys(columns)), batch_size=batch_rows, batch_readahead=2,
                               fragment_readahead=1)


# ---- Reading -------------------------------------------------------------------------------------

def rows(source: Any, column: str, *, ids: Optional[str] = None, batch_rows: int = 16384
         ) -> Iterator[Tuple[Optional[Ids], npt.NDArray[Any]]]:
    """The vectors of a column, a batch at a time.

    Parameters
    ----------
    source : path, list of paths, directory, or pyarrow.dataset.Dataset
    column : str
        Lists of numbers.
    ids : str, optional
        A column of whole numbers.
    batch_rows : int
        At most so many rows at a time.

    Yields
    ------
    ids : ndarray of int64 (m,), or None
    x : ndarray (m, d)

    Raises
    ------
    ValueError
        No such column, a row that is null or of another length; the message counts rows from the first of the
        source.

    Examples
    --------
    >>> import faiss_lbh, numpy, tempfile
    >>> here = tempfile.mkdtemp()
    >>> base = numpy.random.default_rng(1).normal(size=(500, 16)).astype("float32")
    >>> write_vectors(here + "/base.parquet", base, ids=numpy.arange(500))
    >>> index = faiss_lbh.Index("ITQ32,BIVF4").train(sample(here, "vector"))
    >>> for ids, x in rows(here, "vector", ids="id", batch_rows=200):
    ...     index = index.add(x, ids=ids)
    >>> len(index), index.search(base[7], 1)[1]
    (500, array([7]))
    """
    first, d = 0, None
    for batch in _batches(source, [column] + ([ids] if ids else []), batch_rows):
        if not len(batch):
            continue
        try:
            x = matrix(batch.column(column), repr(column))
        except ValueError as error:
            raise ValueError(f"after {first} rows: {error}") from None
        if d is not None and x.shape[1] != d:
            raise ValueError(f"after {first} rows: {column!r} has {x.shape[1]} numbers a row, and {d} before")
        d = x.shape[1]
        yield _whole(batch.column(ids), repr(ids)) if ids else None, x
        first += len(x)


def sample(source: Any, column: str, n: int = 100000, *, seed: int = 1) -> npt.NDArray[Any]:
    """A random sample of the vectors, to train by; all of them where there are no more.

    Parameters
    ----------
    source, column
        As of :func:`rows`.
    n : int
        Rows.
    seed : int

    Returns
    -------
    ndarray (min(n, rows), d)
        In the order of the source.

    Examples
    --------
    >>> import faiss_lbh, numpy, tempfile
    >>> here = tempfile.mkdtemp()
    >>> base = numpy.random.default_rng(1).normal(size=(500, 16)).astype("float32")
    >>> write_vectors(here + "/base.parquet", base, ids=numpy.arange(500))
    >>> sample(here + "/base.parquet", "vector", 100).shape
    (100, 16)
    """
    total = _dataset(source).count_rows()
    if not total or n < 1:
        raise ValueError(f"a sample of {n} out of {total} rows")
    chosen = np.sort(np.random.default_rng(seed).choice(total, min(n, total), replace=False))
    parts, first = [], 0
    for _, x in rows(source, column):
        here = chosen[np.searchsorted(chosen, first):np.searchsorted(chosen, first + len(x))]
        parts.append(x[here - first])
        first += len(x)
    return np.concatenate(parts)


# ---- Writing -------------------------------------------------------------------------------------

class _Writer:
    """Tables into a temporary file beside the target, which it becomes when all went well."""

    def __init__(self, target: Path, schema: Any, raw: str):
        self.target, self._schema, self._raw = os.fspath(target), schema, raw

    def __enter__(self) -> Any:
        self._name = f"{self.target}.{os.getpid()}.tmp"
        self._file = open(self._name, "wb")
        # Codes and floats do not get smaller by dictionaries or compression.
        others = {field.name: "snappy" for field in self._schema if field.name != self._raw}
        self._writer = pq.ParquetWriter(self._file, self._schema, compression={**others, self._raw: "none"},
                                        use_dictionary=list(others))
        return self._writer

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            self._writer.close()
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
                os.replace(self._name, self.target)
        finally:
            self._file.close()
            if os.path.exists(self._name):
                os.unlink(self._name)


def _code_field(name: str, size: int, nbits: int, bit_order: str, encoder: Optional[Encoder]) -> Any:
    note: Dict[str, Any] = {"nbits": nbits, "bit_order": bit_order}
    if encoder is not None:
        note.update(method=encoder.method, digest=f"{encoder.digest:016x}")
    return pa.field(name, pa.binary(size), nullable=False, metadata={_NOTE: json.dumps(note).encode()})


def encode(encoder: Encoder, source: Any, target: Path, column: str, *, ids: Optional[str] = None,
           keep: Sequence[str] = (), code: str = "code", bit_order: str = "lsb", queries: bool = False,
           batch_rows: int = 16384, progress: Any = None) -> int:
    """Writes the codes of a column of vectors, as a stream: memory does not grow with the source.

    Parameters
    ----------
    encoder : Encoder
        Trained.
    source, column, ids, batch_rows
        As of :func:`rows`. Ids are copied into the target.
    target : path
        One Parquet file, replaced when all is written.
    keep : sequence of str
        Columns that are copied as they are.
    code : str
        The name of the column of codes.
    bit_order : {"lsb", "msb"}
        As of :meth:`Encoder.encode`. The file says which it has.
    queries : bool
        As queries are encoded.
    progress : callable, optional
        Called with (rows done, rows in all).

    Returns
    -------
    int
        Rows.

    Examples
    --------
    >>> import faiss_lbh, numpy, tempfile
    >>> here = tempfile.mkdtemp()
    >>> base = numpy.random.default_rng(1).normal(size=(500, 16)).astype("float32")
    >>> write_vectors(here + "/base.parquet", base, ids=numpy.arange(500))
    >>> enc = faiss_lbh.Encoder("itq", 32).fit(base)
    >>> encode(enc, here + "/base.parquet", here + "/codes.parquet", "vector", keep=["id"])
    500
    """
    data = _dataset(source)
    copied = list(dict.fromkeys([*([ids] if ids else []), *keep]))
    if code in copied:
        raise ValueError(f"the codes and a column that is copied have the name {code!r}")
    missing = [name for name in [*copied, column] if name not in data.schema.names]
    if missing:
        raise ValueError(f"there is no column {missing[0]!r}; there are {', '.join(data.schema.names)}")
    function = encoder.encode_queries if queries else encoder.encode
    schema = pa.schema([data.schema.field(name) for name in copied] +
                       [_code_field(code, encoder.code_size, int(encoder.nbits), bit_order, encoder)])
    total, done = data.count_rows() if progress else 0, 0
    with _Writer(target, schema, code) as writer:
        for batch in _batches(data, [*copied, column], batch_rows):
            if not len(batch):
                continue
            try:
                packed = function(matrix(batch.column(column), repr(column)), bit_order=bit_order)
            except ValueError as error:
                raise ValueError(f"after {done} rows: {error}") from None
            if ids:
                _whole(batch.column(ids), repr(ids))
            arrays = [batch.column(name) for name in copied] + [code_array(packed)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            done += len(batch)
            if progress:
                progress(done, total)
    return done


def _write(target: Path, x: npt.NDArray[Any], ids: Any, field: Any, convert: Any) -> None:
    places = None if ids is None else _arrays.ids(ids, len(x))
    fields: List[Any] = [] if places is None else [pa.field("id", pa.int64(), nullable=False)]
    schema = pa.schema([*fields, field])
    step = max(1, (1 << 24) // max(1, x.shape[1] * x.itemsize))
    with _Writer(target, schema, field.name) as writer:
        for i in range(0, max(len(x), 1), step):
            arrays = [] if places is None else [pa.array(places[i:i + step])]
            writer.write_table(pa.Table.from_arrays([*arrays, convert(x[i:i + step])], schema=schema))


def write_vectors(target: Path, x: Any, ids: Any = None, *, column: str = "vector") -> None:
    """Writes vectors as fixed-size lists.

    Parameters
    ----------
    target : path
    x : array (n, d)
        Memory-mapped ones are read in blocks.
    ids : array of int (n,), optional
        The column ``id``.
    column : str

    Examples
    --------
    >>> import faiss_lbh, numpy, tempfile
    >>> here = tempfile.mkdtemp()
    >>> base = numpy.random.default_rng(1).normal(size=(500, 16)).astype("float32")
    >>> write_vectors(here + "/base.parquet", base, ids=numpy.arange(500))
    >>> next(rows(here, "vector"))[1].shape
    (500, 16)
    """
    x = _arrays.rows(x, None)
    kind = pa.from_numpy_dtype(np.float32 if x.dtype == np.float64 else x.dtype)
    _write(target, x, ids, pa.field(column, pa.list_(kind, x.shape[1]), nullable=False), vector_array)


def write_codes(target: Path, codes: Any, ids: Any = None, *, column: str = "code", nbits: Optional[int] = None,
                bit_order: str = "lsb", encoder: Optional[Encoder] = None) -> None:
    """Writes packed codes as ``FixedSizeBinary``.

    Parameters
    ----------
    target : path
    codes : array of uint8 (n, code_size)
        As :meth:`Encoder.encode` gives them: the first bit lowest.
    ids : array of int (n,), optional
        The column ``id``.
    column : str
    nbits : int, optional
        Where not all bits of the last byte are used (`encoder` knows it).
    bit_order : {"lsb", "msb"}
        Of the file, which says it.
    encoder : Encoder, optional
        That made them, for :func:`read_codes` to compare.

    Examples
    --------
    >>> import faiss_lbh, numpy, tempfile
    >>> here = tempfile.mkdtemp()
    >>> base = numpy.random.default_rng(1).normal(size=(500, 16)).astype("float32")
    >>> enc = faiss_lbh.Encoder("itq", 32).fit(base)
    >>> write_codes(here + "/codes.parquet", enc.encode(base), encoder=enc)
    >>> bool((read_codes(here, encoder=enc)[1] == enc.encode(base)).all())
    True
    """
    codes = _arrays.codes(codes, encoder.code_size if encoder else None)
    nbits = int(nbits or (encoder.nbits if encoder else 8 * codes.shape[1]))
    if (nbits + 7) // 8 != codes.shape[1]:
        raise ValueError(f"nbits ({nbits}) does not fit codes of {codes.shape[1]} bytes")
    field = _code_field(column, codes.shape[1], nbits, bit_order, encoder)
    _write(target, codes, ids, field, lambda part: code_array(_arrays.order(part, bit_order)))


def read_codes(source: Any, column: str = "code", *, ids: Optional[str] = None,
               bit_order: Optional[str] = None, encoder: Optional[Encoder] = None
               ) -> Tuple[Optional[Ids], Codes]:
    """All codes of a column, into memory.

    Parameters
    ----------
    source : as of :func:`rows`
    column : str
        ``FixedSizeBinary``, or lists of uint8.
    ids : str, optional
        A column of whole numbers.
    bit_order : {"lsb", "msb"}, optional
        Of a file that does not say it (else "lsb").
    encoder : Encoder, optional
        The codes must be of this one, where the file says whose they are.

    Returns
    -------
    ids : ndarray of int64 (n,), or None
    codes : ndarray of uint8 (n, code_size)
        The first bit lowest.

    Raises
    ------
    ValueError
        What the file says is not what was asked for.

    Examples
    --------
    >>> import faiss_lbh, numpy, tempfile
    >>> here = tempfile.mkdtemp()
    >>> base = numpy.random.default_rng(1).normal(size=(500, 16)).astype("float32")
    >>> enc = faiss_lbh.Encoder("itq", 32).fit(base)
    >>> write_codes(here + "/codes.parquet", enc.encode(base), numpy.arange(0, 5000, 10), encoder=enc)
    >>> ids, codes = read_codes(here + "/codes.parquet", ids="id", encoder=enc)
    >>> faiss_lbh.HammingIndex(codes, ids).search(enc.encode(base[:1]), 1)[1]
    array([[0]])
    """
    data = _dataset(source)
    n, first = data.count_rows(), 0
    note: Dict[str, Any] = {}
    if column in data.schema.names:
        note = json.loads((data.schema.field(column).metadata or {}).get(_NOTE, b"{}"))
    order = note.get("bit_order", bit_order or "lsb")
    if bit_order not in (None, order):
        raise ValueError(f"{column!r} has its bits in the order {order!r}, not {bit_order!r}")
    if encoder is not None and note.get("digest", f"{encoder.digest:016x}") != f"{encoder.digest:016x}":
        raise ValueError(f"{column!r} is of another encoder ({note.get('method')}, digest {note['digest']})")
    codes: Codes = np.empty((0, encoder.code_size if encoder else 0), np.uint8)
    places: Optional[Ids] = np.empty(n, np.int64) if ids else None
    for some, x in rows(data, column, ids=ids, batch_rows=1 << 20):
        if first == 0:
            codes = np.empty((n, x.shape[1]), np.uint8)
        codes[first:first + len(x)] = _arrays.codes(x, encoder.code_size if encoder else None, repr(column))
        if places is not None and some is not None:
            places[first:first + len(x)] = some
        first += len(x)
    return places, _arrays.order(codes, order)
