"""Codes for OpenSearch, Elasticsearch and Vespa: mappings, files of documents, and queries, as JSON (and Vespa's
schema) for ``curl`` or a client of theirs. Nothing here talks to a server.

>>> import json, numpy
>>> from faiss_lbh.stores import documents
>>> codes = numpy.array([[1, 2, 128]], numpy.uint8)
>>> for line in documents.bulk("items", [7], codes, label=[3]):
...     print(line)
{"index": {"_index": "items", "_id": "7"}}
{"code": [-128, 64, 1], "label": 3}
>>> print(next(documents.vespa_feed("items", [7], codes)))
{"put": "id:items:items::7", "fields": {"id": 7, "code": {"values": "804001"}}}

Bytes are signed, and their first bit is the highest, as these engines count the dimensions of a vector of bits.
"""
from __future__ import annotations

import json
from typing import Any, Dict, Iterator, Optional

import numpy as np
import numpy.typing as npt

from . import _rows, hexadecimal, signed

__all__ = ["bulk", "opensearch_index", "opensearch_query", "opensearch_distances", "elasticsearch_index",
           "elasticsearch_query", "elasticsearch_distances", "vespa_schema", "vespa_feed", "vespa_query"]

Json = Dict[str, Any]


def _whole(nbits: int, most: int, engine: str) -> int:
    if nbits % 8 or not 8 <= nbits <= most:
        raise ValueError(f"nbits ({nbits}): {engine} takes whole bytes, up to {most} bits")
    return int(nbits)


def bulk(index: str, ids: Any, codes: Any, **columns: Any) -> Iterator[str]:
    """The lines of a request ``POST /_bulk``, of OpenSearch and of Elasticsearch; send a few thousand at a time.

    Parameters
    ----------
    index : str
    ids : array of int (n,)
        Of the documents, as ``_id``.
    codes : array of uint8 (n, code_size)
    **columns : sequence (n,)
        More fields.

    Yields
    ------
    str
        Two lines a document, without the newlines that end them.
    """
    for key, code, more in _rows(ids, signed(codes).tolist(), columns):
        yield json.dumps({"index": {"_index": index, "_id": str(key)}})
        yield json.dumps({"code": code, **more})


# ---- OpenSearch ----------------------------------------------------------------------------------

def opensearch_index(nbits: int, *, shards: int = 1, m: int = 16, ef_construction: int = 100,
                     properties: Optional[Json] = None) -> Json:
    """The body of ``PUT /items`` (OpenSearch 2.16 or later): FAISS's binary HNSW.

    Parameters
    ----------
    nbits : int
        Whole bytes, up to 16,000 bits.
    shards, m, ef_construction : int
    properties : dict, optional
        The mapping of more fields.

    Returns
    -------
    dict

    Examples
    --------
    >>> opensearch_index(64)["mappings"]["properties"]["code"]["dimension"]
    64
    """
    code = {"type": "knn_vector", "dimension": _whole(nbits, 16000, "OpenSearch"), "data_type": "binary",
            "method": {"name": "hnsw", "engine": "faiss", "space_type": "hamming",
                       "parameters": {"m": int(m), "ef_construction": int(ef_construction)}}}
    return {"settings": {"index": {"knn": True, "number_of_shards": int(shards)}},
            "mappings": {"properties": {"code": code, **(properties or {})}}}


def opensearch_query(code: Any, k: int = 10, *, filter: Optional[Json] = None, fetch: bool = False) -> Json:
    """The body of ``POST /items/_search``.

    Parameters
    ----------
    code : array of uint8 (code_size,)
        Of one query.
    k : int
    filter : dict, optional
        A query of OpenSearch, which holds before the search.
    fetch : bool
        Give out the codes too, for :func:`faiss_lbh.stores.rescore` (turn them back by
        :func:`faiss_lbh.reverse_bits`).

    Returns
    -------
    dict

    Examples
    --------
    >>> import numpy
    >>> opensearch_query(numpy.array([1, 2], numpy.uint8), 5)["query"]
    {'knn': {'code': {'vector': [-128, 64], 'k': 5}}}
    """
    near: Json = {"vector": signed(np.asarray(code)[None])[0].tolist(), "k": int(k)}
    if filter is not None:
        near["filter"] = filter
    return {"size": int(k), "_source": ["code"] if fetch else False, "query": {"knn": {"code": near}}}


