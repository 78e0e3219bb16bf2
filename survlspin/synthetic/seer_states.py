"""What a registry records of invented tumours: each field by year of diagnosis, with what is unknown or special.

A *state* is the name of a level (``"positive"``), ``"number"`` for a number that is recorded as it is, or one of
``"~unknown"``, ``"~blank"``, ``"~na"``; the special codes of sizes and nodes go by themselves (``"990"``). Rates are
those of the public literature where there is one, and guesses elsewhere.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

__all__ = ["BLANK", "NA", "NUMBER", "UNKNOWN", "Dirt", "Recorded", "States", "record_people"]

UNKNOWN, BLANK, NA, NUMBER = "~unknown", "~blank", "~na", "number"
RACES = {"white": "nh_white", "black": "nh_black", "native": "nh_native", "asian": "nh_asian", UNKNOWN: UNKNOWN}
BROAD = {"white": "white", "black": "black", "native": "other", "asian": "other", UNKNOWN: UNKNOWN}
INCOMES = ("< $35,000", "$35,000 - $49,999", "$50,000 - $64,999", "$65,000 - $79,999", "$80,000+")
REGISTRIES = ("San Francisco-Oakland", "Connecticut", "Detroit (Metropolitan)", "Hawaii", "Iowa", "New Mexico", "Utah")
DEATHS = (("heart", 0.35), ("lung", 0.15), ("brain vessels", 0.12), ("dementia", 0.13), ("other", 0.25))


class States:
    """The states of a field: int16 codes (n,) of names; set by mask, compared by name."""

    def __init__(self, codes: np.ndarray, names: list[str]):
        self.codes, self.names = codes.astype(np.int16), list(names)

    @classmethod
    def of(cls, levels: "States | pd.Series | np.ndarray | str", n: int = 0) -> "States":
        """Return a copy of States; or the states that texts name, or one text n times."""
        if isinstance(levels, str):
            return cls(np.zeros(n, np.int16), [levels])
        if isinstance(levels, States):
            return cls(levels.codes.copy(), levels.names)
        if isinstance(getattr(levels, "dtype", None), pd.CategoricalDtype):
            return cls(levels.cat.codes.to_numpy().copy(), levels.cat.categories)
        return cls(*pd.factorize(np.asarray(levels)))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: np.ndarray) -> "States":
        return States(self.codes[rows], self.names)

    def __setitem__(self, rows: np.ndarray, states: "States | str") -> None:
        if isinstance(states, str):
            self.codes[rows] = self._code(states)
        else:
            self.codes[rows] = np.array([self._code(name) for name in states.names], np.int16)[states.codes]

    def is_in(self, *names: str) -> np.ndarray:
        """Bool (n,): is the state one of these?"""
        return np.array([name in names for name in self.names], bool)[self.codes]

    def mapped(self, table: dict[str, str]) -> "States":
        """Return states in which those of the table have become others."""
        changed = States.of(self)
        changed.names = [table.get(name, name) for name in self.names]
        return changed

    def _code(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)


@dataclass(eq=False)
class Recorded:
    """The states of all fields, and the numbers where a state is ``"number"``."""

    states: dict[str, States] = field(default_factory=dict)
    numbers: dict[str, np.ndarray] = field(default_factory=dict)

    def number(self, name: str, values: np.ndarray) -> States:
        """Record numbers; returns their states, to be changed in place."""
        self.numbers[name] = np.array(values, np.int32)
        return self.level(name, States.of(NUMBER, len(values)))

    def level(self, name: str, levels: States | pd.Series | np.ndarray) -> States:
        """Record levels; returns the states, to be changed in place."""
        self.states[name] = States.of(levels)
        return self.states[name]

    def take(self, rows: np.ndarray) -> "Recorded":
        """Return the records at these positions."""
        states = {name: states[rows] for name, states in self.states.items()}
        return Recorded(states, {name: numbers[rows] for name, numbers in self.numbers.items()})


class Dirt:
    """Draws of what is unknown or special, at rates that ``scale`` multiplies."""

    def __init__(self, rng: np.random.Generator, n: int, scale: float):
        self.rng, self.n, self.scale = rng, n, scale

    def hit(self, rate: float | np.ndarray) -> np.ndarray:
        """Bool (n,): True at the rate."""
        return self.rng.random(self.n) < np.minimum(rate * self.scale, 0.95)

    def share(self, *levels: tuple[str, float]) -> States:
        """States (n,) drawn by their shares, whatever the scale."""
        names, shares = zip(*levels, strict=True)
        edges = np.cumsum(shares) / np.sum(shares)
        return States(np.searchsorted(edges[:-1], self.rng.random(self.n), side="right"), list(names))


def record_people(dirt: Dirt, clean: pd.DataFrame, oldest: int) -> Recorded:
    """Record who the patient is, how the tumour was found, and what came of it.

    Parameters
    ----------
    dirt : Dirt
    clean : DataFrame (n, ...)
        From `draw_records`.
    oldest : int
        The age from which on ages are top-coded.
    """
    recorded = Recorded()
    _person(dirt, clean, recorded, oldest)
    _finding(dirt, clean, recorded)
    _order(clean, recorded)
    _outcome(dirt, clean, recorded)
    _death(dirt, clean, recorded)
    return recorded


def _person(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded, oldest: int) -> None:
    recorded.level("sex", clean["sex"])[dirt.hit(0.0001)] = UNKNOWN
    age, bands = clean["age"].to_numpy(), clean["age"].to_numpy() // 5 + 1
    states = recorded.number("age", np.minimum(age, oldest))
    states[age >= oldest] = "top"
    unknown = dirt.hit(0.0002)
    states[unknown] = UNKNOWN
    band = States(np.minimum(bands, 18), [f"{code:02d}" for code in range(19)])
    recorded.level("age_recode", band)[unknown] = UNKNOWN
    recorded.number("year", clean["year"])
    race = recorded.level("race", clean["race"])
    race[dirt.hit(0.006)] = UNKNOWN
    recorded.level("race_wbo", race.mapped(BROAD))
    hispanic = clean["hispanic"].to_numpy()
    recorded.level("origin", States(hispanic, ["non_hispanic", "hispanic"]))
    recorded.level("race_origin", race.mapped(RACES))[hispanic] = "hispanic"
    marital = recorded.level("marital", clean["marital"])
    single = marital.is_in("single") & (clean["year"].to_numpy() >= 2011)
    marital[single & (dirt.rng.random(dirt.n) < 0.08)] = "partner"
    marital[dirt.hit(0.05)] = UNKNOWN
    recorded.level("income", dirt.share(*((band, 1.0) for band in INCOMES)))[dirt.hit(0.002)] = UNKNOWN
    recorded.level("registry", dirt.share(*((name, 1.0) for name in REGISTRIES)))


def _finding(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """Site, side, morphology, and how the diagnosis was made."""
    certificate = clean["death_certificate"].to_numpy()
    recorded.level("site_recode", States.of("breast", dirt.n))
    recorded.level("site", clean["site"])
    side = recorded.level("laterality", clean["laterality"])
    side[dirt.hit(0.0035)] = UNKNOWN
    side[dirt.hit(0.00005)] = NA
    recorded.level("histology", clean["histology"])
    recorded.level("behavior", States(clean["behavior"].to_numpy() - 2, ["in_situ", "malignant"]))
    confirmation = recorded.level("confirmation", States.of("histology", dirt.n))
    doubtful = (("cytology", 8), ("microscopic", 3), ("visual", 1), ("radiology", 5), ("clinical", 3), (UNKNOWN, 3))
    other = dirt.hit(0.022)
    confirmation[other] = dirt.share(*doubtful)[other]
    confirmation[certificate] = UNKNOWN
    places = (("hospital", 955), ("oncology_center", 8), ("laboratory", 14), ("physician", 12), ("nursing_home", 1))
    source = recorded.level("report_source", dirt.share(*places, ("other_outpatient", 10)))
    source[certificate] = dirt.share(("death_certificate", 9), ("autopsy", 1))[certificate]
    follow_up = recorded.level("followup_type", dirt.share(("active", 995), ("active_again", 5)))
    follow_up[certificate] = "autopsy_or_certificate"


def _order(clean: pd.DataFrame, recorded: Recorded) -> None:
    """Which of the person's tumours it is."""
    order = clean["sequence"].to_numpy()
    states = recorded.number("sequence", order)
    states[order == 60] = NA
    states[order == 99] = UNKNOWN
    first = (order < 2) & (clean["behavior"] == 3)
    recorded.level("first_primary", States(first.to_numpy(), ["no", "yes"]))
    recorded.number("n_malignant", np.select([order == 0, order < 60], [1, np.maximum(order, 2)], 1))


