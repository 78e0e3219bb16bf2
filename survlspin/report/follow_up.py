"""How long patients were followed: curves of the event and of censoring, numbers at risk, tied times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from survlspin.nonparametric import StepCurve, censoring_curve, follow_up, product_limit
from survlspin.outcome import Outcome

from .drawing import COLORS, GREY
from .parts import Figure, Table, shown

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["at_risk", "curves", "reporting_times", "summary"]

POINTS = 120  # at which curves are drawn: exact times are single patients'
TIMES = 8  # of tables, about


def reporting_times(last: float, steps: int = TIMES) -> np.ndarray:
    """Return about so many round times from 0 to the last one.

    Examples
    --------
    >>> reporting_times(2659.0)
    array([   0.,  500., 1000., 1500., 2000., 2500.])
    """
    ticks = np.asarray(MaxNLocator(steps, steps=[1, 2, 2.5, 5, 6, 10]).tick_values(0, last))
    return np.minimum(ticks, last)[(ticks >= 0) & (ticks <= last * (1 + 1e-9))]


def median(outcome: Outcome) -> pd.Series:
    """Return the median follow-up by the reverse Kaplan-Meier method: ``time``, ``lower``, ``upper``."""
    return follow_up(outcome.time, outcome.event, weight=outcome.weight, entry=outcome.entry).iloc[0]


def summary(groups: Mapping[str, Outcome]) -> Table:
    """Return follow-up in numbers, a column per group."""
    frame = pd.DataFrame({name: pd.Series(_summary(outcome), dtype=object) for name, outcome in groups.items()})
    note = (
        "Median follow-up by the reverse Kaplan-Meier method: the time until censoring, had nobody had the event. "
        "A dash: not reached. Tied: at a time that another event shares."
    )
    frame = frame.rename_axis("what").reset_index()
    return Table("follow_up", "Follow-up", frame, note)


def _summary(outcome: Outcome) -> dict[str, float]:
    half = median(outcome)
    start = 0.0 if outcome.entry is None else outcome.entry
    events = outcome.time[outcome.event != 0]
    distinct, ties = np.unique(events, return_counts=True)
    return {
        "rows": len(outcome),
        "events": outcome.n_events,
        "median follow-up": half["time"],
        "median follow-up, 95 % from": half["lower"],
        "median follow-up, 95 % to": half["upper"],
        "time at risk": float(np.sum(outcome.time - start)),
        "distinct times": len(np.unique(outcome.time)),
        "distinct times of events": len(distinct),
        "share of events tied": float(ties[ties > 1].sum() / max(1, len(events))),
    }


def at_risk(groups: Mapping[str, Outcome], least: int = 0) -> Table:
    """Return numbers at risk and both curves at round times.

    Where counts are hidden, what would give them away is left out: times at which fewer are at risk, the events and
    censorings between times, and further digits of the curves.
    """
    last = max(float(outcome.time.max()) for outcome in groups.values())
    tables = []
    for name, outcome in groups.items():
        times = reporting_times(last)
        table = _at_risk(outcome, times[times <= last_known(outcome, least)])
        tables.append(table.assign(group=name))
    frame = pd.concat(tables, ignore_index=True)
    if least > 1:
        frame = frame.drop(columns=["events since", "censored since"]).round({"survival": 2, "uncensored": 2})
    columns = ["group", *(name for name in frame if name != "group")][len(groups) == 1 :]
    note = "Survival: free of the event (Kaplan-Meier). Uncensored: still followed, had nobody had the event."
    formats = {"time": "g", "survival": ".3f", "uncensored": ".3f"}
    return Table("at_risk", "Numbers at risk", frame[columns], note, formats, {"at risk": ()})


def _at_risk(outcome: Outcome, times: np.ndarray) -> pd.DataFrame:
    event, censoring = both(outcome)
    since = [np.searchsorted(np.sort(outcome.time[outcome.event == code]), times, side="right") for code in (1, 0)]
    there = [there_at(outcome, t) for t in times]
    found = (times, there, *(np.diff(count, prepend=0) for count in since), event.at(times), censoring.at(times))
    names = ("time", "at risk", "events since", "censored since", "survival", "uncensored")
    return pd.DataFrame(dict(zip(names, found, strict=True)))


def there_at(outcome: Outcome, t: float) -> int:
    """Return how many rows are at risk just after a time, or at 0."""
    late = 0 if outcome.entry is None else np.count_nonzero(outcome.entry > t)
    return int(np.count_nonzero(outcome.time >= t) - late)


def both(outcome: Outcome) -> tuple[StepCurve, StepCurve]:
    """Return the product-limit curves of the event and of censoring; with late entry the second counts it, too."""
    event = product_limit(outcome.time, outcome.event, outcome.weight, outcome.entry)
    if outcome.entry is None:
        return event, censoring_curve(outcome.time, outcome.event, outcome.weight)
    return event, product_limit(outcome.time, outcome.event == 0, outcome.weight, outcome.entry)


def curves(groups: Mapping[str, Outcome], unit: str, least: int) -> Figure:
    """Return the curves of the event and of censoring, with numbers at risk."""

    def draw(figure: matplotlib.figure.Figure) -> None:
        axes = figure.add_subplot()
        last = max(last_known(outcome, least) for outcome in groups.values())
        ticks = reporting_times(last)
        for i, (name, outcome) in enumerate(groups.items()):
            known = last_known(outcome, least)
            times = np.linspace(0, known, POINTS)
            for curve, style, what in zip(both(outcome), ("-", "--"), ("free of the event", "uncensored"), strict=True):
                shares = curve.at(times) if least < 2 else curve.at(times).round(2)  # no step of a single patient
                axes.plot(times, shares, style, color=COLORS[i], label=f"{what}: {name}")
            for t in ticks:
                axes.annotate(
                    str(shown(there_at(outcome, t), least)), (t, 0), (0, -22 - 13 * i),
                    ("data", "axes fraction"), "offset points", annotation_clip=False,
                    ha="center", va="top", fontsize=9, color=COLORS[i] if len(groups) > 1 else GREY,
                )  # fmt: skip
        axes.set(xlim=(-0.02 * last, 1.02 * last), ylim=(0, 1.02), xticks=ticks, ylabel="share")
        axes.set_xlabel(f"time ({unit}); above this line: rows at risk", labelpad=4 + 13 * len(groups))
        figure.legend(loc="outside upper left", ncols=2, fontsize=9)

    words = [f"{name}: {_said(outcome)}" for name, outcome in groups.items()]
    alt = f"Kaplan-Meier curves of the event and of censoring. {'; '.join(words)}."
    note = f"Drawn at {POINTS} even times, not at those of single patients."
    if least > 1:
        note += f" They end where fewer than {least} rows are at risk."
    return Figure("follow_up", "Event and censoring over time", alt, draw, note, (7.2, 4.2))


def last_known(outcome: Outcome, least: int) -> float:
    """Return the last time at which as many are at risk as may be shown."""
    return float(np.sort(outcome.time)[-max(1, min(least, len(outcome)))])


def _said(outcome: Outcome) -> str:
    last = float(outcome.time.max())
    curve = both(outcome)[0]
    return ", ".join(f"{curve.at(t):.0%} free of the event at {t:g}" for t in reporting_times(last, 4)[1:])
