#!/usr/bin/env python3
"""test_truth.py LBH: the neighbours that everything is measured by, on data whose distances
single precision loses: eval, compare, bench and its method flat, rescoring by floats, and
the plan for scripts/rivals, against the same rows where they are easy to tell apart."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

lbh = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ.update(OMP_WAIT_POLICY="passive", MALLOC_PERTURB_="85")


def planned(spec, out, what):
    """Neighbours that other programs are told."""
    (data,) = json.loads(run("bench", spec, "--out", out, "--plan"))["data"]
    rows = np.fromfile(data[what], np.int32)
    return rows.reshape(-1, rows[0] + 1)[:, 1:]


N, NQ, D, K = 3000, 40, 16, 100
rng = np.random.default_rng(7)
x, q = (np.rint(rng.standard_normal((n, D)) * 64) / 64 for n in (N, NQ))


def run(*args):
    done = subprocess.run([lbh, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, (args, done.returncode, done.stderr)
    return done.stdout


def beside(rows, number):
    return np.hstack([rows, np.full((len(rows), 1), number)])


def order(metric, base, query):
    if metric == "cosine":  # of whole numbers, whose squares are compared by their quotients
        base, query = (np.rint(a * 64).astype(np.int64).astype(object) for a in (base, query))
        own = (base ** 2).sum(1)
        score = [-(s * abs(s) << 200) // own for s in (base @ y for y in query)]
        return np.array([sorted(range(len(base)), key=lambda i: (s[i], i))[:K] for s in score])
    score = [(y - base) ** 2 if metric == "l2" else -base * y for y in query]
    return np.array([np.argsort(s.sum(1), kind="stable")[:K] for s in score])


wild = x.copy()
wild[11, 3] = 1e37
l2, ip = order("l2", x, q), order("ip", x, q)
SETS = [  # name, metric, base, queries, true neighbours
    ("dates", "l2", beside(x, 20240100), beside(q, 20240100), l2),
    ("dates", "ip", beside(x, 20240100), beside(q, 20240100), ip),
    ("dates", "cosine", *(beside(a, 20240100) for a in (x, q)), None),
    ("coordinates", "l2", x * 32 + 6e6, q * 32 + 6e6, l2),
    ("tiny", "l2", x * 2.0**-100, q * 2.0**-100, l2),
    ("tiny", "ip", x * 2.0**-100, q * 2.0**-100, ip),
    ("large", "l2", x * 2.0**100, q * 2.0**100, l2),
    ("one wild number", "l2", wild, q, order("l2", wild, q)),
]

for name, metric, base, query, near in SETS:
    near = order(metric, base, query) if near is None else near
    np.save("b.npy", base.astype(np.float32))
    np.save("q.npy", query.astype(np.float32))
    np.save("near.npy", near)
    files = ("--base", "b.npy", "--query", "q.npy", "--metric", metric)
    run("train", "-q", "-m", "lsh", "-b", 32, "--base", "b.npy", "-o", "m.lbh")
    common = ("eval", "-q", "--json", "--model", "m.lbh", *files, "--map-k", K, "--score", "hamming")
    own = json.loads(run(*common, "--rescore", "float", "--k-factor", 400))
    told = json.loads(run(*common, "--truth", "near.npy"))
    assert own["recall"] == told["recall"] and own["map"] == told["map"], (name, metric, own, told)
    assert own["rescore"]["float"]["10@10"] == 1, (name, metric, own["rescore"])
    table = json.loads(run("compare", "-q", "--json", "-b", 32, "-m", "Flat", "--map-k", K, *files))
    row = table["rows"][0]
    assert row["recall"]["10@10"] == 1 and row["map"] == 1, (name, metric, row)
    with open("s.ini", "w") as f:
        f.write(f"""[bench]
k = 1 10
at = 1 10
map_k = {K}
nbits = 32
repeats = 1
rescore = hamming float:3000
[data set]
base = b.npy
queries = q.npy
metric = {metric}
[method flat]
[method faiss-lsh]
""")
    out = "-".join(name.split()) + metric
    run("bench", "-q", "s.ini", "--out", out)
    lines = [json.loads(line) for line in open(out + "/bench.jsonl")]
    exact = [line for line in lines if line.get("rescore") in ("none", "float:3000")]
    assert len(exact) == 2, lines
    for line in exact:
        assert [r["value"][-1] for r in line["recall"]] == [1, 1], (name, metric, line)
    assert next(line for line in exact if line["rescore"] == "none")["map"] == 1, exact

    assert (planned("s.ini", out, "sample_near") == near).all(), (name, metric)

# each query's own row, and rows that are equal
base = np.repeat(x[:500], 3, 0).astype(np.float32)
np.save("b.npy", base)
with open("s.ini", "w") as f:
    f.write("[bench]\nk = 7\n[data set]\nbase = b.npy\nqueries = self:60\n[method flat]\n")
near = planned("s.ini", "own", "near")
full = order("l2", base.astype(float), base[:60].astype(float))
assert (near == [[r for r in row if r != i][:7] for i, row in enumerate(full)]).all()
print("passed")
