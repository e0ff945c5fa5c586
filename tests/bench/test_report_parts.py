"""test_report_parts.py SCRIPTS: the parts of the program that draws, against naive ones: fronts, spreads, values by name,
images, what belongs together, axes, awkward numbers and texts."""
import base64
import io
import math
import os
import random
import re
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.abspath(sys.argv[1]), "report")]
try:
    from PIL import Image
    import draw
    import figures
    import page
    import results
except ImportError as error:
    print(f"skipped: no {error.name} (Debian: apt-get install python3-jinja2 python3-matplotlib)")
    sys.exit(77)
NAN, INF = math.nan, math.inf


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def check_front():
    """Against all pairs, with many equal numbers among them."""
    r = random.Random(1)
    for trial in range(3000):
        grid = 1 + trial % 5
        points = [(NAN if r.random() < .05 else INF if r.random() < .05 else r.randrange(grid), r.randrange(grid))
                  for _ in range(trial % 13)]
        found = results.front(points)
        want = [i for i, p in enumerate(points) if math.isfinite(p[0]) and not any(
            math.isfinite(q[0]) and ((q[0] >= p[0] and q[1] >= p[1] and q != p) or (k < i and q == p))
            for k, q in enumerate(points))]
        assert sorted(found) == want, (points, found, want)
        assert all(points[a][0] < points[b][0] and points[a][1] > points[b][1] for a, b in zip(found, found[1:]))


def check_values():
    assert results.spread_of([]).n == 0 and math.isnan(results.spread_of([]).median)
    r = random.Random(5)
    for n in range(1, 20):
        v = [r.gauss(0, 1) for _ in range(n)]
        s = results.spread_of(v + [NAN, INF])
        assert (s.n, s.low, s.high) == (n, min(v), max(v))
        assert sum(x < s.median for x in v) == sum(x > s.median for x in v) == n // 2
    for s, want in (((3, .5, .25, .75), "0.500 [0.250..0.750]"), ((3, .5, .5, .5), "0.500"), ((0, NAN, NAN, NAN), "-")):
        assert results.spread_text(results.Spread(*s)) == want
    cell = {"map": .5, "codes": {"balance": .25}, "train_s": None, "precision": {"at": [1, 10], "value": [.75, INF]},
            "recall": [{"k": 1, "at": [1, 10], "value": [.1, .2]}, {"k": 10, "at": [10, 100], "value": [.3]},
                       {"k": 5, "at": 3}]}
    for path, want in (("map", .5), ("codes.balance", .25), ("codes.entropy", NAN), ("train_s", NAN), ("map.x.y", NAN),
                       ("absent.x", NAN), ("precision@1", .75), ("precision@10", NAN), ("precision@2", NAN),
                       ("recall.1@10", .2), ("recall.10@10", .3), ("recall.10@100", NAN), ("recall.5@3", NAN),
                       ("recall.2@3", NAN), ("", NAN)):
        assert same(results.value(cell, path), want), path
    scorings = "hamming", "none", "", "margin", "margin:50", "decoder", "decoder:all", "float:100", "floats", "other"
    assert [results.scoring_of(s) for s in scorings] == [0, 0, 0, 1, 1, 2, 2, 3, 4, 4]


def check_images():
    count, height, width = 3, 5, 4
    raw = bytes(i * 37 % 256 for i in range(count * height * width))
    line = {"count": count, "height": height, "width": width, "label": "a<b", "method": "original"}
    good = str(page.strip(dict(line, pixels=base64.b64encode(raw).decode())))
    assert 'alt="3 images, as they are: a&lt;b"' in good, good
    png = base64.b64decode(re.search('base64,([^"]*)"', good)[1])
    image = Image.open(io.BytesIO(png))
    assert image.mode == "LA" and image.size == (count * (width + 2) - 2, height)
    for y in range(height):
        for x in range(image.size[0]):
            i, at = divmod(x, width + 2)
            grey, opaque = image.getpixel((x, y))
            assert opaque == (255 if at < width else 0)
            assert at >= width or grey == raw[(i * height + y) * width + at]
    for pixels in ("A", "AB", "ABC", "A===", "====", "AB=C", "AA==AA==", "AB!=", "AAAA\n", "", "AAAA", 7):
        assert page.strip(dict(line, pixels=pixels)) == "the line of these images is damaged", pixels
    for name, value in (("count", -3), ("count", "3"), ("height", 1e300), ("width", 5)):
        assert "damaged" in page.strip(dict(line, pixels=base64.b64encode(raw).decode(), **{name: value}))


