"""Tiny sets in the exact forms in which the papers' data are published, and what must come out of them."""
import io
import os
import pickle
import pickletools
import struct
import tarfile

import numpy as np

N, NQ = 640, 80


def clusters(seed, n, d, classes=10):
    """Rows around the centres of their classes, and the classes."""
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng(1000 + d).normal(0, 1, (classes, d))
    y = rng.permutation(np.arange(n) % classes)
    return centre[y] + rng.normal(0, .6, (n, d)), y


def pixels(seed, n, d, classes=10):
    x, y = clusters(seed, n, d, classes)
    return np.clip(128 + 40 * x, 0, 255).astype("u1"), y


def vecs(x):
    kind = {"float32": "<f4", "uint8": "u1", "int32": "<i4"}[x.dtype.name]
    return b"".join(struct.pack("<i", len(r)) + r.astype(kind).tobytes() for r in x)


def put(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def tar(path, files):
    """{name: bytes} as a .tar.gz."""
    with tarfile.open(path, "w:gz") as out:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))


def texmex(name, d, kind=np.float32):
    """The parts of a set by their names at TEXMEX, as bytes, and as arrays."""
    made = clusters if kind == np.float32 else pixels
    parts = {part: made(seed, n, d)[0].astype(kind) for seed, (part, n) in
             enumerate((("base", N), ("query", NQ), ("learn", N)))}
    end = "fvecs" if kind == np.float32 else "bvecs"
    return {f"{name}_{part}.{end}": vecs(x) for part, x in parts.items()}, parts


def idx(x):
    shape = (len(x), 28, 28) if x.ndim == 2 else (len(x),)
    return b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + x.astype("u1").tobytes()


def python2_pickle(x, y, name):
    """A batch of CIFAR-10 for Python as Python 2 pickled it: protocol 2, text of bytes, an array's data as bytes."""
    out = [pickle.PROTO + b"\x02" + pickle.EMPTY_DICT]

    def text(t):
        return pickle.BINSTRING + struct.pack("<i", len(t)) + t

    def item(key, value):
        out.append(text(key) + value + pickle.SETITEM)
    array = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + pickle.BININT1 + b"\0" + pickle.TUPLE1 + \
        text(b"b") + pickle.TUPLE3 + pickle.REDUCE
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + pickle.BININT1 + b"\0" + pickle.BININT1 + b"\1" + pickle.TUPLE3 + \
        pickle.REDUCE + pickle.MARK + pickle.BININT1 + b"\3" + text(b"|") + pickle.NONE * 3 + \
        pickle.BININT + struct.pack("<i", -1) + pickle.BININT + struct.pack("<i", -1) + pickle.BININT1 + b"\0" + \
        pickle.TUPLE + pickle.BUILD
    shape = pickle.BININT + struct.pack("<i", len(x)) + pickle.BININT + struct.pack("<i", x.shape[1]) + pickle.TUPLE2
    state = pickle.MARK + pickle.BININT1 + b"\1" + shape + dtype + pickle.NEWFALSE + text(x.tobytes()) + pickle.TUPLE
    item(b"data", array + state + pickle.BUILD)
    item(b"labels", pickle.EMPTY_LIST + pickle.MARK + b"".join(pickle.BININT1 + bytes([c]) for c in y) + pickle.APPENDS)
    item(b"batch_label", text(name.encode()))
    data = b"".join(out) + pickle.STOP
    pickletools.dis(data, io.StringIO())
    return data


def cifar_batches(each=N // 5):
    """{name of a batch: (pixels, labels)}"""
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    return {name: pixels(20 + i, each if i < 5 else NQ * 2, 3072) for i, name in enumerate(names)}


def joined(batches):
    x, y = (np.concatenate([batches[f"data_batch_{i}"][k] for i in range(1, 6)]) for k in (0, 1))
    return {"base": x, "base_labels": y[:, None], "query": batches["test_batch"][0],
            "query_labels": batches["test_batch"][1][:, None]}


def reuters(n, nq):
    """Stories with words of their topics."""
    rng, stories = np.random.default_rng(3), []
    for i in range(n + nq):
        topics = sorted(set(rng.integers(0, 5, rng.integers(1, 3)).tolist()))
        words = [f"w{t}x{rng.integers(0, 80)}" for t in topics for _ in range(20)] + \
            [f"any{rng.integers(0, 400)}" for _ in range(20)]
        stories.append(f'<REUTERS TOPICS="YES" LEWISSPLIT="{"TRAIN" if i < n else "TEST"}" NEWID="{i}">'
                       f'<TOPICS>{"".join(f"<D>topic{t}</D>" for t in topics)}</TOPICS>'
                       f'<TEXT>&#2;<TITLE>A &lt;title></TITLE><BODY>{" ".join(words)}</BODY></TEXT></REUTERS>')
    return "\n".join(stories)
