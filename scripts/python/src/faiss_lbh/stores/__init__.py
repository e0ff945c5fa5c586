"""Codes in the databases and engines that people run.

What each of them needs that its own client does not have: the order of the bits, its type of codes, the
statement that searches by Hamming distance, and the ranking of its answers by the encoder. A module for each,
imported by its name: :mod:`.pgvector` (PostgreSQL), :mod:`.lancedb`, :mod:`.usearch`, :mod:`.sqlite`
(sqlite-vec), :mod:`.milvus`, and :mod:`.documents` (OpenSearch, Elasticsearch, Vespa). docs/engines.md has
their limits, and says which of them have been run.

All take codes as :meth:`faiss_lbh.Encoder.encode` gives them, the first bit lowest, and give them back so.
"""
from __future__ import annotations

from ctypes import c_void_p
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, TypeVar

import numpy as np
import numpy.typing as npt

from .. import _arrays, _lib
from .._arrays import Codes, Floats, Ids
from .._encoder import Encoder, metric_number

__all__ = ["bit_strings", "from_bit_strings", "signed", "hexadecimal", "rescore"]

_T = TypeVar("_T")
_MODES = {"none": 0, "margin": 1, "decoder": 2}  # LBH_RESCORE_*


def bit_strings(codes: Any, nbits: Optional[int] = None) -> List[str]:
    """Codes as PostgreSQL writes ``bit(n)``: a character a bit, the first bit first.

    Parameters
    ----------
    codes : array of uint8 (n, code_size)
    nbits : int, optional
        Where not all bits of the last byte are used.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import numpy
    >>> bit_strings(numpy.array([[1, 6]], numpy.uint8), 12)
    ['100000000110']
    """
    codes = _arrays.codes(codes, None)
    bits = np.unpackbits(codes, axis=1, count=nbits, bitorder="little") + ord("0")
    return [row.tobytes().decode() for row in bits]


def from_bit_strings(strings: Any) -> Codes:
    """The codes of :func:`bit_strings`.

    Parameters
    ----------
    strings : sequence of str

    Returns
    -------
    ndarray of uint8 (n, code_size)

    Examples
    --------
    >>> from_bit_strings(['100000000110'])
    array([[1, 6]], dtype=uint8)
    """
    bits = np.stack([np.frombuffer(text.encode(), np.uint8) for text in strings])
    if not np.isin(bits, (48, 49)).all():
        raise ValueError("bits are written as 0 and 1")
    return np.packbits(bits - 48, axis=1, bitorder="little")


def signed(codes: Any) -> npt.NDArray[np.int8]:
    """Codes as signed bytes, the first bit highest: what Vespa's ``pack_bits`` makes, and OpenSearch and
    Elasticsearch take.

    Parameters
    ----------
    codes : array of uint8 (n, code_size)

    Returns
    -------
    ndarray of int8 (n, code_size)

    Examples
    --------
    >>> import numpy
    >>> signed(numpy.array([[1, 2, 128]], numpy.uint8))
    array([[-128,   64,    1]], dtype=int8)
    """
    return _arrays.reverse_bits(_arrays.codes(codes, None)).view(np.int8)


def hexadecimal(codes: Any) -> List[str]:
    """The bytes of :func:`signed`, two hexadecimal digits each: Vespa's short form of a tensor of ``int8``, and
    Elasticsearch's of ``bit``.

    Parameters
    ----------
    codes : array of uint8 (n, code_size)

    Returns
    -------
    list of str

    Examples
    --------
    >>> import numpy
    >>> hexadecimal(numpy.array([[1, 2, 128]], numpy.uint8))
    ['804001']
    """
    return [row.tobytes().hex() for row in signed(codes)]