def check_answers():
    """The frames say which answers are right; other numbers of pictures are damage."""
    height, width, right = 5, 4, [1, 0] * 5 + [0] * 10
    raw = bytes(i * 37 % 256 for i in range(22 * height * width))
    line = {"count": 22, "height": height, "width": width, "label": "a<b", "right": right,
            "pixels": base64.b64encode(raw).decode()}
    good = str(page.answers_of(line))
    assert "by a&lt;b" in good and "5, 0" in good, good
    image = Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]*)"', good)[1]))).convert("RGBA")
    for i in range(22):
        row, column = divmod(i, 11)
        x, y = column * (width + 8), row * (height + 8)
        frame = page.FRAMES[right[row * 10 + column - 1] if column else None]
        assert image.getpixel((x, y))[:3] == frame, (i, image.getpixel((x, y)))
        assert image.getpixel((x + 3, y + 4))[0] == raw[(i * height + 2) * width + 1]
    for bad in ({"right": right[:-1]}, {"right": []}, {"count": 21}, {"pixels": "AA"}, {"height": -1}, {"right": None}):
        assert "damaged" in page.answers_of(dict(line, **bad)), bad


def check_map():
    """Classes whose codes are far apart are far apart on the map; damage is said."""
    labels = [i % 3 for i in range(90)]
    codes = bytes(b for k in labels for b in ((0, 0), (255, 0), (255, 255))[k])
    line = {"count": 90, "code_bytes": 2, "label": "x", "labels": labels, "codes": base64.b64encode(codes).decode()}
    for bad in ({"count": 89}, {"codes": "AAAA"}, {"labels": labels[1:]}, {"labels": None}, {"code_bytes": 1e9}):
        assert "damaged" in page.map_of(dict(line, **bad)), bad
    try:
        import sklearn  # noqa: F401
    except ImportError:
        assert "needs scikit-learn" in page.map_of(line)
        return
    seen, keep = [], page.scatter
    page.scatter = lambda place, who, alt: seen.append((place, who, alt))
    page.map_of(line)
    page.scatter = keep
    (place, who, alt), = seen
    middles = [place[who == k].mean(0) for k in range(3)]
    for k in range(3):
        inside = max(math.dist(p, middles[k]) for p in place[who == k])
        outside = min(math.dist(middles[k], middles[j]) for j in range(3) if j != k)
        assert inside < outside / 2, (k, inside, outside)
    assert "data:image/png;base64," in page.map_of(line) and "90 codes" in alt


def check_sweep():
    """Names with numbers become lines over these numbers, one for each word in brackets."""
    cells = [{"format": "lbh-bench 1", "type": "cell", "status": "ok", "data": "a", "metric": "label", "n": 9, "d": 2,
              "nq": 3, "method": "jmlh", "label": f"lambda {x}{kind}", "nbits": 32, "seed": 1, "family": "learned",
              "label_map": {"map": .5 + .01 * i}, "options": str(i)}
             for i, (x, kind) in enumerate((x, k) for k in ("", " (defaults)") for x in ("1", "0.5", "0", "0.1"))]
    cells += [dict(cells[0], label="m = 2 d"), dict(cells[0], label="d-L-d"), dict(cells[0], label="epoch 3")]
    path = "label_map"
    for c in cells:
        c[path] = c[path]["map"]
    panels = list(figures.make(results.Data(cells, {}), "sweep")["panels"])
    assert len(panels) == 1 and panels[0]["x_title"] == "lambda", panels
    plain, kind = panels[0]["series"]
    assert plain["x"] == kind["x"] == [0, .1, .5, 1] and kind["label"] == "defaults", panels
    assert [round(y, 2) for y in plain["y"]] == [.52, .53, .51, .5], plain


