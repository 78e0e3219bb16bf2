"""Residuals of Cox models, equal to R's ``residuals(coxph(...))``; baseline hazards; who carries a coefficient."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from scipy.special import xlogy

from survlspin.diagnostics.fitted import Fitted, fitted
from survlspin.errors import InputError
from survlspin.heads import Cox
from survlspin.heads.cox_terms import Terms
from survlspin.metrics.inputs import predicted, refuse_empty, rows_of
from survlspin.outcome import Outcome

__all__ = [
    "baseline_hazard",
    "deviance",
    "dfbeta",
    "influential",
    "martingale",
    "outcome_and_risk",
    "schoenfeld",
    "schoenfeld_of",
    "score_residuals",
]


def martingale(time, event, log_risk, *, entry=None, weight=None, stratum=None, ties: str = "efron") -> np.ndarray:
    """Martingale residuals of any model's log-risks: events less those expected, by the rows' own baseline hazard.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        1 for an event, 0 for censoring.
    log_risk : array (n,)
        A log hazard ratio, up to a constant.
    entry, weight, stratum : arrays (n,), optional
        Delayed entry, case weights, labels of strata with baselines of their own.
    ties : {"efron", "breslow"}

    Returns
    -------
    float64 array (n,)
        At most 1. Their sum, times the weights, is 0. A row of weight 0 has nan.

    Raises
    ------
    InputError
        SL-323 without rows, SL-401 for unknown ties; with the codes of `survlspin.metrics.inputs`.

    References
    ----------
    Therneau, Grambsch, Fleming (1990), Martingale-based residuals for survival models, Biometrika 77, 147-160.

    Examples
    --------
    >>> martingale([1, 2, 3], [1, 0, 1], [0.0, 0.0, 0.0]).round(4)
    array([ 0.6667, -0.3333, -0.3333])
    """
    outcome, eta = outcome_and_risk(time, event, log_risk, entry, weight, stratum)
    target = Cox(ties).prepare(outcome)
    expected = Terms(torch.from_numpy(eta)[None], target).expected(target)[0, :, 0].numpy()
    return _surplus(outcome, expected)


def deviance(time, event, log_risk, *, entry=None, weight=None, stratum=None, ties: str = "efron") -> np.ndarray:
    """Deviance residuals (n,): martingale residuals made more symmetric around 0; arguments as in `martingale`.

    References
    ----------
    Therneau, Grambsch, Fleming (1990), Martingale-based residuals for survival models, Biometrika 77, 147-160.

    Examples
    --------
    >>> deviance([1, 2, 3], [1, 0, 1], [0.0, 0.0, 0.0]).round(4)
    array([ 0.9295, -0.8165, -0.3022])
    """
    rest = martingale(time, event, log_risk, entry=entry, weight=weight, stratum=stratum, ties=ties)
    event = np.asarray(event, dtype=float)
    return np.sign(rest) * np.sqrt(np.maximum(-2 * (rest + xlogy(event, event - rest)), 0.0))


def score_residuals(model, X, y) -> pd.DataFrame:
    """What each row adds to the slope of the log-likelihood by each coefficient, before its weight, (n, p).

    Parameters
    ----------
    model : CoxPH
        Fitted without a penalty.
    X : DataFrame or array (n, columns)
        The rows that the model was fitted on.
    y : any accepted outcome
        Of these rows.

    Returns
    -------
    DataFrame
        One column for each coefficient that is finite. Times the weights, columns sum to 0.

    Raises
    ------
    InputError
        SL-330 for other rows; SL-366 for a model without such coefficients; with the codes of `Outcome` and `Design`.

    References
    ----------
    Therneau, Grambsch, Fleming (1990), Martingale-based residuals for survival models, Biometrika 77, 147-160.
    """
    fit = fitted(model, X, y)
    weight = np.ones(len(fit.z)) if fit.outcome.weight is None else fit.outcome.weight
    return fit.frame(_scores(fit) / np.where(weight > 0, weight, np.nan)[:, None])


def dfbeta(model, X, y, scaled: bool = False) -> pd.DataFrame:
    """What each row changes in each coefficient, to first order: the coefficient less the one without the row, (n, p).

    Parameters
    ----------
    model, X, y
        As in `score_residuals`.
    scaled : bool
        Whether changes are divided by the standard errors (R's ``dfbetas``).

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        As in `score_residuals`.
    """
    fit = fitted(model, X, y)
    return fit.frame(_changes(fit) / (_errors(fit) if scaled else 1.0))


def influential(model, X, y, top: int = 20) -> pd.DataFrame:
    """How much the coefficients rest on few rows: aggregates of `dfbeta`, no row's values.

    Parameters
    ----------
    model, X, y
        As in `score_residuals`.
    top : int
        How many rows are left out.

    Returns
    -------
    DataFrame
        One row for each coefficient: ``coef``, ``se``, ``largest`` (the largest change that one row makes, in standard
        errors), ``coef without top`` (about what remains without the `top` rows that draw it farthest from 0) and
        ``coef against top`` (without those who draw it towards 0).

    Raises
    ------
    InputError
        SL-367 where `top` is not between 1 and the number of rows; as in `score_residuals`.
    """
    fit = fitted(model, X, y)
    if not 1 <= top <= len(fit.z):
        raise InputError("SL-367", f"top={top}.", f"Give a number of rows, from 1 to {len(fit.z)}.")
    coef, se, changes = fit.coef.to_numpy(), _errors(fit), _changes(fit)
    outwards = np.partition(changes * np.sign(coef), (top - 1, -top), axis=0)
    columns = {
        "coef": coef,
        "se": se,
        "largest": np.abs(changes).max(axis=0) / se,
        "coef without top": coef - np.sign(coef) * outwards[-top:].sum(axis=0),
        "coef against top": coef - np.sign(coef) * outwards[:top].sum(axis=0),
    }
    return pd.DataFrame(columns, index=fit.coef.index)


def schoenfeld(model, X, y, scaled: bool = False) -> pd.DataFrame:
    """Schoenfeld residuals: the columns of each row with an event less their mean over those at risk.

    Parameters
    ----------
    model, X, y
        As in `score_residuals`.
    scaled : bool
        Whether they are scaled by the variance and added to the coefficients, which makes their trend over time that of
        the coefficients.

    Returns
    -------
    DataFrame (events, 1 or 2 + p)
        ``stratum`` (where there are strata), ``time``, and one column for each coefficient; by stratum and time.

    Raises
    ------
    InputError
        As in `score_residuals`.

    References
    ----------
    Schoenfeld (1982), Partial residuals for the proportional hazards regression model, Biometrika 69, 239-241.
    Grambsch, Therneau (1994), Proportional hazards tests and diagnostics based on weighted residuals, Biometrika 81,
    515-526.
    """
    fit = fitted(model, X, y)
    frame = fit.frame(schoenfeld_of(fit, scaled), fit.dead)
    frame.insert(0, "time", fit.outcome.time[fit.dead])
    if fit.outcome.stratum is not None:
        frame.insert(0, "stratum", fit.outcome.stratum[fit.dead])
    return frame


def schoenfeld_of(fit: Fitted, scaled: bool) -> np.ndarray:
    """Return the residuals of the rows `fit.dead`, (D, p)."""
    place = np.sort(fit.target.dead_bin.numpy(), kind="stable")
    rest = fit.z.numpy()[fit.dead] - fit.by_columns(fit.quadratic.averages)[place]
    return rest @ fit.variance * len(rest) + fit.coef.to_numpy() if scaled else rest


def baseline_hazard(model, row=None) -> pd.DataFrame:
    """The cumulative hazard of the reference patient, or of one whose row of predictors is given.

    R's ``basehaz(centered=FALSE)`` is that of a row of zeros, ``centered=TRUE`` that of a row of means, with 0 in
    columns of nothing but 0 and 1.

    Parameters
    ----------
    model : CoxPH or another Cox model of this package
    row : DataFrame or array (1, columns), optional

    Returns
    -------
    DataFrame
        ``stratum`` (where there are strata), ``time``, ``hazard``; the event times.

    Raises
    ------
    InputError
        SL-368 where `row` is not one row; with the codes of `Design`.
    """
    if row is not None and len(row) != 1:
        raise InputError("SL-368", f"{len(row)} rows of predictors.", "Give the one whose hazard is meant.")
    log_risk = 0.0 if row is None else float(model.predict(row)[0])
    tables = {
        label: pd.DataFrame({"time": time, "hazard": np.exp(log_hazard + log_risk)})
        for label, (time, log_hazard) in model.baseline_.curves.items()
    }
    if None in tables:
        return tables[None]
    return pd.concat(tables, names=["stratum"]).reset_index(level=0).reset_index(drop=True)


def outcome_and_risk(time, event, log_risk, entry, weight, stratum) -> tuple[Outcome, np.ndarray]:
    """Check the columns of any model's rows."""
    rows = rows_of(time, event, entry=entry, weight=weight, stratum=stratum)
    refuse_empty(rows)
    eta = predicted("log_risk", log_risk, rows.n)
    return Outcome(rows.time, rows.event.astype(np.int64), rows.entry, rows.weight, rows.stratum), eta


def _surplus(outcome: Outcome, expected: np.ndarray) -> np.ndarray:
    """Return the events less those expected, which are given times the weights."""
    weight = np.ones(len(outcome)) if outcome.weight is None else np.where(outcome.weight > 0, outcome.weight, np.nan)
    return (outcome.event != 0) - expected / weight


def _scores(fit: Fitted) -> np.ndarray:
    """Return the score residuals times the weights (n, p)."""
    return fit.by_columns(lambda z: fit.quadratic.residuals(z)[0])


def _changes(fit: Fitted) -> np.ndarray:
    return _scores(fit) @ fit.variance


def _errors(fit: Fitted) -> np.ndarray:
    return np.sqrt(np.diag(fit.variance))
