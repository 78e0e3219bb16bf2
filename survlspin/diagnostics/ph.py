"""Tests of proportional hazards, equal to R's ``cox.zph``: of each variable of a Cox regression, and of any model."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import chi2, rankdata
from torch import Tensor

from survlspin.diagnostics.fitted import Fitted, fitted
from survlspin.diagnostics.residuals import outcome_and_risk, schoenfeld_of
from survlspin.errors import InputError
from survlspin.estimators.coxph_newton import Likelihood, Penalty, maximise, solve
from survlspin.heads import Cox
from survlspin.heads.cox_target import CoxTarget
from survlspin.heads.cox_terms import CoxQuadratic
from survlspin.nonparametric.limit import product_limit

__all__ = ["PHTest", "ph_test", "prognostic_index_test"]

TRANSFORMS = ("km", "rank", "identity", "log")
INDEX = "prognostic index"


@dataclass(frozen=True, eq=False, repr=False)
class PHTest:
    """A test that log hazard ratios do not change with a function g of time.

    Attributes
    ----------
    table : DataFrame
        One row for each variable and, where there are several, one of all, ``GLOBAL``: ``chisq``, ``df``, ``p``.
    residuals : DataFrame
        For each row with an event ``time``, ``g`` and the scaled Schoenfeld residual of each coefficient; their trend
        over time is the coefficient's.
    coef : Series
        The coefficients, as they are if they do not change.
    definition : str
    """

    table: pd.DataFrame
    residuals: pd.DataFrame
    coef: pd.Series
    definition: str

    @property
    def statistic(self) -> float:
        return float(self.table["chisq"].iloc[-1])

    @property
    def df(self) -> int:
        return int(self.table["df"].iloc[-1])

    @property
    def p(self) -> float:
        """The p-value, of all variables together."""
        return float(self.table["p"].iloc[-1])

    def __repr__(self) -> str:
        return f"{self.definition}: chi-squared {self.statistic:.2f} on {self.df} df, p {self.p:.3g}"


def ph_test(model, X, y, transform: str = "km") -> PHTest:
    """Test whether the hazard ratios of a Cox regression change over time.

    Parameters
    ----------
    model : CoxPH
        Fitted without a penalty.
    X : DataFrame or array (n, columns)
        The rows that the model was fitted on.
    y : any accepted outcome
        Of these rows.
    transform : {"km", "rank", "identity", "log"}
        The function of time: one minus the Kaplan-Meier curve just before, the rank, the time, its logarithm.

    Returns
    -------
    PHTest
        A variable of several columns has one test of as many degrees of freedom.

    Raises
    ------
    InputError
        SL-325 for an unknown `transform`; SL-330 for other rows; SL-366 for a model without such coefficients; with the
        codes of `Outcome` and `Design`.

    References
    ----------
    Grambsch, Therneau (1994), Proportional hazards tests and diagnostics based on weighted residuals, Biometrika 81,
    515-526.

    Examples
    --------
    >>> from survlspin import CoxPH
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(1000)
    >>> ph_test(CoxPH().fit(X[["age", "tumour_size"]], y), X, y).table.index.tolist()
    ['age', 'tumour_size', 'GLOBAL']
    """
    return _test(fitted(model, X, y), transform)


def prognostic_index_test(
    time, event, log_risk, *, entry=None, weight=None, stratum=None, ties: str = "efron", transform: str = "km"
) -> PHTest:
    """Test whether the prognostic index of any model keeps its effect over time.

    The index is the one variable of a Cox model of these rows, as in R's ``cox.zph(coxph(Surv(time, event) ~ index))``.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        1 for an event, 0 for censoring.
    log_risk : array (n,)
        The model's log-risks.
    entry, weight, stratum : arrays (n,), optional
        Delayed entry, case weights, labels of strata with baselines of their own.
    ties : {"efron", "breslow"}
    transform : {"km", "rank", "identity", "log"}
        As in `ph_test`.

    Returns
    -------
    PHTest
        nan, and "undefined" in the definition, where there are fewer than two times of events, the index does not vary
        among those at risk, or it separates the events from all others.

    Raises
    ------
    InputError
        SL-325 for an unknown `transform`, SL-401 for unknown ties; with the codes of `survlspin.metrics.inputs`.

    References
    ----------
    Grambsch, Therneau (1994), Proportional hazards tests and diagnostics based on weighted residuals, Biometrika 81,
    515-526.

    Examples
    --------
    >>> found = prognostic_index_test([1, 2, 3, 4, 5], [1, 1, 1, 1, 0], [1.0, -1.0, 0.5, -0.4, 0.0])
    >>> round(found.statistic, 3), found.df
    (0.915, 1)
    """
    check_transform(transform)
    outcome, eta = outcome_and_risk(time, event, log_risk, entry, weight, stratum)
    target = Cox(ties).prepare(outcome)
    if len(np.unique(outcome.time[target.dead.numpy()])) < 2:
        return _undefined("fewer than two times of events")
    z = torch.from_numpy(eta - eta.mean())[:, None]
    start = Likelihood(z, target, ties=ties).at(np.zeros(1))
    if not start.hessian[0, 0] > 0:
        return _undefined("the index does not vary among those at risk")
    solution = maximise(start, Penalty.none(1), np.ones(1, dtype=bool))
    if solution.boundless.any():
        return _undefined("the index separates the events from all others")
    variance = 1 / (solution.point.hessian * float(target.total))
    coef = pd.Series(solution.beta, index=[INDEX])
    slope = torch.from_numpy(solution.beta)
    return _test(Fitted(z, z @ slope, outcome, coef, variance, [INDEX], ties, pd.RangeIndex(len(z))), transform)


def check_transform(transform: str) -> None:
    if transform not in TRANSFORMS:
        raise InputError("SL-325", f"transform={transform!r}.", f"Use one of {', '.join(TRANSFORMS)}.")


def _undefined(why: str) -> PHTest:
    table = pd.DataFrame({"chisq": [np.nan], "df": [1], "p": [np.nan]}, index=[INDEX])
    none = pd.DataFrame({"time": [], "g": [], INDEX: []}, dtype=float)
    coef = pd.Series([np.nan], index=[INDEX])
    return PHTest(table, none, coef, f"test of proportional hazards; undefined: {why}")


def _test(fit: Fitted, transform: str) -> PHTest:
    g = _function(fit, transform)
    low, high = g.min(), g.max()
    unit = 1 + (g - low) / (high - low if high > low else 1.0)  # any scale gives the same test; none is 0
    factors = [torch.from_numpy(unit**power) for power in (0, 1, 2)]
    parts = [_derivatives(fit, factor) for factor in factors]
    slope, information = parts[1][0], [hessian for _, hessian in parts]
    lost = information[1] @ solve(information[0], information[1])
    free = information[2] - lost  # of the coefficients' trends, given the coefficients
    score = slope - information[1] @ solve(information[0], parts[0][0])
    columns = {name: np.flatnonzero([owner == name for owner in fit.group]) for name in dict.fromkeys(fit.group)}
    if len(columns) > 1:
        columns["GLOBAL"] = np.arange(len(score))
    table = pd.DataFrame(
        {"chisq": [_form(free, score, part) for part in columns.values()], "df": [len(c) for c in columns.values()]},
        index=list(columns),
    )
    table["p"] = chi2.sf(table["chisq"], table["df"])
    order = np.sort(fit.target.dead_bin.numpy(), kind="stable")
    frame = fit.frame(schoenfeld_of(fit, scaled=True), fit.dead)
    frame.insert(0, "g", g[order])
    frame.insert(0, "time", fit.outcome.time[fit.dead])
    return PHTest(table, frame, fit.coef, f"test of proportional hazards, time as {transform}")


def _form(free: np.ndarray, score: np.ndarray, part: np.ndarray) -> float:
    return float(score[part] @ solve(free[np.ix_(part, part)], score[part]))


def _function(fit: Fitted, transform: str) -> np.ndarray:
    """Return the function of time at each event time of each stratum (K,)."""
    check_transform(transform)
    outcome, target = fit.outcome, fit.target
    time = np.full(target.n_bins, outcome.time.max())
    time[target.dead_bin.numpy()] = outcome.time[target.dead.numpy()]
    if transform == "identity":
        return time
    if transform == "log":
        if (time <= 0).any():
            raise InputError("SL-325", "transform='log' of an event at time 0.", "Use another transform.")
        return np.log(time)
    if transform == "rank":
        distinct, place = np.unique(outcome.time, return_inverse=True)
        rank = rankdata(outcome.time)
        at = np.zeros(len(distinct))
        at[place] = rank
        return at[np.searchsorted(distinct, time)]
    curve = product_limit(outcome.time, outcome.event, entry=outcome.entry)
    return 1 - curve.at(time, left=True)


def _derivatives(fit: Fitted, factor: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope (p,) and the information (p, p) of the log-likelihood, its event times (K,) times `factor`."""
    target: CoxTarget = copy(fit.target)
    target.event_weight = target.event_weight * factor[target.slot]
    target.term_weight = target.term_weight * factor[target.term_bin][:, None]
    quadratic = CoxQuadratic(fit.eta[None, :, None], target)
    slope = (target.event_weight - quadratic.expected[..., 0]) @ fit.z
    return slope[0].numpy(), (quadratic.sandwich(fit.z[None])[0] * target.total).numpy()
