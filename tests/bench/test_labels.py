#!/usr/bin/env python3
"""test_labels.py LBH: labels from files of every kind, retrieval metrics, precision-recall curves,
classification and splits of `lbh`, against the definitions spelt out. Needs nothing but Python."""
import json, math, os, random, struct, subprocess, sys, tempfile
import xml.etree.ElementTree as xml

lbh = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"
rng = random.Random(5)
D, N, NQ = 8, 420, 90


def run(*args, code=0, note=None):
    p = subprocess.run([lbh, *map(str, args)], capture_output=True, text=True)
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    if code:
        assert p.stderr.startswith("lbh: ") and p.stderr.count("\n") == 1, p.stderr
        return p.stderr
    assert note in p.stderr if note else p.stderr == "", p.stderr
    return p.stdout


def document(*args, **kw):
    return json.loads(run(*args, "--json", **kw))


def write(name, text):
    open(name, "w", encoding="utf-8").write(text)


def fvecs(name, rows):
    open(name, "wb").write(b"".join(struct.pack("<i%df" % len(r), len(r), *r) for r in rows))


def ivecs(name, rows):
    width = max(1, max(map(len, rows)))
    rows = [list(r) + [-1] * (width - len(r)) for r in rows]
    open(name, "wb").write(b"".join(struct.pack("<i%di" % width, width, *r) for r in rows))


def codes(model, name, *how):
    run("encode", "--model", model, "-i", name, "-o", "c.u8bin", *how)
    data = open("c.u8bin", "rb").read()
    n, size = struct.unpack("<II", data[:8])
    return [int.from_bytes(data[8 + i * size:8 + (i + 1) * size], "little") for i in range(n)]


def make(n, classes, several):
    """Rows that sum the centres of their classes; labels as sets. Some rows have no label."""
    centre = [[random.Random(100 * c + j).gauss(0, 2) for j in range(D)]
              for c in range(max(classes) + 1)]
    rows, labels = [], []
    for i in range(n):
        have = set(rng.sample(classes, rng.choice([1, 1, 2, 3]) if several else 1))
        rows.append([sum(centre[c][j] for c in have) + rng.gauss(0, 1.2) for j in range(D)])
        labels.append(have if i % 17 else set())
    return rows, labels


def close(a, b, tolerance=1e-9):
    nothing = a is None and math.isnan(b)
    assert nothing or math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-12), (a, b)


def mean(x):
    return sum(x) / len(x) if x else math.nan


