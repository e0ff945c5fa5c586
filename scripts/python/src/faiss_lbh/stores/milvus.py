"""Codes in Milvus, as ``BINARY_VECTOR``, by its metric ``HAMMING``: written after the documentation of its client
(pymilvus 2.4 and later), and not run against a server, because Milvus Lite takes no binary vectors.

>>> from pymilvus import MilvusClient                                               # doctest: +SKIP
>>> from faiss_lbh.stores import milvus                                             # doctest: +SKIP
>>> client = MilvusClient("http://localhost:19530")                                 # doctest: +SKIP
>>> milvus.create(client, "items", 64)                                              # doctest: +SKIP
>>> milvus.add(client, "items", ids, enc.encode(x), label=labels)                   # doctest: +SKIP
>>> milvus.search(client, "items", enc.encode_queries(q), 10, filter="label == 3")  # doctest: +SKIP

The order of bits is of no matter to it: codes are stored as they are.
"""
from __future__ import annotations

from itertools import islice
from typing import Any, Dict, Optional, Tuple

from .. import _arrays
from .._arrays import Codes, Floats, Ids
from . import _answers, _rows

__all__ = ["create", "add", "search", "candidates"]


def create(client: Any, collection: str, nbits: int, *, nlist: int = 0, dynamic: bool = True, **options: Any) -> None:
    """Creates a collection with its index, and loads it.

    Parameters
    ----------
    client : pymilvus.MilvusClient
    collection : str
    nbits : int
        Bits of a code, whole bytes.
    nlist : int
        Lists of ``BIN_IVF_FLAT``; 0 is ``BIN_FLAT``, which looks at all codes.
    dynamic : bool
        Whether rows may have fields of any other name.
    **options
        Of ``create_collection``: ``num_shards``, ``num_partitions``, ...
    """
    from pymilvus import DataType
    if nbits % 8:
        raise ValueError(f"nbits ({nbits}) is no whole number of bytes, which Milvus wants")
    schema = client.create_schema(auto_id=False, enable_dynamic_field=dynamic)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("code", DataType.BINARY_VECTOR, dim=int(nbits))
    index = client.prepare_index_params()
    index.add_index("code", index_type="BIN_IVF_FLAT" if nlist else "BIN_FLAT", metric_type="HAMMING",
                    params={"nlist": int(nlist)} if nlist else {})
    client.create_collection(collection, schema=schema, index_params=index, **options)


def add(client: Any, collection: str, ids: Any, codes: Any, *, batch_rows: int = 10000, **columns: Any) -> None:
    """Inserts rows, a batch at a time (a request of Milvus has at most 64 MB).

    Parameters
    ----------
    client : pymilvus.MilvusClient
    collection : str
    ids : array of int (n,)
    codes : array of uint8 (n, code_size)
    batch_rows : int
    **columns : sequence (n,)
        More fields.
    """
    given = [code.tobytes() for code in _arrays.codes(codes, None)]
    rows = ({"id": key, "code": code, **more} for key, code, more in _rows(ids, given, columns))
    while batch := list(islice(rows, batch_rows)):
        client.insert(collection, batch)


def candidates(client: Any, collection: str, codes: Any, n: int = 100, *, filter: str = "",
               nprobe: Optional[int] = None) -> Tuple[Floats, Ids, Codes]:
    """The n nearest by Hamming distance, with their codes: for :func:`faiss_lbh.stores.rescore`.

    Parameters
    ----------
    client : pymilvus.MilvusClient
    collection : str
    codes : array of uint8 (nq, code_size)
        Of :meth:`faiss_lbh.Encoder.encode_queries`.
    n : int
        Up to 16,384.
    filter : str
        A condition of Milvus.
    nprobe : int, optional
        Lists that are looked at.

    Returns
    -------
    distances : ndarray of float32 (nq, n)
    ids : ndarray of int64 (nq, n)
        -1 where there are fewer.
    codes : ndarray of uint8 (nq, n, code_size)
    """
    codes = _arrays.codes(codes, None)
    parameters: Dict[str, Any] = {"metric_type": "HAMMING", "params": {} if nprobe is None else {"nprobe": int(nprobe)}}
    hits = client.search(collection, data=[code.tobytes() for code in codes], anns_field="code", limit=int(n),
                         filter=filter, search_params=parameters, output_fields=["code"])
    found = [sorted(((hit["id"], hit["distance"], _bytes(hit["entity"]["code"])) for hit in row),
                    key=lambda row: (row[1], row[0])) for row in hits]
    return _answers(found, n, codes.shape[1])


def _bytes(value: Any) -> bytes:  # the client gives binary vectors as [bytes]
    return bytes(value[0] if isinstance(value, (list, tuple)) else value)


def search(client: Any, collection: str, codes: Any, k: int = 10, *, filter: str = "",
           nprobe: Optional[int] = None) -> Tuple[Floats, Ids]:
    """The k nearest by Hamming distance.

    Parameters
    ----------
    client, collection, codes, filter, nprobe
        As of :func:`candidates`.
    k : int

    Returns
    -------
    distances : ndarray of float32 (nq, k)
    ids : ndarray of int64 (nq, k)
    """
    return candidates(client, collection, codes, k, filter=filter, nprobe=nprobe)[:2]
