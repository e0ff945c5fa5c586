"""The torch modules: gradients against enumeration of all codes, and a network trained on pictures, exported,
and searched."""
import itertools
import os
import unittest

from common import directory, faiss_lbh, hamming, np, there_is

if there_is("torch"):
    import torch
    from faiss_lbh.torch import JMLHLoss, SGHLoss, StochasticBinary, bernoulli_kl, to_encoder


@unittest.skipUnless(there_is("torch"), "no PyTorch here")
class Gradients(unittest.TestCase):
    L = 5

    def exact(self, loss, a, target):
        """The gradient by a of E_q[loss], by all codes (kl = 0)."""
        a = a.clone().requires_grad_()
        p, total = torch.sigmoid(a), 0
        for bits in itertools.product((0., 1.), repeat=self.L):
            h = torch.tensor(bits, dtype=a.dtype).expand_as(a)
            q = torch.where(h > 0, p, 1 - p).prod(1)
            values = torch.stack([loss(h[i:i + 1].detach(), a[i:i + 1].detach(), target[i:i + 1])
                                  for i in range(len(a))])
            total = total + (q * values.detach()).sum()
        return torch.autograd.grad(total / len(a), a)[0]

    def mean_gradient(self, loss, a, target):
        """The mean over all codes, by their probability, of what backward() gives."""
        layer, sum_ = StochasticBinary().train(), torch.zeros_like(a)
        p = torch.sigmoid(a)
        for bits in itertools.product((0., 1.), repeat=self.L):
            wanted = torch.tensor(bits, dtype=a.dtype).expand_as(a)
            noise = torch.where(wanted > 0, torch.zeros_like(a), torch.ones_like(a))
            b = a.clone().requires_grad_()
            rand_like, torch.rand_like = torch.rand_like, lambda _: noise
            try:
                h, logits = layer(b)
            finally:
                torch.rand_like = rand_like
            self.assertTrue((h == wanted).all())
            for i in range(len(a)):
                g = torch.autograd.grad(loss(h[i:i + 1], logits[i:i + 1], target[i:i + 1]), b, retain_graph=True)[0]
                q = torch.where(wanted > 0, p, 1 - p).prod(1)[i]
                sum_[i] += q * g[i] / len(a)
        return sum_

    def check(self, make, target):
        torch.manual_seed(1)
        a = torch.randn(3, self.L, dtype=torch.float64)
        for exact in True, False:
            torch.manual_seed(2)
            loss = make(exact).double()
            true = self.exact(loss, a, target)
            error = (self.mean_gradient(loss, a, target) - true).abs().max().item()
            self.assertEqual(error < 1e-9, exact, f"exact={exact}: {error}")

    def test_sgh(self):
        self.check(lambda exact: SGHLoss(self.L, 4, kl=0, exact=exact), torch.randn(3, 4, dtype=torch.float64))

    def test_jmlh(self):
        self.check(lambda exact: JMLHLoss(self.L, 3, kl=0, exact=exact), torch.tensor([0, 2, 1]))
        self.check(lambda exact: JMLHLoss(self.L, 3, kl=0, exact=exact, multi=True),
                   torch.tensor([[0., 1, 1], [1, 0, 0], [0, 0, 0]], dtype=torch.float64))

    def test_kl(self):
        a, prior = torch.randn(4, self.L, dtype=torch.float64), torch.randn(self.L, dtype=torch.float64)
        p, r = torch.sigmoid(a), torch.sigmoid(prior)
        expected = (p * (p / r).log() + (1 - p) * ((1 - p) / (1 - r)).log()).sum(1)
        self.assertTrue(torch.allclose(bernoulli_kl(a, prior), expected))
        a.requires_grad_()
        self.assertTrue(torch.autograd.gradcheck(bernoulli_kl, (a, prior)))

    def test_straight(self):
        a = torch.randn(3, self.L, requires_grad=True)
        h, _ = StochasticBinary("straight").train()(a)
        h.sum().backward()
        self.assertTrue((a.grad == 1).all())
        self.assertRaises(ValueError, StochasticBinary, "none")


def pictures(n, seed):
    """12 x 12 pictures of bars: four directions, anywhere, with noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    x = rng.normal(scale=.25, size=(n, 1, 12, 12)).astype(np.float32)
    for i in range(n):
        r, c = rng.integers(0, 7, 2)
        for t in range(6):
            dr, dc = ((0, t), (t, 0), (t, t), (t, 5 - t))[y[i]]
            x[i, 0, r + dr, c + dc] += 1
    return x, y


@unittest.skipUnless(there_is("torch"), "no PyTorch here")
class EndToEnd(unittest.TestCase):
    def test_a_convolutional_network(self):
        torch.manual_seed(1)
        torch.set_num_threads(1)
        x, y = pictures(2000, 1)
        test, answer = pictures(200, 2)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3, stride=2, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
            torch.nn.Conv2d(8, 16, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
            torch.nn.Linear(144, 24))
        layer, loss = StochasticBinary(), JMLHLoss(24, 4, kl=.01)
        adam = torch.optim.Adam([*net.parameters(), *loss.parameters()], lr=3e-3)
        images, labels = torch.tensor(x), torch.tensor(y)
        for step in range(400):
            batch = torch.randint(0, len(x), (64,))
            adam.zero_grad()
            loss(*layer(net(images[batch])), labels[batch]).backward()
            adam.step()
        enc = to_encoder(net, (1, 12, 12))
        with torch.no_grad():
            logits = net.eval()(torch.tensor(test)).numpy()
        codes = enc.encode_queries(test.reshape(200, -1))
        bits = np.unpackbits(codes, axis=1, count=24, bitorder="little")
        self.assertTrue((bits == (logits >= 0))[np.abs(logits) > 1e-3].all())
        with directory() as there:  # encode in C, search in FAISS, without PyTorch
            path = os.path.join(there, "bars.lbh")
            enc.save(path)
            index = faiss_lbh.Index(faiss_lbh.Encoder.load(path), "BFlat").add(x.reshape(2000, -1))
        ids = index.search(test.reshape(200, -1), 10)[1]
        precision = (y[ids] == answer[:, None]).mean()
        self.assertGreater(precision, .85)  # .25 by chance

    def test_sgh_and_its_decoder(self):
        torch.manual_seed(1)
        x = torch.randn(500, 12) @ torch.randn(12, 12)
        net, layer, loss = torch.nn.Linear(12, 16), StochasticBinary(), SGHLoss(16, 12, exact=True)
        adam = torch.optim.Adam([*net.parameters(), *loss.parameters()], lr=1e-2)
        first = None
        for _ in range(300):
            adam.zero_grad()
            value = loss(*layer(net(x)), x)
            value.backward()
            adam.step()
            first = first or value.item()
        self.assertLess(value.item(), first / 2)
        enc = to_encoder(torch.nn.Sequential(net), 12, decoder=loss)
        h = (net(x) >= 0).float()
        np.testing.assert_allclose(enc.decode(enc.encode(x)), (h @ loss.U + loss.c).detach().numpy(), atol=1e-3)

    def test_refusals(self):
        self.assertRaises(TypeError, to_encoder, torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh()), 4)
        deep = torch.nn.Sequential(*[m for _ in range(5) for m in (torch.nn.Linear(4, 4), torch.nn.ReLU())])
        self.assertRaises(ValueError, to_encoder, deep, 4)


if __name__ == "__main__":
    unittest.main()