def check_ranking(j, base, query, base_labels, query_labels, r_cut, at, bits):
    aps, aps_r, expected, h2 = [], [], [], []
    precision, tied, curve = {k: [] for k in at}, {k: [] for k in at}, {}
    by_rank = {p["rank"]: ([], []) for p in j["pr_by_rank"]}
    balls = [([], []) for _ in range(bits + 1)]
    for q, have in zip(query, query_labels):
        order = sorted((bin(q ^ b).count("1"), i) for i, b in enumerate(base))
        hit = [bool(base_labels[i] & have) for _, i in order]
        total, found, acc, ap_r = sum(hit), 0, 0.0, None
        for rank, h in enumerate(hit, 1):
            found += h
            acc += h * found / rank
            if rank == min(r_cut, len(hit)):
                ap_r = (acc / found if found else 0, found > 0)
        aps.append((acc / total if total else 0, total > 0))
        aps_r.append(ap_r)
        for k in at:
            precision[k].append(sum(hit[:k]) / k)
        # ties in random order: position i of m tied rows, r of them relevant
        e, t, seen, per_rank = 0.0, 0, 0, [0.0] * len(hit)
        while t < len(order):
            m = sum(1 for d, _ in order if d == order[t][0])
            r = sum(hit[t:t + m])
            for i in range(m):
                per_rank[t + i] = r / m
                if r:
                    e += r / m * (seen + 1 + (i * (r - 1) / (m - 1) if m > 1 else 0)) / (t + i + 1)
            t, seen = t + m, seen + r
        expected.append((e / total if total else 0, total > 0))
        for k in at:
            tied[k].append(sum(per_rank[:k]) / k)
        for k, (p, c) in by_rank.items():
            p.append(sum(hit[:k]) / k)
            if total:
                c.append(sum(hit[:k]) / total)
        for h in range(bits + 1):
            inside = [x for x, (d, _) in zip(hit, order) if d <= h]
            if inside:
                balls[h][0].append(sum(inside) / len(inside))
            if total:
                balls[h][1].append(sum(inside) / total)
    n = len(query)
    for name, values in (("map", aps), ("map_r", aps_r)):
        close(j[name], mean([a for a, ok in values if ok]))
        close(j[name + "_zero"], sum(a for a, _ in values) / n)
    close(j["map_ties_expected"], mean([a for a, ok in expected if ok]))
    assert j["queries_without_relevant_rows"] == sum(not ok for _, ok in aps)
    assert j["queries_without_hit_in_r"] == sum(not ok for _, ok in aps_r)
    assert list(j["precision_at"]) == [str(k) for k in at]
    for k in at:
        close(j["precision_at"][str(k)], mean(precision[k]))
        close(j["precision_at_ties_expected"][str(k)], mean(tied[k]))
    close(j["precision_h2_filled"], mean(balls[2][0]))
    close(j["precision_h2"], sum(balls[2][0]) / n)
    assert j["queries_with_empty_h2"] == n - len(balls[2][0])
    assert [p["radius"] for p in j["pr_by_radius"]] == list(range(bits + 1))
    for p, (inside, share) in zip(j["pr_by_radius"], balls):
        close(p["precision"], mean(inside))
        close(p["precision_zero"], sum(inside) / n)
        close(p["recall"], mean(share))
        assert p["queries_with_filled_ball"] == len(inside)
    assert j["pr_by_rank"][-1]["rank"] == len(base) and j["pr_by_rank"][0]["rank"] == 1
    for p in j["pr_by_rank"]:
        close(p["precision"], mean(by_rank[p["rank"]][0]))
        close(p["recall"], mean(by_rank[p["rank"]][1]))


def f1_scores(given, have):
    pairs = [(g, h) for g, h in zip(given, have) if h]
    tally = {}
    for g, h in pairs:
        for c in g | h:
            t = tally.setdefault(c, [0, 0, 0])
            t[0] += c in g and c in h
            t[1] += c in g
            t[2] += c in h
    both, told, true = (sum(t[i] for t in tally.values()) for i in range(3))
    return (2 * both / (told + true), mean([2 * t[0] / (t[1] + t[2]) for t in tally.values()]),
            mean([g == h for g, h in pairs]))


def check_f1(o, given, have):
    for name, value in zip(("micro_f1", "macro_f1", "exact_match"), f1_scores(given, have)):
        close(o[name], value)


def neighbours(base, query, base_labels, k):
    voters = [i for i, h in enumerate(base_labels) if h]
    for q in query:
        near = sorted((bin(q ^ base[i]).count("1"), i) for i in voters)[:k]
        yield [base_labels[i] for _, i in near]


def knn_single(base, query, base_labels, k):
    for near in neighbours(base, query, base_labels, k):
        votes = [next(iter(h)) for h in near]
        yield {max(votes, key=lambda c: (votes.count(c), -votes.index(c)))}


def knn_several(base, query, base_labels, k):
    for near in neighbours(base, query, base_labels, k):
        yield {c for h in near for c in h if 2 * sum(c in x for x in near) > len(near)}


def tensors(path):
    data = open(path, "rb").read()
    text = data[64:64 + struct.unpack("<Q", data[16:24])[0]].decode()
    out = {}
    for line in text.splitlines():
        if line.startswith("tensor "):
            _, name, _, rows, cols, offset = line.split()
            rows, cols, offset = int(rows), int(cols), int(offset)
            flat = struct.unpack_from("<%df" % (rows * cols), data, offset)
            out[name] = [flat[i * cols:(i + 1) * cols] for i in range(rows)]
    return out