def opensearch_distances(scores: Any, nbits: int = 0) -> npt.NDArray[np.int64]:
    """Hamming distances of ``_score``, which is 1 / (1 + distance).

    Examples
    --------
    >>> opensearch_distances([1, .25])
    array([0, 3])
    """
    return np.rint(1 / np.asarray(scores, np.float64) - 1).astype(np.int64)


# ---- Elasticsearch -------------------------------------------------------------------------------

def elasticsearch_index(nbits: int, *, shards: int = 1, kind: str = "hnsw", properties: Optional[Json] = None) -> Json:
    """The body of ``PUT /items`` (Elasticsearch 8.15 or later).

    Parameters
    ----------
    nbits : int
        Whole bytes, up to 4,096 bits.
    shards : int
    kind : {"hnsw", "flat"}
        "flat" looks at all codes.
    properties : dict, optional
        The mapping of more fields.

    Returns
    -------
    dict

    Examples
    --------
    >>> elasticsearch_index(64)["mappings"]["properties"]["code"]["element_type"]
    'bit'
    """
    if kind not in ("hnsw", "flat"):
        raise ValueError(f"kind ({kind!r}) is neither 'hnsw' nor 'flat'")
    code = {"type": "dense_vector", "element_type": "bit", "dims": _whole(nbits, 4096, "Elasticsearch"), "index": True,
            "similarity": "l2_norm", "index_options": {"type": kind}}
    return {"settings": {"index": {"number_of_shards": int(shards)}},
            "mappings": {"properties": {"code": code, **(properties or {})}}}


def elasticsearch_query(code: Any, k: int = 10, *, candidates: int = 100, filter: Optional[Json] = None,
                        values: Any = None) -> Json:
    """The body of ``POST /items/_search``.

    Parameters
    ----------
    code : array of uint8 (code_size,)
        Of one query.
    k : int
    candidates : int
        ``num_candidates`` of each shard; with `values` those that are ranked again.
    filter : dict, optional
        A query of Elasticsearch, which holds before the search.
    values : array (nbits,), optional
        ``encoder.project(query, queries=True)``: rank by margins, in Elasticsearch (8.16 or later). The sum of the
        values of the bits that a code has set is, less a number of the query alone, the sum of the margins of the
        bits that differ, negative.

    Returns
    -------
    dict

    Examples
    --------
    >>> import numpy
    >>> elasticsearch_query(numpy.array([1, 2], numpy.uint8), 5)["knn"]["query_vector"]
    '8040'
    """
    n = max(int(candidates), int(k))
    near: Json = {"field": "code", "query_vector": hexadecimal(np.asarray(code)[None])[0],
                  "k": int(k) if values is None else n, "num_candidates": n}
    if filter is not None:
        near["filter"] = filter
    body: Json = {"size": int(k), "_source": False, "knn": near}
    if values is not None:
        z = np.asarray(values, np.float64)
        least = float(np.minimum(z, 0).sum())  # scores must not be negative
        script = {"source": "dotProduct(params.z, 'code') - params.least", "params": {"z": z.tolist(), "least": least}}
        body["rescore"] = {"window_size": n, "query": {
            "rescore_query": {"script_score": {"query": {"match_all": {}}, "script": script}},
            "query_weight": 0, "rescore_query_weight": 1}}
    return body


def elasticsearch_distances(scores: Any, nbits: int) -> npt.NDArray[np.int64]:
    """Hamming distances of ``_score``, which is (nbits - distance) / nbits.

    Examples
    --------
    >>> elasticsearch_distances([1, .75], 64)
    array([ 0, 16])
    """
    return np.rint(nbits * (1 - np.asarray(scores, np.float64))).astype(np.int64)


