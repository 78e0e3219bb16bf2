"""The contract of a head."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..heads import Head, Quadratic, Target
from ..outcome import Outcome
from ..response import Response
from .common import MODELS, require, require_close, slopes

COLUMNS = 2  # on which the coefficients of a sandwich act


def check_head(head: Head, outcome: Outcome | Response, seed: int = 0) -> None:
    """Check what training relies on in a head.

    The gradient is that of the loss; the order of rows does not matter; rows of weight 0 are absent; a batch's target
    is that of its rows alone, in a stack as alone; a batch that says nothing has loss and gradient 0; contributions
    add up to the loss; an intercept is free or not, as the head says; outputs of 100 in float32 are no trouble. The
    quadratic expansion has the loss's first and second derivatives; the score of a row is smooth and its own.

    Parameters
    ----------
    head : Head
    outcome : Outcome or Response
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
    _check_split(head, eta, target, rows, rng)
    _check_silence(head, eta, target)
    _check_shift(head, eta, target, loss)
    extreme = 100.0 * torch.from_numpy(rng.choice([-1.0, 1.0], size=eta.shape))
    found = _loss(head, extreme.float(), target)
    for what, low, high in zip(("the loss", "the gradient"), found, _loss(head, extreme, target), strict=True):
        require_close(f"{what} of outputs of 100 in float32", low.double(), high, 1e-4, 1e-4)
    _check_score(head, eta, extreme, rng)
    _check_quadratic("all rows", head, eta, target, rng)
    _check_quadratic("outputs of 100", head, extreme, target, rng)
    _check_stacked_quadratic(head, target, rng)


def _index(rows: np.ndarray) -> Tensor:
    return torch.from_numpy(np.atleast_2d(rows))


