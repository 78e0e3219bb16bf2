"""What all estimators share, our own and the baselines: the encoding of X and y, curves, and the score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from .base import DesignEstimator
from .design import Design
from .errors import InputError
from .heads import Cox
from .metrics.concordance import concordance_of
from .outcome import Outcome, check_enough_events

__all__ = ["CoxModel", "StepFunction", "SurvivalEstimator", "outcome_of", "split_validation", "step_functions"]


class SurvivalEstimator(DesignEstimator, ABC):
    """An estimator in scikit-survival's manner for any X and y of this package.

    Attributes
    ----------
    unique_times_ : float64 array (K,)
        The times at which curves are given: those of the training rows.
    """

    uses: frozenset[str] = frozenset()  # of entry, weight and stratum, what the model can use

    @abstractmethod
    def predict(self, X) -> np.ndarray:
        """Return the risk of each row (n,); higher means an earlier event."""

    @abstractmethod
    def predict_survival_function(self, X, return_array: bool = False) -> np.ndarray:
        """Return survival curves: step functions (n,), or an array (n, K) of values at `unique_times_`."""

    def score(self, X, y) -> float:
        """Return Harrell's C, risk ties 1/2, time ties as in R."""
        return concordance_of(outcome_of(X, y), self.predict(X)).value

    def _encode(self, X, y) -> tuple[np.ndarray, Outcome]:
        """Fit the design; return its columns (n, p) float64 and the outcome."""
        outcome = self._usable_outcome(X, y)
        self._adopt_design(Design.fit(X, weight=outcome.weight))
        return self._columns(X), outcome

    def _usable_outcome(self, X, y) -> Outcome:
        """Return the outcome.

        Raises
        ------
        InputError
            SL-461 where y has entry times, weights or strata that the model cannot use.
        """
        outcome = outcome_of(X, y)
        refuse_unused(outcome, self)
        check_enough_events(outcome, force=True)
        return outcome

    def _columns(self, X) -> np.ndarray:
        check_is_fitted(self, "design_")
        return self.design_.transform(X).astype(np.float64)


class CoxModel(SurvivalEstimator):
    """A model of the log-risk, with curves from the baseline hazard of its training rows.

    Attributes
    ----------
    baseline_ : survlspin.heads.baseline.Baseline
        Of a patient with log-risk 0.
    """

    def _place(self, cause: int) -> int:
        """Return the number of the output that stands for a cause: there is one; SL-605 for another."""
        if cause != 1:
            raise InputError("SL-605", f"cause={cause!r}; the model was fitted to one kind of event.", "Leave it out.")
        return 0

    def _set_baseline(self, eta: np.ndarray, outcome: Outcome) -> None:
        self.baseline_ = Cox().baseline(torch.as_tensor(eta, dtype=torch.float64), outcome)
        self.unique_times_ = np.unique(outcome.time)

    def predict_survival_function(self, X, return_array: bool = False, stratum=None) -> np.ndarray:
        """Return survival curves: step functions (n,), or an array (n, K) of values at `unique_times_`.

        A model fitted with strata needs each row's: `stratum` (n,).
        """
        risk = self.predict(X)
        curves = self.baseline_.survival(risk, self.unique_times_, stratum)
        return curves if return_array else step_functions(self.unique_times_, curves, 1.0)

    def predict_cumulative_hazard_function(self, X, return_array: bool = False, stratum=None) -> np.ndarray:
        """Return cumulative hazards: step functions (n,), or an array (n, K) of values at `unique_times_`.

        A model fitted with strata needs each row's: `stratum` (n,).
        """
        risk = self.predict(X)
        hazards = self.baseline_.cumulative_hazard(risk, self.unique_times_, stratum)
        return hazards if return_array else step_functions(self.unique_times_, hazards, 0.0)


def refuse_unused(outcome: Outcome, model) -> None:
    """Refuse entry times, weights or strata that the model does not use (SL-461)."""
    unused = [name for name in {"entry", "weight", "stratum"} - model.uses if getattr(outcome, name) is not None]
    if unused:
        raise InputError(
            "SL-461",
            f"y has {' and '.join(sorted(unused))}, which {type(model).__name__} cannot use.",
            "Leave this model out, or make y without.",
        )


@dataclass(frozen=True, eq=False)
class StepFunction:
    """A curve that is constant between times, in the manner of scikit-survival's.

    Parameters
    ----------
    x : array (K,)
        Times, ascending.
    y : array (K,)
        The curve from each time on, until the next.
    start : float
        The curve before the first time.
    """

    x: np.ndarray
    y: np.ndarray
    start: float

    @property
    def domain(self) -> tuple[float, float]:
        """The times at which the curve is known."""
        return 0.0, float(self.x[-1])

    def __call__(self, times: float | np.ndarray) -> np.ndarray:
        """Return the curve at `times`; one beyond the last raises SL-413."""
        times = np.asarray(times, dtype=float)
        if not bool(((times >= 0) & (times <= self.x[-1])).all()):
            raise InputError("SL-413", f"a time outside 0 to {self.x[-1]:g}.", "The curve is not known there.")
        return np.concatenate([[self.start], self.y])[np.searchsorted(self.x, times, side="right")]


def step_functions(times: np.ndarray, curves: np.ndarray, start: float) -> np.ndarray:
    """Return the rows of `curves` (n, K), which are at `start` before the first time, as step functions (n,)."""
    functions = np.empty(len(curves), dtype=object)
    functions[:] = [StepFunction(times, curve, start) for curve in curves]
    return functions


def split_validation(X, y, fraction: float, random_state) -> list:
    """Draw the rows that validate, stratified by event; return X and y of the others, then X and y of these.

    SL-410 where the rows, or those with an event, are too few for two parts.
    """
    y = outcome_of(X, y).to_y()
    n, events = len(y), np.count_nonzero(y["event"])
    stratify = None if n - events == 1 else y["event"]  # a lone row without an event may fall into either part
    try:
        rows = train_test_split(np.arange(n), test_size=fraction, stratify=stratify, random_state=random_state)
    except ValueError as error:
        found = f"{n} rows with {events} events are too few to set {fraction:.0%} of them aside for validation."
        raise InputError("SL-410", found, "Give validation_data, or more rows.") from error
    return [part for r in rows for part in (X.iloc[r] if isinstance(X, pd.DataFrame) else np.asarray(X)[r], y[r])]


def outcome_of(X, y) -> Outcome:
    """Return the outcome y of the rows X."""
    return Outcome.of(y, n_rows=len(X), index=getattr(X, "index", None))
