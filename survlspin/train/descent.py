"""Proximal gradient steps whose lengths follow the curvature, for a stack of models."""

from __future__ import annotations

import torch
from torch import Tensor

from ..heads import Head
from ..nets import LassoNet
from .optim import Buffer
from .step import Batch, objective

FIRST = 1e-2  # length of the first step
SHORTEST, LONGEST = 1e-5, 1e2
MEMORY = 3  # objectives; a step may be worse than the last of them, but not worse than all
SUFFICIENT = 1e-4  # of the decrease that a step promises
ROUNDING = 8  # relative error of the objective, in units of its precision


class Descent:
    """Full-batch proximal gradient descent on ``nll + smooth penalties + lam * sum_j |theta_j|``.

    Steps have Barzilai and Borwein's length (1988), one for the coefficients and first-layer weights, on which the
    proximal operator acts, and one for every other parameter; all are cut to a quarter where the objective would
    exceed the largest of its last values (Grippo, Lampariello and Lucidi 1986; with a proximal operator Wright,
    Nowak and Figueiredo 2009). The proximal operator's lambda is that of the objective times the step's length.

    Parameters
    ----------
    net : LassoNet
        B models; the descent moves them.
    head : Head
    batch : Batch
        All rows they are trained on.
    lam : dict of Tensor (B,)
        Weights of the penalties in the loss; that of ``skip`` is set by `at`.

    Attributes
    ----------
    value, gradient : Tensor (B, P)
        The parameters, and the derivative of the smooth loss there.
    smooth, nll : Tensor (B,), float64
        The loss with the penalties in it, and without.
    lam : dict of Tensor (B,)
    """

    def __init__(self, net: LassoNet, head: Head, batch: Batch, lam: dict[str, Tensor]):
        self.net, self.head, self.batch, self.lam = net, head, batch, dict(lam)
        self.buffer = Buffer(net)
        shrunk = [p is net.skip.weight or p is net.first for p in self.buffer.parameters]
        block = [0 if s else i for i, s in enumerate(shrunk, 1)]
        sizes = [p[0].numel() for p in self.buffer.parameters]
        like = self.buffer.value
        self.block = torch.repeat_interleave(torch.tensor(block), torch.tensor(sizes)).to(like.device)  # (P,)
        self.rounding = ROUNDING * torch.finfo(like.dtype).eps
        self.length = like.new_full((net.models, len(block) + 1), FIRST)
        self.net.prox(self.lam | {"skip": 0 * self.lam["skip"]}, torch.ones_like(self.lam["skip"]))
        self.put(self.buffer.value.clone())

    def put(self, value: Tensor) -> None:
        """Begin at the parameters `value` (B, P)."""
        self.buffer.value.copy_(value)
        self.value = value
        self.smooth, self.nll, self.gradient = self._loss()
        self._forget()

    def at(self, lam: float) -> None:
        """Set lambda."""
        self.lam["skip"] = torch.full_like(self.lam["skip"], lam)
        self._forget()

    def state(self) -> dict[str, Tensor]:
        """Return everything that the descent depends on after the next `at`."""
        return {name: getattr(self, name) for name in ("value", "gradient", "smooth", "nll", "length")}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take on a state; `at` has to follow."""
        for name, value in state.items():
            setattr(self, name, value.to(self.value.device))
        self.buffer.value.copy_(self.value)

    def _forget(self) -> None:
        """Start the record of objectives anew."""
        total = self.smooth + self.net.nonsmooth(self.lam)
        self.record = total[None].expand(MEMORY, -1).clone()

    def _loss(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the smooth loss and its NLL (B,), float64, and its derivative (B, P)."""
        self.net.train()
        loss, nll = objective(self.net, self.head, self.batch, self.lam)
        return loss.detach().double(), nll.detach().double(), self.buffer.gradient(loss.sum())

    def step(self, asked: Tensor) -> Tensor:
        """Try one step of the models `asked` (B,); return the decrease that it promised (B,), inf where it failed."""
        length = self.length[:, self.block]
        self.buffer.value.copy_(torch.where(asked[:, None], self.value - length * self.gradient, self.value))
        self.net.prox(self.lam, self.length[:, 0] * asked)
        smooth, nll, gradient = self._loss()
        total = smooth + self.net.nonsmooth(self.lam)
        change = self.buffer.value - self.value
        promised = (change.square() / length).sum(1).double() / 2
        bound = self.record.amax(0) - SUFFICIENT * promised + self.rounding * total.abs()
        good = asked & (total <= bound)
        self._adapt(change, gradient - self.gradient, good, asked)
        self.record = torch.where(good, torch.cat([self.record[1:], total[None]]), self.record)
        self.value = torch.where(good[:, None], self.buffer.value, self.value)
        self.gradient = torch.where(good[:, None], gradient, self.gradient)
        self.smooth, self.nll = torch.where(good, smooth, self.smooth), torch.where(good, nll, self.nll)
        self.buffer.value.copy_(self.value)
        return torch.where(good, promised, torch.inf)

    def _adapt(self, change: Tensor, bend: Tensor, good: Tensor, asked: Tensor) -> None:
        """Set the lengths by how much the gradient changed, or cut them."""
        none = torch.zeros_like(self.length)
        moved = none.index_add(1, self.block, change.square())
        curved = none.index_add(1, self.block, change * bend)
        new = torch.where(curved > 0, moved / curved.clamp(min=torch.finfo(curved.dtype).tiny), 2 * self.length)
        new = torch.where(moved > 0, new, self.length).clamp(SHORTEST, LONGEST)
        self.length = torch.where(good[:, None], new, torch.where(asked[:, None], self.length / 4, self.length))

    def by_shrunk(self) -> tuple[Tensor, Tensor]:
        """Return the gradient by the linear coefficients (B, p, k) and by the first layer's weights (B, p, h)."""
        theta, first = self.net.skip.weight, self.net.first
        sizes = [p[0].numel() for p in self.buffer.parameters]
        parts = dict(zip(map(id, self.buffer.parameters), self.gradient.split(sizes, 1), strict=True))
        by_first = parts[id(first)].view_as(first) if id(first) in parts else torch.zeros_like(first)
        return parts[id(theta)].view_as(theta), by_first

    def kkt(self) -> Tensor:
        """Return the largest violation of the conditions of optimality (B,), in units of the gradient."""
        rest = (self.gradient * (self.block > 0)).abs().amax(1)
        return torch.maximum(self.net.violation(*self.by_shrunk(), self.lam["skip"]), rest)
