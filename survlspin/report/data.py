"""The chapter on the data: flow, Table 1, candidates, follow-up, missing values, sample size."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from survlspin._leaks import check_leaks
from survlspin._messages import listed
from survlspin.cohort.flow import Count
from survlspin.design import Design
from survlspin.errors import InputWarning
from survlspin.outcome import Outcome

from . import follow_up
from .figures import bars
from .parts import Figure, Section, Table, Text
from .sample_size import needed
from .source import Subject
from .table_one import is_number, scaled, table_one

__all__ = ["data_section"]

UNKNOWN = (
    "unknown",
    "missing",
    "not known",
    "not stated",
    "unspecified",
    "blank",
)  # what levels are called that say so


def data_section(subject: Subject) -> Section:
    """Return the chapter: outputs 1 to 6."""
    groups = groups_of(subject)
    outcomes = {name: outcome for name, (_, outcome) in groups.items()}
    whole = subject.kind == "study" and not subject.external  # every row was trained on, in one fold or another
    design = subject.data.design if whole or subject.model is None else subject.model.design_
    size, facts = _sample_size(subject, design)
    parts = [
        *_flow(subject),
        _table_one(subject, groups, design),
        _candidates(subject, design),
        *([Text(tuple(f"{note}." for note in design.notes))] if design.notes else []),
        follow_up.summary(outcomes),
        follow_up.curves(outcomes, subject.data.unit, subject.min_cell),
        follow_up.at_risk(outcomes, subject.min_cell),
        *_missing(subject, design),
        size,
    ]
    lead = (
        "Who the patients are, what was offered to the models, how long they were followed, and whether they suffice."
    )
    return Section("data", "Data", lead, parts, {**_facts(subject, design), **facts})


def groups_of(subject: Subject) -> dict[str, tuple[pd.DataFrame, Outcome]]:
    """Return predictors and outcome of the development and the evaluation rows, or of all where these are the same."""
    data, outcome = subject.data, subject.outcome
    if subject.development is not None:
        made = subject.development
        return {"development": (made.X, made.outcome), "evaluation": (data.X, outcome)}
    [judged, *_] = subject.models[subject.reference]
    apparent = not len(judged.trained) or np.array_equal(judged.trained, judged.rows)
    if apparent or (subject.runs is not None and not subject.external):
        return {"all rows": (data.X, outcome)}
    first = judged.trained if subject.runs is None else np.setdiff1d(np.arange(len(data.X)), judged.rows)
    rows = {"development": first, "evaluation": judged.rows}
    return {name: (data.X.iloc[at], outcome.take(at)) for name, at in rows.items()}


def _flow(subject: Subject) -> list[Table | Figure | Text]:
    """Return the flows that are known: of the cohort, of reading, and into the parts of the study."""
    parts: list[Table | Figure | Text] = []
    boxes: list[tuple[str, Count]] = []
    titles = {"cohort": "Flow of patients into the cohort", "reading": "Rows left out when the file was read"}
    for key, flow in subject.data.flows.items():
        shown = flow.masked(subject.min_cell) if subject.min_cell > 1 else flow
        columns = {"rule": [s.id for s in shown.steps], "excluded unless": [s.text for s in shown.steps]}
        for cell in ("before", "excluded", "after"):
            for part in ("rows", "patients", "events"):
                numbers = [getattr(getattr(step, cell), part) for step in shown.steps]
                columns[f"{part} {cell}"] = pd.array(numbers, dtype="Int64")
        boxes += [(step.id, step.after) for step in shown.steps]
        note = "Empty: hidden, or to be had from a hidden number." if subject.min_cell > 1 else ""
        parts.append(Table(f"flow_{key}", titles[key], pd.DataFrame(columns), note))
    if not parts:
        parts.append(Text(("Reading the data left no row out; what was excluded before is not known here.",)))
    stages = _stages(subject)
    table = pd.DataFrame([{"stage": stage, **vars(count)} for stage, count in stages])
    counts = {"rows": (), "patients": (), "events": ()}
    drawn = _flow_figure([*boxes, *stages], subject.min_cell)
    return [*parts, drawn, Table("flow", "Rows, patients and events", table, counts=counts)]


def _flow_figure(stages: list[tuple[str, Count]], least: int) -> Figure:
    """Return how many patients and events are left after each stage, as bars."""

    def text(count: int | None) -> str:
        return "hidden" if count is None else f"<{least}" if 0 < count < least else f"{count:,}"

    labels = [stage for stage, _ in stages]
    texts = [f"{text(count.patients)} patients, {text(count.events)} events" for _, count in stages]
    known = [0 if count.patients is None or count.patients < least else count.patients for _, count in stages]

    def draw(figure) -> None:
        bars(figure, labels, np.array(known), "patients", texts, room=1.7)

    alt = f"Patients and events, stage by stage. {'; '.join(f'{a}: {b}' for a, b in zip(labels, texts, strict=True))}."
    return Figure("flow", "Flow of patients and events", alt, draw, "", (7.2, 0.9 + 0.36 * len(stages)))


def _stages(subject: Subject) -> list[tuple[str, Count]]:
    def count(rows: np.ndarray) -> Count:
        taken = subject.outcome.take(rows)
        return Count(len(rows), len(np.unique(subject.patient[rows])), taken.n_events)

    judged = [each for fits in subject.models.values() for each in fits]
    tested = np.unique(np.concatenate([each.rows for each in judged]))
    trained = np.unique(np.concatenate([each.trained for each in judged]))
    stages = [("analysed", count(np.arange(len(subject.data.X))))]
    if (made := subject.development) is not None:
        n = len(made.X) if made.groups is None else len(set(made.groups))
        stages.insert(0, ("development: other data", Count(len(made.X), n, made.outcome.n_events)))
    if len(trained):
        stages.append(("trained on by any model", count(trained)))
    return [*stages, ("evaluated by any model", count(tested))]


def _table_one(subject: Subject, groups: dict[str, tuple[pd.DataFrame, Outcome]], design: Design) -> Table:
    counts = pd.DataFrame(
        {name: [f"{len(X):,}", f"{outcome.n_events:,}"] for name, (X, outcome) in groups.items()},
        index=["rows", "events"],
    )
    frames = {name: X for name, (X, _) in groups.items()}
    return table_one(frames, design, counts, subject.min_cell)


def _candidates(subject: Subject, design: Design) -> Table:
    """Return every column that was offered, how it enters, and every one that was left out, and why."""
    rows = []
    X = subject.data.X
    for variable in design.variables:
        number, base = is_number(X[variable.name]), variable.reference
        kind = "number" if number else "flag" if variable.levels is None else "category"
        others = listed((name.split("[", 1)[-1].rstrip("]") for name in variable.columns), 30)
        entered = scaled("x", variable, ".4g") if variable.levels is None else f"against {base}: {others}"
        reference = f"{base:.4g}" if number else str(base)
        rows.append((variable.name, kind, len(variable.columns), reference, entered, "offered"))
    gone = {
        **design.dropped,
        **dict.fromkeys(subject.call.get("options", {}).get("drop") or (), "left out by the user"),
    }
    rows += [(name, "", 0, "", "", why) for name, why in gone.items()]
    names = ["variable", "kind", "columns", "reference", "enters as", "fate"]
    note = "In a study every fold has its own centres and scales, of its training rows; these are of all rows."
    note = note if subject.kind == "study" and not subject.external else ""
    return Table("candidates", "Candidate predictors", pd.DataFrame(rows, columns=names), note)


def _missing(subject: Subject, design: Design) -> list[Table | Text]:
    """Return what became of missing values."""
    X, rows = subject.data.X, []
    for variable in design.variables:
        levels = () if variable.levels is None else variable.levels
        for level in levels:
            if any(word in str(level).lower() for word in UNKNOWN):
                n = int((X[variable.name].astype(str) == str(level)).sum())
                rows.append((variable.name, str(level), n, n / len(X)))
    said = (
        "Missing values: rows with an empty cell in a predictor or in the outcome are refused, naming the column; "
        "nothing is imputed, so that there are none among the rows analysed."
    )
    if not rows:
        return [Text((said, "No level of a category is called unknown or missing."))]
    frame = pd.DataFrame(rows, columns=["variable", "level", "rows", "share"])
    table = Table(
        "unknown", "Levels that say that a value is not known", frame, "They are levels of their own, and kept.",
        {"share": ".1%"}, {"rows": ("share",)},
    )  # fmt: skip
    return [Text((said,)), table]


def _sample_size(subject: Subject, design: Design) -> tuple[Table, dict[str, Any]]:
    """Return events per parameter of what models are trained on, beside the criteria for survival models."""
    made = subject.development
    outcome = subject.outcome if made is None else made.outcome
    [*judged] = subject.models[subject.reference]
    sets = [each.trained for each in judged if len(each.trained)] if made is None else [np.arange(len(outcome))]
    p = len(design.columns)
    start = 0.0 if outcome.entry is None else outcome.entry
    at_risk = float(np.sum(outcome.time - start))
    horizon = subject.horizons[0]
    found = needed(p, max(1, outcome.n_events) / at_risk, at_risk / len(outcome), horizon)
    rows: list[tuple[str, float]] = [
        ("candidate parameters (columns)", p),
        ("needed: predictors shrink by at most 10 %", found.shrinkage),
        ("needed: explained variation is overestimated by at most 0.05", found.optimism),
        (f"needed: risk at {horizon:g} is known within 0.05", found.margin),
    ]
    facts: dict[str, Any] = {"sample.parameters": p, "sample.needed": found.n}
    n, events = np.array([[len(rows), outcome.take(rows).n_events] for rows in sets]).reshape(-1, 2).T
    if len(sets) and (middle := float(np.median(events))) >= subject.min_cell:
        rows = [
            ("training sets", len(sets)),
            ("rows of a training set (median)", float(np.median(n))),
            ("events of a training set (median)", middle),
            ("events per parameter (median)", middle / p),
            *rows,
        ]
        facts |= {"sample.train_n": float(np.median(n)), "sample.train_events": middle, "sample.epp": middle / p}
        facts["sample.enough"] = bool(np.median(n) >= found.n)
    note = (
        "Criteria of Riley et al. (2019), for a linear model that explains 15 % of what could be explained (Cox and "
        f"Snell's R2 of {found.r2:.3f}, at most {found.largest_r2:.3f}): patients needed in each training set. "
        "Nets need more."
    )
    frame = pd.DataFrame(rows, columns=["what", "number"], dtype=object)
    return Table("sample_size", "Sample size", frame, note), facts


def _facts(subject: Subject, design: Design) -> dict[str, Any]:
    data, outcome, options = subject.data, subject.outcome, subject.call.get("options", {})
    manifest, unit = data.manifest, data.unit
    events = manifest.get("outcome", {}).get("events", {})
    numbers, p = sum(variable.levels is None for variable in design.variables), len(design.variables)
    median = follow_up.median(outcome)["time"]
    code = options.get("event_code")
    competing = None
    if code is not None or len(events) > 1:
        competing = "events of other kinds count as censored: probabilities are those in the absence of these"
    return {
        "data.source": Path(data.source).name if Path(data.source).is_file() else data.source,
        "data.n": len(np.unique(subject.patient)),
        "data.rows": len(data.X),
        "data.events": outcome.n_events,
        "data.recipe": manifest.get("recipe"),
        "data.sha256": _digest(data.source) or subject.plan.get("data", {}).get("fingerprint"),
        "data.longest": follow_up.last_known(outcome, subject.min_cell),
        "data.min_cell": subject.min_cell,
        "data.preparation": "Numbers are centred and scaled, categories coded against their most frequent level",
        "outcome.time": options.get("time") or manifest.get("roles", {}).get("time"),
        "outcome.event": options.get("event") or manifest.get("roles", {}).get("event"),
        "outcome.unit": unit,
        "outcome.late_entry": outcome.entry is not None,
        "horizon.words": f"{listed(f'{horizon:g}' for horizon in subject.horizons)} {unit}",
        "horizon.last": f"{subject.horizons[-1]:g} {unit}",
        "thresholds.words": listed(f"{t:g}" for t in subject.thresholds) or None,
        "subgroups.names": listed(subject.subgroups) or None,
        "competing.words": competing,
        "followup.median": None if np.isnan(median) else float(median),
        "predictors.n": p,
        "predictors.leaks": _leaks(subject),
        "predictors.coding": f"{numbers} variables enter as numbers and {p - numbers} as categories, "
        f"{len(design.columns)} columns in all; numbers are centred and scaled, not cut into groups",
        "missing.words": "Rows with missing values are refused, naming the column; nothing is imputed",
    }


def _leaks(subject: Subject) -> str:
    """Return what is found of predictors that give the outcome away."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        check_leaks(subject.data.X, subject.outcome)
    found = [warning.message.found.rstrip(".") for warning in caught if isinstance(warning.message, InputWarning)]
    return "; ".join(found) or "none follows the event or its time exactly, and none numbers the rows"


def _digest(source: str) -> str | None:
    """Return the SHA-256 of the file that data are from, where there is one."""
    path = Path(source)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
