"""test_names.py SOURCE LBH: what the prose of the documents names exists.

Links lead to files and headings of this tree; paths in `code` are there; `lbh COMMAND --option` is
a command and an option of it; `lbh_function` is in a public header; figures of three places
(".618") in docs/ stand in one of the documents that say how they were measured.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blocks as docs  # noqa: E402

ROOMS = ("plugin/", "c_api/", "bench/", "tests/", "scripts/", "docs/")
# Documents of measurements, with the commands that made them.
MEASURED = ("README.md", "docs/measurements.md", "plugin/encoders/README.md", "docs/reliability.md", "docs/papers.md",
            "docs/scale.md")
HEADERS = ("plugin/include/lbh.h", "plugin/include/lbh_scan.h", "plugin/include/lbh_mih.h", "plugin/include/lbh_exact.h",
           "c_api/include/lbh_faiss.h",
           "c_api/include/lbh_pipeline.h", "plugin/method/method.h", "plugin/system/error.h", "plugin/system/durable_file.h")


def anchors(text):
    """GitHub's names of the headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def options(lbh, cache={}):
    """{command: its long and short options}, from --help."""
    if not cache:
        top = subprocess.run([lbh, "--help"], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"^  (\w+)  ", top.split("Commands:")[1], re.M):
            text = subprocess.run([lbh, name, "--help"], capture_output=True, text=True,
                                  check=True).stdout
            cache[name] = set(re.findall(r"^ {2}(?:-\w, | {4})(--[\w-]+)", text, re.M)) | \
                set(re.findall(r"^ {2}(-\w), ", text, re.M))
            cache[name].add("--help")
    return cache


def check_links(source, document, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(source, os.path.dirname(document), path)) if path \
            else os.path.join(source, document)
        if not os.path.exists(full):
            yield f"link to {target}: no such file"
        elif anchor and anchor not in anchors(open(full, encoding="utf-8").read()):
            yield f"link to {target}: no such heading"


def check_paths(source, spans):
    for span in spans:
        word = span.split()[0] if span.split() else ""
        if word.startswith(ROOMS) and re.fullmatch(r"[\w./-]+", word) and \
                not os.path.exists(os.path.join(source, word)):
            yield f"`{span}`: {word} is not in the tree"


def check_commands(lbh, spans):
    known = options(lbh)
    for span in spans:
        match = re.match(r"(?:build/)?lbh (\w+)(.*)", span, re.S)
        if not match:
            continue
        if match[1] not in known:
            yield f"`{span}`: no command {match[1]}"
            continue
        for option in re.findall(r"(?<=\s)--?[a-z][\w-]*", match[2]):
            if option not in known[match[1]]:
                yield f"`{span}`: lbh {match[1]} has no option {option}"


def check_functions(source, spans):
    declared = "".join(open(os.path.join(source, h), encoding="utf-8").read() for h in HEADERS)
    for span in spans:
        for name in re.findall(r"\blbh_\w+[a-z0-9]\b", span):
            if not re.search(rf"\b{name}\b", declared) and name not in ("lbh_faiss", "lbh_static", "lbh_room"):
                yield f"`{span}`: {name} is in no public header"


def figures(text):
    return set(re.findall(r"(?<![\w.])0?(\.\d{3})\b", text))


def check_figures(source, document, text):
    if document.startswith("docs/") and document not in MEASURED:
        measured = set.union(*(figures(docs.read(source, d)) for d in MEASURED))
        for figure in sorted(figures(text) - measured):
            yield f"{figure} is in no table of measurements"


def main():
    source, lbh = sys.argv[1:3]
    bad = count = 0
    for document in docs.documents(source):
        text = docs.prose(source, document)
        spans = [re.sub(r"\s+", " ", s) for s in re.findall(r"`([^`]+)`", text)]
        count += len(spans)
        for problem in (*check_links(source, document, text), *check_paths(source, spans),
                        *check_commands(lbh, spans), *check_functions(source, spans),
                        *check_figures(source, document, text)):
            print(f"{document}: {problem}")
            bad += 1
    print(f"{count} names in the documents looked at, {bad} wrong")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
