"""Sets that are published as vectors: TEXMEX's files under names of their own, and raw float32 rows."""
import os

import numpy as np

from archive import Archive
from vector_out import Bad, reading

PARTS = (("base", "*_base"), ("query", "*_query", "*_queries"), ("learn", "*_learn"))
SIZE = {"fvecs": 4, "bvecs": 1, "ivecs": 4}


def copy(archive, name, out, part):
    kind = name.removesuffix(".gz").rsplit(".", 1)[1]
    with archive.open(name) as file:
        head = file.read(4)
        d = int.from_bytes(head, "little", signed=True)
        if len(head) < 4 or not 0 < d <= 65536:
            raise Bad(f"{name}: begins with the dimension {d}" if len(head) == 4 else f"{name}: empty")
        target = out.vectors(f"{part}.{kind}", d)
        width = 4 + d * SIZE[kind]
        step, rest = max(1, (8 << 20) // width) * width, head
        while True:
            more = file.read(step - len(rest))
            rest += more
            whole = len(rest) // width * width
            if not more and rest:
                raise Bad(f"{name}: ends in the middle of row {target.rows}")
            if not more:
                return
            rows = np.frombuffer(rest, "u1", whole).reshape(-1, width)
            dims = np.ascontiguousarray(rows[:, :4]).view("<i4")[:, 0]
            if (dims != d).any():
                bad = int(np.argmax(dims != d))
                raise Bad(f"{name}: row {target.rows + bad} has the dimension {dims[bad]}, the first {d}")
            target.add(np.ascontiguousarray(rows[:, 4:]).view(target.type))
            rest = rest[whole:]


def convert(args, out):
    archive = Archive(args.source)
    for part, *patterns in PARTS:
        ends = [p + e for p in patterns for e in (".fvecs", ".bvecs", ".fvecs.gz", ".bvecs.gz")]
        name = archive.find(*ends, wanted=part != "learn")
        if name:
            copy(archive, name, out, part)
    d = {f.d for f in out.files.values()}
    if len(d) > 1:
        raise Bad(f"{args.source}: base, query and learn have the dimensions {sorted(d)}")
    truth = archive.find("*_groundtruth.ivecs", wanted=False)
    if truth:
        copy(archive, truth, out, "truth")


def sample(args, out):
    """Rows drawn without replacement, in the order of the file."""
    with reading(args.source):
        size, width = os.path.getsize(args.source), 4 * args.dim
        if size % width or not size:
            raise Bad(f"{args.source}: {size} bytes are no rows of {args.dim} float32")
        x = np.memmap(args.source, "<f4", "r", shape=(size // width, args.dim))
        if not 0 < args.rows <= len(x):
            raise Bad(f"{args.source}: {args.rows} rows cannot be drawn from {len(x)}")
        rows = np.sort(np.random.default_rng(args.seed).choice(len(x), args.rows, replace=False))
        for at in range(0, len(rows), 8192):
            out.add("base.fvecs", x[rows[at:at + 8192]])
