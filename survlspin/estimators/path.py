"""Paths over lambda: one stack of models, each point a fitted estimator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from ..errors import InputError
from ..nets import Net
from ..train import predict
from ..train.fit import seeded
from ..train.refit import relax
from .net import is_whole, penalty_weights_of
from .problem import Problem
from .selecting import Selecting, by_factor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXTENSIONS = 5  # doublings of the largest lambda until no factor is used
GIVEN_AWAY = 0.05  # of the validation loss that the best point saves, at most, for sparser sets
NEGLIGIBLE = 0.03  # a loss saved per event or row that is worth no model; of a Cox model about C = .57

LAM_PARAMETER = """
    lam : "auto", float or dict
        Weight of the penalties, in the unit of the loss (Cox: divided by the weighted number of events; others: by
        the weighted number of rows). A number weighs the main penalty, a dict each by its name. "auto": the largest
        lambda of the path whose validation NLL is as good as the best's (see `Path.chosen`)."""


@dataclass(frozen=True, eq=False)
class Path:
    """A fitted path over lambda, from the least, and densest, on.

    Attributes
    ----------
    frame : DataFrame
        One row per point: ``lam``; ``validation_nll`` of the ensemble and ``validation_se``, the standard error of
        its difference from the best point; ``median``, ``mean`` and ``union`` of the number of factors used over
        training rows; and what else the method says of a point.
    chosen : int
        The point of the largest lambda whose validation NLL is within one standard error (of the difference) of the
        best and that gives away at most a twentieth of what the best saves over no model. (With few events in
        validation the standard error alone lets nearly empty models pass.) Where what the best saves is within two
        standard errors of 0 and of no more than .03 per event or row, there is nothing to learn: the largest lambda.
    """

    frame: pd.DataFrame
    chosen: int
    _estimator: PathEstimator
    _problem: Problem
    _net: Net

    def __len__(self) -> int:
        return len(self.frame)

    def at(self, i: int, relaxed: bool = False) -> PathEstimator:
        """Return the fitted estimator of point `i`.

        With `relaxed`, the gates stay what they are and what is predicted from the factors they let through is
        learnt again without penalties (see `survlspin.train.refit.relax`): that undoes their shrinkage, and can
        overfit.
        """
        i = range(len(self))[i]
        lam = float(self.frame["lam"].iloc[i])
        besides = self._estimator._lam_besides()
        estimator = clone(self._estimator)
        estimator.set_params(lam={estimator.penalties[0]: lam, **besides} if besides else lam)
        return self.give(i, estimator, relaxed)

    def give(self, i: int, estimator: PathEstimator, relaxed: bool = False) -> PathEstimator:
        """Make `estimator` the fitted estimator of point `i`."""
        problem, members = self._problem, len(self._problem.seeds)
        net = self._net.rows(range(i * members, (i + 1) * members))
        if relaxed:
            net = relax(
                net, problem.head, problem.data, [problem.rows], seeded(problem.seeds), problem.settings,
                problem.valid, [problem.valid_rows],
            )  # fmt: skip
        lam = {estimator.penalties[0]: float(self.frame["lam"].iloc[i]), **estimator._lam_besides()}
        return estimator._adopt(problem, net, None, lam)

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


@dataclass(kw_only=True, eq=False, repr=False)
class PathEstimator(Selecting, ABC):
    """An estimator with a path over the weight of its main penalty, the first of `penalties`."""

    penalties: ClassVar[tuple[str, ...]]

    lam: object = "auto"

    def path(self, X, y, validation_data=None, points: int | None = None, sample_weight=None) -> Path:
        """Fit a path over lambda, up from models that use every factor, where the grid can, to one that uses none.

        Parameters
        ----------
        X, y, validation_data, sample_weight
            As in `fit`.
        points : int, optional
            Lambdas on the grid, whose ends may then be trimmed; None: as many as the method needs.

        Returns
        -------
        Path
            The least lambda, and the densest point, first.
        """
        if points is not None and not is_whole(points, 2):
            raise InputError("SL-408", f"points={points!r}.", "Give a whole number from 2.")
        return self._fit_path(self._problem(X, y, validation_data, sample_weight), points)

    @abstractmethod
    def _fit_path(self, problem: Problem, points: int | None) -> Path:
        """Fit the path; see `describe`."""

    def _train(self, problem: Problem):
        vars(self).pop("path_", None)  # of an earlier fit
        main = self.lam.get(self.penalties[0]) if isinstance(self.lam, dict) else self.lam
        if not isinstance(main, str):
            return super()._train(problem)
        if main != "auto":
            raise InputError("SL-406", f"lam={self.lam!r}.", 'Give "auto" or a number >= 0.')
        path = self._fit_path(problem, None)
        self.path_ = path.frame
        return path.give(path.chosen, self)

    def _lam(self) -> dict[str, float]:
        return penalty_weights_of(self.lam, self.penalties[0], self.penalties, type(self).__name__)

    def _lam_besides(self) -> dict[str, float]:
        """Return the weights of the penalties besides the main one."""
        main = self.penalties[0]
        given = self.lam if isinstance(self.lam, dict) else {}
        weights = penalty_weights_of({**given, main: 0.0}, main, self.penalties, type(self).__name__)
        return {name: value for name, value in weights.items() if name != main}


