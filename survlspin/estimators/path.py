"""Paths over lambda: one stack of models, each point a fitted estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from torch import Tensor

from ..errors import InputError
from ..heads.cox import CoxTarget
from ..nets import Net
from ..train import predict
from .net import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .gated import GatedCox

SHRINK = 0.3  # of the dense fit's last gate layer: open, saturated gates would not feel the penalty
LARGEST = 2.0  # first guess of the largest lambda, in units of the loss that the dense fit saves
SPAN = 100.0  # largest lambda over smallest
SPARSE = 1 / 3  # share of the grid, at its sparse end, that is fitted from the start
GIVEN_AWAY = 0.05  # of the validation loss that the best point saves, at most, for sparser sets
WARM_STEPS, COLD_STEPS = 400, 800  # at most, for clones of the dense fit and for fits from the start
EXTENSIONS = 5  # doublings of the largest lambda until no gate is open


@dataclass(frozen=True, eq=False)
class Path:
    """A fitted path over lambda, densest point first.

    Attributes
    ----------
    frame : DataFrame
        One row per point: ``lam``; ``validation_nll`` of the ensemble and ``validation_se``, the standard error of
        its difference from the best point; ``median``, ``mean`` and ``union`` of the number of factors used over
        training rows.
    chosen : int
        The sparsest point whose validation NLL is within one standard error (of the difference) of the best and that
        gives away at most a twentieth of what the best saves over no model. (With few events in validation the
        standard error alone lets nearly empty models pass.)
    """

    frame: pd.DataFrame
    chosen: int
    _estimator: GatedCox
    _problem: Problem
    _net: Net

    def __len__(self) -> int:
        return len(self.frame)

    def at(self, i: int) -> GatedCox:
        """Return the fitted estimator of point `i`."""
        i = range(len(self))[i]
        estimator = clone(self._estimator).set_params(lam=float(self.frame["lam"].iloc[i]))
        return self.give(i, estimator)

    def give(self, i: int, estimator: GatedCox) -> GatedCox:
        """Make `estimator` the fitted estimator of point `i`."""
        members = len(self._problem.seeds)
        net = self._net.rows(range(i * members, (i + 1) * members))
        return estimator._adopt(self._problem, net, None, {"gates": float(self.frame["lam"].iloc[i])})

    def plot(self) -> Figure:
        """Draw the number of factors used and the validation loss against lambda; the chosen lambda is marked."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 5.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        frame, chosen = self.frame, self.frame.iloc[self.chosen]
        for style, name in (("-", "median"), ("--", "mean"), (":", "union")):
            upper.plot(frame["lam"], frame[name], style, color="#0072B2", label=name)
        upper.set_ylabel("Factors used")
        upper.legend(title="over training patients", frameon=False)
        loss = frame["validation_nll"]
        lower.errorbar(frame["lam"], loss, frame["validation_se"], color="#D55E00", fmt="o-", capsize=2)
        lower.set(xscale="log", xlabel="lambda", ylabel="Validation loss (NLL)\nbars: SE of difference from best")
        for ax in (upper, lower):
            ax.axvline(chosen["lam"], color="0.5", linewidth=1)
            ax.spines[["top", "right"]].set_visible(False)
        return figure


