"""One index, from training to scores: what is a result line's own."""
import resource
import statistics
import time

import numpy as np

import indexes
import metrics

# Repeats and single queries end early where one takes long.
REPEAT_SECONDS, MOST_LATENCIES, LATENCY_SECONDS = 10, 1000, 2


def evenly(n, most):
    """At most `most` of the numbers below n, at even distances."""
    count = min(n, most)
    return [int(i * n / count) for i in range(count)]  # as lbh rounds


def _answers(index, data, at, count, k, depth):
    """The first k answers of queries at .. at + count, as a caller gets them."""
    own = None if data.own is None else data.own[at:at + count]
    extra = data.own is not None
    wanted = min(max(k, depth) + extra, len(data.base))
    ids = index.search(data.query[at:at + count], wanted)[1]
    ids = metrics.without_own(ids, own, max(k, depth))
    if not depth:
        return ids[:, :k]
    return indexes.rerank(data, data.query[at:at + count], ids, depth)[:, :k]


def _timing(index, data, answers, depth, repeats):
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        _answers(index, data, 0, len(data.query), answers, depth)
        took.append(time.perf_counter() - start)
        if sum(took) > REPEAT_SECONDS:
            break
    single = []
    for q in evenly(len(data.query), MOST_LATENCIES):
        start = time.perf_counter()
        _answers(index, data, q, 1, answers, depth)
        single.append(1000 * (time.perf_counter() - start))
        if sum(single) > 1000 * LATENCY_SECONDS:
            break
    total = statistics.median(took)
    return {"search_s": total, "qps": len(data.query) / total,
            "answers": answers, "repeats": len(took),
            "latency_ms": {f"p{p}": float(np.percentile(single, p)) for p in (50, 95, 99)}}


def _scores(index, data, depth, options, rankings):
    """Recall of all queries; mAP and precision of the sample's rankings."""
    ns = options["at"]
    out = {}
    if data.near is not None:
        found = _answers(index, data, 0, len(data.query), min(max(ns), len(data.base)), depth)
        ns = [n for n in ns if n <= found.shape[1]]
        out["recall"] = metrics.recall(found, data.near, options["k"], ns)
    if rankings is not None:
        queries, rows = rankings
        if depth:
            rows = indexes.rerank(data, data.query[queries], rows, depth)
        out.update(metrics.score_rankings(rows, queries, data, options["map_at"]), map_queries=len(queries))
        if data.metric != "label":
            out["map_k"] = data.sample_near.shape[1]
    return out


def measure(cells, group, data, options):
    """Yields one dictionary for each of `cells`, lines that differ in `rescore` and `search` alone."""
    import faiss
    learn = evenly(len(data.train), group["max_train"] or len(data.train))
    index, train = indexes.build(group["factory"], data, group["hamming"], learn)
    start = time.perf_counter()
    index.train(train)
    trained = time.perf_counter()
    index.add(data.rows(data.base, group["hamming"]))
    added = time.perf_counter()
    size = group.get("bytes") or indexes.code_bytes(index)
    shared = {"train_s": trained - start, "n_train": len(learn), "build_s": added - trained,
              "code_bytes": size, "index_bytes": size * len(data.base), "factory": group["factory"]}
    rankings = None
    if options["map_k"] or data.metric == "label":
        queries = evenly(len(data.query), options["map_queries"] or len(data.query))
        rankings = queries, np.array([_answers(index, data, q, 1, len(data.base), 0)[0] for q in queries], np.int32)
    for cell in cells:
        depth = int(cell["rescore"][6:]) if cell["rescore"].startswith("float:") else 0
        out = dict(shared)
        if cell["search"]:
            faiss.ParameterSpace().set_index_parameters(index, cell["search"])
        if depth:
            out["index_bytes"] += data.base.nbytes
        out.update(_timing(index, data, options["answers"], depth, options["repeats"]))
        out.update(_scores(index, data, depth, options, rankings))
        out["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield out
