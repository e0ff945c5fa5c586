#!/usr/bin/env python3
"""SGH in PyTorch: the peer that `lbh train --method sgh` is timed against.

The same program on the same data: rows drawn with replacement, one linear encoder, binary neurons
with a straight-through gradient, a linear decoder, Adam. Written as one writes it in PyTorch:
autograd over whole-batch operations, torch.optim.Adam. All rows lie in memory as one tensor.

  --program official   what `lbh train --set preset=official` computes: codes in {0,1} without noise,
                       x^ = (h U) o |s| + c, J = ||x - x^||^2 / 2 + alpha CE + decay / 2 ||U||^2
  --program default    the steps of lbh's defaults: 256 principal components, codes in {-1,+1},
                       noise of width 1 + 0.12 log2(bits / 16), x^ = h U + c, a falling step size

Only the steps are timed (reading, scaling and components are not); lbh's train_seconds has all of
it. Debian: apt-get install python3-torch. Example:

  python3 bench/peers/sgh_torch.py base.bvecs --bits 64 --steps 5000 --batch 500 --threads 2
"""
import argparse
import json
import math
import time

import numpy as np
import torch

RMS = 0.33  # of the scaled rows; lbh's TARGET_RMS


def read_rows(path):
    item = {"fvecs": np.float32, "bvecs": np.uint8}[path.rsplit(".", 1)[1]]
    raw = np.fromfile(path, np.uint8)
    d = int(raw[:4].view(np.int32)[0])
    rows = raw.reshape(-1, 4 + d * np.dtype(item).itemsize)[:, 4:]
    return torch.from_numpy(np.ascontiguousarray(rows).view(item).astype(np.float32))


class Neuron(torch.autograd.Function):
    """h = hi if sigma(a) > xi, else lo; its derivative is that of lo + (hi - lo) sigma(a)."""

    @staticmethod
    def forward(ctx, a, xi, lo):
        p = torch.sigmoid(a)
        ctx.save_for_backward(p)
        ctx.step = 1.0 - lo
        on = (p > xi).to(a.dtype) if xi is not None else (a > 0).to(a.dtype)
        return lo + (1.0 - lo) * on

    @staticmethod
    def backward(ctx, grad):
        (p,) = ctx.saved_tensors
        return grad * ctx.step * p * (1 - p), None, None


class Official:
    lo, noise, cosine = 0.0, 0.0, False

    def __init__(self, x, bits):
        d = x.shape[1]
        scale = RMS / x.square().mean().sqrt()
        self.x = x * scale
        self.W = torch.randn(bits, d) / math.sqrt(d)
        self.b = torch.randn(bits)
        self.U = torch.randn(bits, d) / math.sqrt(bits)
        self.c = self.x.mean(0)
        self.s = self.x.var(0, unbiased=False).clamp_min(1e-7)
        self.params = [self.W, self.b, self.U, self.c, self.s]

    def rebuild(self, h):
        return (h @ self.U) * self.s.abs() + self.c

    def rest(self, a, h):
        ce = torch.nn.functional.softplus(a) - h * a
        return 1e-3 * ce.sum() + 0.5e-3 * self.U.square().sum()


class Default:
    lo, cosine = -1.0, True

    def __init__(self, x, bits):
        centred = x - x.mean(0)
        value, vector = torch.linalg.eigh(centred.T @ centred / len(x))
        r = min(max(256, 2 * bits), x.shape[1])
        t = centred @ vector[:, -r:].flip(1)
        self.x = t / value[-bits:].mean().sqrt()
        self.noise = 1 + 0.12 * max(0.0, math.log2(bits / 16))
        self.W = torch.zeros(bits, r)
        self.W[:, :bits] = torch.linalg.qr(torch.randn(bits, bits))[0]
        self.U = 0.8 * self.W
        self.W = 2 * self.W
        self.b, self.c = torch.zeros(bits), torch.zeros(r)
        self.params = [self.W, self.b, self.U, self.c]

    def rebuild(self, h):
        return h @ self.U + self.c

    def rest(self, a, h):
        return 0


def train(model, steps, batch):
    for p in model.params:
        p.requires_grad_()
    adam = torch.optim.Adam(model.params, lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps) if model.cosine else None
    n = len(model.x)
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        x = model.x[torch.randint(n, (batch,))]
        a = torch.nn.functional.linear(x, model.W, model.b)
        xi = 0.5 + model.noise * (torch.rand_like(a) - 0.5) if model.noise else None
        h = Neuron.apply(a, xi, model.lo)
        loss = 0.5 * (x - model.rebuild(h)).square().sum() + model.rest(a, h)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        if schedule:
            schedule.step()
    return time.perf_counter() - began, time.process_time() - cpu


def error(model):
    """||x - x^||^2 / 2 per row, without noise, over all rows."""
    with torch.no_grad():
        total = 0.0
        for x in model.x.split(4096):
            a = torch.nn.functional.linear(x, model.W, model.b)
            h = Neuron.apply(a, None, model.lo)
            total += 0.5 * float((x - model.rebuild(h)).square().sum())
        return total / len(model.x)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", help=".fvecs or .bvecs")
    parser.add_argument("--program", choices=["official", "default"], default="official")
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model = {"official": Official, "default": Default}[args.program](read_rows(args.rows), args.bits)
    seconds, cpu = train(model, args.steps, args.batch)
    print(json.dumps({"program": args.program, "threads": torch.get_num_threads(),
                      "torch": torch.__version__, "seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3),
                      "ms_per_step": round(1e3 * seconds / args.steps, 4),
                      "error": round(error(model), 5)}))


if __name__ == "__main__":
    main()
