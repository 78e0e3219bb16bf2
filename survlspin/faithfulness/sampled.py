"""The card of the rows at hand, which goes with every export: of a sample of them, and as far as they tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import InputError
from ..metrics.interpretability import leakage
from .card import COLUMNS, Card, Known, Line, card, leakage_lines, placed

__all__ = ["EACH", "SAMPLE", "TRAINING", "few", "looked_at", "moved_rows", "sample_of", "sampled_card", "unmeasured"]

SAMPLE = 2000  # rows that a card is of, at most
TRAINING = 20_000  # rows on which a predictor is learnt anew, at most
EACH = 20_000  # rows of which each is looked at, at most
FEWEST = 30  # rows from which values can be redrawn
MISSED = " Not all could be measured: "
SHARES = ("leakage.share", "leakage.strata", "probes")  # of patients
MEASURES = (
    "C", "leakage.share", "leakage.size", "sufficiency", "comprehensiveness", "C.mask_only", "C.masked_refit", "probes",
    "stability.members", "stability.folds", "redundant",
)  # fmt: skip


def sample_of(n: int, most: int | None = None) -> np.ndarray:
    """Return the places of the rows that a card is of, the same each time; `most` are 2,000."""
    most = SAMPLE if most is None else most
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def looked_at(n: int, seen: bool | np.ndarray = False) -> np.ndarray:
    """Return the places of the rows that a card is of, up to 2,000 of n: if 30 or more are not `seen`, of these."""
    rows, own = (np.flatnonzero(np.broadcast_to(which, n)) for which in (~np.asarray(seen), seen))
    rows = own if len(own) and len(rows) < FEWEST else rows
    return rows[sample_of(len(rows))]


def sampled_card(
    model, X, y=None, *, train=None, strata=None, seen: bool | np.ndarray = False, counted: bool = True,
    known: Known | None = None,
) -> Card:  # fmt: skip
    """Return the faithfulness card of a fitted model on up to 2,000 of the rows at hand.

    What cannot be known is nan, and its definition says why; nothing is raised for it.

    Parameters
    ----------
    model : fitted estimator
    X : DataFrame (n, variables)
    y : structured array (n,), optional
        The rows' outcomes.
    train : (X, y), optional
        The rows that the model was fitted to; of more than 20,000 a sample is used. By default those of `X` that were
        `seen`, where the card is of others.
    strata : array (n,) of labels, optional
        As in `card`.
    seen : bool or bool array (n,)
        Whether the model was made from `X`, or from which rows. Where it was made from some, the card is of the others,
        if they are 30 or more.
    counted : bool
        Whether the card says how many rows there are.
    known : mapping, optional
        As in `card`.

    Returns
    -------
    Card
        Its ``leakage`` is None where that is not known.
    """
    seen = np.broadcast_to(seen, len(X))
    rows = looked_at(len(X), seen)
    own = bool(seen[rows].any())
    if train is None and y is not None and seen.any() and not own:
        train = X.loc[seen], y[seen]
    said = " that the model was made from, which flatters its C" if own else " that the model was not made from"
    note = f"Faithfulness card, {_whose(int((seen == own).sum()), counted)}{said * bool(seen.any())}."
    X, y, strata = X.iloc[rows], None if y is None else y[rows], None if strata is None else np.asarray(strata)[rows]
    if len(X) < FEWEST:
        return _partial(model, X, f"fewer than {FEWEST} rows, too few to redraw values from", note, known)
    if train is not None and len(train[0]) > TRAINING:
        kept = sample_of(len(train[0]), TRAINING)
        train = train[0].iloc[kept], train[1][kept]
        note += f" What is learnt anew is learnt on a sample of {TRAINING:,} training rows."
    why = ""
    for trained, outcome in [(train, y)] * (train is not None) + [(None, y)] * (y is not None) + [(None, None)]:
        try:
            found = card(model, *(trained or (None, None)), X, outcome, strata=strata, known=known)
        except InputError as error:
            why = why or error.found.rstrip(".")
        else:
            return replace(found, note=f"{note}{MISSED}{why}." if why else note)
    return _partial(model, X, why, note, known)


def moved_rows(model, X, known: Card) -> np.ndarray | None:
    """Return of up to 20,000 rows which predictions rest on factors that are not listed, bool (n,); else None."""
    if known.leakage is None or len(X) > EACH:
        return None
    return known.moved if len(known.moved) == len(X) else leakage(model, X).moved


def _whose(n: int, counted: bool) -> str:
    if not counted:
        return f"of up to {SAMPLE:,} rows"
    return f"of {n:,} row{'' if n == 1 else 's'}" if n <= SAMPLE else f"of a sample of {SAMPLE:,} of {n:,} rows"


def _partial(model, X, why: str, note: str, known: Known | None) -> Card:
    """Return a card of what leaks, if that can be known, on which all else is not."""
    if len(X) < FEWEST or not hasattr(model, "design_"):
        return unmeasured(why, note, known)
    try:
        leaks = leakage(model, X)
    except InputError as error:
        return unmeasured(error.found.rstrip("."), note, known)
    lines = list(leakage_lines(leaks, np.asarray(model.predict(X))))
    return replace(unmeasured(why, note, {**{line[0]: [line] for line in lines}, **(known or {})}), leakage=leaks)


def unmeasured(why: str, note: str, known: Known | None = None) -> Card:
    """Return a card on which nothing is measured but what is known, and which says why."""
    lines: list[Line] = [(name, float("nan"), f"not known: {why}") for name in MEASURES]
    return Card(pd.DataFrame(placed(lines, known), columns=COLUMNS), None, None, note)


def few(measure: str, value: float, n: int, least: int) -> bool:
    """Return whether a measure is a share of n patients that stands for 1 to ``least - 1``, or for all but so few."""
    if measure not in SHARES or np.isnan(value):
        return False
    count = round(value * n)
    return any(0 < part < least for part in (count, n - count))
