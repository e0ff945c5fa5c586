"""Ground truth and scores, by the definitions of `lbh bench`: rankings without the query's own row,
ties by row number."""
import numpy as np

PRECISION_AT = (1, 10, 100, 1000)


def _whole(row):
    """Floats as whole numbers: times 2^149."""
    return [n * (2**149 // d) for n, d in (float(v).as_integer_ratio() for v in row)]


def _ordered(rows, ids, q, inner):
    """ids of rows by true distance to q, then number: by doubles, and where their rounding may
    matter by whole numbers."""
    x, y = rows[ids].astype(np.float64), q.astype(np.float64)
    terms = -x * y if inner else (x - y) ** 2
    distance, size = terms.sum(1), np.abs(terms).sum(1)
    order = np.lexsort((ids, distance))
    ids, distance = ids[order], distance[order]
    error = (len(y) + 8) * 2.0**-53 * size[order]
    if size.max() < 2**52 and not (x % 1).any() and not (y % 1).any():
        return ids
    high = np.maximum.accumulate(distance + error)
    close = (distance[1:] - error[1:] <= high[:-1]) & (error[1:] + error[:-1] > 0)
    out, y = list(ids), _whole(q)
    for first in np.flatnonzero(close & ~np.r_[False, close[:-1]]):
        end = first + 1
        while end < len(ids) and close[end - 1]:
            end += 1
        keys = [(sum(-a * b if inner else (a - b) ** 2 for a, b in zip(_whole(rows[r]), y)), r)
                for r in ids[first:end]]
        out[first:end] = [r for _, r in sorted(keys)]
    return np.array(out)


def true_neighbours(data, k):
    """The k nearest rows of each query. In double precision and around the middle of the rows, a
    product of matrices says how far rows are, up to a known error; those that may be among the k
    nearest are put in their true order."""
    inner, (n, d) = data.metric == "ip", data.base.shape
    k = min(k, n - (data.own is not None))
    middle = np.median(data.base[::max(1, n // 64)], 0).astype(np.float64)
    block, chunk = max(1, (1 << 24) // n), max(1, (1 << 24) // d)
    share = (d + 16) * 2.0**-53
    out = np.empty((len(data.query), k), np.int64)
    for at in range(0, len(data.query), block):
        q = data.query[at:at + block].astype(np.float64) - (0 if inner else middle)
        score, error = np.empty((2, len(q), n))
        long = np.sqrt((q ** 2).sum(1))[:, None]
        for row in range(0, n, chunk):
            x = data.base[row:row + chunk].astype(np.float64) - middle
            square = (x ** 2).sum(1)
            score[:, row:row + chunk] = (0 if inner else square / 2) - q @ x.T
            error[:, row:row + chunk] = share * (long * np.sqrt(square) if inner
                                                 else (long + np.sqrt(square)) ** 2)
        if data.own is not None:
            mine = data.own[at:at + block]
            score[np.flatnonzero(mine >= 0), mine[mine >= 0]] = np.inf
        bar = np.partition(score + error, k - 1, 1)[:, k - 1]
        for i in range(len(q)):
            near = np.flatnonzero(score[i] - error[i] <= bar[i])
            out[at + i] = _ordered(data.base, near, data.query[at + i], inner)[:k]
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
