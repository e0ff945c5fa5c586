#!/usr/bin/env python3
"""test_peers.py LBH PEERS: the peers in PyTorch that trainings are timed beside do what lbh does: after
20 steps from the same rows the codes of both find as much, and the peers' parts hold what they say.
Never how fast. Exit code 77 where no PyTorch is found: that of this Python, or the virtual environment
that train_beside_torch.py has made."""
import importlib.util
import math
import os
import subprocess
import sys
import tempfile

lbh, peers = sys.argv[1:3]
cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
other = os.path.join(cache, "faiss-lbh", "torch-venv", "bin", "python")
if not importlib.util.find_spec("torch"):
    if os.path.exists(other) and os.path.realpath(sys.prefix) not in os.path.realpath(os.path.dirname(
            os.path.dirname(other))):
        os.execv(other, [other, *sys.argv])
    print("there is no PyTorch")
    sys.exit(77)

import argparse  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

sys.path.insert(0, peers)
sys.dont_write_bytecode = True
import codes_quality  # noqa: E402
import jmlh_torch  # noqa: E402
import sgh_torch  # noqa: E402
import sigah_torch  # noqa: E402
import torch_peer as peer  # noqa: E402

torch.manual_seed(1)
torch.set_num_threads(1)
BITS, D, N, QUERIES, STEPS = 16, 32, 3000, 200, 20


def write(path, kind, rows):
    head = np.full((len(rows), 1), rows.shape[1], np.int32).view(np.uint8)
    np.concatenate([head, rows.astype(kind).view(np.uint8)], axis=1).tofile(path)


def trained_by_lbh(directory, method):
    path = os.path.join(directory, "model")
    labels = ["--labels", os.path.join(directory, "base_labels.ivecs")] if method == "jmlh" else []
    subprocess.run([lbh, "train", "-m", method, "-b", str(BITS), "--base",
                    os.path.join(directory, "base.bvecs"), *labels, "-q", "--threads", "1", "-o", path,
                    "--set", f"steps={STEPS}"], check=True, stdout=subprocess.DEVNULL)
    codes = []
    for part in ("base", "query"):
        out = os.path.join(directory, f"{part}.npy")
        subprocess.run([lbh, "encode", "-q", "--model", path, "-i",
                        os.path.join(directory, f"{part}.bvecs"), "-o", out], check=True,
                       stdout=subprocess.DEVNULL)
        codes.append(np.load(out))
    return codes


# Sixteen groups of rows, near to each other in some directions.
label = torch.randint(16, (N + QUERIES,))
x = (torch.randn(16, D) * 1.5)[label] + torch.randn(N + QUERIES, D) * torch.linspace(2, 0.2, D)
x = ((x * 12) + 128).round().clamp(0, 255)
with tempfile.TemporaryDirectory() as directory:
    for part, rows in (("base", slice(0, N)), ("query", slice(N, None))):
        write(os.path.join(directory, f"{part}.bvecs"), np.uint8, x[rows].numpy())
        write(os.path.join(directory, f"{part}_labels.ivecs"), np.int32, label[rows, None].numpy())
    for method, module in (("sgh", sgh_torch), ("sigah", sigah_torch), ("jmlh", jmlh_torch)):
        measure = codes_quality.precision if method == "jmlh" else codes_quality.recall
        args = argparse.Namespace(bits=BITS, compile=False)
        layers = module.train(args, x[:N].clone(), label[:N], STEPS)
        theirs = [peer.encode(layers, part) for part in (x[:N], x[N:])]
        found = [measure(directory, codes_quality.ranking(*codes))
                 for codes in (trained_by_lbh(directory, method), theirs)]
        print(method, "lbh %.3f, PyTorch %.3f" % tuple(found))
        assert abs(found[0] - found[1]) < 0.06 and min(found) > 0.2, method

# sigma is such that each row has the effective number of neighbours.
D2 = peer.squared_distances(torch.randn(200, 8))
p = peer.row_softmax(-sigah_torch.narrow(D2) * D2)
entropy = -(p.exp() * p).sum(1)
assert torch.allclose(entropy, torch.full_like(entropy, math.log(0.02 * 200)), atol=1e-2), entropy

# The derivative that passes a neuron is that of 2 sigma(a) - 1.
a = torch.randn(5, requires_grad=True)
sgh_torch.Neuron.apply(a, torch.rand(5)).sum().backward()
slope = (torch.tanh((a.detach() + 1e-2) / 2) - torch.tanh((a.detach() - 1e-2) / 2)) / 2e-2
assert torch.allclose(a.grad, slope, atol=1e-3)
