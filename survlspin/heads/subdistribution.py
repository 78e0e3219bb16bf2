"""Fine and Gray's risk sets: patients ended by another cause stay, with the weight of not being censored since."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..nonparametric import censoring_curve
from ..outcome import Outcome
from .cox_target import Bins, CoxTarget


class SubdistributionTarget(CoxTarget):
    """The outcome of a subdistribution hazard, for whole data sets: it is not cut into batches.

    A row that another cause ended at T is at risk at a later event time t with its weight times G(t-) / G(T-), G being
    the probability of not being censored (Kaplan-Meier; censorings come after events of their time). Being a product
    of a number of the row and a number of the time, these weights cost no rows of their own.

    Parameters
    ----------
    outcome : Outcome
        With codes of causes; without entry times and strata.
    cause : int
    ties : {"efron", "breslow"}

    Attributes
    ----------
    bins : Bins
        The event times of the cause.
    later : Tensor (1, n), float64
        1 / G(T-) of rows that another cause ended, else 0.
    uncensored : Tensor (K, 1), float64
        G(t-) of each event time.
    """

    def __init__(self, outcome: Outcome, cause: int, ties: str):
        own = outcome.of_cause(cause)
        self.bins = Bins.of(own)
        given = np.ones(len(outcome)) if outcome.weight is None else outcome.weight
        weight = torch.tensor(given, dtype=torch.float64)[None]
        stop = torch.tensor(self.bins.stop)[None]
        event_weight = weight * torch.tensor(own.event)
        super().__init__(None, stop, (stop - 1).clamp(min=0), weight, event_weight, len(self.bins.time), ties)
        curve = censoring_curve(outcome.time, outcome.event, outcome.weight)
        ended = (outcome.event != 0) & (own.event == 0)
        before = np.where(ended & (given > 0), curve.at(outcome.time, left=True), np.inf)
        self.later = torch.from_numpy(1 / before)[None]
        self.uncensored = torch.from_numpy(curve.at(self.bins.time, left=True))[:, None]

    def new_cells(self, width: int) -> Tensor:
        """Return zeros for each cell: first for the rows at risk, then for those that stay after another cause."""
        return self.weight.new_zeros(2 * self.n_cells, width)

    def add_to_cells(self, cells: Tensor, value: Tensor, rows: slice = slice(None)) -> None:
        super().add_to_cells(cells[: self.n_cells], value, rows)
        super().add_to_cells(cells[self.n_cells :], value * self.later[0, rows, None], rows)

    def risk_sets(self, cells: Tensor) -> Tensor:
        stayed = cells[self.n_cells :].cumsum(0)[:-1]  # cell k holds the rows whose follow-up ended before bin k
        return super().risk_sets(cells[: self.n_cells]) + self.uncensored * stayed

    def bin_sums(self, value: Tensor) -> Tensor:
        to_come = (self.uncensored * value).flip(0).cumsum(0).flip(0)
        to_come = torch.cat([to_come, torch.zeros_like(value[:1])])
        return super().bin_sums(value) + self.later[0, :, None] * to_come[self.cell]
