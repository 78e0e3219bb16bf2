"""Whether what models assume holds: proportional hazards, the form of effects, and who carries the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..diagnostics import PHTest, prognostic_index_test
from ..errors import InputError
from ..metrics.estimate import Z95
from . import figures
from .parts import Figure, Section, Table, Text
from .performance_means import UNDEFINED, Evaluation, of_fits, plain, tested_of

if TYPE_CHECKING:
    from .performance_tested import Tested
    from .source import Subject

__all__ = ["diagnostics"]

LEVEL = 0.05
FIFTHS = "lowest fifth", "second", "middle", "fourth", "highest fifth"
TENTHS = 10
MOST = 10  # variables shown, and levels of one


def diagnostics(subject: Subject, found: Evaluation, grid: np.ndarray) -> Section:
    """Return the section on diagnostics."""
    rows, facts, over_time = [], {}, _OverTime.of(subject)
    for model in found.models:
        tests = of_fits(lambda tested: _test(tested, max(subject.horizons)), tested_of(subject, model, grid))
        p = np.array([over_time.add(test) if model == subject.reference else _p_of(test) for test in tests])
        known = p[~np.isnan(p)]
        share = found.averages["c.harrell", model].carried
        rows.append(
            {
                "Model": model,
                "Fits": len(known),
                f"p below {LEVEL:g}": int((known < LEVEL).sum()),
                "Median p": float(np.median(known)) if len(known) else UNDEFINED,
                "Share of the variance of C": UNDEFINED if np.isnan(share) else share,
            }
        )
        facts |= {
            f"ph.{model}.fits": len(known),
            f"ph.{model}.rejected": int((known < LEVEL).sum()),
            f"ph.{model}.p": plain(np.median(known)) if len(known) else None,
            f"influence.{model}": plain(share),
        }
    note = (
        "p: test of proportional hazards (scaled Schoenfeld residuals against the Kaplan-Meier scale of time) of the "
        "prognostic index, on the test rows of each fit; folds share patients, so that the counts are no test of their "
        "own. Share of the variance: of C, that the 1 % of patients with the largest influence carry; 1 % would be "
        "even."
    )
    formats = {"Median p": ".3f", "Share of the variance of C": ".1%"}
    table = Table("diagnostics", "Proportional hazards, and influence", pd.DataFrame(rows), note, formats)
    lead = (
        "Does the effect of the prognostic index stay the same over time, do risks have the right form, and does the "
        "result rest on few patients?"
    )
    parts: list[Text | Table | Figure] = [table, *over_time.figure(subject), *_forms(subject, grid)]
    return Section("diagnostics", "Diagnostics", lead, parts, facts)


def _test(tested: Tested, horizon: float) -> PHTest | None:
    """Test the prognostic index, on the log hazard scale where that is known; None where there is no test."""
    try:
        index = tested.log_risk(horizon)
    except InputError:  # no probabilities: the order of the risks is all that is known
        index = tested.risk
    try:
        return prognostic_index_test(tested.outcome.time, tested.outcome.event, index, **tested.pairs)
    except InputError:
        return None


def _p_of(test: PHTest | None) -> float:
    return float("nan") if test is None else test.p


@dataclass(eq=False)
class _OverTime:
    """Scaled Schoenfeld residuals of the prognostic index, summed over fits by intervals of time.

    Attributes
    ----------
    edges : array (k + 1,)
    sums : array (k, 3)
        How many, their sum, and the sum of their squares.
    fits : int
    """

    edges: np.ndarray
    sums: np.ndarray
    fits: int = 0

    @classmethod
    def of(cls, subject: Subject) -> _OverTime:
        """Return tenths of the event times, empty."""
        died = subject.outcome.time[subject.outcome.event == 1]
        edges = np.unique(np.quantile(died, np.linspace(0, 1, TENTHS + 1))) if len(died) else np.zeros(1)
        return cls(edges, np.zeros((max(0, len(edges) - 1), 3)))

    def add(self, test: PHTest | None) -> float:
        """Count the residuals of a fit, and return its p value."""
        if test is not None and len(test.residuals) and len(self.sums):
            time, rest = test.residuals["time"].to_numpy(), test.residuals.iloc[:, -1].to_numpy()
            code = np.clip(np.searchsorted(self.edges, time, side="left") - 1, 0, len(self.sums) - 1)
            self.sums += _summed(code, np.column_stack([np.ones(len(rest)), rest, rest**2]), len(self.sums))
            self.fits += 1
        return _p_of(test)

    def figure(self, subject: Subject) -> list[Figure]:
        """Return the picture of the effect of the index over time."""
        often = sum(len(judged.rows) for judged in subject.models[subject.reference]) / _distinct(subject)
        kept = self.sums[:, 0] / often > max(1, subject.min_cell)
        if not kept.any():
            return []
        n, total, squares = self.sums[kept].T
        middle = ((self.edges[1:] + self.edges[:-1]) / 2)[kept]
        value = total / n
        reach = Z95 * np.sqrt(np.maximum(squares / n - value**2, 0) / np.maximum(n / often, 1))
        line = figures.Line(subject.reference, middle, value, value - reach, value + reach)
        alt = (
            f"Effect of the index of {subject.reference} over time: {value[0]:.2f} at first, {value[-1]:.2f} at last; "
            "1 all along would be perfect."
        )

        def draw(figure) -> None:
            figures.lines(figure, [line], f"time ({subject.data.unit})", "effect of the index", level=1.0)

        note = (
            "Mean scaled Schoenfeld residuals in tenths of the event times, over fits, with rough 95 % limits. "
            "Level: proportional hazards. 1: the index is as strong as it says."
        )
        title = f"{subject.reference}: effect of the prognostic index over time"
        return [Figure("index-over-time", title, alt, draw, note)]


def _distinct(subject: Subject) -> int:
    """Return how many rows the reference is tested on."""
    return len(np.unique(np.concatenate([judged.rows for judged in subject.models[subject.reference]])))


def _forms(subject: Subject, grid: np.ndarray) -> list[Table | Figure | Text]:
    """Return events observed and expected by tenths of the prognostic index and by groups of every variable."""
    horizon, model = max(subject.horizons), subject.reference
    groups = _groups(subject)
    sums = {name: np.zeros((len(levels), 2)) for name, (_, levels) in groups.items()}
    tenths, tested_rows, fits = np.zeros((TENTHS, 2)), np.zeros(len(subject.outcome), dtype=bool), 0
    for tested in tested_of(subject, model, grid):
        try:
            tested.censored_at_random()
            expected = tested.own_hazard(horizon)
        except InputError as error:
            return [Text((f"The form of effects is not looked at: {error.found}",))]
        cells = np.column_stack([(tested.outcome.event == 1) & (tested.outcome.time <= horizon), expected])
        if tested.outcome.weight is not None:
            cells *= tested.outcome.weight[:, None]
        rank = np.argsort(np.argsort(tested.risk, kind="stable"), kind="stable")
        tenths += _summed(rank * TENTHS // len(rank), cells, TENTHS)
        for name, (code, levels) in groups.items():
            sums[name] += _summed(code[tested.judged.rows], cells, len(levels))
        tested_rows[tested.judged.rows] = True
        fits += len(tested.judged.rows)
    often = fits / tested_rows.sum()  # how often a patient counts
    parts: list[Table | Figure | Text] = []
    if (tenths[:, 0] / often).min() >= subject.min_cell:
        parts.append(_tenths(model, horizon, subject.data.unit, tenths / often))
    if frame := _by_variable(groups, {name: cells / often for name, cells in sums.items()}):
        parts.append(_variables(model, frame))
    return parts


def _groups(subject: Subject) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Return each variable's groups: fifths of numbers, levels of categories; code (n,) and names."""
    found = {}
    for variable in subject.data.design.variables:
        column = subject.data.X[variable.name]
        if variable.levels is None and column.nunique() > len(FIFTHS):
            ranked = column.rank(method="average", pct=True)
            code = np.clip(np.ceil(ranked.fillna(0).to_numpy() * len(FIFTHS)) - 1, 0, None).astype(int)
            found[str(variable.name)] = code, list(FIFTHS)
        elif column.nunique() <= MOST:
            code, levels = pd.factorize(column.astype(str), sort=True)
            found[str(variable.name)] = code, [str(level) for level in levels]
    return found