def fit_path(estimator: GatedCox, problem: Problem, make: Callable[[int], Net], points: int) -> Path:
    """Fit the path.

    A warm start from dense to sparse gets stuck, since saturated gates do not feel lambda. One dense fit, cloned over
    the grid with its last gate layer shrunk and trained as one stack, does not; its sparse end is fitted from the
    start as well, and each model there is the one with the better validation objective.
    """
    if problem.valid is None:
        raise InputError("SL-410", "a path needs rows to choose lambda on.", "Give validation_data.")
    members = len(problem.seeds)
    dense = problem.initialize(make)
    problem.fit(dense, {"gates": [0.0]}, "dense fit")
    lam = _grid(problem, dense, points)
    net = dense.rows(torch.arange(members).repeat(points))
    with torch.no_grad():
        for parameter in net.gating.affine[-1].parameters():
            parameter.mul_(SHRINK)
    objective = problem.limited(WARM_STEPS).fit(net, {"gates": lam}, "path").objective
    sparse = round(SPARSE * points)
    first = len(objective) - sparse * members
    cold = problem.initialize(make, sparse)
    again = problem.limited(COLD_STEPS).fit(cold, {"gates": lam[-sparse:]}, "sparse end").objective
    better = np.flatnonzero(again < objective[first:])
    index = np.arange(len(objective))
    index[first + better] = len(objective) + better
    net = net.put([net, cold]).rows(index)
    for _ in range(EXTENSIONS):
        if not bool(_open(problem, net.rows(range(net.models - members, net.models))).any()):
            break
        lam = np.append(lam, 2 * lam[-1])
        cold = problem.initialize(make)
        problem.limited(COLD_STEPS).fit(cold, {"gates": lam[-1:]}, "sparse end")
        net.put([net, cold])
    return _path(estimator, problem, net, lam)


def _grid(problem: Problem, dense: Net, points: int) -> np.ndarray:
    """Return lambdas, ascending: no set of factors saves more loss than the dense fit does, so none is worth more."""
    x, target = _validation(problem)
    eta = problem.risks(dense, problem.centers(dense), x)  # (1, n)
    saved = problem.head.nll(0 * eta[..., None], target) - problem.head.nll(eta[..., None], target)
    largest = LARGEST * max(float(saved), 0.01)
    return np.geomspace(largest / SPAN, largest, points)


def _path(estimator: GatedCox, problem: Problem, net: Net, lam: np.ndarray) -> Path:
    """Describe the points between the last that leaves every gate open and the first that leaves none."""
    members = len(problem.seeds)
    opened = [_open(problem, net.rows(range(i, i + members))) for i in range(0, net.models, members)]
    last = next((i for i, o in enumerate(opened) if not bool(o.any())), len(lam) - 1)
    full = [i for i, o in enumerate(opened[: last + 1]) if bool(o.all())]
    keep = range(full[-1] if full else 0, last + 1)
    net = net.rows([i * members + m for i in keep for m in range(members)])
    context = len(problem.design.factors) - opened[0].shape[1]
    counts = [context + opened[i].sum(1).numpy() for i in keep]
    x, target = _validation(problem)
    parts = problem.head.contributions(problem.risks(net, problem.centers(net), x)[..., None], target).cpu().numpy()
    nll = parts.sum(1)
    best = int(nll.argmin())
    event = (target.event_weight > 0)[0].cpu().numpy()
    se = (parts - parts[best])[:, event].std(1, ddof=min(1, event.sum() - 1)) * np.sqrt(event.sum())
    null = float(problem.head.nll(torch.zeros(1, len(x), 1, dtype=torch.float64, device=x.device), target))
    good = nll - nll[best] <= np.minimum(se, GIVEN_AWAY * max(null - nll[best], 0.0))
    frame = pd.DataFrame({
        "lam": lam[list(keep)],
        "validation_nll": nll,
        "validation_se": se,
        "median": [np.median(c) for c in counts],
        "mean": [c.mean() for c in counts],
        "union": [context + int(opened[i].any(0).sum()) for i in keep],
    })  # fmt: skip
    return Path(frame, int(np.flatnonzero(good)[-1]), estimator, problem, net)


def _validation(problem: Problem) -> tuple[Tensor, CoxTarget]:
    """Return design and target of the rows that validate."""
    rows = torch.from_numpy(problem.valid_rows).to(problem.valid.x.device)
    return problem.valid.x[rows], problem.valid.target.take(rows[None])


def _open(problem: Problem, net: Net) -> Tensor:
    """Return which gates any member opens for each training row, (n, gates)."""
    blocks = []
    x = problem.data.x[torch.from_numpy(problem.rows)]
    predict(net, x, lambda parts: blocks.append((parts["mu"] > -0.5).any(0).cpu()))
    return torch.cat(blocks)
