"""What the three peers in PyTorch share: rows from files, the space that sgh and sigah train in and
their start from ITQ, the loss over neighbours, Adam with a step size that falls to 0, and the command.

A peer is a file with a function train(args, rows, labels, steps) that gives the layers of the encoder,
[(W, b), ...] in the data's units, ReLU between them. Written as one writes it in PyTorch: autograd over
whole-batch operations, rows in memory as one tensor, Adam fused. Where a peer says so it mirrors
`lbh train` with default options; random numbers are PyTorch's, so that models differ as seeds do."""
import argparse
import json
import math
import time

import numpy as np
import torch
from torch.nn import functional as F


# ---- Files ---------------------------------------------------------------------------------------

def read_rows(path):
    item = {"fvecs": np.float32, "bvecs": np.uint8, "ivecs": np.int32}[path.rsplit(".", 1)[1]]
    raw = np.fromfile(path, np.uint8)
    d = int(raw[:4].view(np.int32)[0])
    rows = raw.reshape(-1, 4 + d * np.dtype(item).itemsize)[:, 4:]
    return np.ascontiguousarray(rows).view(item)


def read_floats(path):
    return torch.from_numpy(read_rows(path).astype(np.float32))


def read_labels(path):
    return torch.from_numpy(read_rows(path)[:, 0].astype(np.int64))


def encode(layers, x):
    """Packed codes of rows, least significant bit first."""
    with torch.no_grad():
        for W, b in layers[:-1]:
            x = F.relu(F.linear(x, W, b))
        return np.packbits((F.linear(x, *layers[-1]) >= 0).numpy(), axis=1, bitorder="little")


# ---- The training space (plugin/encoders/shared/space.h) -----------------------------------------

class Space:
    """t = (x - mean) V^T scale: leading components, the first `bits` of variance 1 on average."""

    def __init__(self, x, bits, least=256):
        self.mean = x.mean(0)
        centred = x - self.mean
        value, vector = torch.linalg.eigh(centred.T @ centred / len(x))
        r = min(max(least, 2 * bits), x.shape[1])
        self.V = vector[:, -r:].flip(1).T.contiguous()
        self.variance = value[-r:].flip(0)
        self.scale = float(1 / self.variance[:bits].mean().sqrt())
        self.rows = (centred @ self.V.T).mul_(self.scale)

    def leave(self, W, b):
        """The map W t + b of rows of the space as one of the data."""
        W = self.scale * (W.detach() @ self.V)
        return [(W, b.detach() - W @ self.mean)]


def itq(rows, bits, most=20000, iterations=20):
    """Rows of a rotation of the leading components, and the values of the rows they were found on."""
    T = rows[torch.randint(len(rows), (most,))] if len(rows) > most else rows
    V = torch.linalg.eigh(T.T @ T)[1][:, -bits:]
    Z, R = T @ V, torch.linalg.qr(torch.randn(bits, bits))[0]
    for _ in range(iterations):
        U, _, Vt = torch.linalg.svd(Z.T @ torch.sign(Z @ R))
        R = U @ Vt
    return (V @ R).T.contiguous(), Z @ R


def fit_decoder(rows, W, b):
    """The least-squares decoder of the codes in {-1,+1}: shared/fit_decoder.h."""
    with torch.no_grad():
        h = torch.where(F.linear(rows, W, b) >= 0, 1.0, -1.0)
        h = torch.cat([h, torch.ones(len(h), 1)], 1).double()
        gram = h.T @ h + 1e-6 * len(h) * torch.eye(h.shape[1])
        return torch.linalg.solve(gram, h.T @ rows.double())


# ---- The loss over neighbours (plugin/encoders/shared/graph_term.h) -------------------------------

def squared_distances(x):
    K = x @ x.T
    norm = K.diagonal()
    return (norm[:, None] + norm[None, :]).sub_(K, alpha=2).clamp_min_(0)


def row_softmax(logits):
    """log softmax of each row, with its own column left out."""
    return torch.log_softmax(logits.fill_diagonal_(-1e30), 1)


def divergence(logp, K, beta, weight=None):
    """1/n sum_i v_i KL(p_i || q_i), q_ij ~ exp(beta K_ij); log q as well."""
    logq = row_softmax(K * beta)
    kl = F.kl_div(logq, logp, reduction="none", log_target=True).sum(1)
    return (kl if weight is None else kl * weight).mean(), logq


# ---- Steps ---------------------------------------------------------------------------------------

def cosine(step, steps):
    return 0.5 * (1 + math.cos(math.pi * step / steps))


# Adam in one kernel on CPUs.
FUSED = {"fused": True} if tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 4) else {}


def adam(groups, lr=1.0, kind=torch.optim.Adam, **more):
    """Adam over [(rate, parameters), ...]; set_rates() takes the course of the steps."""
    return kind([{"params": p, "lr": lr, "rate": rate} for rate, p in groups], **FUSED, **more)


def set_rates(optimiser, *share):
    """The step size of each group: its rate times its share (one for all, or one for each)."""
    for i, group in enumerate(optimiser.param_groups):
        group["lr"] = group["rate"] * share[min(i, len(share) - 1)]


def command(train, steps, doc):
    """The peer as a program: reads, trains, prints what it took as one line of JSON. Importing PyTorch
    is not timed, everything after it is."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("rows", help=".fvecs or .bvecs")
    parser.add_argument("--labels", help=".ivecs")
    parser.add_argument("--queries", help="rows to encode as well, with --codes")
    parser.add_argument("--codes", metavar="FILE", help="write the rows' and the queries' codes (.npz)")
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, default=0, help="0: as many as lbh")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="the loss through torch.compile")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    began, cpu = time.perf_counter(), time.process_time()
    rows = read_floats(args.rows)
    labels = read_labels(args.labels) if args.labels else None
    count = args.steps or steps(len(rows))
    layers = train(args, rows, labels, count)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    if args.codes:
        np.savez(args.codes, base=encode(layers, rows), query=encode(layers, read_floats(args.queries)))
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "steps": count,
                      "seconds": took, "cpu_seconds": cpu}))
