"""What the shipped recipes must count in an invented export, from its records as they were drawn.

Nothing here reads a file, a recipe or the code book: rules are written out once more, as the recipes' default settings
have them, so that flows can be compared number by number.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.synthetic.seer_states import NUMBER, Recorded

__all__ = ["expected_events", "expected_fails", "expected_flow"]

SIZES = {  # first and last year, field, its codes that have a size in mm
    "size_eod": (1988, 2003, {"001": 1.0}),
    "size_cs": (2004, 2015, {"990": 1.0, "991": 5.0, "992": 15.0, "993": 25.0, "994": 35.0, "995": 45.0}),
    "size_sum": (2016, 2040, {"001": 1.0, "990": 1.0}),
}
ERAS = ((1988, 2015, "6"), (2016, 2017, "16"), (2018, 2040, "18"))
STAGES = ("0", "I", "IA", "IB", "II", "IIA", "IIB", "III", "IIIA", "IIIB", "IIIC", "IV")
NODAL = ("N0", "N1", "N1mi", "N2", "N3")
OPERATED = ("conserving", "mastectomy", "mastectomy_both", "unspecified")
CELLS = ("before", "excluded", "after", "fails")
Rules = dict[str, np.ndarray]


class Seen:
    """What is recorded, with the fields of the eras put together."""

    def __init__(self, recorded: Recorded, eras: int):
        self.recorded, self.year, self.eras = recorded, recorded.numbers["year"], ERAS[:eras]

    def is_in(self, name: str, *levels: str) -> np.ndarray:
        """Bool (n,): is the field one of these levels?"""
        return self.recorded.states[name].is_in(*levels)

    def era(self, part: str, *levels: str) -> np.ndarray:
        """Bool (n,): is T, N, M or the stage of the year's edition one of these levels?"""
        answer = np.zeros(len(self.year), bool)
        for first, last, edition in self.eras:
            rows = (self.year >= first) & (self.year <= last)
            answer[rows] = self.is_in(part + edition, *levels)[rows]
        return answer

    def number(self, name: str, special: Mapping[str, float] = {}) -> np.ndarray:
        """Float (n,): the number; NaN where it is not known."""
        states = self.recorded.states[name]
        known = np.where(states.is_in(NUMBER), self.recorded.numbers[name], np.nan)
        for code, value in special.items():
            known[states.is_in(code)] = value
        return known

    def size(self) -> np.ndarray:
        """Float (n,): mm by the coding system of the year; NaN where it is not known."""
        size = np.full(len(self.year), np.nan)
        for name, (first, last, special) in SIZES.items():
            rows = (self.year >= first) & (self.year <= last)
            size[rows] = self.number(name, special)[rows]
        return size

    def histology(self) -> np.ndarray:
        """Int (n,)."""
        states = self.recorded.states["histology"]
        return np.array([int(name) if name.isdigit() else 0 for name in states.names])[states.codes]


def expected_fails(recorded: Recorded, copy: np.ndarray, recipe: str, outcome: str = "os") -> pd.DataFrame:
    """Return which records fail which rule.

    Parameters
    ----------
    recorded : Recorded
    copy : bool array (n,)
        Copies of an earlier record.
    recipe : str
        One of RECIPES.
    outcome : str
        ``"os"``, ``"bcss"``, or ``"cr"`` of the second recipe.

    Returns
    -------
    DataFrame (n, rules), bool
        A column per rule, by the recipe's ids in its order; the first is ``duplicate``.

    Raises
    ------
    InputError
        SL-455 a recipe or outcome that nothing is written for.
    """
    make, outcomes = _known(recipe, outcome)
    keep = {"duplicate": ~copy} | make(recorded)
    if outcome != "os":
        keep["cause"] = outcomes[outcome](recorded)[0]
    return pd.DataFrame({name: ~kept for name, kept in keep.items()})


def expected_events(recorded: Recorded, recipe: str, outcome: str = "os") -> np.ndarray:
    """Return which records end with an event of the outcome: bool array (n,)."""
    _, outcomes = _known(recipe, outcome)
    return outcomes[outcome](recorded)[1]


