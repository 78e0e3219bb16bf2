"""The figures of the report: intervals, lines over time, calibration, distributions; direct labels, few inks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from .drawing import COLORS, GREY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Line",
    "Panel",
    "bars",
    "calibration",
    "distributions",
    "grid_size",
    "heat",
    "instability",
    "intervals",
    "lines",
]

ROOM = 0.06  # of the height of the axes, that a direct label takes
BANDS = 3  # lines, above which only the first has a band
MARKS = "os^"  # the eighth model has the ink of the first, and another mark
WIDE = 6  # from which ratio of its ends on an axis has labels at 1, 2, 5, 10
FEW = 30  # points of a line, below which each is marked
COLUMNS = 3  # panels beside each other


@dataclass(frozen=True, eq=False)
class Line:
    """A line of one model, with its band where it has one.

    Attributes
    ----------
    name : str
    x, y : arrays (k,)
    low, high : arrays (k,), optional
    thin : bool
        A single fold's.
    ink : str, optional
        Of what is no model; dashed.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    thin: bool = False
    ink: str | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """What one model shows in a grid of panels.

    Attributes
    ----------
    title : str
    lines : list of Line
        Thin ones of the folds, then their mean.
    edges, share : arrays (k + 1,), (k,)
        Of a histogram under the panel.
    """

    title: str
    lines: Sequence[Line]
    edges: np.ndarray
    share: np.ndarray


def color_of(i: int) -> str:
    """Return the i-th ink."""
    return COLORS[i % len(COLORS)]


