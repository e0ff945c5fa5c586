"""results.py: the lines of a directory of results, sorted for a report: data sets, methods, results (cells that differ
in the seed only), and what wins."""
import itertools
import math
import statistics
from collections import namedtuple

from draw import GREY, STYLES

SCORINGS = ("codes as they are", "margin", "decoder", "float vectors", "other")
FAMILIES = ("learned", "rival", "classic", "", "ceiling")
LESS = {"reconstruction.mse", "reconstruction.relative", "train_s", "encode_s", "build_s", "codes.correlation"}
NAMES = {"label_map": "mAP of labels", "radius2.precision": "precision, Hamming radius 2",
         "reconstruction.mse": "squared rebuilding error", "reconstruction.relative": "rebuilding error / variance",
         "train_s": "seconds of training", "codes.balance": "balance of the bits",
         "codes.correlation": "correlation of bits", "codes.entropy": "entropy of the codes, bits"}
Spread = namedtuple("Spread", "n median low high")


class Problem(Exception):
    """What is said to people; usage: the command line is at fault."""

    def __init__(self, text, usage=False):
        super().__init__(text)
        self.usage = usage


# ---- Values of a line ---------------------------------------------------------------------------------------------

def text(line, name):
    v = line.get(name)
    return v if isinstance(v, str) else ""


def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)


def number(line, name):
    v = line.get(name) if isinstance(line, dict) else None
    return v if is_number(v) else math.nan


def whole(line, name, most=9e15):
    v = number(line, name)
    return int(v) if 0 <= v <= most else 0


def bits_of(line):
    return whole(line, "nbits", 1 << 24)


def label_of(line):
    return text(line, "label") or text(line, "method")


def items(v, kind=list):
    return v if isinstance(v, kind) else kind()


def at_rank(curve, n):
    curve = items(curve, dict)
    for a, v in zip(items(curve.get("at")), items(curve.get("value"))):
        if a == n:
            return v if is_number(v) else math.nan
    return math.nan


def value(cell, path):
    """"map", "codes.balance", "recall.10@100", "precision@10"; NaN if there is none."""
    head, _, rank = path.partition("@")
    if head.startswith("recall."):
        k = int(head[7:])
        return next((at_rank(c, int(rank)) for c in items(cell.get("recall")) if number(c, "k") == k), math.nan)
    if rank and head == "precision":
        return at_rank(cell.get("precision"), int(rank))
    *way, name = path.split(".")
    for step in way:
        cell = items(cell.get(step), dict)
    return number(cell, name)


def spread_of(values):
    values = [v for v in values if math.isfinite(v)]
    if not values:
        return Spread(0, math.nan, math.nan, math.nan)
    return Spread(len(values), statistics.median(values), min(values), max(values))


def scoring_of(rescore):
    mode = rescore.split(":")[0]  # behind it the number of candidates
    return {"": 0, "hamming": 0, "none": 0, "margin": 1, "decoder": 2, "float": 3}.get(mode, 4)


def number_text(v):
    a = abs(v)
    if not math.isfinite(v):
        return "-"
    if v == math.floor(v) and a < 1e6:
        return f"{v:.0f}"
    if a >= 1e6:
        return f"{v / 1e6:.4g}M" if a < 1e9 else f"{v:.4g}"
    return f"{v:.0f}" if a >= 1000 else f"{v:.1f}" if a >= 100 else f"{v:.2f}" if a >= 10 else \
        f"{v:.3f}" if a >= .01 else f"{v:.2g}" if a >= 1e-4 else f"{v:.1e}"


def spread_text(s, scale=1):
    whole_text = number_text(s.median * scale)
    if s.n > 1 and s.high > s.low:
        whole_text += f" [{number_text(s.low * scale)}..{number_text(s.high * scale)}]"
    return whole_text


def front(points):
    """Places of the points (x, y) that none beats in both, x rising; of equal ones the first."""
    order = sorted((i for i, p in enumerate(points) if all(map(math.isfinite, p))),
                   key=lambda i: (-points[i][0], -points[i][1], i))
    best, found = -math.inf, []
    for i in order:
        if points[i][1] > best:
            best = points[i][1]
            found.append(i)
    return found[::-1]


