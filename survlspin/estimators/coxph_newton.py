"""Newton's method for the linear Cox model: monotone, with ridge and LASSO penalties, and aware of singular columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..heads.cox import Cox
from ..heads.cox_target import CoxTarget

GAIN = 1e-17  # of the log-likelihood per event: where less is to be had, the next step is the last
RUN = 4096  # rows
FLAT = 1e-6  # a gain so small from a step so long means that there is no maximum in this direction
APART = 500.0  # log-risks of the ends of a column so far apart are at the limit of what the head computes
LONG = 0.1  # of a step, in units of the log-risk between a column's two ends
ROUNDING = 1e-12  # relative error of a loss
OWN = 1e-9  # least share of a column's information that other columns do not have
ROUNDED = 1e-12  # information per variance that is none
SLACK = 1e-10  # relative error of the LASSO's conditions
STEPS, HALVINGS, SWEEPS = 100, 40, 10_000
REMEDY = "Look for values that are no measurements; a slight penalty, penalizer=0.01, often helps."


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The Cox loss of coefficients.

    Parameters
    ----------
    z : Tensor (n, p), float64
    target : CoxTarget
    offset : Tensor (n,) or None
        Log-risks that are known.
    ties : {"efron", "breslow"}
    """

    z: Tensor
    target: CoxTarget
    offset: Tensor | None = None
    ties: str = "efron"

    @property
    def total(self) -> float:
        """The summed weight of the events: the loss times this is minus the log-likelihood."""
        return float(self.target.total)

    @cached_property
    def scale(self) -> np.ndarray:
        """Each column's standard deviation (p,), divided by the summed weight as glmnet's is."""
        share = (self.target.weight / self.target.weight.sum()).split(RUN, 1)
        parts = list(zip(share, self.z.split(RUN), strict=True))
        mean = torch.cat([weight @ z for weight, z in parts]).sum(0)
        return torch.cat([weight @ (z - mean) ** 2 for weight, z in parts]).sum(0).sqrt().numpy()

    @cached_property
    def farthest(self) -> np.ndarray:
        """What no two values of a column are farther apart than (p,)."""
        weight = self.target.weight
        return self.scale * float((2 * weight.sum() / weight[weight > 0].min()).sqrt())

    def spread(self, columns: np.ndarray) -> np.ndarray:
        """Return how far apart the ends of each of the `columns` are, over the rows that are there."""
        present = self.z[:, columns][self.target.weight[0] > 0]
        return (present.amax(0) - present.amin(0)).numpy()

    def eta(self, beta: np.ndarray) -> Tensor:
        """Return the log-risks (n,)."""
        eta = self.z @ torch.from_numpy(beta)
        return eta if self.offset is None else eta + self.offset

    def at(self, beta: np.ndarray) -> Point:
        return Point(self, beta)


class Point:
    """The likelihood near some coefficients.

    Attributes
    ----------
    beta : array (p,)
    loss : float
        Minus the log-likelihood, divided by the summed weight of the events.
    gradient : array (p,)
    hessian : array (p, p)
    """

    def __init__(self, likelihood: Likelihood, beta: np.ndarray):
        self.likelihood, self.beta = likelihood, beta
        self.quadratic = Cox(likelihood.ties).quadratic(likelihood.eta(beta)[None, :, None], likelihood.target)
        self.loss = float(self.quadratic.loss)

    @cached_property
    def gradient(self) -> np.ndarray:
        return (self.quadratic.gradient[0, :, 0] @ self.likelihood.z).numpy()

    @cached_property
    def hessian(self) -> np.ndarray:
        return self.quadratic.sandwich(self.likelihood.z[None])[0].numpy()

    def residuals(self, columns: int = 8) -> np.ndarray:
        """Return the score residuals times the weights (n, p), made a few columns at a time."""
        parts = [self.quadratic.residuals(part[None])[0] for part in self.likelihood.z.split(columns, 1)]
        return torch.cat(parts, 1).numpy()


