"""A Cox model of a few columns, as calibration needs it: coefficients with influence, hazards with standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from survlspin.estimators.coxph_newton import Likelihood, Penalty, Point, independent, maximise
from survlspin.estimators.coxph_results import covariance
from survlspin.heads.cox import Cox
from survlspin.heads.cox_terms import Terms
from survlspin.outcome import Outcome

__all__ = ["SmallCox"]


@dataclass(frozen=True, eq=False)
class SmallCox:
    """A Cox model fitted by `SmallCox.fit`; columns without information of their own have coefficient 0.

    Attributes
    ----------
    beta : array (p,)
    kept : bool array (p,)
        Columns with information of their own.
    endless : bool array (p,)
        Columns whose coefficient grows without end.
    point : Point
        The likelihood at its maximum.
    outcome : Outcome
    centre : array (p,)
        What was subtracted from the columns.
    """

    beta: np.ndarray
    kept: np.ndarray
    endless: np.ndarray
    point: Point
    outcome: Outcome
    centre: np.ndarray

    @classmethod
    def fit(cls, outcome: Outcome, z: np.ndarray, ties: str = "efron") -> SmallCox:
        """Fit the model to the columns `z` (n, p); SL-401 for unknown ties, SL-485 where Newton's method fails."""
        centre = z.mean(axis=0)
        target = Cox(ties).prepare(outcome)
        likelihood = Likelihood(torch.from_numpy(z - centre), target, ties=ties)
        start = likelihood.at(np.zeros(z.shape[1]))
        kept = np.zeros(z.shape[1], dtype=bool)
        if outcome.n_events:
            kept = independent(start.hessian, likelihood.scale**2)[0]
        beta, endless = start.beta, np.zeros_like(kept)
        if kept.any():
            solution = maximise(start, Penalty.none(len(kept)), kept)
            beta, endless = solution.beta, solution.boundless
        return cls(beta, kept, endless, likelihood.at(beta), outcome, centre)

    @cached_property
    def variance(self) -> np.ndarray:
        """The inverse information (p, p); 0 for columns without a finite coefficient."""
        finite = self.kept & ~self.endless
        return np.nan_to_num(covariance(self.point, np.zeros(len(finite)), finite), nan=0.0)

    @cached_property
    def influence(self) -> np.ndarray:
        """Of each row on the coefficients (n, p): R's dfbeta residuals times the weight."""
        return self.point.residuals() @ self.variance

    def incidence(self, horizon: float, z: np.ndarray) -> np.ndarray:
        """Return the probability of an event by the horizon, 1 - S, of the columns `z` (m, p), an array (m,)."""
        return -np.expm1(-np.exp((z - self.centre) @ self.beta) * self._past(horizon)[0])

    def log_hazard(self, horizon: float, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log cumulative hazard at the horizon of `z` (m, p), and its standard error: two arrays (m,).

        The variance of the cumulative hazard is Tsiatis', with Efron's terms where ties are his: R's ``survfit``.
        """
        total, squares, mean = self._past(horizon)
        shift = z - self.centre - mean  # (m, p)
        variance = squares / total**2 + np.einsum("mp,pq,mq->m", shift, self.variance, shift)
        return (z - self.centre) @ self.beta + np.log(total), np.sqrt(variance)

    def _past(self, horizon: float) -> tuple[float, float, np.ndarray]:
        """Return the baseline's cumulative hazard at the horizon, the sum of its squared steps per death, and the mean
        column of those at risk over these steps (p,)."""
        target = self.point.likelihood.target
        terms = Terms(self.point.likelihood.eta(self.beta)[None], target)
        times = np.unique(self.outcome.time[self.outcome.event == 1])
        past = torch.from_numpy(times <= horizon)[target.term_bin]
        z = self.point.likelihood.z * terms.risk
        sums = target.risk_sums(z)[target.term_bin]
        if target.fraction is not None:
            deaths = z.new_zeros(len(times), z.shape[1]).index_add_(0, target.dead_bin, z[target.dead])
            sums = sums - target.fraction * deaths[target.term_bin]
        step = (target.term_weight / terms.denominator)[past, 0]  # (D,)
        mean = step @ (sums / terms.denominator)[past]
        unit = float(torch.exp(-terms.largest))
        total = float(step.sum())
        squares = float((step / terms.denominator[past, 0]).sum())
        return total * unit, squares * unit**2, (mean / total).numpy() if total else mean.numpy()
