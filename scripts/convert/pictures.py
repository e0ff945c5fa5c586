"""MNIST and CIFAR-10 as pixels and labels."""
import pickle

import numpy as np

import matlab
from archive import Archive
from vector_out import Bad

# What a pickled array of numpy needs. A pickle may name any function; no other is looked up.
HARMLESS = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"),
            ("numpy", "dtype"), ("_codecs", "encode")}


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in HARMLESS:
            raise Bad(f"names {module}.{name}, which arrays and labels do not need; not read")
        return super().find_class(module, name)


def unpickle(file, name):
    try:
        found = Unpickler(file, encoding="bytes").load()
    except Bad as problem:
        raise Bad(f"{name}: {problem}") from None
    if not isinstance(found, dict):
        raise Bad(f"{name}: no dictionary of data and labels")
    return {k.decode() if isinstance(k, bytes) else k: v for k, v in found.items()}


def batch(archive, name):
    """Pixels and labels of a batch of CIFAR-10."""
    with archive.open(name) as file:
        if name.endswith(".bin"):
            rows = np.frombuffer(file.read(), "u1")
            if rows.size % 3073 or not rows.size:
                raise Bad(f"{name}: {rows.size} bytes are no rows of a label and 3072 pixels")
            rows = rows.reshape(-1, 3073)
            x, y = rows[:, 1:], rows[:, 0]
        else:
            found = matlab.load(file) if name.endswith(".mat") else unpickle(file, name)
            if "data" not in found or "labels" not in found:
                raise Bad(f"{name}: holds {', '.join(map(str, found)) or 'nothing'}, not data and labels")
            x, y = np.asarray(found["data"]), np.asarray(found["labels"]).reshape(-1)
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != 3072 or len(x) != len(y):
        raise Bad(f"{name}: {x.shape} numbers of type {x.dtype} and {len(y)} labels are no batch of CIFAR-10")
    if not np.isin(y, range(10)).all():
        raise Bad(f"{name}: labels must be 0 to 9")
    return x, y.astype(int)


def cifar10(args, out):
    archive = Archive(args.source)
    end = next((e for e in ("", ".mat", ".bin") if "test_batch" + e in archive.names), None)
    if end is None:
        raise Bad(f"{args.source}: there is no test_batch, test_batch.mat or test_batch.bin")
    for i in range(1, 6):
        x, y = batch(archive, archive.find(f"data_batch_{i}{end}"))
        out.add("base.bvecs", x)
        out.add("base_labels.ivecs", y)
    x, y = batch(archive, "test_batch" + end)
    out.add("query.bvecs", x)
    out.add("query_labels.ivecs", y)


def idx(archive, name):
    with archive.open(name) as file:
        data = file.read()
    axes = data[3] if len(data) > 3 else 0
    if data[:3] != b"\0\0\x08" or axes not in (1, 3) or len(data) < 4 + 4 * axes:
        raise Bad(f"{name}: no idx file of bytes")
    shape = [int(n) for n in np.frombuffer(data, ">u4", axes, 4)]
    if len(data) != 4 + 4 * axes + int(np.prod(shape)):
        raise Bad(f"{name}: {len(data)} bytes, where {shape} need {4 + 4 * axes + int(np.prod(shape))}")
    return np.frombuffer(data, "u1", -1, 4 + 4 * axes).reshape(shape[0], -1)


def mnist(args, out):
    archive = Archive(args.source)
    for part, stem in ("base", "train"), ("query", "t10k"):
        x, y = (idx(archive, archive.find(f"{stem}-{kind}", f"{stem}-{kind}.gz"))
                for kind in ("images?idx3-ubyte", "labels?idx1-ubyte"))
        if len(x) != len(y):
            raise Bad(f"{args.source}: {len(x)} pictures and {len(y)} labels of {stem}")
        out.add(part + ".bvecs", x)
        out.add(part + "_labels.ivecs", y)