def expected_flow(fails: pd.DataFrame, patient: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    """Count rows, patients and events before, excluded by, after, and failing each rule.

    Returns
    -------
    DataFrame (rules, 13)
        ``id``, then ``before rows``, ``before patients``, ``before events``, ``excluded rows``, ..., ``fails events``.
    """
    who = pd.factorize(patient)[0]
    left, rows = np.ones(len(who), bool), []
    before = _counts(left, who, event)
    for name in fails:
        failing = fails[name].to_numpy()
        left = left & ~failing
        after = _counts(left, who, event)
        cells = {"before": before, "excluded": before - after, "after": after, "fails": _counts(failing, who, event)}
        parts = ("rows", "patients", "events")
        named = {
            f"{cell} {part}": value for cell, count in cells.items() for part, value in zip(parts, count, strict=True)
        }
        rows.append({"id": name} | named)
        before = after
    return pd.DataFrame(rows)


def _counts(rows: np.ndarray, who: np.ndarray, event: np.ndarray) -> np.ndarray:
    return np.array([rows.sum(), len(np.unique(who[rows])), (rows & event).sum()])


def _known(recipe: str, outcome: str) -> tuple[Callable, dict[str, Callable]]:
    if recipe not in RECIPES or outcome not in RECIPES[recipe][1]:
        known = "; ".join(f"{name}: {', '.join(outcomes)}" for name, (_, outcomes) in RECIPES.items())
        raise InputError("SL-455", f"recipe {recipe!r} with outcome {outcome!r}.", f"Choose of {known}.")
    return RECIPES[recipe]


def _lspin(recorded: Recorded) -> Rules:
    seen = Seen(recorded, 2)
    age, size, histology = seen.number("age"), seen.size(), seen.histology()
    positive, examined = (seen.number(name, {"90": 90.0}) for name in ("nodes_pos", "nodes_exam"))
    return {
        "breast": ~seen.is_in("site", "other"),
        "female": seen.is_in("sex", "female"),
        "age": (age >= 25) & (age <= 85),
        "year": (seen.year >= 2000) & (seen.year <= 2016),
        "confirmed": seen.is_in("confirmation", "histology"),
        "non-metastatic": seen.era("m", "M0") & ~seen.era("stage", "IV"),
        "stage": seen.era("stage", *STAGES),
        "n-category": seen.era("n", *NODAL),
        "t-category": seen.era("t", "Tis", "T1", "T2", "T3", "T4", "T4d"),
        "nodes-positive": ~np.isnan(positive),
        "nodes-examined": examined >= 1,
        "nodes-consistent": ~(positive > examined),
        "vital": seen.is_in("vital", "alive", "dead"),
        "survival": ~np.isnan(seen.number("survival_months")),
        "surgery": seen.is_in("no_surgery", "performed") & seen.is_in("surgery", *OPERATED),
        "size": (size > 0) & (size < 200),
        "bilateral": ~seen.is_in("laterality", "bilateral"),
        "inflammatory": (histology != 8530) & ~seen.era("t", "T4d"),
        "invasive": seen.is_in("behavior", "malignant") & ~seen.era("t", "Tis") & ~seen.era("stage", "0"),
        "carcinoma": (histology >= 8000) & (histology <= 8799) & ~seen.is_in("grade", "lymphoma"),
    }


def _epi(recorded: Recorded) -> Rules:
    seen = Seen(recorded, 3)
    age, histology = seen.number("age", {"top": 90.0}), seen.histology()
    positive, examined = (seen.number(name, {"90": 90.0}) for name in ("nodes_pos", "nodes_exam"))
    recent = seen.year >= 2018
    fourth = np.where(recent, seen.era("m", "M1"), seen.era("stage", "IV"))
    none = seen.era("t", "Tis") & seen.era("n", "N0") & seen.era("m", "M0")
    odd = np.where(recent, seen.is_in("grade_2018", "in_situ"), seen.is_in("grade", "lymphoma"))
    posthumous = seen.is_in("report_source", "autopsy", "death_certificate")
    posthumous |= seen.is_in("survival_flag", "not_calculated") | seen.is_in("followup_type", "autopsy_or_certificate")
    return {
        "breast": ~seen.is_in("site", "other"),
        "female": seen.is_in("sex", "female"),
        "year": (seen.year >= 2000) & (seen.year <= 2023),
        "age": age >= 18,
        "invasive": seen.is_in("behavior", "malignant")
        & ~seen.era("t", "Tis")
        & ~np.where(recent, none, seen.era("stage", "0")),
        "carcinoma": (histology >= 8000) & (histology <= 8799) & ~odd,
        "first-primary": seen.number("sequence") <= 1,
        "not-post-mortem": ~posthumous,
        "active-follow-up": seen.is_in("followup_type", "active", "active_again"),
        "confirmed": seen.is_in("confirmation", "histology", "histology_immuno", "microscopic"),
        "non-metastatic": ~seen.era("m", "M1") & ~fourth,
        "vital": seen.is_in("vital", "alive", "dead"),
        "survival": ~np.isnan(seen.number("survival_months")) & ~seen.is_in("survival_flag", "~unknown"),
        "nodes-consistent": ~(positive > examined),
    }


def _overall(recorded: Recorded) -> tuple[np.ndarray, np.ndarray]:
    """Rows kept, and rows with the event."""
    states = recorded.states["vital"]
    return np.ones(len(states), bool), states.is_in("dead")


def _breast_alone(recorded: Recorded) -> tuple[np.ndarray, np.ndarray]:
    states = recorded.states["cause_breast"]
    return states.is_in("yes", "no"), states.is_in("yes")


def _causes(recorded: Recorded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Records that live, that died of breast cancer, and of another cause, in all three fields."""
    dead = recorded.states["vital"].is_in("dead")
    breast, other = recorded.states["cause_breast"], recorded.states["cause_other"]
    neither = breast.is_in("no") & other.is_in("no")
    died = dead & breast.is_in("yes") & other.is_in("no")
    return ~dead & neither, died, dead & breast.is_in("no") & other.is_in("yes")


def _breast_settled(recorded: Recorded) -> tuple[np.ndarray, np.ndarray]:
    alive, breast, other = _causes(recorded)
    return alive | breast | other, breast


def _competing(recorded: Recorded) -> tuple[np.ndarray, np.ndarray]:
    alive, breast, other = _causes(recorded)
    return alive | breast | other, breast | other


RECIPES = {
    "seer-breast-lspin2022": (_lspin, {"os": _overall, "bcss": _breast_alone}),
    "seer-breast-epi": (_epi, {"os": _overall, "bcss": _breast_settled, "cr": _competing}),
}
