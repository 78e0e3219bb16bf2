"""What is measured on the test rows of a fit: each measure's name, definition, scale and what is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..metrics.auc import auc
from ..metrics.brier import brier, integrated_brier, scaled_brier
from ..metrics.calibration import calibration_in_the_large, calibration_slope, observed_expected, poisson_slope
from ..metrics.concordance import concordance, uno
from ..metrics.decision import net_benefit
from ..metrics.estimate import Estimate
from .performance_tested import Tested, rounded

__all__ = ["Measure", "measures", "undefined"]

OVER_TIME = 8  # times at which the AUC is drawn


@dataclass(frozen=True, eq=False)
class Measure:
    """A measure of one fit on its test rows.

    Attributes
    ----------
    key : str
        Of its facts: ``"c.harrell"``, ``"brier.1825"``.
    title : str
    group : str
        The section it is shown in.
    better : {1, -1, 0}
        Whether high or low values are better; 0: a target is aimed at.
    scale : {"logit", "log", "plain"}
        On which its interval is symmetric.
    of : function
        `Tested` -> `Estimate`.
    horizon : float, optional
    """

    key: str
    title: str
    group: str
    better: int
    scale: str
    of: Callable[[Tested], Estimate]
    horizon: float | None = None

    def __call__(self, tested: Tested) -> Estimate:
        """Return the estimate; "undefined: why" where the rows or the model do not allow one."""
        try:
            return self.of(tested)
        except InputError as error:
            return undefined(". ".join(part.rstrip(".") for part in (error.found, error.remedy) if part))


def undefined(why: str) -> Estimate:
    """Return a measure without a value."""
    nan = float("nan")
    return Estimate(nan, nan, nan, nan, f"undefined: {why}")


def measures(horizons: Sequence[float], grid: np.ndarray, unit: str, thresholds: Sequence[float] = ()) -> list[Measure]:
    """Return all measures, in the order of the report.

    Parameters
    ----------
    horizons : sequence of float
        At least one; Uno's C looks at events until the last of them.
    grid : array (m,)
        The times of `Tested.grid`.
    unit : str
        Of time.
    thresholds : sequence of float
        Of decision curves.
    """
    tau = max(horizons)
    over = grid[np.unique(np.linspace(0, len(grid) - 1, OVER_TIME).round().astype(int))] if len(grid) else grid
    times = tuple(np.union1d(horizons, over).tolist())
    found = [
        Measure("c.harrell", "Harrell's C", "discrimination", 1, "logit", _harrell),
        Measure("c.uno", f"Uno's C, tau {tau:g}", "discrimination", 1, "logit", _uno(tau)),
    ]
    for h in horizons:
        words = f"at {h:g} {unit}"
        found += [
            Measure(f"auc.{h:g}", f"AUC {words}", "discrimination", 1, "logit", _auc(h, times), h),
            Measure(f"brier.{h:g}", f"Brier score {words}", "overall", -1, "plain", _probable(brier, h), h),
            Measure(f"ipa.{h:g}", f"Scaled Brier (IPA) {words}", "overall", 1, "plain", _probable(scaled_brier, h), h),
            Measure(f"oe.{h:g}", f"O / E {words}", "calibration", 0, "log", _probable(observed_expected, h), h),
            Measure(f"citl.{h:g}", f"In the large {words}", "calibration", 0, "log", _large(h), h),
            Measure(f"poisson.{h:g}", f"Slope (Poisson) {words}", "calibration", 0, "plain", _poisson(h), h),
        ]
        found += [
            Measure(
                f"decision.{h:g}.{t:g}",
                f"Net benefit {words} at {t:g}",
                "decision",
                1,
                "plain",
                _benefit(h, thresholds, k),
                h,
            )
            for k, t in enumerate(thresholds)
        ]
    found.append(Measure("slope", "Slope (Cox)", "calibration", 0, "plain", _slope(tau)))
    if len(grid) > 1:
        title = f"Integrated Brier score, {rounded(grid[0]):g} to {rounded(grid[-1]):g}"
        found.append(Measure("ibs", title, "overall", -1, "plain", _integrated(grid)))
    found += [
        Measure(f"auc_over_time.{t:g}", f"AUC({rounded(t):g})", "over time", 1, "logit", _auc(t, times), t)
        for t in over
    ]
    return found


def _harrell(tested: Tested) -> Estimate:
    return concordance(tested.outcome.time, tested.outcome.event, tested.risk, **tested.pairs)


def _uno(tau: float) -> Callable[[Tested], Estimate]:
    def of(tested: Tested) -> Estimate:
        tested.censored_at_random()
        outcome = tested.outcome
        return uno(outcome.time, outcome.event, tested.risk, tau, weight=outcome.weight, stratum=outcome.stratum)

    return of


def _auc(h: float, times: tuple[float, ...]) -> Callable[[Tested], Estimate]:
    """Return the AUC at a horizon, which is made at all of `times` together."""

    def of(tested: Tested) -> Estimate:
        tested.censored_at_random()
        outcome = tested.outcome
        reached = [t for t in times if t <= outcome.time.max()]
        if h not in reached:
            return undefined(f"no row is followed until {h:g}")

        def make() -> dict[float, Estimate]:
            found = auc(outcome.time, outcome.event, tested.risk, reached, weight=outcome.weight)
            return dict(zip(reached, found, strict=True))

        return tested.once("auc", make)[h]

    return of


def _probable(measure: Callable[..., Estimate], h: float) -> Callable[[Tested], Estimate]:
    """Return a measure of the probabilities at a horizon."""

    def of(tested: Tested) -> Estimate:
        tested.censored_at_random()
        outcome = tested.outcome
        return measure(outcome.time, outcome.event, tested.probability(h), h, weight=outcome.weight)

    return of


def _integrated(grid: np.ndarray) -> Callable[[Tested], Estimate]:
    def of(tested: Tested) -> Estimate:
        tested.censored_at_random()
        outcome = tested.outcome
        found = integrated_brier(outcome.time, outcome.event, tested.probabilities, grid, weight=outcome.weight)
        return replace(found, definition=_round(found.definition, grid[[0, -1]]))

    return of


def _round(definition: str, times: np.ndarray) -> str:
    """Return a definition with these times rounded: kept ones are those of events."""
    for time in times:
        definition = definition.replace(f"{time:g}", f"{rounded(time):g}")
    return definition


def _benefit(h: float, thresholds: Sequence[float], k: int) -> Callable[[Tested], Estimate]:
    """Return the net benefit at the k-th threshold, which is made at all of them together."""

    def of(tested: Tested) -> Estimate:
        tested.censored_at_random()
        outcome, p = tested.outcome, tested.probability(h)

        def make() -> tuple[Estimate, ...]:
            return net_benefit(outcome.time, outcome.event, p, h, thresholds, weight=outcome.weight)

        return tested.once(("decision", h), make)[k]

    return of


def _large(h: float) -> Callable[[Tested], Estimate]:
    def of(tested: Tested) -> Estimate:
        tested.censored_at_random()
        outcome = tested.outcome
        hazard = tested.own_hazard(h)
        return calibration_in_the_large(outcome.time, outcome.event, hazard, h, weight=outcome.weight)

    return of


def _poisson(h: float) -> Callable[[Tested], Estimate]:
    def of(tested: Tested) -> Estimate:
        tested.censored_at_random()
        outcome = tested.outcome
        hazard, risk = tested.own_hazard(h), tested.log_risk(h)
        return poisson_slope(outcome.time, outcome.event, hazard, risk, h, weight=outcome.weight)

    return of


def _slope(h: float) -> Callable[[Tested], Estimate]:
    def of(tested: Tested) -> Estimate:
        return calibration_slope(tested.outcome.time, tested.outcome.event, tested.log_risk(h), **tested.pairs)

    return of
