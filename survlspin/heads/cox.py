"""The Cox partial likelihood on distinct event times: ties, strata, case weights and delayed entry, in log space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..outcome import Outcome
from .base import Head
from .baseline import Baseline
from .cox_target import Bins, CoxTarget
from .cox_terms import CoxQuadratic, Loss, Terms

TIES = ("efron", "breslow")


class Cox(Head[CoxTarget]):
    """Cox's partial likelihood.

    Parameters
    ----------
    ties : {"efron", "breslow"}
        How deaths at one time share a risk set (Efron 1977, Breslow 1974).

    Notes
    -----
    With the risk sum S and the death sum D of an event time with m deaths of mean weight w, its term is
    ``sum_d w_d eta_d - w * sum_{l<m} log(S - (l/m) D)`` (Efron), or with 0 in place of l/m (Breslow). The loss is
    the negative sum over strata and event times, divided by the summed weight of the events. Sums are made in
    float64 after subtracting the largest eta, which is exact while log-risks differ by less than 600; one that is
    farther below the largest counts as 600 below it, so that the loss and its gradient stay finite.

    A minibatch has the risk sets of its own rows, so its loss is not comparable with that of a whole data set.
    """

    k = 1
    decomposes = False
    free_intercept = True

    def __init__(self, ties: str = "efron"):
        if ties not in TIES:
            raise InputError("SL-401", f"ties={ties!r}.", f"Use one of {', '.join(TIES)}.")
        self.ties = ties

    def prepare(self, outcome: Outcome) -> CoxTarget:
        """Find each row's interval of event times."""
        return self._target(Bins.of(outcome), outcome)

    def _target(self, bins: Bins, outcome: Outcome) -> CoxTarget:
        given = np.ones(len(outcome)) if outcome.weight is None else outcome.weight
        weight = torch.tensor(given, dtype=torch.float64)[None]
        event_weight = weight * torch.tensor(outcome.event != 0)
        first, stop = torch.tensor(bins.first)[None], torch.tensor(bins.stop)[None]
        slot = (stop - 1).clamp(min=0)
        from_start = None if not bins.first.any() else first
        return CoxTarget(from_start, stop, slot, weight, event_weight, len(bins.time), self.ties)

    def nll(self, eta: Tensor, target: CoxTarget) -> Tensor:
        return Loss.apply(eta[..., 0], target)

    def contributions(self, eta: Tensor, target: CoxTarget) -> Tensor:
        return Terms(eta[..., 0], target).contributions(target).transpose(1, 2).reshape(eta.shape[:2])

    def quadratic(self, eta: Tensor, target: CoxTarget) -> CoxQuadratic:
        """Return the second-order expansion of `nll`: exact, with its p x p matrices made from sums by event time."""
        return CoxQuadratic(eta, target)

    def score(self, eta: Tensor) -> Tensor:
        return eta[..., 0]

    def baseline(self, eta: Tensor, outcome: Outcome) -> Baseline:
        """Return the cumulative baseline hazard of the log-risks `eta` (n,), by stratum.

        Breslow's estimator, or with ``ties="efron"`` the estimator that goes with Efron's likelihood (R's
        ``survfit(coxph(...))`` for either).
        """
        bins = Bins.of(outcome)
        return baseline_of(eta, self._target(bins, outcome), bins)


def baseline_of(eta: Tensor, target: CoxTarget, bins: Bins) -> Baseline:
    """Return the cumulative baseline hazard of the log-risks `eta` (n,), whose event times are the `bins`."""
    terms = Terms(eta.reshape(1, -1), target)
    none = torch.zeros(len(bins.time), 1, dtype=torch.float64)
    jumps = none.index_add(0, target.term_bin, target.term_weight / terms.denominator)[:, 0].numpy()
    labels = np.array([None]) if bins.labels is None else bins.labels
    curves = {}
    for code, label in enumerate(labels.tolist()):
        mine = bins.stratum == code
        with np.errstate(divide="ignore"):
            curves[label] = bins.time[mine], np.log(np.cumsum(jumps[mine])) - float(terms.largest)
    return Baseline(curves)