@dataclass(frozen=True)
class Penalty:
    """``sum_j lasso_j |beta_j| + ridge_j beta_j^2 / 2``, against the loss.

    Parameters
    ----------
    lasso, ridge : arrays (p,)
    """

    lasso: np.ndarray
    ridge: np.ndarray

    @classmethod
    def none(cls, p: int) -> Penalty:
        return cls(np.zeros(p), np.zeros(p))

    def __call__(self, beta: np.ndarray) -> float:
        return float(self.lasso @ np.abs(beta) + self.ridge @ beta**2 / 2)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where Newton's method ended.

    Attributes
    ----------
    beta : array (p,)
        The coefficients.
    point : Point
        One step before; that step is shorter than 1e-7 standard errors.
    steps : int
    boundless : bool array (p,)
        Columns whose coefficient grows without end.
    """

    beta: np.ndarray
    point: Point
    steps: int
    boundless: np.ndarray = field(repr=False)


def maximise(start: Point, penalty: Penalty, free: np.ndarray) -> Solution:
    """Maximise the penalised likelihood over the coefficients that are `free`, bool (p,), from a point.

    Raises
    ------
    InputError
        SL-485 where no step leads up, or the steps do not end: numbers that are no measurements.
    """
    point, boundless = start, np.zeros(len(free), dtype=bool)
    likelihood, least = start.likelihood, ROUNDED * np.diag(start.hessian)
    for step in range(STEPS):
        spent = np.diag(point.hessian) <= least  # by a step so long that nothing is left to learn of the column
        boundless |= free & spent & (penalty.lasso + penalty.ridge == 0)
        moves = free & ~boundless
        move = np.zeros(len(free))
        move[moves] = _move(point, penalty, np.flatnonzero(moves))
        curvature = move @ point.hessian @ move + penalty.ridge @ move**2
        gain = curvature / 2 * likelihood.total  # at least, according to the quadratic; free of differences
        if gain <= GAIN * likelihood.total:
            return Solution(point.beta + move, point, step + 1, boundless)
        endless = _endless(point, move, gain < FLAT) & moves & (penalty.lasso + penalty.ridge == 0)
        boundless |= endless
        if not endless.any():
            point = _walk(point, penalty, move)
    raise InputError("SL-485", f"Newton's method has not ended after {STEPS} steps.", REMEDY)


def _endless(point: Point, move: np.ndarray, flat: bool) -> np.ndarray:
    """Return of which columns a long step gains next to nothing, or leads beyond what can be computed, bool (p,)."""
    likelihood = point.likelihood
    size = np.maximum(np.abs(point.beta + move) / APART, np.abs(move) / LONG if flat else 0.0)
    suspect = np.flatnonzero(size * likelihood.farthest > 1)
    endless = np.zeros(len(move), dtype=bool)
    endless[suspect] = size[suspect] * likelihood.spread(suspect) > 1
    return endless


def _move(point: Point, penalty: Penalty, moving: np.ndarray) -> np.ndarray:
    """Return the step of the coefficients that move, to the minimum of the penalised quadratic."""
    beta, lasso, ridge = (a[moving] for a in (point.beta, penalty.lasso, penalty.ridge))
    hessian = point.hessian[np.ix_(moving, moving)] + np.diag(ridge)
    gradient = point.gradient[moving] + ridge * beta
    return _lasso_step(hessian, gradient, beta, lasso) if lasso.any() else -solve(hessian, gradient)


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``matrix^-1 right`` for a positive definite matrix whose rows may be of very different size."""
    unit = 1 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    columns = unit[:, None] * (right[:, None] if right.ndim == 1 else right)
    try:
        return (unit[:, None] * np.linalg.solve(matrix * unit * unit[:, None], columns)).reshape(right.shape)
    except np.linalg.LinAlgError as error:
        raise InputError("SL-485", "the information on the coefficients is lost in rounding.", REMEDY) from error