def head_scores(path, query, bits):
    t = tensors(path)
    return [[t["v"][0][c] + sum(t["V"][c][b] for b in range(bits) if q >> b & 1)
             for c in range(len(t["V"]))] for q in query]


# ---- one label a row, sparse class numbers, a class that the base does not have ------------------
CLASSES = [3, 7, 12, 41]
base, base_l = make(N, CLASSES, False)
query, query_l = make(NQ, CLASSES, False)
query_l[5], query_l[6] = {5}, {5}
fvecs("base.fvecs", base), fvecs("query.fvecs", query)
ivecs("bl.ivecs", base_l), ivecs("ql.ivecs", query_l)
names = {3: "sea lion", 5: "\u00e9lan", 7: "ant", 12: "\"bee\"", 41: "a,b"}
for stem, labels in (("b", base_l), ("q", query_l)):
    quoted = ['"%s"' % names[c].replace('"', '""') for h in labels for c in (h or {3})]
    write(stem + "l.csv", "id,label\n" + "".join(
        "%d,%s\n" % (i, x if h else "") for i, (x, h) in enumerate(zip(quoted, labels))))
    write(stem + "l.svm", "".join("%s 1:0.5 8:2\n" % ",".join(map(str, h)) for h in labels))
common = ("--base", "base.fvecs", "--query", "query.fvecs")
train = ("train", "-m", "jmlh", "-b", 10, "--set", "steps=200,hidden1=16", "--base", "base.fvecs")
run(*train, "--labels", "bl.ivecs", "-o", "m.lbh")
info = document("info", "m.lbh")
assert info["pad_bits"] == 6 and info["classes"] == ["3", "7", "12", "41"], info
b, q = codes("m.lbh", "base.fvecs"), codes("m.lbh", "query.fvecs", "--queries")
ask = ("--metric", "label", "--precision-at", "1,7,100,5,400", "--map-r", 30, "--classify",
       "--knn-k", 6, "--pr", "pr.csv")
j = document("eval", "--model", "m.lbh", *common, "--base-labels", "bl.ivecs", "--query-labels",
             "ql.ivecs", *ask)
check_ranking(j, b, q, base_l, query_l, 30, [1, 7, 100, 5, 400], 10)
assert j["queries_without_relevant_rows"] > 1
labelled = [(g, h) for g, h in zip(knn_single(b, q, base_l, 6), query_l) if h]
assert j["classify"]["knn"]["k"] == 6
close(j["classify"]["knn"]["accuracy"], mean([g == h for g, h in labelled]))
best = [{CLASSES[max(range(4), key=lambda c: (s[c], -c))]} for s in head_scores("m.lbh", q, 10)]
close(j["classify"]["head"]["accuracy"], mean([g == h for g, h in zip(best, query_l) if h]))
assert j["classify"]["head"]["accuracy"] > 0.5, j["classify"]
assert j["classify"]["head"]["classes_it_does_not_know"] == 1
assert j["classify"]["queries_without_label"] == sum(not h for h in query_l)

# the curve as a file
lines = [x.split(",") for x in open("pr.csv").read().splitlines()]
assert lines[0] == "by,at,precision,precision_zero,recall,queries_with_filled_ball".split(",")
for line, p in zip(lines[1:], j["pr_by_rank"] + j["pr_by_radius"]):
    by = "rank" if "rank" in p else "radius"
    assert line[0] == by and int(line[1]) == p[by]
    assert (line[2] == "") == (p["precision"] is None)
    for text, value in ((line[2], p["precision"]), (line[4], p["recall"])):
        assert text == "" or math.isclose(float(text), value, rel_tol=1e-8)
assert len(lines) == 1 + len(j["pr_by_rank"]) + 11
run("eval", "--model", "m.lbh", *common, "--pr", "pr.svg", "--map-k", 20)
assert len([g for g in xml.parse("pr.svg").getroot().iter("{http://www.w3.org/2000/svg}g")
            if g.get("class", "").startswith("series")]) == 2

