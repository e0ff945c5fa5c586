#!/usr/bin/env python3
"""test_scale.py LBH: `lbh scale` against the same work in single commands, from outside. Needs nothing but
Python. What happens after kill -9: tests/faults/kill_scale.sh."""
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

lbh = os.path.abspath(sys.argv[1])
kept = tempfile.TemporaryDirectory(prefix="lbh-test-")
os.chdir(kept.name)
os.environ["OMP_WAIT_POLICY"] = "passive"
BASE = "synthetic:n=30000,d=20,clusters=40,queries=300"


def run(*args, code=0):
    done = subprocess.run([lbh, *args], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"{' '.join(args)}: exit code {done.returncode}, not {code}\n{done.stderr}")
    return done.stdout if code == 0 else done.stderr


def scale(out, *args, base=BASE, code=0):
    text = run("scale", "--base", base, "-o", out, "--json", *args, code=code)
    return json.loads(text) if code == 0 else text


def check(truth, what):
    if not truth:
        sys.exit(what)


def same(a, b):
    with open(a, "rb") as x, open(b, "rb") as y:
        check(x.read() == y.read(), f"{a} and {b} differ")


MODEL = ("-m", "itq", "--train-rows", "5000")

# One piece, by other commands: codes and answers are the same.
flat = scale("flat", *MODEL, "--shard-rows", "7000")
run("encode", "--model", "flat/model.lbh", "-i", BASE, "-o", "codes.npy")
same("flat/codes.npy", "codes.npy")
run("build", "--model", "flat/model.lbh", "--base", BASE, "--index", "BFlat", "-o", "flat.faiss")
run("search", "--model", "flat/model.lbh", "--index", "flat.faiss", "--query", BASE + ",part=query",
    "-o", "ids.npy", "--distances", "distances.npy")
same("flat/ids.npy", "ids.npy")
same("flat/distances.npy", "distances.npy")
check(flat["encode_shards"] == 5 and flat["scan_queries"] == 300, flat)

# All lists, and MIH: exact as well.
given = ("--model", "flat/model.lbh")
lists = scale("lists", *given, "--index", "BIVF50", "--nprobe", "50", "--shard-rows", "11000")
same("lists/ids.npy", "ids.npy")
check(lists["recall"] == 1 and lists["recall_of_ids"] == 1, lists)
mih = scale("mih", *given, "--index", "MIH")
same("mih/ids.npy", "ids.npy")
check(mih["recall_of_ids"] == 1, mih)

# Few lists: as the index searched by itself, in a file that other commands read.
few = scale("lists", *given, "--index", "BIVF50", "--nprobe", "2", "-k", "5", "--check", "100")
check(few["encode_shards"] == 3 and .3 < few["recall"] < 1, few)
run("search", "--model", "flat/model.lbh", "--index", "lists/index.faiss", "--query", BASE + ",part=query",
    "--set", "nprobe=2", "-k", "5", "-o", "few.npy")
same("lists/ids.npy", "few.npy")
# Other sizes of shards give the same bytes.
scale("other", *given, "--index", "BIVF50", "--nprobe", "2", "--shard-rows", "1000")
same("lists/codes.npy", "other/codes.npy")
same("lists/index.faiss", "other/index.faiss")
# As FAISS builds it of the same lists: the searches of IVF in one piece.
check(struct.unpack_from("<q", open("lists/index.faiss", "rb").read(), 12)[0] == 30000, "ntotal")

# The model says how long codes are.
run("train", "-m", "lsh", "-b", "128", "--base", BASE, "-o", "long.lbh", "-q")
wide = scale("wide", "--model", "long.lbh", "--index", "BIVF20", "--nprobe", "20")
check(wide["recall_of_ids"] == 1 and os.path.getsize("wide/codes.npy") == 128 + 16 * 30000, wide)

# A plan writes nothing.
plan = json.loads(run("scale", "--base", "synthetic:n=1000000000,d=32,queries=10", "--index", "BIVF4096",
                      "--plan", "-o", "plan", "--json"))
check(plan["disk_codes"] == 8e9 and plan["disk_index"] == 16e9 and plan["rows"] == 1e9, plan)
check(plan["memory_encode"] < 1e8 and plan["encode_seconds"] > 0 and not os.path.exists("plan"), plan)
text = scale("plan", "--index", "MIH", base="synthetic:n=1000000000000,d=8", code=1)
check("MIH holds fewer" in text, text)

# What is refused, in one line.
for arguments, part in (
        (("--index", "BHNSW16"), "'lbh build' makes the others"),
        (("--index", "BIVF40000"), "more lists than there are rows"),
        (("--index", "BIVF"), "BIVF")):
    text = scale("none", *MODEL, *arguments, code=2)
    check(part in text and text.count("\n") == 1 and not os.path.exists("none"), text)
text = scale("flat", "-m", "lsh", "--train-rows", "5000", code=1)
check("another run" in text and "itq" in text and "lsh" in text and text.count("\n") == 1, text)

# Ctrl-C keeps the blocks that are done, and the same command goes on.
LONG = "synthetic:n=1500000,d=32,queries=50"


def interrupted(out, signum):
    command = ["env", "--default-signal=INT", lbh, "scale", "--base", LONG, "-m", "lsh", "--train-rows", "2000",
               "--index", "BIVF16", "--check", "20", "-o", out, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(1000):
            time.sleep(.02)
            parts = os.path.join(out, "codes.npy.part")
            if os.path.exists(parts) and os.path.getsize(parts) > 1000000:
                break
        process.send_signal(signum)
        _, text = process.communicate()
    check(process.returncode == 130, f"exit code {process.returncode}: {text}")
    found = re.search(r"interrupted; (\d+) of 1500000 rows are encoded", text)
    check(found and text.count("\n") == 1 and 0 < int(found[1]) < 1500000, text)
    return command[2:]


command = interrupted("long", signal.SIGINT)
done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
check(done["encode_shards"] == 2, done)
check(done["encode_peak_bytes"] < 250e6, f"encoding took {done['encode_peak_bytes'] / 1e6:.0f} MB of memory")

# Two at a time are refused.
with subprocess.Popen([lbh, "scale", "--base", LONG, "-m", "lsh", "-o", "two", "-q"], stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE) as first:
    while not os.path.exists("two/codes.npy.part") and first.poll() is None:
        time.sleep(.02)
    text = run("scale", "--base", LONG, "-m", "lsh", "-o", "two", code=1)
    check("another process" in text, text)
    first.kill()

# Ten million rows, by the path of a thousand million.
many = scale("many", "-m", "lsh", "--train-rows", "5000", "--index", "BIVF256", "--nprobe", "8", "--shard-rows", "2000000",
             "--check", "100", base="synthetic:n=10000000,d=6,clusters=200,queries=1000")
check(many["encode_shards"] == 5 and many["recall"] > .9, many)
check(os.path.getsize("many/codes.npy") == 128 + 8e7 and os.path.getsize("many/index.faiss") > 16e7, many)
check(many["encode_peak_bytes"] < 250e6, f"encoding took {many['encode_peak_bytes'] / 1e6:.0f} MB of memory")
