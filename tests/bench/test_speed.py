#!/usr/bin/env python3
"""test_speed.py SPEED VENV BUILD: scripts/speed.py on small sets: that both sides ran and found the
same distances, and what it prints; never how fast. Exit code 77 where it cannot install faiss-cpu."""
import json
import subprocess
import sys

program, environment, build = sys.argv[1:4]


def call(*arguments):
    return subprocess.run([sys.executable, program, "--venv", environment, "--build", build,
                           "--rounds", "1", *arguments], capture_output=True, text=True)


done = call("--json", "--threads", "1,2", "64,2000,3,10", "104,1500,1,2000")
if done.returncode == 77:
    print(done.stderr)
    sys.exit(77)
assert done.returncode == 0, done.stderr
report = json.loads(done.stdout)
assert report["pages"] == "ordinary" and report["machine"]
assert [(r["bits"], r["k"], r["threads"]) for r in report["rows"]] == [
    (64, 10, 1), (64, 10, 2), (104, 2000, 1), (104, 2000, 2)]
for row in report["rows"]:
    assert min(row["ours"], row["faiss"], row["limit"]) > 0
    assert abs(row["ratio"] - row["faiss"] / row["ours"]) < 1e-9 and "FAISS" in row["build"]

done = call("--pages", "huge", "--threads", "1", "64,400000,1,10")
assert done.returncode == 0, done.stderr
assert "huge pages" in done.stdout and done.stdout.count("\n|") == 3, done.stdout

done = call("--json", "--threads", "1", "--index", "BIVF16", "--set", "nprobe=16", "64,3000,5,3")
assert done.returncode == 0, done.stderr
assert min(json.loads(done.stdout)["rows"][0][side] for side in ("ours", "faiss")) > 0

assert call("64,2000").returncode == 1
