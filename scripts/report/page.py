"""page.py: the page of a report, and a figure as a file of its own."""
import base64
import io
import os
from collections import Counter

import jinja2
from markupsafe import Markup
from PIL import Image

import figures
from draw import GREY, STYLE, chart_svg, escape, plain, sample
from results import (LESS, SCORINGS, Problem, Spread, duel, is_number, items, label_of, measures, number, number_text,
                     published_path, spread_text, text, whole)

SHOWN = 10  # answers a query, in pictures
WIDTH, HEIGHT = 340, 284  # letters are 12.5 high: four stand side by side on a wide page, and one fits a phone
COLUMNS = (("mAP", "map", 1), ("mAP of labels", "label_map", 1), ("precision, radius 2", "radius2.precision", 1),
           ("empty balls, radius 2", "radius2.empty", 1), ("error / variance", "reconstruction.relative", 1),
           ("balance", "codes.balance", 1), ("correlation", "codes.correlation", 1), ("entropy", "codes.entropy", 1),
           ("training s", "train_s", 1), ("encoding s", "encode_s", 1), ("index s", "build_s", 1),
           ("queries/s", "qps", 1), ("p50 ms", "latency_ms.p50", 1), ("p95 ms", "latency_ms.p95", 1),
           ("p99 ms", "latency_ms.p99", 1), ("index MB", "index_bytes", 1e-6), ("peak MB", "peak_mb", 1))
CONDITIONS = ("command", "cpu", "isa", "library", "faiss", "git", "machine")


def plural(n, word):
    return f"{n} {word}" + "s" * (n != 1)


def small(*words):
    return Markup(" <small>%s</small>") % plain(" ".join(words))


# ---- What won ------------------------------------------------------------------------------------------------------

def matrix(data, published, tally):
    """Learned codes against the rest; counts outcomes."""
    nbits = sorted({b for one in data.sets for b in one.nbits})
    words = {"won": "\u25b2 won", "lost": "\u25bc lost", "close": "\u2248 close", "alone": "\u2013"}
    rows = []
    for one in data.sets:
        for i, path in enumerate(measures(data, one, published)):
            what = data.name(path) + ", less is better" * (path in LESS)
            cells = [Markup("%s<br><small>%s</small>") % (plain(one.name), plain(what))]
            for b in nbits:
                found = duel(data, one, b, path) if b in one.nbits else None
                if not found:
                    cells.append("")
                    continue
                outcome, gain, *sides = found
                tally[outcome] += 1
                name = "soft" if outcome in ("close", "alone") else outcome
                by = "" if outcome == "alone" else f" {'+' * (gain > 0)}{number_text(gain)}"
                cell = Markup('<span class="%s">%s%s</span>') % (name, words[outcome], by)
                for side, none in zip(sides, ("no learned one", "no other")):
                    cell += Markup("<br>") + small(*([side.method.label, number_text(side.value(path).median)]
                                                     if side else [none]))
                cells.append(cell)
            rows.append({"class": "first" if i == 0 else "", "cells": cells})
    return {"class": "pinned", "caption": "Best learned codes against the best of the rest",
            "head": ["data, measure"] + [f"{b} bits" for b in nbits], "rows": rows}


def published_rows(data, one, path, published, wanted):
    for p in published:
        for row in p["rows"] if published_path(one, p["what"]) == path else ():
            if row["data"] == one.name and wanted(row["label"].lower()):
                values = dict(zip(p["nbits"], row["values"]))
                yield {"class": "published", "cells": [row["label"] + ", as published"] + [
                    number_text(values[b]) if values.get(b) is not None else "" for b in one.nbits]}


