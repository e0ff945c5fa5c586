#!/usr/bin/env python3
"""test_ann_benchmarks.py LBH: lbh reads HDF5 sets as h5py writes them, refuses damaged ones, and
writes data and results in which h5py finds all that ann-benchmarks' readers use. Exit code 77
without h5py, or if lbh was built without HDF5."""
import glob
import json
import os
import subprocess
import sys
import tempfile

lbh = os.path.abspath(sys.argv[1])
try:
    import h5py
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

N, NQ, D = 600, 20, 24
rng = np.random.default_rng(7)


def call(*args):
    return subprocess.run([lbh, *args], capture_output=True, text=True,
                          env={**os.environ, "OMP_WAIT_POLICY": "passive"})


def run(*args):
    done = call(*args)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def refused(words, *args):
    done = call(*args)
    assert done.returncode in (1, 2), (args, done.returncode)
    assert words in done.stderr and done.stderr.count("\n") == 1, (args, done.stderr)


def encode(spec):
    run("encode", "--model", "m.lbh", "--input", spec, "-o", "codes.npy", "-q")
    return np.load("codes.npy")


def unit(x):
    return x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)


def write_set(path, train, test, distance, point_type="float", kind="dense", **options):
    """As ann-benchmarks' write_output does."""
    with h5py.File(path, "w") as f:
        f.attrs["type"] = kind
        f.attrs["distance"] = distance
        f.attrs["dimension"] = train.shape[-1]
        f.attrs["point_type"] = point_type
        f.create_dataset("train", data=train, **options)
        f.create_dataset("test", data=test, **options)


# ---- Reading -----------------------------------------------------------------------------------

def test_reading(train, test):
    np.save("train.npy", train)
    run("train", "--method", "itq", "--nbits", "16", "--base", "train.npy", "-o", "m.lbh", "-q")
    expected = encode("train.npy")
    for dtype in "<f4", ">f4", "<f8", ">f8":
        for options in {}, {"chunks": (20, D), "compression": "gzip"}:
            write_set("a.hdf5", train.astype(dtype), test.astype(dtype), "euclidean", **options)
            assert (encode("a.hdf5:train") == expected).all(), (dtype, options)
            assert (encode("a.hdf5:train@100:300") == expected[100:300]).all()
    with h5py.File("old.h5", "w", userblock_size=512) as f:  # no attributes, rows further behind
        f["train"] = train
    assert (encode("old.h5:train") == expected).all()
    whole = np.round(train * 5)
    np.save("whole.npy", whole.astype(np.float32))
    expected = encode("whole.npy")
    for dtype in "i1", "<i2", "<i4", ">i4", "<i8", "<f2":
        write_set("a.hdf5", whole.astype(dtype), test, "euclidean")
        assert (encode("a.hdf5:train") == expected).all(), dtype
    # A model of rows of length 1 tells whether rows were brought to length 1.
    np.save("unit.npy", unit(train).astype(np.float32))
    run("train", "--method", "itq", "--nbits", "16", "--base", "unit.npy", "-o", "m.lbh", "-q")
    expected = encode("unit.npy")
    assert (encode("train.npy") != expected).any()
    write_set("a.hdf5", train * 100, test, "angular")
    different = (encode("a.hdf5:train") != expected).any(1).sum()
    assert different <= 2, different  # rounding


def test_hamming():
    train, test = rng.random((N, 37)) < 0.4, rng.random((NQ, 37)) < 0.4
    write_set("bits.hdf5", train, test, "hamming", "bit")
    np.save("bits.npy", train.astype(np.uint8))
    run("train", "--method", "itq", "--nbits", "16", "--base", "bits.npy", "-o", "m.lbh", "-q")
    assert (encode("bits.hdf5:train") == encode("bits.npy")).all()
    run("build", "--codes", "bits.hdf5:train:codes", "--index", "BFlat", "-o", "i.faiss", "-q")
    run("search", "--index", "i.faiss", "--codes", "bits.hdf5:test:codes", "-k", "5", "-o",
        "ids.npy", "--distances", "d.npy", "-q")
    distances = (test[:, None] ^ train[None]).sum(2)
    assert (np.load("d.npy") == np.sort(distances, 1)[:, :5]).all()
    ids = np.load("ids.npy")
    assert (np.take_along_axis(distances, ids, 1) == np.load("d.npy")).all()
    write_set("two.hdf5", train.astype(np.uint8) * 2, test, "hamming", "bit")
    refused("bits are 0 and 1", "build", "--codes", "two.hdf5:train:codes", "--index", "BFlat",
            "-o", "x")