def _summed(code: np.ndarray, cells: np.ndarray, n: int) -> np.ndarray:
    """Return the events and the expected events of each group, (n, 2)."""
    return np.column_stack([np.bincount(code, column, n) for column in cells.T])


def _ratios(cells: np.ndarray) -> np.ndarray:
    """Return O/E with approximate limits, (n, 3); nan without events."""
    observed, expected = np.where(cells > 0, cells, np.nan).T
    reach = np.exp(Z95 / np.sqrt(observed))
    return np.column_stack([observed / expected, observed / expected / reach, observed / expected * reach])


def _tenths(model: str, horizon: float, unit: str, cells: np.ndarray) -> Figure:
    ratios = _ratios(cells)
    labels = [f"{10 * k} to {10 * (k + 1)} %" for k in range(TENTHS)]
    known = ~np.isnan(ratios[:, 0])
    alt = (
        f"Observed over expected events of {model} by tenths of the prognostic index, lowest first: "
        + ", ".join(f"{ratio:.2f}" if ok else "undefined" for ratio, ok in zip(ratios[:, 0], known, strict=True))
        + "."
    )

    def draw(figure) -> None:
        figures.intervals(
            figure, labels, ratios, f"events observed / expected by {horizon:g} {unit}", at=1.0, ratio=True
        )

    note = "From martingale residuals. A trend, or ends that bend away from 1, say that the index has the wrong form."
    return Figure("oe-by-tenth", f"{model}: events by tenths of the prognostic index", alt, draw, note, (7.0, 4.6))


def _by_variable(groups: dict[str, tuple[np.ndarray, list[str]]], sums: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return the rows of the variables whose groups are furthest from what was expected, these first."""
    apart = {
        name: np.nansum((c[:, 0] - c[:, 1]) ** 2 / np.where(c[:, 1] > 0, c[:, 1], np.nan)) for name, c in sums.items()
    }
    rows = []
    for name in sorted(apart, key=lambda name: -apart[name])[:MOST]:
        cells = sums[name]
        for level, (observed, expected), ratio in zip(groups[name][1], cells, _ratios(cells), strict=True):
            if expected > 0:
                ratios = [UNDEFINED if np.isnan(x) else float(x) for x in ratio]
                numbers = dict(zip(("O / E", "95 % from", "to"), ratios, strict=True))
                rows.append(
                    {"Variable": name, "Group": level, "Events": round(observed), "Expected": expected, **numbers}
                )
    return rows


def _variables(model: str, rows: list[dict[str, Any]]) -> Table:
    note = (
        f"Events of test rows, a patient counted once, and what {model} expected of them over their own follow-up "
        f"(martingale residuals). The {MOST} variables furthest from what was expected, whether the model uses them or "
        "not; limits are approximate and take expectations as known."
    )
    formats = {"Events": ",d", "Expected": ",.1f", **dict.fromkeys(("O / E", "95 % from", "to"), ".2f")}
    counts = {"Events": ("Expected", "O / E", "95 % from", "to")}
    title = f"{model}: events by groups of each variable"
    return Table("oe-by-variable", title, pd.DataFrame(rows), note, formats, counts, "Variable")
