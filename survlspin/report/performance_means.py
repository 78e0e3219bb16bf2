"""Every measure of every model: the mean over folds, with an interval that knows how the folds overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
import numpy as np
import pandas as pd

from ..fold_mean import FoldMean
from ..metrics.estimate import Z95, Estimate, logit_interval
from .performance_measures import Measure
from .performance_tested import Tested

if TYPE_CHECKING:
    from .source import Judged, Subject

__all__ = [
    "UNDEFINED",
    "Average",
    "Evaluation",
    "Patients",
    "evaluate",
    "limits",
    "of_fits",
    "plain",
    "said",
    "tested_of",
    "within",
]

Cells = dict[tuple[str, int], Estimate]  # of the fits of one model
UNDEFINED = "undefined"
AT_ONCE = 4  # fits that are measured at the same time: each needs memory of its own
Of = TypeVar("Of")


@dataclass(frozen=True, eq=False)
class Average:
    """A measure of one model, averaged over its folds, and its difference from the reference.

    Attributes
    ----------
    measure : Measure
    model : str
    value, se, low, high : float
        nan where it is undefined in any fit.
    difference : (value, se, low, high), or None for the reference itself
        Of the fits that both have.
    definition : str
        Of the first fit that has a value, or else why there is none.
    without : int
        Fits without a value.
    carried : float
        The share of the variance between patients that the 1 % of them with the largest influence carry.
    """

    measure: Measure
    model: str
    value: float
    se: float
    low: float
    high: float
    difference: tuple[float, float, float, float] | None
    definition: str
    without: int
    carried: float


@dataclass(frozen=True, eq=False)
class Patients:
    """Which patient each row is of, and who was trained on.

    Attributes
    ----------
    code : int array (n,)
    trained : dict
        Fold -> positions of rows.
    """

    code: np.ndarray
    trained: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, subject: Subject) -> Patients:
        """Return the patients of a subject's rows."""
        judged = (j for fits in subject.models.values() for j in fits)
        trained = {j.fold: j.trained for j in judged}
        if subject.runs is not None:  # the same for all models, as in the tables of the comparison
            trained = {name: fold.train for name, fold in subject.runs.folds.items()}
        return cls(subject.patient, trained)

    def mean(self, pairs: Sequence[tuple[Judged, Estimate]]) -> FoldMean:
        """Average the estimates of fits: all folds alike, each over its seeds; or over the seeds of a single fold."""
        by_fold: dict[str, list[tuple[Judged, Estimate]]] = {}
        for pair in pairs:
            by_fold.setdefault(pair[0].fold, []).append(pair)
        units = list(by_fold.values()) if len(by_fold) > 1 else [[pair] for pair in pairs]
        m = int(self.code.max()) + 1
        influence, trained = np.zeros((len(units), m), dtype=np.float32), np.zeros((len(units), m), dtype=bool)
        for k, unit in enumerate(units):
            trained[k, self.code[self.trained[unit[0][0].fold]]] = True
            for judged, estimate in unit:
                if estimate.influence is not None:
                    influence[k] += np.bincount(self.code[judged.rows], estimate.influence, m) / len(unit)
        values = np.array([np.mean([estimate.value for _, estimate in unit]) for unit in units])
        return FoldMean(values, influence, trained)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All measures of all models.

    Attributes
    ----------
    models : list of str
        The reference first.
    measures : list of Measure
    averages : dict
        (key of a measure, model) -> `Average`.
    fits : int
        Of the reference.
    """

    models: list[str]
    measures: list[Measure]
    averages: Mapping[tuple[str, str], Average]
    fits: int = 1

    @property
    def mean(self) -> str:
        """What is shown of several fits, for titles."""
        return ", mean over fits" if self.fits > 1 else ""

    def of(self, group: str) -> list[Average]:
        """Return the averages of a group, measure by measure."""
        return [self.averages[m.key, model] for m in self.measures if m.group == group for model in self.models]

    def table(self, group: str) -> pd.DataFrame:
        """Return the averages of a group as a table; "undefined" where there is no value."""
        rows = [
            {"Measure": a.measure.title, "Model": a.model, **_columns((a.value, a.se, a.low, a.high))}
            for a in self.of(group)
        ]
        return pd.DataFrame(rows)

    def facts(self, group: str) -> dict[str, Any]:
        """Return the averages of a group as facts; None where there is no value."""
        found: dict[str, Any] = {}
        for a in self.of(group):
            name = f"{a.measure.key}.{a.model}"
            found |= {name: plain(a.value), **{f"{name}.{part}": plain(getattr(a, part)) for part in PARTS}}
        return found

    def summary(self, group: str) -> pd.DataFrame:
        """Return one row per model and one column per measure: "0.684 (0.649 to 0.717)"."""
        rows: dict[str, dict[str, str]] = {model: {"Model": model} for model in self.models}
        for a in self.of(group):
            rows[a.model][a.measure.title] = within(a.value, a.low, a.high)
        return pd.DataFrame(list(rows.values()))

    def definitions(self, group: str) -> str:
        """Return the definitions of a group's measures, each once, and which have no value and why."""
        defined = dict.fromkeys(a.definition for a in self.of(group) if not a.without)
        gaps: dict[tuple[str, str], list[str]] = {}
        for a in self.of(group):
            if a.without:
                gaps.setdefault((a.model, a.definition), []).append(a.measure.title)
        return ". ".join([*defined, *(f"{model}, {', '.join(what)}: {why}" for (model, why), what in gaps.items())])


