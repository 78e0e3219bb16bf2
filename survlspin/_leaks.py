"""Predictors that give the outcome away, and labels of rows among them."""

import warnings

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from survlspin._columns import each, read
from survlspin._messages import listed
from survlspin.design import _table
from survlspin.errors import InputWarning
from survlspin.outcome import Outcome

__all__ = ["check_leaks"]


def check_leaks(X, outcome: Outcome) -> None:
    """Warn of predictors that give the outcome away, and of row numbers among the predictors.

    Parameters
    ----------
    X : DataFrame or array (n, variables)
        Predictors that `Design.fit` accepts.
    outcome : Outcome

    Warns
    -----
    InputWarning
        SL-215 for columns that split the patients exactly by event, or rank the patients with an event by their time
        (rank correlation beyond 0.999, on at most 5,000 of them). SL-216 for whole numbers or text of which no two
        patients (of 50 or more) have the same.
    """
    table, _ = _table(X)
    died = np.flatnonzero(outcome.event)
    died = died[np.linspace(0, len(died) - 1, min(len(died), 5000)).astype(int)]
    rank = rankdata(outcome.time[died])
    leaks, labels = [], []

    def look(name: str, series: pd.Series) -> None:
        cells = read(series)
        codes = cells if isinstance(cells, np.ndarray) else cells.cat.codes.to_numpy()
        if _is_event(codes, outcome.event) or (codes is cells and _ranked_as(cells[died], rank)):
            leaks.append(name)
        elif len(codes) >= 50 and _is_label(series, codes):
            labels.append(name)

    each(table.items(), look)
    if leaks:
        found = f"{listed(map(repr, leaks))} give the outcome away: they follow the event or its time exactly."
        warnings.warn(InputWarning("SL-215", found, "Leave them out, unless they were known at time 0."), stacklevel=3)
    if labels:
        found = f"{listed(map(repr, labels))} differ between all patients, as patient numbers do."
        warnings.warn(InputWarning("SL-216", found, "Leave them out if they measure nothing."), stacklevel=3)


def _is_event(codes: np.ndarray, event: np.ndarray) -> bool:
    as_first = event == event[0]
    alone = as_first.sum() == 1  # the first patient then differs from all others in any measurement
    return not (alone or as_first.all()) and np.array_equal(codes == codes[0], as_first)


def _ranked_as(cells: np.ndarray, rank: np.ndarray) -> bool:
    if len(rank) < 10 or np.ptp(cells) == 0 or np.ptp(rank) == 0:
        return False
    return abs(np.corrcoef(rankdata(cells), rank)[0, 1]) > 0.999


def _is_label(series: pd.Series, codes: np.ndarray) -> bool:
    if series.dtype.kind == "f" and (np.ptp(codes) != len(codes) - 1 or (codes != np.rint(codes)).any()):
        return False  # measurements may well differ, but only row numbers are whole and leave no gap
    return bool(series.iloc[:1000].is_unique and series.is_unique)