def league(data, one, path, published, first):
    rows, tops = [], []
    for b in one.nbits:
        sides = [r for r in (duel(data, one, b, path) or ())[2:] if r]
        values = [r.value(path).median for r in sides]
        tops.append((min if path in LESS else max)(values, default=None))
    for m in data.methods:
        best = [data.best(one, b, path, lambda r: r.method == m and r.scoring != 3) for b in one.nbits]
        if not any(best):
            continue
        cells = [sample_svg(m.style, 0) + plain(m.label)]
        for r in best:
            # Errors of rebuilt vectors have nothing to do with the ranking.
            notes = [r.rescore] * (r.scoring != 0 and not path.startswith("reconstruction")) if r else []
            notes += [f"{r.bytes:.0f} bytes"] if r and r.larger else []
            cells.append(Markup("%s") % spread_text(r.value(path)) + (small(*notes) if notes else "") if r else "")
        rows.append({"class": f"m{m.style}", "cells": cells, "best": [False] + [
            bool(r) and r.fits and r.value(path).median == top for r, top in zip(best, tops)]})
        rows += published_rows(data, one, path, published, m.label.lower().__eq__)
    ours = {m.label.lower() for m in data.methods}
    rows += published_rows(data, one, path, published, lambda label: label not in ours)
    return {"class": "pinned" if first else "", "rows": rows, "head": ["method"] + [f"{b} bits" for b in one.nbits],
            "caption": f"{one.name}, {data.name(path)}" + " (less is better)" * (path in LESS)}


# ---- Tables --------------------------------------------------------------------------------------------------------

