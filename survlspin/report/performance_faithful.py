"""Whether the factors that a model lists for a patient are what its answer rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..metrics.interpretability import explained, interpretability
from .parts import Section, Table, Text
from .performance_means import UNDEFINED, plain

if TYPE_CHECKING:
    from .source import Subject

__all__ = ["faithful"]

SAMPLE = 500  # rows looked at
TITLE, ASKED = "Faithfulness", "Is the set of factors that is listed for a patient what the answer rests on?"
UNFITTED = "Not measured: a study fits a model for use to all its rows when it is finished, and only then."
ALL = "Not measured: the model lists every factor for every patient that was looked at."
NOTE = "None of these numbers shows that a factor matters in nature, or that a patient's set is the right one."


def faithful(subject: Subject) -> Section:
    """Return the section on faithfulness."""
    model = subject.model
    own = subject.kind == "study" and not subject.external  # it was made from all rows
    rows = np.arange(len(subject.outcome)) if own else subject.models[subject.reference][0].rows
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:SAMPLE])
    X = subject.data.X.iloc[rows]
    try:
        if model is None or explained(model, X).used.to_numpy().all():
            return Section("faithfulness", TITLE, ASKED, [Text((UNFITTED if model is None else ALL,))])
        measured = interpretability(model, X, subject.data.y[rows])
    except InputError as error:
        return Section("faithfulness", TITLE, ASKED, [Text((f"Not measured: {error.found}",))])
    values = dict(zip(measured["name"], measured["value"], strict=True))
    facts: dict[str, Any] = {f"interpretability.{name}": plain(value) for name, value in values.items()}
    lead = ASKED
    if np.isfinite(leaks := values.get("leakage", np.nan)):
        lead += (
            f" For {100 * leaks:.0f} % of patients it is not all: factors that are not listed move their answer, since "
            "gates may look at what they then close."
        )
    frame = measured.assign(value=measured["value"].astype(object).where(measured["value"].notna(), UNDEFINED))
    frame.columns = ["Measure", "Value", "What it is"]
    where = "the rows that the model was made from" if own else "the rows it is judged on"
    title, note = f"Measures of explanations, {type(model).__name__}", f"On {len(rows):,} of {where}. {NOTE}"
    return Section("faithfulness", TITLE, lead, [Table("faithfulness", title, frame, note)], facts)
