#!/usr/bin/env python3
"""test_rivals.py RIVALS VENV LBH: scripts/rivals.py on small sets: its recall and mAP against a naive
computation from FAISS's own answers, its files, its errors. Exit code 77 where it cannot install
faiss-cpu."""
import json
import os
import subprocess
import sys
import tempfile

program, environment, lbh = (os.path.abspath(path) for path in sys.argv[1:4])
try:
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

N, NQ, D = 800, 40, 64
rng = np.random.default_rng(3)

SPEC = """
[bench]
k = 1 10
at = 1 10 100
map_k = 50
nbits = 32 128     # two lengths
repeats = 1
rescore = hamming margin float:60
[data near]
base = base.npy
queries = query.fvecs
[data inner]
base = base.npy
queries = self:40
metric = ip
[data labels]
base = base.npy
queries = query.fvecs
labels = labels.npy
query_labels = query_labels.npy
metric = label
[data gone]
base = not-there
[method sgh]
[method flat]
[method pq]
data = near
nbits = 32
[method rabitq]
data = near
label = RaBitQ
[method pq:few]
data = near
nbits = 16
options = max_train=256
[method faiss-itq]
data = near inner
nbits = 16
[published]
source = nobody
nbits = 16
what = map
near nobody = .5
"""


def call(*args, **more):
    return subprocess.run([sys.executable, program, "--lbh", lbh, *args], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1", **more})


def lines(path="out/rivals.jsonl"):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def inside(program_text):
    done = subprocess.run([os.path.join(environment, "bin", "python"), "-c", program_text],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def naive(metric, own):
    """All rows in their true order."""
    base, query = (np.load(name).astype(np.float64) for name in ("base.npy", "query.npy"))
    query = base[:40] if own else query
    key = -(query @ base.T) if metric == "ip" else ((query[:, None] - base) ** 2).sum(2)
    if own:
        key[np.arange(len(query)), np.arange(len(query))] = np.inf
    return np.argsort(key, 1, "stable")[:, :len(base) - own]


def naive_recall(ranking, order, k, n):
    return np.mean([len(set(t[:k]) & set(r[:n])) / k for t, r in zip(order, ranking)])


def naive_map(ranking, relevant):
    """relevant: a set of rows for each query."""
    aps = []
    for row, good in zip(ranking, relevant):
        hits = [rank for rank, item in enumerate(row, 1) if item in good]
        aps += [np.mean([(i + 1) / rank for i, rank in enumerate(hits)])] if hits else []
    return np.mean(aps)


def faiss_ranking(factory):
    """Whole rankings by FAISS, without this program: of all queries at once, by which recall goes, and of
    one after another, by which mAP and precision go; near scores may change places between the two."""
    inside(f"""
import faiss, numpy as np
faiss.omp_set_num_threads(1)
x, q = np.load("base.npy"), np.load("query.npy")
index = faiss.index_factory({D}, "{factory}", faiss.METRIC_L2)
index.train(x); index.add(x)
np.save("ranking.npy", index.search(q, {N})[1])
np.save("single.npy", np.concatenate([index.search(one[None], {N})[1] for one in q]))
""")
    return np.load("ranking.npy"), np.load("single.npy")


def the(cells, **wanted):
    found = [c for c in cells if all(c.get(k) == v for k, v in wanted.items())]
    assert len(found) == 1, (wanted, [(c["label"], c["rescore"], c["nbits"]) for c in found])
    return found[0]


def check_values(one, rankings, order):
    ranking, single = rankings
    for entry in one["recall"]:
        for n, value in zip(entry["at"], entry["value"]):
            assert abs(value - naive_recall(ranking, order, entry["k"], n)) < 1e-12, (one, n)
    relevant = [set(row[:50]) for row in order]
    assert abs(one["map"] - naive_map(single, relevant)) < 1e-9, one["map"]
    for n, value in zip(one["precision"]["at"], one["precision"]["value"]):
        naive_value = np.mean([len(set(r[:n]) & good) / n for r, good in zip(single, relevant)])
        assert abs(value - naive_value) < 1e-12


def check_scores(cells):
    order = naive("l2", False)
    rankings = faiss_ranking("PQ4")
    one = the(cells, data="near", method="pq", nbits=32, rescore="none")
    check_values(one, rankings, order)
    assert one["code_bytes"] == 4 and one["index_bytes"] == 4 * N and one["nq"] == NQ
    assert the(cells, data="near", method="pq", nbits=16, rescore="none")["n_train"] == 256
    # Rescored: the first 60 by their true distances, the rest as they were.
    base, query = (np.load(name).astype(np.float64) for name in ("base.npy", "query.npy"))
    for ranking in rankings:
        for q, row in enumerate(ranking):
            head = row[:60]
            row[:60] = head[np.argsort(((base[head] - query[q]) ** 2).sum(1), kind="stable")]
    check_values(the(cells, data="near", method="pq", nbits=32, rescore="float:60"), rankings, order)
    ranking = faiss_ranking("ITQ16,LSH")[0]
    one = the(cells, data="near", method="faiss-itq", rescore="hamming")
    assert abs(one["recall"][1]["value"][2] - naive_recall(ranking, order, 10, 100)) < 0.05
    labels = np.load("labels.npy")
    wanted = np.load("query_labels.npy")
    same = [set(np.flatnonzero((labels == label).ravel())) for label in wanted]
    one = the(cells, data="labels", method="flat")
    assert "recall" not in one and "map" not in one
    assert abs(one["label_map"] - naive_map(order, same)) < 1e-9
    # Exact search is exact; queries that are rows do not find themselves.
    for data, own in ("near", False), ("inner", True):
        one = the(cells, data=data, method="flat")
        assert one["family"] == "ceiling" and one["nbits"] == 32 * D
        assert [e["value"] for e in one["recall"]] == [[1, 1, 1], [.1, 1, 1]], one["recall"]
    naive_own = naive("ip", True)
    assert not (naive_own[:, 0] == np.arange(40)).any()


def check_sizes(cells):
    """RaBitQ in the bytes asked for where they suffice, else with its factors behind the bits."""
    expected = {(32, ""): 12, (32, " 2 bit"): 24, (32, " 4 bit"): 24, (128, ""): 16}
    for (nbits, kind), size in expected.items():
        label = "RaBitQ" + kind
        found = [c for c in cells if c["data"] == "near" and c["nbits"] == nbits
                 and c["rescore"] == "none" and c["label"] == f"{label} {c['faiss']}"]
        assert len(found) == 1 and found[0]["code_bytes"] == size, (label, nbits, found)
    fast = [c for c in cells if c["label"] == f"RaBitQ fs {c['faiss']}"]
    assert {c["nbits"] for c in fast} == {32, 128} and all(c["status"] == "ok" for c in fast)


def check_lines(cells):
    keys = [c["key"] for c in cells]
    assert len(set(keys)) == len(keys) and all(len(k) == 16 for k in keys)
    for c in cells:
        assert c["format"] == "lbh-bench 1" and c["type"] == "cell" and c["status"] == "ok", c
        for name in "train_s", "build_s", "search_s", "qps", "peak_mb":
            assert c[name] >= 0, (name, c)
        assert c["latency_ms"]["p50"] <= c["latency_ms"]["p95"] <= c["latency_ms"]["p99"]
        assert c["faiss"] in c["label"] and c["cpu"] and c["command"] and c["git"]
    assert {c["data"] for c in cells} == {"near", "inner", "labels"}
    assert not any(c["method"] == "sgh" for c in cells)


def check_resumed(cells):
    """A torn line is cut off, what is missing is measured again, and nothing else is."""
    with open("out/rivals.jsonl", "rb") as f:
        text = f.read()
    whole = text.splitlines(keepends=True)
    with open("out/rivals.jsonl", "wb") as f:
        f.write(b"".join(whole[:-1]) + whole[-1][:40])
    done = call("spec.ini", "--out", "out", "--venv", environment, "--threads", "1")
    assert done.returncode == 0 and "1 cells" in done.stderr, done.stderr
    again = lines()
    assert [c["key"] for c in again] == [c["key"] for c in cells]
    done = call("spec.ini", "--out", "out", "--venv", environment, "--threads", "1")
    assert done.returncode == 0 and "0 cells" in done.stderr


def check_failures():
    """Too little time or a set that is too small is recorded, and the other cells go on."""
    with open("bad.ini", "w", encoding="utf-8") as f:
        f.write("[bench]\nnbits = 64\nrepeats = 1\nmap_k = 0\ntime_limit = 60\n"
                "[data few]\nbase = few.npy\nqueries = query.npy\n[method pq]\n[method flat]\n")
    np.save("few.npy", np.load("base.npy")[:20])  # fewer than PQ's 256 centroids
    done = call("bad.ini", "--out", "bad", "--venv", environment, "--threads", "1")
    cells = lines("bad/rivals.jsonl")
    assert done.returncode == 1 and len(cells) == 2, done.stderr
    assert cells[0]["status"] == "failed" and "256" in cells[0]["error"], cells[0]
    assert cells[1]["status"] == "ok"
    for text, words in ("[data x]\nbase = a\n", "at least one"), ("oops", "bad.ini"):
        with open("bad.ini", "w", encoding="utf-8") as f:
            f.write(text)
        done = call("bad.ini", "--out", "bad", "--venv", environment)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr
    done = call("none.ini", "--out", "bad", "--venv", environment)
    assert done.returncode == 1 and "none.ini" in done.stderr and "Traceback" not in done.stderr


def check_offline():
    """Without a package index it says so, and that it was skipped."""
    os.mkdir("empty")
    done = call("spec.ini", "--out", "offline", "--venv", "offline-venv", PIP_NO_INDEX="1",
                PIP_FIND_LINKS=os.path.abspath("empty"), PIP_CONFIG_FILE=os.devnull)
    assert done.returncode == 77 and "faiss-cpu" in done.stderr, done
    assert not os.path.exists("offline")


def main():
    centres = 3 * rng.standard_normal((10, D))
    kind = rng.integers(10, size=N + NQ)
    x = (centres[kind] + rng.standard_normal((N + NQ, D))).astype(np.float32)
    np.save("base.npy", x[:N])
    np.save("query.npy", x[N:])
    np.save("labels.npy", kind[:N].astype(np.int32))
    np.save("query_labels.npy", kind[N:].astype(np.int32))
    with open("query.fvecs", "wb") as f:
        for row in x[N:]:
            f.write(np.int32(D).tobytes() + row.tobytes())
    with open("spec.ini", "w", encoding="utf-8") as f:
        f.write(SPEC)
    check_offline()
    done = call("spec.ini", "--out", "out", "--venv", environment, "--threads", "1")
    if done.returncode == 77:
        print(done.stderr)
        sys.exit(77)
    assert done.returncode == 0, done.stderr
    assert "[data gone]" in done.stderr, done.stderr
    cells = lines()
    check_lines(cells)
    check_sizes(cells)
    check_scores(cells)
    check_resumed(cells)
    check_failures()


with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    main()
