"""How many patients share each set of factors."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from survlspin.tables import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SetTable"]

SETS = ("set_key", "n", "share", "cumulative")


class SetTable:
    """How many patients share each set of factors.

    Parameters
    ----------
    counts : dict
        Set, as sorted names joined by " + ", to its number of patients.

    Attributes
    ----------
    frame : DataFrame
        ``set_key``, ``n``, ``share`` of all patients and ``cumulative`` share; most frequent first.

    Examples
    --------
    >>> SetTable({"age": 1, "age + nodes": 3}).frame["share"].tolist()
    [0.75, 0.25]
    """

    def __init__(self, counts: dict[str, int]):
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        self.frame = pd.DataFrame(ordered, columns=list(SETS[:2])).astype({"n": np.int64})
        self.frame["share"] = self.frame["n"] / self.frame["n"].sum()
        self.frame["cumulative"] = self.frame["n"].cumsum() / self.frame["n"].sum()

    def to_csv(self, path: str | Path) -> None:
        """Write the table; escaping and errors as for :meth:`FactorTable.to_csv`."""
        write_csv([self.frame], path, SETS)

    def plot(self, top: int = 12) -> "Figure":
        """Bars of the `top` most frequent sets; the rest are one bar."""
        from survlspin.factor_plots import set_bars

        return set_bars(self.frame, top)
