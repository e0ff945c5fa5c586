#!/usr/bin/env python3
"""test_layouts.py LBH SCRIPTS: each set that a preset names has a layout; the commands of the layouts make the sets
from tiny files of the published form, with the numbers that are in them; damaged files are refused in one line and
leave nothing; then presets of the papers run on the sets, `--quick`: so many that each set is used and each method, all
of them whole (minutes) with LBH_TEST_ALL=1."""
import functools
import gzip
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import h5py
    import numpy as np
    import scipy.io
    import sklearn  # noqa: F401
except ImportError as error:
    print(f"skipped: Python has no {error.name}")
    sys.exit(77)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import made_sets as made  # noqa: E402

lbh, scripts = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
home = tempfile.mkdtemp(prefix="lbh-test-")
os.chdir(home)
ALL = bool(os.environ.get("LBH_TEST_ALL"))
WHOLE = ("sgh-fig8-mips",)  # with LBH_TEST_ALL run as they are, `--preset NAME --quick`; of others training is cut
os.environ.update(OMP_WAIT_POLICY="passive", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


def run(*args, code=0):
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    return p


@functools.cache
def layout(name):
    return run(f"{scripts}/get_data.sh", "--layout", name).stdout


def convert(*args, code=0):
    p = run(sys.executable, f"{scripts}/convert.py", *args, code=code)
    assert code == 0 or p.stderr.count("\n") == 1 and p.stderr.startswith("convert.py: "), p.stderr
    return p


def follow(name):
    """Runs the layout's commands that convert (those that need a network: test_features.py)."""
    commands = re.findall(r"^    (scripts/convert.py .*)$", layout(name), re.M)
    assert commands, name
    for command in commands:
        convert(*command.split()[1:])


def array(path):
    """The rows of a file of vectors, read here anew."""
    kind = path.rsplit(".", 1)[1]
    data = open(path, "rb").read()
    size = {"fvecs": ("<f4", 4), "bvecs": ("u1", 1), "ivecs": ("<i4", 4), "u8bin": ("u1", 1)}
    dtype, item = size[kind]
    if kind == "u8bin":
        n, d = np.frombuffer(data, "<u4", 2)
        return np.frombuffer(data, dtype, -1, 8).reshape(n, d)
    d = int(np.frombuffer(data, "<i4", 1)[0])
    rows = np.frombuffer(data, "u1").reshape(-1, 4 + item * d)
    assert (np.ascontiguousarray(rows[:, :4]).view("<i4") == d).all()
    return np.ascontiguousarray(rows[:, 4:]).view(dtype)


def check(folder, **parts):
    for part, wanted in parts.items():
        (path,) = [f for f in os.listdir(folder) if f.rsplit(".", 1)[0] == part and not f.endswith(".list")]
        assert np.array_equal(array(f"{folder}/{path}"), wanted), (folder, part)
    assert not [f for f in os.listdir(folder) if f.endswith(".part")], folder


def damaged(*args):
    """Refused in one line; nothing is left."""
    text = convert(args[0], args[1], "broken", *args[2:], code=1).stderr
    assert not os.path.exists("broken") or os.listdir("broken") == [], os.listdir("broken")
    return text


# ---- Layouts: every set of every preset; unknown names --------------------------------------------
presets = [line.split()[0] for line in run(lbh, "bench", "--list-presets").stdout.splitlines()]
sets = {preset: re.findall(r"^base = (\S+)", run(lbh, "bench", "--print-preset", preset).stdout, re.M)
        for preset in presets}
for name in {name for found in sets.values() for name in found if not name.startswith("synthetic:")}:
    text = layout(name)
    assert re.search(r"^published: ", text, re.M) and re.search(r"^files: base\.", text, re.M), (name, text)
    assert re.search(r"^    scripts/(convert\.py|get_data\.sh) ", text, re.M), name
known = run(f"{scripts}/get_data.sh", "--layout").stdout.split()
for name in "nowhere", "../mnist", "deep-angular", "CIFAR10", "a b":
    p = run(f"{scripts}/get_data.sh", "--layout", name, code=2)
    assert f"no data set '{name}'" in p.stderr and set(known) <= set(p.stderr.split()), p.stderr
    assert run(f"{scripts}/get_data.sh", name, code=2).stderr == p.stderr
assert "glove-25-angular.hdf5" in layout("glove-25-angular")
# A set that is not fetched: how to get it. No layout, no message names a set that is not known.
assert "convert.py texmex deep1m" in run(f"{scripts}/get_data.sh", "deep1m", code=1).stderr
everywhere = "".join(layout(name) for name in known if "NAME" not in name)
for preset in presets:
    p = subprocess.run([lbh, "bench", "--preset", preset, "--data", "none", "--quick", "--plan", "--out", "plan"], capture_output=True,
                       text=True)
    everywhere += p.stderr
asked = set(re.findall(r"get_data\.sh --layout (\S+?)[);]?\s", everywhere))
assert {"gist", "deep1m", "cifar10-fc7", "nuswide-fc7", "tiny100k", "sift1b"} <= asked, asked
for name in asked:
    layout(name)
for name in set(re.findall(r"get_data\.sh ([a-z]\S*)", everywhere)):
    layout(name)

# ---- Sets of vectors ----------------------------------------------------------------------------
os.mkdir("deep1m")
os.mkdir("bigann")
files, gist = made.texmex("gist", 960)
made.tar("gist.tar.gz", {"gist/" + k: v for k, v in files.items()})
follow("gist")
check("data/gist", **gist)
files, sift = made.texmex("sift", 128)
files["sift_groundtruth.ivecs"] = made.vecs(np.arange(made.NQ * 3, dtype=np.int32).reshape(-1, 3))
made.tar("sift.tar.gz", {"sift/" + k: v for k, v in files.items()})
follow("sift")
check("data/sift", truth=np.arange(made.NQ * 3).reshape(-1, 3), **sift)
files, deep = made.texmex("deep1M", 256)
files["deep1M_queries.fvecs"] = files.pop("deep1M_query.fvecs")
for name, data in files.items():
    made.put(f"deep1m/{name}", data)
follow("deep1m")
check("data/deep1m", **deep)
files, bigann = made.texmex("bigann", 128, np.uint8)
for name, data in files.items():
    made.put(f"bigann/{name}.gz", gzip.compress(data))
follow("sift1b")
check("data/sift1b", **bigann)
made.put("tiny/tinygist80million.bin", made.clusters(4, 1700, 384)[0].astype("<f4").tobytes())
convert("tiny", "tiny/tinygist80million.bin", "data/tiny100k", "--rows", 1701, code=1)
# 100,000 rows are drawn by default; here as many as there are
made.put("tinygist80million.bin", np.zeros((100000, 384), "<f4").tobytes())
follow("tiny100k")
assert os.path.getsize("data/tiny100k/base.fvecs") == 100000 * (4 + 4 * 384)
convert("tiny", "tiny/tinygist80million.bin", "data/tiny100k", code=1)
convert("tiny", "tiny/tinygist80million.bin", "data/tiny100k", "--rows", 1640, "--force")
whole = np.fromfile("tiny/tinygist80million.bin", "<f4").reshape(-1, 384)
drawn = [np.flatnonzero((whole == row).all(1))[0] for row in array("data/tiny100k/base.fvecs")]
assert len(drawn) == 1640 and (np.diff(drawn) > 0).all()
os.unlink("tinygist80million.bin")

# ---- MNIST, CIFAR-10 in its three forms, GIST and features as MATLAB matrices -----------------------
# The papers' protocols take 600 rows of a class.
mnist = {"base": made.pixels(5, 5900, 784), "query": made.pixels(6, 700, 784)}
for part, stem in ("base", "train"), ("query", "t10k"):
    made.put(f"mnist-idx/{stem}-images-idx3-ubyte.gz", gzip.compress(made.idx(mnist[part][0])))
    made.put(f"mnist-idx/{stem}-labels-idx1-ubyte.gz", gzip.compress(made.idx(mnist[part][1])))
follow("mnist")
check("data/mnist", base=mnist["base"][0], base_labels=mnist["base"][1][:, None], query=mnist["query"][0],
      query_labels=mnist["query"][1][:, None])
batches = made.cifar_batches()
cifar = made.joined(batches)
made.tar("cifar-10-python.tar.gz", {f"cifar-10-batches-py/{name}": made.python2_pickle(*batch, name)
                                    for name, batch in batches.items()})
follow("cifar10")
check("data/cifar10", **cifar)
for name, (x, y) in batches.items():
    scipy.io.savemat(f"{name}.mat", {"data": x, "labels": y[:, None].astype("u1")})
    made.put(f"cifar-mat/{name}.mat", open(f"{name}.mat", "rb").read())
    made.put(f"cifar-bin/{name}.bin", np.hstack([y[:, None].astype("u1"), x]).tobytes())
    made.put(f"cifar-py3/{name}", pickle.dumps({b"data": x, b"labels": y.tolist()}))
for form in "mat", "bin", "py3":
    convert("cifar10", f"cifar-{form}", f"from-{form}")
    check(f"from-{form}", **cifar)


def matlab(folder, d, name, variables, classes=10, each=640, seven=False):
    """A set as MATLAB's matrices: version 5, or 7.3, where HDF5 has the columns as rows."""
    n = classes * each
    x, y = made.clusters(7, n + 400, d, classes)
    x, parts = x.astype("<f4"), {}
    for v, part in zip(variables, (x[:n], x[n:], y[:n, None] + 1, y[n:, None] + 1)):
        parts[v] = part.astype(float)
    if seven:
        with h5py.File(name, "w", userblock_size=512) as file:
            for v, part in parts.items():
                file[v] = part.T
        with open(name, "r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")
    else:
        scipy.io.savemat(name, parts)
    follow(folder)
    base, query, base_labels, query_labels = parts.values()
    check(f"data/{folder}", base=base, query=query, base_labels=base_labels, query_labels=query_labels)


matlab("cifar10-gist", 512, "cifar10_gist.mat", ("traindata", "testdata", "traingnd", "testgnd"))
features = sorted(name for name in {n for found in sets.values() for n in found}
                  if name.startswith(("cifar10-", "imagenet100-")) and name != "cifar10-gist")
for i, name in enumerate(features):
    many = {"classes": 100, "each": 150} if name.startswith("imagenet") else {}
    matlab(name, 96, "features.mat", ("train", "test", "train_labels", "test_labels"), seven=i % 2, **many)
# Columns that are rows are known by the labels; without labels by --transpose; two files.
x = made.clusters(8, 30, 7)[0].astype("<f4")
scipy.io.savemat("turned.mat", {"X": x.T, "y": np.arange(30)[None] % 3})
convert("mat", "turned.mat", "turned", "--base", "X", "--base-labels", "y", "--query", "turned.mat:X", "--transpose")
check("turned", base=x, query=x, base_labels=np.arange(30)[:, None] % 3)

# ---- NUS-WIDE and ImageNet by their lists -----------------------------------------------------------
rng = np.random.default_rng(9)
nus = rng.random((24000, 81)) < np.linspace(.005, .2, 81)[rng.permutation(81)]
concepts = sorted(f"concept{c}" for c in range(81))
made.put("NUS-WIDE/ImageList/Imagelist.txt", "".join(f"actor\\{i:05}_{7 * i}.jpg\n" for i in range(24000)).encode())
for c, name in enumerate(concepts):
    made.put(f"NUS-WIDE/Groundtruth/AllLabels/Labels_{name}.txt", "".join(f"{int(v)}\n" for v in nus[:, c]).encode())
follow("nuswide")
top = np.sort(np.argsort(-nus.sum(0), kind="stable")[:21])
keep = nus[:, top].any(1)
check("data/nuswide", base_labels=nus[np.ix_(keep, top)])
assert open("data/nuswide/classes.txt").read().split() == [concepts[c] for c in top]
lines = open("data/nuswide/base.list").read().splitlines()
first = int(np.argmax(keep))
assert len(lines) == keep.sum() and lines[0] == f"{os.getcwd()}/NUS-WIDE/Flickr/actor/{first:05}_{7 * first}.jpg\t" + \
    " ".join(str(int(v)) for v in nus[first, top]), lines[0]
x = (nus[np.ix_(keep, top)] @ rng.normal(0, 1, (21, 64)) + rng.normal(0, .5, (keep.sum(), 64))).astype("<f4")
many = nus[np.ix_(keep, top)]
scipy.io.savemat("features.mat", {"features": x, "labels": many.T.astype("u1")})
follow("nuswide-fc7")
check("data/nuswide-fc7", base=x, base_labels=many)
wnids = [f"n{i:08}" for i in range(104)]
truth = rng.permutation(np.repeat(np.arange(104), 2))
numbers = rng.permutation(104) + 1  # ILSVRC2012_ID of each WNID
for i, w in enumerate(wnids):
    for j in range(3):
        made.put(f"ILSVRC2012/train/{w}/{w}_{j}.JPEG", b"")
for i, c in enumerate(truth):
    made.put(f"ILSVRC2012/val/ILSVRC2012_val_{i + 1:08}.JPEG", b"")
kit = "ILSVRC2012/ILSVRC2012_devkit_t12/data"
made.put(f"{kit}/ILSVRC2012_validation_ground_truth.txt", "".join(f"{numbers[c]}\n" for c in truth).encode())
scipy.io.savemat(f"{kit}/meta.mat", {"synsets": np.array([[(float(n), w)] for n, w in zip(numbers, wnids)],
                                                         [("ILSVRC2012_ID", "O"), ("WNID", "O")])})
follow("imagenet100")
classes = open("data/imagenet100/classes.txt").read().split()
assert len(set(classes)) == 100 and set(classes) <= set(wnids)
for part, each in ("base", 3), ("query", 2):
    rows = [line.split("\t") for line in open(f"data/imagenet100/{part}.list").read().splitlines()]
    assert np.array_equal(array(f"data/imagenet100/{part}_labels.ivecs")[:, 0], [int(c) for _, c in rows])
    assert len(rows) == 100 * each and len({path for path, _ in rows}) == 100 * each
    for path, c in rows:
        w = path.split("/")[-2] if part == "base" else wnids[truth[int(path[-13:-5]) - 1]]
        assert classes[int(c)] == w, (path, c)

# ---- Reuters ----------------------------------------------------------------------------------------
made.tar("reuters21578.tar.gz", {"reut2-000.sgm": made.reuters(700, 120).encode("latin-1")})
follow("reuters")
assert array("data/reuters/base.fvecs").shape == (700, 256) and array("data/reuters/query.fvecs").shape == (120, 256)
y = array("data/reuters/base_labels.u8bin")
assert y.shape == (700, 5) and 1 <= y.sum(1).min() and y.sum(1).max() == 2
x = array("data/reuters/base.fvecs")
assert (np.argsort(-(x @ x.T), 1)[:, 1] != -1).all()
near = y[np.argsort(-(x @ x.T), 1)[:, 1]]
assert (near & y).any(1).mean() > .95  # the nearest text shares a topic

# ---- Damaged: one line, nothing left ----------------------------------------------------------------
data = open("deep1m/deep1M_base.fvecs", "rb").read()
os.mkdir("bad")
for name in "deep1M_queries.fvecs", "deep1M_learn.fvecs":
    shutil.copy(f"deep1m/{name}", "bad")
for broken, words in (data[:-5], "ends in the middle of row 639"), (data[:1028] + b"\1" + data[1029:], "row 1 has"), \
        (b"", "empty"), (data[:2052] + np.float32(np.nan).tobytes() + data[2056:], "row 1 would have NaN"):
    made.put("bad/deep1M_base.fvecs", broken)
    text = damaged("texmex", "bad")
    assert words in text, text
whole = open("gist.tar.gz", "rb").read()
made.put("cut.tar.gz", whole[:len(whole) // 2])
damaged("texmex", "cut.tar.gz")
made.put("not.tar.gz", b"hello")
assert "neither a folder nor a tar" in damaged("texmex", "not.tar.gz")
assert "no such file" in damaged("texmex", "nowhere.tar.gz")
made.put("tiny/odd.bin", b"\0" * 1535)
assert "no rows of 384" in damaged("tiny", "tiny/odd.bin")
os.makedirs("mnist-cut")
for name in os.listdir("mnist-idx"):
    data = open(f"mnist-idx/{name}", "rb").read()
    made.put(f"mnist-cut/{name}", data[:len(data) // 2] if "train-im" in name else data)
damaged("mnist", "mnist-cut")


class Evil:
    def __reduce__(self):
        return os.system, ("touch was-run",)


shutil.copytree("cifar-py3", "evil")
good = pickle.dumps({b"data": batches["test_batch"][0], b"labels": batches["test_batch"][1].tolist()})
for broken, words in (pickle.dumps({b"data": Evil()}), "system"), (good[:-1000], "test_batch"), (pickle.dumps([1]), "dict"), \
        (pickle.dumps({b"data": batches["test_batch"][0], b"labels": [10] * 160}), "0 to 9"), (b"", "test_batch"), \
        (pickle.dumps({b"data": np.zeros((160, 3071), "u1"), b"labels": [0] * 160}), "no batch"):
    made.put("evil/test_batch", broken)
    text = damaged("cifar10", "evil")
    assert words in text, text
assert not os.path.exists("was-run")
data = open("cifar10_gist.mat", "rb").read()
made.put("cut.mat", data[:len(data) // 2])
damaged("mat", "cut.mat", "--base", "traindata")
data = open("features.mat", "rb").read()
assert "there is no variable X; it has features, labels" in damaged("mat", "features.mat", "--base", "X")
scipy.io.savemat("odd.mat", {"X": np.zeros((5, 3)), "y": np.zeros((4, 1))})
assert "of 4 rows" in damaged("mat", "odd.mat", "--base", "X", "--base-labels", "y")
made.put("NUS-WIDE/Groundtruth/AllLabels/Labels_concept7.txt", b"0\n1\n")
assert "2 lines for 24000 pictures" in damaged("nuswide", "NUS-WIDE")
made.put(f"{kit}/ILSVRC2012_validation_ground_truth.txt", b"1\n2\n")
assert "208 pictures, 2 lines" in damaged("imagenet", "ILSVRC2012")
made.tar("cut-reuters.tar.gz", {"reut2-000.sgm": made.reuters(20, 5)[:-9].encode()})
assert "does not end" in damaged("reuters", "cut-reuters.tar.gz")
# What is there is not replaced unasked, and another kind of the same rows goes with it.
assert "--force" in convert("mat", "features.mat", "data/cifar10-fc7", "--base", "features", code=1).stderr
convert("mat", "features.mat", "from-bin", "--base", "features", "--base-labels", "labels", "--force")
assert sorted(f for f in os.listdir("from-bin") if f.startswith("base")) == ["base.fvecs", "base_labels.u8bin"]

# ---- Each preset, on these sets ---------------------------------------------------------------------
# word2vec is trained by scripts/get_data.sh; its form:
x = made.clusters(12, 700, 200)[0].astype("<f4")
ids = np.arange(0, 700, 7, dtype=np.int32)
for name, part in ("base.fvecs", x), ("query.fvecs", x[ids]), ("query_ids.ivecs", ids[:, None]):
    made.put(f"data/word2vec/{name}", made.vecs(part))


def shortened(preset):
    """The preset with one length of its codes and a few steps of training. Unless all are run: the first method on all sets,
    others on one, and those not that were run in another preset."""
    text = run(lbh, "bench", "--print-preset", preset).stdout
    text = re.sub(r"^time_limit = .*\n", "", text, flags=re.M).replace("[bench]\n", "[bench]\ntime_limit = 36000\n", 1)
    text = re.sub(r"(\[bench\][^[]*?^nbits = \d+)[ \d]*$", r"\1", text, count=1, flags=re.M | re.S)
    parts = re.split(r"(?=^\[)", text, flags=re.M)
    rows, first = 0, re.search(r"^\[data (\S+)\]", text, re.M)[1]
    for i, part in enumerate(parts):
        method = re.match(r"\[method ([\w-]+)", part)
        if method and rows and not ALL and method[1] in tried:
            parts[i] = ""
            continue
        if method and rows and not ALL and "\ndata = " not in part:
            part = parts[i] = part.replace("]\n", f"]\ndata = {first}\n", 1)
        rows += bool(method)
        tried.update(method.groups() if method else ())
        known = steps_of(method[1]) if method else ""
        if known and "options = " in part:
            parts[i] = re.sub(r"^options = .*$", rf"\g<0> {known}", part, flags=re.M)
        elif known:
            parts[i] = part.replace("]\n", f"]\noptions = {known}\n", 1)
    return "".join(parts)


def steps_of(method, cache={}):
    if method not in cache:
        told = subprocess.run([lbh, "methods", method], capture_output=True, text=True).stdout
        cache[method] = " ".join(f"{name}={n}" for name, n in (("steps", 20), ("alternations", 2))
                                 if re.search(rf"^ +{name}=", told, re.M))
    return cache[method]


wanted, used, tried = [], set(), set()
for preset in presets:
    if preset.startswith(("sgh-", "jmlh-", "sigah-")) and (ALL or set(sets[preset]) - used):
        wanted.append(preset)
        used |= set(sets[preset])

for preset in sys.argv[3:] or wanted:
    began = time.time()
    how = ["--preset", preset] if ALL and preset in WHOLE else [f"{preset}.ini"]
    with open(f"{preset}.ini", "w", encoding="utf-8") as file:
        file.write(shortened(preset))
    p = run(lbh, "bench", *how, "--quick", "--data", "data", "--out", f"out-{preset}", "--json")
    told = json.loads(p.stdout)
    cells = [json.loads(line) for line in open(f"out-{preset}/bench.jsonl", encoding="utf-8")]
    failed = [c.get("error", c["status"]) for c in cells if c["type"] == "cell" and c["status"] != "ok"]
    # codes that say nothing are refused by sgh's extension E.1, which says of the training, not of the set
    failed = [error for error in failed if "bits are the same for all rows" not in error]
    assert not told["missing"] and not failed and told["measured"] + told["failed"] == told["cells"] > 0, (preset, failed, told)
    seen = {c["data"] for c in cells if c["type"] == "cell"}
    assert len(seen) == len(sets[preset]), (preset, seen)
    print(f"{preset}: {told['cells']} cells, {time.time() - began:.1f} s", flush=True)
os.chdir("/")
shutil.rmtree(home)
print("ok")
