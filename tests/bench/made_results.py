"""made_results.py: directories of results that look like those of `lbh bench`, made from formulas.

    made_results.py DIR      writes DIR/bench.jsonl, DIR/rivals.jsonl and DIR/spec.ini

Numbers are arbitrary but repeatable, and shaped like real ones: more bits are better, some methods
are better than others and the order depends on the data set, seeds differ a little.
"""
import base64
import json
import math
import os
import sys
import zlib

FORMAT = "lbh-bench 1"
AT = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
# label, name, family, quality on mnist, on word2vec, seconds of training, has a decoder
METHODS = [
    ("SGH", "sgh", "learned", .92, .85, 30, True), ("SiGAH", "sigah", "learned", .95, .70, 60, True),
    ("JMLH", "jmlh", "learned", .80, .66, 90, False), ("ITQ", "itq", "classic", .84, .72, 4, True),
    ("LSH", "lsh", "classic", .55, .50, .02, False), ("PCAH", "pcah", "classic", .60, .42, .8, True),
    ("FAISS LSH", "faiss-lsh", "rival", .55, .50, .03, False),
    ("PQ", "pq", "rival", .86, .93, 3, False), ("OPQ", "opq", "rival", .9, .94, 20, False),
    ("RaBitQ", "rabitq", "rival", .88, .9, .1, False), ("Brute force", "flat", "ceiling", 1, 1, 0, False)]
SETS = [("mnist", 60000, 784, 10000, "l2"), ("word2vec", 61291, 200, 10000, "ip"),
        ("mnist-labels", 60000, 784, 10000, "label")]
RUN = {"cpu": "Some CPU @ 2.50GHz", "isa": "avx512", "threads": 2, "library": "0.1.0", "faiss": "1.7.3",
       "git": "abc1234", "command": "lbh bench compare.ini --out results"}


def noise(*what):
    """In [-1, 1), from the words alone."""
    return zlib.crc32(repr(what).encode()) / 2 ** 31 - 1


def recall_at(quality, nbits, n, k):
    half = 4000 * (1 - quality * .98) / nbits ** .9 + k / 3
    return round(n / (n + half) if n >= k else n / (n + half) * .9, 4)


def cell(data, method, nbits, seed, rescore, search, family=None):
    name, n, d, nq, metric = data
    label, key_name, kind, on_mnist, on_words, seconds, decoder = method
    quality = (on_words if name == "word2vec" else on_mnist) + .01 * noise(name, label, seed)
    if kind == "ceiling":
        quality = .9999
    gain = {"hamming": 0, "none": 0, "margin": .15, "decoder": .3, "float:100": .8}[rescore]
    probe = int(search.split("=")[1]) if search else 64
    reach = 1 - .5 / probe if search else 1
    better = min(quality + (1 - quality) * gain, .9999)
    j = {"format": FORMAT, "type": "cell", "status": "ok", "preset": "", "data": name, "n": n, "d": d,
         "nq": nq, "metric": metric, "method": key_name, "label": label, "family": kind,
         "nbits": nbits, "code_bytes": nbits // 8 + (8 if key_name == "rabitq" else 0),
         "options": "", "seed": seed, "index": "BIVF256" if search else "BFlat", "search": search,
         "rescore": rescore,
         "train_s": round(seconds * (1 + nbits / 64) * (1 + .1 * noise(label, seed)), 3),
         "encode_s": .2, "build_s": .1, "search_s": 1.5,
         "qps": round(2e5 / (1 + nbits / 32) / probe / (1 + 2 * gain) * (1 + .05 * noise(seed, label)), 1),
         "latency_ms": {"p50": .1, "p95": .2, "p99": .5}, "index_bytes": n * nbits // 8, "peak_mb": 512.5,
         "date": "2026-01-%02dT00:00:00Z" % (1 + seed), **RUN}
    if metric == "label":
        j["label_map"] = round(.2 + .6 * better * (1 - 4 / nbits), 4)
        j["radius2"] = {"precision": round(.1 + .6 * better * 16 / nbits, 4), "empty": .1 * nbits / 128}
        j["pr"] = [[r / 50, round(j["label_map"] * (1.2 - .9 * r / 50) / 1.2, 4)] for r in range(1, 51)]
    else:
        j["recall"] = [{"k": k, "at": AT, "value": [round(reach * recall_at(better, nbits, v, k), 4)
                                                    for v in AT]} for k in (10, 1)]
        j["map"], j["map_k"] = round(.8 * better * reach * (1 - 8 / nbits / 2), 4), 1000
    j["precision"] = {"at": [1, 10, 100, 1000], "value": [round(better * v, 4) for v in (.9, .85, .7, .5)]}
    if decoder:
        j["reconstruction"] = {"mse": 100 * (1 - better) / nbits, "relative": (1.1 - quality) * 8 / nbits ** .8}
    if kind not in ("rival", "ceiling"):
        j["codes"] = {"balance": .5 + .05 * noise(label, nbits), "correlation": .3 * (1 - quality) + .02,
                      "entropy": min(15.5, nbits * quality)}
    if key_name in ("sgh", "sigah", "jmlh"):
        j["curve"] = [[s, round(50 * math.exp(-s / 400) + 400 / nbits + noise(s, label), 3)]
                      for s in range(1, 2000, 50)]
    j["key"] = "%08x%08x" % (zlib.crc32(repr((name, label, nbits, seed)).encode()),
                             zlib.crc32(repr((rescore, search)).encode()))
    return j


