"""The card of the rows at hand, which goes with every export: of a sample of them, and as far as they tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import InputError
from ..metrics.interpretability import Leakage, leakage
from .card import Card, card, leakage_lines

__all__ = ["EACH", "SAMPLE", "moved_rows", "sample_of", "sampled_card"]

SAMPLE = 2000  # rows that a card is of, at most
EACH = 20_000  # rows of which each is looked at, at most
FEWEST = 30  # rows from which values can be redrawn
MISSED = " Not all could be measured: "
MEASURES = (
    "C", "leakage.share", "leakage.size", "sufficiency", "comprehensiveness", "C.mask_only", "C.masked_refit", "probes",
    "stability.members", "stability.folds", "redundant",
)  # fmt: skip


def sample_of(n: int) -> np.ndarray:
    """Return the places of the rows that a card is of, the same each time."""
    return np.arange(n) if n <= SAMPLE else np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))


def sampled_card(model, X, y=None, *, train=None, strata=None, seen: bool = False, counted: bool = True) -> Card:
    """Return the faithfulness card of a fitted model on up to 2,000 of the rows at hand.

    What cannot be known is nan, and its definition says why; nothing is raised for it.

    Parameters
    ----------
    model : fitted estimator
    X : DataFrame (n, variables)
    y : structured array (n,), optional
        The rows' outcomes.
    train : (X, y), optional
        The rows that the model was fitted to.
    strata : array (n,) of labels, optional
        As in `card`.
    seen : bool
        Whether `X` are rows that the model was made from.
    counted : bool
        Whether the card says how many rows there are.

    Returns
    -------
    Card
        Its ``leakage`` is None where that is not known.
    """
    n, rows = len(X), sample_of(len(X))
    X, y, strata = X.iloc[rows], None if y is None else y[rows], None if strata is None else np.asarray(strata)[rows]
    note = f"Faithfulness card, {_whose(n, counted)}{' that the model was made from, which flatters its C' * seen}."
    if n < FEWEST:
        return _partial(model, X, f"fewer than {FEWEST} rows, too few to redraw values from", note)
    why = ""
    for trained, outcome in [(train, y)] * (train is not None) + [(None, y)] * (y is not None) + [(None, None)]:
        try:
            found = card(model, *(trained or (None, None)), X, outcome, strata=strata)
        except InputError as error:
            why = why or error.found.rstrip(".")
        else:
            return replace(found, note=f"{note}{MISSED}{why}." if why else note)
    return _partial(model, X, why, note)


def moved_rows(model, X, known: Card) -> np.ndarray | None:
    """Return of up to 20,000 rows which predictions rest on factors that are not listed, bool (n,); else None."""
    if known.leakage is None or len(X) > EACH:
        return None
    return known.moved if len(X) <= SAMPLE else leakage(model, X).moved


def _whose(n: int, counted: bool) -> str:
    if not counted:
        return f"of up to {SAMPLE:,} rows"
    return f"of {n:,} rows" if n <= SAMPLE else f"of a sample of {SAMPLE:,} of {n:,} rows"


def _partial(model, X, why: str, note: str) -> Card:
    """Return a card of what leaks, if that can be known, on which all else is not."""
    leaks: Leakage | None = None
    lines = []
    if len(X) >= FEWEST and hasattr(model, "design_"):
        try:
            leaks = leakage(model, X)
            lines += leakage_lines(leaks, np.asarray(model.predict(X)))
        except InputError as error:
            why = error.found.rstrip(".")
    known = {line[0] for line in lines}
    lines += [(name, float("nan"), f"not known: {why}") for name in MEASURES if name not in known]
    pairs = pd.DataFrame(columns=["factor", "other", "r", "both", "one"])
    return Card(pd.DataFrame(lines, columns=["measure", "value", "definition"]), leaks, pairs, note)
