"""Ground truth and scores, by the definitions of `lbh bench`: rankings without the query's own row,
ties by row number."""
import numpy as np

PRECISION_AT = (1, 10, 100, 1000)


def true_neighbours(data, k):
    """The k nearest rows of each query: candidates by FAISS's flat search, distances of these again
    in double precision, sorted by (distance, row)."""
    import faiss
    inner = data.metric == "ip"
    k = min(k, len(data.base) - (data.own is not None))
    wanted = min(len(data.base), k + 50)
    index = (faiss.IndexFlatIP if inner else faiss.IndexFlatL2)(data.base.shape[1])
    index.add(data.base)
    out = np.empty((len(data.query), k), np.int64)
    for at in range(0, len(data.query), 500):
        q = data.query[at:at + 500]
        ids = np.sort(index.search(q, wanted)[1], 1)
        for i, row in enumerate(ids):
            x, y = data.base[row].astype(np.float64), q[i].astype(np.float64)
            distance = -(x @ y) if inner else ((x - y) ** 2).sum(1)
            order = row[np.argsort(distance, kind="stable")]
            if data.own is not None:
                order = order[order != data.own[at + i]]
            out[at + i] = order[:k]
    return out


def without_own(ids, own, k):
    """The first k of each row that are not the query's own row and no gap (-1, kept at the end)."""
    if own is None:
        return ids[:, :k]
    keep = ids != own[:, None]
    order = np.argsort(~keep, 1, kind="stable")
    kept = np.take_along_axis(np.where(keep, ids, -1), order, 1)
    return kept[:, :k]


def recall(found, truth, ks, ns):
    """Recall K@N for each K of ks, at each N of ns."""
    out = []
    for k in ks:
        if k > truth.shape[1]:
            continue
        near = np.sort(truth[:, :k], 1)
        hit = np.empty(found.shape, bool)
        for i, row in enumerate(found):
            place = np.minimum(np.searchsorted(near[i], row), k - 1)
            hit[i] = near[i][place] == row
        total = np.cumsum(hit, 1).mean(0) / k
        out.append({"k": k, "at": [n for n in ns if n <= found.shape[1]],
                    "value": [float(total[n - 1]) for n in ns if n <= found.shape[1]]})
    return out


def average_precision(relevant):
    """AP over a ranking; None for one without a relevant row."""
    ranks = np.flatnonzero(relevant)
    return float(np.mean(np.arange(1, len(ranks) + 1) / (ranks + 1))) if len(ranks) else None


class Relevance:
    """Which rows are relevant to a query: its true neighbours, or those that share a label."""

    def __init__(self, data, truth, map_k):
        self._data, self._truth = data, None if truth is None else truth[:, :map_k]

    def of(self, q):
        mark = np.zeros(len(self._data.base), bool)
        if self._truth is not None:
            mark[self._truth[q]] = True
        else:
            mark = self._data.base_labels @ self._data.query_labels[q] > 0
        return mark


def score_rankings(rankings, queries, relevance, map_at):
    """mAP over whole rankings (queries without a relevant row left out), mAP@R if map_at is not 0,
    precision@N."""
    aps, cut, precision, ns = [], [], [], [n for n in PRECISION_AT if n <= rankings.shape[1]]
    for q, row in zip(queries, rankings):
        hits = relevance.of(q)[row[row >= 0]]
        aps.append(average_precision(hits))
        cut.append(average_precision(hits[:map_at]))
        precision.append([hits[:n].sum() / n for n in ns])
    out = {"precision": {"at": ns, "value": np.mean(precision, 0).tolist()}}
    found = [ap for ap in aps if ap is not None]
    out["map"] = float(np.mean(found)) if found else None
    found = [ap for ap in cut if ap is not None]
    if map_at and found:
        out["map_at"] = {"r": map_at, "skip": float(np.mean(found)),
                         "zero": float(np.sum(found) / len(cut))}
    return out
