"""draw.py: one chart as SVG. Matplotlib lays it out; what it draws is then told apart by groups and colours, so
that the page's style sheet colours it (light, dark, hidden lines), and every marker says its value."""
import html
import io
import math
import re
import xml.etree.ElementTree as xml

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lbh", "font.size": 12.5, "path.simplify": False,
                            "axes.unicode_minus": False, "axes.spines.top": False, "axes.spines.right": False})
STYLES, GREY, DASHES = 24, 24, 5
# Circle, square, diamond, triangles, cross, hexagon, x.
SHAPES = ("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-3.6 -3.6h7.2v7.2h-7.2z", "M0 -5l5 5l-5 5l-5 -5z", "M0 -5l5 8.5h-10z",
          "M0 5l5 -8.5h-10z", "M-5 -1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",
          "M-3 -4.6h6l3 4.6l-3 4.6h-6l-3 -4.6z",
          "M-4.5 -4.5h2.4l2.1 3l2.1 -3h2.4l-3 4.5l3 4.5h-2.4l-2.1 -3l-2.1 3h-2.4l3 -4.5z")
COLOURS = {"#010101": "grid", "#020202": "axis", "#030303": "ink", "#040404": "soft"}
GRID, AXIS, INK, SOFT = COLOURS
# Neighbouring colours stay apart for the colour-blind; each has a contrast of 4.5 and more on its page.
STYLE = """.page{fill:#fff}.ink{fill:#1f2328}.soft{fill:#59636e}
.grid{stroke:#dfe3e8;fill:none}.axis{stroke:#59636e;fill:none}.spread{stroke:currentColor;opacity:.55;fill:none}
.line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
.mark,.lab{fill:currentColor}.hollow{fill:#fff;stroke:currentColor;stroke-width:1.8}
.d1 .line{stroke-dasharray:8 3}.d2 .line{stroke-dasharray:2 3}
.d3 .line{stroke-dasharray:9 3 2 3}.d4 .line{stroke-dasharray:4 4}.faint{opacity:.4}
.s0{color:#0a5cc2}.s1{color:#bc4c00}.s2{color:#1a7f37}.s3{color:#8250df}
.s4{color:#8a6100}.s5{color:#bf3989}.s6{color:#08757f}.s7{color:#a40e26}.s8{color:#6e7781}
@media screen and (prefers-color-scheme:dark){
.page{fill:#0d1117}.ink{fill:#f0f6fc}.soft{fill:#9198a1}
.grid{stroke:#262c35}.axis{stroke:#9198a1}.hollow{fill:#0d1117}
.s0{color:#58a6ff}.s1{color:#f0883e}.s2{color:#3fb950}.s3{color:#bc8cff}
.s4{color:#d8b13a}.s5{color:#f778ba}.s6{color:#39c5cf}.s7{color:#ff7b72}.s8{color:#8b949e}
}
"""


def plain(text):
    """Without what XML does not allow, on one line."""
    return re.sub("[^\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffc\U00010000-\U0010ffff]", "?", str(text))


def escape(text):
    return html.escape(plain(text))


def short(v):
    """2.5M for 2500000."""
    for power, letter in ((9, "G"), (6, "M"), (3, "k")):
        if abs(v) >= 10 ** power:
            return f"{v / 10 ** power:.4g}{letter}" if abs(v) < 1e13 else f"{v:.3g}"
    return f"{v:.4g}"


def classes(style, dash=0):
    style = style if style == GREY else style % STYLES
    return f"s{8 if style == GREY else style % 8} m{style} d{dash % DASHES}"


def mark(style, x, y, tip=None):
    style = style if style == GREY else style % STYLES
    turn = style // 8 % 3
    shape = SHAPES[0 if style == GREY else (style + 3 * turn) % 8]
    title = "" if tip is None else f"<title>{escape(tip)}</title>"
    return (f'<path d="{shape}" transform="translate({x:.2f} {y:.2f})" class="mark{" hollow" * (turn == 1)}">'
            f"{title}</path>\n")


def sample(style, dash, x=1, y=7):
    return (f'<g class="{classes(style, dash)}"><path class="line" d="M{x} {y}h28"/>{mark(style, x + 14, y)}</g>')


# ---- Axes ---------------------------------------------------------------------------------------------------------