CELL = {"format": "lbh-bench 1", "type": "cell", "status": "ok", "data": "a", "metric": "l2", "n": 9}
SOME = [dict(CELL, method="pq", label="PQ", family="rival", nbits=64, seed=1, map=.5,
             recall=[{"k": 1, "at": [1, 50], "value": [0, 1]}, {"k": 10, "at": [10, 90, 1000], "value": [0, 1, 1]}]),
        dict(CELL, method="sgh", family="learned", nbits=64, seed=2, map=.7, rescore="margin:10"),
        dict(CELL, method="sgh", family="learned", nbits=64, seed=1, map=.6, rescore="margin:10"),
        dict(CELL, metric="ip", method="sgh", family="learned", nbits=16, seed=1, map=.1),
        dict(CELL, method="flat", family="ceiling", nbits=32, seed=1, map=1)]


for line, row in zip(SOME, (0, 1, 1, 2, 3)):
    line["row"] = row


def refused(**wanted):
    recall = wanted.pop("recall", None)
    try:
        results.Data(SOME, wanted, recall)
    except results.Problem as problem:
        return 2 if problem.usage else 1
    return 0


def check_data():
    d = results.Data(SOME, {})
    assert (len(d.sets), len(d.methods), len(d.results), d.k, d.at) == (2, 3, 4, 10, 90)
    assert [m.label for m in d.methods] == ["sgh", "PQ", "flat"]  # learned first, ceilings last
    assert d.methods[2].style == draw.GREY
    one = next(s for s in d.sets if s.metric == "l2")
    assert one.nbits == [64]  # 32 is the ceiling's

    def best(nbits, method, path, scoring=None):
        return d.best(one, nbits, path, lambda r: r.method.label == method and scoring in (None, r.scoring))
    assert best(64, "flat", "map", 0) and not best(64, "PQ", "absent") and not best(64, "sgh", "map", 0)
    s = best(64, "sgh", "map").value("map")
    assert s.n == 2 and abs(s.median - .65) < 1e-12 and (s.low, s.high) == (.6, .7)
    assert results.Data(SOME, {}, "1@50").k == 1
    assert [refused(recall=r) for r in ("", "1", "1@", "@5", "0@5", "1@50x", "-1@50", "10@91")] == [0] + 6 * [2] + [1]
    for wanted, want in (({"methods": "sgh"}, 2), ({"methods": "PQ,flat"}, 2), ({"methods": "pq"}, 1),
                         ({"bits": "16,32"}, 2), ({"rescore": "margin"}, 1), ({"data": "b,a"}, 4), ({"data": "b"}, 0),
                         ({"methods": "p"}, 0), ({"methods": "sgh", "bits": "32"}, 0)):
        assert refused(**wanted) == (want == 0), wanted
        assert not want or len(results.Data(SOME, wanted).results) == want, wanted


# ---- Charts --------------------------------------------------------------------------------------------------------

def chart(*lines, **more):
    lines = [dict(x=list(x), y=list(y), tips=["tip"] * len(x), name="line", style=i, **rest)
             for i, (x, y, rest) in enumerate(lines)]
    text = draw.chart_svg(dict({"title": "t", "x_title": "x", "y_title": "y", "series": lines}, **more), 860, 560)
    assert not re.search(r"\b(nan|inf)\b", text), text
    return text


def line_points(text):
    return [[tuple(map(float, p)) for p in re.findall(r"[ML] (\S+) (\S+)", d)]
            for d in re.findall('class="line" d="([^"]*)"', text)]


