"""The path of nets whose gates depend on the row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..nets import Net
from .path import Path, PathEstimator, describe, extended
from .problem import Problem

POINTS = 20
SHRINK = 0.3  # of the dense fit's last gate layer: open, saturated gates would not feel the penalty
LARGEST = 2.0  # first guess of the largest lambda, in units of the loss that the dense fit saves
SPAN = 100.0  # largest lambda over smallest
SPARSE = 1 / 3  # share of the grid, at its sparse end, that is fitted from the start
WARM_STEPS, COLD_STEPS = 400, 800  # at most, for clones of the dense fit and for fits from the start


def fit_gate_path(
    estimator: PathEstimator, problem: Problem, make: Callable[[int], Net], points: int, context: Sequence[int]
) -> Path:
    """Fit the path, from the last point that leaves every gate open to the first that leaves none.

    A warm start from dense to sparse gets stuck, since saturated gates do not feel lambda. One dense fit, cloned over
    the grid with its last gate layer shrunk and trained as one stack, does not; its sparse end is fitted from the
    start as well, and each model there is the one with the better validation objective.
    """
    problem.validation()
    members, besides = len(problem.seeds), estimator._lam_besides()
    gated = np.setdiff1d(np.arange(len(problem.design.factors)), problem.design.group[list(context)])

    def fit(net: Net, lam: Sequence[float], label: str, steps: int) -> np.ndarray:
        weights = {"gates": lam, **{name: [value] * len(lam) for name, value in besides.items()}}
        return problem.limited(steps).fit(net, weights, label).objective

    def from_start(lam: np.ndarray) -> tuple[Net, np.ndarray]:
        net = problem.initialize(make, len(lam))
        return net, fit(net, lam, "sparse end", COLD_STEPS)

    dense = problem.initialize(make)
    problem.fit(dense, {"gates": [0.0]}, "dense fit")
    lam = lambda_grid(problem, dense, points)
    net = dense.rows(torch.arange(members).repeat(points))
    with torch.no_grad():
        for parameter in net.gating.affine[-1].parameters():
            parameter.mul_(SHRINK)
    objective = fit(net, lam, "path", WARM_STEPS)
    sparse = round(SPARSE * points)
    first = len(objective) - sparse * members
    cold, again = from_start(lam[-sparse:])
    better = np.flatnonzero(again < objective[first:])
    index = np.arange(len(objective))
    index[first + better] = len(objective) + better
    net = net.put([net, cold]).rows(index)
    net, lam, used = extended(problem, net, lam, lambda more: from_start(more)[0], gated)
    keep = between([u[:, gated] for u in used])
    net = net.rows([i * members + m for i in keep for m in range(members)])
    return describe(estimator, problem, net, lam[keep], [used[i] for i in keep])


def between(opened: Sequence[np.ndarray]) -> list[int]:
    """Return the points from the last that uses everything to the first, after it or not, that uses nothing.

    Where every point uses everything none is left out.
    """
    if all(o.all() for o in opened):
        return list(range(len(opened)))
    last = next((i for i, o in enumerate(opened) if not o.any()), len(opened) - 1)
    full = [i for i, o in enumerate(opened[: last + 1]) if o.all()]
    return list(range(full[-1] if full else 0, last + 1))


def lambda_grid(problem: Problem, dense: Net, points: int) -> np.ndarray:
    """Return lambdas, ascending: no set of factors saves more loss than the dense fit does, so none is worth more."""
    x, target = problem.validation()
    eta = problem.outputs(dense, problem.centers(dense), x)  # (1, n, k)
    saved = problem.head.nll(problem.null().expand_as(eta), target) - problem.head.nll(eta, target)
    largest = LARGEST * max(float(saved), 0.01)
    return np.geomspace(largest / SPAN, largest, points)