def grid_size(n: int, height: float = 2.6) -> tuple[float, float]:
    """Return the size in inches of a figure of n panels."""
    return 7.2, 0.5 + height * -(-n // COLUMNS)


def intervals(
    figure: Figure,
    labels: Sequence[str],
    rows: np.ndarray,
    axis: str,
    at: float | None = None,
    sign: bool = False,
    ratio: bool = False,
) -> None:
    """Draw an estimate with its interval for each label, the first on top.

    Parameters
    ----------
    figure : Figure
    labels : list of str (k,)
    rows : array (k, 3)
        Value and limits; a row of nan is written as undefined.
    axis : str
    at : float, optional
        A value to compare with.
    sign : bool
        Write "+" before numbers above 0.
    ratio : bool
        Draw on a logarithmic scale.
    """
    axes = figure.subplots()
    y = np.arange(len(labels))
    rows = np.asarray(rows, dtype=float)
    if at is not None:
        axes.axvline(at, color=GREY, lw=0.9, ls="--", zorder=0)
    known = ~np.isnan(rows[:, 0])
    axes.hlines(y[known], rows[known, 1], rows[known, 2], color=COLORS[0], lw=2)
    axes.plot(rows[known, 0], y[known], "o", color=COLORS[0], ms=6)
    for k in y[known]:
        _note(axes, rows[k, 0], k, f"{rows[k, 0]:{'+' if sign else ''}.3f}", above=True)
    for k in y[~known]:
        axes.annotate("undefined", (0.02, k), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.set_yticks(y, labels, parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(axis)
    if ratio:
        _logarithmic(axes, rows[rows > 0])


def lines(
    figure: Figure, drawn: Sequence[Line], x: str, y: str, level: float | None = None, bottom: float | None = None
) -> None:
    """Draw one line for each model, labelled at its end; a diamond for a lone point; nothing below `bottom`."""
    axes = figure.subplots()
    if level is not None:
        axes.axhline(level, color=GREY, lw=0.9, ls="--", zorder=0)
    for i, line in enumerate(drawn):
        ink, mark = line.ink or color_of(i), MARKS[i // len(COLORS) % len(MARKS)]
        if line.low is not None and (i == 0 or len(drawn) <= BANDS):
            axes.fill_between(line.x, line.low, line.high, color=ink, alpha=0.10, lw=0)
        alone = len(line.x) == 1
        style = "D" if alone else f"{mark}-" if line.ink is None else "--"
        axes.plot(line.x, line.y, style, color=ink, ms=5 if alone else 3.5 * (len(line.x) < FEW))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if bottom is not None:
        axes.set_ylim(bottom=bottom)
    _label_ends(axes, drawn)


def calibration(figure: Figure, panels: Sequence[Panel], words: str) -> None:
    """Draw what was observed against what was predicted: folds thin, their mean bold, the predictions below."""
    top = max(
        (np.nanmax(np.concatenate([line.x, line.y])) for p in panels for line in p.lines if len(line.x)), default=1
    )
    top = min(1.0, 1.05 * top)
    for axes, panel in zip(_panels(figure, [panel.title for panel in panels]), panels, strict=True):
        axes.plot([0, top], [0, top], color=GREY, lw=0.9, ls="--", zorder=0)
        for line in panel.lines:
            axes.plot(line.x, line.y, color=COLORS[0], lw=0.6 if line.thin else 2.2, alpha=0.45 if line.thin else 1.0)
        _below(axes, panel, top)
        axes.set(xlim=(0, top), ylim=(-0.22 * top, top))
        axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
    figure.supxlabel(f"predicted probability {words}", fontsize=9)
    figure.supylabel("observed", fontsize=9)


def distributions(
    figure: Figure, panels: Sequence[tuple[str, np.ndarray, Mapping[str, np.ndarray]]], words: str
) -> None:
    """Draw how predictions are spread in each outcome group.

    Parameters
    ----------
    figure : Figure
    panels : list of (title, edges (k + 1,), group -> share in each bin (k,))
    words : str
        When.
    """
    for axes, (_, edges, groups) in zip(_panels(figure, [title for title, *_ in panels]), panels, strict=True):
        for i, (name, share) in enumerate(groups.items()):
            axes.stairs(100 * share, edges, color=color_of(i), fill=True, alpha=0.25, lw=0)
            axes.stairs(100 * share, edges, color=color_of(i), lw=1.4)
            axes.annotate(
                name, (0.99, 0.98 - 0.1 * i), xycoords="axes fraction", color=color_of(i), fontsize=7.5, ha="right",
                va="top",
            )  # fmt: skip
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, None)
    figure.supxlabel(f"predicted probability {words}", fontsize=9)
    figure.supylabel("% of the group", fontsize=9)


def instability(figure: Figure, panels: Sequence[tuple[str, np.ndarray]], words: str) -> None:
    """Draw between which limits the fits predict for patients of one mean prediction.

    Parameters
    ----------
    figure : Figure
    panels : list of (title, array (k, 6))
        Mean prediction, and the 2.5, 10, 50, 90 and 97.5 percentiles of the single fits' predictions.
    words : str
    """
    top = max((np.nanmax(rows) for _, rows in panels if len(rows)), default=1.0)
    for axes, (_, rows) in zip(_panels(figure, [title for title, _ in panels]), panels, strict=True):
        axes.plot([0, top], [0, top], color=GREY, lw=0.9, ls="--", zorder=0)
        if len(rows):
            axes.fill_between(rows[:, 0], rows[:, 1], rows[:, 5], color=COLORS[0], alpha=0.18, lw=0)
            axes.fill_between(rows[:, 0], rows[:, 2], rows[:, 4], color=COLORS[0], alpha=0.35, lw=0)
            axes.plot(rows[:, 0], rows[:, 3], color=COLORS[0], lw=1.4)
        axes.set(xlim=(0, top), ylim=(0, top))
    figure.supxlabel(f"mean over fits of the predicted probability {words}", fontsize=9)
    figure.supylabel("of a single fit", fontsize=9)


def bars(
    figure: Figure, labels: Sequence[str], values: np.ndarray, axis: str, texts: Sequence[str], room: float = 1.25
) -> None:
    """Draw a bar for each label, the first on top, with its text at its end; axes `room` times as long as the bars."""
    axes = figure.subplots()
    y = np.arange(len(labels))
    axes.barh(y, values, 0.72, color=COLORS[0])
    for k, text in enumerate(texts):
        _note(axes, values[k], k, text)
    axes.set_yticks(y, labels, parse_math=False, fontsize=8)
    axes.set_ylim(len(labels) - 0.5, -0.6)
    axes.set_xlim(0, room * max(float(np.max(values, initial=0)), 1e-9))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(axis)


def heat(figure: Figure, table: pd.DataFrame) -> None:
    """Draw shares from 0 to 1 as squares: a row for each index label, a column for each column; nothing for NaN."""
    axes = figure.subplots()
    axes.grid(False)
    rows, columns = table.shape
    for i in range(rows):
        for j in range(columns):
            if np.isnan(share := float(table.iat[i, j])):
                continue
            axes.bar(j, 0.88, 0.96, bottom=i - 0.44, color=COLORS[0], alpha=0.75 * share, lw=0)
            axes.annotate(f"{100 * share:.0f}", (j, i), ha="center", va="center", fontsize=8)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks(np.arange(rows), [str(name) for name in table.index], parse_math=False, fontsize=8)
    axes.set_xticks(
        np.arange(columns), [_folded(str(name), 14) for name in table.columns], parse_math=False, fontsize=8
    )
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)


def _logarithmic(axes: Axes, shown: np.ndarray) -> None:
    """Make the x axis logarithmic, with a few round labels."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    wide = len(shown) > 0 and shown.max() / shown.min() > WIDE
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(6))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()


def _panels(figure: Figure, titles: Sequence[str]) -> list[Axes]:
    """Return one axes for each title, in rows of `COLUMNS`."""
    n = len(titles)
    rows, columns = -(-n // COLUMNS), min(n, COLUMNS)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[n:]:
        axes.remove()
    for axes, title in zip(grid, titles, strict=False):
        axes.set_title(_folded(title), fontsize=9, loc="left", parse_math=False)
        axes.tick_params(labelsize=8)
    return list(grid[:n])


def _folded(text: str, width: int = 26) -> str:
    """Return a name in at most two lines."""
    return fill(text, width, max_lines=2, placeholder=" …")


def _below(axes: Axes, panel: Panel, top: float) -> None:
    """Draw the histogram of a panel in the strip below 0."""
    if len(panel.share) and panel.share.max() > 0:
        height = 0.17 * top * panel.share / panel.share.max()
        axes.stairs(-0.21 * top + height, panel.edges, baseline=-0.21 * top, fill=True, color=GREY, lw=0)
    axes.axhline(-0.015 * top, color=GREY, lw=0.5)


def _note(axes: Axes, x: float, y: float, text: str, above: bool = False) -> None:
    offset, ha, va = ((0, 5), "center", "bottom") if above else ((4, 0), "left", "center")
    axes.annotate(text, (x, y), xytext=offset, textcoords="offset points", ha=ha, va=va, fontsize=8, parse_math=False)


def _label_ends(axes: Axes, drawn: Sequence[Line]) -> None:
    """Write each line's name beside its last point, moved apart where they would overlap."""
    last, (low, high) = [], axes.get_ylim()
    for i, line in enumerate(drawn):
        known = np.flatnonzero(~np.isnan(line.y))
        if len(known):
            x, y = float(line.x[known[-1]]), float(line.y[known[-1]])
            last.append((max(low, y), x, line.name, line.ink or color_of(i)))
    if not last:
        return
    last.sort(key=lambda end: end[0])
    room = ROOM * (high - low)
    place = _apart([end[0] for end in last], room)
    right = axes.get_xlim()[1]
    for at, (y, x, name, ink) in zip(place, last, strict=True):
        lead = {"arrowstyle": "-", "color": ink, "lw": 0.5, "relpos": (0, 0.5)}
        axes.annotate(
            name, (x, y), xytext=(right, at), textcoords="data", color=ink, fontsize=8, va="center",
            annotation_clip=False, parse_math=False, arrowprops=lead,
        )  # fmt: skip


def _apart(values: Sequence[float], room: float) -> np.ndarray:
    """Return ascending values moved as little as needed to be `room` apart."""
    place = np.array(values, dtype=float)
    for _ in range(100):
        gap = np.diff(place)
        close = np.flatnonzero(gap < room * 0.999)
        if not len(close):
            break
        for k in close:
            push = (room - (place[k + 1] - place[k])) / 2
            place[k] -= push
            place[k + 1] += push
    return place
