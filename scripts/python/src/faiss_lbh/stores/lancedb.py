"""Codes in LanceDB, as fixed-size lists of ``uint8``, by its distance ``hamming``.

>>> import lancedb, numpy, tempfile
>>> from faiss_lbh.stores import lancedb as store
>>> codes = numpy.random.default_rng(1).integers(0, 256, (1000, 8), numpy.uint8)
>>> table = store.add(lancedb.connect(tempfile.mkdtemp()), "items", numpy.arange(1000), codes)
>>> store.search(table, codes[:2], 3)[1][:, 0]
array([0, 1])

The order of bits is of no matter to it: codes are stored as they are.
"""
from __future__ import annotations

from typing import Any, Optional, Tuple

import pyarrow as pa

from .. import _arrays
from .._arrays import Codes, Floats, Ids
from . import _answers

__all__ = ["add", "index", "search", "candidates"]


def add(connection: Any, table: str, ids: Any, codes: Any, vectors: Any = None, **columns: Any) -> Any:
    """Adds rows to a table, which is made if it is not there.

    Parameters
    ----------
    connection : lancedb.DBConnection
    table : str
    ids : array of int (n,)
        The column ``id``.
    codes : array of uint8 (n, code_size)
        The column ``code``.
    vectors : array (n, d), optional
        The column ``embedding``.
    **columns : array (n,)
        More of them.

    Returns
    -------
    lancedb.table.Table
    """
    codes = _arrays.codes(codes, None)
    arrays = {"id": pa.array(_arrays.ids(ids, len(codes))),
              "code": pa.FixedSizeListArray.from_arrays(pa.array(codes.reshape(-1)), codes.shape[1])}
    if vectors is not None:
        x = _arrays.floats(vectors, _arrays.rows(vectors, None, "vectors").shape[1], "vectors")
        arrays["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), x.shape[1])
    rows = pa.table({**arrays, **{name: pa.array(values) for name, values in columns.items()}})
    if table not in _names(connection):
        return connection.create_table(table, rows)
    there = connection.open_table(table)
    there.add(rows)
    return there


def _names(connection: Any) -> Any:
    listed = connection.list_tables() if hasattr(connection, "list_tables") else connection.table_names()
    return getattr(listed, "tables", listed)


def index(table: Any, partitions: Optional[int] = None) -> None:
    """Makes an index of lists (``IvfFlat``), the only kind that LanceDB has for Hamming distances.

    Parameters
    ----------
    table : lancedb.table.Table
    partitions : int, optional
        Lists; else LanceDB's choice. A search looks at ``nprobes`` of them.
    """
    from lancedb.index import IvfFlat
    table.create_index("code", config=IvfFlat(distance_type="hamming", num_partitions=partitions))


def candidates(table: Any, codes: Any, n: int = 100, *, where: Optional[str] = None, nprobes: Optional[int] = None,
               exact: bool = False) -> Tuple[Floats, Ids, Codes]:
    """The n nearest by Hamming distance, with their codes: for :func:`faiss_lbh.stores.rescore`.

    Parameters
    ----------
    table : lancedb.table.Table
    codes : array of uint8 (nq, code_size)
        Of :meth:`faiss_lbh.Encoder.encode_queries`.
    n : int
    where : str, optional
        A condition in SQL, which holds before the search.
    nprobes : int, optional
        Lists that are looked at.
    exact : bool
        Look at all rows, whether there is an index or not.

    Returns
    -------
    distances : ndarray of float32 (nq, n)
    ids : ndarray of int64 (nq, n)
        -1 where there are fewer.
    codes : ndarray of uint8 (nq, n, code_size)
    """
    found, codes = [], _arrays.codes(codes, None)
    for code in codes:
        query = table.search(code, vector_column_name="code").distance_type("hamming").limit(n)
        query = query.select(["id", "code", "_distance"])
        query = query if where is None else query.where(where)
        query = query if nprobes is None else query.nprobes(nprobes)
        rows = (query.bypass_vector_index() if exact else query).to_arrow()
        packed = rows["code"].combine_chunks().flatten().to_numpy().reshape(-1, codes.shape[1])
        some = zip(rows["id"].to_pylist(), rows["_distance"].to_pylist(), packed)
        found.append(sorted(some, key=lambda row: (row[1], row[0])))
    return _answers(found, n, codes.shape[1])


def search(table: Any, codes: Any, k: int = 10, **more: Any) -> Tuple[Floats, Ids]:
    """The k nearest by Hamming distance.

    Parameters
    ----------
    table, codes, **more
        As of :func:`candidates`.
    k : int

    Returns
    -------
    distances : ndarray of float32 (nq, k)
    ids : ndarray of int64 (nq, k)
    """
    return candidates(table, codes, k, **more)[:2]
