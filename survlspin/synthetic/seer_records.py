"""Invented people and the records of their breast tumours, before anything of them is missing."""

import numpy as np
import pandas as pd

from survlspin.synthetic.seer_clinical import tumours
from survlspin.synthetic.seer_patients import MONTH, follow, truth_of

__all__ = ["draw_records"]

SECOND = 0.08  # of the records are second primaries of the same breast cancer patient
IN_SITU = 0.20
MALE = 0.007
DEATH_CERTIFICATE = 0.005  # of the records are known from death certificate or autopsy alone
YOUNG, OLDEST = 0.003, 0.0005  # aged 15-24, 95-104
ELSEWHERE = {0: 0.86, 1: 0.06, 2: 0.066, 3: 0.012, 60: 0.001, 99: 0.001}  # sequence number of the only breast tumour


def draw_records(rng: np.random.Generator, n: int, mode: str, years: tuple[int, int]) -> pd.DataFrame:
    """n records of breast tumours, invasive and in situ, of women and men, in random order.

    A tumour's hazard holds until the next tumour of the same person; then that one's does.

    Returns
    -------
    DataFrame (n, ...)
        The columns of `tumours`, and ``person``, ``patient`` (text), ``sex``, ``sequence``, ``behavior`` (2 in situ, 3
        malignant), ``days``, ``time`` (months), ``event``, ``cause``, ``death_certificate``, ``subgroup``,
        ``log_hazard`` and ``factor_NAME``.
    """
    later = int(SECOND * n)
    first, second = (_with_rare_people(rng, _with_in_situ(rng, tumours(rng, k, years))) for k in (n - later, later))
    first["sex"] = np.where(rng.random(n - later) < MALE, "male", "female")
    first["sequence"] = rng.choice(list(ELSEWHERE), n - later, p=list(ELSEWHERE.values()))
    first["person"] = np.arange(n - later)
    cutoff = int(np.datetime64(f"{years[1]}-12-31", "D").astype(int))
    first = _followed(rng, first, mode, cutoff)
    candidates = np.flatnonzero((first["days"] > 180) & (first["sequence"] < 2))
    again = np.sort(rng.choice(candidates, min(later, len(candidates)), replace=False))
    second = _followed(rng, _of_same_person(rng, first.iloc[again], second.iloc[: len(again)]), mode, cutoff)
    _continue(first, again, second)
    records = pd.concat([first, second], ignore_index=True)
    _certificates(rng, records)
    records["time"] = np.floor(records["days"] / MONTH)
    records["patient"] = _identifiers(rng, len(first))[records["person"]]
    return records.iloc[rng.permutation(len(records))].reset_index(drop=True)


def _with_in_situ(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """Every fifth tumour is in situ: no T above 0, no nodes, no metastases, small."""
    inside = rng.random(len(frame)) < IN_SITU
    frame["behavior"] = np.where(inside, 2, 3)
    frame.loc[inside, ["t", "n", "m", "nodes_positive"]] = 0
    frame.loc[inside, "nodes_ratio"] = 0.0
    frame.loc[inside, "size_mm"] = 1 + rng.poisson(11, inside.sum())
    frame["stage"] = frame["stage"].cat.add_categories("0")
    frame.loc[inside, "stage"] = "0"
    inflammatory = frame["t"].to_numpy() == 5  # the skin's code and the morphology go together for half of them
    frame.loc[inflammatory & (rng.random(len(frame)) < 0.5), "histology"] = "8530"
    frame.loc[~inflammatory & (frame["histology"] == "8530"), "histology"] = "8500"
    return frame


def _with_rare_people(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    u, age = rng.random(len(frame)), frame["age"].to_numpy().copy()
    young, oldest = u < YOUNG, u > 1 - OLDEST
    age[young] = rng.integers(15, 25, young.sum())
    age[oldest] = rng.integers(95, 105, oldest.sum())
    return frame.assign(age=age)


def _followed(rng: np.random.Generator, frame: pd.DataFrame, mode: str, cutoff: int) -> pd.DataFrame:
    truth = truth_of(frame, mode)
    outcome = follow(rng, frame.reset_index(drop=True), truth, mode, cutoff)
    return pd.concat([frame.reset_index(drop=True), truth, outcome], axis=1)


def _of_same_person(rng: np.random.Generator, before: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """The second tumour of a person: some time within the follow-up of the first, mostly on the other side."""
    before, drawn = before.reset_index(drop=True), drawn.reset_index(drop=True)
    day = before["day"] + (before["days"] * rng.uniform(0.1, 0.9, len(before))).astype(int)
    year = day.to_numpy().astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    fixed = {name: before[name] for name in ("person", "sex", "race", "hispanic", "marital")}
    other = before["laterality"].cat.rename_categories({"left": "right", "right": "left"})
    keeps = rng.random(len(before)) < 0.2
    side = pd.Categorical(np.where(keeps, before["laterality"], other), before["laterality"].cat.categories)
    age = before["age"] + (day - before["day"]) // 365
    return drawn.assign(day=day, year=year, age=age, laterality=side, sequence=2, **fixed)


def _continue(first: pd.DataFrame, again: np.ndarray, second: pd.DataFrame) -> None:
    """Give the first tumours of those with a second one its outcome."""
    days = second["day"].to_numpy() + second["days"].to_numpy() - first["day"].to_numpy()[again]
    first.loc[again, "days"] = days
    first.loc[again, "event"] = second["event"].to_numpy()
    first.loc[again, "cause"] = second["cause"].array
    first.loc[again, "sequence"] = 1


def _certificates(rng: np.random.Generator, records: pd.DataFrame) -> None:
    """Some of the deaths of people with one tumour are all that is known of it."""
    single = ~records["person"].duplicated(keep=False).to_numpy()
    share = DEATH_CERTIFICATE * len(records) / max((single & records["event"]).sum(), 1)
    records["death_certificate"] = single & records["event"].to_numpy() & (rng.random(len(records)) < share)
    records.loc[records["death_certificate"], "days"] = 0.0


def _identifiers(rng: np.random.Generator, people: int) -> np.ndarray:
    """Eight digits each, with leading zeros, all different."""
    numbers = np.empty(0, int)
    while len(numbers) < people:
        numbers = np.unique(np.append(numbers, rng.integers(1, 10**8, people)))
    return np.array([f"{number:08d}" for number in rng.permutation(numbers)[:people]], object)
