"""The two pictures of risk-factor sets: one patient's waterfall, and how many patients share each set."""

import re
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

__all__ = ["set_bars", "waterfall"]

WORSE, BETTER, INK, POOLED = "#b2402f", "#2f6f9f", "#333333", "#b8b8b8"
LINE, GAP, BAR = 1.0, 0.7, 0.9  # heights of a label's line, of the space between rows and of a bar
WRAP = 46  # characters in a label's line


def waterfall(
    listed: pd.DataFrame, log_hr: float, top: int = 10, kind: str = "additive", against: str = "the reference patient"
) -> Figure:
    """Hazard ratios from the reference down to one patient.

    Parameters
    ----------
    listed : DataFrame
        The patient's rows of a factor table, largest first.
    log_hr : float
        The patient's log-risk less that of the reference.
    top : int
        Factors shown by themselves; the rest are one bar.
    kind : {"additive", "Shapley"}
        What the effects are.
    against : str
        What the reference is.
    """
    labels, steps = _steps(listed, top)
    start = "\n".join(textwrap.wrap(against.removeprefix("the "), WRAP))
    figure, axes, y = _rows([start, *labels, "this patient"])
    edges = np.exp(np.concatenate([[0.0], np.cumsum(steps)]))  # hazard ratio before each bar and after the last
    axes.vlines(edges, y[:-1], y[1:], color=INK, lw=0.8, zorder=0)
    axes.barh(y[1:-1], edges[1:] - edges[:-1], BAR, edges[:-1], color=np.where(steps > 0, WORSE, BETTER))
    for row, step in enumerate(steps):
        _write(axes, max(edges[row : row + 2]), y[row + 1], f"× {np.exp(step):#.3g}")
    for at, ratio in ((y[0], 1.0), (y[-1], np.exp(log_hr))):
        axes.plot(ratio, at, "D", color=INK, ms=6)
        _write(axes, ratio, at, f" {ratio:#.3g}")
    axes.axvline(1, color=INK, lw=0.8, ls=":", zorder=0)
    axes.set_xscale("log")
    low, high = min(edges.min(), 0.95), max(edges.max(), 1.05)
    axes.set_xlim(low / (high / low) ** 0.05, high * (high / low) ** 0.18)
    axes.xaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5) if high / low > 3 else (1, 1.2, 1.5, 2, 3, 4, 5, 6, 7, 8, 9))
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    effects = "" if kind == "additive" else f"{kind} values; "
    axes.set_xlabel(f"hazard ratio against {against}\nlog scale; {effects}association, not cause")
    return figure


def set_bars(frame: pd.DataFrame, top: int = 12) -> Figure:
    """Bars of the `top` most frequent sets with their share; the rest are one bar.

    Parameters
    ----------
    frame : DataFrame
        Columns ``set_key``, ``n`` and ``share``, most frequent first.
    top : int
    """
    shown, rest = frame.iloc[:top], frame.iloc[top:]
    if len(rest):
        name = f"{len(rest):,} other set{'s' * (len(rest) > 1)}"
        others = {"set_key": name, "n": rest["n"].sum(), "share": rest["share"].sum()}
        shown = pd.concat([shown, pd.DataFrame([others])])
    figure, axes, y = _rows(shown["set_key"])
    share = 100 * shown["share"].to_numpy()
    axes.barh(y, share, BAR, color=[BETTER] * min(top, len(frame)) + [POOLED] * bool(len(rest)))
    for at, part, n in zip(y, share, shown["n"], strict=True):
        _write(axes, part, at, f"{part:.1f} %  ({n:,})")
    axes.set_xlim(0, 1.3 * share.max(initial=1e-9))
    axes.set_xlabel(f"share of {frame['n'].sum():,} patients, %")
    return figure


def _steps(listed: pd.DataFrame, top: int) -> tuple[list[str], np.ndarray]:
    """Label and log hazard ratio of each bar."""
    short = listed["value"].str.replace(r"^-?\d+\.\d{5,}$", lambda number: f"{float(number[0]):.6g}", regex=True)
    value = (short + " " + listed["unit"]).str.strip()
    labels = list(listed["factor"] + " = " + value + " (reference " + listed["reference"] + ")")
    steps = listed["log_hr"].to_numpy()
    if (more := len(steps) - top) > 0:
        labels, steps = [*labels[:top], f"{more} more factors"], np.append(steps[:top], steps[top:].sum())
    return labels, steps


def _rows(labels: list[str]) -> tuple[Figure, Axes, np.ndarray]:
    """A figure with one row per label, first on top, as tall as the wrapped labels; and the rows' places."""
    wrapped = [_wrap(label) for label in labels]
    heights = np.array([LINE * (1 + label.count("\n")) + GAP for label in wrapped])
    y = np.cumsum(heights) - heights / 2
    figure = Figure(figsize=(8, 0.8 + 0.19 * heights.sum()), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.set_yticks(y, wrapped, parse_math=False)
    axes.set_ylim(heights.sum() or LINE, 0)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure, axes, y


def _wrap(label: str) -> str:
    """Break a label between its parts ("a + b", "a, b") where they are short, and end it after four lines."""
    parts = (
        p if len(p) > WRAP else p.replace(" ", "\N{NO-BREAK SPACE}") for p in re.split(r"(?<= \+) |(?<=,) ", label)
    )
    return textwrap.fill(" ".join(parts), WRAP, max_lines=4, placeholder=" …")


def _write(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