def rescore(encoder: Encoder, queries: Any, ids: Any, codes: Any, k: int = 10, *, by: Optional[str] = None,
            metric: Optional[str] = None) -> Tuple[Floats, Ids]:
    """Ranks an engine's candidates again, by what the encoder knows of the query: on the client, from the codes
    alone.

    Parameters
    ----------
    encoder : Encoder
        That made the codes.
    queries : array (nq, d)
        The vectors.
    ids : array of int (nq, m)
        Candidates of each query; -1 where there are fewer.
    codes : array of uint8 (nq, m, code_size)
        Theirs.
    k : int
    by : {"margin", "decoder"}, optional
        How sure the query is of each bit, or the tables of the decoder. Else what ranked best in training.
    metric : {"l2", "ip", "cosine"}, optional
        The encoder's own.

    Returns
    -------
    scores : ndarray of float32 (nq, k)
    ids : ndarray of int64 (nq, k)
        The best first; -1 where there are fewer.

    Raises
    ------
    ValueError
        Shapes that do not fit each other; the encoder has no decoder.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> x = numpy.random.default_rng(1).normal(size=(1000, 16)).astype("float32")
    >>> enc = faiss_lbh.Encoder("itq", 32).fit(x)
    >>> codes = enc.encode(x)
    >>> _, near = faiss_lbh.HammingIndex(codes).search(enc.encode_queries(x[:2]), 50)   # or an engine
    >>> rescore(enc, x[:2], near, codes[near], 3)[1][:, 0]
    array([0, 1])
    """
    x = _arrays.floats(queries, encoder.d, "queries")
    ids = np.ascontiguousarray(_arrays.plain(ids, "ids"), np.int64)
    codes = _arrays.plain(codes, "codes")
    if ids.ndim != 2 or len(ids) != len(x) or codes.shape != (*ids.shape, encoder.code_size) or \
            codes.dtype != np.uint8:
        raise ValueError(f"{len(x)} queries, ids {ids.shape} and codes {codes.dtype} {codes.shape} do not fit; "
                         f"expected (nq, m) and uint8 (nq, m, {encoder.code_size})")
    mode = int(_lib.plugin.lbh_encoder_best_rescore(encoder._trained())) if by is None else _MODES.get(by, -1)
    if mode < 0:
        raise ValueError(f"by ({by!r}) is neither 'margin' nor 'decoder'")
    if mode == 0:  # by nothing but the Hamming distance, which the engine did
        return np.zeros((len(x), k), np.float32), _padded(ids, k)
    codes = np.ascontiguousarray(codes)
    handle = _lib.Handle("rescorer")
    _lib.check(_lib.plugin.lbh_rescorer_new(handle.out, encoder._trained(), mode,
                                            metric_number(metric or encoder.metric), c_void_p()))
    scores, best = np.empty((len(x), int(k)), np.float32), np.empty((len(x), int(k)), np.int64)
    _lib.call(_lib.plugin.lbh_rescorer_rank, handle, len(x), x.ctypes.data, ids.shape[1], codes.ctypes.data,
              ids.ctypes.data, int(k), int(k), scores.ctypes.data, best.ctypes.data)
    return scores, best


def _padded(ids: Ids, k: int) -> Ids:
    out = np.full((len(ids), k), -1, np.int64)
    out[:, :ids.shape[1]] = ids[:, :k]
    return out


def _rows(ids: Any, given: Sequence[_T], columns: Dict[str, Any]) -> Iterator[Tuple[int, _T, Dict[str, Any]]]:
    """(id, code as it is given, {name: value}) of each row, once all are known to fit each other."""
    keys = _arrays.ids(ids, len(given)).tolist()
    values = {name: getattr(some, "tolist", lambda some=some: list(some))() for name, some in columns.items()}
    for name, some in values.items():
        if len(some) != len(given):
            raise ValueError(f"{len(given)} codes, and {len(some)} values of {name}")
    return ((key, given[i], {name: some[i] for name, some in values.items()}) for i, key in enumerate(keys))


def _answers(found: Any, k: int, size: Optional[int] = None) -> Tuple[Floats, Ids, Codes]:
    """(distances, ids, codes) of lists of (id, distance[, code]), one list a query, with -1 where there are
    fewer than k."""
    distances = np.full((len(found), k), np.inf, np.float32)
    ids = np.full((len(found), k), -1, np.int64)
    codes: Codes = np.zeros((len(found), k, size or 0), np.uint8)
    for i, rows in enumerate(found):
        for j, row in enumerate(rows):
            ids[i, j], distances[i, j] = row[0], row[1]
            if size:
                codes[i, j] = np.frombuffer(row[2], np.uint8)
    return distances, ids, codes
