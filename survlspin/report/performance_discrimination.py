"""How well models rank patients: C and AUC, what ties do to C, and C against the number of factors."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import InputError
from ..metrics.definitions import definitions
from . import figures
from .parts import Figure, Section, Table, Text
from .performance_means import UNDEFINED, Evaluation, evaluate, of_fits, said, tested_of, within
from .performance_tested import rounded

if TYPE_CHECKING:
    from .performance_tested import Tested
    from .source import Subject

__all__ = ["discrimination"]

DIGITS = {"Estimate": ".3f", "SE": ".4f", "95 % from": ".3f", "to": ".3f"}
COUNTED = {
    "median": "factors used per patient (median)",
    "mean": "factors used per patient (mean)",
    "union": "factors used for at least one patient",
    "union_columns": "columns used for at least one patient",
}
BESIDE = "discrimination", "calibration", "overall"
AT = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 50)  # counts in the table of the curve


def discrimination(subject: Subject, found: Evaluation, grid: np.ndarray) -> Section:
    """Return the section on discrimination."""
    parts: list[Text | Table | Figure] = [*_tables(found), _forest(found)]
    facts = found.facts("discrimination")
    parts += [*_apparent(subject, found, grid), *_over_time(subject, found)]
    parts += _definitions(subject, grid)
    parts += _curve(subject)
    own = found.averages["c.harrell", found.models[0]]
    facts["c.words"] = f"{own.model}: Harrell's C {said(own.value)} ({said(own.low)} to {said(own.high)})"
    facts["c.harrell.definition"] = own.definition
    facts["c.uno.tau"] = max(subject.horizons)
    lead = (
        f"{facts['c.words']}, on {subject.judged_on}. C is the share of comparable pairs of patients (it is known who "
        "has the event first) in which the one with the higher predicted risk has it first: 0.5 is chance, 1 is a "
        "perfect order. It says nothing of whether probabilities are right."
    )
    return Section("discrimination", "Discrimination", lead, parts, facts)


def _tables(found: Evaluation) -> list[Table]:
    title = f"C and AUC{found.mean}, with 95 % intervals"
    return [
        Table("discrimination", title, found.summary("discrimination"), found.definitions("discrimination")),
        Table("discrimination-numbers", "The same with standard errors", found.table("discrimination"), "", DIGITS),
    ]


def _apparent(subject: Subject, found: Evaluation, grid: np.ndarray) -> list[Table]:
    """Return the measures on the rows that the model was made from, beside those it is judged on."""
    own = subject.apparent
    if own is None or any(own is judged for judged in subject.models[subject.reference]):
        return []
    asked = [m for m in found.measures if m.group in BESIDE]
    flattered = evaluate(replace(subject, models={subject.reference: [own]}), asked, grid).averages
    rows = []
    for measure in asked:
        here, there = found.averages[measure.key, subject.reference], flattered[measure.key, subject.reference]
        both = (within(a.value, a.low, a.high) for a in (there, here))
        rows.append(dict(zip(("Measure", "Apparent", "Here"), (measure.title, *both), strict=True)))
    note = "Apparent: on the rows that the model was made from, which flatters it."
    return [Table("apparent", "Apparent performance, and performance here", pd.DataFrame(rows), note)]


def _forest(found: Evaluation) -> Figure:
    own = [found.averages["c.harrell", model] for model in found.models]
    rows = np.array([[a.value, a.low, a.high] for a in own])
    best = max(own, key=lambda a: -np.inf if np.isnan(a.value) else a.value)
    alt = (
        f"Harrell's C of {len(own)} model{'s' if len(own) > 1 else ''} with 95 % intervals; highest is {best.model} "
        f"with {said(best.value)} ({said(best.low)} to {said(best.high)})."
    )

    def draw(figure) -> None:
        figures.intervals(figure, found.models, rows, "Harrell's C")

    note = (
        "All are judged on the same patients, so that differences are known better than single values: see Comparators."
        if len(own) > 1
        else ""
    )
    return Figure("c-by-model", "Harrell's C", alt, draw, note, (7.0, 1.1 + 0.42 * len(own)))


def _over_time(subject: Subject, found: Evaluation) -> list[Table | Figure]:
    """Return the AUC at several times, as table and figure."""
    known = [a for a in found.of("over time") if not np.isnan(a.value)]
    if not known:
        return []
    unit = subject.data.unit
    frame = found.table("over time").drop(columns="Measure")
    frame.insert(0, f"Time ({unit})", [rounded(a.measure.horizon) for a in found.of("over time")])
    drawn = []
    for model in found.models:
        rows = np.array([[rounded(a.measure.horizon), a.value, a.low, a.high] for a in known if a.model == model])
        if len(rows):
            drawn.append(figures.Line(model, *rows.T))
    low, high = min(a.value for a in known), max(a.value for a in known)
    alt = f"Cumulative/dynamic AUC of {len(drawn)} models over time; between {low:.3f} and {high:.3f}. " + " ".join(
        f"{line.name} goes from {line.y[0]:.3f} to {line.y[-1]:.3f}." for line in drawn
    )

    def draw(figure) -> None:
        figures.lines(figure, drawn, f"time ({unit})", "AUC of the event by this time", level=0.5)

    note = "Cumulative/dynamic, as above."
    formats = {frame.columns[0]: ",.6g", **DIGITS}
    return [
        Table("auc-over-time", "AUC over time", frame, note, formats),
        Figure("auc-over-time", "AUC over time", alt, draw, "Bands: 95 % intervals."),
    ]


def _definitions(subject: Subject, grid: np.ndarray) -> list[Table | Text]:
    """Return C by every definition in use, one column per model; means over fits."""
    if subject.outcome.entry is not None:
        return [Text(("The definitions of C are not compared: rows enter late, for which most are not made.",))]
    columns = {model: _by_definition(subject, model, grid) for model in subject.models}
    known = {model: column for model, column in columns.items() if column is not None}
    order = list(dict.fromkeys(name for column in known.values() for name in column.index))
    frame = pd.DataFrame(known, index=order)
    frame = frame.fillna(UNDEFINED).rename_axis("Definition").reset_index()
    note = (
        "In brackets: the share of comparable pairs whose predictions are equal. Sparse models tie patients; C is then "
        "mostly a matter of how ties are counted: compare numbers of one definition only. Strata are not told "
        "apart here. Antolini's C of models whose curves may cross is not given: they are kept at few times."
    )
    return [Table("c-definitions", "The definitions of C in use, on the same predictions, mean over fits", frame, note)]


def _by_definition(subject: Subject, model: str, grid: np.ndarray) -> pd.Series | None:
    """Return C and the share of tied pairs by each definition, as text; None where nothing can be compared."""
    try:
        panels = of_fits(lambda tested: _panel(tested, max(subject.horizons)), tested_of(subject, model, grid))
    except InputError:
        return None
    means = sum(panel[["C", "tied"]] for panel in panels) / len(panels)
    tied = means["tied"].map(lambda share: "" if np.isnan(share) else f" ({100 * share:.1f} %)")
    return means["C"].map(said) + tied


def _panel(tested: Tested, tau: float) -> pd.DataFrame:
    """Return C and the share of tied pairs of a fit by each definition."""
    outcome = tested.outcome
    panel = definitions(outcome.time, outcome.event, tested.risk, tau=tau, weight=outcome.weight)
    if not tested.proportional:  # its curves may cross, and are not kept at every time
        panel = panel[~panel["definition"].str.contains("Antolini")]
    return panel.assign(definition=panel["definition"].map(_short)).set_index("definition")


def _short(definition: str) -> str:
    """Return a definition without what differs from fold to fold."""
    return re.sub(r"[,;] G=[^;)]*|; undefined.*", "", definition)


def _curve(subject: Subject) -> list[Table | Figure | Text]:
    """Return C against the number of factors."""
    if subject.runs is None or not subject.runs.paths:
        return []
    curve = subject.runs.curve()
    frame = curve.frame
    parts: list[Table | Figure | Text] = []
    for by, words in COUNTED.items():
        rows = frame[frame["by"] == by]
        paths = [
            figures.Line(str(model), *(path[name].to_numpy() for name in ("count", "C", "low", "high")))
            for model, path in rows[rows["kind"] == "path"].groupby("model", sort=False)
        ]
        if paths:
            parts.append(_curve_figure(by, words, paths, rows[rows["kind"] == "chosen"]))
    shown = frame[(frame["kind"] == "path") & frame["count"].isin(AT)]
    shown = shown.assign(by=shown["by"].map(lambda by: COUNTED.get(by, ""))).query("by != ''").drop(columns="kind")
    names = {"model": "Model", "by": "Counted", "count": "At most", "se": "SE", "low": "95 % from", "high": "to"}
    title = "C at a number of factors, mean over folds"
    note = (
        "C with at most so many is that of the densest point of the path whose training count is within it, fold by "
        "fold; no point is picked for its C on test rows."
    )
    formats = {"At most": "g", "C": ".3f", **DIGITS}
    return [*parts, Table("c-curve", title, shown.rename(columns=names).reset_index(drop=True), note, formats)]


def _curve_figure(by: str, words: str, paths: list[figures.Line], chosen: pd.DataFrame) -> Figure:
    alt = f"Harrell's C against {words}. " + " ".join(
        f"{line.name}: {line.y[0]:.3f} at {line.x[0]:g}, {line.y[-1]:.3f} at {line.x[-1]:g}." for line in paths
    )
    others = chosen[~chosen["model"].isin([line.name for line in paths])].rename(columns={"count": "count_"})
    marks = [figures.Line(str(row.model), np.array([row.count_]), np.array([row.C])) for row in others.itertuples()]

    def draw(figure) -> None:
        figures.lines(figure, [*paths, *marks], words, "Harrell's C", level=0.5)

    note = "Lines: models with a penalty path, 95 % bands. Diamonds: models without one, at their own count."
    return Figure(f"c-curve-{by.replace('_', '-')}", f"C against {words}", alt, draw, note)
