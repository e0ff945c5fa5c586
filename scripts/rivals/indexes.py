"""FAISS's own methods at so many bits a vector, by the newest FAISS, and RaBitQ in all its kinds.

RaBitQ keeps, beside its bits, 8 bytes of factors a vector with one bit a dimension, and 20 with
more. Where that leaves room for 8 dimensions, their number is chosen so that bits and factors have
the bytes asked for; else the bits alone have, and the whole takes more. Either way `code_bytes` is
what FAISS stores."""
import re

import numpy as np

VARIANTS = [(1, False, ""), (1, True, " fs"), (2, False, " 2 bit"), (4, False, " 4 bit")]
QUERY_BITS = 8  # of RaBitQ's queries; unquantized ones (0) take a hundred times as long


def rabitq(d, nbits, bits, fast):
    """FAISS's factory string, with so many bits a dimension."""
    spare = (nbits - 8 * (8 if bits == 1 else 20)) // bits
    dims = min(spare if spare >= 8 else nbits // bits, d)
    front = f"RR{d}" if dims == d else f"PCAR{dims}"
    return f"{front},RaBitQ{'fs' if fast else ''}{'' if bits == 1 else bits}"


def build(factory, data, hamming, learn):
    """The empty index, and what it is to be trained on. Inner products are kept by no centring: PCA
    is trained on the rows and their negatives, whose mean is 0."""
    import faiss
    train = data.rows(data.train[learn], hamming)
    inner = data.metric in ("ip", "cosine") and not hamming
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
