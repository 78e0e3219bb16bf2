"""What is said of single patients: their factors, their curves, what these are compared with, and what to believe."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from survlspin._messages import listed, persons
from survlspin.competing import CauseSpecificModel
from survlspin.errors import InputError, InputWarning
from survlspin.factors import FactorTable
from survlspin.factors.explanation import risk_names
from survlspin.metrics.interpretability.explained import explained, output, variables_used
from survlspin.metrics.interpretability.leakage import mixed
from survlspin.nonparametric import kaplan_meier
from survlspin.outcome import Outcome

if TYPE_CHECKING:
    from survlspin.faithfulness import Card

__all__ = ["ASSOCIATION", "LEAKS", "LONELY", "MOST", "UNEXPLAINED", "Patient", "Portraits", "percent", "portraits"]

MOST = 300
"""Patients on a page, at most."""

POINTS = 101  # of a curve
ASKED = 2000  # patients who make the mean curve and lend values, at most
DRAWS, MOVE = 20, 0.2  # of values that are not listed; on the log-hazard, what counts as a move
FEWEST = 30  # rows from which values can be redrawn
TICKS = 6  # of time, at most
STEPS = {"months": (1, 3, 6, 12, 24, 60, 120, 240)}  # between ticks of time; elsewhere 1, 2, 5, 10, ...

ASSOCIATION = (
    "These are associations in the data that the model learned from, not causes: a hazard ratio does not say what "
    "would happen if the factor were changed."
)
LEAKS = (
    "This patient's list does not tell the whole: with the factors that are not listed redrawn, the prediction moves "
    "by more than 0.2 on the log-hazard in at least half of the draws."
)
LONELY = "The model is a single net, so that nothing is known of how far another fit would agree."
UNEXPLAINED = "The effects of this patient's factors are not known, only that they were used, and their gates."
ADDITIVE = "The factors' hazard ratios multiply to the patient's."
SHAPLEY = (
    "The model is not linear: each hazard ratio is the exact Shapley value of its factor among those listed for the "
    "patient, and they multiply to the patient's."
)
CONTEXT = "The context factors share their main effect by exact Shapley values."
CAUSES = "The event is cause 1 of several, with the others at work: who had another counts as without it."
OTHERS = "Factors that are not listed act, too: they are held at this patient's values."
NONE_LISTED = "No factor is listed: no effect moves this prediction from where it starts."


@dataclass(frozen=True, eq=False)
class Patient:
    """What the model says of one patient.

    Attributes
    ----------
    label : str
    factors : DataFrame
        The patient's rows of the factor table, largest first; `FactorTable.frame`.
    log_hr : float
        The log-risk less that of whom it is against, `Portraits.against`.
    explained : bool
        Whether the effects of all listed factors are known.
    survival, low, high : array (T,)
        Probability of no event by each time; least and largest over the ensemble's members.
    leaks : bool or None
        Whether the prediction moves when factors that are not listed are redrawn; None: not known.
    """

    label: str
    factors: pd.DataFrame
    log_hr: float
    explained: bool
    survival: np.ndarray
    low: np.ndarray
    high: np.ndarray
    leaks: bool | None

    @property
    def remarks(self) -> list[str]:
        """What is to be known of this patient's list, in sentences."""
        said = {NONE_LISTED: not len(self.factors), UNEXPLAINED: not self.explained, LEAKS: bool(self.leaks)}
        return [text for text, holds in said.items() if holds]


@dataclass(frozen=True, eq=False)
class Portraits:
    """What the model says of several patients, and what they are compared with.

    Attributes
    ----------
    patients : tuple of Patient
    times : array (T,)
        Ascending, from 0.
    ticks : array
        Those of `times` at which numbers are written.
    cohort : array (T,)
        Probability of no event in the cohort; nan after its last time.
    compared : str
        What the cohort's curve is.
    unit : str
        Of the times.
    model : str
        What the model is, in a sentence.
    notes : tuple of str
        What its effects are, and how faithful the lists are as far as it is known.
    members : int
    against : str
        Whom the hazard ratios are against: `FactorTable.against`.
    """

    patients: tuple[Patient, ...]
    times: np.ndarray
    ticks: np.ndarray
    cohort: np.ndarray
    compared: str
    unit: str
    model: str
    notes: tuple[str, ...]
    members: int
    against: str