# ---- Vespa ---------------------------------------------------------------------------------------

def vespa_schema(name: str, nbits: int, *, fields: Optional[Dict[str, str]] = None, hnsw: bool = True) -> str:
    """The schema, for ``schemas/NAME.sd``: with a rank profile ``hamming``, and one ``margin`` that ranks the best
    of those again by the query's margins, in Vespa.

    Parameters
    ----------
    name : str
    nbits : int
        Whole bytes.
    fields : dict of str to str, optional
        More fields, and their types, to filter by.
    hnsw : bool
        An index; without it a search looks at all codes.

    Returns
    -------
    str

    Examples
    --------
    >>> "distance-metric: hamming" in vespa_schema("items", 64, fields={"label": "int"})
    True
    """
    size = _whole(nbits, 1 << 20, "Vespa") // 8
    index = """
            index {
                hnsw {
                    max-links-per-node: 16
                    neighbors-to-explore-at-insert: 200
                }
            }""" if hnsw else ""
    more = "".join(f"""
        field {field} type {kind} {{
            indexing: attribute | summary
            attribute: fast-search
        }}""" for field, kind in (fields or {}).items())
    return f"""schema {name} {{
    document {name} {{
        field id type long {{
            indexing: attribute | summary
        }}
        field code type tensor<int8>(b[{size}]) {{
            indexing: attribute{' | index' if hnsw else ''} | summary
            attribute {{
                distance-metric: hamming
            }}{index}
        }}{more}
    }}
    rank-profile hamming {{
        inputs {{
            query(q) tensor<int8>(b[{size}])
        }}
        first-phase {{
            expression: closeness(field, code)
        }}
        match-features {{
            distance(field, code)
        }}
    }}
    rank-profile margin inherits hamming {{
        inputs {{
            query(z) tensor<float>(b[{nbits}])
        }}
        second-phase {{
            rerank-count: 200
            expression: sum(query(z) * unpack_bits(attribute(code)))
        }}
    }}
}}
"""


def vespa_feed(name: str, ids: Any, codes: Any, *, namespace: Optional[str] = None, **fields: Any) -> Iterator[str]:
    """A document a line, as ``vespa feed FILE`` takes them.

    Parameters
    ----------
    name : str
        Of the schema.
    ids : array of int (n,)
    codes : array of uint8 (n, code_size)
    namespace : str, optional
        Else the name.
    **fields : sequence (n,)

    Yields
    ------
    str
    """
    for key, digits, more in _rows(ids, hexadecimal(codes), fields):
        yield json.dumps({"put": f"id:{namespace or name}:{name}::{key}",
                          "fields": {"id": key, "code": {"values": digits}, **more}})


def vespa_query(name: str, code: Any, k: int = 10, *, where: str = "", values: Any = None, exact: bool = False) -> Json:
    """The body of ``POST /search/``.

    Parameters
    ----------
    name : str
        Of the schema.
    code : array of uint8 (code_size,)
        Of one query.
    k : int
    where : str
        A further condition of YQL.
    values : array (nbits,), optional
        ``encoder.project(query, queries=True)``: rank 10 k candidates of each node by margins.
    exact : bool
        Look at all codes.

    Returns
    -------
    dict

    Examples
    --------
    >>> import numpy
    >>> vespa_query("items", numpy.array([1, 2], numpy.uint8), 5)["input.query(q)"]
    [-128, 64]
    """
    hits = int(k) if values is None else 10 * int(k)
    near = f"{{targetHits: {hits}, approximate: {'false' if exact else 'true'}}}nearestNeighbor(code, q)"
    body: Json = {"yql": f"select id from {name} where {near}{f' and ({where})' if where else ''}", "hits": int(k),
                  "ranking.profile": "hamming" if values is None else "margin",
                  "input.query(q)": signed(np.asarray(code)[None])[0].tolist()}
    if values is not None:
        body["ranking.rerankCount"] = hits
        body["input.query(z)"] = np.asarray(values, np.float64).tolist()
    return body
