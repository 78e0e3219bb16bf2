"""The contract of a head."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..heads import Head, Target
from ..outcome import Outcome
from .common import MODELS, require, require_close, slopes


def check_head(head: Head, outcome: Outcome, seed: int = 0) -> None:
    """Check what training relies on in a head.

    The gradient is that of the loss; the order of rows does not matter; rows of weight 0 are absent; a batch's target
    is that of its rows alone, in a stack as alone; a batch that says nothing has loss and gradient 0; contributions
    add up to the loss; an intercept is free or not, as the head says; outputs of 100 in float32 are no trouble.

    Parameters
    ----------
    head : Head
    outcome : Outcome
        Of at least one row.
    seed : int
        Seed of the outputs and of the choice of rows.

    Raises
    ------
    AssertionError
        With what does not hold.

    Examples
    --------
    >>> from survlspin.heads import Cox
    >>> from survlspin.testing import check_head, cohort
    >>> check_head(Cox(ties="breslow"), cohort())
    """
    rng = np.random.default_rng(seed)
    n = len(outcome)
    eta = torch.from_numpy(2 * rng.normal(size=(MODELS, n, head.k)))
    target = head.prepare(outcome)
    loss, gradient = _loss(head, eta, target)
    require_close("the gradient", *slopes(lambda shift: head.nll(eta + shift, target), gradient, eta, rng), 1e-5, 1e-8)
    require_close("the sum of the contributions", head.contributions(eta, target).sum(1), loss)
    order = rng.permutation(n)
    _check_rows("rows in another order", head, eta, outcome, order[None], target.take(_index(order)))
    _check_rows("all rows taken", head, eta, outcome, np.arange(n)[None], target.take(_index(np.arange(n))))
    for size in {1, max(n // 4, 1), max(3 * n // 4, 1)}:
        rows = rng.permuted(np.tile(np.arange(n), (MODELS, 1)), axis=1)[:, :size]
        _check_rows("a batch of each model's own", head, eta, outcome, rows, target.take(_index(rows)))
        _check_padding(head, eta, outcome, target, rows, rng)
        _check_rows("a batch shared by all models", head, eta, outcome, rows[:1], target.take(_index(rows[:1])))
    _check_silence(head, eta, target)
    _check_shift(head, eta, target, loss)
    extreme = 100.0 * torch.from_numpy(rng.choice([-1.0, 1.0], size=eta.shape))
    found = _loss(head, extreme.float(), target)
    for what, low, high in zip(("the loss", "the gradient"), found, _loss(head, extreme, target), strict=True):
        require_close(f"{what} of outputs of 100 in float32", low.double(), high, 1e-4, 1e-4)


def _index(rows: np.ndarray) -> Tensor:
    return torch.from_numpy(np.atleast_2d(rows))


def _loss(head: Head, eta: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Return loss (B,) and gradient (B, n, k)."""
    eta = eta.clone().requires_grad_()
    loss = head.nll(eta, target)
    return loss.detach(), torch.autograd.grad(loss.sum(), eta)[0]


def _check_rows(what: str, head: Head, eta: Tensor, outcome: Outcome, rows: np.ndarray, taken: Target) -> None:
    """Check a target taken from a whole against the target of these rows (T, m) prepared alone."""
    shared = MODELS // len(rows)
    part = torch.stack([eta[b, rows[b // shared]] for b in range(MODELS)])
    found = _loss(head, part, taken)
    for b in range(MODELS):
        alone = _loss(head, part[b : b + 1], head.prepare(outcome.take(rows[b // shared])))
        require_close(f"the loss of {what}", found[0][b : b + 1], alone[0])
        require_close(f"the gradient of {what}", found[1][b : b + 1], alone[1])


def _check_padding(head: Head, eta: Tensor, outcome: Outcome, target: Target, rows: np.ndarray, rng) -> None:
    """Check that rows that are not valid have no part in loss and gradient, whatever their output."""
    valid = torch.from_numpy(rng.random(rows.shape) < 0.7)
    valid[:, 0] = True
    part = torch.stack([eta[b, r] for b, r in enumerate(rows)])
    part = torch.where(valid[..., None], part, 80.0)
    loss, gradient = _loss(head, part, target.take(_index(rows), valid))
    for b, keep in enumerate(valid):
        alone = _loss(head, part[b : b + 1, keep], head.prepare(outcome.take(rows[b][keep.numpy()])))
        require_close("the loss beside padding", loss[b : b + 1], alone[0])
        require_close("the gradient beside padding", gradient[b : b + 1, keep], alone[1])
        require(not bool(gradient[b, ~keep].any()), "padding has a gradient.")


def _check_silence(head: Head, eta: Tensor, target: Target) -> None:
    index = torch.arange(eta.shape[1])[None]
    nothing = target.take(index, torch.zeros_like(index, dtype=torch.bool))
    loss, gradient = _loss(head, eta, nothing)
    require(not bool(nothing.total.any()), "the total of no rows is not 0.")
    require(not bool(loss.any() or gradient.any()), "without rows, loss and gradient are not exactly 0.")


def _check_shift(head: Head, eta: Tensor, target: Target, loss: Tensor) -> None:
    shifted = head.nll(eta + 7.0, target)
    if head.free_intercept:
        require_close("the loss after adding a constant to all outputs", shifted, loss)
    elif bool(target.total.any()):
        require(not torch.allclose(shifted, loss), "free_intercept is False, but a constant leaves the loss unchanged.")
