#!/usr/bin/env python3
"""test_formats.py LBH: files as numpy, h5py, gensim and people write them: what they hold is read, or the
file is refused in one line; none is read as something else. Rows are compared by their codes, of 256 bits
of lsh, which tell any two vectors apart. Exit code 77 without numpy."""
import gzip
import os
import struct
import subprocess
import sys
import tempfile
import threading

try:
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)
try:
    import h5py
except ImportError:
    h5py = None

LBH = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="lbh-test-"))
os.environ["OMP_WAIT_POLICY"] = "passive"
os.environ["OMP_NUM_THREADS"] = "1"
N, D = 40, 6
rng = np.random.default_rng(11)
x = rng.integers(-120, 121, (N, D)).astype(np.float32)  # what every type can hold, but for the signs
unsigned = abs(x)


def run(*args, stdin=None):
    return subprocess.run([LBH, *map(str, args)], input=stdin, capture_output=True, check=False)


def codes(spec, stdin=None):
    """The codes of the rows of a file, or the error."""
    done = run("encode", "--model", "m.lbh", "-i", spec, "-o", "out.npy", stdin=stdin)
    if done.returncode:
        return done.stderr.decode(errors="replace")
    return np.load("out.npy")


def same(spec, rows=x, stdin=None):
    if not os.path.exists("right.npy") or not (np.load("right.npy") == rows).all():
        np.save("right.npy", np.ascontiguousarray(rows, np.float32))
        same.right = codes("right.npy")
    got = codes(spec, stdin)
    assert not isinstance(got, str), (spec, got)
    assert got.shape == same.right.shape and (got == same.right).all(), spec


def refused(words, spec, *args, stdin=None):
    done = run(*args, spec, stdin=stdin) if args else run(
        "encode", "--model", "m.lbh", "-o", "out.npy", "-i", spec, stdin=stdin)
    error = done.stderr.decode()
    assert done.returncode in (1, 2) and error.count("\n") == 1 and words in error, (spec, words, error)


