"""How much a patient's predicted probability changes from one fit of a model to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .errors import InputError

if TYPE_CHECKING:
    from .runs import Runs

__all__ = ["Instability", "instability"]

SHARES = {"low_95": 0.025, "low_80": 0.1, "median": 0.5, "high_80": 0.9, "high_95": 0.975}


@dataclass(frozen=True, eq=False)
class Instability:
    """What the fits of one model that did not train on a row say of it.

    Attributes
    ----------
    frame : DataFrame (n rows)
        One row per row of the data, by label: ``models``, how many fits test it; ``mean``, ``low``, ``high`` and
        ``range`` of their probabilities; ``mape``, their mean absolute distance from that mean. nan without a fit; it
        holds patients.
    definition : str
    """

    frame: pd.DataFrame
    definition: str
    _row: np.ndarray  # (N,) of each prediction
    _probability: np.ndarray  # (N,)

    @property
    def mape(self) -> float:
        """The mean over patients whom several fits test; nan where there are none."""
        return float(self._several["mape"].mean())

    def summary(self) -> pd.Series:
        """Return aggregates: ``rows`` that several fits test, and of their ``mape`` and ``range`` the mean, the median
        and what 95 % of them are below."""
        several = self._several
        found: dict[str, float] = {"rows": len(several)}
        for name in ("mape", "range"):
            column = several[name]
            found |= {name: column.mean(), f"{name}_median": column.median(), f"{name}_95": column.quantile(0.95)}
        return pd.Series(found)

    def bands(self, n_bins: int = 10) -> pd.DataFrame:
        """Return one row per group of patients with like mean probability, all groups alike in size.

        Columns: ``rows``; the ``mean`` probability; the ``median`` and the central 80 and 95 % of what single fits say
        (``low_95``, ``low_80``, ``high_80``, ``high_95``); ``mape``.
        """
        mean, several = self.frame["mean"].to_numpy(), np.flatnonzero(self.frame["models"].to_numpy() > 1)
        order = several[np.argsort(mean[several], kind="stable")]
        rows = []
        for part in np.array_split(order, max(1, min(n_bins, len(order)))):
            single = self._probability[np.isin(self._row, part)]
            shares = np.quantile(single, list(SHARES.values())) if len(single) else np.full(len(SHARES), np.nan)
            own = {"rows": len(part), "mean": mean[part].mean() if len(part) else np.nan}
            rows.append({**own, **dict(zip(SHARES, shares, strict=True)), "mape": self.frame["mape"].iloc[part].mean()})
        return pd.DataFrame(rows)

    @property
    def _several(self) -> pd.DataFrame:
        return self.frame[self.frame["models"] > 1]


def instability(runs: Runs, model: str, horizon: float) -> Instability:
    """Return how the probabilities of each patient differ over the fits of a model that did not train on the patient.

    The fits differ in the patients that they were trained on, and in their seeds. MAPE, the mean absolute prediction
    error of Riley and Collins, is here about the mean of these fits, and not about a model of all patients, which would
    have trained on each of them; with few fits the mean lies closer to each, so that MAPE comes out smaller.

    Parameters
    ----------
    runs : Runs
    model : str
    horizon : float
        In the unit of the data.

    Returns
    -------
    Instability
        Its ``summary`` and ``bands`` hold no patient.

    Raises
    ------
    InputError
        SL-396 for a `model` without fits; SL-613 where its fits say no probability by the horizon.

    References
    ----------
    Riley, Collins (2023), Stability of clinical prediction models developed using statistical or machine learning
    methods, Biometrical Journal 65, 2200302.

    Examples
    --------
    >>> from survlspin import CoxPH, RepeatedKFold, run
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(400)
    >>> runs = run({"Cox": CoxPH()}, X[["age", "tumour_size"]], y, cv=RepeatedKFold(2, 3))
    >>> found = instability(runs, "Cox", horizon=60)
    >>> int(found.frame["models"].min()), found.mape < 0.05
    (3, True)
    """
    fits = [fit for fit in runs.fits if fit.model == model]
    if not fits:
        raise InputError("SL-396", f"No fit of {model!r}.", f"Use one of {', '.join(runs.validation)}.")
    row = np.concatenate([runs.folds[fit.fold].test for fit in fits])
    probability = np.concatenate([fit.event_probability(horizon)[:, 0] for fit in fits])
    if np.isnan(probability).all():
        found = f"the fits of {model!r} say no probability by {horizon:g}."
        raise InputError("SL-613", found, "Name it before: run(horizons=...), survlspin run --horizon.")
    known = ~np.isnan(probability)  # of strata that were not trained on nothing is known
    row, probability = row[known], probability[known]
    n = len(runs.patient)
    models = np.bincount(row, minlength=n)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, row, probability)
    np.maximum.at(high, row, probability)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(row, probability, n) / models
        mape = np.bincount(row, np.abs(probability - mean[row]), n) / models
    columns = {"mean": mean, "low": low, "high": high, "range": high - low, "mape": mape}
    frame = pd.DataFrame({"models": models, **{k: np.where(models > 0, v, np.nan) for k, v in columns.items()}})
    if runs.labels is not None:
        frame.index = pd.Index(runs.labels)
    words = f"probability of the event by {horizon:g}: distance of single fits from the mean of those that test a row"
    undefined = "" if (models > 1).any() else "; undefined: no row is tested by two fits"
    return Instability(frame, f"{words}, mean over rows{undefined}", row, probability)