# ---- What belongs together ----------------------------------------------------------------------------------------

class Result:
    """Cells that differ in the seed only."""

    def __init__(self, cells, method):
        c = cells[0]
        self.cells, self.method, self.set, self.nbits = cells, method, set_key(c), bits_of(c)
        self.ceiling = text(c, "family") == "ceiling"  # of whole vectors: shown at every number of bits
        self.index, self.search, self.rescore, self.options = (text(c, n) for n in
                                                               ("index", "search", "rescore", "options"))
        self.bytes, self.scoring = number(c, "code_bytes"), scoring_of(self.rescore)
        self.larger = not self.ceiling and self.bytes > math.ceil(self.nbits / 8)
        self.fits = not self.ceiling and not self.larger and self.scoring != 3
        self.known = {}

    def value(self, path):
        if path not in self.known:
            self.known[path] = spread_of(value(c, path) for c in self.cells)
        return self.known[path]

    def settings(self):
        words = ["whole vectors" if self.ceiling else f"{self.nbits} bits"] + [self.index] * bool(self.index)
        words[-1] += f" {self.search}" if self.search else ""
        return ", ".join(words + [self.rescore] * (self.scoring != 0) + [self.options] * bool(self.options))


def set_key(line):
    return tuple(text(line, n) for n in ("data", "metric")) + tuple(whole(line, n) for n in ("n", "d", "nq"))


def result_key(line):
    """Which cells are one result, `lbh` has said."""
    return (set_key(line), bits_of(line), label_of(line),
            *(text(line, n) for n in ("method", "index", "search", "rescore", "options")), whole(line, "row"))


class DataSet:
    def __init__(self, key, results):
        self.key, (self.name, self.metric, self.n, self.d, self.nq) = key, key
        mine = [r for r in results if r.set == key]
        self.nbits = sorted({r.nbits for r in mine if not r.ceiling} or {r.nbits for r in mine})


Method = namedtuple("Method", "label name family style")


class Data:
    """Lines as a report needs them. wanted: lists of names by which to choose, or None each."""

    def __init__(self, lines, wanted, recall=None):
        had = sum(text(c, "type") == "cell" for c in lines)
        lines = [c for c in lines if passes(c, wanted)]
        every = sorted((c for c in lines if text(c, "type") == "cell"), key=lambda c: (result_key(c), whole(c, "seed")))
        if had and not every:
            raise Problem(f"none of the {had} results passes --data, --methods, --bits and --rescore: names are those of "
                          "the page without these options")
        self.images, self.answers, self.codes = ([c for c in lines if text(c, "type") == kind]
                                                 for kind in ("images", "answers", "codes"))
        self.failed = [c for c in every if text(c, "status") != "ok"]
        self.cells = [c for c in every if text(c, "status") == "ok"]
        self.methods = methods_of([c for c in lines if text(c, "type") == "cell"])
        by_label = {m.label: m for m in self.methods}
        groups = [list(g) for _, g in itertools.groupby(self.cells, result_key)]
        self.results = [Result(g, by_label[label_of(g[0])]) for g in groups]
        self.sets = [DataSet(key, self.results) for key in dict.fromkeys(r.set for r in self.results)]
        depths = {d for d in (number(r.cells[0], "map_k") for r in self.results) if d > 0}
        self.map_name = f"mAP of the {depths.pop():.0f} nearest" if len(depths) == 1 else "mAP of neighbours"
        self.by_set = {(one.key, b): [r for r in self.results if r.set == one.key and
                                      (b is None or r.ceiling or r.nbits == b)]
                       for one in self.sets for b in (None, *one.nbits)}
        self.k, self.at = self.asked(recall) if recall else self.chosen()

    def chosen(self):
        """Of the first cell with recalls: K = 10, or else the least, and the N nearest to 100, as a ratio."""
        for c in self.cells:
            curves = [v for v in items(c.get("recall")) if 0 < whole(items(v, dict), "k") <= 1 << 30]
            if curves:
                curve = min(curves, key=lambda v: (v["k"] != 10, v["k"]))
                ranks = [a for a in items(curve.get("at")) if is_number(a) and curve["k"] <= a <= 1 << 30]
                if ranks:
                    return int(curve["k"]), int(min(ranks, key=lambda a: abs(math.log(a / 100))))
        return 0, 0

    def asked(self, recall):
        k, _, at = recall.partition("@")
        if not all(w.isascii() and w.isdigit() and 0 < int(w) < 10 ** 9 for w in (k, at)):
            raise Problem(f"--recall '{recall}' is not of the form K@N, as 10@100", usage=True)
        if not any(r.value(f"recall.{recall}").n for r in self.results):
            raise Problem(f"no result has the recall {recall}; the N are those of `at` in the specification, the K those "
                          "of `k`")
        return int(k), int(at)

    def main(self, data):
        """What a set is judged by."""
        return "label_map" if data.metric == "label" else f"recall.{self.k}@{self.at}"

    def name(self, path):
        return self.map_name if path == "map" else NAMES.get(path, path.replace("recall.", "recall "))

    def of(self, data, nbits=None):
        return self.by_set[data.key, nbits]

    def best(self, data, nbits, path, good):
        """The result that has the most (or least) of a value among those that are good; None: there is none."""
        found = [(r.value(path).median * (-1 if path in LESS else 1), -i, r)
                 for i, r in enumerate(self.of(data, nbits)) if good(r)]
        return max((f for f in found if math.isfinite(f[0])), default=(None,), key=lambda f: f[:2])[-1]


