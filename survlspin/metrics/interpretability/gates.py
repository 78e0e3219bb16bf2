"""What gates and sets of factors look like: open and closed shares, sizes, and how they differ between groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..._messages import rows as rows_text
from ...errors import InputError
from ...stability import jaccard

__all__ = ["Diversity", "counts_per_patient", "diversity", "gate_statistics", "set_sizes"]

HALF = 0.5


def gate_statistics(gates) -> pd.Series:
    """Return the shares of gates that are closed, between and open, as in Table A.1 of the LSPIN paper.

    Parameters
    ----------
    gates : array or DataFrame (n, G)
        Each row's gate of each factor, 0 to 1; of an ensemble the mean over members, which lies between wherever
        members disagree.

    Returns
    -------
    Series
        ``closed`` (exactly 0), ``between``, ``open`` (exactly 1), shares of all n x G gates that add up to 1; ``mean``.

    Raises
    ------
    InputError
        SL-617 for values that are no gates.

    Notes
    -----
    Gates that are 0 or 1 say that the choice is sharp, not that it is right.

    Examples
    --------
    >>> gate_statistics([[0, 1], [0.5, 0]]).to_dict()
    {'closed': 0.5, 'between': 0.25, 'open': 0.25, 'mean': 0.375}
    """
    cells = np.asarray(gates, dtype=np.float64)
    if cells.ndim != 2 or not cells.size or not ((cells >= 0) & (cells <= 1)).all():
        raise InputError(
            "SL-617", f"gates as an array of shape {cells.shape}.", "Give a row of gates, 0 to 1, per row."
        )
    closed, opened = (cells == 0).mean(), (cells == 1).mean()
    return pd.Series(
        {"closed": closed, "between": ((cells > 0) & (cells < 1)).mean(), "open": opened, "mean": cells.mean()}
    )


def counts_per_patient(used) -> pd.Series:
    """Return how many factors a row uses, as in Tables A.4 and A.5 of the LSPIN paper.

    Parameters
    ----------
    used : bool array or DataFrame (n, G)

    Returns
    -------
    Series
        Over rows ``median``, ``mean``, ``least``, ``most``, ``q1`` and ``q3``; ``union``, the factors used for any
        row, ``core``, those used for every row; ``sets``, how many different sets there are.

    Raises
    ------
    InputError
        SL-617 for anything but a table of true and false.

    Notes
    -----
    A model whose gates see every factor can depend on factors that are not among those counted.

    Examples
    --------
    >>> counts_per_patient([[1, 0, 0], [1, 1, 0]])[["median", "union", "core"]].to_dict()
    {'median': 1.5, 'union': 2.0, 'core': 1.0}
    """
    cells = sets_of(used)
    size = cells.sum(axis=1)
    first, median, third = np.quantile(size, [0.25, 0.5, 0.75])
    found = {"median": median, "mean": size.mean(), "least": size.min(), "q1": first, "q3": third, "most": size.max()}
    over = {"union": cells.any(axis=0).sum(), "core": cells.all(axis=0).sum(), "sets": len(np.unique(cells, axis=0))}
    return pd.Series({**found, **over}, dtype=np.float64)


def set_sizes(used) -> pd.DataFrame:
    """Return how many rows use 0, 1, 2, ... factors: ``rows`` and ``share`` by ``factors``; arguments as above.

    Examples
    --------
    >>> set_sizes([[1, 0, 0], [1, 1, 0]])["rows"].tolist()
    [0, 1, 1]
    """
    rows = np.bincount(sets_of(used).sum(axis=1))
    frame = pd.DataFrame({"rows": rows, "share": rows / rows.sum()})
    return frame.rename_axis("factors")


@dataclass(frozen=True, eq=False)
class Diversity:
    """How different the factors are that groups of rows use.

    Attributes
    ----------
    value : float
        1 less the mean over pairs of groups of Jaccard's index of their sets; a group's set holds the factors used for
        half of its rows or more. 1: nothing in common. nan where there are no two groups with a factor.
    between, within : float
        1 less the mean of Jaccard's index over pairs of rows, of two groups and of one; pairs of empty sets left out.
    sets : bool DataFrame (groups, G)
    definition : str
    """

    value: float
    between: float
    within: float
    sets: pd.DataFrame
    definition: str


def diversity(used, groups, *, share: float = HALF) -> Diversity:
    """Return how different the factors are that groups of rows use, by Jaccard's index.

    Parameters
    ----------
    used : bool array or DataFrame (n, G)
    groups : array (n,)
        The group of each row, as a class or a subtype.
    share : float
        A group's set holds the factors used for this share of its rows or more.

    Returns
    -------
    Diversity
        Exact: pairs of rows are counted by their sets, all of them.

    Raises
    ------
    InputError
        SL-617 for lengths that differ, a missing group, or anything but a table of true and false.

    Notes
    -----
    It does not show that the groups need different factors: a model that chooses at random is diverse, too. Compare
    ``between`` with ``within``.

    Examples
    --------
    >>> found = diversity([[1, 1, 0], [1, 1, 0], [0, 1, 1]], ["a", "a", "b"])
    >>> round(found.value, 3), round(found.between, 3), found.within
    (0.667, 0.667, 0.0)
    """
    cells = sets_of(used)
    labels = np.asarray(groups)
    if labels.shape != (len(cells),):
        raise InputError("SL-617", f"{len(cells)} rows, and groups of shape {labels.shape}.", "Give each row's group.")
    group, names = pd.factorize(labels, sort=True)
    if (group < 0).any():
        raise InputError("SL-617", f"no group in {rows_text(group < 0)}.", "Give each row's group, or drop such rows.")
    table = pd.DataFrame(cells, columns=getattr(used, "columns", None)).groupby(group).mean() >= share
    table.index = pd.Index(names)
    kinds, kind = np.unique(cells, axis=0, return_inverse=True)
    count = np.zeros((len(kinds), len(names)))
    np.add.at(count, (kind.ravel(), group), 1)
    both = kinds.astype(np.float64) @ kinds.T.astype(np.float64)
    size = np.diag(both)
    either = size[:, None] + size - both
    alike = np.divide(both, either, out=np.full(both.shape, np.nan), where=either > 0)
    total = np.outer(count.sum(axis=1), count.sum(axis=1)) - np.diag(count.sum(axis=1))  # ordered pairs of rows
    same = count @ count.T - np.diag(count.sum(axis=1))
    value = 1 - jaccard(table) if len(table) else float("nan")
    why = "" if np.isfinite(value) else "; undefined: there are no two groups with a factor"
    words = f"1 - mean Jaccard index over pairs of {len(names)} groups of the factors used for {share:g} of their rows"
    return Diversity(value, 1 - _mean(alike, total - same), 1 - _mean(alike, same), table, words + why)


def sets_of(used) -> np.ndarray:
    """Return sets (n, G) as bool (SL-617)."""
    cells = np.asarray(used)
    if cells.ndim != 2 or not cells.size or cells.dtype.kind not in "biuf" or not np.isin(cells, (0, 1)).all():
        found = f"sets as an array of shape {cells.shape}."
        raise InputError("SL-617", found, "Give a row of true and false per row.")
    return cells.astype(bool)


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted mean of the values that there are."""
    weight = np.where(np.isnan(values), 0, weight)
    return float((np.nan_to_num(values) * weight).sum() / weight.sum()) if weight.any() else float("nan")
