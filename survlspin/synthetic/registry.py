"""Invented patients whose true log-hazard is known: registry-like data for tests, examples and timings."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from survlspin.errors import InputError

__all__ = ["Truth", "registry"]

# block of 0/1 columns -> level -> (share of patients, log hazard ratio in the linear kind); reference left out
FLAGS = {
    "race": {"black": (0.11, 0.3), "asian": (0.085, -0.25), "native": (0.006, 0.3)},
    "hispanic": {"yes": (0.11, 0.0)},
    "marital": {
        "single": (0.15, 0.2),
        "separated": (0.012, 0.2),
        "divorced": (0.105, 0.15),
        "widowed": (0.163, 0.3),
        "partner": (0.01, 0.0),
    },
    "laterality": {"left": (0.507, 0.0)},
    "site": {
        "C500": (0.01, 0.0),
        "C501": (0.05, 0.0),
        "C502": (0.13, 0.0),
        "C503": (0.06, 0.0),
        "C505": (0.07, 0.0),
        "C506": (0.01, 0.0),
        "C508": (0.22, 0.0),
    },
    "histology": {"lobular": (0.08, -0.1), "mixed": (0.07, -0.1), "other": (0.11, 0.0)},
    "grade": {"II": (0.41, 0.25), "III": (0.36, 0.6), "IV": (0.015, 0.6)},
    "T": {"T2": (0.3, 0.45), "T3": (0.06, 0.8), "T4": (0.03, 1.3)},
    "N": {"N1": (0.24, 0.4), "N2": (0.07, 0.8), "N3": (0.04, 1.2)},
    "er": {"negative": (0.2, 0.35), "borderline": (0.003, 0.2)},
    "pr": {"negative": (0.3, 0.2), "borderline": (0.003, 0.1)},
    "her2": {"positive": (0.15, 0.0), "borderline": (0.02, 0.0)},
    "surgery": {"mastectomy": (0.38, 0.1), "none": (0.05, 0.8)},
    "radiation": {"yes": (0.5, -0.3)},
    "chemotherapy": {"yes": (0.4, 0.0)},
    "registry": {f"R{number}": (0.1, 0.0) for number in range(2, 10)},
    "income": {"Q2": (0.2, -0.05), "Q3": (0.2, -0.1), "Q4": (0.2, -0.15), "Q5": (0.2, -0.25)},
    "rural": {"yes": (0.12, 0.0)},
}

# the heterogeneous kind: blocks it shares, blocks of its own, further numbers, and its subgroups
KEPT = ("race", "hispanic", "laterality", "site", "histology", "surgery", "radiation", "chemotherapy", "income")
EXTRA = {"marital": {"unmarried": (0.43, 0.0)}, "er": {"negative": (0.18, 0.0)}}
SKEWED = {"ki67": 9.0, "mitoses": 4.0, "ca15_3": 10.0, "days_to_surgery": 15.0, "distance": 12.0, "county_poverty": 6.0}
SYMMETRIC = {
    "bmi": 27.0,
    "haemoglobin": 13.0,
    "albumin": 42.0,
    "county_income": 55.0,
    "county_degree": 30.0,
    "county_rent": 9.0,
    "schooling": 13.0,
}
GROUPS = (  # hazard at the centres, the scale is free; column -> (log hazard ratio per unit, centre)
    (0.070, {"age": (0.100, 82), "tumour_size": (0.018, 20), "marital_unmarried": (0.25, 0)}),
    (0.036, {"nodes_ratio": (1.80, 0.35), "tumour_size": (0.017, 30), "grade": (0.40, 2.5)}),
    (0.020, {"tumour_size": (0.028, 20)}),
    (0.0085, {"age": (0.090, 58), "tumour_size": (0.024, 15)}),
)
DEFAULTS = {"linear": (132, 0.12), "heterogeneous": (205, 0.21)}  # months, event rate


@dataclass(frozen=True, eq=False)
class Truth:
    """What drew the outcomes.

    Parameters
    ----------
    log_hazard : array (n,)
        True log-hazard of each patient, up to a constant.
    factors : DataFrame (n, 55), bool
        The columns on which the patient's hazard depends within the subgroup. Which subgroup it is depends on age,
        nodes_positive and er_negative besides.
    group : int array (n,)
        The patient's subgroup; 0 for all in the linear kind.
    """

    log_hazard: np.ndarray
    factors: pd.DataFrame
    group: np.ndarray


def registry(
    n: int,
    kind: str = "linear",
    *,
    months: int | None = None,
    event_rate: float | None = None,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[pd.DataFrame, np.ndarray, Truth]:
    """Draw n patients with 55 columns and a censored time in whole months.

    "linear": 52 columns of 0 and 1 and 3 of numbers, one log-hazard for all that is nearly linear, 12 % events within
    132 months. A linear Cox model comes close to the truth (C about .73).

    "heterogeneous": 20 columns of numbers, 25 of 0 and 1 and 10 of uniform noise; 21 % events within 205 months. Four
    subgroups have different risk factors: the elderly, and among the younger those with positive nodes, with negative
    oestrogen receptor, and the rest. C of the truth is about .76, of a linear Cox model about .73.

    The population is fixed: `random_state` decides only which patients are drawn from it.

    Parameters
    ----------
    n : int
        Patients.
    kind : {"linear", "heterogeneous"}
    months : int, optional
        Times are whole months from 0 to months - 1.
    event_rate : float, optional
        Share of patients with the event, in (0, 1); the others are censored at a uniform time.
    random_state : int or Generator

    Returns
    -------
    X : DataFrame (n, 55)
    y : structured array (n,)
        ``event`` (bool) and ``time`` (months).
    truth : Truth

    Raises
    ------
    InputError
        SL-451 an unknown kind, SL-452 n, months or event_rate out of range.

    Examples
    --------
    >>> X, y, truth = registry(1000, "heterogeneous")
    >>> X.shape, int(y["event"].sum()), bool(truth.factors["noise_1"].any())
    ((1000, 55), 210, False)
    """
    if kind not in DEFAULTS:
        raise InputError("SL-451", f"kind is {kind!r}.", f"Choose one of {', '.join(DEFAULTS)}.")
    months, event_rate = (
        default if given is None else given for given, default in zip((months, event_rate), DEFAULTS[kind], strict=True)
    )
    if n < 1 or months < 1 or not 0 < event_rate < 1:
        found = f"n={n}, months={months}, event_rate={event_rate}."
        raise InputError("SL-452", found, "n and months are at least 1, event_rate is between 0 and 1.")
    rng = np.random.default_rng(random_state)
    X, truth = (_linear if kind == "linear" else _heterogeneous)(rng, n)
    return X, _outcome(rng, truth.log_hazard, months, event_rate), truth


def _linear(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, Truth]:
    examined, positive = _nodes(rng, n)
    numbers = {"age": _age(rng, n), "tumour_size": _size(rng, n), "nodes_ratio": positive / examined}
    X = pd.DataFrame(numbers | _flags(rng, n, FLAGS))
    effects = {f"{block}_{level}": effect for block, levels in FLAGS.items() for level, (_, effect) in levels.items()}
    age, size = X["age"] - 60, np.log(X["tumour_size"] / 20)
    log_hazard = X[list(effects)] @ pd.Series(effects) + 0.027 * age + 0.0009 * age**2 + 0.3 * size + X["nodes_ratio"]
    used = [*numbers, *(name for name, effect in effects.items() if effect)]
    factors = pd.DataFrame(np.tile(X.columns.isin(used), (n, 1)), columns=X.columns)
    return X, Truth(log_hazard.to_numpy(), factors, np.zeros(n, dtype=int))


def _heterogeneous(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, Truth]:
    examined, positive = _nodes(rng, n)
    columns = {
        "age": _age(rng, n),
        "tumour_size": _size(rng, n),
        "nodes_examined": examined,
        "nodes_positive": positive,
        "nodes_ratio": positive / examined,
        "grade": rng.choice([1.0, 2.0, 3.0, 4.0], n, p=[0.2, 0.43, 0.35, 0.02]),
        "year": rng.integers(2000, 2017, n).astype(float),
        **{name: rng.gamma(2.0, scale, n).round(1) for name, scale in SKEWED.items()},
        **{name: rng.normal(mean, mean / 5, n).round(1) for name, mean in SYMMETRIC.items()},
        **_flags(rng, n, {block: FLAGS[block] for block in KEPT} | EXTRA),
        **{f"noise_{number}": rng.random(n) for number in range(1, 11)},
    }
    X = pd.DataFrame(columns)
    younger = X["age"] < 75
    group = np.select([~younger, positive > 0, X["er_negative"] == 1], [0, 1, 2], 3)
    log_hazard, factors = np.empty(n), pd.DataFrame(False, index=X.index, columns=X.columns)
    for g, (rate, effects) in enumerate(GROUPS):
        rows = group == g
        centred = (slope * (X.loc[rows, name] - centre) for name, (slope, centre) in effects.items())
        log_hazard[rows] = np.log(rate) + sum(centred)
        factors.loc[rows, list(effects)] = True
    return X, Truth(log_hazard, factors, group)


def _outcome(rng: np.random.Generator, log_hazard: np.ndarray, months: int, event_rate: float) -> np.ndarray:
    """Exponential times on the scale that gives the event rate under uniform censoring, in whole months."""
    event_at = rng.exponential(size=len(log_hazard)) / np.exp(log_hazard)
    censored_at = rng.random(len(log_hazard)) * months
    event_at *= np.quantile(censored_at / event_at, 1 - event_rate)
    y = np.empty(len(log_hazard), dtype=[("event", bool), ("time", float)])
    y["event"] = event_at <= censored_at
    y["time"] = np.floor(np.minimum(event_at, censored_at))
    return y


def _flags(rng: np.random.Generator, n: int, blocks: dict) -> dict[str, np.ndarray]:
    """At most one level of each block is 1; none is the reference level."""
    flags = {}
    for block, levels in blocks.items():
        level = np.searchsorted(np.cumsum([share for share, _ in levels.values()]), rng.random(n), side="right")
        flags |= {f"{block}_{name}": (level == number).astype(np.int8) for number, name in enumerate(levels)}
    return flags


def _age(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(61.5, 13.5, n).clip(25, 94).round()


def _size(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(rng.normal(np.log(18), 0.65, n)).clip(1, 150).round()  # mm


def _nodes(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Lymph nodes examined and, of these, positive; 30 % of patients have a positive one."""
    examined = 1.0 + rng.negative_binomial(2, 0.18, n)
    return examined, np.where(rng.random(n) < 0.3, np.ceil(examined * rng.beta(0.8, 1.6, n)), 0.0)
