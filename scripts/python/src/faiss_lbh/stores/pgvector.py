"""Codes in PostgreSQL, as ``bit(n)``, searched by pgvector (0.7 or later).

A table has an ``id``, a ``code``, perhaps the vectors (``embedding``) and columns of one's own. It is
PostgreSQL's like any other: filters are SQL, and so are joins, transactions, backups, replicas.

>>> import psycopg                                                                      # doctest: +SKIP
>>> from faiss_lbh.stores import pgvector                                               # doctest: +SKIP
>>> connection = psycopg.connect("postgresql:///mine")                                  # doctest: +SKIP
>>> pgvector.create(connection, "items", 64, d=384, columns={"label": "integer"})       # doctest: +SKIP
>>> pgvector.copy(connection, "items", ids, enc.encode(x), x, label=labels)             # doctest: +SKIP
>>> pgvector.index(connection, "items")                                                 # doctest: +SKIP
>>> pgvector.search(connection, "items", enc.encode_queries(q), 10, queries=q)          # doctest: +SKIP
"""
from __future__ import annotations

import struct
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from psycopg import sql

from .. import _arrays
from .._arrays import Codes, Floats, Ids
from . import _answers, bit_strings

__all__ = ["create", "copy", "index", "search", "candidates", "statement"]

_TYPES = {"smallint": ">i2", "integer": ">i4", "bigint": ">i8", "real": ">f4", "double precision": ">f8",
          "boolean": "?"}
_OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>"}
_BLOCK_BYTES = 1 << 24


def create(connection: Any, table: str, nbits: int, *, d: Optional[int] = None,
           columns: Optional[Dict[str, str]] = None, partitions: int = 0) -> None:
    """Creates the extension, where it is not there, and a table.

    Parameters
    ----------
    connection : psycopg.Connection
    table : str
    nbits : int
        Bits of a code, any number: ``bit(nbits)``. An index (:func:`index`) takes up to 64,000.
    d : int, optional
        Numbers of the vectors that are kept beside the codes, up to 16,000; without it there are none.
    columns : dict of str to str, optional
        More columns, and their types.
    partitions : int
        So many partitions, by a hash of the id.

    Examples
    --------
    >>> create(connection, "items", 64, columns={"label": "integer"})     # doctest: +SKIP
    """
    if int(nbits) < 1 or (d is not None and not 1 <= int(d) <= 16000):
        raise ValueError(f"nbits ({nbits}) must be at least 1, d ({d}) from 1 to 16000")
    fields = [sql.SQL("id bigint PRIMARY KEY"), sql.SQL("code bit({}) NOT NULL").format(sql.Literal(int(nbits)))]
    fields += [] if d is None else [sql.SQL("embedding vector({}) NOT NULL").format(sql.Literal(int(d)))]
    fields += [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))  # type: ignore[arg-type]
               for name, kind in (columns or {}).items()]
    name = _name(table)
    with connection.transaction():
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(sql.SQL("CREATE TABLE {} ({}){}").format(
            name, sql.SQL(", ").join(fields), sql.SQL(" PARTITION BY HASH (id)" if partitions else "")))
        for part in range(partitions):
            connection.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES WITH (MODULUS {}, REMAINDER {})")
                               .format(_name(f"{table}_{part}"), name, sql.Literal(partitions), sql.Literal(part)))


def _name(table: str) -> Any:
    return sql.Identifier(*table.split("."))


