"""Invented patients of a breast cancer registry whose true log-hazard and true risk factors are known."""

import numpy as np
import pandas as pd

from survlspin._messages import nearest
from survlspin.errors import InputError
from survlspin.synthetic.seer_clinical import tumours
from survlspin.synthetic.seer_hazard import GROUPS, MODES, death_years, factor_table, group_of, log_hazard

__all__ = ["follow", "seer_patients", "truth_of"]

MONTH = 365.24 / 12  # days
LOST = 0.004  # of the patients per year
BREAST_DEATHS = {45: 0.925, 55: 0.78, 65: 0.67, 75: 0.50, 85: 0.36, 200: 0.30}  # age below -> share of the deaths


def seer_patients(
    n: int,
    mode: str = "hetero",
    random_state: int | np.random.Generator | None = 0,
    *,
    years: tuple[int, int] = (2000, 2016),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw n women with breast cancer of stage I-III as a registry would know them if no value were missing.

    "hetero": four subgroups that one can observe have different risk factors. Women of 75 and more: age, size, node
    ratio, not married. Younger women with positive nodes: node ratio, size, grade. Of the others, those with negative
    oestrogen receptor: size; the rest: age, size. "homog": one log-hazard, linear in six variables, for all. "null": no
    variable has an effect. "nonlinear": as hetero, but age is U-shaped in the last subgroup and size acts through
    grade, too, in the second.

    Days of diagnosis are uniform over the years; follow-up ends with the last of them, .4 % a year are lost before.

    Parameters
    ----------
    n : int
        Patients.
    mode : {"hetero", "homog", "null", "nonlinear"}
    random_state : int or Generator
    years : (int, int)
        First and last year of diagnosis.

    Returns
    -------
    frame : DataFrame (n, ...)
        ``age`` (years), ``year``, ``size_mm``, ``nodes_examined``, ``nodes_positive``, ``nodes_ratio``, ``grade``
        (1-4), ``t`` (1-4; 5 is inflammatory), ``n`` (0-3), the categories ``stage er pr her2 race laterality site
        histology marital``, ``hispanic`` (bool), and the outcome: ``time`` (whole months), ``event`` (bool), ``cause``
        ("", "breast", "other").
    truth : DataFrame (n, ...)
        ``subgroup`` (category), ``log_hazard`` (log of the yearly rate) and, for each true risk factor, a bool column
        ``factor_age``, ``factor_size``, ``factor_ratio``, ``factor_grade``, ``factor_marital``, ``factor_er``.

    Raises
    ------
    InputError
        SL-453 an unknown mode, SL-454 n or years out of range.

    Examples
    --------
    >>> frame, truth = seer_patients(1000)
    >>> len(frame), round(float(frame["event"].mean()), 2), int(truth.filter(like="factor_").sum(axis=1).median())
    (1000, 0.21, 2)
    """
    check_drawing(n, mode, years)
    rng = np.random.default_rng(random_state)
    frame = tumours(rng, int(n), years, metastatic=False)
    truth = truth_of(frame, mode)
    cutoff = int(np.datetime64(f"{years[1]}-12-31", "D").astype(int))
    outcome = follow(rng, frame, truth, mode, cutoff)
    clinical = frame.drop(columns=["day", "m"]).assign(**outcome[["time", "event", "cause"]])
    return clinical, truth


def check_drawing(n: int, mode: str, years: tuple[int, int]) -> None:
    """Refuse an unknown mode, no patients, and years that are not in order."""
    if mode not in MODES:
        found = f"mode is {mode!r}{nearest(str(mode), MODES)}."
        raise InputError("SL-453", found, f"Choose one of {', '.join(MODES)}.")
    if n < 1 or n % 1 or len(years) != 2 or not 1988 <= years[0] <= years[1] <= 2023:
        found = f"n={n}, years={tuple(years)}."
        raise InputError(
            "SL-454", found, "n is a whole number from 1 on; years are the first and the last, from 1988 to 2023."
        )


def truth_of(frame: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Subgroup, log-hazard and true factors of the tumours in ``frame``."""
    group = group_of(frame)
    truth = pd.DataFrame({"subgroup": pd.Categorical.from_codes(group, list(GROUPS))})
    return truth.assign(log_hazard=log_hazard(frame, mode), **factor_table(group, mode))


def follow(rng: np.random.Generator, frame: pd.DataFrame, truth: pd.DataFrame, mode: str, cutoff: int) -> pd.DataFrame:
    """Follow the tumours until death, loss or the cutoff (a day since 1970-01-01).

    Returns
    -------
    DataFrame (n, 4)
        ``days`` of follow-up, ``time`` in completed months, ``event``, ``cause`` ("", "breast", "other").
    """
    n = len(frame)
    group, eta = truth["subgroup"].cat.codes.to_numpy(), truth["log_hazard"].to_numpy()
    death = 365.24 * death_years(rng.exponential(size=n), group, eta, mode)
    censored = np.minimum(365.24 * rng.exponential(1 / LOST, n), cutoff - frame["day"].to_numpy())
    event = death <= censored
    days = np.floor(np.minimum(death, censored))
    share = np.array(list(BREAST_DEATHS.values()))[np.digitize(frame["age"], list(BREAST_DEATHS)[:-1])]
    cause = np.where(event, 1 + (rng.random(n) >= share), 0)
    months = np.floor(days / MONTH)
    named = pd.Categorical.from_codes(cause, ["", "breast", "other"])
    return pd.DataFrame({"days": days, "time": months, "event": event, "cause": named})
