"""The definitions of C in use, side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from survlspin.metrics.antolini import antolini, of_columns
from survlspin.metrics.concordance import concordance, uno
from survlspin.metrics.inputs import predicted, rows_of

__all__ = ["definitions"]


def definitions(time, event, risk, tau=None, *, survival=None, times=None, weight=None) -> pd.DataFrame:
    """C by every definition in use, of the same predictions.

    Sparse models tie patients, and registries tie times: then C is mostly a matter of how ties are counted.

    Parameters
    ----------
    time, event, risk, weight
        As in `concordance`.
    tau : float, optional
        Pairs whose early event is after `tau` are left out, by every definition. Uno's C is given only with it.
    survival : array (n, K), optional
        Predicted survival curves at `times` (K,), for Antolini's C. Without, that of curves ordered as `risk`, which
        never cross, as those of proportional hazards.

    Returns
    -------
    DataFrame
        One row per definition: ``definition``, ``C``, ``se``, ``low``, ``high`` (95 %) and ``tied``, the share of
        comparable pairs with equal predictions.

    Raises
    ------
    InputError
        As in `concordance` and `antolini`.

    References
    ----------
    The C-index multiverse (2025), arXiv 2508.14821.
    """
    rows = rows_of(time, event, weight=weight)
    found = [concordance(time, event, risk, weight=weight, tau=tau, ties=ties) for ties in ("half", "dropped")]
    if tau is not None:
        found.append(uno(time, event, risk, tau, weight=weight))
    for adjusted in (False, True):
        if survival is None:
            starts, columns = np.array([-np.inf]), [-predicted("risk", risk, rows.n)]
            found.append(of_columns(rows, starts, columns, tau, adjusted))
        else:
            found.append(antolini(time, event, survival, times, weight=weight, tau=tau, adjusted=adjusted))
    lines = []
    for estimate in found:
        pairs = estimate.counts.sum()[:3]
        tied = pairs["tied.x"] / pairs.sum() if pairs.sum() > 0 else float("nan")
        line = (
            estimate.definition.partition("; 95%")[0],
            estimate.value,
            estimate.se,
            estimate.low,
            estimate.high,
            tied,
        )
        lines.append(line)
    return pd.DataFrame(lines, columns=["definition", "C", "se", "low", "high", "tied"])
