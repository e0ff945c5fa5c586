#!/usr/bin/env python3
"""test_tune.py LBH: `lbh tune` on made-up sets whose right answer is known: what it measures against `lbh train`, `build`
and `search`, what it chooses, that a run which was killed goes on and ends as one that was not, what it writes, and that
every wrong argument is one clear line. Needs nothing but Python; NumPy's and FAISS's files are read by `lbh` itself."""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

lbh = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"
base = ("--base", "synthetic:n=1500,d=16,queries=60,clusters=10")
quick = ("--threads", 1, "--time-limit", 600)


def run(*args, code=0):
    p = subprocess.run([lbh, *map(str, args)], capture_output=True, encoding="utf-8", errors="surrogateescape")
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    assert code == 0 or p.stderr.startswith("lbh: ") and p.stderr.count("\n") == 1, p.stderr
    return p.stdout if code == 0 else p.stderr


def tune(*args, code=0):
    text = run("tune", *base, *quick, *args, "--json", code=code)
    return json.loads(text) if code == 0 else text


# Within 2 bytes a product quantizer of 16 numbers finds more than any 16 bits: FAISS's index wins, and is written.
j = tune("--bytes", 2, "--at", "10@100", "-m", "sgh,itq,pq", "--out", "a", "-o", "a.index")
best = j["recommended"]
assert best["engine"] == "faiss" and best["method"] == "pq" and best["bytes_per_item"] <= 2, best
assert j["kind"] == "FAISS index" and j["factory"] == "PQ2" and "of FAISS" in j["reason"]
assert open("a.index", "rb").read(4) == b"IxPq"
assert j["complete"] and j["failed"] == 0 and j["trials"] >= 6
front = j["front"]
assert all(r["bytes_per_item"] <= 2 for r in front)
for a in front:
    assert not any(b is not a and b["recall"] >= a["recall"] and b["queries_per_second"] >= a["queries_per_second"] and
                   b["bytes_per_item"] <= a["bytes_per_item"] for b in front)
lines = [json.loads(s) for s in open("a/bench.jsonl")]
assert max(l["recall"][0]["value"][0] for l in lines) == front[0]["recall"]

# The same command again measures nothing, and says the same, whatever there was to time.
again = tune("--bytes", 2, "--at", "10@100", "-m", "sgh,itq,pq", "--out", "a")
assert all(again[n] == j[n] for n in ("front", "recommended", "reason", "trials", "seconds")), (again, j)
assert len(open("a/bench.jsonl").readlines()) == len(lines)

# Recall .99 of 10@10 with 16 bits is for vectors alone; the pipeline keeps them, and finds what was measured.
j = tune("--recall", .99, "-m", "itq", "--bits", 16, "--out", "b", "-o", "b.lbhp")
best = j["recommended"]
assert best["rescore"].split(":")[0] in ("float", "sq8") and best["recall"] >= .99 and best["bytes_per_item"] >= 18, best
assert j["kind"] == "pipeline" and j["factory"].endswith((",RFlat", ",RSQ8")) and j["factory"].startswith("itq16")
# (bytes a number are measured as they are written: the recall below is that of the pipeline)
assert all(b["recall"] < .99 or b["queries_per_second"] <= best["queries_per_second"] / .9 for b in j["front"])
query = base[1] + ",part=query"
found = json.loads(run("search", "--pipeline", "b.lbhp", "--query", query, "--json"))["ids"]
run("train", "-m", "itq", "-b", 16, *base, "--set", "held_out=0", "-o", "i.lbh")
run("build", "--model", "i.lbh", *base, "-o", "i.faiss")
by_vectors = ("search", "--model", "i.lbh", "--index", "i.faiss", "--query", query, "--base", base[1], "--json",
              "--rescore", "float")
exact = json.loads(run(*by_vectors, "--k-factor", 150))["ids"]
if best["index"] == "BFlat":
    recall = sum(len(set(a) & set(b)) for a, b in zip(found, exact)) / 600
    assert abs(recall - best["recall"]) < 1e-6, (recall, best)
# ... and Hamming distance as `lbh build` and `lbh search` have it
a = json.loads(run("search", "--model", "i.lbh", "--index", "i.faiss", "--query", query, "--json"))
b = json.loads(run("search", "--pipeline", "b.lbhp", "--query", query, "--json", "--set", "rescore=none"))
if best["index"] == "BFlat" and not best["options"]:
    assert a["ids"] == b["ids"] and a["distances"] == b["distances"]

# FAISS's lists and graph take part where speed counts, with their own parameters, which are written with the index.
j = tune("--recall", .9, "--bits", 64, "-m", "ivfpq,hnsw", "--out", "g", "-o", "g.index")
best = j["recommended"]
assert best["engine"] == "faiss" and best["recall"] >= .9 and best["search"] in j["parameters"], j
assert open("g.index", "rb").read(4) in (b"IHNf", b"IwPQ", b"IxRF"), j
assert {r["method"] for r in j["front"]} == {"ivfpq", "hnsw"}, j["front"]
# A bound on memory leaves vectors out.
j = tune("--memory", 1500 * 8 / 1e6, "-m", "itq,flat", "--out", "b")
assert j["recommended"]["method"] == "itq" and j["recommended"]["bytes_per_item"] <= 8
assert not any(r["rescore"].startswith("float") for r in j["front"])
# A bound on time that nothing keeps is said.
assert "keeps the bounds" in tune("--query-us", 1e-3, "-m", "itq", "--bits", 16, "--out", "b", code=1)
# Ranked by the decoder: the pipeline ranks all codes.
j = tune("--bytes", 4, "--bits", 32, "--at", "10@100", "-m", "sgh-decoder", "--out", "c", "-o", "c.lbhp")
assert j["recommended"]["rescore"] == "decoder:all" and "rescore=decoder" in j["parameters"], j
ids = json.loads(run("search", "--pipeline", "c.lbhp", "--query", query, "--json", "-k", 100))["ids"]
near = json.loads(run(*by_vectors, "--k-factor", 150))["ids"]
recall = sum(len(set(a) & set(b)) for a, b in zip(ids, near)) / 600
assert abs(recall - j["recommended"]["recall"]) < 1e-6, (recall, j["recommended"])

