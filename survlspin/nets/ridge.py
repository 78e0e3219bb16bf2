"""Ridge-penalised coefficients of a head by Newton steps that never climb, for B models at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..heads import Head, Target

STEPS = 50  # Newton steps to convergence, at most
HALVINGS = 30  # of one step, at most
CONVERGED = 1e-13  # promised decrease of the loss after which one more step ends the search
JITTER = 1e-10  # share of the mean curvature that is added to every curvature, not to the gradient
SLACK = 0.1  # by how much the loss of a batch may rise under the normal equations of many batches


@dataclass(frozen=True, eq=False)
class Expansion:
    """A head's loss of ``eta = z (scale * gamma)`` plus ``1/2 sum ridge * gamma^2``.

    Attributes
    ----------
    z : Tensor (B, n, q), float64
    scale, ridge : Tensor (B, q), float64
    """

    head: Head
    target: Target
    z: Tensor
    scale: Tensor
    ridge: Tensor

    @property
    def says(self) -> Tensor:
        """Which models have rows that say something, bool (B,)."""
        total = self.target.total
        return (total > 0).repeat_interleave(len(self.z) // len(total))

    def eta(self, gamma: Tensor) -> Tensor:
        return torch.bmm(self.z, (self.scale * gamma)[..., None])  # (B, n, 1)

    def loss(self, gamma: Tensor) -> Tensor:
        """Return the penalised loss (B,); inf where it is no number."""
        loss = self.head.nll(self.eta(gamma), self.target) + 0.5 * (self.ridge * gamma.square()).sum(1)
        return loss.nan_to_num(nan=torch.inf)

    def raw(self, gamma: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradient (B, q) and curvature (B, q, q) of the bare loss by the coefficients ``scale * gamma``."""
        quadratic = self.head.quadratic(self.eta(gamma), self.target)
        return torch.bmm(self.z.mT, quadratic.gradient)[..., 0], quadratic.sandwich(self.z)

    def penalised(self, gradient: Tensor, curvature: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradient and curvature of the penalised loss by gamma."""
        bent = self.scale[:, :, None] * curvature * self.scale[:, None] + torch.diag_embed(self.ridge)
        return self.scale * gradient + self.ridge * gamma, bent


def newton(problem: Expansion, gamma: Tensor, steps: int | None = None) -> Tensor:
    """Return gamma (B, q) after `steps` Newton steps, or at convergence.

    A step is halved until it lowers the penalised loss; a model whose steps do not is left where it is, and so is one
    whose rows say nothing.
    """
    live = problem.says
    for _ in range(steps or STEPS):
        gradient, curvature = problem.penalised(*problem.raw(gamma), gamma)
        step = _solved(curvature, gradient)
        promise = (gradient * step).sum(1)
        gamma, moved = _descend(problem, gamma, step, live, promise)
        live = moved & (promise > CONVERGED)
        if not bool(live.any()):
            break
    return gamma


def running(
    problem: Expansion, gamma: Tensor, state: tuple[Tensor, Tensor, Tensor], memory: float
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Return the solution (B, q) of normal equations that decay from batch to batch, and their new state.

    The state is a decaying mean of the curvature (B, q, q) and of curvature times coefficients minus gradient (B, q),
    and the weight (B, 1) the batches so far have in it. It is in the coefficients ``scale * gamma``, so that the scale
    may change.
    """
    curvature, pull, seen = state
    beta = problem.scale * gamma
    gradient, bent = problem.raw(gamma)
    says = problem.says  # a batch that says nothing leaves the state as it is
    keep = torch.where(says, memory, 1.0)[:, None]
    seen = keep * seen + (1 - keep)
    curvature = keep[..., None] * curvature + (1 - keep[..., None]) * bent
    pull = keep * pull + (1 - keep) * ((bent @ beta[..., None])[..., 0] - gradient)
    share = seen.clamp(min=torch.finfo(seen.dtype).tiny)
    bent = curvature / share[..., None]
    slope = (bent @ beta[..., None])[..., 0] - pull / share
    slope, bent = problem.penalised(slope, bent, gamma)
    gamma, _ = _descend(problem, gamma, _solved(bent, slope), says, torch.zeros_like(seen[:, 0]), SLACK)
    return gamma, (curvature, pull, seen)


def _solved(curvature: Tensor, gradient: Tensor) -> Tensor:
    """Return the Newton step (B, q); the curvature is lifted a little, which moves no solution."""
    mean = curvature.diagonal(dim1=1, dim2=2).mean(1)
    lift = JITTER * mean.clamp(min=torch.finfo(mean.dtype).tiny / JITTER)
    lifted = curvature + torch.diag_embed(lift[:, None].expand_as(gradient))
    factor, failed = torch.linalg.cholesky_ex(lifted)
    step = torch.cholesky_solve(gradient[..., None], factor)[..., 0]
    diagonal = gradient / lifted.diagonal(dim1=1, dim2=2)
    return torch.where((failed > 0)[:, None] | ~step.isfinite().all(1, keepdim=True), diagonal, step)


def _descend(
    problem: Expansion, gamma: Tensor, step: Tensor, live: Tensor, promise: Tensor, slack: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return gamma after the step, halved until the loss is lower (but for `slack`), and which models moved."""
    before, length, out = problem.loss(gamma), torch.ones_like(gamma[:, :1]), gamma
    waiting = live.clone()
    rounding = 1e-14 * before.abs()
    for _ in range(HALVINGS):
        tried = gamma - length * step
        good = waiting & (problem.loss(tried) <= before - 1e-4 * length[:, 0] * promise + slack + rounding)
        out = torch.where(good[:, None], tried, out)
        waiting = waiting & ~good
        if not bool(waiting.any()):
            break
        length = torch.where(waiting[:, None], length / 2, length)
    return out, live & ~waiting