def write(name, data):
    with open(name, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return name


def pack(name):
    with open(name, "rb") as file, gzip.open(name + ".gz", "wb") as out:
        out.write(file.read())
    return name + ".gz"


def read(name):
    with open(name, "rb") as file:
        return file.read()


def header(text, data):
    text = text.encode()
    text += b" " * (-(11 + len(text)) % 16) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def test_npy():
    for kind in "f2 f4 f8 i1 i2 i4 i8".split():
        for order in "<>":
            for make in np.ascontiguousarray, np.asfortranarray:
                np.save("a.npy", make(x.astype(order + kind)))
                same("a.npy")
    for kind in "u1 u2 u4 u8".split():
        for order in "<>":
            np.save("a.npy", unsigned.astype(order + kind))
            same("a.npy", unsigned)
    np.save("a.npy", x > 0)
    same("a.npy", x > 0)
    fine = (rng.standard_normal((N, D)) * 2.0 ** rng.integers(-26, 15, (N, D))).astype(np.float16)
    np.save("a.npy", fine)  # subnormal ones too
    same("a.npy", fine.astype(np.float32))
    raw = x.astype("<f4").tobytes()
    for text in ("{'descr': '<f4', 'fortran_order': False, 'shape': (40L, 6L), }",
                 '{"descr": "<f4", "fortran_order": False, "shape": (40, 6)}',
                 "{u'descr': u'<f4', u'fortran_order':\tFalse,\n u'shape': (\t40,\n6), }",
                 "{'shape': (40, 6), 'fortran_order': False, 'descr': '<f4'}",
                 "{'descr':'<f4','fortran_order':False,'shape':(40,6)}"):
        same(write("h.npy", header(text, raw)))
    for words, array in (("complex", x.astype("c8")), ("objects", np.array([[None, 1]])), ("one axis", x[0]),
                         ("text", np.array([["a", "b"]])), ("scalar", np.float32(3)),
                         ("more than two axes", np.zeros((2, 3, 4))), ("structured", np.zeros(2, "i4,f4")),
                         ("2^63 - 1", np.full((N, D), 2 ** 63, np.uint64)),
                         ("long doubles", x.astype(np.longdouble))):
        np.save("bad.npy", array)
        refused(words, "bad.npy")
    np.savez("z.npz", x)
    refused("several arrays", "z.npz")
    os.rename("z.npz", "z.npy")
    refused("several arrays", "z.npy")


def test_names_and_streams():
    np.save("s.npy", x)
    rows = np.hstack([np.full((N, 1), D, np.int32).view(np.float32), x])
    write("s.fvecs", rows.tobytes())
    write("s.FVECS", rows.tobytes())
    write("s.fbin", struct.pack("<II", N, D) + x.tobytes())
    np.savetxt("s.txt", x)
    write("idx3-ubyte", b"\0\0\x0d\x02" + struct.pack(">II", N, D) + x.astype(">f4").tobytes())
    write("s.noname", rows.tobytes())
    for name in "s.npy s.fvecs s.fbin s.txt idx3-ubyte".split():
        same(name)
        same(pack(name))
        os.mkfifo("fifo-" + name)
        feed = threading.Thread(target=write, args=("fifo-" + name, read(name)))
        feed.start()
        same("fifo-" + name)
        feed.join()
    same("s.FVECS")
    same("fvecs:s.noname")
    two = gzip.compress(rows[:7].tobytes()) + gzip.compress(rows[7:].tobytes())
    same(write("two.fvecs.gz", two))
    same(write("padded.fvecs.gz", two + bytes(512)))
    refused("cut off", write("short.fvecs.gz", two[:-9]))
    refused("something follows", write("long.fvecs.gz", two + b"more"))
    same("-", stdin=read("s.npy"))
    same("/dev/stdin", stdin=read("s.npy.gz"))
    same("-@0:40", stdin=read("s.npy"))
    same("fvecs:-", stdin=read("s.fvecs"))
    same("vec:-", stdin=read("s.txt"))
    refused("nothing says", "-", stdin=read("s.fvecs"))
    refused("is empty", "-", stdin=b"")
    done = run("eval", "--model", "m.lbh", "--base", "-", "--query", "-", stdin=read("s.npy"))
    assert b"once only" in done.stderr, done
    write("stream.ini", "[bench]\nnbits = 8\n[data a]\nbase = npy:-\nqueries = s.npy\n[method lsh]\n")
    done = run("bench", "stream.ini", "--out", "results", stdin=read("s.npy"))
    assert done.returncode and b"once only" in done.stderr, done
    # out
    done = run("encode", "--model", "m.lbh", "-i", "s.npy", "-o", "-")
    assert done.stdout == read("out.npy") and b"encode_seconds" in done.stderr, done
    done = run("encode", "--model", "m.lbh", "-i", "s.npy", "-o", "bvecs:/dev/stdout")
    assert done.stdout == b"".join(b"\x20\0\0\0" + c.tobytes() for c in np.load("out.npy")), done
    refused("written as", "txt:-", "encode", "--model", "m.lbh", "-i", "s.npy", "-o")
    refused("whole or not at all", "-", "train", "--method", "lsh", "--nbits", 8, "--base", "s.npy", "-o")
    refused("from a file", "-", "encode", "-i", "s.npy", "-o", "out.npy", "--model")
    run("build", "--codes", "out.npy", "-o", "i.faiss")
    done = run("search", "--codes", "out.npy", "--index", "i.faiss", "-k", 1, "-o", "-")
    write("ids.npy", done.stdout)
    assert (np.load("ids.npy")[:, 0] == np.arange(N)).all()
    refused("one array only", "-", "search", "--codes", "out.npy", "--index", "i.faiss", "-o", "-", "--distances")


def test_text():
    lines = [" ".join(["%.9g"] * D) % tuple(row) for row in x]
    words = ["w%d" % i for i in range(N)]
    words[3], words[20], words[21] = "New York", "a 1 b", "12"
    with_words = [w + " " + line for w, line in zip(words, lines)]
    for top in "", "%d %d\n" % (N, D):
        for end in "\n", "\r\n", " \n":
            for bom in "", "\ufeff":
                for tail in "", end * 3:
                    same(write("w.vec", bom + top + end.join(with_words) + end + tail))
    same(write("w.txt", "\n".join(with_words[3:4] + with_words[:3] + with_words[4:])),
         np.vstack([x[3:4], x[:3], x[4:]]))  # the first line is the odd one
    same(write("m.txt", "\n".join(lines)))
    np.savetxt("m.txt", x + .5)
    same("m.txt", x + .5)
    np.savetxt("m.txt", unsigned, fmt="%d")
    same("m.txt", unsigned)
    numbered = ["%d %s" % (7 * i, line) for i, line in enumerate(lines)]
    same(write("n.txt", "%d %d\n" % (N, D) + "\n".join(numbered)))  # node2vec's: the first line says so
    short = with_words[:5] + ["w 1 2 3"] + with_words[6:]
    long = with_words[:5] + [with_words[5] + " 7"] + with_words[6:]
    for words, text in (("which may be words", "\n".join("%d %d.5 1" % (i, i) for i in range(9))),
                        ("which may be words", "\n".join("%d 3 1" % i for i in range(9))),
                        ("not as many as the first line says", "2 2\na 1 2 3\nb 4 5 6\n"),
                        ("row 5 has 7 numbers", "\n".join(long)), ("row 5 is not", "\n".join(short)),
                        ("row 1 is not", "a 1 2\n\nb 3 4\n"), ("says 5 words", "5 2\na 1 2\nb 3 4\n"),
                        ("says 3 words", "3 2\n"), ("carriage return", "a 1 2\rb 3 4\r"),
                        ("row 0 is not", "a 0x1 2\nb 3 4\n"), ("row 0 is not", "1,2 3,4\n5,6 7,8\n"),
                        ("byte 0", "a 1 2\0\n"), ("NaN", "a %s\n" % " ".join(["nan"] * D) * 3),
                        ("infinity", "a %s\n" % " ".join(["1e39"] * D) * 3)):
        refused(words, write("bad.txt", text))


def test_word2vec():
    vectors = (rng.standard_normal((N, D)) / 3).astype("<f4")
    words = ["the", "New York", "a b c", "x", "Łódź miasto", "end of it", "of", "2 3"] + ["w%d" % i for i in range(32)]
    for top in b"40 6\n", b"40 6\r\n", b"40 6 \n":
        for end in b"", b"\n", b"\r\n":
            same(write("w.bin", top + b"".join(w.encode() + b" " + v.tobytes() + end for w, v in zip(words, vectors))),
                 vectors)
            same(write("w.bin", top + b"".join(w.encode("utf-8").replace(b" ", b"_")[:3] + b" " + v.tobytes() + end
                                               for w, v in zip(words, vectors))), vectors)  # cut within a character
    same(pack("w.bin"), vectors)
    latin = b"40 6\n" + b"".join(b"\xe9t\xe9%d " % i + v.tobytes() for i, v in enumerate(vectors))
    same(write("latin.bin", latin), vectors)
    # blanks that nothing tells apart: every vector looks like text
    text = np.frombuffer(b"a b " * D, "<f4")
    refused("may end at more than one blank", write("odd.bin", b"2 6\n" + (b"q r " + text.tobytes()) * 2))


def test_hdf5():
    if h5py is None:
        return
    def make(name, distance=None, where=None, **sets):
        with h5py.File(name, "w") as f:
            for key, value in sets.items():
                f[key] = value
            if distance is not None:
                (f[where] if where else f).attrs["distance"] = distance
        return name
    if "without HDF5" in str(codes(make("a.hdf5", train=x) + ":train")):
        return
    length = np.sqrt((x.astype(np.float64) ** 2).sum(1, keepdims=True))
    unit = (x / length).astype(np.float32)
    for kind in "f2 f4 f8 i1 i2 i4 i8 >f4 >i4".split():
        same(make("a.hdf5", train=x.astype(kind)) + ":train")
        for name in "angular", "cosine", "Cosine", np.bytes_("angular"):
            same(make("a.hdf5", name, train=x.astype(kind)) + ":train", unit)
    for kind in "u1 u2 u4 u8".split():
        same(make("a.hdf5", train=unsigned.astype(kind)) + ":train", unsigned)
    same(make("a.hdf5", "angular", "train", train=x) + ":train", unit)
    same(make("a.hdf5", "angular", items=x) + ":items", unit)
    same(make("a.hdf5", "angular", distances=x) + ":distances")
    for name in "euclidean", "l2", "ip", "dot", "hamming":
        same(make("a.hdf5", name, train=x) + ":train")
    for name in "angular", "nonsense", 3:
        same(make("a.hdf5", name, train=x) + ":train:rows")
    for words, name in (("'nonsense'", "nonsense"), ("jaccard", "jaccard"), ("'?'", 3), ("''", "")):
        refused(words, make("bad.hdf5", name, train=x) + ":train")
    refused("one axis", make("bad.hdf5", col=x[0]) + ":col")
    refused("3 axes", make("bad.hdf5", train=x.reshape(4, -1, D)) + ":train")
    refused("2^63 - 1", make("bad.hdf5", train=np.full((N, D), 2 ** 63, np.uint64)) + ":train")
    with h5py.File("lzf.hdf5", "w") as f:
        f.create_dataset("train", data=np.tile(x, (9, 1)), compression="lzf")
    refused("filter lzf", "lzf.hdf5:train")
    with h5py.File("gz.h5", "w") as f:
        f.create_dataset("train", data=x, compression="gzip")
    same("gz.h5:train")
    same(pack("gz.h5") + ":train")
    same("-:train", stdin=read("gz.h5"))
    same("hdf5:-:train", stdin=read("gz.h5"))
    # sets for inner products have no Euclidean neighbours
    make("ip.hdf5", "ip", train=x, test=x[:5])
    ask = "eval", "--model", "m.lbh", "--base", "ip.hdf5:train", "--query", "ip.hdf5:test", "--map-k", 10
    done = run(*ask)
    assert done.returncode == 1 and b"--metric ip" in done.stderr, done
    assert run(*ask, "--metric", "ip").returncode == 0
    assert run(*(str(a).replace(":train", ":train:rows") for a in ask)).returncode == 0


def test_codes():
    packed = rng.integers(0, 256, (N, 8)).astype(np.uint8)
    np.save("c.npy", packed)
    assert run("build", "--codes", "c.npy", "-o", "i.faiss").returncode == 0
    bits = np.unpackbits(packed, axis=1)
    for words, array in (("128", (packed.astype(np.int16) - 128).astype(np.int8)), ("packbits", bits),
                         ("packbits", bits.astype(bool)), ("unsigned bytes", 2.0 * bits - 1),
                         ("128", 2 * bits.astype(np.int8) - 1), ("one axis", packed[0])):
        np.save("bad.npy", array)
        refused(words, "bad.npy", "build", "-o", "i.faiss", "--codes")
        refused(words, "bad.npy", "search", "--index", "i.faiss", "--codes")
    np.save("bad.npy", bits[:, :4])
    refused("packbits", "bad.npy", "build", "-o", "i.faiss", "--codes")
    for few in (packed > 127).astype(np.uint8)[:, :1], bits[:3, :4]:  # codes of one bit, of 32
        np.save("c.npy", few)
        assert run("build", "--codes", "c.npy", "-o", "i.faiss").returncode == 0


np.save("right.npy", x)
assert run("train", "--method", "lsh", "--nbits", 256, "--base", "right.npy", "-o", "m.lbh").returncode == 0
os.remove("right.npy")
for test in [f for name, f in list(globals().items()) if name.startswith("test_")]:
    test()