def numbers(panel):
    """The numbers of a chart: by its x, if these are few."""
    xs = sorted({x for s in panel["series"] for x in s["x"]})
    caption = f"{panel['title']} \u2013 {panel['y_title']}"
    rows = []
    for s in panel["series"]:
        ys = [spread_text(Spread(2, y, *s["spread"].get(i, (y, y)))) for i, y in enumerate(s["y"])]
        name, row = s["name"], {"class": f"m{s['style']} d{s['dash']}"}
        if len(xs) <= 14:
            at = dict(zip(s["x"], ys))
            rows.append(dict(row, cells=[name] + [at.get(x, "") for x in xs]))
        else:
            every = -(-len(ys) // 20) if len(ys) > 40 else 1
            rows += [dict(row, cells=[name, number_text(s["x"][i]), ys[i]]) for i in range(0, len(ys), every)]
    head = [panel["x_title"] + " \u2192"] + [number_text(x) for x in xs] if len(xs) <= 14 else \
        ["line", panel["x_title"], panel["y_title"]]
    return {"caption": caption, "head": head, "rows": rows}


def conditions(cell):
    return tuple(text(cell, n) for n in CONDITIONS) + (number_text(number(cell, "threads")),)


def everything(data, one, nbits, origins):
    results = data.of(one, nbits)
    recalls = dict.fromkeys((data.k, data.at))
    columns = [(f"recall {data.k}@{n}", f"recall.{data.k}@{n}", 1) for n in recalls] + list(COLUMNS)
    columns = [c for c in columns if any(r.value(c[1]).n for r in results)]
    rows = []
    for r in results:
        values = [(r.value(path), scale) for _, path, scale in columns]
        made_by = dict.fromkeys(origins[conditions(c)] for c in r.cells)
        rows.append({"class": f"m{r.method.style} d{r.scoring}",
                     "cells": [r.method.label, r.options, r.index, r.search, r.rescore, number_text(r.bytes)] +
                              [spread_text(v, scale) if v.n else "" for v, scale in values] +
                              [" ".join(number_text(number(c, "seed")) for c in r.cells),
                               Markup(" ").join(Markup('<a href="#origin-%d">%d</a>') % (o, o) for o in made_by)]})
    return {"head": ["method", "<options", "<index", "<search", "<scoring", "bytes"] + [c[0] for c in columns] +
                    ["<seeds", "<made by"], "rows": rows}


def failures(data):
    rows = [[text(c, "data"), label_of(c), text(c, "options"), number_text(number(c, "nbits")),
             number_text(number(c, "seed")), *(text(c, n) for n in ("index", "search", "rescore")),
             text(c, "status") or "no status", text(c, "error") or "no reason was recorded"] for c in data.failed]
    return {"head": ["data", "<method", "<options", "bits", "seed", "<index", "<search", "<scoring", "<what happened",
                     "<reason"], "rows": [{"cells": r} for r in rows]}


def origin(data, origins):
    rows = []
    for key, place in origins.items():
        dates = [text(c, "date") for c in data.cells if conditions(c) == key]
        command, cpu, isa, library, faiss, git, _, threads = key
        rows.append({"id": f"origin-{place}", "cells": [
            str(place), str(len(dates)), command, cpu, isa, threads, library, faiss, git,
            min(filter(None, dates), default=""), max(dates)]})
    return {"head": ["no.", "cells", "<command", "<CPU", "<ISA", "threads", "<lbh", "<FAISS", "<git", "<first", "<last"],
            "rows": rows}


# ---- Pictures ------------------------------------------------------------------------------------------------------

FRAMES = {1: (26, 127, 55), 0: (164, 14, 38), None: (110, 119, 129)}  # right, wrong, the query


def bytes_of(line, name):
    try:
        return base64.b64decode(text(line, name), validate=True)
    except ValueError:
        return b""


def pictures(line):
    """The grey pictures of a line; none where it is not what it says."""
    count, height, width = (number(line, n) for n in ("count", "height", "width"))
    pixels = bytes_of(line, "pixels")
    if not (1 <= count <= 1000 and 1 <= height <= 4096 and 1 <= width <= 4096 and count * width < 1 << 20 and
            count * height * width == len(pixels)):
        return []
    size = int(height * width)
    return [Image.frombytes("L", (int(width), int(height)), pixels[i:i + size]) for i in range(0, len(pixels), size)]


def png_of(image, alt, name="whole"):
    png = io.BytesIO()
    image.save(png, "png", optimize=True)
    return Markup('<img class="%s" alt="%s" width="%d" height="%d" src="data:image/png;base64,%s">') % (
        name, alt, *image.size, base64.b64encode(png.getvalue()).decode())


def strip(line):
    """Pictures side by side with transparent gaps."""
    shown = pictures(line)
    if not shown:
        return "the line of these images is damaged"
    width, height = shown[0].size
    whole = Image.new("LA", (len(shown) * (width + 2) - 2, height))
    for i, one in enumerate(shown):
        whole.paste(Image.merge("LA", (one, Image.new("L", one.size, 255))), (i * (width + 2), 0))
    what = "as they are:" if text(line, "method") == "original" else "rebuilt by"
    return png_of(whole, f"{len(shown)} images, {what} {plain(label_of(line))}", "strip")


def answers_of(line):
    """Rows of pictures: a query and its answers, framed by whether they are right."""
    shown, right = pictures(line), [v for v in items(line.get("right")) if v in (0, 1)]
    if not shown or not right or len(right) % SHOWN or len(shown) != len(right) // SHOWN * (SHOWN + 1):
        return "the line of these answers is damaged"
    (width, height), rows = shown[0].size, len(right) // SHOWN
    sheet = Image.new("RGBA", ((SHOWN + 1) * (width + 8) - 4, rows * (height + 8) - 4))
    for i, one in enumerate(shown):
        row, column = divmod(i, SHOWN + 1)
        frame = FRAMES[right[row * SHOWN + column - 1] if column else None]
        sheet.paste(Image.new("RGBA", (width + 4, height + 4), frame + (255,)), (column * (width + 8), row * (height + 8)))
        sheet.paste(one.convert("RGBA"), (column * (width + 8) + 2, row * (height + 8) + 2))
    counts = ", ".join(str(sum(right[r * SHOWN:(r + 1) * SHOWN])) for r in range(rows))
    return png_of(sheet, f"{rows} queries and ten answers to each by {plain(label_of(line))}") + Markup("<br>") + small(
        f"right of ten, a row each: {counts}")


def map_of(line):
    """t-SNE of the codes' Hamming distances (squared distances of bits), a dot a row, coloured and named by label."""
    count, size = number(line, "count"), number(line, "code_bytes")
    codes = bytes_of(line, "codes")
    labels = [int(v) for v in items(line.get("labels")) if is_number(v)]
    if not (10 <= count <= 5000 and 1 <= size <= 512 and len(codes) == count * size and len(labels) == count):
        return "the line of these codes is damaged"
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the same map on every machine, and no waiting threads
    try:
        import numpy
        from sklearn.manifold import TSNE
    except ImportError:
        return "a map needs scikit-learn (Debian: apt-get install python3-sklearn)"
    bits = numpy.unpackbits(numpy.frombuffer(codes, numpy.uint8).reshape(int(count), int(size)), axis=1)
    bits = bits.astype(numpy.float64) + numpy.random.RandomState(1).normal(scale=1e-3, size=bits.shape)  # equal codes
    place = TSNE(init="pca", learning_rate="auto", perplexity=min(30, (count - 1) / 3), n_iter=500, random_state=1,
                 n_jobs=1).fit_transform(bits)
    return scatter(place, numpy.array(labels), f"map of {int(count)} codes by {plain(label_of(line))}")


def scatter(place, labels, alt):
    from matplotlib.figure import Figure
    drawing = Figure(figsize=(4.4, 4.4), dpi=100, facecolor="white")
    axes = drawing.add_axes((.01, .01, .98, .98))
    axes.set_axis_off()
    for i, one in enumerate(sorted(set(labels.tolist()))):
        mine = place[labels == one]
        axes.scatter(mine[:, 0], mine[:, 1], s=6, color=f"C{i % 10}", linewidths=0)
        middle = sorted(mine.tolist())[len(mine) // 2]
        axes.text(*middle, str(one), fontweight="bold", bbox={"facecolor": "white", "alpha": .7, "pad": 1, "lw": 0})
    png = io.BytesIO()
    drawing.savefig(png, format="png")
    return png_of(Image.open(png).convert("P", palette=Image.Palette.ADAPTIVE, colors=64), alt)


def picture_table(data, where, lines, draw):
    styles = {m.label: m.style for m in data.methods}
    return {"class": "images", "caption": f"{where[0]}, {where[1]} bits", "head": [], "rows": [
        {"class": f"m{styles[label_of(c)]}" if label_of(c) in styles else "", "cells": [label_of(c), draw(c)]}
        for c in lines]}


def by_length(lines):
    """{(data set, bits): lines}"""
    groups = {}
    for c in lines:
        groups.setdefault((text(c, "data"), number_text(number(c, "nbits"))), []).append(c)
    return groups


def images(data):
    """Of lines that show the same, the last."""
    original = {text(c, "data"): c for c in data.images if text(c, "method") == "original"}
    for where, lines in by_length(c for c in data.images if text(c, "method") != "original").items():
        last = {}
        for c in lines[::-1]:
            last.setdefault((label_of(c), text(c, "method")), c)
        yield picture_table(data, where, ([original[where[0]]] if where[0] in original else []) + list(last.values())[::-1],
                            strip)


def looks(data, lines, draw):
    """The first seed of each method."""
    for where, mine in by_length(sorted(lines, key=lambda c: whole(c, "seed"))).items():
        first = {}
        for c in mine:
            first.setdefault(label_of(c), c)
        yield picture_table(data, where, first.values(), draw)


# ---- The whole -----------------------------------------------------------------------------------------------------

def sample_svg(style, dash):
    return Markup(f'<svg class="sample" viewBox="0 0 30 14" aria-hidden="true">{sample(style, dash)}</svg>')


def page(job, data):
    folder = os.path.dirname(os.path.abspath(__file__))
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True,
                             finalize=lambda v: plain(v) if type(v) is str else v)
    with open(os.path.join(folder, "page.css"), encoding="utf-8") as f:
        style = Markup(STYLE + f.read())
    published, tally = job.get("published", []), Counter(won=0, lost=0, close=0)
    origins = {key: i + 1 for i, key in enumerate(dict.fromkeys(map(conditions, data.cells)))}
    names = {one.name for one in data.sets}
    return env.get_template("page.html").render(
        job, data=data, style=style, scorings=SCORINGS, grey=GREY, width=WIDTH, height=HEIGHT, plural=plural,
        sample=sample_svg, numbers=numbers, chart=lambda p: Markup(chart_svg(p, WIDTH, HEIGHT)),
        boxes=list({m.style: m for m in reversed(data.methods)}.values())[::-1],  # more methods than styles share boxes
        shown=sorted({r.scoring for r in data.results}), tally=tally, matrix=matrix(data, published, tally),
        larger=list({r.method: r for r in reversed(data.results) if r.larger}.values())[::-1],
        one_seed=all(len(r.cells) == 1 for r in data.results),
        leagues={one.key: [league(data, one, path, published, i == 0)
                           for i, path in enumerate(measures(data, one, published))] for one in data.sets},
        sources=[p["source"] for p in published if p.get("source") and any(r["data"] in names for r in p["rows"])],
        figures=[f for f in (figures.make(data, name) for name in figures.KINDS) if f["panels"]],
        images=list(images(data)), answers=list(looks(data, data.answers, answers_of)),
        maps=list(looks(data, data.codes, map_of)), failures=failures(data), origin=origin(data, origins),
        everything={one.key: [(b, everything(data, one, b, origins)) for b in one.nbits] for one in data.sets})


def svg(title, about, width, height, body, legend, below=""):
    """legend: (style, dash, name)s, in rows from left to right; below: a line below the title."""
    left, entries = 20, [f'<text x="20" y="52" class="soft">{escape(below)}</text>\n'] if below else []
    x, y = left, 76 if below else 66
    for style, dash, name in legend:
        name = name if len(name) <= width // 9 else name[:width // 9] + "\u2026"
        size = 52 + 7 * len(name)
        if x > left and x + size > width - 10:
            x, y = left, y + 22
        entries.append(f'{sample(style, dash, x, y)}<text x="{x + 34}" y="{y + 4}" class="ink">{escape(name)}</text>\n')
        x += size
    top = y + 22
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + top}" width="{width}" '
            f'height="{height + top}" role="img" font-family="system-ui, sans-serif" font-size="12.5">\n'
            f"<title>{escape(title)}</title>\n<desc>{escape(about)}</desc>\n<style>\n{STYLE}</style>\n"
            f'<rect width="{width}" height="{height + top}" class="page"/>\n<text x="20" y="32" class="ink" '
            f'font-size="18" font-weight="600">{escape(title[:width // 10])}</text>\n{"".join(entries)}{body(top)}</svg>\n')


