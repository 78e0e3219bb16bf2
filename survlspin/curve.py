"""C-index against the number of factors or columns used, as a table and as a figure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import pandas as pd

from .errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COUNTS", "Curve", "check_count", "save_figure"]

AXES = {
    "median": "Factors used per patient (median)",
    "mean": "Factors used per patient (mean)",
    "union": "Factors used for at least one patient",
    "median_columns": "Columns used per patient (median)",
    "mean_columns": "Columns used per patient (mean)",
    "union_columns": "Columns used for at least one patient",
}
COUNTS = tuple(AXES)
"""The ways to count what a model uses: per patient (median or mean over patients) or by any patient (union), a category
as one factor or as the columns that code it."""
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
MARKERS = "osD^vPXh*"  # more than colors: model 8 does not look like model 1
WATERMARK = {"fontsize": 48, "color": "0.85", "rotation": 25, "zorder": 0}
APART = 0.025  # of the width, between points that would hide each other
CAPTION = (
    "Lines: C with at most so many. Open markers: the penalty that was chosen. Bands and bars: 95 % intervals of each "
    "C;\nall models are tested on the same patients, so that differences between them are known better than these: see "
    "the table."
)


@dataclass(frozen=True, eq=False)
class Curve:
    """C against the number of factors used.

    Attributes
    ----------
    frame : DataFrame
        ``model``; ``kind``, "path" (C at `count` factors or fewer, see `Runs.at_counts`) or "chosen" (the model as
        validation rows left it, at the mean over folds of its count); ``by``, what ``count`` is: one of
        `COUNTS`; ``C``, the mean over folds, with ``se`` and 95 % limits ``low`` and ``high``.
    points : DataFrame
        Every point of every path of every fold.
    attrs : dict
        The definitions of C, of its intervals, and the protocol; ``partial`` where fits are missing.
    """

    frame: pd.DataFrame
    points: pd.DataFrame
    attrs: dict[str, str]

    def plot(self, ax: Axes | None = None, x: str = "median") -> Figure:
        """Draw C against the number of factors.

        A path is a line with its 95 % band, and the point that validation rows chose is marked on it; a model without
        a path is a point at its own count, with its 95 % interval and a dotted level to compare with. Where fits are
        missing, "unfinished" is written across.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a new figure, made without pyplot.
        x : str
            What to count: "median", "mean" or "union" of the factors used for patients, or "median_columns",
            "mean_columns", "union_columns", where each column that codes a category counts.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        InputError
            SL-466 for another `x`.
        """
        check_count("x", x)
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            figure = Figure(figsize=(7.2, 4.4), layout="constrained")
            ax = figure.add_subplot()
            names = ("C", "interval", "protocol", "partial")
            note = "\n".join([CAPTION, *(fill(self.attrs[name], 150) for name in names if name in self.attrs)])
            figure.supxlabel(note, x=0.01, ha="left", ma="left", fontsize=6.5, color="0.35")
        rows = self.frame[self.frame["by"] == x]
        self._draw(ax, rows)
        ax.set(xlabel=AXES[x], ylabel="C-index on test patients", xlim=(0, rows["count"].max() * 1.08 + 0.2))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="0.92", linewidth=0.6)
        ax.set_axisbelow(True)
        if "partial" in self.attrs:
            ax.text(0.5, 0.5, "unfinished", transform=ax.transAxes, ha="center", va="center", **WATERMARK)
        return ax.figure

    def save(self, folder: str | Path) -> list[Path]:
        """Write curve.csv, curve.png and curve.svg; return the paths."""
        paths = [Path(folder) / f"curve.{kind}" for kind in ("csv", "png", "svg")]
        self.frame.to_csv(paths[0], index=False)
        figure = self.plot()
        for path in paths[1:]:
            save_figure(figure, path)
        return paths

    def _draw(self, ax: Axes, rows: pd.DataFrame) -> None:
        place = _apart(rows[rows["kind"] == "chosen"].set_index("model")["count"])
        styles = zip(cycle(COLORS), cycle(MARKERS), strict=False)
        handles: list = []
        for (name, model), (color, marker) in zip(rows.groupby("model", sort=False), styles, strict=False):
            path, own = model[model["kind"] == "path"], model[model["kind"] == "chosen"].iloc[0]
            if len(path):
                ax.fill_between(path["count"], path["low"], path["high"], color=color, alpha=0.06, linewidth=0)
                for limit in ("low", "high"):
                    ax.plot(path["count"], path[limit], color=color, lw=0.7, alpha=0.6)
                handles += ax.plot(
                    path["count"],
                    path["C"],
                    color=color,
                    marker=marker,
                    ms=4,
                    lw=1.6,
                    label=name,
                    markevery=-(-len(path) // 15),
                )
                ax.plot(own["count"], own["C"], color=color, marker=marker, ms=8, mfc="white", mew=1.6, zorder=3)
            else:
                ax.axhline(own["C"], color=color, linestyle=":", linewidth=0.9)
                reach = [[own["C"] - own["low"]], [own["high"] - own["C"]]]
                bar = ax.errorbar(
                    place[name], own["C"], reach, fmt=marker, color=color, label=name, ms=7, capsize=2.5, elinewidth=1
                )
                handles.append(bar)
        ax.legend(handles=handles, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)


def check_count(parameter: str, name: str) -> None:
    """Refuse what is none of `COUNTS` (SL-466)."""
    if name not in COUNTS:
        raise InputError("SL-466", f"{parameter}={name!r}.", f"Use one of {', '.join(COUNTS)}.")


def _apart(count: pd.Series) -> pd.Series:
    """Move points of equal count a little apart."""
    same = count.groupby(count.round(2))
    return count + (same.cumcount() - (same.transform("size") - 1) / 2) * APART * count.max()


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the path's ending says, the same bytes every time."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "survlspin"}):  # else the names within an SVG file are drawn anew
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)
