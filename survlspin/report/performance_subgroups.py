"""How well models do in subgroups that the user names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import figures
from .parts import Figure, Section, Table, Text, hidden_counts, stems
from .performance_means import UNDEFINED, Evaluation, evaluate, limits
from .performance_measures import Measure

if TYPE_CHECKING:
    from .source import Subject

__all__ = ["subgroups"]

HIDDEN = ""
ASKED = "Does the model do as well for everybody?"
NONE = "No subgroups were named (--subgroup)."


def subgroups(subject: Subject, measures: list[Measure], grid: np.ndarray) -> Section:
    """Return the section on subgroups."""
    if not subject.subgroups:
        return Section("subgroups", "Subgroups", ASKED, [Text((NONE,))])
    asked = [m for m in measures if m.key in ("c.harrell", "slope") or m.key.startswith("oe.")]
    parts: list[Text | Table | Figure] = []
    for column, stem in stems(subject.subgroups).items():
        frame, drawn = _of_column(subject, column, asked, grid)
        name = f"subgroup-{stem}"
        parts += [_figure(name, column, subject.reference, drawn), _table(name, column, frame)]
    lead = (
        f"{ASKED} C, O/E and slope are those of the rows of each group alone; groups "
        "differ by chance, too, and no test was made of whether they do."
    )
    facts: dict[str, Any] = {"subgroups.names": list(subject.subgroups)}
    return Section("subgroups", "Subgroups", lead, parts, facts)


def _of_column(
    subject: Subject, column: str, asked: list[Measure], grid: np.ndarray
) -> tuple[pd.DataFrame, list[tuple[str, float, float, float]]]:
    """Return the table of a column's groups, and the reference's C in each with its limits."""
    values = subject.data.X[column]
    labels = values.astype(str).where(values.notna(), "missing").to_numpy(str)
    tested = np.unique(np.concatenate([j.rows for fits in subject.models.values() for j in fits]))
    rows, drawn, seen = [], [], []
    levels = [str(x) for x in values.cat.categories] if isinstance(values.dtype, pd.CategoricalDtype) else []
    for level in sorted(set(labels[tested]), key=lambda x: (levels.index(x) if x in levels else len(levels), x)):
        inside = labels == level
        n, events = int(inside[tested].sum()), int((subject.outcome.event[tested] == 1)[inside[tested]].sum())
        hide = min(n, events) < subject.min_cell
        found = None if hide else evaluate(_within(subject, inside), asked, grid)
        for model in subject.models:
            cells = {m.title: HIDDEN if found is None else _cell(found, m, model) for m in asked}
            rows.append({"Group": level, "Model": model, "Rows": n, "Events": events, **cells})
        if found is not None:
            own = found.averages["c.harrell", subject.reference]
            drawn.append((level, own.value, own.low, own.high))
        seen.append((level, events))
    hidden = hidden_counts(np.array([events for _, events in seen]), subject.min_cell)
    said = {level: level if hide else f"{level} ({n:,} events)" for (level, n), hide in zip(seen, hidden, strict=True)}
    drawn = [(said[level], *three) for level, *three in drawn]
    order = {model: i for i, model in enumerate(subject.models)}
    frame = pd.DataFrame(rows).sort_values("Model", key=lambda m: m.map(order), kind="stable", ignore_index=True)
    return frame[["Model", "Group", *frame.columns[2:]]], drawn


def _within(subject: Subject, inside: np.ndarray) -> Subject:
    """Return the subject with the rows of a group alone."""
    models = {
        name: [part for judged in fits if len((part := _part(judged, inside)).rows)]
        for name, fits in subject.models.items()
    }
    return replace(subject, models=models)


def _part(judged, inside: np.ndarray):
    keep = inside[judged.rows]
    said = judged.probabilities
    return replace(
        judged, rows=judged.rows[keep], risk=judged.risk[keep], probabilities=lambda times: said(times)[keep]
    )


def _cell(found: Evaluation, measure: Measure, model: str) -> str:
    """Return a value and its interval as text."""
    own = found.averages[measure.key, model]
    if np.isnan(own.value):
        return UNDEFINED
    low, high = limits(measure.scale, own.value, own.se)
    return f"{own.value:.3f} ({low:.3f} to {high:.3f})"


def _table(name: str, column: str, frame: pd.DataFrame) -> Table:
    note = "95 % intervals. Blank: too few rows or events to be shown. Undefined: no events, or all of one risk."
    counts = {"Rows": (), "Events": ()}
    return Table(name, f"By {column}", frame, note, {"Rows": ",d", "Events": ",d"}, counts, "Model")


def _figure(name: str, column: str, model: str, drawn: list[tuple[str, float, float, float]]) -> Figure:
    rows = np.array([row[1:] for row in drawn]).reshape(len(drawn), 3)
    said = [f"{name}: {row[0]:.3f}" if not np.isnan(row[0]) else f"{name}: undefined" for name, *row in drawn]
    alt = f"Harrell's C of {model} by {column}. {'; '.join(said)}."

    def draw(figure) -> None:
        figures.intervals(figure, [name for name, *_ in drawn], rows, f"Harrell's C of {model}")

    return Figure(name, f"Harrell's C by {column}", alt, draw, "", (7.0, 1.1 + 0.42 * max(1, len(drawn))))
