#!/usr/bin/env python3
"""test_curve.py LBH: the reconstruction error against samples seen: numbers against `lbh train` and
`lbh eval`, the figure as XML. Needs nothing but Python."""
import json, math, os, re, subprocess, sys, tempfile
import xml.etree.ElementTree as xml

lbh = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"
SVG = "{http://www.w3.org/2000/svg}"
base = ("--base", "synthetic:n=1200,d=16,clusters=10")


def run(*args, code=0):
    p = subprocess.run([lbh, *map(str, args)], capture_output=True, encoding="utf-8",
                       errors="surrogateescape")
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    assert code == 0 or p.stderr.startswith("lbh: ") and p.stderr.count("\n") == 1, p.stderr
    return p.stdout if code == 0 else p.stderr


def document(*args):
    return json.loads(run(*args, "--json"))


random_start = "sgh:init=random:refit=0:rebuild=linear:batch=50"
j = document("curve", *base, "--methods", random_start + ",itq", "--bits", "4,12", "--points", 4,
             "--samples", 60000, "--seed", 3, "-o", "f.svg")
rows = j["rows"]
assert j["figure"] == "f.svg" and j["n"] == j["measured_rows"] == 1200 and j["d"] == 16
assert [(r["method"], r["nbits"]) for r in rows] == [
    (m, b) for m in (random_start, "itq") for b in (4, 12) for _ in range(4)]
assert [r["steps"] for r in rows[:4]] == [1, 11, 113, 1200], rows[:4]
assert [r["samples"] for r in rows[:4]] == [50 * r["steps"] for r in rows[:4]]
assert rows[3]["samples"] == 60000
assert [r["steps"] for r in rows[8:12]] == [0, 1, 7, 50], rows[8:12]
assert [r["samples"] for r in rows[8:12]] == [1200 * s for s in (0, 1, 7, 50)]

# the error falls with training and with bits
for i in range(0, 16, 4):
    e = [r["rebuild_error"] for r in rows[i:i + 4]]
    assert all(b < 1.01 * a for a, b in zip(e, e[1:])) and e[3] < 0.99 * e[0], e
    assert all(0 < r["variance_left"] < 5 for r in rows[i:i + 4])
assert rows[7]["rebuild_error"] < 0.9 * rows[3]["rebuild_error"]
assert rows[15]["rebuild_error"] < 0.9 * rows[11]["rebuild_error"]

# a point is what training and evaluation say
for r, options in ((rows[5], random_start[4:].replace(":", ",")), (rows[14], "")):
    method, name = r["method"].split(":")[0], "steps" if r["method"] != "itq" else "iterations"
    sets = ("--set", options) if options else ()
    run("train", "-m", method, "-b", 12, *base, *sets, "--set", "%s=%d" % (name, r["steps"]),
        "--set", "held_out=0", "--seed", 3, "-o", "m.lbh")
    e = document("eval", "--model", "m.lbh", *base)
    assert math.isclose(e["rebuild_error"], r["rebuild_error"], rel_tol=1e-5), (e, r)
    assert math.isclose(e["variance_left"], r["variance_left"], rel_tol=1e-5), (e, r)

# the figure: lines and markers for all points, inside the page, the legend, nothing from outside
text = open("f.svg", encoding="utf-8").read()
root = xml.fromstring(text)
assert root.tag == SVG + "svg"
def lines_of(root):
    return [[tuple(map(float, p)) for p in re.findall(r"[ML] (\S+) (\S+)", line.get("d"))]
            for g in root.iter(SVG + "g") if g.get("class", "").startswith("series")
            for line in g.iter(SVG + "path") if line.get("class") == "line"]


lines = lines_of(root)
assert len(lines) == 4
width, height = map(float, root.get("viewBox").split()[2:])
for points, first in zip(lines, range(0, 16, 4)):
    assert len(points) == 4
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    # y is linear in the error and 0 is at the bottom: equal ratios for all points of all lines
    e = [r["rebuild_error"] for r in rows[first:first + 4]]
    slope = (points[3][1] - points[0][1]) / (e[3] - e[0])
    assert all(abs(points[0][1] + slope * (v - e[0]) - y) < 0.2 for v, (_, y) in zip(e, points))
labels = [t.text for t in root.iter(SVG + "text")]
assert random_start in labels and "itq" in labels
assert labels.count("4 bits") == labels.count("12 bits") == 2
tips = [t.text for t in root.iter(SVG + "title")]
assert sum(" bits: " in t for t in tips) == 16
assert "prefers-color-scheme:dark" in text
assert not re.search(r"href|url\(|<script|@import|<image", text)

# names go into XML safely
os.makedirs("a&b")
run("train", "-m", "lsh", "-b", 4, *base, "-o", "m.lbh")
strange = ("a&b/<x>\"'\u00e9.bvecs", os.fsdecode(b"\xff\x01.bvecs"))
for name in strange:
    run("encode", "--model", "m.lbh", "-i", base[1], "-o", name)
    run("curve", "--base", name, "--methods", "itq", "--bits", 1, "--points", 2, "--samples", 5000,
        "-o", "g.svg")
    assert len(lines_of(xml.parse("g.svg").getroot())) == 1
assert [t.text for t in xml.parse("g.svg").getroot().iter(SVG + "text")][1].startswith("??.bvecs, ")

# --scale is a factor on the vectors, so its square is one on the error
small = ("curve", *base, "--methods", "itq", "--bits", 8, "--points", 3, "--samples", 12000)
plain, scaled = (document(*small, "--scale", f)["rows"] for f in (1, 0.25))
for a, b in zip(plain, scaled):
    assert math.isclose(a["rebuild_error"] / 16, b["rebuild_error"], rel_tol=1e-4), (a, b)

# the table has the same numbers
cells = [[c.strip() for c in line.split("|")[1:-1]] for line in run(*small).splitlines()
         if line.startswith("| itq")]
assert [[float(c) for c in r[1:4]] for r in cells] == [
    [r["nbits"], r["steps"], r["samples"]] for r in plain]
assert all(math.isclose(float(c[4]), r["rebuild_error"], rel_tol=1e-4)
           for c, r in zip(cells, plain))

# what it refuses, before any work and without a file
for args, word, code in (
        (("--methods", "lsh"), "does not learn in steps", 2),
        (("--methods", "nosuch"), "nosuch", 2),
        (("--methods", "itq,,sgh"), "empty name", 2),
        (("--methods", "jmlh"), "labels", 2),
        (("--methods", "sgh:score=decoder"), "score", 2),
        (("--methods", "sgh:time_limit=1"), "time_limit", 2),
        (("--methods", "sgh:nonsense=1"), "nonsense", 2),
        (("--bits", "8,,16"), "--bits", 2),
        (("--bits", "0"), "--bits", 2),
        (("--points", "1"), "--points", 2),
        (("--scale", "0"), "--scale", 2),
        (("-o", "nowhere/h.svg"), "nowhere", 1)):
    assert word in run("curve", *base, "-o", "h.svg", *args, code=code), (args, word)
run("curve", "--base", "absent.fvecs", "-o", "h.svg", code=1)
assert not [f for f in os.listdir() if f.startswith("h.svg") or f.startswith(".")], os.listdir()
