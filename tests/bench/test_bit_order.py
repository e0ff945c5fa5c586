#!/usr/bin/env python3
"""test_bit_order.py LBH: codes that numpy.packbits would make, out of `lbh encode --bit-order msb`
and into build, search and decode. Exit code 77 without numpy."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

lbh = os.path.abspath(sys.argv[1])


def run(*args, code=0):
    done = subprocess.run([lbh, *args], capture_output=True, text=True,
                          env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    assert done.returncode == code, (args, done.stderr)
    return done.stdout if code == 0 else done.stderr


with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    rng = np.random.default_rng(1)
    np.save("x.npy", rng.normal(size=(900, 24)).astype(np.float32))
    for nbits in 16, 20:
        run("train", "--method", "itq", "--nbits", str(nbits), "--base", "x.npy", "-o", "m")
        assert json.loads(run("info", "m", "--json"))["bit_order"] == "lsb"
        run("encode", "--model", "m", "--input", "x.npy", "-o", "lsb.npy")
        told = run("encode", "--model", "m", "--input", "x.npy", "--bit-order", "msb", "-o",
                   "msb.u8bin", "--json")
        assert json.loads(told)["bit_order"] == "msb"
        lsb = np.load("lsb.npy")
        msb = np.fromfile("msb.u8bin", np.uint8)[8:].reshape(lsb.shape)
        bits = np.unpackbits(lsb, axis=1, bitorder="little")
        assert (bits[:, nbits:] == 0).all()
        assert (msb == np.packbits(bits, axis=1)).all()  # numpy's own order, padding included
        # what numpy packed comes in again: hash indexes look at the first bits and would notice
        for kind in "BFlat", "BHash5":
            run("build", "--model", "m", "--base", "x.npy", "--index", kind, "-o", "a.faiss")
            run("build", "--codes", "msb.u8bin", "--bit-order", "msb", "--index", kind, "-o",
                "b.faiss")
            run("build", "--model", "m", "--codes", "lsb.npy", "--index", kind, "-o", "c.faiss")
            a, b, c = (open(name + ".faiss", "rb").read() for name in "abc")
            assert a == b == c, kind
            ask = ["search", "--index", "a.faiss", "-k", "5", "-o"]
            run(*ask, "1.npy", "--model", "m", "--query", "x.npy@0:50")
            run(*ask, "2.npy", "--codes", "msb.u8bin@0:50", "--bit-order", "msb")
            assert (np.load("1.npy") == np.load("2.npy")).all()
        run("decode", "--model", "m", "--codes", "lsb.npy", "-o", "1.npy")
        run("decode", "--model", "m", "--codes", "msb.u8bin", "--bit-order", "msb", "-o", "2.npy")
        assert (np.load("1.npy") == np.load("2.npy")).all()
    for words, *args in [
            ("--base) or codes", "build", "--index", "BFlat", "-o", "never"),
            ("--base) or codes", "build", "--model", "m", "--base", "x.npy", "--codes", "lsb.npy",
             "-o", "never"),
            ("--model is missing", "build", "--base", "x.npy", "-o", "never"),
            ("for --codes", "build", "--model", "m", "--base", "x.npy", "--bit-order", "msb", "-o",
             "never"),
            ("for --base", "build", "--codes", "lsb.npy", "--refine", "3", "-o", "never"),
            ("--query) or codes", "search", "--index", "a.faiss"),
            ("--model is missing", "search", "--index", "a.faiss", "--query", "x.npy"),
            ("for --codes", "search", "--index", "a.faiss", "--model", "m", "--query", "x.npy",
             "--bit-order", "msb"),
            ("none of lsb|msb", "encode", "--model", "m", "--input", "x.npy", "--bit-order", "big",
             "-o", "never.npy")]:
        assert words in run(*args, code=2), args
    assert "holds no codes" in run("build", "--codes", "x.npy", "-o", "never", code=1)
    np.save("wide.npy", np.zeros((9, 7), np.uint8))
    assert "7 bytes" in run("build", "--model", "m", "--codes", "wide.npy", "-o", "never", code=1)
    assert not os.path.exists("never")
print("ok")
