#!/usr/bin/env python3
"""test_figures.py LBH: figures that mean what they say: times of a search, the words won, lost and
close of a report. Needs nothing but Python."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

lbh = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"


def run(*args):
    began = time.monotonic()
    done = subprocess.run([lbh, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, (args, done.returncode, done.stderr)
    return time.monotonic() - began


# search_s is the middle one of the repeats: half of them take that long at least, so that all of
# them together, which the command has taken, take more than half their number times it. (Their sum
# in its place would be hundreds of times as long.)
with open("times.ini", "w") as f:
    f.write("""[bench]
k = 10
at = 10
nbits = 64
repeats = 400
map_queries = 1
[data made]
base = synthetic:n=20000,d=16,queries=500,clusters=20
[method lsh]
""")
took = run("bench", "-q", "times.ini", "--out", "times", "--threads", 1)
line = next(json.loads(text) for text in open("times/bench.jsonl"))
assert line["repeats"] > 20, line["repeats"]
assert line["search_s"] * line["repeats"] / 2 < took, (line["search_s"], line["repeats"], took)
assert abs(line["qps"] * line["search_s"] / 500 - 1) < 1e-3, line
# A query by itself takes as long as all together, at the least shared among them.
latency = line["latency_ms"]
assert line["search_s"] / 500 * 1e3 < 50 * latency["p50"], line
assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"], latency


# ---- A report: ranges over the seeds that overlap are too close to call ----------------------------

def cell(data, method, family, seed, value):
    return {"format": "lbh-bench 1", "type": "cell", "key": f"{data}{method}{seed}", "status": "ok",
            "preset": "", "data": data, "n": 1000, "d": 8, "nq": 100, "metric": "l2",
            "method": method, "label": method, "family": family, "nbits": 64, "options": "",
            "seed": seed, "index": "BFlat", "search": "", "rescore": "hamming", "cpu": "Some CPU",
            "isa": "avx2", "threads": 1, "library": "0.1.0", "faiss": "1.7.3", "git": "abc",
            "date": "2026-01-01T00:00:00Z", "command": "lbh bench", "train_s": 1, "encode_s": 1,
            "build_s": 1, "code_bytes": 8, "search_s": 1, "qps": 100, "answers": 10,
            "index_bytes": 8000, "peak_mb": 10, "map": value, "map_k": 100}


CASES = {  # data: values of the learned method, of the other, and what it is
    "apart": ((.5, .6, .7), (.2, .3, .4), "won"),
    "below": ((.2, .3, .4), (.5, .6, .7), "lost"),
    "within": ((.5, .62, .7), (.55, .6, .65), "close"),
    "touching": ((.5, .6, .7), (.7, .8, .9), "close"),
    "even": ((1.5, 1.9, 1.91, 1.92), (.3, .31, .34, .89), "won"),
}
for data, (ours, others, what) in CASES.items():
    os.mkdir(data)
    with open(data + "/bench.jsonl", "w") as f:
        for method, family, values in (("sgh", "learned", ours), ("itq", "classic", others)):
            for seed, value in enumerate(values):
                f.write(json.dumps(cell(data, method, family, seed, value)) + "\n")
    run("report", data, "-o", data + ".html")
    html = open(data + ".html", encoding="utf-8").read()
    tally = re.search(r'<ul class="tally">(.*?)</ul>', html, re.S).group(1)
    counts = dict(zip(("won", "lost", "close"), re.findall(r">(\d+)</b>", tally)))
    assert counts[what] != "0" and sum(map(int, counts.values())) == int(counts[what]), (data, tally)
    if data == "even":  # 1.905 - .325, the means of the middle two
        assert "+1.58" in html, re.findall(r'class="won">[^<]*', html)
print("passed")
