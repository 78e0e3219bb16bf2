"""The one place where net, head and optimiser meet."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..heads import Head, Target
from ..nets import Net
from .optim import Buffer, Optimizer


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of T models: design ``x`` (T, n, p), their target, and noise (B, n, n_gates) where the net takes it."""

    x: Tensor
    target: Target
    noise: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Data:
    """A data set from which models draw rows: design ``x`` (N, p) and its target of one set of rows."""

    x: Tensor
    target: Target

    def take(self, index: Tensor, valid: Tensor | None = None, noise: Tensor | None = None) -> Batch:
        """Return the batch of rows `index` (T, m), those not `valid` with weight 0."""
        return Batch(self.x[index], self.target.take(index, valid), noise)


def objective(net: Net, head: Head, batch: Batch, lam: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return each model's loss with its penalties (B,), and without (B,)."""
    eta, parts = net(batch.x, batch.noise, batch.target.weight)
    nll = head.nll(eta, batch.target)
    penalties = net.penalties(parts, batch)
    return nll + sum(lam[name] * value for name, value in penalties.items()), nll


def step(net: Net, head: Head, batch: Batch, lam: dict[str, Tensor], buffer: Buffer, optimizer: Optimizer, lr: Tensor):
    """Take one step of every model whose rows say something.

    What is computed is computed, what is learnt moves down the gradient, and what cannot be differentiated comes
    after it. The models are independent, so the gradient of their summed loss is each model's own.

    Returns
    -------
    Tensor (B,), bool
        Which models moved.
    """
    net.solve(batch, head, lam)
    loss, _ = objective(net, head, batch, lam)
    total = batch.target.total
    moved = (total > 0).repeat_interleave(len(lr) // len(total))
    optimizer.step(buffer.value, buffer.gradient(loss.sum()), lr, moved)
    net.prox(lam, lr * moved)
    return moved
