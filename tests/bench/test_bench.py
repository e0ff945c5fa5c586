#!/usr/bin/env python3
"""test_bench.py LBH: `lbh bench` from outside: cells and their numbers against `lbh compare`; a run
that is killed and goes on; cells that fail; limits; two runs at once; medians by hand. Needs nothing
but Python."""
import json, math, os, re, signal, statistics, subprocess, sys, tempfile, time

lbh = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"
BASE = "synthetic:n=2000,d=32,queries=200,clusters=10"


def spec(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


def run(*args, code=0):
    p = subprocess.run([lbh, "bench", *map(str, args)], capture_output=True, encoding="utf-8")
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    return p


def lines(out):
    with open(os.path.join(out, "bench.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def cells(out):
    return [line for line in lines(out) if line["type"] == "cell"]


# ---- Numbers: those of `lbh compare`, which measures in one process -----------------------------
spec("a.ini", f"""[bench]
nbits = 16 32
seeds = 1 2 3
map_k = 50
map_queries = 0
k = 1 10
at = 1 10 100 1000
repeats = 2
threads = 1
rescore = hamming float:100
[data s]
base = {BASE}
image = 4x8
[method flat]
[method itq]
rescore = hamming margin decoder decoder:100 float:100
index = BFlat BIVF8
search = nprobe=2 nprobe=8
[method pq]
seeds = 1
[method faiss-itq]
""")
p = run("a.ini", "--out", "a", "--json")
told = json.loads(p.stdout)
got = cells("a")
# itq: 2 bits x 3 seeds x (BFlat + 2 x BIVF8) x 5; rivals at 2 bits x 2; flat
assert len(got) == told["measured"] == told["cells"] == 6 * 15 + 4 + 4 + 1, told
assert len({c["key"] for c in got}) == len(got) and all(c["status"] == "ok" for c in got)


def find(c=None, **wanted):
    found = [x for x in c or got if all(x.get(k) == v for k, v in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def recall(c, k, n):
    (one,) = [r for r in c["recall"] if r["k"] == k]
    return one["value"][one["at"].index(n)]


compared = json.loads(subprocess.run(
    [lbh, "compare", "--base", BASE, "--nbits", "32", "--methods",
     "itq:seed=2,itq@decoder:seed=2,PQ,ITQ", "--map-k", "50", "--threads", "1", "--json"],
    capture_output=True, encoding="utf-8", check=True).stdout)["rows"]
pairs = [find(method="itq", nbits=32, seed=2, index="BFlat", rescore="hamming"),
         find(method="itq", nbits=32, seed=2, index="BFlat", rescore="decoder"),
         find(method="pq", nbits=32, rescore="none"),
         find(method="faiss-itq", nbits=32, rescore="hamming")]
for c, row in zip(pairs, compared):
    assert math.isclose(c["map"], row["map"], rel_tol=1e-5), (c, row)
    for k, n in (1, 1), (10, 10), (10, 100), (10, 1000):
        assert math.isclose(recall(c, k, n), row["recall"][f"{k}@{n}"], abs_tol=1e-6), (c, row)
    assert c["code_bytes"] == row["bytes_per_item"] == 4

flat = find(method="flat")
assert recall(flat, 10, 10) == recall(flat, 1, 1) == 1 and flat["map"] == 1
assert flat["nbits"] == 32 * 32 and flat["code_bytes"] == 128 and flat["family"] == "ceiling"
one = pairs[0]
assert one["n"] == 2000 and one["d"] == 32 and one["nq"] == 200 and one["metric"] == "l2"
assert one["map_k"] == 50 and one["map_queries"] == 200 and one["repeats"] == 2
assert one["threads"] == 1 and one["library"] and one["faiss"] and one["git"] and one["cpu"]
assert one["command"] == "lbh bench a.ini --out a --json" or "a.ini" in one["command"]
assert 0 <= one["radius2"]["empty"] <= 1 and 0 < one["codes"]["entropy"] <= math.log2(2000)
assert one["latency_ms"]["p50"] <= one["latency_ms"]["p95"] <= one["latency_ms"]["p99"]
assert math.isclose(one["qps"], 200 / one["search_s"], rel_tol=1e-4) and one["peak_mb"] > 5
assert one["precision"]["at"] == [1, 10, 100, 1000]
# precision@N of 50 true neighbours; the curve has it at rank N as well, by the full ranking
curve = {round(r * 50): p for r, p in one["pr"]}
assert one["pr"][0][1] == one["precision"]["value"][0]
assert 0 < one["reconstruction"]["relative"] < 1 and one["index_bytes"] >= 2000 * 4
# all lists visited: exhaustive; a shortlist ends the answers; rescoring by vectors helps
full = find(method="itq", nbits=32, seed=2, index="BIVF8", search="nprobe=8", rescore="hamming")
assert full["recall"] == one["recall"] and "map" not in full
exact = find(method="itq", nbits=32, seed=2, index="BFlat", rescore="float:100")
assert recall(exact, 10, 1000) == recall(exact, 10, 100) > recall(one, 10, 10)
assert exact["index_bytes"] == one["index_bytes"] + 2000 * 32 * 4 and "map" not in exact
# pictures: the originals, PCA with as many bytes, what each decoder makes
images = [x for x in lines("a") if x["type"] == "images"]
assert {(x["method"], x["nbits"]) for x in images} == {("original", 0), ("pca", 32), ("itq", 16),
                                                      ("itq", 32)}, images
assert all(x["height"] == 4 and x["width"] == 8 and x["count"] == 10 and
           len(x["pixels"]) == 428 for x in images)

# ---- Tables: medians by hand --------------------------------------------------------------------
table = run("--table", "a").stdout
for nbits in 16, 32:
    seeds = [c for c in got if (c["method"], c["nbits"], c["index"], c["rescore"]) ==
             ("itq", nbits, "BFlat", "hamming")]
    values = sorted(recall(c, 10, 100) for c in seeds)
    assert len(values) == 3
    text = "%.3f [%.3f..%.3f]" % (statistics.median(values), values[0], values[-1])
    row = [r for r in table.splitlines() if re.match(rf"\| itq +\| +{nbits} \| +{nbits // 8} \| +"
                                                     r"hamming ", r)]
    assert len(row) == 1 and text in row[0], (text, row)
rows = json.loads(run("--table", "a", "--json").stdout)["rows"]
(row,) = [r for r in rows if (r["method"], r["nbits"], r["index"], r["rescore"]) ==
          ("itq", 32, "BFlat", "hamming")]
assert row["seeds"] == 3 and math.isclose(row["recall10@100"][0], statistics.median(values))

# ---- Again: nothing is left to do; a torn line is cut off ---------------------------------------
again = json.loads(run("a.ini", "--out", "a", "--json").stdout)
assert again["measured"] == 0 and again["found"] == len(got)
whole = open("a/bench.jsonl", "rb").read()
torn = whole.splitlines(keepends=True)
cut = next(i for i, t in enumerate(torn) if b'"type":"cell"' in t)
with open("a/bench.jsonl", "wb") as file: # one line is missing, one is half there
    file.write(b"".join(torn[:cut] + torn[cut + 1:]) + b'{"format":"lbh-bench 1","type":"ce')
again = json.loads(run("a.ini", "--out", "a", "--json").stdout)
assert again["measured"] == 1 and again["found"] == len(got) - 1, again
assert len(cells("a")) == len(got)

# ---- Killed in the middle, then resumed ---------------------------------------------------------
TIMES = re.compile(r"_s$|qps|latency|peak|date|command|git|curve") # a curve: when it was asked


def facts(out):
    """What does not depend on the clock."""
    return {c["key"]: {k: v for k, v in c.items() if not TIMES.search(k)} for c in cells(out)}


for wait in 1, 12: # lines that are there when the kill comes
    out = f"k{wait}"
    p = subprocess.Popen([lbh, "bench", "a.ini", "--out", out], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    until = time.time() + 120
    while time.time() < until:
        try:
            if len(open(f"{out}/bench.jsonl", "rb").read().splitlines()) >= wait:
                break
        except FileNotFoundError:
            pass
        time.sleep(.01)
    try:
        with open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except FileNotFoundError: # a kernel without it
        children = []
    p.kill()
    p.wait()
    until = time.time() + 20 # the worker goes with it
    while any(os.path.exists(f"/proc/{c}") for c in children) and time.time() < until:
        time.sleep(.02)
    assert not any(os.path.exists(f"/proc/{c}") for c in children), children
    left = len(cells(out))
    assert 0 < left < len(got) or wait == 1, left
    again = json.loads(run("a.ini", "--out", out, "--json").stdout)
    assert again["found"] == left and again["measured"] == len(got) - left, again
    assert facts(out) == facts("a")

# ---- Cells that fail ----------------------------------------------------------------------------
spec("f.ini", f"""[bench]
nbits = 16
map_k = 10
at = 1 10
[data s]
base = {BASE}
[data nowhere]
base = gist
[method itq]
index = BFlat BIVF8 BIVF5000 BHNSW8
[method itq:bad]
options = nothing=1
[method ksh:nolabels]
[method rabitq]
[method pq:odd]
nbits = 12
[method faiss-itq:few]
options = max_train=300
[method pq:bad]
options = steps=5
[method lsh]
rescore = hamming decoder
""")
p = run("f.ini", "--out", "f", "--data", "none", "--json")
assert "scripts/get_data.sh --layout gist" in p.stderr and "[data nowhere]" in p.stderr, p.stderr
# what FAISS has no index for is left out, as in `lbh compare`
assert "left out: [data s]: pq: 12 bits" in p.stderr, p.stderr
told = json.loads(p.stdout)
assert len(told["missing"]) == 1 and "gist" in told["missing"][0]
by = {(c["label"], c["index"], c["rescore"]): c for c in cells("f")}
ok = {k for k, c in by.items() if c["status"] == "ok"}
assert {("itq", "BFlat", "hamming"), ("itq", "BIVF8", "hamming"), ("itq", "BHNSW8", "hamming"),
        ("lsh", "BFlat", "hamming"), ("ksh:nolabels", "BFlat", "hamming")} <= ok, ok
bad = by["itq", "BIVF5000", "hamming"]
assert bad["status"] == "failed" and "5000" in bad["error"] and "recall" not in bad, bad
assert '"nothing"' in by["itq:bad", "BFlat", "hamming"]["error"]
assert by["faiss-itq:few", "BFlat", "hamming"]["n_train"] == 300
assert "max_train" in by["pq:bad", "", "none"]["error"], by["pq:bad", "", "none"]
assert not [label for label, _, _ in by if label == "pq:odd"]
(rabitq,) = [c for (label, _, _), c in by.items() if label == "rabitq"]
version = [int(v) for v in rabitq["faiss"].split(".")]
assert version >= [1, 11] or "scripts/rivals.py" in rabitq["error"], rabitq
assert told["failed"] == len(by) - len(ok)
# failures are left alone, or tried again with --retry; --force measures all
assert json.loads(run("f.ini", "--out", "f", "--data", "none", "--json").stdout)["measured"] == 0
p = json.loads(run("f.ini", "--out", "f", "--data", "none", "--json", "--retry").stdout)
assert p["measured"] == 0 and p["failed"] == told["failed"] and p["found"] == len(ok)
p = json.loads(run("f.ini", "--out", "f", "--data", "none", "--json", "--force").stdout)
assert p["measured"] == len(ok)

# Too little memory, too little time: noted, and the others go on.
spec("m.ini", f"""[bench]
nbits = 16
map_k = 0
at = 1 10
memory_limit = 1
[data s]
base = {BASE}
[method lsh]
""")
run("m.ini", "--out", "m", code=1)
assert {c["status"] for c in cells("m")} == {"memory"}, cells("m")
spec("t.ini", f"""[bench]
nbits = 16
map_k = 0
at = 1 10
time_limit = 5
[data s]
base = {BASE}
[method sgh:slow]
options = steps=100000000
[method lsh]
""")
run("t.ini", "--out", "t")
assert {c["label"]: c["status"] for c in cells("t")} == {"sgh:slow": "timeout", "lsh": "ok"}
assert "time limit of 5 s" in [c for c in cells("t") if c["label"] == "sgh:slow"][0]["error"]

# ---- Ctrl-C, and two at once --------------------------------------------------------------------
spec("c.ini", open("t.ini").read().replace("time_limit = 5", "time_limit = 60")
     .replace("[method lsh]\n", "").replace("[method sgh:slow]", "[method lsh]\n[method sgh:slow]"))
p = subprocess.Popen([lbh, "bench", "c.ini", "--out", "c"], stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, encoding="utf-8")
until = time.time() + 60
while time.time() < until and not (os.path.exists("c/bench.jsonl") and cells("c")):
    time.sleep(.02)
other = run("c.ini", "--out", "c", code=1)
assert f"process {p.pid} is at work" in other.stderr, other.stderr
p.send_signal(signal.SIGINT)
out, err = p.communicate(timeout=60)
assert p.returncode == 130 and "goes on from there" in err, (p.returncode, err)
assert [c["label"] for c in cells("c")] == ["lsh"]

# ---- Queries drawn from the base, or its first rows ---------------------------------------------
for how, n, nq in ("split:300", 1700, 300), ("self:300", 2000, 300):
    spec("q.ini", f"""[bench]
nbits = 16
map_k = 10
at = 1 10
[data s]
base = {BASE}
queries = {how}
metric = ip
[method flat]
[method lsh]
""")
    name = how.replace(":", "")
    run("q.ini", "--out", name)
    c = find(cells(name), method="flat")
    assert (c["n"], c["nq"], recall(c, 10, 10)) == (n, nq, 1), c
# Rows to learn from, drawn from the base, which is then the others.
for how in "self:300", "split:300":
    spec("t.ini", f"""[bench]
nbits = 16
map_k = 10
at = 1 10
[data s]
base = {BASE}
queries = {how}
train = split:500
[method flat]
[method itq]
[method opq]
options = dims=8,max_train=400
""")
    name = "t" + how.replace(":", "")
    run("t.ini", "--out", name)
    c = find(cells(name), method="flat")
    left = 1500 if how.startswith("self") else 1200
    assert (c["n"], c["nq"], recall(c, 10, 10)) == (left, 300, 1), c
    assert find(cells(name), method="itq")["n_train"] == 500
    opq = find(cells(name), method="opq")
    assert (opq["n_train"], opq["factory"]) == (400, "OPQ2_8,PQ2"), opq
spec("t.ini", f"[bench]\nnbits = 16\n[data s]\nbase = {BASE}\ntrain = split:2000\n[method itq]\n")
assert "2000 rows to learn from cannot be drawn from 2000 rows" in run("t.ini", "--out", "t", code=1).stderr
spec("l.ini", f"""[bench]
nbits = 16
at = 1 10 100
[data s]
base = {BASE}
metric = label
[method ksh]
[method lsh]
""")
run("l.ini", "--out", "l")
better, worse = find(cells("l"), method="ksh"), find(cells("l"), method="lsh")
assert better["label_map"] > worse["label_map"] > .1 and "recall" not in better
assert "map" not in better and better["precision"]["at"] == [1, 10, 100]

# ---- Published numbers, presets, usage ----------------------------------------------------------
spec("p.ini", f"""[bench]
nbits = 16 32
[data s]
base = {BASE}
[method lsh]
label = LSH
[published]
source = Somebody 2001
nbits = 16 32
what = recall10@100
s LSH = .25 -
s Other = .5 .75
""")
out = run("p.ini", "--out", "p", "--quick").stdout
values = [recall(find(cells("p"), nbits=b), 10, 100) for b in (16, 32)]
assert re.search(r"\| s LSH +\| +%.3g \(0.25\) \| +%.3g \(-\) \|" % tuple(values), out), out
assert re.search(r"\| s Other +\| +- \(0.5\) \| +- \(0.75\) \|", out), out
names = [line.split()[0] for line in run("--list-presets").stdout.splitlines()]
assert "demo" in names
for name in names:
    assert "[method" in run("--print-preset", name).stdout
for args in ((), ("a.ini", "--preset", "demo"), ("--preset", "nope"), ("--print-preset", "x"),
             ("missing.ini",), ("a.ini", "b.ini")):
    assert run(*args, code=2).stderr.startswith("lbh: "), args
print("ok")