# the same labels in other kinds of files: the same answers, and models that know names
for kind in ("svm", "csv"):
    run(*train, "--labels", "bl." + kind, "-o", kind + ".lbh")
    i = document("info", kind + ".lbh")
    assert i["classes"] == (sorted((names[c] for c in CLASSES), key=str.encode) if kind == "csv"
                            else info["classes"]), i
    k = document("eval", "--model", "m.lbh", *common, "--base-labels", "bl." + kind,
                 "--query-labels", "ql." + kind, *ask)
    for name in ("map", "map_zero", "map_r", "map_r_zero", "precision_at", "precision_h2",
                 "map_ties_expected", "pr_by_rank", "pr_by_radius"):
        assert k[name] == j[name], (kind, name)
    assert k["classify"]["knn"] == j["classify"]["knn"]
    k = document("eval", "--model", kind + ".lbh", *common, "--base-labels", "bl." + kind,
                 "--query-labels", "ql." + kind, *ask)
    assert k["classify"]["head"]["accuracy"] > 0.5, (kind, k["classify"])
    # the order of names is not that of the numbers, but the classes are the same
    scores = head_scores(kind + ".lbh", codes(kind + ".lbh", "query.fvecs", "--queries"), 10)
    order = [c for x in i["classes"] for c in CLASSES if names[c] == x or str(c) == x]
    best = [{order[max(range(4), key=lambda c: (s[c], -c))]} for s in scores]
    close(k["classify"]["head"]["accuracy"], mean([g == h for g, h in zip(best, query_l) if h]))

# an unsupervised encoder has no classifier, but its codes have neighbours
run("train", "-m", "lsh", "-b", 12, "--base", "base.fvecs", "-o", "u.lbh")
k = document("eval", "--model", "u.lbh", *common, "--base-labels", "bl.csv", "--query-labels",
             "ql.csv", "--classify", "--map-k", 20)
assert k["classify"]["head"] == "none" and k["classify"]["knn"]["k"] == 10
b, q = codes("u.lbh", "base.fvecs"), codes("u.lbh", "query.fvecs", "--queries")
close(k["classify"]["knn"]["accuracy"],
      mean([g == h for g, h in zip(knn_single(b, q, base_l, 10), query_l) if h]))

