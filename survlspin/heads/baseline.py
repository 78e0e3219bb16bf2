"""The cumulative baseline hazard of a Cox model and the curves made from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

_LARGEST = 700.0  # exp(700) is finite in float64


@dataclass(frozen=True)
class Baseline:
    """Cumulative baseline hazards, one step function per stratum, kept as logarithms so that curves cannot overflow.

    Parameters
    ----------
    curves : dict
        Stratum label (None where there are no strata) -> (event times (K,), log cumulative hazard (K,)) of a
        patient with log-risk 0.
    """

    curves: dict

    @property
    def times(self) -> np.ndarray:
        """All event times, over strata."""
        return np.unique(np.concatenate([time for time, _ in self.curves.values()]))

    def on(self, grid: np.ndarray) -> Baseline:
        """Return the curves at the times of an ascending `grid` alone; between these they are as at the one before."""
        curves = {}
        for label, (event_times, log_cumulative) in self.curves.items():
            log_h0 = np.concatenate([[-np.inf], log_cumulative])
            curves[label] = (grid, log_h0[np.searchsorted(event_times, grid, side="right")])
        return Baseline(curves)

    def cumulative_hazard(self, eta: np.ndarray, times: np.ndarray, stratum: np.ndarray | None = None) -> np.ndarray:
        """Return H(t | x) = H0(t) exp(eta) for the log-risks `eta` (n,) at `times` (m,), an array (n, m).

        Parameters
        ----------
        stratum : array (n,), optional
            Each row's stratum; needed where the model was fitted with strata.

        Raises
        ------
        InputError
            SL-412 where strata are missing, superfluous or unknown.
        """
        eta = np.asarray(eta, dtype=np.float64)
        stratum = self._strata(len(eta), stratum)
        hazard = np.empty((len(eta), len(times)))
        for label, (event_times, log_cumulative) in self.curves.items():
            rows = np.flatnonzero(stratum == label)
            log_h0 = np.concatenate([[-np.inf], log_cumulative])[np.searchsorted(event_times, times, side="right")]
            hazard[rows] = np.exp(np.minimum(eta[rows, None] + log_h0, _LARGEST))
        return hazard

    def survival(self, eta: np.ndarray, times: np.ndarray, stratum: np.ndarray | None = None) -> np.ndarray:
        """Return S(t | x) = exp(-H(t | x)), an array (n, m); arguments as in `cumulative_hazard`."""
        return np.exp(-self.cumulative_hazard(eta, times, stratum))

    def _strata(self, n: int, stratum: np.ndarray | None) -> np.ndarray:
        known = list(self.curves)
        if known == [None]:
            if stratum is not None:
                raise InputError("SL-412", "the model was fitted without strata.", "Leave stratum out.")
            return np.full(n, None)
        if stratum is None:
            raise InputError("SL-412", "the model was fitted with strata.", "Give each row's: stratum=...")
        stratum = np.asarray(stratum)
        unknown = ~np.isin(stratum, known)
        if len(stratum) != n or unknown.any():
            raise InputError(
                "SL-412",
                f"{len(stratum)} strata for {n} rows, {int(unknown.sum())} of them unknown to the model.",
                "Give one known stratum per row.",
            )
        return stratum
