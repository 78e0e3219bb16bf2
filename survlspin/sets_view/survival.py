"""How patients fare by their set of factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from survlspin.curve import COLORS
from survlspin.errors import InputError
from survlspin.factor_plots import INK, POOLED, _wrap
from survlspin.factors import FactorTable
from survlspin.nonparametric import SurvivalCurves, kaplan_meier
from survlspin.outcome import Outcome

from .used import OTHERS, frequent_sets, names_of, used_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["set_survival"]

TICKS = 7  # of time, at most


def set_survival(
    table: FactorTable | pd.DataFrame, y, top: int = 4, least: int = 20, unit: str = "time units"
) -> Figure:
    """Kaplan-Meier curves of patients by their set, with 95 % bands and the numbers at risk.

    Parameters
    ----------
    table : FactorTable, or bool DataFrame (n, G)
    y : outcome of the same n patients
    top : int
        Sets drawn, the most frequent ones; the patients of all others are one curve.
    least : int
        Sets of fewer patients are among the others; if these are fewer, they are left out.
    unit : str
        Of the times.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        SL-661 where there is not one outcome per patient; SL-662 where no set has `least` patients; SL-617.

    Notes
    -----
    That curves differ does not show that patients need different factors: sets go with what the patients are.
    """
    used, outcome = used_of(table), Outcome.of(y)
    if len(outcome.time) != len(used):
        raise InputError("SL-661", f"{len(outcome.time)} outcomes for {len(used)} patients.", "Give one per patient.")
    names = names_of(used, frequent_sets(used, top, least)[0])
    names = names.where(names.isin(names.value_counts().loc[lambda n: n >= least].index))
    kept, order = names.notna().to_numpy(), [name for name in names.value_counts().index if name != OTHERS]
    order += [OTHERS] * bool((names == OTHERS).any())
    rows = {"weight": outcome.weight, "entry": outcome.entry}
    rows = {name: value if value is None else value[kept] for name, value in rows.items()}
    curves = kaplan_meier(outcome.time[kept], outcome.event[kept] == 1, stratum=names[kept].to_numpy(), **rows)
    return _drawn(curves, order, unit)


def _drawn(curves: SurvivalCurves, order: list[str], unit: str) -> Figure:
    """Draw survival curves, and under them how many are at risk."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    labels = [_wrap(name) for name in order]
    colors = [POOLED if name == OTHERS else COLORS[i % len(COLORS)] for i, name in enumerate(order)]
    lines = sum(1 + label.count("\n") for label in labels)
    figure = Figure(figsize=(7.5, 4 + 0.2 * lines), layout="constrained", dpi=150)
    axes, risk = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.4, 0.22 * lines + 0.1]})
    last = curves.frame["time"].max()
    times = MaxNLocator(TICKS, steps=[1, 2, 2.5, 5, 6, 10]).tick_values(0, last)
    times = times[times <= last]
    tables = [each.assign(stratum=order[0]) if len(order) == 1 else each for each in (curves.frame, curves.at(times))]
    for i, (name, color) in enumerate(zip(order, colors, strict=True)):
        own, counts = (each[each["stratum"] == name] for each in tables)
        _step(axes, own, color)
        for time, n in zip(times, counts["n_risk"], strict=True):
            risk.text(time, i, f"{n:,.0f}", ha="center", va="center", fontsize=8, color=INK)
    axes.set(ylim=(0, 102), ylabel="no event yet, %", xlabel=f"time, {unit}", xticks=times)
    axes.tick_params(labelbottom=True)
    axes.spines[["top", "right"]].set_visible(False)
    _rows(risk, labels, colors)
    return figure


def _step(axes: Axes, curve: pd.DataFrame, color: str) -> None:
    """Draw a curve with its band, from 1 at time 0."""
    time = np.append(0.0, curve["time"])
    survival, low, high = (100 * np.append(1.0, curve[name]) for name in ("survival", "lower", "upper"))
    axes.step(time, survival, where="post", color=color, lw=1.8)
    axes.fill_between(time, low, high, step="post", color=color, alpha=0.13, lw=0)


def _rows(risk: Axes, labels: list[str], colors: list[str]) -> None:
    """Name the rows of numbers at risk in the colours of their curves."""
    risk.set_yticks(range(len(labels)), labels, parse_math=False, fontsize=8)
    for label, color in zip(risk.get_yticklabels(), colors, strict=True):
        label.set_color(INK if color == POOLED else color)
    risk.set_ylim(len(labels) - 0.4, -0.6)
    risk.set_title("at risk", loc="left", fontsize=8)
    risk.tick_params(length=0, labelbottom=False)
    risk.spines[:].set_visible(False)
