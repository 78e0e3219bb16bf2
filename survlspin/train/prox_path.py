"""The path of LassoNet: from all columns to none, each point a few steps on from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..heads import Head
from ..nets import LassoNet
from . import checkpoint
from .descent import Descent
from .rows import Rows
from .step import Batch, Data, objective
from .threads import fitting_threads
from .training import Progress

SPAN = 4096.0  # how far below the lambda that leaves the net empty the search for the first point begins
SCOUT_STEPS = 10  # for every doubling of lambda in that search
NET_OPTIMAL, LINEAR_OPTIMAL = 1e-2, 1e-3  # violation of the conditions of optimality, in units of lambda
LINEAR_STEPS, LINEAR_TOLERANCE = 500, 1e-10
LEAST_RATIO, FASTER = 1.01, 1.05  # of one lambda to the one before; the power of it by which steps grow


@dataclass(frozen=True)
class PathSettings:
    """How a path is computed.

    Parameters
    ----------
    points : int
        Lambdas between the first at which a column leaves and the one estimated to leave the net empty; the path
        goes on from there, if need be, until it is.
    steps : int
        Full-batch steps at each lambda, at most; a linear model, whose optimum is unique, takes up to 500.
    tolerance : float
        Share of the objective that a step must promise to save, or the point is done. A point is done, too, where
        the conditions of optimality are violated by less than a hundredth of lambda (linear models: a thousandth).
    """

    points: int = 100
    steps: int = 10
    tolerance: float = 1e-4

    def of(self, net: LassoNet) -> PathSettings:
        """Return the settings for a net: a linear one goes to its optimum."""
        return self if net.deep is not None else replace(self, steps=LINEAR_STEPS, tolerance=LINEAR_TOLERANCE)


@dataclass(frozen=True, eq=False)
class ProxPath:
    """A path of L points for each of B models.

    Attributes
    ----------
    lam : array (L,)
        Ascending.
    net : LassoNet
        L * B models: those of the first lambda, those of the second, ...
    objective, nll : array (L, B)
        On validation rows, or where there are none on training rows.
    kkt : array (L, B)
        The largest violation of the conditions of optimality on the training rows, in units of lambda; 0 at an optimum.
    steps : array (L,)
        Passes over the training rows, forward and back.
    kept : bool array (L, B, p)
        The columns that the models use.
    """

    lam: np.ndarray
    net: LassoNet
    objective: np.ndarray
    nll: np.ndarray
    kkt: np.ndarray
    steps: np.ndarray
    kept: np.ndarray


def vanishing(lam: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the lambda at which each column leaves for good; inf where it stays to the end.

    It is the paper's measure of a column's importance.

    Parameters
    ----------
    lam : array (L,)
        Ascending.
    kept : bool array (L, ...)
        What each point uses.

    Returns
    -------
    array (...)
    """
    last = len(lam) - kept[::-1].argmax(0)  # the point after the last that has the column
    return np.append(lam, np.inf)[np.where(kept.any(0), last, 0)]


def prox_path(
    net: LassoNet,
    head: Head,
    train: Data,
    rows: Sequence[np.ndarray],
    lam: dict[str, Tensor],
    settings: PathSettings | None = None,
    valid: Data | None = None,
    valid_rows: Sequence[np.ndarray] = (),
    grid: Sequence[float] | np.ndarray | None = None,
    progress: Progress | None = None,
) -> ProxPath:
    """Compute the path of the models of `net`, which have been fitted without the penalty on columns.

    Parameters
    ----------
    net : LassoNet
        B models, for which lambda is the same at each point; the path leaves them at its last.
    head : Head
    train, valid : Data
        The data sets that training and validation rows index.
    rows, valid_rows : sequence of T int arrays
        Rows of each model; with T < B each array serves B / T models in a row.
    lam : dict of Tensor (B,)
        Weights of the penalties by name, as `survlspin.train.fit.penalty_weights` returns them; that of ``skip`` is
        what the path varies.
    settings : PathSettings, optional
    grid : sequence of float, optional
        The lambdas, ascending. None: chosen as `PathSettings.points` says.
    progress : callable, optional
        Called after every point with (point, points, 1).

    Returns
    -------
    ProxPath

    Raises
    ------
    InputError
        SL-406 where the grid is not ascending numbers >= 0.

    Notes
    -----
    With a grid of its own, the path begins at the last lambda that leaves every column in (found by doubling lambda,
    a few steps each, from far below the one that leaves the net empty) and ends when all models are empty and no
    column can come back: ``|g_theta_j|_2 + M |g_W_j|_1 <= lambda`` for every j, with g the gradient of the smooth
    loss. Of each point's steps the one with the best validation objective is kept (without validation rows: the best
    objective on training rows); the next point goes on from the last. Inside
    `survlspin.train.checkpoint.keeping` a path goes on from its last checkpoint, written after a point.
    """
    settings = (settings or PathSettings()).of(net)
    lams = None if grid is None else _checked(grid)
    with fitting_threads(max(map(len, rows)) * net.p * net.models):
        check = None if valid is None else _batch(valid, valid_rows)
        walk = _Walk(net, head, _batch(train, rows), lam, settings, check, lams)
        walk.run(progress)
        return walk.path()


