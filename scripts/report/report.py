#!/usr/bin/env python3
"""report.py: draws what `lbh` has read or measured. `lbh` starts it with one JSON document as its input and keeps what
it prints: {"job": "page" | "figure" | "chart" | "check", ...}. Exit code 64: the command line is at fault."""
import json
import logging
import sys

sys.dont_write_bytecode = True
sys.setrecursionlimit(10000)  # for lists within lists
logging.disable()  # what Matplotlib says about its font cache
try:
    import page
    from results import Data, Problem
except ImportError as error:
    sys.exit(f"Python has no {error.name or error} (Debian: apt-get install python3-jinja2 python3-matplotlib)")


def main():
    job = json.loads(sys.stdin.buffer.read().decode("utf-8", "replace"))
    if job["job"] == "check":
        return ""
    if job["job"] == "chart":
        return page.chart(job)
    data = Data(job["lines"], job["wanted"], job.get("recall"))
    return page.figure(job, data) if job["job"] == "figure" else page.page(job, data)


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(main().encode("utf-8"))
    except Problem as problem:
        print(problem, file=sys.stderr)
        sys.exit(64 if problem.usage else 1)
