"""figures.py: the figures of a report: charts of one kind side by side, with one legend."""
import math
import re

from results import SCORINGS, Spread, front, is_number, items, number, number_text, spread_text
from draw import DASHES, short

MOST = 16  # letters of a name in a title


def shorten(name):
    return name if len(name) <= MOST + 2 else name[:MOST] + "\u2026"


def set_title(one, nbits=None):
    if nbits is None:
        return f"{shorten(one.name)} ({one.metric[:9]}, {short(one.n)} rows)"
    return f"{shorten(one.name)} ({one.metric[:9]}), {nbits} bits"


def series(method, name, points, dash=0, form="line", label=None):
    """points: (x, Spread, tip or None). Those that cannot be drawn are left out."""
    s = {"style": method.style, "dash": dash, "form": form, "name": name, "label": label, "x": [], "y": [], "tips": [],
         "spread": {}}
    for x, y, tip in points:
        if math.isfinite(x) and math.isfinite(y.median):
            if y.high > y.low:
                s["spread"][len(s["x"])] = (y.low, y.high)
            s["x"].append(x)
            s["y"].append(y.median)
            s["tips"].append(tip or f"{name}: {spread_text(y)} at {x:.10g}")
    return s


def without_empty(panels):
    for p in panels:
        for s in p["series"] if p.get("log_y") else ():
            for i in reversed([i for i, y in enumerate(s["y"]) if y <= 0]):
                for part in ("x", "y", "tips"):
                    del s[part][i]
                s["spread"] = {k - (k > i): v for k, v in s["spread"].items() if k != i}
        p["series"] = [s for s in p["series"] if s["x"]]
    return [p for p in panels if p["series"]]


def panel(one, nbits, x_title, y_title, lines, **more):
    return {"title": set_title(one, nbits), "x_title": x_title, "y_title": y_title, "group": one, "series": list(lines),
            **more}


def scored(method, dash):
    return method.label if dash == 0 else f"{method.label}, {SCORINGS[dash]}"


def each(data):
    return [(one, nbits) for one in data.sets for nbits in one.nbits]


def fronts(data):
    for one, nbits in each(data):
        path, lines = data.main(one), []
        for m in data.methods:
            mine = [r for r in data.of(one, nbits) if r.method == m]
            pairs = [(r.value(path), r.value("qps")) for r in mine]
            best = front([(x.median, y.median) for x, y in pairs])

            def points(places):
                for i in places:
                    x, y = pairs[i]
                    yield x.median, y, (f"{m.label} ({mine[i].settings()}): {data.name(path)} {spread_text(x)} at "
                                        f"{short(y.median)} queries/s")
            lines.append(series(m, m.label, points(best)))
            lines.append(series(m, m.label + ", beaten", points(set(range(len(mine))) - set(best)), form="faint"))
        yield panel(one, nbits, data.name(path), "queries per second", lines, log_y=True, fit_x=True, fit_y=True)


def by_rank(data, one, nbits, best, prefix, ranks):
    """A line for each method and scoring, of the setting that has most of `best`."""
    for m in data.methods:
        for dash in range(len(SCORINGS)):
            r = data.best(one, nbits, best, lambda r: r.method == m and r.scoring == dash)
            if r:
                yield series(m, f"{m.label} ({r.settings()})", [(n, r.value(f"{prefix}{n:.0f}"), None) for n in ranks],
                             dash)


def ranks_of(data, one, nbits, k):
    """The list of ranks that comes first in the results: recall's of this K, or (None) precision's."""
    for r in data.of(one, nbits):
        cell = r.cells[0]
        for curve in [c for c in items(cell.get("recall")) if number(c, "k") == k] if k else [cell.get("precision")]:
            if isinstance(items(curve, dict).get("at"), list):
                return [n for n in curve["at"] if is_number(n) and 1 <= n < 1e9]
    return []


