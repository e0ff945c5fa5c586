#!/usr/bin/env python3
"""`lbh train` beside the same maths in PyTorch, by turns, as rows of a table.

Each round trains by lbh and by the peer (sgh_torch.py, sigah_torch.py, jmlh_torch.py), each in a process
of its own, once with all steps and once with next to none. "start to end" is the first, from the file
to the encoder (lbh: to the model file, with all that it notes on quality; PyTorch: without the time
that importing it takes); "a step" is the difference over the steps, so that what surrounds them drops
out (sgh: its last stage is in it, of one step for fifteen). A row is the median of the rounds;
seconds of the clock, and of the processor, which other programs disturb less.

PyTorch is what runs this program, or comes into a virtual environment of its own from PyPI. Exit code
77: that cannot be had."""
import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "scripts", "rivals"), os.path.join(ROOT, "scripts")]
import environment  # noqa: E402
import speed  # noqa: E402

FEW = {"sgh": 15, "sigah": 10, "jmlh": 10}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     epilog="Exit codes: 0, 1, 77 (no PyTorch).")
    parser.add_argument("--method", choices=sorted(FEW), action="append", help="may repeat (all)")
    parser.add_argument("--data", default="data/mnist", metavar="DIR",
                        help="with base.bvecs, base_labels.ivecs, query.bvecs, query_labels.ivecs")
    parser.add_argument("--build", default="build", metavar="DIR", help="where lbh was built")
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, default=0, help="0: the method's own")
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="(1,2)")
    parser.add_argument("--rounds", type=int, default=3, help="(3)")
    parser.add_argument("--compile", action="store_true", help="the peer through torch.compile")
    parser.add_argument("--quality", action="store_true", help="what the codes of both sides find, too")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--venv", metavar="DIR",
                        help="virtual environment (in the user's cache directory)")
    return parser.parse_args()


class Sides:
    """Commands of both sides on the same rows."""

    def __init__(self, args, python, directory):
        self.args, self.python, self.directory = args, python, directory
        self.lbh = os.path.join(args.build, "lbh")

    def data(self, name):
        return os.path.join(self.args.data, name)

    def out(self, name):
        return os.path.join(self.directory, name)

    def labels(self, method):
        return ["--labels", self.data("base_labels.ivecs")] if method == "jmlh" else []

    def call(self, command):
        """Seconds of the clock and of the processor, and what was printed."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"train_beside_torch.py: {' '.join(command)}: {done.stderr.strip()}")
        cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return (took, cpu), done.stdout

    def ours(self, method, steps, threads):
        return self.call([self.lbh, "train", "--method", method, "--nbits", str(self.args.bits),
                          "--base", self.data("base.bvecs"), *self.labels(method), "--quiet",
                          "--threads", str(threads), "-o", self.out("model"),
                          *(["--set", f"steps={steps}"] if steps else [])])[0]

    def peer(self, method, steps, threads, keep=False):
        args = self.args
        text = self.call([self.python, os.path.join(HERE, f"{method}_torch.py"),
                          self.data("base.bvecs"), *self.labels(method), "--bits", str(args.bits),
                          "--threads", str(threads), "--steps", str(steps),
                          *(["--compile"] if args.compile else []),
                          *(["--codes", self.out("codes.npz"), "--queries",
                             self.data("query.bvecs")] if keep else [])])[1]
        self.said = json.loads(text)
        return self.said["seconds"], self.said["cpu_seconds"]

    def quality(self, method):
        """Of lbh's last model and of the peer's last codes: mAP by labels, or recall 10@100."""
        for part in ("base", "query"):
            self.call([self.lbh, "encode", "--quiet", "--model", self.out("model"), "--input",
                       self.data(f"{part}.bvecs"), "-o", self.out(f"{part}.npy")])
        return json.loads(self.call([self.python, os.path.join(HERE, "codes_quality.py"), method,
                                     self.args.data, self.directory])[1])


def row(sides, method, threads):
    args, few, rounds = sides.args, FEW[method], []
    for _ in range(args.rounds):
        turn = {side: [run(method, steps, threads) for steps in (few, args.steps)]
                for side, run in (("ours", sides.ours), ("peer", sides.peer))}
        rounds.append(turn)
    steps = args.steps or sides.said["steps"]

    def middle(side, clock, step):
        return statistics.median((r[side][1][clock] - step * r[side][0][clock]) /
                                 (steps - few if step else 1) for r in rounds)

    found = {"method": method, "threads": threads, "steps": steps, "torch": sides.said["torch"]}
    for what, step in (("start to end", 0), ("a step", 1)):
        for name, clock in (("seconds", 0), ("processor seconds", 1)):
            ours, peer = middle("ours", clock, step), middle("peer", clock, step)
            found[f"{what}, {name}"] = {"ours": ours, "torch": peer, "ratio": peer / ours}
    if args.quality:
        sides.ours(method, args.steps, threads)
        sides.peer(method, args.steps, threads, keep=True)
        found["quality"] = sides.quality(method)
    return found


def print_row(sides, r, first):
    if first:
        version = sides.call([sides.lbh, "--version"])[1].split("\n")[0]
        print(f"{speed.machine()}; {version}; PyTorch {r['torch']}; {sides.args.bits} bits, "
              f"{sides.args.data}\n")
        print("| method | threads | | lbh, s | PyTorch, s | ratio | processor: lbh, s | PyTorch, s | ratio |")
        print("|---|---:|---|---:|---:|---:|---:|---:|---:|")
    for what in ("start to end", "a step"):
        cells = [r[f"{what}, {clock}"] for clock in ("seconds", "processor seconds")]
        numbers = " | ".join(f"{c['ours']:.3g} | {c['torch']:.3g} | {c['ratio']:.2f}" for c in cells)
        print(f"| {r['method']} | {r['threads']} | {what} | {numbers} |", flush=True)
    if "quality" in r:
        print(f"| {r['method']} | | {r['quality']['measure']} | {r['quality']['ours']:.3f} | "
              f"{r['quality']['torch']:.3f} | | | | |", flush=True)


def main():
    args = arguments()
    if importlib.util.find_spec("torch"):
        python = sys.executable
    else:
        python = environment.python("train_beside_torch.py", args.venv, ["torch", "numpy"], "torch-venv")
    if not python:
        return 77
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        sides = Sides(args, python, directory)
        for method in args.method or ["sgh", "sigah", "jmlh"]:
            for threads in (int(t) for t in args.threads.split(",")):
                rows.append(row(sides, method, threads))
                if not args.json:
                    print_row(sides, rows[-1], len(rows) == 1)
    if args.json:
        print(json.dumps({"machine": speed.machine(), "rows": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