def check_awkward():
    zero, one, large, small = [0, 0, 0], [7], [1, 1e9, 1e15], [1e-12, 2e-12, 3e-12]
    for x, y in ((one, one), (one, zero[:1]), (zero[:1], one), (large, small), (small, large), (zero[:2], zero[:2]),
                 (large, large), ([-5, 3], [-2, 1e300])):
        for log_x in (False, True) if min(x) >= 0 else (False,):
            text = chart((x, y, {}), log_x=log_x)
            marks = [tuple(map(float, m)) for m in re.findall(r'translate\((\S+) (\S+)\)" class="mark', text)]
            assert len(marks) == len(x), (x, y, log_x)
            assert all(0 <= a <= 860 and 0 <= b <= 560 for a, b in marks + sum(line_points(text), [])), (x, y, text)
    assert "mark" in chart((large, large, {}))
    try:
        page.chart({"job": "chart", "title": "", "about": "", "legend": [], "series": [{"name": "none", "x": [], "y": []}]})
        raise AssertionError("nothing was drawn")
    except results.Problem:
        pass


def check_axes():
    """Even steps are even on a linear axis, even ratios on a logarithmic one."""
    for log, x in ((False, [2, 4, 6, 8]), (True, [2, 20, 200, 2000])):
        (p,) = line_points(chart((x, [1, 2, 3, 4], {}), log_x=log))
        for a, b in zip(p, p[1:]):
            assert abs(b[0] - a[0] - (p[1][0] - p[0][0])) < .3 and b[0] > a[0] + 50
            assert abs(b[1] - a[1] - (p[1][1] - p[0][1])) < .3 and b[1] < a[1] - 50
    spread = {0: (5e4, 2e5), 2: (0, 20)}
    text = chart(([.1, .5, .9], [1e5, 1e3, 10], {"spread": spread}), log_y=True, fit_x=True, fit_y=True)
    (p,) = line_points(text)
    assert abs(p[1][1] - p[0][1] - (p[2][1] - p[1][1])) < .3 and p[1][1] > p[0][1] + 50
    assert text.count('class="spread"') == 1
    for log in (False, True):  # given ticks, also where a logarithmic axis has no place for them
        text = chart(([16, 64], [1, 2], {}), log_x=log, ticks=[0, 16, 64])
        assert ">16</text>" in text and ">64</text>" in text
    (p,) = line_points(chart(([0, 1, 10], [1, 2, 3], {}), log_x=True))  # 0 has a place of its own
    assert p[0][0] + 20 < p[1][0] < p[2][0] and ">0</text>" in chart(([0, 1, 10], [1, 2, 3], {}), log_x=True)


def check_ticks():
    """Every axis has two numbers or more within it, rising."""
    r = random.Random(1)
    for _ in range(1000):
        low = 10 ** (12 * r.random() - 6)
        high = low * (1 + 10 ** (6 * r.random() - 3))
        for fit in (False, True):
            for zero in (None, False, True):
                a, b, ticks = draw.log_axis([low, high], fit) if zero is None else \
                    draw.even_axis([low, high], fit, zero, 6)
                assert a <= low * (1 + 1e-9) and b >= high * (1 - 1e-9), (low, high, a, b)
                assert zero is not True or not fit or a == 0
                assert ticks == sorted(set(ticks)) and 2 <= len(ticks) <= 16, (low, high, fit, zero, ticks)
                assert all(a * .998 <= t <= b * 1.002 for t in ticks), (a, b, ticks)


def check_labels():
    ends = [0, .01, 5, 5, 4.99, 8]
    text = chart(*[([1, 2], [9, y], {"label": "label"}) for y in ends])
    places = sorted(float(y) for y in re.findall(r'y="([\d.]+)" class="lab[^>]*>label<', text))
    assert len(places) == 6 and all(b - a > 13 for a, b in zip(places, places[1:])), places


def check_texts():
    for text, want in (("a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#x27;"), ("\x01\n\x7f", "???"), ("\u00e9\u20ac\U0001f600",) * 2,
                       (b"\xff\xc3z".decode("utf-8", "replace"), "??z"), ("\ud800\ufffe\uffff", "???")):
        assert draw.escape(text) == want, text
    text = chart(([1, 2], [1, 2], {}), title="$a_b$ <x> \\frac", y_title="$", x_title="100$ of 5$\n")
    for word in ("$a_b$ &lt;x&gt; \\frac", ">$<", "100$ of 5$?"):
        assert word in text, word


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            check()
    print("fine")
