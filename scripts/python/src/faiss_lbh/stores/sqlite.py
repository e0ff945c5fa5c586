"""Codes in SQLite, as ``bit[n]`` of the extension sqlite-vec, which searches exhaustively.

>>> import numpy
>>> from faiss_lbh.stores import sqlite
>>> codes = numpy.random.default_rng(1).integers(0, 256, (1000, 8), numpy.uint8)
>>> connection = sqlite.connect(":memory:")
>>> sqlite.create(connection, "items", 64)
>>> sqlite.add(connection, "items", numpy.arange(1000), codes)
>>> sqlite.search(connection, "items", codes[:2], 3)[1][:, 0]
array([0, 1])

The order of bits is of no matter to it: codes are stored as they are.
"""
from __future__ import annotations

import importlib
import os
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from .. import _arrays
from .._arrays import Codes, Floats, Ids
from . import _answers, _rows

__all__ = ["connect", "create", "add", "search", "candidates"]


def connect(path: Union[str, "os.PathLike[str]"]) -> Any:
    """Opens a database with sqlite-vec in it, by Python's own ``sqlite3`` where that loads extensions (Debian's
    does, pyenv's and macOS' do not), else by ``pysqlite3`` (``pip install pysqlite3-binary``).

    Parameters
    ----------
    path : path, or ":memory:"

    Returns
    -------
    sqlite3.Connection

    Raises
    ------
    ImportError
        Neither can load an extension, or sqlite-vec is missing.
    """
    import sqlite3
    import sqlite_vec
    driver: Any = sqlite3
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        try:
            driver = importlib.import_module("pysqlite3")
        except ImportError:
            raise ImportError("this Python's sqlite3 loads no extensions, which sqlite-vec is: pip install "
                              "pysqlite3-binary") from None
    connection = driver.connect(os.fspath(path))
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.enable_load_extension(False)
    return connection


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def create(connection: Any, table: str, nbits: int, *, columns: Optional[Dict[str, str]] = None) -> None:
    """Creates a table.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of :func:`connect`.
    table : str
    nbits : int
        Bits of a code, whole bytes, up to 8,192.
    columns : dict of str to str, optional
        sqlite-vec's further columns: ``{"label": "integer"}`` for filters, ``{"user": "integer partition key"}``
        for parts that are searched alone, ``{"+title": "text"}`` for what is only stored.
    """
    if nbits % 8:
        raise ValueError(f"nbits ({nbits}) is no whole number of bytes, which sqlite-vec wants")
    for name in columns or {}:
        if not name.lstrip("+").isidentifier():  # sqlite-vec knows no quotes
            raise ValueError(f"a column cannot have the name {name!r}")
    more = "".join(f", {name} {kind}" for name, kind in (columns or {}).items())
    connection.execute(f"CREATE VIRTUAL TABLE {_name(table)} USING vec0(id integer primary key, code bit[{nbits}]{more})")


def add(connection: Any, table: str, ids: Any, codes: Any, **columns: Any) -> None:
    """Adds rows, all or none.

    Parameters
    ----------
    connection : sqlite3.Connection
    table : str
    ids : array of int (n,)
    codes : array of uint8 (n, code_size)
    **columns : sequence (n,)
        Of the table's more columns.
    """
    names = "".join(", " + _name(name) for name in columns)
    given = [code.tobytes() for code in _arrays.codes(codes, None)]
    rows = ((key, code, *more.values()) for key, code, more in _rows(ids, given, columns))
    with connection:
        connection.executemany(f"INSERT INTO {_name(table)} (id, code{names}) VALUES (?, vec_bit(?)"
                               f"{', ?' * len(columns)})", rows)


def candidates(connection: Any, table: str, codes: Any, n: int = 100, *, where: str = "",
               parameters: Sequence[Any] = ()) -> Tuple[Floats, Ids, Codes]:
    """The n nearest by Hamming distance, with their codes: for :func:`faiss_lbh.stores.rescore`.

    Parameters
    ----------
    connection : sqlite3.Connection
    table : str
    codes : array of uint8 (nq, code_size)
        Of :meth:`faiss_lbh.Encoder.encode_queries`.
    n : int
        Up to 4,096.
    where : str
        Conditions on further columns, with ``?`` for the parameters, which hold before the search.
    parameters : sequence

    Returns
    -------
    distances : ndarray of float32 (nq, n)
    ids : ndarray of int64 (nq, n)
        Equal ones by rising id, of which sqlite-vec chooses the last ones; -1 where there are fewer.
    codes : ndarray of uint8 (nq, n, code_size)
    """
    codes = _arrays.codes(codes, None)
    text = (f"SELECT id, distance, code FROM {_name(table)} WHERE code MATCH vec_bit(?) AND k = ?"
            f"{' AND (' + where + ')' if where else ''}")
    found = [sorted(connection.execute(text, (code.tobytes(), n, *parameters)), key=lambda row: (row[1], row[0]))
             for code in codes]
    return _answers(found, n, codes.shape[1])


def search(connection: Any, table: str, codes: Any, k: int = 10, *, where: str = "",
           parameters: Sequence[Any] = ()) -> Tuple[Floats, Ids]:
    """The k nearest by Hamming distance.

    Parameters
    ----------
    connection, table, codes, where, parameters
        As of :func:`candidates`.
    k : int

    Returns
    -------
    distances : ndarray of float32 (nq, k)
    ids : ndarray of int64 (nq, k)
    """
    return candidates(connection, table, codes, k, where=where, parameters=parameters)[:2]
