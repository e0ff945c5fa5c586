#!/usr/bin/env python3
"""test_decoder.py LBH: decoder scores, decoding, inner products, checkpoints and neighbour lists of
the command, against sums written out here. Needs nothing but Python."""
import json, math, os, random, signal, struct, subprocess, sys, tempfile, time

lbh = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"
N, NQ, D, BITS = 500, 20, 8, 12
random.seed(1)


def run(*args, code=0):
    p = subprocess.run([lbh, *map(str, args)], capture_output=True, text=True)
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    assert code == 0 or p.stderr.startswith("lbh: ") and p.stderr.count("\n") == 1, p.stderr
    return p.stdout if code == 0 else p.stderr


def document(*args):
    return json.loads(run(*args, "--json"))


def write_vecs(path, rows, kind):
    with open(path, "wb") as f:
        for row in rows:
            f.write(struct.pack("<i%d%s" % (len(row), kind), len(row), *row))


def read_fvecs(path):
    data, rows, at = open(path, "rb").read(), [], 0
    while at < len(data):
        (d,) = struct.unpack_from("<i", data, at)
        rows.append(struct.unpack_from("<%df" % d, data, at + 4))
        at += 4 + 4 * d
    return rows


def row():
    centre = random.choice([-2, 0, 3])
    return [random.gauss(centre + 1, 2.0 / (j + 1)) for j in range(D)]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def far(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b))


def ranking(score, q, rows):
    keys = [-dot(q, x) if score == "ip" else far(q, x) for x in rows]
    return sorted(range(len(rows)), key=lambda i: (keys[i], i))


write_vecs("base.fvecs", [row() for _ in range(N)], "f")
write_vecs("query.fvecs", [row() for _ in range(NQ)], "f")
base, query = read_fvecs("base.fvecs"), read_fvecs("query.fvecs")
files = ("--base", "base.fvecs", "--query", "query.fvecs")
options = ("--set", "steps=200,batch=50")
model = ("--model", "m.lbh")
run("train", "-m", "sgh", "-b", BITS, "--base", "base.fvecs", *options, "-o", "m.lbh")


def check_eval(metric, refine):
    """recall, mAP and errors that `lbh eval` reports are those of the vectors of `lbh decode`"""
    run("encode", *model, "-i", "base.fvecs", "--refine", refine, "-o", "c.bvecs")
    run("decode", *model, "--codes", "c.bvecs", "-o", "x.fvecs")
    x = read_fvecs("x.fvecs")
    j = document("eval", *model, *files, "--score", "decoder", "--metric", metric, "--refine",
                 refine, "--map-k", 50)
    recall = ap = 0
    for q in query:
        true, order = ranking(metric, q, base), ranking(metric, q, x)
        recall += len(set(true[:10]) & set(order[:100])) / 10
        hits = [i + 1 for i, id in enumerate(order) if id in set(true[:50])]
        ap += sum((n + 1) / r for n, r in enumerate(hits)) / 50
    error = sum(map(far, base, x)) / N / 2
    mean = [sum(c) / N for c in zip(*base)]
    left = 2 * error / (sum(far(b, mean) for b in base) / N)
    assert abs(j["recall"]["10@100"] - recall / NQ) < 0.01, (j, recall / NQ)
    assert abs(j["map"] - ap / NQ) < 0.01, (j, ap / NQ)
    assert math.isclose(j["rebuild_error"], error, rel_tol=1e-5), (j, error)
    assert math.isclose(j["variance_left"], left, rel_tol=1e-5), (j, left)
    assert j["ranking"] == "decoder" and "index" not in j and j["map_queries"] == NQ
    return j


plain, refined = check_eval("l2", 0), check_eval("l2", 100)
assert refined["rebuild_error"] < plain["rebuild_error"] and refined["refine"] == 100
check_eval("ip", 0)
hamming = document("eval", *model, *files)
assert hamming["ranking"] == "hamming" and hamming["rebuild_error"] == plain["rebuild_error"]

# the same in the other formats, and in part
run("encode", *model, "-i", "base.fvecs", "-o", "c.bvecs")
run("decode", *model, "--codes", "c.bvecs", "-o", "x.fvecs")
run("encode", *model, "-i", "base.fvecs", "-o", "c.npy")
run("decode", *model, "--codes", "c.npy@100:200", "-o", "x.fbin")
flat = [v for r in read_fvecs("x.fvecs")[100:200] for v in r]
assert struct.unpack("<ii800f", open("x.fbin", "rb").read()) == (100, D, *flat)

