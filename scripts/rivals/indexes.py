"""FAISS's own methods at so many bits a vector: the rows that `lbh bench` has too, by the newest
FAISS, and RaBitQ in all its kinds.

RaBitQ keeps, beside its bits, 8 bytes of factors a vector with one bit a dimension, and 20 with
more. Where that leaves room for 8 dimensions, their number is chosen so that bits and factors have
the bytes asked for; else the bits alone have, and the whole takes more. Either way `code_bytes` is
what FAISS stores."""
import re

import numpy as np

from spec import Refused

VARIANTS = {  # bits a dimension, fast scan, what stands behind the name
    "rabitq": [(1, False, ""), (1, True, " fs"), (2, False, " 2 bit"), (4, False, " 4 bit")]}
QUERY_BITS = 8  # of RaBitQ's queries; unquantized ones (0) take a hundred times as long


def overhead(bits):
    return 8 if bits == 1 else 20


def rabitq_dims(d, nbits, bits):
    spare = (nbits - 8 * overhead(bits)) // bits
    dims = min(spare if spare >= 8 else nbits // bits, d)
    if dims < 1:
        raise Refused(f"rabitq: {nbits} bits are fewer than {bits} a dimension")
    return dims


def _pad(d, m):
    return "" if d % m == 0 else f"Pad{-(-d // m) * m},"


def recipe(name, d, nbits, bits=1, fast=False):
    """FAISS's factory string, and whether codes are compared by Hamming distance."""
    if nbits % 8:
        raise Refused(f"{name}: {nbits} bits are no whole number of bytes")
    size = nbits // 8
    if name == "faiss-lsh":
        return f"RR{nbits},LSH", True
    if name == "faiss-itq":
        return (f"Pad{nbits}," if nbits > d else "") + f"ITQ{nbits},LSH", True
    if name == "pq":
        return f"{_pad(d, size)}PQ{size}", False
    if name == "opq":
        if size > d:
            raise Refused(f"opq: {size} sub-vectors of {d} dimensions")
        dims = min(d, max(256, 4 * size))  # as bench/harness/bench_rival.c
        return f"OPQ{size}_{dims // size * size},PQ{size}", False
    if name == "pqfs":
        return f"{_pad(d, 2 * size)}PQ{2 * size}x4fs", False
    if name == "sq":
        return f"PCA{min(size, d)},SQ8", False
    if name == "rabitq":
        dims = rabitq_dims(d, nbits, bits)
        front = f"RR{d}" if dims == d else f"PCAR{dims}"
        return f"{front},RaBitQ{'fs' if fast else ''}{'' if bits == 1 else bits}", False
    if name == "flat":
        return "Flat", False
    raise Refused(f"{name}: not one of FAISS's methods")


def build(factory, data, hamming, train):
    """The empty index, and what it is to be trained on. Inner products are kept by no centring: PCA
    is trained on the rows and their negatives, whose mean is 0."""
    import faiss
    inner = data.metric == "ip" and not hamming
    index = faiss.index_factory(data.base.shape[1], factory,
                                faiss.METRIC_INNER_PRODUCT if inner else faiss.METRIC_L2)
    if inner and re.search(r"\bPCA", factory):
        train = np.concatenate([train, -train])
    core = inside(index)
    if hasattr(core, "qb"):
        core.qb = QUERY_BITS
    return index, train


def inside(index):
    """The index behind the transforms."""
    import faiss
    index = faiss.downcast_index(index)
    transformed = isinstance(index, faiss.IndexPreTransform)
    return faiss.downcast_index(index.index) if transformed else index


def code_bytes(index):
    """Bytes of a vector's code as FAISS counts them."""
    return int(inside(index).sa_code_size())


def rerank(data, query, ids, depth):
    """The first `depth` of each row of ids sorted by the vectors themselves; the rest stays behind.
    """
    out, depth = ids.copy(), min(depth, ids.shape[1])
    block = max(1, (1 << 22) // (depth * data.base.shape[1]))
    for at in range(0, len(out), block):
        head = out[at:at + block, :depth]
        x, y = (a.astype(np.float64) for a in (data.base[head], query[at:at + block, None]))
        if data.metric == "ip":
            key = -np.matmul(x, y.transpose(0, 2, 1))[..., 0]
        else:
            x -= y
            key = np.einsum("qkd,qkd->qk", x, x)
        key[head < 0] = np.inf
        out[at:at + block, :depth] = np.take_along_axis(head, np.argsort(key, 1, "stable"), 1)
    return out
