#!/usr/bin/env python3
"""docs/papers.md: every table and figure of the three papers beside what was measured here.

    scripts/papers.py                   writes docs/papers.md again
    scripts/papers.py --add RESULTS...  first takes medians out of directories of `lbh bench` into scripts/papers/ours.tsv

The page comes from scripts/papers/items.ini (kept by hand: what each item is, deviations, claims), the presets (which
have the published numbers), and ours.tsv (a line a preset, set, row, length and measure). Needs nothing but Python."""
import argparse
import configparser
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
OURS = os.path.join(HERE, "papers", "ours.tsv")
COLUMNS = ("preset", "data", "row", "nbits", "what", "median", "least", "greatest", "seeds", "source")


PAPERS = ("sgh-", "jmlh-", "sigah-")  # presets of other names are not of the papers


def presets(lbh):
    """{name: {data: base}, rows, published sections} of all presets, in the order of their names."""
    def told(*args):
        return subprocess.run([lbh, "bench", *args], capture_output=True, text=True, check=True).stdout
    found = {}
    for name in (line.split()[0] for line in told("--list-presets").splitlines() if line.strip()):
        text = told("--print-preset", name)
        preset = {"data": {}, "rows": [], "published": []}
        for kind, what, body in re.findall(r"^\[(\w+) ?([^]]*)\]\n(.*?)(?=^\[|\Z)", text, re.M | re.S):
            keys = dict(re.findall(r"^([^#\n=]+?) = (.*)$", body, re.M))
            if kind == "data":
                preset["data"][what] = keys["base"]
            elif kind == "method":
                label = keys.get("label", what)
                preset["rows"] += [label] if label not in preset["rows"] else []
            elif kind == "published":
                source, nbits, measure = (keys.pop(k) for k in ("source", "nbits", "what"))
                preset["published"].append({"source": source, "what": measure, "nbits": nbits.split(),
                                            "rows": {tuple(k.split(" ", 1)): v.split() for k, v in keys.items()}})
        found[name] = preset
    return found


def value(cell, what):
    """A measure of a line of results, by the names of published tables; None: not measured."""
    k_n = re.fullmatch(r"recall(\d+)@(\d+)", what)
    if k_n:
        for r in cell.get("recall", []):
            if r["k"] == int(k_n[1]) and int(k_n[2]) in r["at"]:
                return r["value"][r["at"].index(int(k_n[2]))]
        return None
    name, _, at = what.partition("@")
    if name == "precision" and int(at) in cell.get("precision", {}).get("at", []):
        return cell["precision"]["value"][cell["precision"]["at"].index(int(at))]
    if name == "map":
        if at:
            cut = cell.get("map_at", {})
            return cut.get("skip") if cut.get("r") == int(at) else None
        return cell.get("label_map") if cell["metric"] == "label" else cell.get("map")
    return cell.get("reconstruction", {}).get("mse") if what == "mse" else cell.get(what)


def read_ours(path):
    with open(path, encoding="utf-8") as file:
        head, *lines = [line.rstrip("\n").split("\t") for line in file]
    if tuple(head) != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
        sys.exit(f"papers.py: {path}: not a table of {', '.join(COLUMNS)}")
    return {tuple(line[:5]): dict(zip(COLUMNS, line)) for line in lines}


def add(folders, measures, path, named):
    """Medians over seeds of each preset, set, row, length and measure."""
    ours, groups = read_ours(path), {}
    for folder in folders:
        with open(os.path.join(folder, "bench.jsonl"), encoding="utf-8") as file:
            for line in file:
                cell = json.loads(line) if line.endswith("\n") else {}
                if cell.get("type") == "cell" and not (named or cell["preset"]):
                    sys.exit(f"papers.py: {folder} is of no preset; --preset NAME says of which it is a part")
                if cell.get("type") == "cell" and cell["status"] == "ok" and cell["index"] in ("", "BFlat") and \
                        cell["rescore"] in ("hamming", "none", "decoder"):
                    for what in measures:
                        v = value(cell, what)
                        key = (named or cell["preset"], cell["data"], cell["label"], str(cell["nbits"]), what)
                        if v is not None:
                            source = f"lbh {cell['library']} ({cell['git']}), {cell['date'][:10]}, {cell['cpu']}"
                            groups.setdefault(key, {})[cell["seed"]] = v, source
    for key, seeds in groups.items():
        v = [x for x, _ in seeds.values()]
        source = next(iter(seeds.values()))[1]
        ours[key] = dict(zip(COLUMNS, (*key, *(f"{x:.6g}" for x in (statistics.median(v), min(v), max(v))), str(len(v)), source)))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\t".join(COLUMNS) + "\n")
        for key in sorted(ours, key=lambda k: (k[0], k[1], k[4], k[2], int(k[3]))):
            file.write("\t".join(ours[key][c] for c in COLUMNS) + "\n")
    print(f"{len(groups)} medians; {path} has {len(ours)}")