# Rows that are held out, and a sample: the models are of the rest, what is written holds all rows.
run("encode", "--model", "i.lbh", "--input", base[1], "-o", "codes.u8bin")
j = json.loads(run("tune", "--base", "codes.u8bin", "--bytes", 2, "--bits", 16, "-m", "itq", *quick, "--out", "d",
                   "--queries", 50, "--sample", 1000, "-o", "d.lbhp", "--json", "--metric", "l2"))
assert j["n"] == 1500 and j["searched"] == 950 and j["query"] == "split:50", j

# Killed at any moment, it goes on and ends as one that was not.
args = [lbh, "tune", *base, *map(str, quick), "--bytes", "4", "--bits", "32,16", "--at", "10@100", "-m", "sgh,itq,pq,sq",
        "--json", "--out"]
whole = json.loads(subprocess.run([*args, "whole"], capture_output=True, check=True).stdout)
for i, wait in enumerate((.3, 1, 2)):
    p = subprocess.Popen([*args, "killed"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(wait)
    p.send_signal(signal.SIGKILL if i != 1 else signal.SIGINT)
    assert p.wait() in (-9, 130, 0), p.returncode
killed = json.loads(subprocess.run([*args, "killed"], capture_output=True, check=True).stdout)
# (of ways of one recall and size, the clock decides)
assert all(killed["recommended"][n] == whole["recommended"][n] for n in ("recall", "bytes_per_item"))
assert (killed["trials"], killed["ways"]) == (whole["trials"], whole["ways"])


def recalls(dir):
    return sorted((l["method"], l["options"], l["nbits"], l["rescore"], l["recall"][0]["value"][0])
                  for l in map(json.loads, open(dir + "/bench.jsonl")) if l.get("type") == "cell")


assert recalls("killed") == recalls("whole")

# A budget of a second: the first trial is measured, and it says that the time was up.
j = json.loads(run("tune", *base, "--threads", 1, "--time-limit", 1, "--bytes", 4, "--out", "e", "--json"))
assert not j["complete"] and j["ways"] >= 1 and j["trials"] <= 3, j
again = json.loads(run("tune", *base, "--threads", 1, "--time-limit", 1e6, "--bytes", 4, "-m", "sq,pq", "--out", "e", "--json"))
assert again["complete"]  # nothing that there was no time for is called tried
text = run("tune", *base, "--threads", 1, "--time-limit", 1, "--bytes", 4, "--out", "e")
assert "the time was up" in text and "| way " in text and " *" in text and "\nTake " in text

# The time goes on while the ways of one trial are measured, here hundreds: those that it does not suffice for are left,
# no failure, measured when there is more, and not looked for again when there is not.
sweep = ("--base", "synthetic:n=4000,d=16,queries=400,clusters=10", "--threads", 1, "--recall", .99, "-m", "itq", "--bits", 32)
j = json.loads(run("tune", *sweep, "--time-limit", 2, "--out", "s", "--json"))
lines = len(open("s/bench.jsonl").readlines())
assert not j["complete"] and j["failed"] == 0 and 1 <= j["ways"] < 150, j
again = json.loads(run("tune", *sweep, "--time-limit", 2, "--out", "s", "--json"))
assert again == {**j, **{n: again[n] for n in ("command",)}} and len(open("s/bench.jsonl").readlines()) == lines, (again, j)
more = json.loads(run("tune", *sweep, "--time-limit", 4, "--out", "s", "--json"))
assert more["ways"] > j["ways"] and more["seconds"] > j["seconds"], more

# One clear line for each wrong word.
for args, code, words in (
        ((), 2, "say what is wanted"), (("--recall", .9, "--memory", 1), 2, "one of --recall"),
        (("--recall", 1.5), 2, "--recall"), (("--bytes", 1, "--at", "10"), 2, "no K@N"),
        (("--bytes", 1, "--at", "10@5"), 2, "no K@N"), (("--bytes", 1, "-m", "nonsense"), 2, "none of sgh"),
        (("--bytes", 1, "-b", "12"), 2, "whole number of bytes"), (("--bytes", .1), 2, "nothing fits"),
        (("--bytes", 1, "--query-ids", "x.ivecs"), 2, "goes with --query"),
        (("--bytes", 8, "-o", "no/such/place"), 1, "no/such/place"),
        (("--bytes", 8, "--query", "none.fvecs"), 1, "none.fvecs"),
        (("--bytes", 8, "--query", "codes.u8bin"), 1, "dimension")):
    text = tune(*args, "--out", "f", code=code)
    assert words in text, (args, text)
assert not os.path.exists("f")
assert "once only" in run("tune", "--base", "-", "--bytes", 8, code=2)
assert "--pipeline" in run("search", "--query", query, code=2)
assert "no other" in run("search", "--query", query, "--pipeline", "b.lbhp", "--index", "i.faiss", code=2)
assert "dimension" in run("search", "--query", "codes.u8bin", "--pipeline", "b.lbhp", code=1)
assert not glob.glob("*.??????"), glob.glob("*")
