#!/usr/bin/env python3
"""test_answers.py LBH: what `lbh bench` keeps for eyes, pictures and codes for a map, and the
parts that --plan hands to FAISS's methods, against numpy on the codes that `lbh encode` gives."""
import base64
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
os.environ["OMP_WAIT_POLICY"] = "passive"
SHOWN, ANSWERED = 10, 5  # answers of a query, and queries


def run(*args):
    done = subprocess.run([lbh, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def lines(out, kind):
    with open(os.path.join(out, "bench.jsonl"), encoding="utf-8") as file:
        return [line for line in map(json.loads, file) if line["type"] == kind]


def bytes_of(text, width):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, width)


def check(n, nq, wanted):
    """n rows with 0 to 2 classes each, of 4 x 6 pixels; `wanted` codes for a map."""
    random = np.random.RandomState(n)
    kinds = [sorted(random.permutation(4)[:random.randint(0, 3)]) for _ in range(n + nq)]
    rows = random.randint(0, 256, (n + nq, 24)).astype(np.float32)
    np.save("base.npy", rows[:n])
    np.save("query.npy", rows[n:])
    for name, part in (("base", kinds[:n]), ("query", kinds[n:])):
        np.save(f"{name}_labels.npy", np.array([k + [-1] * (2 - len(k)) for k in part], np.int32))
    with open("spec.ini", "w", encoding="utf-8") as file:
        file.write(f"""[bench]
nbits = 16
seeds = 1
repeats = 1
map_k = 0
map_queries = 0
threads = 1
[data made]
base = base.npy
queries = query.npy
labels = base_labels.npy
query_labels = query_labels.npy
metric = label
image = 4x6
codes = {wanted}
[method lsh]
[method pq]
""")
    out = f"out-{n}"
    run("bench", "spec.ini", "--out", out, "-q")
    run("train", "-m", "lsh", "-b", 16, "--base", "base.npy", "--seed", 1, "-o", "m.lbh", "-q")
    for name in ("base", "query"):
        run("encode", "--model", "m.lbh", "-i", f"{name}.npy", "-o", f"{name}_codes.npy", "-q")
    base, query = np.load("base_codes.npy"), np.load("query_codes.npy")

    (line,) = lines(out, "codes")
    count = min(n, wanted)
    some = np.arange(count) * (n // count)
    assert line["count"] == count and line["code_bytes"] == 2
    assert (bytes_of(line["codes"], 2) == base[some]).all()
    assert line["labels"] == [kinds[i][0] if kinds[i] else -1 for i in some]

    (line,) = lines(out, "answers")
    asked = np.arange(min(nq, ANSWERED)) * (nq // min(nq, ANSWERED))
    assert (line["height"], line["width"], line["count"]) == (4, 6, len(asked) * (1 + SHOWN))
    pictures, right = bytes_of(line["pixels"], 24), []
    for q, shown in zip(asked, pictures.reshape(len(asked), 1 + SHOWN, 24)):
        assert (shown[0] == rows[n + q]).all()
        distance = np.unpackbits(base ^ query[q], axis=1).sum(1)
        for i, row in enumerate(np.argsort(distance, kind="stable")[:SHOWN]):
            assert (shown[1 + i] == rows[row]).all(), (n, q, i)
            right.append(int(bool(set(kinds[row]) & set(kinds[n + q]))))
        assert not shown[1 + n:].any()  # too few rows
        right += [0] * (SHOWN - n)
    assert line["right"] == right

    plan = json.loads(run("bench", "spec.ini", "--out", out, "--plan"))
    (data,) = plan["data"]
    for name, part, its in (("base", kinds[:n], rows[:n]), ("query", kinds[n:], rows[n:])):
        assert (np.load(data[name]) == its).all()
        assert np.load(data[name + "_start"]).ravel().tolist() == [0] + np.cumsum([len(k) for k in part]).tolist()
        assert np.load(data[name + "_class"]).ravel().tolist() == [c for k in part for c in k]


def check_pictures(n, nq, white, nbits):
    """Pictures as their codes rebuild them, and as principal components in as many bytes do; bytes of what
    ranks again."""
    random = np.random.RandomState(n)
    rows = np.rint(random.normal(size=(n + nq, 3)) @ random.normal(size=(3, 24)) * 200 + 120).clip(0, 255)
    rows[n] = 255
    rows = (rows / 255 * white).astype(np.float32)
    np.save("base.npy", rows[:n])
    np.save("query.npy", rows[n:])
    out = f"pictures-{nbits}"
    with open("pictures.ini", "w", encoding="utf-8") as file:
        file.write(f"""[bench]
nbits = {nbits}
seeds = 1
repeats = 1
map_k = 0
map_queries = 0
rescore = hamming sq8:20 float:20
[data made]
base = base.npy
queries = query.npy
image = 4x6
[method itq]
""")
    run("bench", "pictures.ini", "--out", out, "-q")
    run("train", "-m", "itq", "-b", nbits, "--base", "base.npy", "--seed", 1, "-o", "m.lbh", "-q")
    run("encode", "--model", "m.lbh", "-i", "query.npy", "-o", "codes.npy", "-q")
    run("decode", "--model", "m.lbh", "--codes", "codes.npy", "-o", "rebuilt.npy", "-q")
    mean = rows[:n].mean(0, dtype=float)
    axes = np.linalg.svd(rows[:n] - mean, full_matrices=False)[2][:nbits // 32]
    wanted = {"original": rows[n:], "itq": np.load("rebuilt.npy"),
              "pca": mean + (rows[n:] - mean) @ axes.T @ axes}
    images = lines(out, "images")
    assert sorted((i["method"], i["label"], i["nbits"], i["seed"]) for i in images) == [
        ("itq", "itq", nbits, 1), ("original", "original", 0, 0),
        ("pca", f"PCA ({nbits // 32} float{'s' * (nbits > 32)})", nbits, 0)]
    for line in images:
        pictures = bytes_of(line["pixels"], 24)
        assert len(pictures) == line["count"] <= nq
        its = wanted[line["method"]][:len(pictures)] * (255 / white)
        off = np.abs(pictures - its.clip(0, 255))
        assert off.max() <= .51, (line["method"], off.max())
        assert its.max() > 256 or line["method"] != "pca" or white == 1  # something to cut off
    codes, bytes_, floats = (c["index_bytes"] for c in lines(out, "cell"))
    assert floats - codes == n * 24 * 4 and bytes_ - codes == (n + 8) * 24, (codes, floats, bytes_)


check(120, 23, 50)
check_pictures(150, 12, 255, 64)
check_pictures(90, 5, 1, 32)
check(7, 3, 50)
check(60, 5, 60)
