"""Stochastic binary codes as PyTorch modules, to learn on top of any network: the layer with its gradient
estimators, and the objectives of stochastic generative hashing (SGH) and just-maximising-likelihood hashing
(JMLH). What was learned becomes an encoder that needs no PyTorch (:func:`to_encoder`).

>>> import torch
>>> from faiss_lbh.torch import JMLHLoss, StochasticBinary, to_encoder
>>> pictures, labels = torch.randn(8, 1, 28, 28), torch.arange(8)
>>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 64))     # any backbone, and a head
>>> layer, loss = StochasticBinary(), JMLHLoss(64, classes=10)
>>> loss(*layer(net(pictures)), labels).backward()                              # and an optimiser's step
>>> to_encoder(net, (1, 28, 28)).encode(pictures.reshape(8, -1)).shape
(8, 8)

B. Dai, R. Guo, S. Kumar, N. He, L. Song, Stochastic Generative Hashing, ICML 2017.
Y. Shen, J. Qin, J. Chen, L. Liu, F. Zhu, Z. Shen, Embarrassingly Simple Binary Representation Learning, ICCV
workshops 2019.
"""
from __future__ import annotations

import copy
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._encoder import Encoder, from_layers

__all__ = ["StochasticBinary", "bernoulli_kl", "SGHLoss", "JMLHLoss", "to_encoder"]


class _Sample(torch.autograd.Function):
    """h = [sigmoid(a) > noise]; what comes back for h is passed on times the slope of the sigmoid, which is the
    gradient where the loss is linear in each bit (equations 10 and 14 of SGH), or as it is."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, noise: Tensor, slope: bool) -> Tensor:  # type: ignore[override]
        p = torch.sigmoid(a)
        ctx.save_for_backward(p)
        ctx.slope = slope
        return (p > noise).to(a.dtype)

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> Tuple[Tensor, None, None]:  # type: ignore[override]
        (p,) = ctx.saved_tensors
        return (p * (1 - p) * dh if ctx.slope else dh), None, None


class StochasticBinary(nn.Module):
    """The stochastic binary neuron: bit k is 1 with the probability sigmoid(a_k).

    Parameters
    ----------
    estimator : {"sigmoid", "straight"}
        What comes back for a bit reaches its logit times sigmoid'(a), the papers' estimator, or unchanged
        (straight-through). It is exact where the loss is linear in each bit; :class:`SGHLoss` and
        :class:`JMLHLoss` correct what it lacks for theirs with ``exact=True``.
    stochastic : bool
        Draw bits in training; ``False`` takes the more likely one, as the papers' programs do.

    Examples
    --------
    >>> import torch
    >>> bits, logits = StochasticBinary(stochastic=False)(torch.tensor([[4., -4.]]))
    >>> bits
    tensor([[1., 0.]])
    """

    def __init__(self, estimator: str = "sigmoid", *, stochastic: bool = True):
        super().__init__()
        if estimator not in ("sigmoid", "straight"):
            raise ValueError(f"estimator ({estimator!r}) is neither 'sigmoid' nor 'straight'")
        self.estimator, self.stochastic = estimator, stochastic

    def forward(self, a: Tensor) -> Tuple[Tensor, Tensor]:
        """Bits and their logits.

        Parameters
        ----------
        a : Tensor (n, nbits)
            Logits.

        Returns
        -------
        h : Tensor (n, nbits)
            0 and 1. In evaluation they are those of the exported encoder, a >= 0.
        a : Tensor (n, nbits)
            As given: what the losses take beside h.
        """
        noise = torch.rand_like(a) if self.training and self.stochastic else torch.full_like(a, 0.5)
        if not self.training:
            return (a >= 0).to(a.dtype), a
        h: Tensor = _Sample.apply(a, noise, self.estimator == "sigmoid")
        return h, a


def bernoulli_kl(a: Tensor, prior: Optional[Tensor] = None) -> Tensor:
    """KL(q || p) of bits with logits a from bits with the logits `prior` (0: fair coins), summed over the bits.

    Parameters
    ----------
    a : Tensor (n, nbits)
    prior : Tensor (nbits,), optional

    Returns
    -------
    Tensor (n,)

    Examples
    --------
    >>> import torch
    >>> bernoulli_kl(torch.zeros(1, 3))
    tensor([0.])
    """
    b = torch.zeros_like(a) if prior is None else prior.expand_as(a)
    return (torch.sigmoid(a) * (a - b) - F.softplus(a) + F.softplus(b)).sum(1)


def _as_gradient(a: Tensor, weight: Tensor) -> Tensor:
    """A term of value 0 whose gradient by a is `weight` sigmoid'(a)."""
    p = torch.sigmoid(a)
    return ((p - p.detach()) * weight.detach()).sum(1)