# rows of compare are what eval measures
plain = document("eval", *model, *files, "--score", "decoder")
j = document("compare", *files, "--nbits", BITS, "--methods",
             "sgh:steps=200:batch=50,sgh@decoder:steps=200:batch=50,"
             "sgh@decoder:steps=200:batch=50:refine=100,sgh:score=decoder:alternations=3,"
             "sgh@hamming:score=decoder:alternations=3,lsh,PQ,ITQ")
rows = j["rows"]
assert [r["ranking"] for r in rows] == ["hamming"] + 3 * ["decoder"] + 2 * ["hamming"] + [
    "float" if r["method"].startswith("PQ") else "hamming" for r in rows[6:]], rows
assert rows[3]["method"] == "sgh@decoder:score=decoder:alternations=3", rows[3]
assert rows[0]["recall"] == hamming["recall"] and rows[1]["recall"] == plain["recall"]
assert rows[1]["map"] == plain["map"] and rows[1]["bytes_per_item"] == 2
assert rows[2]["recall"] == document("eval", *model, *files, "--score", "decoder", "--refine",
                                     100)["recall"]
j = document("compare", *files, "--nbits", BITS, "--score", "decoder", "--refine", 100,
             "--methods", "sgh:steps=200:batch=50,lsh")
assert [r["ranking"] for r in j["rows"]] == ["decoder", "hamming"]
assert j["rows"][0]["recall"] == rows[2]["recall"] and j["refine"] == 100
assert "@x" in run("compare", *files, "--methods", "sgh@x", code=2)
p = subprocess.run([lbh, "compare", *files, "--methods", "lsh@decoder,lsh"], capture_output=True,
                   text=True)
assert p.returncode == 1 and "lsh has no decoder" in p.stderr and "| lsh " in p.stdout, p

# a model that was trained for decoder scores is measured by them, unless told otherwise
run("train", "-m", "sgh", "-b", BITS, "--base", "base.fvecs", "--set", "score=decoder,alternations=3",
    "-o", "d.lbh")
assert document("eval", "--model", "d.lbh", *files)["ranking"] == "decoder"
j = document("eval", "--model", "d.lbh", *files, "--score", "hamming", "--index", "BHash6")
assert j["ranking"] == "hamming"
run("eval", "--model", "d.lbh", *files, "--index", "BHash6", code=2)

# inner products: the option is set where there is one, and the user's word counts
ip = ("--metric", "ip", "--base", "base.fvecs", "-b", BITS)


def metric_of(path):
    return document("info", path)["options"]["metric"]


run("train", "-m", "sgh", *ip, "--set", "alternations=2,steps=50,batch=50", "-o", "i.lbh")
run("train", "-m", "sgh", *ip, *options, "--set", "metric=l2", "-o", "l.lbh")
run("train", "-m", "lsh", *ip, "-o", "lsh.lbh")
assert metric_of("i.lbh") in (1, "ip") and metric_of("l.lbh") == metric_of("m.lbh")
j = document("eval", "--model", "i.lbh", *files, "--metric", "ip")
assert 0 < j["recall"]["10@100"] <= 1
run("encode", "--model", "i.lbh", "-i", "query.fvecs", "--queries", "-o", "cq.u8bin")
run("encode", "--model", "i.lbh", "-i", "query.fvecs", "-o", "cb.u8bin")
assert open("cq.u8bin", "rb").read() != open("cb.u8bin", "rb").read()

# wrong calls
assert "no decoder" in run("eval", "--model", "lsh.lbh", *files, "--score", "decoder", code=1)
assert "no decoder" in run("decode", "--model", "lsh.lbh", "--codes", "c.npy", "-o", "y.npy", code=1)
assert "holds no codes" in run("decode", *model, "--codes", "base.fvecs", "-o", "y.npy", code=1)
run("train", "-m", "lsh", "-b", 24, "--base", "base.fvecs", "-o", "lsh24.lbh")
run("encode", "--model", "lsh24.lbh", "-i", "base.fvecs", "-o", "c24.npy")
assert "3 bytes" in run("decode", *model, "--codes", "c24.npy", "-o", "y.npy", code=1)
run("decode", *model, "--codes", "c.npy", "-o", "y.bvecs", code=2)
run("encode", "--model", "lsh.lbh", "-i", "base.fvecs", "--refine", 5, "-o", "y.npy", code=1)
run("encode", *model, "-i", "base.fvecs", "--refine", 5, "--queries", "-o", "y.npy", code=2)
run("build", "--model", "lsh.lbh", "--base", "base.fvecs", "--refine", 5, "-o", "y.faiss", code=1)
assert not os.path.exists("y.npy") and not os.path.exists("y.faiss")

