"""Invented breast cancers: what a registry would know of them if nothing were missing.

The shares are those of the SEER programme's published tables (female breast cancer 2000-2019 by age and stage) and of
open registry data; those of race, site and histology are rough. Every value is a fixed share of one population:
`random_state` decides only who is drawn from it.
"""

import numpy as np
import pandas as pd

__all__ = ["LEVELS", "anatomic_stage", "tumours"]

# cases by age band and stage I-IV
BANDS = ((25, 45), (45, 55), (55, 65), (65, 75), (75, 95))
CASES = (
    (33_527, 44_301, 18_139, 4_843),
    (79_237, 68_921, 25_538, 8_014),
    (98_988, 67_037, 23_611, 10_741),
    (91_557, 51_137, 15_918, 8_598),
    (64_468, 43_028, 14_645, 9_113),
)
SIZES = ((11.5, 0.52), (24.0, 0.50), (38.0, 0.75), (45.0, 0.80))  # by stage: median in mm, SD of the log
EXAMINED = ((1, 1.2, 0.20), (1, 1.6, 0.14), (4, 3.0, 0.20), (1, 1.6, 0.14))  # by stage: least, negative binomial n, p
GRADES = ((0.30, 0.45, 0.24, 0.01), (0.13, 0.42, 0.43, 0.02), (0.07, 0.36, 0.54, 0.03), (0.07, 0.36, 0.54, 0.03))
ER_POSITIVE = (0.97, 0.91, 0.66, 0.55)  # by grade; .002 more per year above 60

LEVELS = {
    "race": {"white": 0.80, "black": 0.11, "native": 0.006, "asian": 0.084},
    "laterality": {"right": 0.4925, "left": 0.507, "bilateral": 0.0005},
    "site": {
        "C500": 0.008,
        "C501": 0.055,
        "C502": 0.115,
        "C503": 0.055,
        "C504": 0.36,
        "C505": 0.075,
        "C506": 0.007,
        "C508": 0.22,
        "C509": 0.105,
    },
    "histology": {
        "8500": 0.74,
        "8520": 0.08,
        "8522": 0.07,
        "8523": 0.02,
        "8524": 0.005,
        "8480": 0.024,
        "8211": 0.012,
        "8541": 0.003,
        "8530": 0.007,
        "8201": 0.004,
        "8510": 0.005,
        "8540": 0.003,
        "8575": 0.004,
        "8010": 0.02,
        "9020": 0.003,
    },
    "marital": {"single": 0.15, "married": 0.57, "separated": 0.012, "divorced": 0.105, "widowed": 0.163},
}


def tumours(rng: np.random.Generator, n: int, years: tuple[int, int], metastatic: bool = True) -> pd.DataFrame:
    """n invasive breast cancers with every value known.

    Parameters
    ----------
    rng : Generator
    n : int
    years : (int, int)
        First and last year of diagnosis; the day is uniform between.
    metastatic : bool
        With stage IV, or without it.

    Returns
    -------
    DataFrame (n, ...)
        ``day`` (of diagnosis, since 1970-01-01), ``year``, ``age``, ``stage``, ``t``, ``n``, ``m``, ``size_mm``,
        ``nodes_examined``, ``nodes_positive``, ``nodes_ratio``, ``grade`` (1-4), ``er``, ``pr``, ``her2`` and the
        fields of `LEVELS`. Texts are categorical.
    """
    cases = (np.array(CASES, float) * (1, 1, 1, metastatic)).ravel()
    band, stage = np.divmod(rng.choice(cases.size, n, p=cases / cases.sum()), 4)
    day, year = _days(rng, n, years)
    age = _age(rng, band)
    size, t, examined, positive = _extent(rng, stage)
    grade = 1 + _pick_rows(rng, np.cumsum(GRADES, axis=1)[stage])
    receptors = _receptors(rng, grade, age)
    m = (stage == 3).astype(np.int8)
    frame = pd.DataFrame({"day": day, "year": year, "age": age, "size_mm": size, "grade": grade})
    frame["nodes_examined"], frame["nodes_positive"] = examined, positive
    frame["nodes_ratio"] = positive / examined
    nodal = np.digitize(positive, (1, 4, 10)).astype(np.int8)
    frame["t"], frame["n"], frame["m"] = t, nodal, m
    frame["stage"] = anatomic_stage(np.minimum(t, 4), nodal, m)
    for name, levels in LEVELS.items():
        frame[name] = _draw(rng, n, levels)
    frame["marital"] = _widowed(rng, frame["marital"], age)
    frame["hispanic"] = rng.random(n) < 0.11
    return frame.assign(**receptors)


def anatomic_stage(t: np.ndarray, n: np.ndarray, m: np.ndarray) -> pd.Categorical:
    """The stage group of the sixth edition from T 1-4, N 0-3 and M 0-1: ``I`` to ``IV``."""
    names = ("I", "IIA", "IIB", "IIIA", "IIIB", "IIIC", "IV")
    table = np.array([[0, 1, 3, 5], [1, 2, 3, 5], [2, 3, 3, 5], [4, 4, 4, 5]])  # (T, N)
    return pd.Categorical.from_codes(np.where(m > 0, 6, table[t - 1, n]), names)


