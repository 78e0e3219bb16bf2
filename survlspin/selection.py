"""Which factors a model selects: how often, how alike over folds, and for each patient how many of its fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from .fit_record import Fit
from .folds import Fold
from .stability import jaccard, nogueira

__all__ = ["agreement_of", "frequency_of", "stability_of"]

BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)  # of each byte


def agreement_of(fits: Sequence[Fit], folds: Mapping[str, Fold], n: int) -> pd.DataFrame:
    """Return for each of n rows how many fits list it (``models``), and how many of these use each factor."""
    names = _factors(fits)
    counts = np.zeros((n, len(names)), dtype=np.min_scalar_type(len(fits)))
    models = np.zeros(n, dtype=counts.dtype)
    for fit in fits:
        rows = folds[fit.fold].listed
        models[rows] += 1
        counts[np.ix_(rows, [names.index(name) for name in fit.share])] += fit.used_at(fit.chosen)
    table = pd.DataFrame(counts, columns=names)
    table.insert(0, "models", models, allow_duplicates=True)
    return table


def frequency_of(fits: Sequence[Fit]) -> pd.DataFrame:
    """Return one row per factor: the folds that use it for half of their training patients or more, and of how many;
    and the mean share of patients."""
    shares = _shares(fits)
    return pd.DataFrame({"folds": (shares >= 0.5).sum(), "of": len(shares), "share": shares.mean()})


def stability_of(fits: Sequence[Fit], folds: Mapping[str, Fold], n: int) -> dict[str, float]:
    """Return the stability over folds of what a model selects, as `Runs.stability` says."""
    sets = (_shares(fits) >= 0.5).to_numpy()
    found = nogueira(sets)
    return {
        "folds": len(sets),
        "nogueira": found.value,
        "nogueira_low": found.low,
        "nogueira_high": found.high,
        "jaccard": jaccard(sets),
        "patient_jaccard": _patient_jaccard(fits, folds, n),
    }


def _factors(fits: Iterable[Fit]) -> list:
    """Return the factors of all fits: a fold may lack some, where a column is constant."""
    return list(dict.fromkeys(name for fit in sorted(fits, key=lambda fit: -fit.share.shape[1]) for name in fit.share))


def _shares(fits: Sequence[Fit]) -> pd.DataFrame:
    """Return the share of training patients that use each factor, a row per fold; the mean over its seeds."""
    shares = pd.DataFrame([fit.share.iloc[fit.chosen] for fit in fits], columns=_factors(fits)).fillna(0.0)
    return shares.groupby([fit.fold for fit in fits], sort=False).mean()


def _patient_jaccard(fits: Sequence[Fit], folds: Mapping[str, Fold], n: int) -> float:
    """Return Jaccard's index of the sets that models of two folds list for one row: mean over pairs, then over rows."""
    names = _factors(fits)
    listed = np.zeros((len(fits), n), dtype=bool)
    used = np.zeros((len(fits), n, -(-len(names) // 8)), dtype=np.uint8)
    for i, fit in enumerate(fits):
        rows = folds[fit.fold].listed
        listed[i, rows] = True
        cells = np.zeros((len(rows), len(names)), dtype=bool)
        cells[:, [names.index(name) for name in fit.share]] = fit.used_at(fit.chosen)
        used[i, rows] = np.packbits(cells, axis=-1)
    total, pairs = np.zeros(n), np.zeros(n, dtype=int)
    for a, b in combinations(range(len(fits)), 2):
        if fits[a].fold == fits[b].fold:
            continue
        rows = np.flatnonzero(listed[a] & listed[b])
        both, either = (
            BITS[cells].sum(axis=-1) for cells in (used[a, rows] & used[b, rows], used[a, rows] | used[b, rows])
        )
        some = either > 0
        total[rows[some]] += both[some] / either[some]
        pairs[rows[some]] += 1
    return float(np.mean(total[pairs > 0] / pairs[pairs > 0])) if pairs.any() else float("nan")