def _batch(data: Data, rows: Sequence[np.ndarray]) -> Batch:
    padded = Rows(rows)
    return data.take(padded.index.to(data.x.device), padded.valid.to(data.x.device))


def _checked(grid: Sequence[float] | np.ndarray) -> list[float]:
    lam = np.asarray(grid, dtype=float)
    if not (lam.ndim == 1 and len(lam) and np.isfinite(lam).all() and lam[0] >= 0 and (np.diff(lam) > 0).all()):
        raise InputError("SL-406", "the lambdas are not ascending numbers >= 0.", "Give them from small to large.")
    return lam.tolist()


def _geometric(first: float, ratio: float, points: int) -> Iterator[float]:
    """Yield a geometric grid; beyond `points` its steps grow, so that every path ends."""
    lam = first
    for i in count():
        yield lam
        ratio = ratio if i < points else ratio**FASTER
        lam *= ratio


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


class _Walk:
    """The state of a path: a descent, and of each point so far the best of its steps.

    Attributes
    ----------
    grid : list of float or None
        The lambdas; None: a geometric grid from `start`, the first lambda and the ratio of the next one to it.
    done : int
        Points so far.
    points, states : list of dict of Tensor
        What is said of them, and their models' state dicts; an entry may be of many points.
    over : bool
    """

    def __init__(self, net: LassoNet, head: Head, batch: Batch, lam, settings: PathSettings, valid: Batch | None, grid):
        self.descent = Descent(net, head, batch, lam)
        self.net, self.head, self.settings, self.valid, self.grid = net, head, settings, valid, grid
        self.optimal = LINEAR_OPTIMAL if net.deep is None else NET_OPTIMAL
        self.start: tuple[float, ...] = ()
        self.points: list[dict[str, Tensor]] = []
        self.states: list[dict[str, Tensor]] = []
        self.done, self.over = 0, False

    def run(self, progress: Progress | None) -> None:
        """Walk to the end of the grid; without one, until every model is empty for good."""
        kept = checkpoint.of(self)
        for lam in islice(() if self.over else self._lambdas(), self.done, None):
            self._next(lam)
            kept.save()
            if progress is not None:
                progress(self.done, max(self.done, self.settings.points), self.net.models)
            if self.over:
                break

    def path(self) -> ProxPath:
        """Return the points."""
        net = cast("LassoNet", self.net.rows(range(self.net.models)))
        net.adopt(_joined(self.states))
        said = {name: value.numpy() for name, value in _joined(self.points).items()}
        objective, nll, kkt = np.moveaxis(said["values"], 1, 0)
        return ProxPath(said["lam"], net, objective, nll, kkt, said["steps"], said["kept"])

    def state(self) -> dict[str, Any]:
        """Return everything that the next points and the path depend on, besides what it began with."""
        return {
            "done": torch.tensor(self.done),
            "over": torch.tensor(self.over),
            "start": torch.tensor(self.start, dtype=torch.float64),
            "points": _joined(self.points),
            "states": _joined(self.states),
            "descent": self.descent.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take on a state, before the first point."""
        device = self.descent.value.device
        self.done, self.over, self.start = int(state["done"]), bool(state["over"]), tuple(state["start"].tolist())
        self.points, self.states = [state["points"]], [{n: v.to(device) for n, v in state["states"].items()}]
        self.descent.restore(state["descent"])

    def _lambdas(self) -> Iterator[float]:
        """Return the grid, and find out where it starts."""
        if self.grid is not None:
            return iter(self.grid)
        if not self.start:
            largest = self.largest()
            first = self.scout(largest)
            ratio = max((largest / first) ** (1 / max(self.settings.points - 1, 1)), LEAST_RATIO)
            self.start = first, ratio
        return _geometric(self.start[0], self.start[1], self.settings.points)

    def _next(self, lam: float) -> None:
        """Take the steps of a point."""
        descent = self.descent
        descent.at(lam)
        best, found, taken = self._point()
        last, self.done = descent.value, self.done + 1
        if self.grid is not None:
            self.over = self.done == len(self.grid)
        elif self._empty_for_good():
            self.over, best, found = True, last, self._values()
        descent.buffer.value.copy_(best)
        self.states.append({name: value.clone() for name, value in self.net.state_dict().items()})
        lams, steps, kept = torch.tensor(lam, dtype=torch.float64), torch.tensor(taken), self.net.kept()
        said = {"lam": lams, "values": found, "steps": steps, "kept": kept}
        self.points.append({name: value[None].cpu() for name, value in said.items()})
        descent.buffer.value.copy_(last)

    def largest(self) -> float:
        """Return the lambda above which no column enters an empty net with the later layers that these have."""
        descent, at = self.descent, self.descent.value
        descent.put(at * (descent.block > 0))
        largest = float(self.net.entry(*descent.by_shrunk()).max())
        descent.put(at)
        if not largest > 0:
            raise InputError("SL-429", "no column says anything of the outcome.", "A path needs one that does.")
        return largest

    def scout(self, largest: float) -> float:
        """Return the last lambda, up to a factor of 2, at which every column stays in; the descent stands before it.

        Lambda is doubled until a column leaves, which it may do only some steps after it should have: so it is halved
        again until a whole point leaves every column in.
        """
        descent = self.descent
        passed: list[tuple[float, Tensor, Tensor]] = []
        everyone = torch.ones(self.net.models, dtype=torch.bool, device=descent.value.device)
        while bool(self.net.kept().all()) or not passed:
            passed.append((2 ** len(passed) * largest / SPAN, descent.value, descent.length))
            descent.at(passed[-1][0])
            for _ in range(SCOUT_STEPS):
                descent.step(everyone)
        while len(passed) > 1:
            passed.pop()
            descent.put(passed[-1][1])
            descent.at(passed[-1][0])
            self._point()
            if bool(self.net.kept().all()):
                break
        lam, value, descent.length = passed[-1]
        descent.put(value)
        return lam

    def _point(self) -> tuple[Tensor, Tensor, int]:
        """Take the steps of a point; return its best parameters (B, P), what is said of them (3, B) and the steps.

        That is their objective, NLL and violation. Among objectives equal up to rounding the later is better.
        """
        descent, settings, taken = self.descent, self.settings, 0
        asked = torch.ones(self.net.models, dtype=torch.bool, device=descent.value.device)
        best, found = descent.value, torch.full((3, self.net.models), torch.inf, dtype=torch.float64)
        while taken < settings.steps and bool(asked.any()):
            promised = descent.step(asked)
            values = self._values()
            better = asked & promised.isfinite() & (values[0] <= found[0] * (1 + descent.rounding))
            better = better | (found[0].isinf() & (taken + 1 == settings.steps))  # no step succeeded
            best = torch.where(better[:, None], descent.value, best)
            found = torch.where(better, values, found)
            asked &= (values[2] > self.optimal) & (promised > settings.tolerance * descent.smooth.abs())
            taken += 1
        return best, found, taken

    @torch.no_grad()
    def _values(self) -> Tensor:
        """Return objective, NLL and violation (3, B); the first two on validation rows where there are some.

        The objective of a linear model is that of the training rows: its path is the lasso's.
        """
        descent, lam = self.descent, self.descent.lam
        smooth, nll = descent.smooth, descent.nll
        if self.valid is not None:
            self.net.eval()
            smooth, nll = objective(self.net, self.head, self.valid, lam)
        smooth = descent.smooth if self.net.deep is None else smooth
        violation = descent.kkt() / lam["skip"].clamp(min=torch.finfo(torch.float32).tiny)
        return torch.stack([v.double() for v in (smooth + self.net.nonsmooth(lam), nll, violation)])

    def _empty_for_good(self) -> bool:
        descent = self.descent
        entry = self.net.entry(*descent.by_shrunk())
        return not bool(self.net.kept().any()) and bool((entry <= descent.lam["skip"][:, None]).all())
