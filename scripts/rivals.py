#!/usr/bin/env python3
"""FAISS's own methods by the newest FAISS, as rows of `lbh bench`.

The FAISS that lbh is linked with may be old: Debian 12's has no RaBitQ. This program asks
`lbh bench --plan` for the data, their neighbours and the cells, measures the rivals (faiss-lsh
faiss-itq pq opq pqfs rabitq sq flat) with PyPI's faiss-cpu by the same definitions, and appends
JSON lines to DIR/rivals.jsonl, which `lbh bench` and `lbh report` read beside their own. `rabitq` stands for four: one bit a
dimension, the same with fast scan, two bits and four. Cells that are there are kept.

faiss-cpu comes into a virtual environment of its own, made on the first run with pip as it is
configured on the machine. Exit code 77: that cannot be had."""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "rivals"))
import environment  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     epilog="Exit codes: 0, 1 (some cells failed, or bad input), "
                                            "77 (no faiss-cpu).")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("spec", nargs="?", metavar="SPEC", help="specification, as of lbh bench")
    what.add_argument("--preset", help="one of lbh bench's instead (bench/presets)")
    parser.add_argument("--out", default="bench", metavar="DIR", help="results (bench)")
    parser.add_argument("--data", metavar="DIR", help="directory of the known data sets")
    parser.add_argument("--quick", action="store_true",
                        help="at most 10,000 rows, 1,000 queries, one seed and 64 bits")
    parser.add_argument("--methods", metavar="LIST", help="only these, separated by commas")
    parser.add_argument("--threads", type=int, help="(the specification's, or all cores)")
    parser.add_argument("--lbh", metavar="PATH", help="the command lbh (build/lbh, or of PATH)")
    parser.add_argument("--venv", metavar="DIR",
                        help="virtual environment (in the user's cache directory)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    if not args.inside:
        python = environment.python("rivals.py", args.venv)
        if not python:
            return 77
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        os.execv(python, [python, os.path.realpath(__file__), "--inside", *sys.argv[1:]])
    import runner
    try:
        return runner.Run(args, os.path.join(HERE, os.pardir)).run()
    except runner.Refused as error:
        print(f"rivals.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