def _loss(head: Head, eta: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Return loss (B,) and gradient (B, n, k)."""
    eta = eta.clone().requires_grad_()
    loss = head.nll(eta, target)
    return loss.detach(), torch.autograd.grad(loss.sum(), eta)[0]


def _check_rows(
    what: str, head: Head, eta: Tensor, outcome: Outcome | Response, rows: np.ndarray, taken: Target
) -> None:
    """Check a target taken from a whole against the target of these rows (T, m) prepared alone."""
    shared = MODELS // len(rows)
    part = torch.stack([eta[b, rows[b // shared]] for b in range(MODELS)])
    found = _loss(head, part, taken)
    for b in range(MODELS):
        alone = _loss(head, part[b : b + 1], head.prepare(outcome.take(rows[b // shared])))
        require_close(f"the loss of {what}", found[0][b : b + 1], alone[0])
        require_close(f"the gradient of {what}", found[1][b : b + 1], alone[1])


def _check_padding(head: Head, eta: Tensor, outcome: Outcome | Response, target: Target, rows: np.ndarray, rng) -> None:
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


def _check_split(head: Head, eta: Tensor, target: Target, rows: np.ndarray, rng) -> None:
    """Check that the parts of a target are the targets of its models."""
    valid = torch.from_numpy(rng.random(rows.shape) < 0.7)
    part = torch.stack([eta[b, r] for b, r in enumerate(rows)])
    pieces = list(target.take(_index(rows), valid).to("cpu").split(MODELS))
    require(len(pieces) == MODELS, f"a split into {MODELS} has {len(pieces)} parts.")
    for b, piece in enumerate(pieces):
        alone = target.take(_index(rows[b]), valid[b : b + 1])
        require_close("the weight of a part", piece.weight, alone.weight)
        require_close("the total of a part", piece.total, alone.total)
        found, expected = (_loss(head, part[b : b + 1], each) for each in (piece, alone))
        require_close("the loss of a part", found[0], expected[0])
        require_close("the gradient of a part", found[1], expected[1])


def _check_silence(head: Head, eta: Tensor, target: Target) -> None:
    index = torch.arange(eta.shape[1])[None]
    nothing = target.take(index, torch.zeros_like(index, dtype=torch.bool))
    loss, gradient = _loss(head, eta, nothing)
    require(not bool(nothing.total.any()), "the total of no rows is not 0.")
    require(not bool(loss.any() or gradient.any()), "without rows, loss and gradient are not exactly 0.")
    quadratic = head.quadratic(eta, nothing)
    silent = not bool(quadratic.gradient.any() or quadratic.sandwich(torch.ones_like(eta[..., :1])).any())
    require(silent, "without rows, the quadratic is not exactly 0.")


def _check_shift(head: Head, eta: Tensor, target: Target, loss: Tensor) -> None:
    for output in range(head.k):
        shift = torch.zeros(head.k, dtype=eta.dtype)
        shift[output] = 7.0
        shifted = head.nll(eta + shift, target)
        if head.free_intercept:
            require_close("the loss after adding a constant to one output", shifted, loss)
        elif bool(target.total.any()):
            changed = not torch.allclose(shifted, loss)
            require(changed, "free_intercept is False, but a constant leaves the loss unchanged.")


def _check_score(head: Head, eta: Tensor, extreme: Tensor, rng) -> None:
    """Check that the score is each row's own, smooth, and a number where outputs are large."""

    def slope(at: Tensor) -> Tensor:
        at = at.clone().requires_grad_()
        return torch.autograd.grad(head.score(at).sum(), at)[0]

    score = head.score(eta)
    require(score.shape == eta.shape[:2], f"the score has shape {tuple(score.shape)}, not one number per row.")
    require_close("the score of a row alone", head.score(eta[:, -1:]), score[:, -1:])
    require_close("the slope of the score", *slopes(lambda shift: head.score(eta + shift), slope(eta), eta, rng), 1e-5)
    low, high = extreme.float(), extreme
    require_close("the score of outputs of 100 in float32", head.score(low).double(), head.score(high), 1e-4, 1e-4)
    require_close("the slope of the score in float32", slope(low).double(), slope(high), 1e-4, 1e-4)


def _check_stacked_quadratic(head: Head, target: Target, rng) -> None:
    """Check the quadratic of rows in any order, some of them not valid, of which each set serves two models."""
    n = target.weight.shape[1]
    rows = rng.permuted(np.tile(np.arange(n), (MODELS, 1)), axis=1)
    valid = torch.from_numpy(rng.random(rows.shape) < 0.7)
    absent = ~valid.repeat_interleave(2, 0)
    eta = torch.from_numpy(2 * rng.normal(size=(2 * MODELS, n, head.k)))
    eta = torch.where(absent[..., None], 80.0, eta)
    quadratic = _check_quadratic("a stack of batches", head, eta, target.take(_index(rows), valid), rng, absent)
    require(not bool(quadratic.gradient[absent].any()), "padding has a gradient in the quadratic.")


def _check_quadratic(
    what: str, head: Head, eta: Tensor, target: Target, rng, absent: Tensor | None = None
) -> Quadratic:
    """Check derivatives of the loss by outputs, and second ones by coefficients on columns, large in `absent` rows."""
    models, n, k = eta.shape
    z = torch.from_numpy(rng.normal(size=(models, n, COLUMNS)))
    z = z if absent is None else torch.where(absent[..., None], 50.0, z)
    quadratic = head.quadratic(eta, target)
    require_close(f"the quadratic's gradient of {what}", quadratic.gradient, _loss(head, eta, target)[1])
    sandwich = quadratic.sandwich(z)
    low = head.quadratic(eta.float(), target)
    exact = all(value.dtype is torch.float64 for value in (low.gradient, low.sandwich(z.float())))
    require(exact, "the quadratic of float32 is not in float64.")

    def slope(beta: Tensor) -> Tensor:  # (p, k) -> (B, k * p), output-major
        gradient = _loss(head, eta + z @ beta, target)[1]
        return (gradient.mT @ z).reshape(models, -1)

    steps = 1e-5 * torch.eye(k * COLUMNS, dtype=torch.float64).view(-1, k, COLUMNS).mT
    curvature = torch.stack([(slope(step) - slope(-step)) / 2e-5 for step in steps], 2)
    require_close(f"the sandwich of {what}", sandwich, curvature, 1e-6, 1e-7)
    return quadratic