def recall(data):
    for one, nbits in each(data) if data.at else ():
        ranks = ranks_of(data, one, nbits, data.k)
        lines = by_rank(data, one, nbits, f"recall.{data.k}@{data.at}", f"recall.{data.k}@", ranks)
        yield panel(one, nbits, "N, answers looked at", f"recall {data.k}@N", lines, log_x=True, y_most=1)


def precision(data):
    for one, nbits in each(data):
        lines = by_rank(data, one, nbits, data.main(one), "precision@", ranks_of(data, one, nbits, None))
        yield panel(one, nbits, "N, answers looked at", "precision@N", lines, log_x=True, y_most=1)


def against_bits(data, paths, per_scoring=True):
    for one in data.sets:
        for path, most in paths:
            lines = []
            for m in data.methods:
                for dash in range(len(SCORINGS)) if per_scoring and not path.startswith("recon") else (0,):
                    found = [(b, data.best(one, b, path, lambda r: r.method == m and (
                        r.scoring == dash or not per_scoring or path.startswith("recon")))) for b in one.nbits]
                    lines.append(series(m, scored(m, dash), [(b, r.value(path), None) for b, r in found if r], dash))
            yield panel(one, None, "bits a code", data.name(path), lines, log_x=True, y_most=most, ticks=one.nbits)


def bits(data):
    return against_bits(data, ((f"recall.{data.k}@{data.at}", 1), ("map", 1), ("label_map", 1),
                               ("radius2.precision", 1), ("reconstruction.relative", 0)))


def codes(data):
    return against_bits(data, (("codes.balance", 1), ("codes.correlation", 1), ("codes.entropy", 0)), False)


def time(data):
    for one, nbits in each(data):
        path, dots = data.main(one), []
        for m in data.methods:
            for dash in (0, 1, 2, 4):  # floats hide what the codes are worth
                r = data.best(one, nbits, path, lambda r: r.method == m and r.scoring == dash)
                seconds = r.value("train_s").median if r else 0
                if seconds > 0:
                    name = scored(m, dash)
                    tip = f"{name}: {data.name(path)} {spread_text(r.value(path))} after {number_text(seconds)} s"
                    dots.append(series(m, name, [(seconds, r.value(path), tip)], dash, "dots"))
        yield panel(one, nbits, "seconds of training", data.name(path), dots, log_x=True, fit_x=True, fit_y=True, y_most=1)


def pairs_of(cell, name):
    for pair in items(cell.get(name)):
        if isinstance(pair, list) and len(pair) > 1 and is_number(pair[0]) and is_number(pair[1]):
            yield pair[0], Spread(1, pair[1], pair[1], pair[1]), None


def pr(data):
    for one, nbits in each(data):
        lines = []
        for m in data.methods:  # of the Hamming ranking: the scoring changes nothing
            mine = [r for r in data.of(one, nbits) if r.method == m]
            best = data.best(one, nbits, "label_map" if one.metric == "label" else "map",
                             lambda r: r.method == m and r.scoring == 0) or (mine + [None])[0]
            lines += [series(m, m.label, pairs_of(best.cells[0], "pr"))] if best else []
        yield panel(one, nbits, "recall", "precision", lines, y_most=1, fit_x=True)


def training(data):
    for one in data.sets:
        for m in data.methods:
            lines = []
            for dash, nbits in enumerate(one.nbits):  # the first: others search the same model
                r = next((r for r in data.of(one, nbits) if r.method == m and not r.ceiling and
                          len(items(r.cells[0].get("curve"))) > 1), None)
                if r:
                    lines.append(series(m, f"{nbits} bits, seed {number_text(number(r.cells[0], 'seed'))}",
                                        pairs_of(r.cells[0], "curve"), dash % DASHES, label=str(nbits)))
            yield panel(one, None, "step or iteration", "loss", lines, title=f"{shorten(m.label)}, {shorten(one.name)}",
                        fit_y=True)


