"""Scores, by the definitions of `lbh bench`: rankings without the query's own row,
ties by row number."""
import numpy as np

PRECISION_AT = (1, 10, 100, 1000)


def without_own(ids, own, k):
    """The first k of each row that are not the query's own row and no gap (-1, kept at the end)."""
    if own is None:
        return ids[:, :k]
    keep = ids != own[:, None]
    order = np.argsort(~keep, 1, kind="stable")
    kept = np.take_along_axis(np.where(keep, ids, -1), order, 1)
    return kept[:, :k]


def recall(found, truth, ks, ns):
    """Recall K@N for each K of ks, at each N of ns, none more than there are found."""
    out = []
    for k in ks:
        if k > truth.shape[1]:
            continue
        hit = np.array([np.isin(row, near[:k]) for row, near in zip(found, truth)])
        total = np.cumsum(hit, 1).mean(0) / k
        out.append({"k": k, "at": ns, "value": [float(total[n - 1]) for n in ns]})
    return out


def average_precision(relevant):
    """AP over a ranking; None for one without a relevant row."""
    ranks = np.flatnonzero(relevant)
    return float(np.mean(np.arange(1, len(ranks) + 1) / (ranks + 1))) if len(ranks) else None


def labelled(data, q):
    """Which rows have a label of query q."""
    start, of = data.query_start, data.query_class
    mine = np.isin(data.base_class, of[start[q]:start[q + 1]])
    return np.add.reduceat(np.append(mine, False), data.base_start[:-1]) * (np.diff(data.base_start) > 0) > 0


def relevant(data, i, q):
    """Which rows are relevant to query q, the i-th of the sample: its true neighbours, or those that share a label."""
    if data.metric == "label":
        return labelled(data, q)
    mark = np.zeros(len(data.base), bool)
    mark[data.sample_near[i]] = True
    return mark


def score_rankings(rankings, queries, data, map_at):
    """mAP over whole rankings (queries without a relevant row left out), mAP@R if map_at is not 0,
    precision@N."""
    aps, cut, precision, ns = [], [], [], [n for n in PRECISION_AT if n <= rankings.shape[1]]
    for i, (q, row) in enumerate(zip(queries, rankings)):
        hits = relevant(data, i, q)[row[row >= 0]]
        aps.append(average_precision(hits))
        cut.append(average_precision(hits[:map_at]))
        precision.append([hits[:n].sum() / n for n in ns])
    out = {"precision": {"at": ns, "value": np.mean(precision, 0).tolist()}}
    found = [ap for ap in aps if ap is not None]
    if found:
        out["label_map" if data.metric == "label" else "map"] = float(np.mean(found))
    found = [ap for ap in cut if ap is not None]
    if map_at and found:
        out["map_at"] = {"r": map_at, "skip": float(np.mean(found)),
                         "zero": float(np.sum(found) / len(cut))}
    return out