def short(number, what, digits):
    """A number of ours, with as many digits as the papers print: .843, or whole."""
    x = float(number)
    if what == "train_s" or abs(x) >= 10:
        return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"
    return re.sub(r"^0(?=\.)", "", f"{x:.{digits}f}")


def table(item, preset, whole):
    """Lines of Markdown: a row a set and method, published and ours."""
    ours = {key[1:]: line for key, line in whole.items() if key[0] == item["preset"]}
    wanted = []  # (what, nbits, {(data, row): published})
    for p in preset["published"]:
        wanted.append((p["what"], p["nbits"], p["rows"], p["source"]))
    for what in item.get("measures", "").split():
        if what not in [w[0] for w in wanted]:
            nbits = sorted({k[2] for k in ours if k[3] == what and k[0] in preset["data"] and k[1] in preset["rows"]}, key=int)
            wanted.append((what, nbits, {}, ""))
    for what, nbits, published, source in wanted:
        digits = max([3] + [len(v.partition(".")[2]) for row in published.values() for v in row])
        pairs = [(d, r) for d in preset["data"] for r in preset["rows"]
                 if (d, r) in published or any((d, r, b, what) in ours for b in nbits)]
        others = [pair for pair in published if pair not in pairs]
        if not pairs and not others:
            continue
        yield ""
        yield f"| {what}{', ' + source if source else ''}: {' / '.join(nbits)} bits | published | ours |"
        yield "|---|---:|---:|"
        for d, r in pairs:
            was = " / ".join(published.get((d, r), []))
            here = [ours.get((d, r, b, what)) for b in nbits]
            seeds = {h["seeds"] for h in here if h}
            got = " / ".join(short(h["median"], what, digits) if h else "-" for h in here) if seeds else ""
            fewest = min(map(int, seeds), default=3)
            note = "" if fewest >= 3 else f" ({fewest} seed{'s' if fewest > 1 else ''})"
            yield f"| {d}: {r} | {was or '-'} | {got + note if got else missing(preset['data'][d])} |"
        if others:
            yield f"| rows of methods that are not here: {', '.join(sorted({r for _, r in others}))} | in the preset | - |"


def missing(base):
    return "not measured" if base in AT_HAND else "needs data"


AT_HAND = ("mnist", "sift", "word2vec", "reuters")  # sets of this kind were at hand; other ones are needed from the user


def page(lbh, path):
    items = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    items.optionxform = str
    items.read(os.path.join(HERE, "papers", "items.ini"), encoding="utf-8")
    known, ours = presets(lbh), read_ours(path)
    yield from items["page"]["head"].split("\n")
    named = set()
    for section in items.sections():
        item = items[section]
        if section == "page":
            continue
        if section.startswith("paper "):
            yield from ("", f"## {section[len('paper '):]}", "", *item["about"].split("\n"))
            continue
        if item["preset"] not in known:
            print(f"papers.py: left out: items.ini names the preset {item['preset']}, which there is not", file=sys.stderr)
            continue
        yield from ("", f"### {section}", "")
        named.add(item["preset"])
        yield f"`lbh bench --preset {item['preset']}`"
        for key, title in ("claim", "The paper"), ("holds", "Here"), ("deviation", "Deviations"):
            if key in item:
                yield f"- {title}: " + " ".join(item[key].split())
        bases = dict.fromkeys(b for b in known[item["preset"]]["data"].values() if b not in AT_HAND)
        if bases:
            yield "- Needs data: " + ", ".join(f"`scripts/get_data.sh --layout {base}`" for base in bases)
        yield from table(item, known[item["preset"]], ours)
    left = sorted(name for name in set(known) - named if name.startswith(PAPERS))
    if left:
        yield from ("", "## Other presets", "", ", ".join(f"`lbh bench --preset {name}`" for name in left))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--add", nargs="+", metavar="RESULTS", default=[])
    parser.add_argument("--measures", nargs="+", default=["map", "map@1000", "map@5000", "precision@100", "mse", "train_s",
                                                          "recall1@100", "recall10@100", "recall100@100"])
    parser.add_argument("--preset", metavar="NAME", help="the results are a part of this preset, run from a copy of it")
    parser.add_argument("--lbh", default=os.path.join(HERE, os.pardir, "build", "lbh"), metavar="PATH")
    parser.add_argument("--ours", default=OURS, metavar="FILE", help="the table of what was measured here")
    parser.add_argument("-o", default=os.path.join(HERE, os.pardir, "docs", "papers.md"), metavar="FILE")
    args = parser.parse_args()
    if args.add:
        add(args.add, args.measures, args.ours, args.preset)
    text = "\n".join(page(args.lbh, args.ours)) + "\n"
    with open(args.o, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
