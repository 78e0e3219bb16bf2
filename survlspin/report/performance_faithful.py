"""Whether the factors that a model lists for a patient are what its answer rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..faithfulness import Card, over_folds, sampled_card, unmeasured
from ..faithfulness.sampled import few, sample_of
from ..metrics.interpretability import explained, interpretability
from .parts import Section, Table, Text
from .performance_means import UNDEFINED, plain
from .source import Subject, set_apart

__all__ = ["card_of", "faithful"]

SAMPLE = 500  # rows of the measures beside the card
TITLE, ASKED = "Faithfulness", "Is the set of factors that is listed for a patient what the answer rests on?"
UNFITTED = "a study fits a model for use to all its rows when it is finished, and only then"
ALL = "The model lists every factor for every patient that was looked at: nothing is left out."
ELSEWHERE = "C on rows that fits did not train on is under Discrimination. "
NOTE = "None of these numbers shows that a factor matters in nature, or that a patient's set is the right one."
HIDDEN = "; hidden: too few patients, or all but too few"
ON_THE_CARD = "leakage"  # with all that begins so


def card_of(subject: Subject) -> Card:
    """Return the faithfulness card of the subject's model, on rows that it did not train on where there are such."""
    known = None if subject.runs is None else over_folds(subject.runs, subject.reference)
    if subject.model is None:
        return unmeasured(UNFITTED, "What the folds say.", known)
    data, (rows, trained) = subject.data, _rows(subject)
    training = data if subject.development is None else subject.development
    train = None if trained is None else (training.X.iloc[trained], training.y[trained])
    stratum = subject.outcome.stratum
    return sampled_card(
        subject.model,
        data.X.iloc[rows],
        data.y[rows],
        train=train,
        strata=None if stratum is None else stratum[rows],
        seen=_seen(subject),
        known=known,
    )


def _seen(subject: Subject) -> bool:
    """Return whether the model was made from the rows that it is looked at on."""
    judged = subject.models[subject.reference][0]
    return not subject.external if subject.kind == "study" else subject.apparent is judged


def _rows(subject: Subject) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the rows to look at, and those that the model was made from: of the data, or of the development."""
    judged, everyone = subject.models[subject.reference][0].rows, np.arange(len(subject.outcome))
    if subject.kind == "study":
        return (judged, np.setdiff1d(everyone, judged)) if subject.external else (everyone, everyone)
    if subject.apparent is not None:
        return judged, subject.apparent.rows
    return judged, None if subject.development is None else set_apart(subject.development, subject.call)[0]


def faithful(subject: Subject, card: Card) -> Section:
    """Return the section on faithfulness: the card of `card_of`, and what the LSPIN paper measures beside."""
    frame = _shown(card.frame, len(sample_of(len(_rows(subject)[0]))), subject.min_cell)
    title = f"Faithfulness card, {subject.reference if subject.model is None else type(subject.model).__name__}"
    facts: dict[str, Any] = {f"faithfulness.{row.measure}": plain(row.value) for row in frame.itertuples()}
    lead, leaks = ASKED, facts["faithfulness.leakage.share"]
    if leaks:
        facts["faithfulness.leaks"] = share = f"{100 * leaks:.1f} %"
        lead += (
            f" For {share} of patients it is not all: factors that are not listed move their answer, since gates may "
            "look at what they then close."
        )
    elif leaks == 0:
        lead += (
            " With factors that are not listed redrawn nobody's log-hazard moves by more than 0.2 in half of the draws."
        )
    frame = frame.assign(value=frame["value"].astype(object).where(frame["value"].notna(), None))
    frame.columns = ["Measure", "Value", "What it is"]
    note = f"{card.note.replace('Faithfulness card, of', 'Of', 1)} {ELSEWHERE * (subject.runs is not None)}{NOTE}"
    parts: list[Text | Table] = [Table("faithfulness", title, frame, note, open=True, told=True)]
    if subject.model is not None:
        parts.append(_beside(subject, facts))
    return Section("faithfulness", TITLE, lead, parts, facts)


def _shown(frame: pd.DataFrame, n: int, least: int) -> pd.DataFrame:
    """Return the lines of a card, shares of n patients that stand for few of them hidden."""
    small = np.array([few(line.measure, line.value, n, least) for line in frame.itertuples()])
    said = frame["definition"].mask(small, frame["definition"] + HIDDEN)
    return frame.assign(value=frame["value"].mask(small), definition=said)


def _beside(subject: Subject, facts: dict[str, Any]) -> Table | Text:
    """Return the measures of explanations that are not on the card, and keep them as facts."""
    rows = _rows(subject)[0]
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:SAMPLE])
    X, model = subject.data.X.iloc[rows], subject.model
    try:
        if explained(model, X).used.to_numpy().all():
            return Text((ALL,))
        measured = interpretability(model, X, subject.data.y[rows])
    except InputError as error:
        return Text((f"No more was measured: {error.found}",))
    measured = measured[~measured["name"].str.startswith(ON_THE_CARD)]
    facts |= {f"interpretability.{row.name}": plain(row.value) for row in measured.itertuples(index=False)}
    frame = measured.assign(value=measured["value"].astype(object).where(measured["value"].notna(), UNDEFINED))
    frame.columns = ["Measure", "Value", "What it is"]
    note = f"On {len(rows):,} of the same rows."
    return Table("explanations", "Other measures of explanations", frame, note, told=True)