def copy(connection: Any, table: str, ids: Any, codes: Any, vectors: Any = None, **columns: Any) -> None:
    """Adds rows by COPY, in PostgreSQL's binary form, all or none.

    Parameters
    ----------
    connection : psycopg.Connection
    table : str
    ids : array of int (n,)
    codes : array of uint8 (n, code_size)
        As :meth:`faiss_lbh.Encoder.encode` gives them: the first bit lowest.
    vectors : array (n, d), optional
        Where the table has them.
    **columns : array (n,)
        Of the table's more columns, of numbers or booleans.

    Raises
    ------
    ValueError
        Shapes that do not fit each other, or the table.
    TypeError
        A column of another kind.

    Examples
    --------
    >>> copy(connection, "items", range(len(x)), enc.encode(x), label=labels)      # doctest: +SKIP
    """
    codes = _arrays.codes(codes, None)
    nbits, kinds = _shape(connection, table)
    if codes.shape[1] != (nbits + 7) // 8:
        raise ValueError(f"codes have {codes.shape[1]} bytes; {table} has bit({nbits})")
    n, form = len(codes), [("fields", ">i2"), ("id length", ">i4"), ("id", ">i8"), ("code length", ">i4"),
                           ("code bits", ">i4"), ("code", "u1", (codes.shape[1],))]
    given: Dict[str, Any] = {"id": _arrays.ids(ids, n), "code": _arrays.reverse_bits(codes)}
    names, lengths = ["id", "code"], {"id": 8, "code": 4 + codes.shape[1]}
    if vectors is not None:
        given["embedding"] = np.ascontiguousarray(_arrays.rows(vectors, None, "vectors"), np.float32)
        d = given["embedding"].shape[1]
        form += [("embedding length", ">i4"), ("embedding d", ">i2"), ("embedding unused", ">i2"),
                 ("embedding", ">f4", (d,))]
        names, lengths["embedding"] = [*names, "embedding"], 4 + 4 * d
    for name, values in columns.items():
        if kinds.get(name) not in _TYPES:
            raise TypeError(f"{name} is {kinds.get(name, 'no column')} in {table}; "
                            f"those of {', '.join(_TYPES)} are copied")
        given[name] = _arrays.plain(values, name)
        form += [(name + " length", ">i4"), (name, _TYPES[kinds[name]])]
        names, lengths[name] = [*names, name], np.dtype(_TYPES[kinds[name]]).itemsize
    for name in names:
        if len(given[name]) != n:
            raise ValueError(f"{n} codes, and {len(given[name])} rows of {name}")
    dtype = np.dtype(form)
    text = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        _name(table), sql.SQL(", ").join(map(sql.Identifier, names)))
    step = max(1, _BLOCK_BYTES // dtype.itemsize)
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(text) as stream:
        stream.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
        for i in range(0, n, step):
            block = np.zeros(min(step, n - i), dtype)
            block["fields"] = len(names)
            block["code bits"] = nbits
            if vectors is not None:
                block["embedding d"] = given["embedding"].shape[1]
            for name in names:
                block[name + " length"] = lengths[name]
                block[name] = _checked(given[name][i:i + step], block[name].dtype, name)
            stream.write(block.tobytes())
        stream.write(struct.pack(">h", -1))


def _checked(values: Any, dtype: Any, name: str) -> Any:
    if dtype.kind == "i" and len(values) and not (values == values.astype(dtype)).all():
        raise ValueError(f"{name} has values that its column cannot hold")
    return values


def _shape(connection: Any, table: str) -> Tuple[int, Dict[str, str]]:
    """(bits of the codes, types of all columns) of a table."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL), atttypmod FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped", (table,)).fetchall()
    kinds = {name: kind for name, kind, _ in rows}
    if kinds.get("code") != "bit":
        raise ValueError(f"there is no table {table} with a column code of the type bit")
    return next(bits for name, _, bits in rows if name == "code"), kinds


def index(connection: Any, table: str, *, m: int = 16, ef_construction: int = 64) -> None:
    """Makes an HNSW index of the codes; of a table with partitions one for each.

    Parameters
    ----------
    connection : psycopg.Connection
        ``maintenance_work_mem`` of its session should hold the graph, and
        ``max_parallel_maintenance_workers`` lets several cores build it.
    table : str
    m, ef_construction : int
        pgvector's: links a code, and candidates for them.

    Examples
    --------
    >>> connection.execute("SET maintenance_work_mem = '4GB'")      # doctest: +SKIP
    >>> index(connection, "items")                                  # doctest: +SKIP
    """
    with connection.transaction():
        connection.execute(sql.SQL("CREATE INDEX ON {} USING hnsw (code bit_hamming_ops) "
                                   "WITH (m = {}, ef_construction = {})").format(
            _name(table), sql.Literal(int(m)), sql.Literal(int(ef_construction))))


def statement(nbits: int, table: str = "items", *, where: str = "", metric: Optional[str] = None,
              fetch: bool = False) -> Any:
    """The SQL of :func:`search`, with the parameters ``code``, ``candidates``, ``k`` and, with a metric,
    ``query``.

    Parameters
    ----------
    nbits : int
    table : str
    where : str
        A condition, with parameters of its own as ``%(name)s``.
    metric : {"l2", "ip", "cosine"}, optional
        Rank the candidates again by their vectors.
    fetch : bool
        Give out the codes too.

    Returns
    -------
    psycopg.sql.Composed

    Examples
    --------
    >>> statement(64, metric="l2").as_string(None)[:42]
    'SELECT id, embedding <-> %(query)s::vector'
    """
    if metric is not None and metric not in _OPERATORS:
        raise ValueError(f"metric ({metric!r}) is none of {', '.join(map(repr, _OPERATORS))}")
    near = sql.SQL("SELECT id, code <~> %(code)s::bit({}) AS distance{} FROM {}{} ORDER BY distance LIMIT %(candidates)s"
                   ).format(sql.Literal(int(nbits)),
                            sql.SQL((", code" if fetch else "") + (", embedding" if metric else "")), _name(table),
                            sql.SQL(f" WHERE {where}" if where else ""))  # type: ignore[arg-type]
    if metric is None:
        last = sql.SQL("id, distance" + (", code" if fetch else ""))
        return sql.SQL("SELECT {} FROM ({}) AS near ORDER BY distance, id LIMIT %(k)s").format(last, near)
    return sql.SQL("SELECT id, embedding {} %(query)s::vector AS score FROM ({}) AS near "
                   "ORDER BY score, id LIMIT %(k)s").format(sql.SQL(_OPERATORS[metric]), near)


def _run(connection: Any, text: Any, codes: Codes, nbits: int, k: int, candidates: int, queries: Any,
         parameters: Dict[str, Any], ef_search: Optional[int]) -> List[List[Sequence[Any]]]:
    found = []
    ef = min(1000, max(40, candidates)) if ef_search is None else int(ef_search)
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        # Only within this transaction. An index that has given its ef_search answers goes on looking where
        # a filter or the limit wants more.
        cursor.execute("SELECT set_config('hnsw.ef_search', %s, true), "
                       "set_config('hnsw.iterative_scan', 'strict_order', true)", (str(ef),))
        for i, bits in enumerate(bit_strings(codes, nbits)):
            more = {} if queries is None else {"query": "[" + ",".join(map(repr, queries[i].tolist())) + "]"}
            cursor.execute(text, {"code": bits, "k": k, "candidates": candidates, **more, **parameters}, prepare=True)
            found.append(cursor.fetchall())
    return found


def _ready(connection: Any, table: str, codes: Any) -> Tuple[int, Codes]:
    nbits, _ = _shape(connection, table)
    return nbits, _arrays.codes(codes, (nbits + 7) // 8)


def search(connection: Any, table: str, codes: Any, k: int = 10, *, queries: Any = None, metric: str = "l2",
           candidates: Optional[int] = None, where: str = "", parameters: Optional[Dict[str, Any]] = None,
           ef_search: Optional[int] = None) -> Tuple[Floats, Ids]:
    """The k nearest rows of each query, by Hamming distance, or by their vectors among the nearest by Hamming
    distance: one statement a query.

    Parameters
    ----------
    connection : psycopg.Connection
    table : str
    codes : array of uint8 (nq, code_size)
        Of :meth:`faiss_lbh.Encoder.encode_queries`.
    k : int
    queries : array (nq, d), optional
        The vectors: the candidates are ranked again by the table's.
    metric : {"l2", "ip", "cosine"}
        Of that ranking.
    candidates : int, optional
        Found by Hamming distance; else k, or with `queries` 10 k.
    where : str
        A condition in SQL, with ``%(name)s`` for `parameters`.
    parameters : dict, optional
    ef_search : int, optional
        pgvector's ``hnsw.ef_search``; else as many as there are candidates (40 to 1000).

    Returns
    -------
    distances : ndarray of float32 (nq, k)
        Hamming distances, or pgvector's of the vectors (Euclidean, negative inner product, 1 - cosine), rising.
    ids : ndarray of int64 (nq, k)
        Equal ones by rising id, of which PostgreSQL chooses the last ones; -1 where there are fewer.

    Examples
    --------
    >>> search(connection, "items", enc.encode_queries(q), 10, queries=q, candidates=200,
    ...        where="label = %(label)s", parameters={"label": 3})        # doctest: +SKIP
    """
    nbits, codes = _ready(connection, table, codes)
    if queries is not None:
        queries = _arrays.rows(queries, None, "queries")
        if len(queries) != len(codes):
            raise ValueError(f"{len(codes)} codes and {len(queries)} queries")
    wanted = candidates or (k if queries is None else 10 * k)
    text = statement(nbits, table, where=where, metric=None if queries is None else metric)
    found = _run(connection, text, codes, nbits, k, max(k, wanted), queries, parameters or {}, ef_search)
    distances, ids, _ = _answers(found, k)
    return distances, ids


def candidates(connection: Any, table: str, codes: Any, n: int = 100, *, where: str = "",
               parameters: Optional[Dict[str, Any]] = None, ef_search: Optional[int] = None
               ) -> Tuple[Floats, Ids, Codes]:
    """The n nearest by Hamming distance, with their codes: for :func:`faiss_lbh.stores.rescore`.

    Parameters
    ----------
    connection, table, codes, where, parameters, ef_search
        As of :func:`search`.
    n : int

    Returns
    -------
    distances : ndarray of float32 (nq, n)
    ids : ndarray of int64 (nq, n)
    codes : ndarray of uint8 (nq, n, code_size)

    Examples
    --------
    >>> _, ids, codes = candidates(connection, "items", enc.encode_queries(q), 200)     # doctest: +SKIP
    >>> faiss_lbh.stores.rescore(enc, q, ids, codes, 10)                                # doctest: +SKIP
    """
    nbits, codes = _ready(connection, table, codes)
    text = statement(nbits, table, where=where, fetch=True)
    found = _run(connection, text, codes, nbits, n, n, None, parameters or {}, ef_search)
    # bit in binary: the number of bits, then the bytes
    rows = [[(i, distance, bytes(code)[4:]) for i, distance, code in some] for some in found]
    distances, ids, packed = _answers(rows, n, codes.shape[1])
    return distances, ids, _arrays.reverse_bits(packed)