def cells(bits=(16, 32, 64, 128), seeds=(1, 2, 3)):
    for data in SETS:
        for method in METHODS:
            whole = method[2] == "ceiling"
            for nbits in [32 * data[2]] if whole else bits:
                for seed in seeds[:1] if whole else seeds:
                    scorings = ["none"] if method[2] == "ceiling" else ["hamming"]
                    if data[4] != "label" and method[2] != "ceiling":
                        scorings += ["float:100"] + (["margin", "decoder"] if method[6] else [])
                    for rescore in scorings:
                        for search in ("", "nprobe=1", "nprobe=8") if data[4] != "label" else ("",):
                            yield cell(data, method, nbits, seed, rescore, search)


def images(count=10, size=28):
    def pixel(i, y, x, blur):
        ring = abs(math.hypot(y - size / 2, x - size / 2) - 3 - i % 7)
        return max(0, min(255, int(255 * math.exp(-ring / blur) + 20 * blur * noise(i, y, x, blur))))
    for nbits in (32, 64):
        for label, blur in (("original", .8), ("SGH", 1.6), ("SiGAH", 1.4), ("ITQ", 2.2), ("PCA", 3)):
            raw = bytes(pixel(i, y, x, blur) for i in range(count) for y in range(size) for x in range(size))
            yield {"format": FORMAT, "type": "images", "data": "mnist", "method": label.lower(),
                   "label": label, "nbits": nbits, "seed": 1, "height": size, "width": size, "count": count,
                   "pixels": base64.b64encode(raw).decode()}


def answers():
    """Pictures of answers, and codes of four classes for a map."""
    raw = bytes(255 * (i * 7 % 11 < 3) for i in range(22 * 28 * 28))
    yield {"format": FORMAT, "type": "answers", "data": "mnist", "method": "jmlh", "label": "JMLH", "nbits": 32, "seed": 1,
           "right": [1, 1, 0, 1, 1, 1, 1, 1, 1, 1] + [0] * 10, "height": 28, "width": 28, "count": 22,
           "pixels": base64.b64encode(raw).decode()}
    labels = [i % 4 for i in range(60)]
    codes = bytes(b for i in range(60) for b in (0x11 * labels[i], 255 * (labels[i] & 1), i % 3))
    yield {"format": FORMAT, "type": "codes", "data": "mnist", "method": "jmlh", "label": "JMLH", "nbits": 24, "seed": 1,
           "labels": labels, "count": 60, "code_bytes": 3, "codes": base64.b64encode(codes).decode()}


def failures():
    for status, error in (("failed", "jmlh: the loss is not finite after step 12 (try a smaller rate)"),
                          ("timeout", "more than 600 s"), ("memory", "more than 8192 MB")):
        j = cell(SETS[0], METHODS[2], 256, 1, "hamming", "")
        j = {k: j[k] for k in ("format", "type", "data", "n", "d", "nq", "metric", "method", "label",
                               "family", "nbits", "seed", "index", "search", "rescore", "date", "command")}
        yield dict(j, status=status, error=error, key=status)


SPEC = """[bench]
nbits = 16 32 64 128
[data mnist]
base = mnist
[method sgh]
label = SGH
[published]
source = made up for a test, figure 1
nbits = 16 32 64
what = recall10@100
mnist SGH = .31 .52 .77
mnist Others = .11 - .33
"""


def write(folder, **sizes):
    os.makedirs(folder, exist_ok=True)
    ours = open(os.path.join(folder, "bench.jsonl"), "w", encoding="utf-8")
    rivals = open(os.path.join(folder, "rivals.jsonl"), "w", encoding="utf-8")
    with ours, rivals:
        for j in cells(**sizes):
            (rivals if j["method"] == "rabitq" else ours).write(json.dumps(j) + "\n")
        for j in list(images()) + list(answers()) + list(failures()):
            ours.write(json.dumps(j) + "\n")
    with open(os.path.join(folder, "spec.ini"), "w", encoding="utf-8") as spec:
        spec.write(SPEC)


if __name__ == "__main__":
    write(sys.argv[1])
