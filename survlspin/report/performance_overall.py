"""Overall error (Brier), and what decisions by the model would be worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..metrics.decision import net_benefit
from . import figures
from .drawing import GREY, INK
from .parts import Figure, Section, Table, Text
from .performance_means import Evaluation, plain, tested_of, within
from .performance_tested import rounded

if TYPE_CHECKING:
    from .source import Subject

__all__ = ["overall", "utility"]

DIGITS = {"Estimate": ".4f", "SE": ".4f", "95 % from": ".4f", "to": ".4f"}
BINS = 25
DEPTH = 0.3  # of the highest net benefit: how far below 0 it is drawn
ASK = (
    "No decision curve is drawn: from which predicted probability on one would act is a clinical question that no "
    "default can answer. Name such probabilities, as --thresholds 0.1,0.2,0.3."
)
CENSORING = (
    "Weights for censored rows, here as for Uno's C, the AUC and net benefit, are of the rows that are judged, as in "
    "the STRATOS guidance. Programs that take them from the training rows, as scikit-survival does where it is given "
    "those, get other numbers: from training rows with a longer follow-up, Brier scores that are far too good."
)
GROUPS = "event by then", "no event by then", "censored before"


def overall(subject: Subject, found: Evaluation, grid: np.ndarray) -> Section:
    """Return the section on overall performance."""
    title = f"Brier scores{found.mean}, with 95 % intervals"
    parts: list[Text | Table | Figure] = [
        Table("overall", title, found.summary("overall"), found.definitions("overall")),
        Table("overall-numbers", "The same with standard errors", found.table("overall"), "", DIGITS),
    ]
    parts.append(Text((CENSORING,)))
    facts = found.facts("overall")
    if len(grid) > 1:
        facts["ibs.range"] = [rounded(grid[0]), rounded(grid[-1])]
    lead = (
        "The Brier score is the mean squared distance between the predicted probability and what happened, censored "
        "rows made up for by weights. Scaled (IPA), it is the share of the error of predicting the same for everybody "
        "(Kaplan-Meier of the test rows) that the model takes away: 0 is no better than that, below 0 worse, 1 perfect."
    )
    return Section("overall", "Overall performance", lead, parts, facts)


def utility(subject: Subject, found: Evaluation, grid: np.ndarray) -> Section:
    """Return the section on clinical utility: decision curves where thresholds were asked, and risk distributions."""
    parts: list[Text | Table | Figure] = []
    facts: dict[str, Any] = {"decision.thresholds": list(subject.thresholds)}
    for horizon in subject.horizons if subject.thresholds else ():
        parts += _decisions(subject, found, horizon, facts)
    if subject.thresholds:
        title = "Net benefit with standard errors"
        parts.append(Table("decision-numbers", title, found.table("decision"), "", DIGITS))
    else:
        parts.append(Text((ASK,)))
    for horizon in subject.horizons:
        parts += _spread(subject, found.models, horizon, grid)
    lead = "What acting by the predictions would be worth, and how far apart they set those with and without the event."
    return Section("utility", "Clinical utility", lead, parts, facts)


def _decisions(
    subject: Subject, found: Evaluation, horizon: float, facts: dict[str, Any]
) -> list[Table | Figure | Text]:
    """Return the net benefit at the thresholds, of models and of treating all and none, as figure and table."""
    at = np.array(subject.thresholds)
    own = {m: [found.averages[f"decision.{horizon:g}.{t:g}", m] for t in at] for m in found.models}
    facts |= {f"decision.{horizon:g}.{m}": [plain(a.value) for a in averages] for m, averages in own.items()}
    known = {m: averages for m, averages in own.items() if not any(np.isnan(a.value) for a in averages)}
    if not known:
        why = own[found.models[0]][0].definition
        return [Text((f"By {horizon:g} {subject.data.unit} no model has a decision curve: {why}.",))]
    treated = treat_all(subject, horizon)
    drawn = [
        figures.Line(m, at, *(np.array([getattr(a, name) for a in averages]) for name in ("value", "low", "high")))
        for m, averages in known.items()
    ]
    drawn += [
        figures.Line("treat all", at, treated, ink=GREY),
        figures.Line("treat none", at, np.zeros(len(at)), ink=INK),
    ]
    return _decision_parts(f"by {horizon:g} {subject.data.unit}", f"decision-curve-{horizon:g}", drawn)


def treat_all(subject: Subject, horizon: float) -> np.ndarray:
    """Return the net benefit of treating everybody at each threshold; the mean over folds."""
    folds = {tested.judged.fold: tested for tested in tested_of(subject, subject.reference, np.empty(0))}
    values = []
    for tested in folds.values():
        outcome = tested.outcome
        everybody = np.ones(len(outcome))
        found = net_benefit(outcome.time, outcome.event, everybody, horizon, subject.thresholds, weight=outcome.weight)
        values.append([estimate.value for estimate in found])
    return np.mean(values, axis=0)


def _decision_parts(words: str, name: str, drawn: list[figures.Line]) -> list[Table | Figure | Text]:
    at = drawn[0].x
    frame = pd.DataFrame({"Threshold": at})
    for line in drawn:
        if line.low is None:
            frame[line.name] = line.y
        else:
            frame[line.name] = [within(*three) for three in zip(line.y, line.low, line.high, strict=True)]
    best = [max(drawn, key=lambda line, k=k: line.y[k]) for k in range(len(at))]
    alt = f"Net benefit for the event {words}. " + " ".join(
        f"At {t:g} the highest is that of {line.name}, {line.y[k]:.4f}."
        for k, (t, line) in enumerate(zip(at, best, strict=True))
    )

    models = [line.y.min() for line in drawn if not line.name.startswith("treat")]
    bottom = min(0.0, *models) - DEPTH * max(line.y.max() for line in drawn)  # treating all may fall far below

    def draw(figure) -> None:
        figures.lines(figure, drawn, "threshold probability", "net benefit", bottom=bottom)

    note = (
        "Net benefit: true positives less false positives, these times the odds of the threshold, per patient; mean "
        "over folds, 95 % intervals. A model is worth using where it lies above treating all and treating none."
    )
    table = Table(
        name,
        f"Net benefit {words}",
        frame,
        note,
        {"Threshold": "g"} | dict.fromkeys(("treat all", "treat none"), ".3f"),
    )
    return [Figure(name, f"Decision curve {words}", alt, draw), table]


def _spread(subject: Subject, models: list[str], horizon: float, grid: np.ndarray) -> list[Table | Figure]:
    """Return how predictions are spread in each outcome group."""
    edges, panels, rows = np.linspace(0, 1, BINS + 1), [], []
    words = f"by {horizon:g} {subject.data.unit}"
    for model in models:
        counts, middle = _by_group(subject, model, horizon, grid, edges)
        if counts is None:
            continue
        shares = {name: count / max(1, count.sum()) for name, count in zip(GROUPS[:2], counts, strict=False)}
        panels.append((model, edges, shares))
        for name, each in zip(GROUPS, middle, strict=True):
            rows.append({"Model": model, "Group": name, **each})
    if not panels:
        return []
    alt = f"Histograms of the probability predicted {words}. " + " ".join(
        f"{row['Model']}, {row['Group']}: half of the rows have between {row['25 %']:.2f} and {row['75 %']:.2f}."
        for row in rows
        if row["Group"] != GROUPS[2] and row["Rows"]
    )

    def draw(figure) -> None:
        figures.distributions(figure, panels, words)

    note = (
        "Rows are those of all folds, so that a patient counts as often as it is tested. Censored rows are not drawn."
    )
    name = f"risk-distribution-{horizon:g}"
    formats = {"Rows": ",d", **dict.fromkeys(("25 %", "Median", "75 %"), ".3f")}
    counts = {"Rows": ("25 %", "Median", "75 %")}
    title = f"Predicted probabilities {words} by outcome"
    return [
        Figure(name, title, alt, draw, note, figures.grid_size(len(panels), 2.2)),
        Table(name, title, pd.DataFrame(rows), note, formats, counts),
    ]


def _by_group(
    subject: Subject, model: str, horizon: float, grid: np.ndarray, edges: np.ndarray
) -> tuple[list[np.ndarray] | None, list[dict[str, Any]]]:
    """Return the histogram of each outcome group, and its rows and quartiles, over all fits."""
    found: list[list[np.ndarray]] = [[], [], []]
    for tested in tested_of(subject, model, grid):
        try:
            p = tested.probability(horizon).astype(np.float32)
        except InputError:
            return None, []
        time, event = tested.outcome.time, tested.outcome.event == 1
        early = (time <= horizon) & event
        for rows, where in zip(found, (early, ~early & (time >= horizon), ~early & (time < horizon)), strict=True):
            rows.append(p[where])
    groups = [np.concatenate(rows) for rows in found]
    counts = [np.histogram(p, edges)[0] for p in groups]
    counts = [np.where(count < subject.min_cell, 0, count) for count in counts]
    quartiles = [np.quantile(p, [0.25, 0.5, 0.75]) if len(p) else np.full(3, np.nan) for p in groups]
    middle = [
        {"Rows": len(p), **dict(zip(("25 %", "Median", "75 %"), map(_cell, q), strict=True))}
        for p, q in zip(groups, quartiles, strict=True)
    ]
    return counts, middle


def _cell(value: float) -> float | str:
    return "" if np.isnan(value) else float(value)
