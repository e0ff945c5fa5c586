#!/usr/bin/env python3
"""Hamming search by liblbh against the newest FAISS, as rows of a table.

`lbh speed` times FAISS as it is linked, which may be old. This program takes faiss-cpu from PyPI
and liblbh through ctypes, each in processes of its own and in turn, on the same random codes. Ours
lie in an ordinary array of numpy (with --pages huge: in huge pages, FAISS's as well); FAISS's
IndexBinaryFlat has copied its own, and is timed in both of its modes. A process takes the best of
some calls, a row the median of the rounds. The limit is what `lbh speed --only limits` says of
reading the codes and of counting their bits, whichever takes longer.

With --index, both sides load one index that faiss-cpu has built (ours with our searches put into it,
see lbh_index_accelerate), and times are microseconds a query.

faiss-cpu comes into a virtual environment of its own. Exit code 77: that cannot be had."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "rivals"))
import environment  # noqa: E402

# Bits and the number of codes: beyond the last cache, as far as that is quick.
LENGTHS = [(32, 5e6), (64, 5e6), (104, 3e6), (128, 5e6), (192, 2e6), (256, 5e5), (256, 2e6),
           (264, 1e6), (512, 5e5), (512, 1e6), (768, 5e5), (1024, 5e5)]
SETS = {
    "main": [(bits, n, nq, 10) for bits, n in [(64, 5e6), (128, 5e6), (256, 5e5), (512, 5e5)]
             for nq in (100, 1)],
    "single": [(bits, n, 1, 10) for bits, n in LENGTHS],
    "batch": [(bits, n, 100, k) for bits, n in [(64, 2e6), (128, 1e6), (256, 5e5), (512, 2e5),
                                                (1024, 1e5)] for k in (1, 10, 100, 1000)],
    "small": [(bits, n, nq, k) for bits in (64, 128, 256, 512, 1024) for n in (1e3, 1e4, 1e5)
              for nq, k in ((1, 10), (100, 10), (100, 100))],
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     epilog="Exit codes: 0, 1, 77 (no faiss-cpu).")
    parser.add_argument("sets", nargs="*", metavar="SET", default=["main"],
                        help=f"of {', '.join(SETS)}, or BITS,CODES,QUERIES,K (main)")
    parser.add_argument("--build", default="build", metavar="DIR", help="where lbh was built")
    parser.add_argument("--rounds", type=int, default=3, help="(3)")
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="(1,2)")
    parser.add_argument("--pages", choices=["ordinary", "huge"], default="ordinary")
    parser.add_argument("--index", default="", metavar="FACTORY",
                        help="search an index of FAISS's (BIVF1024, ...) instead of the array")
    parser.add_argument("--set", default="", metavar="LIST", help="its parameters: nprobe=16")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--venv", metavar="DIR",
                        help="virtual environment (in the user's cache directory)")
    return parser.parse_args()


def cells_of(sets):
    cells = []
    for name in sets:
        cell = SETS.get(name) or [tuple(float(x) for x in name.split(","))]
        if len(cell[0]) != 4:
            sys.exit(f"speed.py: '{name}' is neither a set nor BITS,CODES,QUERIES,K")
        cells += cell
    return [[int(x) for x in cell] for cell in cells]


class Measure:
    """Processes that are started one after the other."""

    def __init__(self, args, python, directory):
        self.args, self.python = args, python
        self.file, self.built = os.path.join(directory, "codes.faiss"), None

    def side(self, side, cell, threads):
        args = self.args
        task = json.dumps({"side": side, "cell": cell, "threads": threads, "pages": args.pages,
                           "build": os.path.abspath(args.build), "index": args.index,
                           "set": args.set, "file": self.file, "train": 100000})
        # numpy would ask for huge pages by itself
        quiet = dict(os.environ, NUMPY_MADVISE_HUGEPAGE="0", OMP_WAIT_POLICY="passive")
        done = subprocess.run([self.python, os.path.join(HERE, "rivals", "scan_times.py"), task],
                              capture_output=True, text=True, env=quiet)
        if done.returncode:
            sys.exit(f"speed.py: {side} failed on {cell}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout else None

    def build(self, cell):
        """The index of the cell's codes, if there is to be one and the last one is another."""
        if self.args.index and self.built != cell[:2]:
            self.side("build", cell, os.cpu_count())
            self.built = cell[:2]

    def limit(self, cell, threads):
        """Nanoseconds a code and query; 0 for an index, which reads and counts what it likes."""
        bits, n, nq, _ = cell
        if self.args.index:
            return 0
        best = limits(self.args.build, bits, n, threads)
        reading = best[f"{self.args.pages} pages"] * bits / 8 / nq
        return max(reading, best["xor and population count"] * -(-bits // 64))


def limits(build, bits, n, threads):
    """{name: nanoseconds} of what `lbh speed` finds for so many codes."""
    done = subprocess.run([os.path.join(build, "lbh"), "speed", "--only", "limits", "--quiet", "--json", "--codes",
                           str(max(1000, n * bits // 64)), "--threads", str(threads), "--repeats", "3"],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return {row["name"].split(" MB in ")[-1]: row["ours"] for row in json.loads(done.stdout)
            if row["threads"] == threads}


def row(measure, cell, threads):
    measure.build(cell)
    rounds = [(measure.side("ours", cell, threads), measure.side("faiss", cell, threads),
               measure.limit(cell, threads)) for _ in range(measure.args.rounds)]
    sums = {ours["sum"] for ours, _, _ in rounds} | {faiss["sum"] for _, faiss, _ in rounds}
    if len(sums) != 1 and not measure.args.index:  # lists at equal distances may be others
        sys.exit(f"speed.py: other distances than FAISS's, of {cell}")
    bits, n, nq, k = cell
    ours, faiss = (statistics.median(r[side]["seconds"] for r in rounds) for side in (0, 1))
    units = nq / 1e6 if measure.args.index else n * nq / 1e9  # in microseconds, in nanoseconds
    return {"bits": bits, "codes": n, "queries": nq, "k": k, "threads": threads,
            "ours": ours / units, "faiss": faiss / units, "ratio": faiss / ours,
            "limit": min(r[2] for r in rounds), "build": rounds[0][1]["build"]}


def machine():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else os.uname().machine


def print_row(args, r, first):
    if first:
        what = f"{args.index} {args.set}, us a query" if args.index else "ns a code and query"
        print(f"{machine()}, {args.pages} pages, {r['build']}; {what}\n")
        print("| bits | codes | queries | k | threads | ours | FAISS | ratio | limit |")
        print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    limit = f"{r['limit']:.3g}" if r["limit"] else "-"
    print(f"| {r['bits']} | {r['codes']:,} | {r['queries']} | {r['k']} | {r['threads']} | "
          f"{r['ours']:.3g} | {r['faiss']:.3g} | {r['ratio']:.2f} | {limit} |", flush=True)


def run(args, python, directory):
    measure, rows = Measure(args, python, directory), []
    for cell in cells_of(args.sets):
        for threads in (int(t) for t in args.threads.split(",")):
            rows.append(row(measure, cell, threads))
            if not args.json:
                print_row(args, rows[-1], len(rows) == 1)
    if args.json:
        print(json.dumps({"machine": machine(), "pages": args.pages, "rows": rows}, indent=1))


def main():
    args = arguments()
    python = environment.python("speed.py", args.venv)
    if not python:
        return 77
    with tempfile.TemporaryDirectory() as directory:
        run(args, python, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
