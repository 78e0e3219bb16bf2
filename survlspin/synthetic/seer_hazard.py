"""The true hazards of invented SEER patients: four subgroups whose hazards depend on different variables.

Within a subgroup hazards are proportional: the hazard of death of any cause at t years is
``rate * shape(t) * exp(sum of slope * (value - centre))``. Rates, shapes and slopes are set such that survival by age
and stage comes close to what the SEER programme has published for female breast cancer, 2000-2019; among the elderly
this takes a term of the node ratio.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["FACTORS", "GROUPS", "MODES", "Group", "death_years", "factor_table", "group_of", "log_hazard"]

MODES = ("hetero", "homog", "null", "nonlinear")
FACTORS = ("age", "size", "ratio", "grade", "marital", "er")
EDGES = np.array([0.0, 1.0, 3.0, 5.0, 10.0])  # years; the last piece is open
METASTATIC = 2.0  # log hazard ratio of stage IV in every mode but "null"; no cohort keeps stage IV


@dataclass(frozen=True)
class Group:
    """A subgroup: yearly rate at the centres, its course over the pieces of time, effects (slope per unit, centre)."""

    rate: float
    shape: tuple[float, ...]
    effects: dict[str, tuple[float, float]]


GROUPS = {
    "elderly": Group(
        0.058,
        (0.60, 0.86, 1.0, 1.55, 2.9),
        {"age": (0.090, 82), "size": (0.016, 20), "ratio": (1.30, 0), "marital": (0.25, 0)},
    ),
    "node positive": Group(
        0.036,
        (0.50, 1.1, 1.0, 0.9, 0.83),
        {"ratio": (1.40, 0.35), "size": (0.012, 30), "grade": (0.30, 2.5)},
    ),
    "receptor negative": Group(0.014, (0.88, 1.4, 1.0, 0.6, 0.6), {"size": (0.022, 20)}),
    "receptor positive": Group(0.0084, (0.48, 0.83, 1.0, 1.8, 3.1), {"age": (0.075, 58), "size": (0.014, 15)}),
}
ALIKE = Group(
    0.0155,
    (0.55, 1.0, 1.0, 1.15, 1.5),
    {
        "age": (0.045, 60),
        "size": (0.014, 20),
        "ratio": (1.50, 0),
        "grade": (0.25, 2),
        "marital": (0.25, 0),
        "er": (0.35, 0),
    },
)
NULL = Group(0.028, (1.0,) * 5, {})


def group_of(frame: pd.DataFrame) -> np.ndarray:
    """Number of each patient's subgroup in the order of `GROUPS`: from age, positive nodes and oestrogen receptor."""
    negative = frame["er"].to_numpy() == "negative"
    return np.select([frame["age"] >= 75, frame["nodes_positive"] > 0, negative], [0, 1, 2], 3)


def log_hazard(frame: pd.DataFrame, mode: str) -> np.ndarray:
    """Log of the yearly hazard where the shape is 1 (n,)."""
    values = _values(frame)
    group, eta = group_of(frame), np.empty(len(frame))
    for number, (rows, truth) in enumerate(_by_group(group, mode)):
        eta[rows] = np.log(truth.rate)
        for name, (slope, centre) in truth.effects.items():
            eta[rows] += slope * (values[name][rows] - centre)
        if mode == "nonlinear":
            eta[rows] += _bend(number, {name: value[rows] for name, value in values.items()})
    return eta + METASTATIC * (mode != "null") * (frame["m"].to_numpy() > 0)


def factor_table(group: np.ndarray, mode: str) -> pd.DataFrame:
    """``factor_NAME`` bool (n, 6): on which variables each patient's hazard depends within the subgroup."""
    table = np.zeros((len(group), len(FACTORS)), bool)
    for rows, truth in _by_group(group, mode):
        table[rows] = [name in truth.effects for name in FACTORS]
    return pd.DataFrame(table, columns=[f"factor_{name}" for name in FACTORS])


def death_years(hazard: np.ndarray, group: np.ndarray, eta: np.ndarray, mode: str) -> np.ndarray:
    """The time in years at which the cumulative hazard reaches ``hazard`` (n,)."""
    years = np.empty(len(eta))
    for rows, truth in _by_group(group, mode):
        times, total = _course(truth)
        years[rows] = np.interp(hazard[rows] / np.exp(eta[rows]), total, times)
    return years


def _course(truth: Group) -> tuple[np.ndarray, np.ndarray]:
    """Times in years and the cumulative shape at them, up to a time nobody reaches."""
    times = np.append(EDGES, 1e6)
    return times, np.append(0.0, np.cumsum(np.diff(times) * np.array(truth.shape)))


def _by_group(group: np.ndarray, mode: str) -> list[tuple[np.ndarray, Group]]:
    if mode in ("homog", "null"):
        return [(np.ones(len(group), bool), ALIKE if mode == "homog" else NULL)]
    return [(group == number, truth) for number, truth in enumerate(GROUPS.values())]


def _values(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    columns = {"age": "age", "size": "size_mm", "ratio": "nodes_ratio", "grade": "grade"}
    values = {name: frame[column].to_numpy(float) for name, column in columns.items()}
    values["marital"] = (frame["marital"].to_numpy() != "married").astype(float)
    return values | {"er": (frame["er"].to_numpy() == "negative").astype(float)}


def _bend(number: int, values: dict[str, np.ndarray]) -> np.ndarray:
    """What the nonlinear mode adds: U-shaped age in the last subgroup, size times grade where nodes are positive."""
    if number == 1:
        return 0.012 * (values["size"] - 30) * (values["grade"] - 2.5)
    if number == 3:
        away = (values["age"] - 55) / 10
        return 0.45 * away**2 - 0.075 * (values["age"] - 58) - 0.5
    return np.zeros(len(values["age"]))
