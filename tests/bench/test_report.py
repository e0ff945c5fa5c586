"""test_report.py LBH: `lbh report` on made-up results: the page and each figure are well-formed and
need nothing from outside, the numbers are those of the lines, hostile text stays text, and what is
missing or damaged gives clear errors."""
import html.parser
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import made_results  # noqa: E402

LBH = os.path.abspath(sys.argv[1])
SVG = "{http://www.w3.org/2000/svg}"
FIGURES = ["fronts", "recall", "bits", "time", "pr", "precision", "training", "codes"]  # and "sweep", of names with numbers
VOID = {"meta", "br", "input", "img"}


def run(*args, code=0):
    p = subprocess.run([LBH, "report", *map(str, args)], capture_output=True, text=True, check=False)
    assert p.returncode == code, (args, p.returncode, p.stderr)
    return p.stderr


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Page(html.parser.HTMLParser):
    """Checks that elements nest, that nothing is asked for from outside, and collects tables."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tables, self.tags = [], [], [], [], []
        self.text = ""
        self.feed(text)
        assert not self.open, self.open
        assert len(set(self.ids)) == len(self.ids), "an id occurs twice"
        assert all(link[1:] in self.ids for link in self.links), "a link leads nowhere"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert tag not in ("script", "link", "iframe", "object", "base"), tag
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src"):
                assert value.startswith("#" if name == "href" else "data:image/png;base64,"), value
            if name == "href":
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        if tag == "tr":
            self.tables[-1]["rows"].append([])
        if tag in ("td", "th"):
            self.tables[-1]["rows"][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.text += data
        if "caption" in self.open:
            self.tables[-1]["caption"] += data
        elif self.open and "tr" in self.open and self.tables[-1]["rows"][-1]:
            self.tables[-1]["rows"][-1][-1] += data


def check_page(path):
    text = read(path)
    assert text.startswith("<!DOCTYPE html>") and "default-src 'none'" in text
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        root = xml.fromstring(svg)
        if root.get("role") == "img":
            assert root.findall("title") and root.findall("desc"), svg[:300]
            assert root.findall(".//path"), svg[:300]
            assert not re.search(r'="[^"]*\b(nan|inf)\b', svg), "a coordinate is no number"
    return Page(text)


def tables(page, caption):
    return [t["rows"] for t in page.tables if t["caption"] == caption]


def check_numbers(folder, page):
    """The table of methods by bits against medians taken here."""
    cells = [json.loads(line) for name in ("bench", "rivals")
             for line in read(os.path.join(folder, name + ".jsonl")).splitlines()]
    cells = [c for c in cells if c["type"] == "cell" and c["status"] == "ok" and c["data"] == "mnist"]
    (rows,) = tables(page, "mnist, recall 10@100")
    assert rows[0] == ["method", "16 bits", "32 bits", "64 bits", "128 bits"], rows[0]
    by_name = {row[0].strip(): row[1:] for row in rows[1:]}
    assert by_name["SGH, as published"] == ["0.310", "0.520", "0.770", ""], by_name
    assert by_name["Others, as published"] == ["0.110", "", "0.330", ""], by_name
    best = {}
    for label in {c["label"] for c in cells}:
        for column, bits in enumerate((16, 32, 64, 128)):
            groups = {}
            for c in cells:
                if c["label"] == label and (c["nbits"] == bits or c["family"] == "ceiling") and \
                        not c["rescore"].startswith("float"):
                    value = c["recall"][0]["value"][c["recall"][0]["at"].index(100)]
                    groups.setdefault((c["rescore"], c["search"]), []).append(value)
            top = max(groups.values(), key=statistics.median)
            want = "%.3f" % statistics.median(top)
            if max(top) > min(top):
                want += " [%.3f..%.3f]" % (min(top), max(top))
            assert by_name[label][column].startswith(want), (label, bits, by_name[label], want)
            if label not in ("Brute force", "RaBitQ"):  # larger codes, whole vectors
                best[label, bits] = statistics.median(top)
    # won and lost
    learned = ("SGH", "SiGAH", "JMLH")
    (rows,) = tables(page, "Best learned codes against the best of the rest")
    row = next(r for r in rows if r[0] == "mnistrecall 10@100")
    for column, bits in enumerate((16, 32, 64, 128), 1):
        ours = max(v for (m, b), v in best.items() if b == bits and m in learned)
        other = max(v for (m, b), v in best.items() if b == bits and m not in learned)
        word = "won" if ours > other else "lost"
        assert word in row[column] and "%+.3f" % (ours - other) in row[column], (row, ours, other)
    assert "RaBitQ (10 bytes at 16 bits)" in page.text


def check_figures(folder):
    for name in FIGURES:
        run(folder, "--figure", name, "-o", "figure.svg")
        text = read("figure.svg")
        root = xml.fromstring(text)
        width, height = (float(v) for v in root.get("viewBox").split()[2:])
        assert root.findall(SVG + "title") and root.findall(SVG + "desc")
        assert root.findall(".//" + SVG + "path") and "prefers-color-scheme:dark" in text
        assert not re.search(r"href|url\(|<script|@import|<image", text)
        for text in root.iter(SVG + "text"):
            assert -50 <= float(text.get("x")) <= width and float(text.get("y")) <= height, name
    # filters
    run(folder, "--figure", "recall", "-o", "few.svg", "--methods", "sgh,Brute force", "--bits", 64,
        "--data", "mnist", "--rescore", "hamming,none", "--recall", "1@10", "--title", "x")
    root = xml.fromstring(read("few.svg"))
    assert len([p for p in root.iter(SVG + "path") if p.get("class") == "line" and " L " in p.get("d")]) == 2
    texts = [t.text for t in root.iter(SVG + "text")]
    assert "Recall 1@N" in texts and "SGH" in texts and "PQ" not in texts, texts
    assert "unknown" not in run(folder, "--figure", "nothing", "-o", "f.svg", code=2)
    assert not os.path.exists("f.svg")


def lines(folder, *objects, end="\n"):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "a.jsonl"), "w", encoding="utf-8") as f:
        f.write("\n".join(o if isinstance(o, str) else json.dumps(o) for o in objects) + end)


def check_hostile():
    evil = "</title><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'&\x01\u202e"
    c = made_results.cell(made_results.SETS[0], made_results.METHODS[0], 16, 1, "hamming", "")
    words = [k for k, v in c.items() if isinstance(v, str) and k not in ("format", "type", "status")]
    objects = [dict(c, key="plain")]
    objects += [dict(c, **{word: evil}, seed=i) for i, word in enumerate(words)]
    objects += [dict(c, key="long", label="x" * 5000, data="y" * 5000, cpu="z" * 5000)]
    objects += [dict(c, key="f", status="failed", error=evil, label=evil)]
    objects += [{"format": c["format"], "type": "images", "data": evil, "method": "sgh", "label": evil,
                 "nbits": 8, "height": 2, "width": 2, "count": 1, "pixels": pixels}
                for pixels in ("AAAAAA==", "not base64", "AAAA", "")]
    objects += [{"format": c["format"], "type": "images"}]
    # numbers that are none, lists that are none, negative and huge ones
    for i, (name, value) in enumerate(
            (("qps", -1), ("qps", 0), ("train_s", -5), ("recall", 7), ("recall", [[1]]), ("nbits", -1),
             ("recall", [{"k": 1e300, "at": [1e300, -1], "value": [1]}]), ("pr", [[1], "x", [2, 3, 4]]),
             ("curve", {"a": 1}), ("curve", [[1, -4], [2, 3], ["x", 2]]), ("nbits", 1e18), ("n", "many"),
             ("code_bytes", []), ("codes", [1]), ("radius2", None), ("seed", {}), ("map", "0.5"),
             ("precision", {"at": [1, 2], "value": []}), ("latency_ms", 3))):
        objects.append(dict(c, key="odd%d" % i, label="odd %d" % i, **{name: value}))
    objects += [{"format": c["format"], "type": "cell", "status": "ok"},
                {"format": c["format"], "type": "something new"}, {"format": c["format"]},
                re.sub(r'"map": [\d.]+', '"map": 1e999', json.dumps(dict(c, key="inf", label="inf"))),
                "{\"format\":\"lbh-bench 1\",\"map\":NaN}", "\u00e9", "[[[["]
    lines("hostile", *objects, end="\n{\"torn")
    said = run("hostile", "-o", "hostile.html")
    assert "3 lines left out" in said and "a.jsonl', line" in said, said
    page = check_page("hostile.html")
    assert "window.pwned" in page.text and "1 last line without an end" in page.text
    for name in ("fronts", "recall"):  # the charts are those of the page; a legend for each kind
        run("hostile", "--quiet", "--figure", name, "-o", "h.svg")
        xml.fromstring(read("h.svg"))


def check_errors():
    os.makedirs("empty", exist_ok=True)
    assert "lbh bench" in run("empty", "-o", "r.html", code=1)
    assert "absent" in run("absent", "-o", "r.html", code=1)
    lines("nothing", "{\"torn", end="")
    assert "no result" in run("nothing", "-o", "r.html", code=1)
    lines("nothing", "garbage")
    assert "line 1: not a JSON object" in run("nothing", "-o", "r.html", code=1)
    lines("nothing", {"format": "lbh-bench 9"})
    assert "lbh-bench 9" in run("nothing", "-o", "r.html", code=1)
    assert "directory" in run("-o", "r.html", code=2)
    assert "--output" in run("made", code=2)
    assert "nowhere" in run("made", "-o", "nowhere/r.html", code=1)
    assert "K@N" in run("made", "-o", "r.html", "--recall", "10", code=2)
    assert "7@9" in run("made", "-o", "r.html", "--recall", "7@9", code=1)
    assert "--methods" in run("made", "-o", "r.html", "--methods", "nobody", code=1)
    assert not os.path.exists("r.html")
    # no Python, and one without a library
    for python, word in (("/nowhere/python3", "there is no python3"), ("./bare", "Python has no jinja2")):
        with open("bare", "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nexec /usr/bin/python3 -c 'import runpy, sys; sys.modules[\"jinja2\"] = None; "
                    "sys.path.insert(0, sys.argv[1].rsplit(\"/\", 1)[0]); runpy.run_path(sys.argv[1])' \"$1\"\n")
        os.chmod("bare", 0o755)
        os.environ["LBH_PYTHON"] = python
        said = run("made", "-o", "r.html", code=1)
        assert word in said and "apt-get install python3-jinja2" in said, said
        del os.environ["LBH_PYTHON"]
    # only failures: a page that says so, and no figure
    lines("failed", *made_results.failures())
    assert not run("failed", "-o", "f.html", "--quiet")
    page = check_page("f.html")
    assert "timeout" in page.text and "more than 600 s" in page.text and "svg" in page.tags
    assert "nothing for the figure" in run("failed", "--figure", "recall", "-o", "r.svg", code=1)
    # a broken specification is named
    lines("spec", made_results.cell(made_results.SETS[0], made_results.METHODS[0], 16, 1, "hamming", ""))
    with open("spec/spec.ini", "w", encoding="utf-8") as f:
        f.write("[bench\n")
    assert "spec.ini" in run("spec", "-o", "r.html", code=2)


def main():
    os.chdir(tempfile.mkdtemp())
    made_results.write("made")
    assert run("made", "-o", "made.html", "--title", "A <b> & \"c\"") == ""
    page = check_page("made.html")
    assert "A <b> & \"c\"" in page.text
    for name in FIGURES + ["summary", "images", "answers", "maps", "tables", "failures", "origin"]:
        assert name in page.ids, name
    check_numbers("made", page)
    for word in ("Some CPU @ 2.50GHz", "avx512", "abc1234", "lbh bench compare.ini", "more than 8192 MB",
                 "made up for a test, figure 1"):
        assert word in page.text, word
    images = tables(page, "mnist, 64 bits")
    assert [row[0] for row in images[-1]] == ["original", "SGH", "SiGAH", "ITQ", "PCA"], images
    (answers,) = tables(page, "mnist, 32 bits")[-1:]
    assert answers[0][0] == "JMLH" and "right of ten, a row each: 9, 0" in answers[0][1], answers
    (maps,) = tables(page, "mnist, 24 bits")
    assert maps[0][0] == "JMLH" and maps[0][1].strip() in ("", "a map needs scikit-learn (Debian: apt-get install "
                                                               "python3-sklearn)"), maps
    made_results.write("few", bits=(16, 64), seeds=(1, 2))
    few = ("few", "--data", "mnist")
    run(*few, "-o", "few.html")  # the same results give the same page
    run(*few, "-o", "again.html")
    assert read("few.html") == read("again.html")
    check_figures("few")
    check_hostile()
    check_errors()
    print("%d tables, %d kB" % (len(page.tables), os.path.getsize("made.html") // 1000))


if __name__ == "__main__":
    main()