# ---- several labels a row ------------------------------------------------------------------------
CLASSES = list(range(6))
base, base_l = make(N, CLASSES, True)
query, query_l = make(NQ, CLASSES, True)
fvecs("base.fvecs", base), fvecs("query.fvecs", query)
ivecs("bl.ivecs", base_l), ivecs("ql.ivecs", query_l)
for stem, labels in (("b", base_l), ("q", query_l)):
    rows = [bytes(c in h for c in CLASSES) for h in labels]
    open(stem + "l.u8bin", "wb").write(struct.pack("<II", len(rows), 6) + b"".join(rows))
    write(stem + "l.csv", "u,v,w,x,y,z\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 6), }" % len(rows)
    header = header.ljust(117) + "\n"
    open(stem + "l.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) +
                                     header.encode() + b"".join(rows))
run(*train, "--labels", "bl.ivecs", "-o", "m.lbh")
b, q = codes("m.lbh", "base.fvecs"), codes("m.lbh", "query.fvecs", "--queries")
j = None
for kind in ("ivecs", "u8bin", "npy", "csv"):
    k = document("eval", "--model", "m.lbh", *common, "--base-labels", "bl." + kind,
                 "--query-labels", "ql." + kind, *ask)
    if kind == "ivecs":
        check_ranking(k, b, q, base_l, query_l, 30, [1, 7, 100, 5, 400], 10)
        given = [{c for c in CLASSES if s[c] > 0} for s in head_scores("m.lbh", q, 10)]
        check_f1(k["classify"]["head"], given, query_l)
        check_f1(k["classify"]["knn"], list(knn_several(b, q, base_l, 6)), query_l)
        assert k["classify"]["head"]["micro_f1"] > 0.2, k["classify"]
        j = k
    assert k["classify"]["knn"] == j["classify"]["knn"] and k["map"] == j["map"], kind
    assert kind == "csv" or k["classify"]["head"] == j["classify"]["head"], kind
    assert kind != "csv" or k["classify"]["head"]["classes_it_does_not_know"] == 6

# ---- splits --------------------------------------------------------------------------------------
plan = "queries-per-class=4,train-per-class=12,seed=3"
both = ("--query", "query.fvecs", "--query-labels", "ql.npy")
for extra, pool in (((), N), (both, N + NQ)):
    t = document(*train, "--labels", "bl.npy", *extra, "--split", plan, "-o", "s.lbh")
    assert t["n_train"] == 72 and t["split"] == {
        "queries_per_class": 4, "train_per_class": 12, "seed": 3, "pool": pool, "queries": 24,
        "base": pool - 24, "train": 72, "left_out": 0,
        "base_without_label": t["split"]["base_without_label"]}, t
    ask = ("eval", "--model", "s.lbh", "--base", "base.fvecs", "--base-labels", "bl.npy", *extra,
           "--metric", "label", "--classify")
    e = document(*ask, "--split", plan)
    assert e["split"] == t["split"] and e["n"] == pool - 24 and e["queries"] == 24, e
    assert e["map"] > 0.3 and e["queries_without_relevant_rows"] == 0
    assert document(*ask, "--split", plan) .get("map") == e["map"]
    run(*ask, "--split", plan.replace("seed=3", "seed=4"), note="another split")
run(*ask, note="trained with a split")
run("eval", "--model", "m.lbh", *ask[3:], "--split", plan, note="without --split")
t = document(*train, "--labels", "bl.npy", "--split", "train-per-class=12", "-o", "s.lbh")
assert t["split"]["base"] == N and t["split"]["train"] == 72 and t["split"]["queries"] == 0
e = document(*ask, "--split", "train-per-class=12")
assert e["n"] == N and e["queries"] == NQ
c = document("compare", *common, "--base-labels", "bl.npy", "--query-labels", "ql.npy", "--split",
             plan, "--metric", "label", "--methods", "lsh,itq-cca,ITQ", "-b", 8)
assert c["split"]["queries"] == 24 and c["n_train"] == 72 and len(c["rows"]) == 3

# ---- what is refused -----------------------------------------------------------------------------
write("short.csv", "label\n1\n2\n")
write("alien.csv", "label\n" + "Mars\n" * N)
write("bad.csv", "label,x\n1,2\n3\n")
message = run("eval", "--model", "m.lbh", *common, "--base-labels", "short.csv", "--query-labels",
              "ql.csv", "--metric", "label", code=1)
assert "2 rows" in message and "%d rows" % N in message, message
full = (*common, "--base-labels", "bl.csv", "--query-labels", "ql.csv")
for args, word, code in (
        ((*full, "--base-labels", "bad.csv", "--metric", "label"), "line 3", 1),
        ((*full, "--base-labels", "alien.csv", "--metric", "label"), "no class of the queries", 1),
        ((*common, "--classify"), "--classify needs", 2),
        ((*full, "--pr", "x.png"), ".csv nor .svg", 2),
        ((*full, "--pr", "nowhere/x.svg"), "nowhere", 1),
        ((*full, "--precision-at", "1,,2"), "--precision-at", 2),
        ((*full, "--precision-at", "0"), "--precision-at", 2),
        ((*full, "--knn-k", "0"), "--knn-k", 2),
        ((*full, "--split", "queries-per-class=900"), "class u has", 1),
        ((*full, "--split", "queries-per-class=1,classes=7"), "6 classes", 1),
        ((*full, "--split", "nonsense"), "--split", 2),
        ((*full, "--split", plan, "--query-ids", "ql.ivecs"), "--query-ids", 2),
        (("--base", "base.fvecs", "--base-labels", "bl.csv", "--split", "train-per-class=1"),
         "--query", 2),
        (("--base", "base.fvecs", "--split", plan), "needs labels", 2)):
    message = run("eval", "--model", "m.lbh", *args, code=code)
    assert word in message, (args, message)
assert "go with --split" in run(*train, "--labels", "bl.npy", *both, "-o", "x.lbh", code=2)
assert not [f for f in os.listdir() if f.startswith(("x.", "."))], os.listdir()
