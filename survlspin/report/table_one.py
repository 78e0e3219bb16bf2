"""Table 1: who the patients are, development and evaluation side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from survlspin.design import Design, Variable

from .parts import Table, hidden_counts

__all__ = ["difference", "is_number", "scaled", "table_one"]

NOTE = (
    "Numbers: mean (standard deviation); median (quartiles). Categories: patients or rows (per cent). {smd}Missing: "
    "cells without a value."
)
SMD = (
    "SMD: standardised mean difference, of categories over all levels at once (Yang, Dalton 2012); more than 0.1 is "
    "usually worth a word. "
)


def table_one(groups: Mapping[str, pd.DataFrame], design: Design, counts: pd.DataFrame, least: int = 0) -> Table:
    """Return Table 1.

    Parameters
    ----------
    groups : dict
        Heading -> the predictors of its rows; two at most.
    design : Design
        Says which columns there are, and which of them are numbers.
    counts : DataFrame
        Its rows, with one column for each group, begin the table.
    least : int
        The smallest count that is shown.
    """
    rows = [[name, "", *counts.loc[name], "", ""] for name in counts.index]
    for variable in design.variables:
        columns = [frame[variable.name] for frame in groups.values()]
        missing = sum(int(column.isna().sum()) for column in columns)
        smd = difference(*columns) if len(columns) == 2 else None
        if is_number(pd.concat(columns)):
            rows.append([variable.name, "", *(_numbers(column) for column in columns), smd, missing])
            continue
        levels = list(variable.levels) if variable.levels is not None else sorted(set(columns[0].dropna()))
        cells = [_shares(column, levels, least) for column in columns]
        for i, level in enumerate(levels):
            rest = (smd, missing) if i == 0 else ("", "")
            rows.append([variable.name, str(level), *(cell[i] for cell in cells), *rest])
    frame = pd.DataFrame(rows, columns=["variable", "level", *groups, "SMD", "missing"])
    if len(groups) == 1:
        frame = frame.drop(columns="SMD")
    note = NOTE.format(smd=SMD if len(groups) == 2 else "")
    return Table("table_one", "Table 1. Patients", frame, note, {"SMD": ".2f"})


def is_number(column: pd.Series) -> bool:
    """Return whether a column is described by mean and quartiles; one of two values is a flag, whatever they are."""
    return types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype) and column.nunique() > 2


def difference(one: pd.Series, other: pd.Series) -> float:
    """Return the standardised mean difference of a variable between two groups; never negative.

    References
    ----------
    Yang, Dalton (2012), A unified approach to measuring the effect size between two groups using SAS, SAS Global Forum,
    paper 335.

    Examples
    --------
    >>> round(difference(pd.Series([1.0, 2, 3]), pd.Series([2.0, 3, 4])), 3)
    1.0
    """
    if is_number(pd.concat([one, other])):
        pair = [column.dropna().to_numpy(dtype=float) for column in (one, other)]
        gap = np.atleast_1d(pair[0].mean() - pair[1].mean())
        spread = np.atleast_2d(np.mean([part.var(ddof=1) for part in pair]))
    else:
        shares = [column.astype(str).value_counts(normalize=True) for column in (one, other)]
        first, second = (frame.to_numpy() for frame in shares[0].align(shares[1], fill_value=0.0))
        gap = (first - second)[1:]
        spread = np.mean([np.diag(share[1:]) - np.outer(share[1:], share[1:]) for share in (first, second)], axis=0)
    return float(np.sqrt(max(0.0, gap @ np.linalg.pinv(spread) @ gap)))


def scaled(name: str, variable: Variable, digits: str) -> str:
    """Return in words how a number becomes a column: it is centred and scaled."""
    sign = "-" if variable.center >= 0 else "+"
    return f"({name} {sign} {abs(variable.center):{digits}}) / {variable.scale:{digits}}"


def _numbers(column: pd.Series) -> str:
    values = column.dropna().to_numpy(dtype=float)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{values.mean():.4g} ({values.std(ddof=1):.3g}); {middle:.4g} ({low:.4g} to {high:.4g})"


def _shares(column: pd.Series, levels: Sequence, least: int) -> list[str]:
    counts = np.array([int((column == level).sum()) for level in levels])
    hidden = hidden_counts(counts, least)
    cells = (f"{n:,} ({n / max(1, counts.sum()):.1%})" for n in counts)
    small = (counts > 0) & (counts < least)
    return [f"<{least}" if s else "hidden" if h else cell for cell, h, s in zip(cells, hidden, small, strict=True)]
