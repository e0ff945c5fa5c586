#!/usr/bin/env python3
"""test_rescore.py LBH: --rescore of eval and search, from outside. Needs nothing but Python."""
import json
import os
import struct
import subprocess
import sys
import tempfile

lbh = os.path.abspath(sys.argv[1])
kept = tempfile.TemporaryDirectory(prefix="lbh-test-")
work = kept.name
os.environ["OMP_WAIT_POLICY"] = "passive"
BASE = "synthetic:n=4000,d=32,queries=50,clusters=20"


def run(*args, code=0):
    done = subprocess.run([lbh, *args], cwd=work, capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"{' '.join(args)}: exit code {done.returncode}, not {code}\n{done.stderr}")
    return done.stdout if code == 0 else done.stderr


def read_fvecs(name):
    data = open(os.path.join(work, name), "rb").read()
    (d,) = struct.unpack_from("<i", data)
    return [struct.unpack_from(f"<{d}f", data, row + 4) for row in range(0, len(data), 4 * d + 4)]


def check(truth, what):
    if not truth:
        sys.exit(what)


run("train", "-m", "itq", "-b", "32", "--base", BASE, "-o", "m.lbh", "-q")
run("train", "-m", "lsh", "-b", "32", "--base", BASE, "-o", "lsh.lbh", "-q")

# eval: one object a ranking; each knows more than the one before
doc = json.loads(run("eval", "--model", "m.lbh", "--base", BASE, "--rescore", "all", "--json"))
recall = {name: doc["rescore"][name]["10@10"] for name in ("hamming", "margin", "decoder", "float")}
check(recall["hamming"] < recall["margin"] < recall["float"], f"margin: {recall}")
check(recall["hamming"] < recall["decoder"] < recall["float"], f"decoder: {recall}")
check(abs(recall["hamming"] - doc["recall"]["10@10"]) < 1e-12, "the plain row is not the index's")
table = run("eval", "--model", "m.lbh", "--base", BASE, "--rescore", "margin", "-q")
check("| hamming |" in table and "| margin " in table and "| decoder" not in table, table)
doc = json.loads(run("eval", "--model", "lsh.lbh", "--base", BASE, "--rescore", "all", "--json"))
check("decoder" not in doc["rescore"], "lsh has no decoder")
all_rows = json.loads(run("eval", "--model", "m.lbh", "--base", BASE, "--rescore", "float",
                          "--k-factor", "400", "--json"))["rescore"]["float"]
check(all_rows["10@10"] == 1, f"with all rows as candidates: {all_rows}")

# search: floats of all candidates are the exact answers; scores go to --distances as floats
run("build", "--model", "m.lbh", "--base", BASE, "--index", "BIVF16", "-o", "i.faiss", "-q")
common = ["search", "--model", "m.lbh", "--index", "i.faiss", "--query", BASE + ",part=query",
          "-k", "5", "--set", "nprobe=16"]
found = json.loads(run(*common, "--rescore", "float", "--base", BASE, "--k-factor", "800", "--json",
                       "--distances", "d.fvecs"))
scores = read_fvecs("d.fvecs")
exact = json.loads(run("eval", "--model", "m.lbh", "--base", BASE, "--json"))
check(exact["n"] == 4000 and len(found["ids"]) == 50 and len(scores) == 50, "sizes")
for ids, row, printed in zip(found["ids"], scores, found["distances"]):
    check(len(set(ids)) == 5 and list(row) == sorted(row), f"{ids} {row}")
    check(all(abs(a - b) <= 1e-6 * abs(b) for a, b in zip(row, printed)), "two kinds of distances")
falling = json.loads(run(*common, "--rescore", "decoder", "--metric", "ip", "--json"))["distances"]
check(all(row == sorted(row, reverse=True) for row in falling), "inner products fall")

# a query's own row is left out
with open(os.path.join(work, "own.ivecs"), "wb") as file:
    for row in range(20):
        file.write(struct.pack("<ii", 1, row))
own = json.loads(run("search", "--model", "m.lbh", "--index", "i.faiss", "--query", BASE + "@0:20",
                     "--query-ids", "own.ivecs", "-k", "5", "--rescore", "margin", "--json"))["ids"]
check(all(len(ids) == 5 and row not in ids for row, ids in enumerate(own)), f"{own}")

# usage
for args, words in [
    ([*common, "--rescore", "float"], "--base"),
    ([*common, "--rescore", "margin", "--base", BASE], "go together"),
    ([*common, "--rescore", "margin", "--distances", "d.ivecs"], "floats"),
    (["eval", "--model", "m.lbh", "--base", BASE, "--rescore", "margin", "--score", "decoder"],
     "--score hamming"),
    ([*common, "--k-factor", "0"], "k-factor"),
]:
    said = run(*args, code=2)
    check(words in said, f"{args}: {said}")
said = run("search", "--model", "lsh.lbh", "--index", "i.faiss", "--query", BASE + ",part=query",
           "--rescore", "decoder", code=1)
check("no decoder" in said, said)