class SGHLoss(nn.Module):
    """The objective of SGH: how badly a linear decoder rebuilds x from the bits, and how far the bits are from
    their prior.

    Parameters
    ----------
    nbits, d : int
    kl : float
        Weight of the KL, rho**2 of the paper.
    exact : bool
        Correct the gradient by the finite difference of equation 8, which has a closed form here: unbiased.

    Notes
    -----
    ``1/2 ||x - x^||**2 + kl * KL(q(h|x) || p(h))`` with ``x^ = h @ U + c``, a mean over the rows.

    Examples
    --------
    >>> import torch
    >>> x, encoder = torch.randn(100, 12), torch.nn.Linear(12, 16)
    >>> layer, loss = StochasticBinary(), SGHLoss(16, 12, exact=True)
    >>> loss(*layer(encoder(x)), x).backward()
    >>> loss.U.grad.shape, encoder.weight.grad.shape
    (torch.Size([16, 12]), torch.Size([16, 12]))
    """

    def __init__(self, nbits: int, d: int, *, kl: float = 1e-3, exact: bool = False):
        super().__init__()
        self.U = nn.Parameter(torch.randn(nbits, d) / nbits ** 0.5)
        self.c = nn.Parameter(torch.zeros(d))
        self.prior = nn.Parameter(torch.zeros(nbits))
        self.kl, self.exact = kl, exact

    def forward(self, h: Tensor, a: Tensor, x: Tensor) -> Tensor:
        """The loss.

        Parameters
        ----------
        h, a : Tensor (n, nbits)
            Of :class:`StochasticBinary`.
        x : Tensor (n, d)
            What is to be rebuilt: the input, or features of it.

        Returns
        -------
        Tensor ()
        """
        loss = ((h @ self.U + self.c - x) ** 2).sum(1) / 2 + self.kl * bernoulli_kl(a, self.prior)
        if self.exact:
            loss = loss + _as_gradient(a, (0.5 - h) * (self.U ** 2).sum(1))
        return loss.mean()


class JMLHLoss(nn.Module):
    """The objective of JMLH: how badly a linear classifier tells the labels from the bits, and how far the bits
    are from fair coins.

    Parameters
    ----------
    nbits, classes : int
    kl : float
        Weight of the KL (lambda of the paper).
    multi : bool
        Rows have several labels: targets are 0/1 rows of the classes.
    exact : bool
        Correct the gradient by the finite difference over each bit: unbiased.

    Examples
    --------
    >>> import torch
    >>> x, y, net = torch.randn(100, 12), torch.randint(0, 3, (100,)), torch.nn.Linear(12, 16)
    >>> loss = JMLHLoss(16, classes=3)
    >>> loss(*StochasticBinary()(net(x)), y).backward()
    >>> net.weight.grad.shape
    torch.Size([16, 12])
    """

    def __init__(self, nbits: int, classes: int, *, kl: float = 0.1, multi: bool = False, exact: bool = False):
        super().__init__()
        self.classifier = nn.Linear(nbits, classes)
        self.kl, self.multi, self.exact = kl, multi, exact

    def _loss(self, scores: Tensor, y: Tensor) -> Tensor:
        if self.multi:
            return (F.softplus(scores) - y.to(scores.dtype) * scores).sum(-1)
        return torch.logsumexp(scores, -1) - scores.gather(-1, y.long().unsqueeze(-1)).squeeze(-1)

    def forward(self, h: Tensor, a: Tensor, y: Tensor) -> Tensor:
        """The loss.

        Parameters
        ----------
        h, a : Tensor (n, nbits)
            Of :class:`StochasticBinary`.
        y : Tensor (n,) of classes, or (n, classes) of 0 and 1 with `multi`

        Returns
        -------
        Tensor ()
        """
        scores = self.classifier(h)
        loss = self._loss(scores, y) + self.kl * bernoulli_kl(a)
        if self.exact and h.requires_grad:
            with torch.no_grad():
                V = self.classifier.weight.t()  # nbits x classes
                without = scores.unsqueeze(1) - h.unsqueeze(2) * V  # n x nbits x classes
                each = y.unsqueeze(1).expand(-1, h.shape[1], *y.shape[1:])
                difference = self._loss(without + V, each) - self._loss(without, each)
                p = torch.softmax(scores, 1) if not self.multi else torch.sigmoid(scores)
                target = y.to(p.dtype) if self.multi else F.one_hot(y.long(), p.shape[1]).to(p.dtype)
                biased = (p - target) @ V.t()
            loss = loss + _as_gradient(a, difference - biased)
        return loss.mean()


