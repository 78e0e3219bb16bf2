"""What the folds of a study say for the card of its method: stability of the lists, and what is made of probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..probes import probe_share
from ..selection import stability_of
from .card import PROBED, Line

if TYPE_CHECKING:
    from ..runs import Runs

__all__ = ["over_folds"]

FOLDS = "stability.folds"
PAIRS = "Jaccard index of two lists of a row, mean over pairs of models of folds that did not train on it, and rows"
SETS = "the sets of factors that folds use for half of their training patients or more"


def over_folds(runs: Runs, model: str) -> dict[str, list[Line]]:
    """Return the lines of a card that a study knows of a model: name of a measure -> the lines in its place.

    Parameters
    ----------
    runs : Runs
    model : str
        Its name there.

    Returns
    -------
    dict
        ``stability.folds``, and, where probes were offered, ``probes``; for `survlspin.faithfulness.card`.
    """
    fits = [fit for fit in runs.fits if fit.model == model]
    found = stability_of(fits, runs.folds, len(runs.patient))
    one = "there is one fold" if found["folds"] < 2 else ""
    few, none = one or "no row is listed by two of them", one or "all sets are empty or full"
    lines = [
        _line(FOLDS, found["patient_jaccard"], PAIRS, few),
        _line(f"{FOLDS}.jaccard", found["jaccard"], f"mean Jaccard index over pairs of {SETS}", none),
        _line(
            f"{FOLDS}.nogueira", found["nogueira"], f"Nogueira's measure of {SETS}: 1 all alike, 0 as by chance", none
        ),
    ]
    if not runs.probes:
        return {FOLDS: lines}
    tables = [pd.DataFrame(fit.used_at(fit.chosen), columns=fit.share.columns) for fit in fits]
    listed = np.mean([probe_share(table, runs.probes).any(axis=1).mean() for table in tables])
    words = f"{PROBED}, of {len(runs.probes)}; mean over the test rows of {len(fits)} fits"
    return {FOLDS: lines, "probes": [("probes", float(listed), words)]}


def _line(name: str, value: float, words: str, why: str) -> Line:
    return name, value, f"{words}; undefined: {why}" if np.isnan(value) else words