def describe(estimator: PathEstimator, problem: Problem, net: Net, lam: np.ndarray, used=None, **columns) -> Path:
    """Return the path of the points at `lam`, the models of `net` in that order, and choose one.

    Parameters
    ----------
    net : Net
        The members at the first lambda, the members at the second, ...
    used : list of bool array (n, factors), optional
        See `used_factors`, of each point.
    **columns : array (points,)
        What else to say of a point.
    """
    members = len(problem.seeds)
    if used is None:
        points = (net.rows(range(i, i + members)) for i in range(0, net.models, members))
        used = [used_factors(problem, point) for point in points]
    counts = [u.sum(1) for u in used]
    x, target = problem.validation()
    outputs = torch.cat([problem.outputs(net, problem.centers(net), x), problem.null().expand(1, len(x), -1)])
    parts = problem.head.contributions(outputs, target).cpu().numpy()
    se, chosen = choice(parts)
    frame = pd.DataFrame({
        "lam": lam,
        "validation_nll": parts[:-1].sum(1),
        "validation_se": se,
        "median": [np.median(c) for c in counts],
        "mean": [c.mean() for c in counts],
        "union": [int(u.any(0).sum()) for u in used],
        **columns,
    })  # fmt: skip
    return Path(frame, chosen, clone(estimator), problem, net)


def choice(parts: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the standard error of each point's difference from the best, and the point to choose (`Path.chosen`).

    Parameters
    ----------
    parts : array (points + 1, n)
        What each validation row adds to the NLL at each point, by growing lambda, and without a model.
    """
    nll = parts.sum(1)
    best = int(nll[:-1].argmin())
    parts = parts[:, (parts != 0).any(0)]  # of Cox the events
    se = (parts - parts[best]).std(1, ddof=min(1, parts.shape[1] - 1)) * np.sqrt(parts.shape[1])
    lost, saved = nll[:-1] - nll[best], nll[-1] - nll[best]
    if saved <= min(2 * se[-1], NEGLIGIBLE - 2 * se[-1]):
        return se[:-1], len(lost) - 1
    good = lost <= np.minimum(se[:-1], GIVEN_AWAY * max(saved, 0.0))
    return se[:-1], int(np.flatnonzero(good)[-1])


def extended(
    problem: Problem,
    net: Net,
    lam: np.ndarray,
    cold: Callable[[np.ndarray], Net],
    of: Sequence[int] | slice = slice(None),
) -> tuple[Net, np.ndarray, list[np.ndarray]]:
    """Double the largest lambda until its model uses no factor, up to `EXTENSIONS` times.

    Parameters
    ----------
    net : Net
        The models of the points at `lam`.
    cold : callable
        Takes lambdas; returns models fitted there from the start.
    of : index
        The factors that can be left out.

    Returns
    -------
    net, lam, used
        With the new points; `used_factors` of each.
    """
    members, end = len(problem.seeds), len(lam)
    used = [used_factors(problem, net.rows(range(i, i + members))) for i in range(0, net.models, members)]
    while used[-1][:, of].any() and len(lam) < end + EXTENSIONS:
        lam = np.append(lam, 2 * lam[-1])
        more = cold(lam[-1:])
        net = net.put([net, more])
        used.append(used_factors(problem, more))
    return net, lam, used


def used_factors(problem: Problem, net: Net) -> np.ndarray:
    """Return which factors any member uses for each training row, bool (n, factors)."""
    used = predict(net, problem.training()[0], lambda _, parts: net.selected(parts).any(0))
    return by_factor(used.cpu().numpy(), problem.design)
