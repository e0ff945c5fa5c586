#!/usr/bin/env python3
"""Search of all codes by byte tables against FAISS's quantizers, as rows of a table.

Ours is lbh_encoder_search_decoded on random codes of an `itq` with byte tables; FAISS's are those of
the newest faiss-cpu of PyPI at as many bits: PQ, PQ with fast scan, RaBitQ with and without fast scan
(which add factors: `bytes` says how much an item takes). `--shortlist N` adds our search in two stages,
which ranks by tables the N nearest by Hamming distance alone. One thread, all sides in one process and in
turn, the median of the rounds, nanoseconds a code and query. The limit is the reading of the codes,
as `lbh speed --only limits` measures it.

faiss-cpu comes into a virtual environment of its own. Exit code 77: that cannot be had."""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "rivals"))
import environment  # noqa: E402
from speed import limits  # noqa: E402

D, TRAIN = 64, 10000
L2, IP = 0, 1
RESCORE_DECODER = 2


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     epilog="Exit codes: 0, 1, 77 (no faiss-cpu).")
    parser.add_argument("--bits", default="64,128", metavar="LIST", help="(64,128)")
    parser.add_argument("--codes", type=int, default=1000000, help="(1000000)")
    parser.add_argument("--queries", type=int, default=100, help="in one call (100)")
    parser.add_argument("-k", type=int, default=100, help="answers (100)")
    parser.add_argument("--shortlist", type=int, metavar="N", help="candidates of two stages (none)")
    parser.add_argument("--rounds", type=int, default=3, help="(3)")
    parser.add_argument("--build", default="build", metavar="DIR", help="where lbh was built")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--venv", metavar="DIR",
                        help="virtual environment (in the user's cache directory)")
    parser.add_argument("--inside", metavar="DIR", help=argparse.SUPPRESS)
    return parser.parse_args()


def reading(args, bits):
    """Nanoseconds a code and query of reading alone; each code is read once for all queries."""
    return limits(args.build, bits, args.codes, 1)["ordinary pages"] * bits / 8 / args.queries


def ours(args, np, metric, bits, train, query):
    """Names, bytes of a code, functions that search: all codes by tables, and in two stages."""
    folder = args.inside
    np.save(os.path.join(folder, "train.npy"), train)
    model = os.path.join(folder, "model.lbh")
    subprocess.run([os.path.join(args.build, "lbh"), "train", "-m", "itq", "-b", str(bits), "-s",
                    "rebuild=tables,held_out=0", "--metric", "ip" if metric == IP else "l2", "--base",
                    os.path.join(folder, "train.npy"), "-o", model, "-q"], check=True,
                   stdout=subprocess.DEVNULL)
    library = ctypes.CDLL(os.path.join(args.build, "plugin", "liblbh.so"))
    library.lbh_set_num_threads(1)
    encoder = ctypes.c_void_p()
    if library.lbh_encoder_load(ctypes.byref(encoder), model.encode()):
        sys.exit("speed_tables.py: liblbh does not take the model")
    codes = np.random.default_rng(2).integers(0, 256, (args.codes, bits // 8), dtype=np.uint8)
    distances = np.empty((len(query), args.k), np.float32)
    labels = np.empty((len(query), args.k), np.int64)

    def run():
        failed = library.lbh_encoder_search_decoded(
            encoder, metric, ctypes.c_int64(len(codes)), codes.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(len(query)), query.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(args.k),
            distances.ctypes.data_as(ctypes.c_void_p), labels.ctypes.data_as(ctypes.c_void_p))
        if failed:
            sys.exit("speed_tables.py: the search failed")
    yield "tables", bits // 8, run
    if not args.shortlist:
        return
    rescorer = ctypes.c_void_p()
    if library.lbh_rescorer_new(ctypes.byref(rescorer), encoder, RESCORE_DECODER, metric, None):
        sys.exit("speed_tables.py: no rescorer")

    def run_shortlist():
        failed = library.lbh_rescorer_search(
            rescorer, ctypes.c_int64(len(codes)), codes.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(len(query)), query.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(args.shortlist), ctypes.c_int64(0), ctypes.c_int64(args.k),
            distances.ctypes.data_as(ctypes.c_void_p), labels.ctypes.data_as(ctypes.c_void_p))
        if failed:
            sys.exit("speed_tables.py: the search in two stages failed")
    yield f"tables of {args.shortlist}", bits // 8, run_shortlist


def rivals(args, metric, bits, train, base, query):
    import faiss
    import indexes
    faiss.omp_set_num_threads(1)
    of = faiss.METRIC_INNER_PRODUCT if metric == IP else faiss.METRIC_L2
    for name, factory in (("PQ", f"PQ{bits // 8}"), ("PQ, fast scan", f"PQ{bits // 4}x4fs"),
                          ("RaBitQ", indexes.rabitq(D, bits, 1, False)),
                          ("RaBitQ, fast scan", indexes.rabitq(D, bits, 1, True))):
        index = faiss.index_factory(D, factory, of)
        core = indexes.inside(index)
        if hasattr(core, "qb"):
            core.qb = indexes.QUERY_BITS
        index.train(train)
        index.add(base)
        yield name, indexes.code_bytes(index), lambda index=index: index.search(query, args.k)


def seconds(run):
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def measure(args, metric, bits):
    import numpy as np
    rng = np.random.default_rng(1)
    train = rng.normal(size=(TRAIN, D)).astype(np.float32)
    query = rng.normal(size=(args.queries, D)).astype(np.float32)
    base = np.tile(train, (-(-args.codes // TRAIN), 1))[:args.codes]
    sides = [*ours(args, np, metric, bits, train, query), *rivals(args, metric, bits, train, base, query)]
    times = [[seconds(run) for _, _, run in sides] for _ in range(args.rounds + 1)][1:]
    unit = args.codes * args.queries / 1e9
    middle = [statistics.median(side) / unit for side in zip(*times)]
    limit = reading(args, bits)
    return [{"bits": bits, "metric": "ip" if metric == IP else "l2", "side": name, "bytes": size,
             "ns": ns, "ratio": ns / middle[0], "limit": limit}
            for (name, size, _), ns in zip(sides, middle)]


def inside(args):
    import faiss
    rows = []
    if not args.json:
        print(f"{args.codes:,} codes, {args.queries} queries, k = {args.k}, one thread, "
              f"FAISS {faiss.__version__}; ns a code and query; times of ours; limit: reading\n\n"
              "| bits | metric | search by | bytes | ns | ratio | limit |\n"
              "|---:|---|---|---:|---:|---:|---:|")
    for bits in (int(b) for b in args.bits.split(",")):
        for metric in (L2, IP):
            for r in measure(args, metric, bits):
                rows.append(r)
                if not args.json:
                    print(f"| {r['bits']} | {r['metric']} | {r['side']} | {r['bytes']} | {r['ns']:.3g} | "
                          f"{r['ratio']:.2f} | {r['limit']:.2g} |", flush=True)
    if args.json:
        print(json.dumps({"faiss": faiss.__version__, "rows": rows}, indent=1))


def main():
    args = arguments()
    if args.inside:
        inside(args)
        return 0
    python = environment.python("speed_tables.py", args.venv)
    if not python:
        return 77
    with tempfile.TemporaryDirectory() as directory:
        quiet = dict(os.environ, OMP_WAIT_POLICY="passive")
        return subprocess.run([python, os.path.realpath(__file__), *sys.argv[1:], "--inside",
                               directory], env=quiet).returncode


if __name__ == "__main__":
    sys.exit(main())