def portraits(
    model: Any, X: pd.DataFrame, patients: Iterable[object] | None = None, *, y=None, unit: str = "time units",
    stratum=None, groups=None, card: Card | None = None,
) -> Portraits:  # fmt: skip
    """Return what a model says of single patients.

    Parameters
    ----------
    model : fitted estimator
        One that has `risk_factors`.
    X : DataFrame (n, variables)
        The cohort, with the patients; they are called as in its index.
    patients : iterable, optional
        Their labels, each one row of X; by default all rows.
    y : outcome, optional
        The cohort's, of any rows; its Kaplan-Meier curve is what patients are compared with. By default, and with
        competing causes, it is the mean prediction for X.
    unit : str
        Of the times.
    stratum : array (n,), optional
        Each row's, where the model was fitted with strata.
    groups : array (n,), optional
        Each row's patient, where one has several rows: so many patients the cohort has.
    card : survlspin.faithfulness.Card, optional
        What is known of how far the model's lists can be believed. Where it is of other rows than X, or not given,
        it is found here whose prediction moves when factors that are not listed are redrawn, from 30 rows on.

    Returns
    -------
    Portraits

    Raises
    ------
    InputError
        SL-681 more than 300 patients, or none; SL-682 a label that is not exactly one row of X; SL-683 a model that
        lists no factors; with the codes of `FactorTable.explanations`.
    """
    if not hasattr(model, "risk_factors"):
        found = f"{type(model).__name__} does not choose factors for each patient."
        raise InputError("SL-683", found, "Name a model that does, as CoxLLSPIN.")
    chosen = _chosen(X, patients)
    strata = None if stratum is None else np.asarray(stratum)
    sample = np.concatenate([chosen, _others(len(X), chosen)])
    times, ticks = _times(model, unit)
    table = model.risk_factors(X.iloc[chosen])
    known = None if card is None else card.moved
    if known is not None and len(known) == len(X):
        moved = known[chosen]
    else:
        moved = _moved(model, X.iloc[sample], len(chosen)) if len(sample) >= FEWEST else None
    own, each = (None if rows is None else np.asarray(rows)[sample] for rows in (strata, groups))
    cohort, compared = _cohort(model, X.iloc[sample], y, times, own, each if y is None else groups)
    told = table.patients(times, stratum=strata if strata is None else strata[chosen])
    notes = {
        ADDITIVE if table.linear else SHAPLEY: True,
        OTHERS: table.others_act,
        CONTEXT: table.context.sum() > 1,
        CAUSES: isinstance(model, CauseSpecificModel),
        LONELY: table.members == 1,
        "" if moved is None else _moving(moved): moved is not None,
        "" if card is None else _carded(card): card,
    }
    return Portraits(
        tuple(_patients(table.frame, told, times, moved)), times, ticks, cohort, compared, unit, _named(model, table),
        tuple(note for note, holds in notes.items() if holds), table.members, table.against,
    )  # fmt: skip


def _chosen(X: pd.DataFrame, patients: Iterable[object] | None) -> np.ndarray:
    """Return the row numbers of the patients (SL-681, SL-682)."""
    labels = X.index.astype(str)
    wanted = labels if patients is None else pd.Index([*dict.fromkeys(map(str, patients))])
    if not 0 < len(wanted) <= MOST:
        remedy = f"Name up to {MOST} of them: patients=[...]."
        raise InputError("SL-681", f"{len(wanted):,} patients, and a page holds 1 to {MOST}.", remedy)
    hits = np.flatnonzero(labels.isin(wanted))
    found = [hits[labels[hits] == label] for label in wanted]
    if wrong := [(i, len(rows)) for i, rows in enumerate(found) if len(rows) != 1]:
        (place, times), n = wrong[0], len(wanted)
        text = f"{len(wrong)} of {n} labels are not of one row each: number {place + 1} is in {times or 'no'} rows."
        remedy = "Name labels of the index, as they are written there; where there are none, numbers of rows from 0."
        raise InputError("SL-682", text, remedy)
    return np.concatenate(found)


def _others(n: int, chosen: np.ndarray) -> np.ndarray:
    """Return other rows of the cohort, the same each time."""
    rest = np.setdiff1d(np.arange(n), chosen)
    few = min(len(rest), ASKED - len(chosen))
    return np.sort(np.random.default_rng(0).choice(rest, few, replace=False))


