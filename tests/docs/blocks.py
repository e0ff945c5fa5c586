"""blocks.py: code blocks of the documents, and the documents themselves.

A block is what stands between ```LANGUAGE and ```. A block without a language, or with `text`, is a
picture and not code. A comment line directly before a block says that it is not run, and why:

    <!-- not run: it installs packages -->
"""
import glob
import os
import re
from dataclasses import dataclass

LANGUAGES = {"sh", "c", "python"}
PICTURES = {"", "text"}

# README.md is kept free of comments for tests.
NOT_RUN = {("README.md", "scripts/demo.sh"): "the demonstration and all tests: minutes",
           ("docs/measurements.md", "build/lbh bench --preset compare --data data --out compare"):
               "all methods on data that must be fetched: half an hour"}


@dataclass
class Block:
    document: str
    line: int  # of the opening fence
    language: str
    text: str
    reason: str  # why it is not run, or ""

    def __str__(self):
        return f"{self.document}:{self.line} ({self.language})"


def documents(source):
    """Paths, relative to the source tree."""
    found = ["README.md", "CONTRIBUTING.md", "c_api/README.md", "plugin/encoders/README.md"]
    for pattern in "docs/*.md", "scripts/*/README.md", "bench/*/README.md":
        paths = glob.glob(os.path.join(source, pattern))
        found += sorted(os.path.relpath(p, source) for p in paths)
    return [d for d in found if os.path.exists(os.path.join(source, d))]


def read(source, document):
    with open(os.path.join(source, document), encoding="utf-8") as file:
        return file.read()


def blocks(source, document):
    """All blocks of a document that hold code. ValueError for a fence that is not understood."""
    found, lines = [], read(source, document).split("\n")
    start = None
    for i, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start, language = i, line[3:].strip()
            if language not in LANGUAGES | PICTURES:
                raise ValueError(f"{document}:{i + 1}: language {language!r} is none of "
                                 f"{sorted(LANGUAGES)}, and not 'text'")
            continue
        body = lines[start + 1:i]
        if language in LANGUAGES:
            mark = re.fullmatch(r"<!-- not run: (.+) -->", lines[start - 1].strip())
            first = body[0].split("#")[0].strip() if body else ""
            reason = mark[1] if mark else NOT_RUN.get((document, first), "")
            found.append(Block(document, start + 1, language, "\n".join(body) + "\n", reason))
        start = None
    if start is not None:
        raise ValueError(f"{document}:{start + 1}: the block is not closed")
    return found


def prose(source, document):
    """The text of a document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", read(source, document), flags=re.S | re.M)
