"""The likelihood of competing causes: one Cox partial likelihood for each, in which the others are censored."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..errors import InputError
from ..outcome import Outcome
from .base import Head, Quadratic, Target
from .baseline import Baseline
from .cox import Cox
from .cox_target import CoxTarget
from .cox_terms import TINY


class RisksTarget(Target):
    """An outcome with competing causes, prepared for each of them.

    Parameters
    ----------
    causes : list of CoxTarget
        One for each cause, whose events alone are events in it.
    """

    def __init__(self, causes: list[CoxTarget]):
        self.causes = causes
        self.weight = causes[0].weight
        self.total = torch.stack([cause.total for cause in causes]).sum(0)

    @property
    def share(self) -> Tensor:
        """Each cause's share of the summed weight of the events, (causes, T); 0 where there is no event."""
        return torch.stack([cause.total for cause in self.causes]) / self.total.clamp(min=TINY)

    def take(self, index: Tensor, valid: Tensor | None = None) -> RisksTarget:
        return RisksTarget([cause.take(index, valid) for cause in self.causes])

    def split(self, parts: int) -> Iterator[RisksTarget]:
        for run in zip(*(cause.split(parts) for cause in self.causes), strict=True):
            yield RisksTarget(list(run))

    def to(self, device: torch.device | str | None) -> RisksTarget:
        return RisksTarget([cause.to(device) for cause in self.causes])


class RisksQuadratic(Quadratic):
    """The expansion of the causes' losses: what one cause's output does to another's loss is nothing.

    Parameters
    ----------
    causes : list of Quadratic
        Of each cause's own loss.
    share : Tensor (causes, B), float64
        The weight of each of them.
    """

    def __init__(self, causes: list[Quadratic], share: Tensor):
        self.causes, self.share = causes, share
        parts = [cause.gradient * part[:, None, None] for cause, part in zip(causes, share, strict=True)]
        self.gradient = torch.cat(parts, -1)

    def sandwich(self, z: Tensor) -> Tensor:
        models, _, p = z.shape
        whole = z.new_zeros(models, len(self.causes) * p, len(self.causes) * p, dtype=torch.float64)
        for a, (cause, part) in enumerate(zip(self.causes, self.share, strict=True)):
            block = slice(a * p, (a + 1) * p)
            whole[:, block, block] = cause.sandwich(z) * part[:, None, None]
        return whole


class CauseSpecificCox(Head[RisksTarget]):
    """One log-hazard for each competing cause.

    Parameters
    ----------
    causes : int
        How many there are, coded 1, 2, ... in the outcome: the number of outputs.
    ties : {"efron", "breslow"}
        How events at one time share a risk set.

    Notes
    -----
    The loss is the sum of the causes' negative log partial likelihoods, in each of which events of other causes are
    censored, divided by the summed weight of all events (Prentice et al. 1978; Holt 1978).

    References
    ----------
    Prentice, Kalbfleisch, Peterson, Flournoy, Farewell, Breslow (1978), The analysis of failure times in the presence
    of competing risks, Biometrics 34, 541-554.
    """

    decomposes = False
    free_intercept = True

    def __init__(self, causes: int, ties: str = "efron"):
        if causes < 1:
            raise InputError("SL-603", f"causes={causes!r}.", "Give a whole number from 1.")
        self.k = self.causes = causes
        self.cox, self.ties = Cox(ties), ties

    def prepare(self, outcome: Outcome) -> RisksTarget:
        """Find each row's interval of event times, for every cause."""
        return RisksTarget([self.cox.prepare(outcome.of_cause(cause)) for cause in range(1, self.k + 1)])

    def nll(self, eta: Tensor, target: RisksTarget) -> Tensor:
        losses = torch.stack([self.cox.nll(*pair) for pair in self._pairs(eta, target)])
        return (losses * self._share(eta, target)).sum(0).to(eta.dtype)

    def contributions(self, eta: Tensor, target: RisksTarget) -> Tensor:
        parts = torch.stack([self.cox.contributions(*pair) for pair in self._pairs(eta, target)])
        return (parts * self._share(eta, target)[..., None]).sum(0)

    def quadratic(self, eta: Tensor, target: RisksTarget) -> RisksQuadratic:
        causes: list[Quadratic] = [self.cox.quadratic(*pair) for pair in self._pairs(eta, target)]
        return RisksQuadratic(causes, self._share(eta, target))

    def score(self, eta: Tensor) -> Tensor:
        """Return the sum of the causes' log-risks."""
        return eta.sum(-1)

    def baselines(self, eta: Tensor, outcome: Outcome) -> tuple[Baseline, ...]:
        """Return the cumulative baseline hazard of each cause for the log-risks `eta` (n, causes), by stratum."""
        return tuple(self.cox.baseline(eta[:, i], outcome.of_cause(i + 1)) for i in range(self.k))

    def _pairs(self, eta: Tensor, target: RisksTarget) -> list[tuple[Tensor, CoxTarget]]:
        """Return each cause's output (B, n, 1) and target."""
        return [(eta[..., i : i + 1], cause) for i, cause in enumerate(target.causes)]

    def _share(self, eta: Tensor, target: RisksTarget) -> Tensor:
        """Return each cause's share of the events of each model, (causes, B)."""
        share = target.share
        return share.repeat_interleave(len(eta) // share.shape[1], 1)
