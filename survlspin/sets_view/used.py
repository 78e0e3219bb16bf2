"""Which factors are listed for whom, how often, and which sets are the most frequent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.factors import FactorTable
from survlspin.metrics.interpretability.gates import sets_of

__all__ = ["OTHERS", "factor_frequency", "frequent_sets", "gates_of", "names_of", "used_of"]

OTHERS = "all other sets"


def used_of(table: FactorTable | pd.DataFrame) -> pd.DataFrame:
    """Return which factors are listed for each patient, bool DataFrame (n, G).

    Raises
    ------
    InputError
        SL-617 for anything but a factor table, or a table of true and false; SL-662 without a patient.
    """
    if isinstance(table, FactorTable):
        listed = np.concatenate([block.listed for block in table.explanations()])
        table = pd.DataFrame(listed, columns=list(table.factors))
    if not len(table):
        raise InputError("SL-662", "no patients.", "Give one row per patient.")
    return pd.DataFrame(sets_of(table), columns=list(table.columns) if isinstance(table, pd.DataFrame) else None)


def factor_frequency(table: FactorTable | pd.DataFrame, groups) -> pd.DataFrame:
    """Return the share of each group's patients for whom a factor is listed, the most frequent factor first.

    Parameters
    ----------
    table : FactorTable, or bool DataFrame (n, G)
    groups : array (n,)
        Each patient's subgroup; missing is a group of its own.

    Returns
    -------
    DataFrame (G, groups)
        Named by factor; the columns by group, with the number of patients as second level ``n``.

    Raises
    ------
    InputError
        SL-661 where there is not one group per patient; SL-662, SL-617.

    Examples
    --------
    >>> used = pd.DataFrame({"age": [True, True, False], "nodes": [False, True, False]})
    >>> factor_frequency(used, ["a", "a", "b"]).to_numpy().tolist()
    [[1.0, 0.0], [0.5, 0.0]]
    """
    used = used_of(table)
    names = pd.Series(np.asarray(groups, dtype=object), dtype=object)
    if len(names) != len(used):
        raise InputError("SL-661", f"{len(names)} groups for {len(used)} patients.", "Give each patient's group.")
    names = names.where(names.notna(), "missing").astype(str)
    share = used.groupby(names.to_numpy()).mean().T
    order = used.mean().sort_values(ascending=False, kind="stable").index
    counts = names.value_counts()
    share.columns = pd.MultiIndex.from_tuples([(name, int(counts[name])) for name in share], names=["group", "n"])
    return share.loc[order]


def frequent_sets(used: pd.DataFrame, top: int, least: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the most frequent sets, bool (k, G), and how many patients share each; SL-662 where there is none."""
    cells, n = np.unique(used.to_numpy(), axis=0, return_counts=True)
    order = np.lexsort([*cells.T, -n])  # the most frequent first
    order = order[n[order] >= least][:top]
    if not len(order):
        raise InputError("SL-662", f"no set is that of {least} patients.", "Ask for sets of fewer: least=...")
    return pd.DataFrame(cells[order], columns=used.columns), n[order]


def names_of(used: pd.DataFrame, sets: pd.DataFrame) -> pd.Series:
    """Return the name of each patient's set, or that of all others."""
    texts = [" + ".join(sorted(map(str, sets.columns[row]))) or "(none)" for row in sets.to_numpy()]
    known = pd.Series(texts, index=[row.tobytes() for row in sets.to_numpy()])
    return pd.Series([known.get(row.tobytes(), OTHERS) for row in used.to_numpy()])


def gates_of(table: FactorTable, most: int) -> pd.DataFrame:
    """Return the gates of at most so many patients, without the context, which has none (SL-662, SL-663)."""
    if not len(table):
        raise InputError("SL-662", "no patients.", "Give one row per patient.")
    gated = ~np.asarray(table.context)
    if not gated.any():
        raise InputError("SL-663", "all factors are context, which has no gates.", "Give a model that chooses.")
    drawn = np.sort(np.random.default_rng(0).permutation(len(table))[:most])
    start, parts = 0, []
    for block in table.explanations():
        inside = drawn[(drawn >= start) & (drawn < start + len(block))] - start
        parts.append(block.gate[np.ix_(inside, gated)])
        start += len(block)
    names = [name for name, own in zip(table.factors, gated, strict=True) if own]
    return pd.DataFrame(np.concatenate(parts), columns=names)