def figure(job, data):
    f = figures.make(data, job["figure"])
    if not f["panels"]:
        raise Problem(f"these results have nothing for the figure '{f['name']}'")
    rows, columns = [], 4
    for p in f["panels"]:
        if not rows or len(rows[-1]) == columns or rows[-1][-1]["group"] is not p["group"]:
            rows.append([])
        rows[-1].append(p)
    columns = max(map(len, rows))
    wide, tall = (WIDTH, HEIGHT) if columns > 1 else (2 * WIDTH, 3 * HEIGHT // 2)

    def body(top):
        return "".join(f'<g transform="translate({8 + c * wide} {top + r * tall})">\n{chart_svg(p, wide, tall)}</g>\n'
                       for r, row in enumerate(rows) for c, p in enumerate(row))
    legend = [(m.style, 0, m.label) for m in data.methods if m.style in f["styles"]]
    legend += [(GREY, d, SCORINGS[d]) for d in sorted(f["dashes"] - {0}) if f["scored"]]
    return svg(f["title"], f["about"], columns * wide + 16, len(rows) * tall + 8, body, legend)


def chart(job):
    """One chart, of numbers that `lbh curve` or `lbh eval` has found."""
    for s in job["series"]:
        s["tips"] = [f"{s['name']}: {y:.6g} at {x:.10g}" for x, y in zip(s["x"], s["y"])]
    if not any(s["x"] for s in job["series"]):
        raise Problem("there is nothing to draw")
    job["series"] = [s for s in job["series"] if s["x"]]
    legend = [(i, 0, name) for i, name in enumerate(job["legend"])]

    def body(top):
        return f'<g transform="translate(0 {top})">\n{chart_svg(dict(job, title=""), 860, 480, 74, 28)}</g>\n'
    return svg(job["title"], job["about"], 860, 480, body, legend, job["about"])
