"""Codes in USearch, as its ``b1`` vectors, by its metric ``hamming``.

>>> import numpy
>>> from faiss_lbh.stores import usearch as store
>>> codes = numpy.random.default_rng(1).integers(0, 256, (1000, 8), numpy.uint8)
>>> index = store.build(numpy.arange(1000), codes)
>>> store.search(index, codes[:2], 3)[1][:, 0]
array([0, 1])

The order of bits is of no matter to it: codes are stored as they are.
"""
from __future__ import annotations

from typing import Any, Tuple

import numpy as np

from .. import _arrays
from .._arrays import Codes, Floats, Ids

__all__ = ["build", "search", "candidates"]


def build(ids: Any, codes: Any, **options: Any) -> Any:
    """An index of these codes; ``add`` and ``remove`` of its own change it, ``save`` keeps it.

    Parameters
    ----------
    ids : array of int (n,)
        None negative.
    codes : array of uint8 (n, code_size)
    **options
        Of ``usearch.index.Index``: ``connectivity``, ``expansion_add``, ``expansion_search``.

    Returns
    -------
    usearch.index.Index
    """
    from usearch.index import Index
    codes = _arrays.codes(codes, None)
    keys = _arrays.ids(ids, len(codes))
    if len(keys) and keys.min() < 0:
        raise ValueError(f"id {keys.min()} is negative, which USearch's keys are not")
    made = Index(ndim=8 * codes.shape[1], metric="hamming", dtype="b1", **options)
    made.add(keys.astype(np.uint64), codes)
    return made


def search(index: Any, codes: Any, k: int = 10, *, exact: bool = False) -> Tuple[Floats, Ids]:
    """The k nearest by Hamming distance.

    Parameters
    ----------
    index : usearch.index.Index
    codes : array of uint8 (nq, code_size)
        Of :meth:`faiss_lbh.Encoder.encode_queries`.
    k : int
    exact : bool
        Look at all codes, not at the graph.

    Returns
    -------
    distances : ndarray of float32 (nq, k)
    ids : ndarray of int64 (nq, k)
        Equal ones by rising id, of which USearch chooses the last ones; -1 where there are fewer.
    """
    codes = _arrays.codes(codes, (index.ndim + 7) // 8)
    distances = np.full((len(codes), k), np.inf, np.float32)
    ids = np.full((len(codes), k), -1, np.int64)
    for i, code in enumerate(codes):
        found = index.search(code, k, exact=exact)
        keys, far = np.asarray(found.keys).astype(np.int64), np.asarray(found.distances, np.float32)
        order = np.lexsort((keys, far))
        distances[i, :len(order)], ids[i, :len(order)] = far[order], keys[order]
    return distances, ids


def candidates(index: Any, codes: Any, n: int = 100, *, exact: bool = False) -> Tuple[Floats, Ids, Codes]:
    """The n nearest by Hamming distance, with their codes: for :func:`faiss_lbh.stores.rescore`.

    Parameters
    ----------
    index, codes, exact
        As of :func:`search`.
    n : int

    Returns
    -------
    distances : ndarray of float32 (nq, n)
    ids : ndarray of int64 (nq, n)
    codes : ndarray of uint8 (nq, n, code_size)
    """
    distances, ids = search(index, codes, n, exact=exact)
    packed: Codes = np.zeros((*ids.shape, (index.ndim + 7) // 8), np.uint8)
    there = ids >= 0
    packed[there] = np.asarray(index.get(ids[there].astype(np.uint64))).reshape(-1, packed.shape[2])
    return distances, ids, packed
