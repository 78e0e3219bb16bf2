"""What estimators of competing risks share: causes, cumulative incidences, and the score of a cause."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .base import DesignEstimator
from .errors import InputError
from .heads.baseline import Baseline
from .metrics.concordance import concordance_of
from .outcome import Outcome, check_enough_events
from .survival import refuse_unused, step_functions

__all__ = ["CauseSpecificModel", "CompetingRisksEstimator", "causes_of", "check_causes", "cumulative_incidence"]

BLOCK = 2**22  # numbers of a block of rows


class CompetingRisksEstimator(DesignEstimator, ABC):
    """An estimator for follow-up that ends by one of several causes, coded 1, 2, ...; 0 is censored.

    Attributes
    ----------
    n_causes_ : int
    unique_times_ : float64 array (K,)
        The times at which curves are given: those of the training rows.
    """

    uses: frozenset[str] = frozenset()  # of entry, weight and stratum, what the model can use

    @abstractmethod
    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each row: (n, causes), or (n,) where the model is of one cause; higher is earlier."""

    @abstractmethod
    def predict_cumulative_incidence(self, X, times=None, cause: int | None = None) -> np.ndarray:
        """Return the probabilities that a cause ends the follow-up by `times`."""

    def _causes(self, X, y, force: bool = False) -> Outcome:
        """Return the outcome to fit, its causes checked.

        Raises
        ------
        InputError
            SL-116, SL-117 and SL-604 as `check_causes`; SL-461 where y has entry times, weights or strata that the
            model cannot use.
        """
        outcome = causes_of(X, y)
        refuse_unused(outcome, self)
        check_causes(outcome, force)
        return outcome

    def _place(self, cause: int) -> int:
        """Return the number of the output that stands for a cause; SL-605 where the model has none."""
        check_is_fitted(self, "n_causes_")
        if cause not in range(1, self.n_causes_ + 1):
            found = f"cause={cause!r}; the model was fitted to causes 1 to {self.n_causes_}."
            raise InputError("SL-605", found, "Name one of these.")
        return int(cause) - 1

    def _asked(self, times) -> np.ndarray:
        """Return the times (m,) at which a curve is asked for; SL-413 for one at which it is not known."""
        check_is_fitted(self, "unique_times_")
        times = self.unique_times_ if times is None else np.atleast_1d(np.asarray(times, dtype=np.float64))
        last = self.unique_times_[-1]
        if not bool(((times >= 0) & (times <= last)).all()):
            raise InputError("SL-413", f"a time outside 0 to {last:g}.", "The curve is not known there.")
        return times


class CauseSpecificModel(CompetingRisksEstimator, ABC):
    """A log-hazard for each cause, with the baseline hazards of its training rows.

    Attributes
    ----------
    baselines_ : tuple of survlspin.heads.baseline.Baseline
        Of each cause, for a patient whose log-risk of it is 0.
    """

    def predict_cumulative_incidence(self, X, times=None, cause: int | None = None, stratum=None) -> np.ndarray:
        """Return the probability that a cause ends the follow-up by a time, all causes being at work.

        The causes' hazards are combined (Aalen-Johansen's form with the exponential of the hazards, as R's
        ``survfit`` of a multi-state ``coxph``); with the all-cause survival they add up to 1.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
        times : float or array (m,), optional
            In the unit of the training rows' times; None: `unique_times_`.
        cause : int, optional
            None: all of them.
        stratum : array (n,), optional
            Each row's, where the model was fitted with strata.

        Returns
        -------
        array (n, causes, m), or (n, m) for a cause
            Without the last axis where `times` is a number.

        Raises
        ------
        InputError
            SL-413 for a time beyond the training rows' last, SL-605 for a cause that the model does not have.
        """
        place = slice(None) if cause is None else self._place(cause)
        asked = self._asked(times)
        eta = self.predict(X)
        curves = cumulative_incidence(self.baselines_, eta, asked, stratum, place)
        return curves[..., 0] if np.ndim(times) == 0 and times is not None else curves

    def predict_survival_function(self, X, return_array: bool = False, stratum=None) -> np.ndarray:
        """Return the probability that no cause has ended the follow-up: step functions (n,), or an array (n, K).

        A model fitted with strata needs each row's: `stratum` (n,).
        """
        curves = np.exp(-self.predict_cumulative_hazard_function(X, True, stratum))
        return curves if return_array else step_functions(self.unique_times_, curves, 1.0)

    def predict_cumulative_hazard_function(self, X, return_array: bool = False, stratum=None) -> np.ndarray:
        """Return the cumulative hazard of all causes together: step functions (n,), or an array (n, K).

        A model fitted with strata needs each row's: `stratum` (n,).
        """
        eta = self.predict(X)
        hazard = hazards(self.baselines_, eta, self._asked(None), stratum).sum(axis=1)
        return hazard if return_array else step_functions(self.unique_times_, hazard, 0.0)

    def score(self, X, y, cause: int = 1) -> float:
        """Return the cause-specific C: Harrell's, of the cause's log-risk, with other causes censored."""
        risk = self.predict(X)[:, self._place(cause)]
        return concordance_of(causes_of(X, y).of_cause(cause), risk).value


