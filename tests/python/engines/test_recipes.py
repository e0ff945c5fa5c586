"""test_recipes.py SOURCE HEADING...: runs the Python blocks of docs/engines.md under these headings that say so, each heading
in a process and a directory of its own, as its reader would: with `base`, `queries` and `labels`, arrays."""
import os
import subprocess
import sys
import tempfile


BEFORE = """
import os, sys
import numpy as np
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
os.environ.setdefault("PYSPARK_SUBMIT_ARGS", "--conf spark.ui.enabled=false --conf spark.ui.showConsoleProgress=false "
                      "--conf spark.sql.shuffle.partitions=2 pyspark-shell")  # for speed
rng = np.random.default_rng(1)
labels = rng.integers(0, 5, 2000)
base = (rng.normal(size=(2000, 32)) + 2 * rng.normal(size=(5, 32))[labels]).astype(np.float32)
queries = base[:20] + rng.normal(size=(20, 32)).astype(np.float32) / 10
"""


def main():
    source, headings = sys.argv[1], sys.argv[2:]
    sys.path.insert(0, os.path.join(source, "tests", "docs"))
    import blocks as docs
    lines = docs.read(source, "docs/engines.md").split("\n")
    at = {line.lstrip("# "): i for i, line in enumerate(lines) if line.startswith("#")}
    for heading in headings:
        first = at[heading] + 1
        last = min([i for i in at.values() if i >= first], default=len(lines))
        program = "".join(b.text for b in docs.blocks(source, "docs/engines.md")
                          if b.language == "python" and first <= b.line <= last and "test_recipes.py" in b.reason)
        assert program.count("assert"), f"{heading}: no block that checks anything"
        with tempfile.TemporaryDirectory() as there:
            done = subprocess.run([sys.executable, "-c", BEFORE + program], cwd=there, timeout=600)
        if done.returncode:
            sys.exit(f"docs/engines.md, {heading}: exit code {done.returncode}")
        print(f"docs/engines.md, {heading}: {program.count('assert')} assertions hold")


if __name__ == "__main__":
    main()
