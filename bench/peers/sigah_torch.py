#!/usr/bin/env python3
"""SiGAH in PyTorch: the peer that `lbh train --method sigah` is timed beside.

What the defaults of plugin/encoders/sigah do, from the file to the decoder: 256 principal components, a
start from ITQ, 5,000 steps of 512 rows; networks and losses of sigah_step.h with the graph term of
shared/graph_term.h (sigma by Newton's method, beta fitted on the way), errors, noise and weights by
the length of the row (sigah_train.c); two optimisers in turn; then the least-squares decoder. What is
left out: watching whether training goes well (small).

  python3 bench/peers/sigah_torch.py base.bvecs --threads 2"""
import math

import torch
from torch.nn import functional as F

import torch_peer as peer

BATCH, NEIGHBOURS = 512, 0.02
SPARSITY, GRAPH, ADVERSARIAL, MARGIN = 1e-3, 0.2, 0.1, 0.1
WARMUP = 0.1


def default_steps(n):
    return 5000


def energy(y, disc, unit):
    We, be, Wd, bd = disc
    hidden = F.leaky_relu(torch.addmm(be, y, We), 0.2)
    return unit * (y - torch.addmm(bd, hidden, Wd)).square().sum(1)


def narrow(D, iterations=10):
    """1 / sigma_i such that p_i has the entropy of so many neighbours: fit_sigma()."""
    D = D.clone().fill_diagonal_(math.inf)
    D = D - D.amin(1, keepdim=True)
    finite = D.clone().fill_diagonal_(0)
    inv = 3 * (len(D) - 1) / finite.sum(1, keepdim=True)
    target = math.log(max(NEIGHBOURS * len(D), 1.5))
    for _ in range(iterations):
        u = inv * finite
        p = torch.exp(-inv * D)
        total = p.sum(1, keepdim=True)
        pu = p.mul_(u)
        first = pu.sum(1, keepdim=True) / total
        variance = (pu.mul_(u).sum(1, keepdim=True) / total - first * first).clamp_min_(1e-3)
        change = (torch.log(total) + first - target) / variance
        inv = inv * torch.exp(change.clamp(-1, 1))
        if change.abs().max() < 1e-4:
            break
    return inv


def better_beta(beta, logp, logq, K, weight, bits):
    """A damped step of Newton's method in beta: lbh_graph_better_beta()."""
    k = K.clone().fill_diagonal_(0)
    q = logq.exp()
    mean = (q * k).sum(1)
    slope = (weight * ((logp.exp() * k).sum(1) - mean)).sum()
    bend = (weight * ((q * k).mul_(k).sum(1) - mean * mean)).sum()
    change = float(0.05 * slope / (bend * beta)) if bend > 0 else 0
    return min(max(beta * (1 + min(max(change, -0.1), 0.1)), 1 / bits), 100 / bits)


class Batch:
    """Rows, and what depends on their lengths."""

    def __init__(self, rows, unit, width, bits):
        self.x = rows[torch.randint(len(rows), (BATCH,))]
        share = self.x.square().sum(1) * unit
        self.weight = 1 / share.clamp_min(0.05)
        length = share.clamp(0.05, 4).sqrt()
        self.near = length / length.mean()
        self.noise = (2 * torch.rand(BATCH, bits) - 1) * (width * share.clamp_max(1).sqrt())[:, None]


def forward(x, noise, W, b, Wg, bg, A):
    """Bits (with the derivative of tanh), features, rebuilt rows."""
    T = torch.tanh(F.linear(x, W, b))
    H = T + (torch.where(T + noise >= 0, 1.0, -1.0) - T).detach()
    S = F.leaky_relu(torch.addmm(bg, H, Wg), 0.2)
    return H, S, S @ A


def discriminator_loss(x, y, disc, unit):
    real, synthetic = energy(torch.cat([x, y]), disc, unit).split(len(x))
    return real.mean() + F.relu(MARGIN - synthetic).mean()


def generator_loss(batch, H, S, Y, disc, unit, beta):
    """The loss, and the next beta."""
    with torch.no_grad():
        D = peer.squared_distances(batch.x)
        logp = peer.row_softmax(-narrow(D) * D)
    K = H @ H.T
    graph, logq = peer.divergence(logp, K, beta, batch.near)
    rec = unit * (batch.weight * (batch.x - Y).square().sum(1)).mean()
    total = rec + SPARSITY * S.abs().mean() + GRAPH * graph + ADVERSARIAL * energy(Y, disc, unit).mean()
    return total, better_beta(beta, logp, logq.detach(), K.detach(), batch.near, H.shape[1])


def start(rows, bits):
    d = rows.shape[1]
    m, k = 2 * d, d // 2
    W = 2 * peer.itq(rows, bits)[0]
    Wg, A = 0.3 / math.sqrt(bits) * torch.randn(bits, m), torch.randn(m, d) / math.sqrt(d)
    We, Wd = torch.randn(d, k) / math.sqrt(d), torch.randn(k, d) / math.sqrt(k)
    return (W, torch.zeros(bits)), (Wg, torch.zeros(m)), A, (We, torch.zeros(k), Wd, torch.zeros(d))


def lift_short_rows(space, unit):
    """Half of the rows get at least half the mean square length: lift_short_rows()."""
    median = float((space.rows.square().sum(1) * unit).median())
    if 0 < median < 0.5:
        space.rows *= math.sqrt(0.5 / median)
        space.scale *= math.sqrt(0.5 / median)


def train(args, rows, labels, steps):
    space, bits = peer.Space(rows, args.bits), args.bits
    unit = float(1 / (space.variance.sum() * space.scale ** 2))
    lift_short_rows(space, unit)
    hashing, generator, A, disc = start(space.rows, bits)
    for p in [*hashing, *generator, *disc]:
        p.requires_grad_()
    adam, adam_d = peer.adam([(0.01, hashing), (0.01, generator)]), peer.adam([(0.001, disc)])
    width, beta = 1 + 0.06 * max(0.0, math.log2(bits / 16)), 10 / bits
    run = torch.compile(forward) if args.compile else forward
    judge = torch.compile(discriminator_loss) if args.compile else discriminator_loss
    for step in range(steps):
        falls, at = peer.cosine(step, steps), step / steps
        batch = Batch(space.rows, unit, width, bits)
        H, S, Y = run(batch.x, batch.noise, *hashing, *generator, A)
        adam_d.zero_grad()
        judge(batch.x, Y.detach(), disc, unit).backward()
        peer.set_rates(adam_d, falls)
        adam_d.step()
        loss, beta = generator_loss(batch, H, S, Y, [p.detach() for p in disc], unit, beta)
        adam.zero_grad()
        loss.backward()
        peer.set_rates(adam, falls * min(1, at / WARMUP), falls)
        adam.step()
    peer.fit_decoder(space.rows, *hashing)
    return space.leave(*hashing)


if __name__ == "__main__":
    peer.command(train, default_steps, __doc__)