# an index of refined codes holds the codes that `encode --refine` writes
run("build", *model, "--base", "base.fvecs", "--refine", 100, "-o", "r.faiss")
run("encode", *model, "-i", "base.fvecs", "--refine", 100, "-o", "r.u8bin")
assert open("r.u8bin", "rb").read()[8:] in open("r.faiss", "rb").read()

# neighbour lists
write_vecs("near.ivecs", [[(i + 1) % N, (i + 2) % N, -1] for i in range(N)], "i")
run("train", "-m", "sgh", "-b", BITS, "--base", "base.fvecs", *options, "--neighbours", "near.ivecs",
    "-o", "n.lbh")
assert document("info", "n.lbh")["options"]["pairs"] != document("info", "m.lbh")["options"]["pairs"]
assert open("n.lbh", "rb").read() != open("m.lbh", "rb").read()
run("train", "-m", "sgh", "-b", BITS, "--base", "base.fvecs", *options, "--neighbours", "near.ivecs",
    "--set", "pairs=none", "-o", "n.lbh")
assert document("info", "n.lbh")["digest"] == document("info", "m.lbh")["digest"]
write_vecs("bad.ivecs", [[N] for _ in range(N)], "i")
bad = ("train", "-m", "sgh", "-b", BITS, "--base", "base.fvecs", "-o", "y.lbh", "--neighbours")
assert "row 0 names row 500" in run(*bad, "bad.ivecs", code=1)
assert "of 499 rows" in run(*bad, "near.ivecs@1:500", code=1)
run(*bad, "base.fvecs", code=1)

# a time limit ends training with a model
began = time.time()
run("train", "-m", "sgh", "-b", BITS, "--base", "base.fvecs", "--set", "steps=100000000",
    "--time-limit", 0.5, "-o", "t.lbh")
assert time.time() - began < 60
run("train", "-m", "sgh", "-b", BITS, "--base", "base.fvecs", "--time-limit", "-1", "-o", "y.lbh",
    code=2)

# stopped and taken up again: the bit-identical model
slow = ("train", "-m", "sgh", "-b", "64", "--base", "synthetic:n=3000,d=64", "--set",
        "steps=4000,batch=200")
whole = document(*slow, "-o", "whole.lbh")["digest"]


def stop(signal_number):
    p = subprocess.Popen([lbh, *slow, "--checkpoint", "k.ckpt", "--checkpoint-every", "0.05", "-o",
                          "again.lbh"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun = time.time()
    while p.poll() is None and not os.path.exists("k.ckpt") and time.time() - begun < 60:
        time.sleep(0.01)
    time.sleep(0.05)
    p.send_signal(signal_number)
    out, err = p.communicate()
    return p.returncode, err


code, err = stop(signal.SIGINT)
if code != 0:  # it was not faster than we are
    assert code == 130 and "k.ckpt" in err and "goes on" in err and err.count("\n") == 1, (code, err)
    assert os.path.exists("k.ckpt") and not os.path.exists("again.lbh")
    code, err = stop(signal.SIGKILL)
    assert document(*slow, "--checkpoint", "k.ckpt", "-o", "again.lbh")["digest"] == whole
    assert not os.path.exists("k.ckpt")
    stop(signal.SIGINT)
    if os.path.exists("k.ckpt"):
        other = run(*slow, "--seed", 9, "--checkpoint", "k.ckpt", "-o", "y.lbh", code=1)
        assert "another training" in other, other
run(*slow, "--checkpoint", "no/such/place", "-o", "y.lbh", code=1)
run(*slow, "--checkpoint", "k2.ckpt", "--checkpoint-every", "x", "-o", "y.lbh", code=2)
subprocess.run(["rm", "-r", os.getcwd()], check=True)
print("ok")