def test_refused(train, test):
    def no(words, spec):
        refused(words, "encode", "--model", "m.lbh", "--input", spec, "-o", "x.npy")
    write_set("a.hdf5", train, test, "euclidean")
    no("name a data set", "a.hdf5")
    no("no data set 'base'", "a.hdf5:base")
    no("name a data set", "a.hdf5:train:bits")
    no("codes are made of booleans", "a.hdf5:train:codes")
    no("cannot open", "absent.hdf5:train")
    write_set("sparse.hdf5", np.arange(50), np.arange(5), "jaccard", "int", "sparse")
    no("lists of items", "sparse.hdf5:train")
    write_set("jaccard.hdf5", train > 0, test > 0, "jaccard", "bit")
    no("jaccard", "jaccard.hdf5:train")
    with h5py.File("odd.hdf5", "w") as f:
        f["train"] = np.arange(50.)
        f["deep"] = np.zeros((3, 4, 5))
        f["text"] = np.array([b"a", b"b"])
        f["complex"] = np.zeros((3, 4), complex)
        f["empty"] = np.zeros((0, 4), np.float32)
        f["none"] = h5py.Empty("f4")
        f.create_group("group")
        f["gone"] = h5py.SoftLink("/nowhere")
        f["away"] = h5py.ExternalLink("nofile.hdf5", "/x")
        f.create_dataset("huge", (2**40, 2**20), "f4", chunks=(1, 2**10))
        f.create_dataset("wide", (2, 2**40), "f4", chunks=(1, 2**10))
        f.create_dataset("late", (2**33, 64), "f4")
    for name, words in {"train": "lists of items", "deep": "3 axes", "text": "type",
                        "complex": "type", "empty": "no rows", "none": "axes",
                        "group": "no data set", "gone": "no data set", "away": "no data set",
                        "huge": "more than a file",
                        "wide": "too much", "late": "more than a file"}.items():
        no(words, "odd.hdf5:" + name)
    with open("a.hdf5", "rb") as f:
        good = f.read()
    for size in [0, 1, 8, 100, 500, 1000, 2000, len(good) // 2, len(good) - 1]:
        with open("cut.hdf5", "wb") as f:
            f.write(good[:size])
        no("cut.hdf5", "cut.hdf5:train")
    with open("magic.hdf5", "wb") as f:
        f.write(b"x" + good[1:])
    no("no HDF5 file", "magic.hdf5:train")
    # Any bytes of the headers overwritten, of a file in one piece and of a compressed one: rows or
    # an error, whatever becomes of libhdf5.
    for options in {}, {"chunks": (20, D), "compression": "gzip"}:
        write_set("a.hdf5", train[:50], test, "angular", **options)
        with open("a.hdf5", "rb") as f:
            good = f.read()
        for _ in range(60):
            bad = bytearray(good)
            for at in rng.integers(8, 4500, size=3):
                bad[at] = rng.choice([0, 255, rng.integers(256)])
            with open("bad.hdf5", "wb") as f:
                f.write(bad)
            done = call("encode", "--model", "m.lbh", "--input", "bad.hdf5:train", "-o", "x.npy")
            assert done.returncode in (0, 1), (done, bad)
            assert done.returncode == 0 or done.stderr.count("\n") == 1, done.stderr


# ---- Ground truth ------------------------------------------------------------------------------

def test_truth(train, test):
    distances = np.sqrt(((test[:, None].astype(np.float64) - train[None]) ** 2).sum(2))
    near = np.argsort(distances, 1)[:, :100]
    write_set("a.hdf5", train, test, "euclidean")
    with h5py.File("a.hdf5", "a") as f:
        f["neighbors"], f["distances"] = near, np.take_along_axis(distances, near, 1)
    run("train", "--method", "itq", "--nbits", "32", "--base", "a.hdf5:train", "-o", "m.lbh", "-q")
    base = ["eval", "--model", "m.lbh", "--base", "a.hdf5:train", "--query", "a.hdf5:test",
            "--json"]
    computed = json.loads(run(*base, "--map-k", "100"))
    for truth in "a.hdf5:neighbors", "near.ivecs", "near.npy":
        if truth == "near.npy":
            np.save(truth, near)
        if truth == "near.ivecs":
            np.hstack([np.full((NQ, 1), 100), near]).astype("<i4").tofile(truth)
        read = json.loads(run(*base, "--truth", truth))
        for name in "recall", "map", "map_k", "precision_100":
            assert read[name] == computed[name], (truth, name, read[name], computed[name])
    # Not a word of the exact search: other neighbours, other recall.
    np.save("other.npy", near[:, ::-1].copy())
    assert json.loads(run(*base, "--truth", "other.npy"))["recall"] != computed["recall"]

    def no(words, ids):
        np.save("bad.npy", np.ascontiguousarray(ids))
        refused(words, *base, "--truth", "bad.npy")
    no("names row 600", np.where(near == near[3, 4], N, near))
    no("behind -1", np.where(near == near[3, 4], -1, near))
    no("twice", near[:, [0, 1, 0]])
    no("neighbours of 19 queries", near[1:])
    no("holds floats", near.astype(np.float32))
    refused("does not go with", *base, "--truth", "near.npy", "--metric", "label")
    # Queries that are rows: their own numbers are left out.
    own = np.arange(NQ)
    distances = ((train[:NQ, None].astype(np.float64) - train[None]) ** 2).sum(2)
    np.save("own.npy", own)
    np.save("near.npy", np.argsort(distances, 1)[:, :101])
    base = ["eval", "--model", "m.lbh", "--base", "a.hdf5:train", "--query", "a.hdf5:train@0:20",
            "--query-ids", "own.npy", "--json", "--map-k", "100"]
    computed, read = json.loads(run(*base)), json.loads(run(*base, "--truth", "near.npy"))
    assert read["recall"] == computed["recall"] and read["map"] == computed["map"]


# ---- Writing -----------------------------------------------------------------------------------

def check_attributes(f, algorithm, name, dataset, distance):
    a = dict(f.attrs)
    texts = {"algo": algorithm, "name": name, "dataset": dataset, "distance": distance}
    for key, value in texts.items():
        assert type(a[key]) is str and a[key] == value, (key, a[key])
        kind = f.attrs.get_id(key).get_type()
        assert kind.is_variable_str() and kind.get_cset() == h5py.h5t.CSET_UTF8
    for key in "batch_mode", "expect_extra":
        assert a[key].dtype == bool and not a[key]
    for key in "count", "run_count":
        assert a[key].dtype == np.int64 and a[key].shape == ()
    for key in "best_search_time", "build_time", "candidates", "index_size":
        assert a[key].dtype == np.float64 and a[key].shape == () and 0 < a[key] < 1e6, key
    # As the website takes it apart: set, count, distance.
    assert len(("%(dataset)s_%(count)d_%(distance)s" % a).split("_")) == 3
    assert a["run_count"] == 3
    return a


def naive_distance(distance, train, test):
    train, test = train.astype(np.float64), test.astype(np.float64)
    if distance == "angular":
        return 1 - unit(test) @ unit(train).T
    if distance == "hamming":
        return (test[:, None] != train[None]).mean(2)
    return np.sqrt(((test[:, None] - train[None]) ** 2).sum(2))


def check_export(directory, dataset, distance, algorithm, name, count=10, near=100):
    """The data, and the results of one run; returns recall as ann-benchmarks counts it."""
    with h5py.File(f"{directory}/data/{dataset}.hdf5") as d:
        train, test = np.array(d["train"]), np.array(d["test"])
        assert d.attrs["type"] == "dense" and d.attrs["distance"] == distance
        assert d.attrs["dimension"] == train.shape[1]
        assert d.attrs["point_type"] == ("bit" if distance == "hamming" else "float")
        assert train.dtype == (bool if distance == "hamming" else np.float32)
        all_distances = naive_distance(distance, train, test)
        true = np.array(d["distances"])
        assert true.shape == (len(test), near) and d["neighbors"].shape == true.shape
        assert np.allclose(true, np.sort(all_distances, 1)[:, :near], atol=1e-5)
        of_ids = np.take_along_axis(all_distances, np.array(d["neighbors"]), 1)
        assert np.allclose(true, of_ids, atol=1e-5)
    found = [path for path in glob.glob(f"{directory}/results/{dataset}/{count}/**/*.hdf5",
                                        recursive=True) if h5py.File(path).attrs["name"] == name]
    assert len(found) == 1, found
    with h5py.File(found[0], "r+") as f:  # plot.py opens them so, and writes its cache
        f.create_group("metrics")
        attributes = check_attributes(f, algorithm, name, dataset, distance)
        times, ids, distances = (np.array(f[key]) for key in ("times", "neighbors", "distances"))
    assert times.shape == (len(test),) and (times > 0).all()
    assert abs(times.mean() / attributes["best_search_time"] - 1) < 1e-3
    assert ids.shape == distances.shape == (len(test), count) and attributes["count"] == count
    assert abs((ids >= 0).sum() / len(ids) - attributes["candidates"]) < 1e-9
    for q, row in enumerate(ids):
        kept = row[row >= 0]
        assert (row[:len(kept)] == kept).all() and len(set(kept)) == len(kept)
        assert np.isinf(distances[q, len(kept):]).all()
        assert np.allclose(distances[q, :len(kept)], all_distances[q, kept], atol=1e-5)
    return (distances <= true[:, count - 1:count] + 1e-3).sum() / ids.size, ids, attributes


def test_export(train, test):
    np.save("base_1.npy", train)
    np.save("query.npy", test)
    run("train", "--method", "itq", "--nbits", "64", "--base", "base_1.npy", "-o", "m.lbh", "-q")
    base = ["eval", "--model", "m.lbh", "--base", "base_1.npy", "--query", "query.npy", "--json"]
    out = ["--ann-benchmarks", "out"]
    document = json.loads(run(*base, *out))
    dataset = f"base-1-{D}-euclidean"
    recall, ids, _ = check_export("out", dataset, "euclidean", "lbh-itq", "lbh-itq(64,BFlat)")
    assert abs(recall - document["recall"]["10@10"]) < 0.02, (recall, document["recall"])
    run("build", "--model", "m.lbh", "--base", "base_1.npy", "--index", "BFlat", "-o", "i.faiss",
        "-q")
    run("search", "--model", "m.lbh", "--index", "i.faiss", "--query", "query.npy", "-k", "10",
        "-o", "ids.npy", "-q")
    assert (np.load("ids.npy") == ids).all()
    # Rescored by the vectors themselves: exact.
    run(*base, *out, "--rescore", "float", "--k-factor", "60")
    name = "lbh-itq(64,BFlat,rescore=float,k_factor=60)"
    recall, _, _ = check_export("out", dataset, "euclidean", "lbh-itq", name)
    assert recall == 1
    # An index that finds too few.
    run(*base, *out, "--index", "BHash16", "--set", "nflip=0", "--ann-k", "20")
    _, ids, attributes = check_export("out", dataset, "euclidean", "lbh-itq",
                                      "lbh-itq(64,BHash16,nflip=0)", 20)
    assert (ids < 0).any() and attributes["candidates"] < 20
    # The data that are there are kept, others of that name refused.
    before = os.stat(f"out/data/{dataset}.hdf5").st_mtime_ns
    run(*base, *out)
    assert os.stat(f"out/data/{dataset}.hdf5").st_mtime_ns == before
    refused(f"is another data set: its 'train' is {N} x {D}, not 500 x {D};", "eval", "--model", "m.lbh", "--base", "base_1.npy@0:500",
            "--query", "query.npy", *out, "--ann-set", dataset)
    for words, options in {"hyphens": ["--ann-set", "a_b"], "not all": ["--rescore", "all"],
                           "true neighbours": ["--metric", "label"],
                           "are known": ["--ann-k", "200", "--map-k", "100"],
                           "goes with": []}.items():
        more = [] if words == "goes with" else ["--ann-benchmarks", "other"]
        more += ["--ann-set", "x"] if words == "goes with" else []
        refused(words, *base, *more, *options)
    assert not os.path.exists("other")
    assert not glob.glob("out/**/*.tmp", recursive=True)


def test_export_of_other_distances(train, test):
    np.save("base.npy", train * (0.2 + 3 * rng.random((N, 1))).astype(np.float32))
    np.save("query.npy", test)
    base = np.load("base.npy")
    run("train", "--method", "itq", "--nbits", "64", "--base", "base.npy", "-o", "m.lbh", "-q")
    document = json.loads(run("eval", "--model", "m.lbh", "--base", "base.npy", "--query",
                              "query.npy", "--metric", "ip", "--json", "--ann-benchmarks", "out",
                              "--rescore", "float", "--k-factor", "60"))
    name = "lbh-itq(64,BFlat,rescore=float,k_factor=60)"
    recall, ids, _ = check_export("out", f"base-{D}-mips", "euclidean", "lbh-itq", name)
    assert recall == 1 and document["metric"] == "ip"
    products = test.astype(np.float64) @ base.T.astype(np.float64)
    assert (ids[:, 0] == products.argmax(1)).all()
    # Sets of ann-benchmarks keep their names and distances.
    write_set("rnd-24-angular.hdf5", base, test, "angular")
    run("eval", "--model", "m.lbh", "--base", "rnd-24-angular.hdf5:train", "--query",
        "rnd-24-angular.hdf5:test", "--ann-benchmarks", "out", "-q")
    check_export("out", "rnd-24-angular", "angular", "lbh-itq", "lbh-itq(64,BFlat)")
    bits = rng.random((N, 40)) < 0.5, rng.random((NQ, 40)) < 0.5
    write_set("rnd-40-hamming.hdf5", *bits, "hamming", "bit")
    run("train", "--method", "itq", "--nbits", "32", "--base", "rnd-40-hamming.hdf5:train", "-o",
        "m.lbh", "-q")
    run("eval", "--model", "m.lbh", "--base", "rnd-40-hamming.hdf5:train", "--query",
        "rnd-40-hamming.hdf5:test", "--ann-benchmarks", "out", "-q")
    check_export("out", "rnd-40-hamming", "hamming", "lbh-itq", "lbh-itq(32,BFlat)")
    # Inner products of bits are no Hamming distances, and neither is what rows of numbers have.
    np.save("numbers.npy", rng.random((N, 40)).astype(np.float32))
    for name, its, metric in (("inner", "rnd-40-hamming.hdf5:train", "ip"), ("mixed", "numbers.npy", "l2")):
        run("eval", "--model", "m.lbh", "--base", its, "--query", "rnd-40-hamming.hdf5:test", "--metric",
            metric, "--ann-set", name, "--ann-benchmarks", "out", "-q")
        check_export("out", name, "euclidean", "lbh-itq", "lbh-itq(32,BFlat)")


SPEC = """[bench]
nbits = 32
repeats = 1
k = 20 10
at = 10 20
map_k = 0
rescore = hamming decoder:40 float:60
index = BFlat BIVF4
search = nprobe=2
[data base-set]
base = base_1.npy
queries = query.npy
[data inner]
base = base_1.npy
queries = query.npy
metric = ip
[method itq]
[method pq]
data = base-set
"""


def test_export_of_bench():
    """Every cell has a file, with its recall, and the time from vectors to index in build_time."""
    with open("bench.ini", "w", encoding="ascii") as f:
        f.write(SPEC)
    bench = ("bench", "bench.ini", "--out", "results", "-q", "--threads", "1")
    run(*bench)
    run(*bench, "--ann-benchmarks", "all")  # what was measured is measured again
    with open("results/bench.jsonl", encoding="ascii") as f:
        lines = list({c["key"]: c for c in map(json.loads, f)}.values())
    assert len(lines) == 14 and all(c["status"] == "ok" for c in lines)
    assert len(glob.glob("all/results/**/*.hdf5", recursive=True)) == 14
    for c in lines:
        words = [str(c["nbits"]), c["index"], c["search"], c["rescore"], "seed=%d" % c["seed"]]
        inner = c["metric"] == "ip"
        dataset = "inner-%d-mips" % D if inner else "base-set-%d-euclidean" % D
        recall, _, a = check_export("all", dataset, "euclidean", "lbh-" + c["method"],
                                    "lbh-%s(%s)" % (c["method"], ",".join(filter(None, words))), 10, 20)
        assert abs(recall - c["recall"][1]["value"][0]) < 0.02, (recall, c)
        built = c["train_s"] + c["encode_s"] + c.get("build_s", 0)
        assert c["train_s"] > 0 and abs(a["build_time"] / built - 1) < 1e-5, (a["build_time"], c)
        assert abs(a["index_size"] * 1024 / c["index_bytes"] - 1) < 1e-5


def main():
    centres = 3 * rng.standard_normal((10, D))
    x = centres[rng.integers(10, size=N + NQ)] + rng.standard_normal((N + NQ, D))
    x = x.astype(np.float32)
    train, test = x[:N], x[N:]
    os.chdir(directory)
    write_set("a.hdf5", train, test, "euclidean")
    if "without HDF5" in call("eval", "--model", "x", "--base", "a.hdf5:train", "--query",
                              "a.hdf5:test").stderr:
        print("lbh was built without HDF5")
        sys.exit(77)
    test_reading(train, test)
    test_hamming()
    test_refused(train, test)
    test_truth(train, test)
    test_export(train, test)
    test_export_of_other_distances(train, test)
    test_export_of_bench()


with tempfile.TemporaryDirectory() as directory:
    main()
