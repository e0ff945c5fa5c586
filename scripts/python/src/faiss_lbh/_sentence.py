"""Embeddings as users of sentence-transformers have them."""
from __future__ import annotations

from typing import Any, Dict, List, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _arrays
from ._encoder import Encoder
from ._index import Index


def quantize(embeddings: Any, precision: str = "ubinary", *, encoder: Optional[Encoder] = None,
             queries: bool = False, bit_order: str = "msb") -> npt.NDArray[Any]:
    """Binary codes of embeddings, as ``sentence_transformers.quantization.quantize_embeddings`` has them.

    Parameters
    ----------
    embeddings : array or tensor (n, d)
    precision : {"ubinary", "binary"}
        uint8, or the same less 128 as int8.
    encoder : Encoder, optional
        A trained one, whose bits are learned; else a bit is set where a number is above 0.
    queries : bool
        Encode as queries.
    bit_order : {"msb", "lsb"}
        "msb" as sentence-transformers, pgvector and Vespa have it; "lsb" as FAISS and this package have it.

    Returns
    -------
    ndarray of uint8 or int8 (n, bytes)

    Raises
    ------
    ValueError
        Another precision or order.

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> x = numpy.array([[.5, -.5, -.5, .5, -.5, -.5, -.5, -.5]])
    >>> faiss_lbh.quantize(x), faiss_lbh.quantize(x, "binary")
    (array([[144]], dtype=uint8), array([[16]], dtype=int8))
    >>> enc = faiss_lbh.Encoder("itq", 32).fit(numpy.random.default_rng(1).normal(size=(500, 64)))
    >>> faiss_lbh.quantize(numpy.ones((2, 64)), encoder=enc).shape
    (2, 4)
    """
    if precision not in ("ubinary", "binary"):
        raise ValueError(f"precision ({precision!r}) is neither 'ubinary' nor 'binary'")
    if bit_order not in ("lsb", "msb"):
        raise ValueError(f"bit_order ({bit_order!r}) is neither 'lsb' nor 'msb'")
    if encoder is None:
        x = _arrays.rows(embeddings, None, "embeddings")
        packed = np.empty((len(x), (x.shape[1] + 7) // 8), np.uint8)
        for part in _arrays.steps(len(x), x[:1].nbytes):
            if np.isnan(x[part]).any():
                raise ValueError("embeddings hold a NaN")
            packed[part] = np.packbits(x[part] > 0, axis=1, bitorder="big" if bit_order == "msb" else "little")
    else:
        encode = encoder.encode_queries if queries else encoder.encode
        packed = encode(embeddings, bit_order=bit_order)
    return packed if precision == "ubinary" else (packed.astype(np.int16) - 128).astype(np.int8)


def semantic_search(query_embeddings: Any, corpus_embeddings: Any, *, top_k: int = 10, score: str = "cos",
                    encoder: Union[Encoder, str] = "itq", nbits: int = 256, k_factor: float = 20,
                    **parameters: Any) -> List[List[Dict[str, Any]]]:
    """The best of a corpus for each query, with the results of ``sentence_transformers.util.
    semantic_search``: candidates by learned codes, ranked again by their embeddings.

    Parameters
    ----------
    query_embeddings : array or tensor (nq, d), or (d,)
    corpus_embeddings : array or tensor (n, d), or Index
        An index (made with ``RFlat`` or ``RSQ8``) is searched as it is, and is what to keep where a corpus is
        searched more than once; else one is made of the embeddings.
    top_k : int
    score : {"cos", "dot"}
        Cosine, or inner product.
    encoder : Encoder or str
        A trained encoder, or the method that learns from the corpus.
    nbits : int
        Bits of codes that are learned here.
    k_factor : float
        Candidates for each answer: more find more.
    **parameters
        Of the search, as of :meth:`Index.search`.

    Returns
    -------
    list of list of dict
        ``{"corpus_id": int, "score": float}`` for each query, the best first.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> import faiss_lbh, numpy
    >>> corpus = numpy.random.default_rng(1).normal(size=(1000, 32)).astype("float32")
    >>> hits = faiss_lbh.semantic_search(corpus[3:5], corpus, top_k=2, nbits=64)
    >>> [hit[0]["corpus_id"] for hit in hits]
    [3, 4]
    """
    if score not in ("cos", "dot"):
        raise ValueError(f"score ({score!r}) is neither 'cos' nor 'dot'")
    if isinstance(corpus_embeddings, Index):
        index = corpus_embeddings
        queries = _arrays.queries(query_embeddings, index.d)[0]
        if score == "cos" and index.metric != "cosine":  # of vectors that are of unit length already
            length = np.linalg.norm(queries, axis=1, keepdims=True)
            queries = np.asarray(queries / np.where(length > 0, length, 1), np.float32)
    else:
        corpus = _arrays.rows(corpus_embeddings, None, "corpus_embeddings")
        queries = _arrays.queries(query_embeddings, corpus.shape[1])[0]
        metric = "cosine" if score == "cos" else "ip"
        if not isinstance(encoder, Encoder):
            encoder = Encoder(encoder, nbits, metric="cosine" if score == "cos" else "l2").fit(corpus)
        index = Index(encoder, "BFlat,RFlat", metric=metric).train(corpus).add(corpus)
    found: npt.NDArray[Any]
    found, ids = index.search(queries, top_k, k_factor=k_factor, **parameters)
    if index.metric == "l2":  # squared distances of unit vectors
        found = 1 - found / 2 if score == "cos" else -found
    return [[{"corpus_id": int(i), "score": float(s)} for s, i in zip(scores, row) if i >= 0]
            for scores, row in zip(found, ids)]