def _outcome(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    certificate, time = clean["death_certificate"].to_numpy(), clean["time"].to_numpy()
    months = recorded.number("survival_months", time)
    flag = recorded.level("survival_flag", States(clean["days"].to_numpy() > 0, ["zero_days", "complete"]))
    flag[(time > 0) & dirt.hit(0.01)] = "incomplete"
    flag[(time == 0) & dirt.hit(0.4)] = "maybe_zero"
    unknown = dirt.hit(0.002)
    flag[unknown], months[unknown | certificate] = UNKNOWN, UNKNOWN
    flag[certificate] = "not_calculated"
    recorded.level("vital", States(clean["event"].to_numpy(), ["alive", "dead"]))
    last = (clean["day"] + clean["days"].astype(int)).to_numpy().astype("datetime64[D]").astype("datetime64[Y]")
    recorded.number("followup_year", last.astype(int) + 1970)


def _death(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """The cause of death; for later tumours of a person the classifications do not apply."""
    cause, dead = States.of(clean["cause"]), clean["event"].to_numpy()
    missing = dead & dirt.hit(0.005)
    cod = recorded.level("cod", dirt.share(*DEATHS))
    cod[cause.is_in("breast")], cod[~dead], cod[missing] = "breast", "alive", UNKNOWN
    later = clean["sequence"].to_numpy() > 1
    for name, meant in (("cause_breast", "breast"), ("cause_other", "other")):
        states = recorded.level(name, States(cause.is_in(meant), ["no", "yes"]))
        states[missing], states[later] = UNKNOWN, NA