# ---- Export --------------------------------------------------------------------------------------

_LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.Flatten,
           nn.Unflatten, nn.Identity, nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d,
           nn.AdaptiveAvgPool2d)


def _modules(net: nn.Module) -> Iterator[nn.Module]:
    if isinstance(net, nn.Sequential):
        for module in net:
            yield from _modules(module)
    else:
        yield net


@torch.no_grad()
def _matrix(modules: List[nn.Module], shape: Tuple[int, ...]) -> Tuple[np.ndarray, np.ndarray, Tuple[int, ...]]:
    """(W, b, shape of an output) of modules that are linear together: convolutions become rows of W."""
    d = int(np.prod(shape))

    def run(x: Tensor) -> Tensor:
        for module in modules:
            x = module(x)
        return x

    zero = run(torch.zeros(1, *shape))
    b = zero.reshape(-1)
    columns = [run(block.reshape(-1, *shape)).reshape(len(block), -1) - b
               for block in torch.eye(d).split(256)]
    return torch.cat(columns).t().contiguous().numpy(), b.numpy(), tuple(zero.shape[1:])


def to_encoder(net: nn.Module, shape: Any, *, decoder: Optional[SGHLoss] = None, metric: str = "l2") -> Encoder:
    """The encoder of a network that gives logits of bits, without PyTorch.

    Parameters
    ----------
    net : torch.nn.Sequential
        Of linear modules (Linear, ConvNd, AvgPoolNd, BatchNorm, Flatten, ...), with ReLU between them: at most
        four groups of these. A convolution becomes a matrix of all its inputs and outputs, so pictures must be
        small; for a large backbone export the head alone, and encode the backbone's features.
    shape : int or tuple of int
        Of one input, without the batch: 784, or (1, 28, 28). The encoder takes it flattened.
    decoder : SGHLoss, optional
        Its decoder goes along (where it rebuilds the input).
    metric : {"l2", "ip", "cosine"}

    Returns
    -------
    Encoder

    Raises
    ------
    TypeError
        A module that is neither linear nor ReLU.
    ValueError
        More groups than four.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(12, 20), torch.nn.ReLU(), torch.nn.Linear(20, 16))
    >>> enc, x = to_encoder(net, 12), torch.randn(5, 12)
    >>> enc.transform(x)[:, 0].tolist() == [int(a >= 0) for a in net(x)[:, 0]]
    True
    """
    net = copy.deepcopy(net).eval().to("cpu", torch.float32)
    groups: List[List[nn.Module]] = [[]]
    for module in _modules(net):
        if isinstance(module, StochasticBinary):
            continue
        if isinstance(module, nn.ReLU):
            groups.append([])
        elif isinstance(module, _LINEAR):
            groups[-1].append(module)
        else:
            raise TypeError(f"{type(module).__name__} is neither linear nor ReLU, and cannot be exported")
    at = (int(shape),) if isinstance(shape, int) else tuple(int(n) for n in shape)
    layers = []
    for group in groups:
        W, b, at = _matrix(group, at)
        layers.append((W, b))
    pair = None if decoder is None else (decoder.U.detach().cpu().numpy(), decoder.c.detach().cpu().numpy())
    return from_layers(layers, decoder=pair, metric=metric)