def _times(model: Any, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of curves, and those of them at which numbers are written."""
    last = float(model.unique_times_[-1])
    steps: Sequence[float] = STEPS.get(unit, [m * 10.0**k for k in range(-6, 9) for m in (1, 2, 5)])
    step = next((step for step in steps if last / step <= TICKS), steps[-1])
    ticks = np.arange(1, last // step + 1) * step
    times = np.unique([float(f"{t:.6g}") for t in (*np.linspace(0, last, POINTS), *ticks)])  # as columns are called
    return times[times <= last], ticks


def _patients(
    factors: pd.DataFrame, told: pd.DataFrame, times: np.ndarray, moved: np.ndarray | None
) -> Iterable[Patient]:
    rows = factors.groupby("patient", sort=False).indices
    above, explained = (told["log_risk"] - told["baseline"]).to_numpy(), told["residual"].notna().to_numpy()
    for i, (label, curves) in enumerate(zip(told["patient"], _survival(told, times), strict=True)):
        own = factors.iloc[rows.get(label, [])].reset_index(drop=True)
        survival, high, low = curves.T
        leaks = None if moved is None else bool(moved[i])
        yield Patient(label, own, float(above[i]), bool(explained[i]), survival, low, high, leaks)


def _cohort(
    model: Any, X: pd.DataFrame, y: Any, times: np.ndarray, stratum: np.ndarray | None, groups: Any
) -> tuple[np.ndarray, str]:
    """Return the cohort's curve at `times`, and what it is."""
    if y is None or isinstance(model, CauseSpecificModel):
        told = model.risk_factors(X).patients(times, stratum=stratum)
        return _survival(told, times)[..., 0].mean(axis=0), f"mean prediction for {_counted(len(X), groups)}"
    outcome = Outcome.of(y)
    curves = kaplan_meier(outcome.time, outcome.event, weight=outcome.weight, entry=outcome.entry)
    known = np.where(times <= outcome.time.max(), curves.at(times)["survival"], np.nan)
    return known, f"Kaplan-Meier curve of {_counted(len(outcome.time), groups)}"


def _counted(n: int, groups: Any) -> str:
    """Return how many patients n rows are, or how many rows, where it is not known of which patients these are."""
    if groups is None:
        return persons(n)
    return persons(pd.unique(np.asarray(groups)).size) if len(groups) == n else f"{n:,} rows"


def _survival(told: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    """Return the probability of no event (n, T, 3) from a table of patients: of the mean, and 1 - least and largest."""
    return 1 - told[risk_names(times)].to_numpy().reshape(len(told), len(times), 3)


def _moved(model: Any, X: pd.DataFrame, n: int) -> np.ndarray:
    """Return whether the predictions for the first n rows leak, bool (n,), as in `leakage`.

    All draws of these rows are asked at once; the rows of X lend them values.
    """
    used = variables_used(model, explained(model, X.iloc[:n]))
    own, pool = np.tile(np.arange(n), DRAWS), np.arange(len(X))
    keep = np.concatenate([used[own], np.ones((len(X), used.shape[1]), dtype=bool)])
    donor = len(own) + np.random.default_rng(0).integers(0, len(X), len(own) + len(X))
    changed = mixed(model, X.iloc[np.concatenate([own, pool])], donor, keep)[: len(own)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # said of the rows themselves
        move = np.linalg.norm(output(model, changed) - output(model, X.iloc[:n])[own], axis=1)
    return (move.reshape(DRAWS, n) > MOVE).mean(axis=0) >= 0.5


def _moving(moved: np.ndarray) -> str:
    """Return in a sentence how many patients' predictions leak."""
    words = f"Faithfulness: patients here whose prediction moves by more than {MOVE:g} on the log-hazard in at least "
    words += (
        f"half of {DRAWS} draws of the factors that are not listed from other patients: {moved.sum()} of {len(moved)}."
    )
    return words


def percent(value: float | None) -> str:
    """Return a probability in whole per cent, 0 and 100 only where it is that exactly; a dash where it is not known."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{'<1' if 0 < value < 0.005 else '>99' if 0.995 < value < 1 else f'{100 * value:.0f}'} %"


def _carded(card: Card) -> str:
    """Return the note and the values of a card."""
    known = card.frame[card.frame["value"].notna()]
    values = "; ".join(f"{row.measure} {row.value:.3g}" for row in known.itertuples())
    return f"{card.note or 'Faithfulness card.'} {values}."


def _named(model: Any, table: FactorTable) -> str:
    """Return what the model is."""
    nets = "one net" if table.members == 1 else f"the mean of {table.members} nets"
    context = [name for name, always in zip(table.factors, table.context, strict=True) if always]
    verb, are = ("chooses", "is") if len(context) == 1 else ("choose", "are")
    words = f" {listed(context)} alone {verb} the others, and {are} always listed." if context else ""
    return f"{type(model).__name__}, {nets}, which chooses among {len(table.factors)} factors.{words}"