PARTS = ("se", "low", "high")


def tested_of(subject: Subject, model: str, grid: np.ndarray) -> Iterator[Tested]:
    """Yield the fits of a model, one at a time."""
    kept = {} if subject.runs is None else {(f.fold, f.seed): f for f in subject.runs.fits if f.model == model}
    for judged in subject.models[model]:
        yield Tested(judged, subject.outcome.take(judged.rows), grid, kept.get((judged.fold, judged.seed)))


def of_fits(measured: Callable[[Tested], Of], fits: Iterable[Tested]) -> list[Of]:
    """Return what is measured of each fit, in their order: several at once, as far as there are processors."""
    at_once = min(AT_ONCE, joblib.effective_n_jobs(-1))
    return joblib.Parallel(at_once, require="sharedmem")(joblib.delayed(measured)(tested) for tested in fits)


def evaluate(subject: Subject, measures: list[Measure], grid: np.ndarray) -> Evaluation:
    """Measure every fit of every model, and average over folds; the first model is the reference."""
    patients, models = Patients.of(subject), list(subject.models)
    reference: dict[str, Cells] = {}
    averages: dict[tuple[str, str], Average] = {}
    for model in models:
        fits = [(judged.fold, judged.seed) for judged in subject.models[model]]
        found = of_fits(
            lambda tested: [_small(measure(tested)) for measure in measures], tested_of(subject, model, grid)
        )
        columns = zip(*found, strict=True) if found else [()] * len(measures)
        cells = {m.key: dict(zip(fits, column, strict=True)) for m, column in zip(measures, columns, strict=True)}
        reference = reference or cells
        judged = {name: {(j.fold, j.seed): j for j in subject.models[name]} for name in (model, models[0])}
        for measure in measures:
            own, other = cells[measure.key], reference[measure.key]
            average = patients.mean([(judged[model][cell], estimate) for cell, estimate in own.items()])
            difference = None
            if model != models[0]:
                both = [cell for cell in own if cell in other]
                whole = len(both) == len(own)
                ours = average if whole else patients.mean([(judged[model][cell], own[cell]) for cell in both])
                difference = ours - patients.mean([(judged[models[0]][cell], other[cell]) for cell in both])
            averages[measure.key, model] = _average(measure, model, average, difference, list(own.values()))
    return Evaluation(models, measures, averages, len(subject.models[models[0]]))


def limits(scale: str, value: float, se: float) -> tuple[float, float]:
    """Return the 95 % interval that is symmetric on a scale: "logit", "log" or "plain"."""
    if scale == "logit":
        return logit_interval(value, se)
    if scale == "log":
        if not value > 0:
            return value, float("nan")
        factor = float(np.exp(Z95 * se / value))
        return value / factor, value * factor
    return value - Z95 * se, value + Z95 * se


def said(value: float | None, digits: int = 3) -> str:
    """Return a number as text, "undefined" where there is none."""
    return UNDEFINED if value is None or np.isnan(value) else f"{value:.{digits}f}"


def within(value: float, low: float, high: float) -> str:
    """Return a number with its interval as text."""
    return UNDEFINED if np.isnan(value) else f"{said(value)} ({said(low)} to {said(high)})"


def plain(value: float) -> float | None:
    """Return a float that JSON can hold: None for nan."""
    return None if np.isnan(value) else float(value)


def _columns(found: tuple[float, float, float, float]) -> dict[str, float | str]:
    """Return a value and its interval as cells of a table."""
    names = ("Estimate", "SE", "95 % from", "to")
    return {name: UNDEFINED if np.isnan(x) else float(x) for name, x in zip(names, found, strict=True)}


def _small(estimate: Estimate) -> Estimate:
    """Return the same with its influence in single precision and nothing else that is large."""
    influence = estimate.influence
    small = None if influence is None or np.isnan(estimate.value) else influence.astype(np.float32)
    four = (estimate.value, estimate.se, estimate.low, estimate.high)
    return Estimate(*four, estimate.definition, small)


def _average(
    measure: Measure, model: str, mean: FoldMean, difference: FoldMean | None, estimates: list[Estimate]
) -> Average:
    missing = [estimate for estimate in estimates if np.isnan(estimate.value)]
    definition = (missing or estimates)[0].definition
    if missing and len(missing) < len(estimates):
        definition = f"{definition} (in {len(missing)} of {len(estimates)} fits)"
    four = None
    if difference is not None:
        four = (difference.value, difference.se, *limits("plain", difference.value, difference.se))
    own = (mean.value, mean.se, *limits(measure.scale, mean.value, mean.se))
    return Average(measure, model, *own, four, definition, len(missing), _carried(mean))


def _carried(mean: FoldMean) -> float:
    """Return the share of the sum of squared influences that the largest 1 % of those that are not 0 make."""
    squares = mean.influence.mean(axis=0, dtype=np.float64) ** 2
    squares = np.sort(squares[squares > 0])
    return float(squares[-max(1, len(squares) // 100) :].sum() / squares.sum()) if len(squares) else float("nan")