def _days(rng: np.random.Generator, n: int, years: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    first, last = (np.datetime64(f"{year}-01-01", "D").astype(int) for year in (years[0], years[1] + 1))
    day = rng.integers(first, last, n)
    return day, day.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970


def _age(rng: np.random.Generator, band: np.ndarray) -> np.ndarray:
    """Whole years: in the youngest band most are close to 45, in the oldest most are close to 75."""
    within = rng.random(len(band))
    young, old = band == 0, band == len(BANDS) - 1
    within[young] = rng.beta(3.2, 1.2, young.sum())
    within[old] = rng.beta(1.0, 1.7, old.sum())
    low, high = np.array(BANDS).T
    return np.floor(low[band] + within * (high - low)[band]).astype(int)


def _extent(rng: np.random.Generator, stage: np.ndarray) -> tuple[np.ndarray, ...]:
    """Size in mm, T (5: inflammatory T4d), nodes examined and positive that give the stage drawn."""
    n, u = len(stage), rng.random(len(stage))
    positive = np.zeros(n, int)
    few = ((stage == 1) & (u < 0.55)) | ((stage == 2) & (u < 0.17))  # 1-3 positive nodes
    positive[few] = 1 + rng.binomial(2, 0.3, few.sum())
    third, fourth = (stage == 2) & (u >= 0.20), (stage == 3) & (u < 0.60)
    positive[third] = 4 + rng.negative_binomial(1.1, 0.16, third.sum())
    positive[fourth] = 1 + rng.negative_binomial(0.9, 0.14, fourth.sum())
    skin = ((stage == 2) & (rng.random(n) < 0.10)) | ((stage == 3) & (rng.random(n) < 0.30))
    large = (stage == 2) & (u < 0.10)  # T3 N1
    skin |= (stage == 2) & (u >= 0.10) & (u < 0.20)  # fewer than four positive nodes: T4
    size = _size(rng, stage, positive, large & ~skin)
    t = np.where(skin, np.where(rng.random(n) < 0.12, 5, 4), 1 + np.digitize(size, (20.5, 50.5)))
    least, r, p = np.array(EXAMINED).T
    examined = least[stage].astype(int) + rng.negative_binomial(r[stage], p[stage])
    return size, t.astype(np.int8), np.minimum(np.maximum(examined, positive), 89), np.minimum(positive, 89)


def _size(rng: np.random.Generator, stage: np.ndarray, positive: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Whole mm between the bounds that stage and nodes set; 30 % are rounded to 5 mm."""
    low = np.where((stage == 1) & (positive == 0), 21, np.where(large, 51, 1))
    high = np.where(stage == 0, 20, np.where((stage == 1) & (positive > 0), 50, 199))
    size, todo = np.zeros(len(stage), int), np.arange(len(stage))
    median, spread = np.array(SIZES).T
    while len(todo):
        drawn = np.exp(rng.normal(np.log(median[stage[todo]]), spread[stage[todo]]))
        drawn = np.where(rng.random(len(todo)) < 0.3, 5 * np.round(drawn / 5), np.round(drawn)).astype(int)
        good = (drawn >= low[todo]) & (drawn <= high[todo])
        size[todo[good]] = drawn[good]
        todo = todo[~good]
    return size


def _receptors(rng: np.random.Generator, grade: np.ndarray, age: np.ndarray) -> dict[str, pd.Categorical]:
    oestrogen = rng.random(len(grade)) < np.array(ER_POSITIVE)[grade - 1] + 0.002 * np.maximum(age - 60, 0)
    progesterone = rng.random(len(grade)) < np.where(oestrogen, 0.86, 0.08)
    her2 = rng.random(len(grade)) < np.where(oestrogen, 0.11, 0.30)
    drawn, names = {"er": oestrogen, "pr": progesterone, "her2": her2}, ["negative", "positive"]
    return {field: pd.Categorical.from_codes(has.astype(np.int8), names) for field, has in drawn.items()}


def _widowed(rng: np.random.Generator, marital: pd.Series, age: np.ndarray) -> pd.Categorical:
    """Of those 75 and older, 35 % more are widowed."""
    codes = marital.cat.codes.to_numpy().copy()
    codes[(age >= 75) & (rng.random(len(age)) < 0.35)] = marital.cat.categories.get_loc("widowed")
    return pd.Categorical.from_codes(codes, marital.cat.categories)


def _draw(rng: np.random.Generator, n: int, levels: dict[str, float]) -> pd.Categorical:
    edges = np.cumsum(list(levels.values()))
    codes = np.searchsorted(edges / edges[-1], rng.random(n), side="right")
    return pd.Categorical.from_codes(np.minimum(codes, len(levels) - 1).astype(np.int8), list(levels))


def _pick_rows(rng: np.random.Generator, cumulative: np.ndarray) -> np.ndarray:
    """One draw per row from that row's cumulative shares (n, k)."""
    return (rng.random((len(cumulative), 1)) >= cumulative[:, :-1]).sum(axis=1)