def log_ticks(low, high):
    """1, 2, 5 or powers of ten only, as there is room; the ends stay as they are."""
    powers = range(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9) + 1)
    factors = range(1, 10) if high / low < 4 else (1, 2, 5) if high / low < 300 else (1,)
    powers = [p for i, p in enumerate(powers) if high / low < 1e7 or i % max(2, len(powers) // 6) == 0]
    return [v for v in (m * 10.0 ** p for p in powers for m in factors) if low * .999 <= v <= high * 1.001]


def round_log(v, up):
    power = 10.0 ** math.floor(math.log10(v) + 1e-9)
    steps = [m * power for m in (1, 2, 5, 10)]
    return min(s for s in steps if s >= v * (1 - 1e-9)) if up else max(s for s in steps if s <= v * (1 + 1e-9))


def log_axis(values, fit):
    low, high = min(values), max(values)
    if fit or round_log(high, False) <= round_log(low, True):
        low, high = round_log(low, False), round_log(high, True)
    high = high if high > low else 10 * low
    return low, high, log_ticks(low, high)


def even_axis(values, fit, from_zero, count):
    """fit: the ends are ticks, too."""
    low, high = min(values), max(values)
    low = min(low, 0) if from_zero else low
    high = high if high > low else low + (abs(low) or 1)
    ticks = list(MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(low, high))
    return (ticks[0], ticks[-1], ticks) if fit else (low, high, [t for t in ticks if low <= t <= high])


def set_x(axes, chart, series, width):
    values = [x for s in series for x in s["x"]] + list(chart.get("ticks", ()))
    if not chart.get("log_x"):
        low, high, ticks = even_axis(values, chart.get("fit_x"), False, max(width // 50, 2))
        ticks = list(chart.get("ticks", ticks))
        return axes.set_xlim(low, high), ticks, ticks
    least = min((v for v in values if v > 0), default=1)
    low, high, ticks = log_axis([max(v, least) for v in values], chart.get("fit_x"))
    ticks = names = [t for t in chart.get("ticks", ()) if t > 0] or ticks
    if min(values) <= 0:  # a place of its own, left of the rest
        nothing = low * (low / high) ** (44 / (width - 44))
        for s in series:
            s["x"] = [x if x > 0 else nothing for x in s["x"]]
        low, ticks, names = nothing, [nothing] + ticks, [0] + names
    axes.set_xscale("log")
    return axes.set_xlim(low, high), ticks, names


def set_y(axes, chart, series, height):
    values = [v for s in series for i, y in enumerate(s["y"]) for v in (y, *s.get("spread", {}).get(i, ()))]
    if chart.get("log_y"):
        axes.set_yscale("log")
        low, high, ticks = log_axis([v for v in values if v > 0], True)
    else:
        low, high, ticks = even_axis(values, True, not chart.get("fit_y"), min(max(height // 36, 2), 8))
        if chart.get("y_most") and max(values) <= chart["y_most"] < high:
            high = chart["y_most"]
    axes.set_ylim(low, high)
    return [t for t in ticks if low - 1e-9 <= t <= high + 1e-9 * abs(high)]


# ---- From what Matplotlib drew ------------------------------------------------------------------------------------

def rounded(path):
    return re.sub(r"\s+", " ", re.sub(r"(\.\d\d)\d+", r"\1", path)).strip()


def put_series(group, s):
    """A line is the first path of its group, its markers are the <use>s behind it."""
    out = [f'<g class="series {classes(s.get("style", 0), s.get("dash", 0))}{" faint" * (s.get("form") == "faint")}">']
    out += [f'<title>{escape(s["name"])}</title>\n'] if s.get("name") else []
    line = group.find("./{*}path")
    if s.get("form", "line") == "line" and line is not None:
        out.append(f'<path class="line" d="{rounded(line.get("d"))}"/>\n')
    places = [(float(u.get("x")), float(u.get("y"))) for u in group.iter() if u.tag.endswith("}use")]
    for x, (low, high) in s["bars"]:
        out.append(f'<path class="spread" d="M{x:.2f} {low:.2f}V{high:.2f}"/>\n')
    every = len(places) // 8 if s.get("form", "line") == "line" and len(places) > 24 else 1
    for i in range(s.get("style", 0) % every if every > 1 else 0, len(places), every):
        out.append(mark(s.get("style", 0), *places[i], s["tips"][i]))
    return "".join(out) + "</g>\n"


def put_text(node):
    words = dict(re.findall(r"([\w-]+): ([^;]+)", node.get("style", "")))
    anchor = words.get("text-anchor", "start")
    bold = ' font-weight="600"' if re.search(r"\b(bold|[67]00)\b", words.get("font", "")) else ""
    name = COLOURS.get(words.get("fill"), "ink")
    return (f'<text x="{float(node.get("x")):.2f}" y="{float(node.get("y")):.2f}" text-anchor="{anchor}" '
            f'class="{name}"{bold}>{html.escape(node.text or "")}</text>\n')


def put_nodes(node, series, out):
    for child in node:
        tag, style = child.tag.rpartition("}")[2], child.get("style", "")
        if re.fullmatch(r"series\d+", child.get("id", "")):
            out.append(put_series(child, series[int(child.get("id")[6:])]))
        elif tag == "text":
            out.append(put_text(child))
        elif tag == "path":
            colour = re.search("stroke: (#[0-9a-f]{6})", style)
            if colour and colour[1] in COLOURS:
                out.append(f'<path class="{COLOURS[colour[1]]}" d="{rounded(child.get("d"))}"/>\n')
        else:
            put_nodes(child, series, out)


def end_labels(axes, series, height):
    """Right of the lines' ends, moved apart where they would lie on each other."""
    at = sorted((height - axes.transData.transform((s["x"][-1], s["y"][-1]))[1], i) for i, s in enumerate(series)
                if s.get("label"))
    places = []
    for y, _ in at:
        places.append(max(y, places[-1] + 14) if places else y)
    foot = height - axes.bbox.y0
    out = []
    for k, (_, i) in enumerate(at):
        y = min(places[k], foot - 14 * (len(at) - 1 - k))
        x = axes.transData.transform((series[i]["x"][-1], series[i]["y"][-1]))[0]
        out.append(f'<text x="{x + 10:.2f}" y="{y + 4:.2f}" class="lab {classes(series[i].get("style", 0))}">'
                   f'{escape(series[i]["label"])}</text>\n')
    return out


def chart_svg(chart, width, height, left=60, top=48, foot=50):
    """The chart from (0, 0), without the svg element. A series has x, y, tips, and perhaps name, label, style, dash,
    form (line, dots, faint) and spread, {point: (low, high)}."""
    series = [dict(s) for s in chart["series"]]
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    right = 66 if any(s.get("label") for s in series) else 14
    axes = figure.add_axes((left / width, foot / height, 1 - (left + right) / width, 1 - (top + foot) / height))
    axes.patch.set_visible(False)
    _, places, names = set_x(axes, chart, series, width - left - right)
    y_ticks = set_y(axes, chart, series, height - top - foot)
    for axis, ticks, labels in ((axes.xaxis, places, names), (axes.yaxis, y_ticks, y_ticks)):
        axis.set_minor_locator(NullLocator())
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter([short(0 if abs(v) < 1e-12 else v) for v in labels]))
    axes.tick_params(left=False, bottom=False, labelcolor=SOFT)
    axes.tick_params(axis="x", pad=8)
    axes.grid(color=GRID)
    for side in ("left", "bottom"):
        axes.spines[side].set_edgecolor(AXIS)
    axes.set_xlabel(plain(chart["x_title"]), color=SOFT, parse_math=False)
    above = height - top
    for y, text, weight, colour in ((above + 26, chart.get("title", ""), "bold", INK),
                                    (above + 10, chart["y_title"], "normal", SOFT)):
        figure.text(12 / width, y / height, plain(text), fontweight=weight, color=colour, parse_math=False)
    for i, s in enumerate(series):
        axes.plot(s["x"], s["y"], marker="o", gid=f"series{i}", clip_on=False)
        ends = [(s["x"][k], pair) for k, pair in s.get("spread", {}).items() if pair[0] > 0 or not chart.get("log_y")]
        s["bars"] = [(axes.transData.transform((x, low))[0],
                      [height - axes.transData.transform((x, v))[1] for v in (low, high)]) for x, (low, high) in ends]
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    out = []
    put_nodes(xml.fromstring(text.getvalue()), series, out)
    return "".join(out + end_labels(axes, series, height))