def _walk(point: Point, penalty: Penalty, move: np.ndarray) -> Point:
    """Return the point a step away, or a half, a quarter of it, ...: the first that is not worse."""
    best = point.loss + penalty(point.beta)
    for halving in range(HALVINGS):
        beta = point.beta + 0.5**halving * move
        ahead = point.likelihood.at(beta)
        if ahead.loss + penalty(beta) <= best + ROUNDING * (1 + abs(best)):
            return ahead
    raise InputError("SL-485", "no step of Newton's method leads to a higher likelihood.", REMEDY)


def _lasso_step(hessian: np.ndarray, gradient: np.ndarray, beta: np.ndarray, lasso: np.ndarray) -> np.ndarray:
    """Return the step to the minimum of the quadratic plus ``sum lasso |beta + step|``, by coordinate descent.

    Once the signs stay the same through a sweep, the coefficients that are not 0 solve a linear system; its solution
    is the minimum if no sign changes and no coefficient at 0 is drawn away from it.
    """
    goal, slope, diagonal = beta.copy(), gradient.copy(), np.diag(hessian)
    signs = np.sign(goal)
    for _ in range(SWEEPS):
        for j in np.flatnonzero((goal != 0) | (np.abs(slope) > lasso * (1 + SLACK))):
            aim = goal[j] - slope[j] / diagonal[j]
            change = np.sign(aim) * max(abs(aim) - lasso[j] / diagonal[j], 0.0) - goal[j]
            if change:
                goal[j] += change
                slope += change * hessian[:, j]
        before, signs = signs, np.sign(goal)
        if np.array_equal(before, signs):
            exact = _with_signs(hessian, gradient, beta, lasso, signs)
            if exact is not None:
                return exact - beta
    raise InputError("SL-485", f"the LASSO has not ended after {SWEEPS} sweeps.", REMEDY)


def _with_signs(hessian, gradient, beta, lasso, signs) -> np.ndarray | None:
    """Return the coefficients of these signs that minimise the quadratic with the LASSO, if they are its minimum."""
    on = np.flatnonzero((signs != 0) | (lasso == 0))
    goal = np.zeros_like(beta)
    right = hessian[on] @ beta - gradient[on] - lasso[on] * signs[on]
    unit = 1 / np.sqrt(np.maximum(np.diag(hessian)[on], np.finfo(float).tiny))
    inside = hessian[np.ix_(on, on)] * unit * unit[:, None]
    goal[on] = unit * np.linalg.lstsq(inside, unit * right, rcond=OWN)[0]  # columns may make each other up
    slope = gradient + hessian @ (goal - beta)
    off = np.abs(slope) <= lasso * (1 + 2 * SLACK)
    off[on] = (np.sign(goal[on]) == signs[on]) | (lasso[on] == 0)
    return goal if off.all() else None


def independent(hessian: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return which columns have information that the columns before them have not, as R keeps them.

    Parameters
    ----------
    hessian : array (p, p)
        Of the loss.
    variance : array (p,)
        Of the columns, for comparison: a column may be constant in every risk set.

    Returns
    -------
    kept : bool array (p,)
    causes : dict
        For every other column, the columns it is made of; none where it is constant among those at risk.
    """
    p = len(hessian)
    kept, causes = np.zeros(p, dtype=bool), {}
    diagonal = np.diag(hessian)
    alive = diagonal > ROUNDED * variance
    unit = np.where(alive, 1 / np.sqrt(np.where(alive, diagonal, 1.0)), 0.0)
    scaled = hessian * unit * unit[:, None]
    for j in range(p):
        if not alive[j]:
            causes[j] = np.zeros(0, dtype=int)
            continue
        before = np.flatnonzero(kept)
        share = np.linalg.solve(scaled[np.ix_(before, before)], scaled[before, j])
        kept[j] = 1 - share @ scaled[before, j] > OWN
        if not kept[j]:
            causes[j] = before[np.abs(share) > 1e-4]
    return kept, causes
