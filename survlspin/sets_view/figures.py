"""Figures of sets: which there are, their sizes, factors by group, and a map of gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from survlspin.factor_plots import BETTER, INK, POOLED, _wrap
from survlspin.factors import FactorTable
from survlspin.metrics.interpretability import set_sizes

from .used import factor_frequency, frequent_sets, gates_of, used_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["frequency_map", "gate_map", "size_bars", "upset"]

CELL, ABOVE, BESIDE = 0.3, 2.0, 1.6  # inches: of a row or column of dots, of the bars above them and beside them


def upset(table: FactorTable | pd.DataFrame, top: int = 15, least: int = 1) -> Figure:
    """UpSet plot: how many patients share each set (above), what is in it (dots), how often each factor is listed.

    Parameters
    ----------
    table : FactorTable, or bool DataFrame (n, G)
    top : int
        Sets shown, the most frequent ones.
    least : int
        Sets of fewer patients are not shown.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        SL-662 where there is nothing to show; SL-617.

    References
    ----------
    Lex, Gehlenborg, Strobelt, Vuillemot, Pfister (2014), UpSet: visualization of intersecting sets, IEEE Transactions
    on Visualization and Computer Graphics 20, 1983-1992.
    """
    from matplotlib.figure import Figure

    used = used_of(table)
    sets, n = frequent_sets(used, top, least)
    often = used.mean().sort_values(ascending=False, kind="stable")
    often = often[[name for name in often.index if sets[name].any()]]
    columns, rows = len(sets), max(len(often), 1)
    figure = Figure(figsize=(BESIDE + 3 + CELL * columns, 0.8 + ABOVE + CELL * rows), layout="constrained", dpi=150)
    shape = {"width_ratios": [BESIDE, max(CELL * columns, 1)], "height_ratios": [ABOVE, CELL * rows]}
    (corner, above), (left, dots) = figure.subplots(2, 2, gridspec_kw=shape)
    _set_bars(above, n, len(used), corner)
    left.barh(range(len(often)), 100 * often, 0.7, color=POOLED)
    left.set(xlim=(100, 0), xlabel="% of patients")
    left.set_yticks([])
    _dots(dots, sets[often.index].to_numpy())
    dots.set_yticks(range(len(often)), [_wrap(str(name)) for name in often.index], parse_math=False)
    for axes in (left, dots):
        axes.set_ylim(rows - 0.5, -0.5)
        axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def size_bars(table: FactorTable | pd.DataFrame) -> Figure:
    """Bars of how many patients have 0, 1, 2, ... factors: the distribution of `metrics.interpretability.set_sizes`.

    Raises
    ------
    InputError
        SL-662, SL-617, as in `used_of`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    sizes = set_sizes(used_of(table))
    figure = Figure(figsize=(max(4.5, 1 + 0.45 * len(sizes)), 3), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.bar(sizes.index, 100 * sizes["share"], 0.8, color=BETTER)
    for at, row in sizes[sizes["rows"] > 0].iterrows():
        _above(axes, at, 100 * row["share"], _percent(100 * row["share"]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="factors listed for the patient", ylabel=f"% of {sizes['rows'].sum():,} patients")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def frequency_map(table: FactorTable | pd.DataFrame, groups, top: int = 20) -> Figure:
    """The shares of `factor_frequency` as a map, of the `top` most frequent factors; its errors."""
    from matplotlib.figure import Figure

    share = factor_frequency(table, groups).head(top)
    size = 2.6 + 0.75 * share.shape[1], 1.1 + CELL * len(share)
    figure = Figure(figsize=size, layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.imshow(100 * share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), cell in np.ndenumerate(share.to_numpy()):
        ink = "white" if cell > 0.6 else INK
        axes.text(column, row, f"{100 * cell:.0f}", ha="center", va="center", fontsize=8, color=ink)
    names = [f"{_wrap(name)}\nn = {n:,}" for name, n in share.columns]
    axes.set_xticks(range(len(names)), names, parse_math=False, fontsize=8)
    axes.set_yticks(range(len(share)), [_wrap(str(name)) for name in share.index], parse_math=False)
    axes.tick_params(length=0, top=False, bottom=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("% of the group's patients for whom the factor is listed")
    return figure


def gate_map(table: FactorTable, most: int = 500) -> Figure:
    """Cluster heat map of gates: a line per patient, a column per factor, like beside like.

    Parameters
    ----------
    table : FactorTable
    most : int
        Patients drawn; of more, so many at random, the same ones each time.

    Returns
    -------
    matplotlib.figure.Figure
        Patients have no names in it, but each is a line: it is not for everybody's eyes.

    Raises
    ------
    InputError
        SL-662 without a patient; SL-663 where no factor has a gate.

    Notes
    -----
    Rows and columns are in the order of average linkage of Euclidean distances.
    """
    from matplotlib.figure import Figure
    from scipy.cluster.hierarchy import dendrogram, leaves_list

    gates = gates_of(table, most)
    patients, factors = _linkage(gates), _linkage(gates.T)
    rows = np.arange(len(gates)) if patients is None else leaves_list(patients)
    figure = Figure(figsize=(2.5 + 0.35 * gates.shape[1], 6), layout="constrained", dpi=150)
    tree, axes = figure.subplots(2, 1, gridspec_kw={"height_ratios": [1, 7]})
    tree.axis("off")
    columns = np.arange(gates.shape[1])
    if factors is not None:
        columns = dendrogram(factors, ax=tree, no_labels=True, color_threshold=0, above_threshold_color=INK)["leaves"]
    shown = axes.imshow(
        gates.to_numpy()[np.ix_(rows, columns)], "Blues", aspect="auto", interpolation="nearest", vmin=0, vmax=1
    )
    names = [_wrap(str(gates.columns[j])) for j in columns]
    axes.set_xticks(range(len(names)), names, rotation=90, parse_math=False, fontsize=8)
    axes.set_yticks([])
    drawn = f"{len(gates):,} patients" + (f", drawn at random from {len(table):,}" if len(table) > len(gates) else "")
    axes.set_ylabel(drawn)
    figure.colorbar(shown, ax=axes, label="gate, mean over members", shrink=0.6)
    return figure


def _set_bars(axes: Axes, n: np.ndarray, patients: int, corner: Axes) -> None:
    """Draw how many patients share each set; how many are in none of them is written in the corner."""
    share = 100 * n / patients
    axes.bar(range(len(n)), share, 0.7, color=BETTER)
    for at, part in enumerate(share):
        _above(axes, at, part, _percent(part))
    axes.set(xlim=(-0.6, len(n) - 0.4), ylabel="% of patients")
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    corner.axis("off")
    rest = patients - n.sum()
    words = f"{patients:,} patients\n{len(n)} set{'s' * (len(n) > 1)} shown" + (
        f"\n{rest:,} patients\nhave others" if rest else ""
    )
    corner.text(0, 0.9, words, va="top", fontsize=9, transform=corner.transAxes)


def _dots(axes: Axes, sets: np.ndarray) -> None:
    """Draw what is in each set, a column of dots each."""
    at, factor = np.nonzero(np.ones_like(sets))
    axes.scatter(at, factor, s=36, color=np.where(sets[at, factor], INK, "#e2e2e2"), zorder=2)
    for column, row in enumerate(sets):
        if row.any():
            axes.vlines(column, *np.flatnonzero(row)[[0, -1]], color=INK, lw=1.6, zorder=1)
    axes.set_xlim(-0.6, len(sets) - 0.4)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)


def _linkage(rows: pd.DataFrame) -> np.ndarray | None:
    from scipy.cluster.hierarchy import linkage

    return linkage(rows.to_numpy(), "average") if len(rows) > 1 else None


def _percent(part: float) -> str:
    return f"{part:.0f}" if part >= 1 else "<1"


def _above(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=8)
