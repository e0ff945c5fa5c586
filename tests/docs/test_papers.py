"""test_papers.py SOURCE LBH: docs/papers.md is what scripts/papers.py makes; every preset of the papers stands in it, and every command
in it exists; medians of results are those taken by hand. Needs nothing but Python."""
import json
import os
import re
import subprocess
import sys
import tempfile

source, lbh = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
program = f"{source}/scripts/papers.py"


def papers(*args):
    p = subprocess.run([sys.executable, program, "--lbh", lbh, "-o", "page.md", *args], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return open("page.md", encoding="utf-8").read()


page = open(f"{source}/docs/papers.md", encoding="utf-8").read()
assert papers() == page, "docs/papers.md is not what scripts/papers.py makes now: run it"
presets = subprocess.run([lbh, "bench", "--list-presets"], capture_output=True, text=True, check=True).stdout
presets = {line.split()[0] for line in presets.splitlines() if line.startswith(("sgh-", "jmlh-", "sigah-"))}
named = set(re.findall(r"`lbh bench --preset ([\w-]+)`", page))
assert named == presets, named ^ presets
assert "## Other presets" not in page, "scripts/papers/items.ini does not say which item a preset is"
for name in set(re.findall(r"`scripts/get_data\.sh --layout ([\w-]+)`", page)):
    subprocess.run([f"{source}/scripts/get_data.sh", "--layout", name], check=True, stdout=subprocess.DEVNULL)
for path in re.findall(r"`(scripts/[\w./-]+)", page):
    assert os.path.exists(f"{source}/{path}"), path
# Every number that a preset says is published stands in the page, and every set is measured or needed.
for preset in named:
    text = subprocess.run([lbh, "bench", "--print-preset", preset], capture_output=True, text=True, check=True).stdout
    rows = set(re.findall(r"^label = (.*)$", text, re.M))
    for part in re.findall(r"^\[published.*?(?=^\[|\Z)", text, re.M | re.S):
        for data, row, values in re.findall(r"^([\w-]+) (.+?) = ([-.\d ]+)$", part, re.M):
            if row in rows:
                assert f"| {data}: {row} | {' / '.join(values.split())} |" in page, (preset, data, row)

# Medians over seeds, by hand.
os.mkdir("results")
with open("results/bench.jsonl", "w", encoding="utf-8") as file:
    for seed, m in (1, .5), (2, .1), (3, .4), (4, .9):
        cell = {"type": "cell", "preset": "sigah-table2", "status": "ok" if seed < 4 else "failed", "data": "mnist", "label": "ITQ", "nbits": 32,
                "seed": seed, "index": "BFlat", "rescore": "hamming", "metric": "l2", "map": m, "library": "1", "git": "g",
                "date": "2026-01-01T", "cpu": "c", "precision": {"at": [1, 100], "value": [0, m / 2]},
                "recall": [{"k": 10, "at": [10, 100], "value": [0, m / 4]}]}
        file.write(json.dumps(cell) + "\n")
with open("ours.tsv", "w", encoding="utf-8") as file:
    file.write(open(f"{source}/scripts/papers/ours.tsv", encoding="utf-8").readline())
page = papers("--ours", "ours.tsv", "--add", "results")
assert "| mnist: ITQ | .4223 / .4681 | .4000 / - |" in page and "| mnist: ITQ | .8255 / .9267 | .2000 / - |" in page
lines = [line.rstrip("\n").split("\t") for line in open("ours.tsv", encoding="utf-8")]
assert page.count(".4000 / -") == 1, "measured by another protocol"
assert ["sigah-table2", "mnist", "ITQ", "32", "recall10@100", "0.1", "0.025", "0.125", "3", "lbh 1 (g), 2026-01-01, c"] in lines, lines
print("ok")