SWEPT = re.compile(r"(?P<what>.*?)[ =]+(?P<x>\d+(\.\d+)?(e-?\d+)?)(?P<unit> [^()]*)?(?: \((?P<kind>.*)\))?")


def swept(data):
    """(what was varied, unit): {kind: [(number, method)]}, from labels as "lambda 0.1 (defaults)" and "m = 2 d"."""
    found = {}
    for m in data.methods:
        match = SWEPT.fullmatch(m.label)
        if match and match["what"]:
            one = found.setdefault((match["what"], match["unit"] or ""), {})
            one.setdefault(match["kind"] or "", []).append((float(match["x"]), m))
    return {k: v for k, v in found.items() if max(map(len, v.values())) > 2}


def sweep(data):
    for one, nbits in each(data):
        path = "label_map" if one.metric == "label" else "map"
        for path in (path, "reconstruction.relative"):
            for (what, unit), kinds in swept(data).items():
                lines, ticks = [], set()
                for dash, (kind, places) in enumerate(kinds.items()):
                    places = sorted(places, key=lambda p: p[0])
                    found = [(x, data.best(one, nbits, path, lambda r, m=m: r.method == m and r.scoring == 0))
                             for x, m in places]
                    ticks |= {x for x, r in found if r}
                    lines.append(series(places[0][1], f"{what}{unit} ({kind or 'as labelled'})",
                                        [(x, r.value(path), None) for x, r in found if r], dash % DASHES,
                                        label=kind or None))
                wide = ticks and min(ticks) > 0 and max(ticks) > 8 * min(ticks)
                yield panel(one, nbits, what + unit, data.name(path), lines, log_x=bool(wide), fit_y=True)


# name: (what makes it, title, what it shows, whether dashes say how items were scored)
KINDS = {
    "fronts": (fronts, "Quality against speed",
               "Up and right is better. A line joins the settings (index, search parameters, scoring) of a method that "
               "no other setting of it beats in both; faint points are beaten ones. Scoring by float vectors keeps "
               "those in memory besides the codes. Queries per second are on a logarithmic scale.", False),
    "recall": (recall, "Recall {k}@N",
               "The share of the true {k} nearest neighbours among the first N answers, for the best index and search "
               "parameters of each method and scoring. N is on a logarithmic scale.", True),
    "bits": (bits, "Quality against bits",
             "The best setting of each method and scoring at each length of the code. Up is better, but for the error "
             "of rebuilt vectors, where down is.", True),
    "time": (time, "Quality against time of training",
             "Up and left is better: what the time of training buys. Codes alone, without float vectors. Seconds are on "
             "a logarithmic scale.", False),
    "pr": (pr, "Precision against recall",
           "Down the ranking of all items: the share of relevant ones among those seen, against the share of all "
           "relevant ones that have been seen. The first seed of each method.", False),
    "precision": (precision, "Precision@N",
                  "The share of relevant items among the first N answers, mean over the queries.", True),
    "training": (training, "Training",
                 "The loss that each method minimises, by its own measure: losses of different methods cannot be "
                 "compared. The number at the end of a line is the bits of the code. The first seed of each.", False),
    "sweep": (sweep, "Quality against what was varied",
              "Of methods whose names differ in a number: a weight, a width, epochs. The word at the end of a line is what "
              "the names say in brackets.", False),
    "codes": (codes, "How the codes use their bits",
              "Why a code is good or poor. Balance: the share of ones, mean over the bits; 1/2 is best. Correlation: "
              "mean absolute correlation of two bits; 0 is best. Entropy of the codes in bits: more is better, up to "
              "the logarithm of the number of rows.", False)}


def make(data, name):
    build, title, about, scored = KINDS[name]
    panels = without_empty(list(build(data)))
    lines = [s for p in panels for s in p["series"]]
    return {"name": name, "title": title.format(k=data.k), "about": about.format(k=data.k), "scored": scored,
            "panels": panels, "styles": {s["style"] for s in lines}, "dashes": {s["dash"] for s in lines}}
