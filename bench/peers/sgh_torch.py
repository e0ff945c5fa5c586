#!/usr/bin/env python3
"""SGH in PyTorch: the peer that `lbh train --method sgh` is timed beside.

What the defaults of plugin/encoders/sgh do, from the file to the decoder: 256 principal components, a
start from ITQ, 15,000 steps of 500 rows drawn with replacement, codes in {-1,+1} with noise of width
1 + 0.12 log2(bits / 16) before the threshold, the derivative passed through the neurons (sgh_step.h),
x^ = h U + c, Adam with a step size that falls to 0; then steps / 15 (with 65 to 192 bits steps / 5) of the
last stage on lists of exact neighbours (shared/near_stage.h); then the least-squares decoder. What is
left out: the choice between the last stage's codes and those before it, and the notes on quality (both small).

  python3 bench/peers/sgh_torch.py base.bvecs --threads 2"""
import math

import torch
from torch.nn import functional as F

import torch_peer as peer

BATCH = 500
MAX_ROWS, LIST, GROUPS, NEAR, NEXT = 30000, 100, 64, 3, 4  # of the last stage: shared/near_rows.c


def default_steps(n):
    return 15000


class Neuron(torch.autograd.Function):
    """h = 1 if sigma(a) > xi, else -1; its derivative is that of 2 sigma(a) - 1."""

    @staticmethod
    def forward(ctx, a, xi):
        p = torch.sigmoid(a)
        ctx.save_for_backward(p)
        return torch.where(p > xi, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad):
        (p,) = ctx.saved_tensors
        return 2 * grad * p * (1 - p), None


def loss(x, xi, W, b, U, c):
    """sum ||x - x^||^2 / 2"""
    h = Neuron.apply(F.linear(x, W, b), xi)
    return 0.5 * (x - torch.addmm(c, h, U)).square().sum()


def rebuild_stage(rows, params, steps, noise, loss):
    optimiser = peer.adam([(0.01, params)])
    for step in range(steps):
        x = rows[torch.randint(len(rows), (BATCH,))]
        xi = torch.rand(BATCH, len(params[1])).sub_(0.5).mul_(noise).add_(0.5)
        optimiser.zero_grad()
        loss(x, xi, *params).backward()
        peer.set_rates(optimiser, peer.cosine(step, steps))
        optimiser.step()


def near_loss(x, narrow, W, b, beta):
    logp = peer.row_softmax(-narrow[:, None] * peer.squared_distances(x))
    t = torch.tanh(F.linear(x, W, b))
    return peer.divergence(logp, t @ t.T, beta)[0]


def neighbour_lists(x):
    """The nearest of each row, and the squared distance of the tenth."""
    norm, lists, tenth = x.square().sum(1), [], []
    for i in range(0, len(x), 1024):
        d = torch.addmm(norm, x[i:i + 1024], x.T, alpha=-2)
        d[torch.arange(len(d)), torch.arange(i, i + len(d))] = math.inf
        near = d.topk(LIST, largest=False)
        lists.append(near.indices)
        tenth.append(near.values[:, 9] + norm[i:i + 1024])
    return torch.cat(lists), torch.cat(tenth)


def near_stage(rows, W, b, steps):
    x = rows[torch.randperm(len(rows))[:MAX_ROWS]]
    lists, square = neighbour_lists(x)
    with torch.no_grad():
        std = F.linear(x[:4096], W, b).std(0, unbiased=False)
        W /= std[:, None]
        b /= std
    optimiser, beta = peer.adam([(0.003, [W, b])]), 2 / math.sqrt(len(b))
    for step in range(steps):
        anchor = torch.randint(len(x), (GROUPS, 1))
        place = torch.cat([torch.randint(10, (GROUPS, NEAR)), torch.randint(10, LIST, (GROUPS, NEXT))], 1)
        ids = torch.cat([anchor, lists[anchor, place]], 1).unique()
        optimiser.zero_grad()
        near_loss(x[ids], 10 / square[ids], W, b, beta).backward()
        peer.set_rates(optimiser, peer.cosine(step, steps))
        optimiser.step()


def start(rows, bits):
    """Logits of deviation 2 by the rotation of ITQ, and the templates that match."""
    A, z = peer.itq(rows, bits)
    W = 2 * A / z.square().mean(0).sqrt()[:, None]
    U = A * z.abs().mean(0)[:, None]
    return [W, torch.zeros(bits), U, torch.zeros(rows.shape[1])]


def train(args, rows, labels, steps):
    space = peer.Space(rows, args.bits)
    params = [p.requires_grad_() for p in start(space.rows, args.bits)]
    noise = 1 + 0.12 * max(0.0, math.log2(args.bits / 16))
    rebuild_stage(space.rows, params, steps, noise, torch.compile(loss) if args.compile else loss)
    near_stage(space.rows, params[0], params[1], steps // (5 if 64 < args.bits <= 192 else 15))
    peer.fit_decoder(space.rows, *params[:2])
    return space.leave(*params[:2])


if __name__ == "__main__":
    peer.command(train, default_steps, __doc__)