def methods_of(cells):
    """Learned ones first, then rivals, classic ones and ceilings."""
    first = {}
    for c in cells:
        first.setdefault(label_of(c), (text(c, "method"), text(c, "family")))
    rank = {f: i for i, f in enumerate(FAMILIES)}
    order = sorted(first.items(), key=lambda m: (rank.get(m[1][1], 3), m[0], m[1][0]))
    style, found = itertools.count(), []
    for label, (name, family) in order:
        found.append(Method(label, name, family, GREY if family == "ceiling" else next(style) % STYLES))
    return found


def passes(line, wanted):
    """Methods go by label or name, scorings by what stands before a colon."""
    def listed(name, *words):
        return wanted.get(name) is None or any(w in wanted[name].split(",") for w in words)
    if not listed("data", text(line, "data")) or text(line, "method") == "original":
        return listed("data", text(line, "data"))
    return listed("methods", text(line, "method"), label_of(line)) and \
        (text(line, "family") == "ceiling" or listed("bits", str(bits_of(line)))) and \
        (text(line, "type") == "images" or listed("rescore", text(line, "rescore").split(":")[0]))


# ---- What won -----------------------------------------------------------------------------------------------------

def published_path(data, what):
    if what.startswith("recall"):
        return "recall." + what[6:]
    if what.startswith("map"):
        return "label_map" if data.metric == "label" else "map"
    return "reconstruction.mse" if what == "mse" else what


def measures(data, one, published):
    """Paths of values that a set is compared by."""
    paths = [data.main(one), "map", "label_map", "reconstruction.relative"]
    paths += [published_path(one, p["what"]) for p in published if any(r["data"] == one.name for r in p["rows"])]
    return [p for p in dict.fromkeys(paths) if any(r.value(p).n for r in data.of(one))]


def duel(data, one, nbits, path):
    """(outcome, difference, learned result, other result). At equal memory: neither larger codes nor float vectors.
    Decided only where the ranges over the seeds do not overlap. None: there is nothing to compare."""
    sides = [data.best(one, nbits, path, lambda r, learned=learned: r.fits and not r.ceiling and
                       (r.method.family == "learned") == learned) for learned in (True, False)]
    if sides == [None, None]:
        return None
    if None in sides:
        return "alone", math.nan, *sides
    ours, other = (r.value(path) for r in sides)
    gain = ours.median - other.median
    if gain == 0 or (ours.low <= other.high and other.low <= ours.high):
        return "close", gain, *sides
    return "won" if (gain > 0) != (path in LESS) else "lost", gain, *sides
