#!/usr/bin/env python3
"""JMLH in PyTorch: the peer that `lbh train --method jmlh` is timed beside.

What the defaults of plugin/encoders/jmlh do for rows with one label each: one hidden layer of 512, noisy
bits, a linear classifier on them; cross entropy + lambda KL(q || fair coins) (jmlh_step.h); input
dropout of .2, decoupled decay of the hidden layer, step sizes by layer that fall to 0 (jmlh.c); 40
passes over the rows in batches of 256, in a new order each.

  python3 bench/peers/jmlh_torch.py base.bvecs --labels base_labels.ivecs --threads 2"""
import math

import torch
from torch.nn import functional as F

import torch_peer as peer

BATCH, HIDDEN = 256, 512


def default_steps(n):
    return min(max(40 * n // BATCH, 2000), 20000)


class Neuron(torch.autograd.Function):
    """h = 1 if p > xi, else 0; its derivative is that of p."""

    @staticmethod
    def forward(ctx, p, xi):
        return (p > xi).to(p.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def loss(x, y, xi, weight, W1, b1, W2, b2, V, v):
    a = F.linear(F.relu(F.linear(F.dropout(x, 0.2), W1, b1)), W2, b2)
    p = torch.sigmoid(a)
    kl = (p * a - F.softplus(a)).sum(1).mean() + a.shape[1] * math.log(2)
    return F.cross_entropy(F.linear(Neuron.apply(p, xi), V, v), y) + weight * kl


def glorot(rows, columns):
    bound = math.sqrt(6 / (rows + columns))
    return torch.empty(rows, columns).uniform_(-bound, bound), torch.zeros(rows)


def batches(n):
    """Rows of the batches: all of them in an order, then all of them in another."""
    left = torch.empty(0, dtype=torch.int64)
    while True:
        if len(left) < BATCH:
            left = torch.cat([left, torch.randperm(n)])
        yield left[:BATCH]
        left = left[BATCH:]


def train(args, rows, labels, steps):
    n, d = rows.shape
    mean = rows.mean(0)
    x = rows - mean
    scale = float(1 / x.square().mean().sqrt())
    x *= scale
    layers = [glorot(HIDDEN, d), glorot(args.bits, HIDDEN), glorot(int(labels.max()) + 1, args.bits)]
    params = [p.requires_grad_() for layer in layers for p in layer]
    slower = min(1, 2000 / steps)
    rates = [0.2 * slower / math.sqrt(d), 0.2 * slower / math.sqrt(HIDDEN), 2e-3 * slower]
    groups = [(rates[0], params[:1]), (rates[0], params[1:2]), (rates[1], params[2:4]),
              (rates[2], params[4:])]
    adam = peer.adam(groups, kind=torch.optim.AdamW, eps=1e-7, weight_decay=0)
    adam.param_groups[0]["weight_decay"] = 1.5 * min(2, math.sqrt(1e4 / n))
    weight = 0.02 * min(5, max(1, n / 12000))
    run = torch.compile(loss) if args.compile else loss
    for step, ids in zip(range(steps), batches(n)):
        adam.zero_grad()
        run(x[ids], labels[ids], torch.rand(BATCH, args.bits), weight, *params).backward()
        peer.set_rates(adam, peer.cosine(step, steps))
        adam.step()
    (W1, b1), (W2, b2), _ = [(W.detach(), b.detach()) for W, b in layers]
    W1 = scale * W1
    return [(W1, b1 - W1 @ mean), (W2, b2)]


if __name__ == "__main__":
    peer.command(train, default_steps, __doc__)