def hazards(baselines: Sequence[Baseline], eta: np.ndarray, times: np.ndarray, stratum=None) -> np.ndarray:
    """Return the causes' cumulative hazards (n, causes, m) of the log-risks `eta` (n, causes)."""
    return np.stack([b.cumulative_hazard(eta[:, i], times, stratum) for i, b in enumerate(baselines)], axis=1)


def cumulative_incidence(
    baselines: Sequence[Baseline], eta: np.ndarray, times: np.ndarray, stratum=None, cause: int | slice = slice(None)
) -> np.ndarray:
    """Return the cumulative incidences (n, causes, m) of the log-risks `eta` (n, causes) at `times` (m,).

    Parameters
    ----------
    baselines : sequence of Baseline
        Of each cause.
    eta : array (n, causes)
    times : array (m,)
    stratum : array (n,), optional
    cause : int or slice
        The place of the causes that are returned; of one of them (n, m).

    Raises
    ------
    InputError
        SL-412 where strata are missing, superfluous or unknown.
    """
    if stratum is not None and len(stratum) != len(eta):
        raise InputError("SL-412", f"{len(stratum)} strata for {len(eta)} rows.", "Give one per row.")
    grid = np.unique(np.concatenate([baseline.times for baseline in baselines]))
    grid = grid[grid <= times.max(initial=0.0)]
    place = np.searchsorted(grid, times, side="right")
    shape = np.empty((len(baselines), len(times)))[cause].shape
    curves = np.empty((len(eta), *shape))
    size = max(BLOCK // (max(len(grid), 1) * len(baselines)), 1)
    for start in range(0, len(eta), size):
        rows = slice(start, start + size)
        hazard = hazards(baselines, eta[rows], grid, None if stratum is None else np.asarray(stratum)[rows])
        curves[rows] = _incidence(hazard, cause)[..., place]
    return curves


def _incidence(hazard: np.ndarray, cause: int | slice) -> np.ndarray:
    """Return incidences, 0 and then at each time, (n, ..., K + 1), from cumulative hazards (n, causes, K)."""
    rise = np.diff(hazard, axis=2, prepend=0.0)
    total = rise.sum(axis=1)  # (n, K)
    before = np.exp(-np.insert(hazard.sum(axis=1), 0, 0.0, axis=1)[:, :-1])
    lost = before * -np.expm1(-total)
    lost = np.divide(lost, total, out=np.zeros_like(total), where=total > 0)
    curve = rise[:, cause] * (lost if isinstance(cause, int) else lost[:, None])
    return np.insert(curve.cumsum(axis=-1), 0, 0.0, axis=-1)


def causes_of(X, y) -> Outcome:
    """Return the outcome y of the rows X, with the codes of causes."""
    return Outcome.of(y, causes=True, n_rows=len(X), index=getattr(X, "index", None))


def check_causes(outcome: Outcome, force: bool = False) -> None:
    """Refuse to fit a model to less than two causes, or to a cause with fewer than 10 events.

    Raises
    ------
    InputError
        SL-604 where there is a single cause, SL-116 where a code in between is not used, SL-117 with fewer than 10
        events of a cause.
    """
    most = int(outcome.event.max(initial=0))
    if most == 1:
        remedy = "For one kind of event take CoxPH, CoxLLSPIN, ...; for causes, y with their codes: causes=True."
        raise InputError("SL-604", "event has a single cause.", remedy)
    check_enough_events(outcome, force)
    for cause in range(1, most + 1):
        check_enough_events(outcome.of_cause(cause), force, f" of cause {cause}")
