"""The chapter on the model: all that is needed to use it, and one prediction worked by hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from survlspin.design import Design
from survlspin.fitting import coefficients
from survlspin.survival import CoxModel

from .follow_up import reporting_times
from .kept import model_in
from .parts import Section, Table, Text
from .source import Subject
from .table_one import is_number, scaled

__all__ = ["Worked", "invented", "model_section", "worked"]

DIGITS = ".6g"
NOBODY = (
    "There is no single fitted model to specify: a study fits one to all its rows when it is finished, and only then. "
    "The settings of every model are listed with the protocol."
)
BY_HAND = (
    "The patient is invented: every number is the mean and one standard deviation, every category a level that is not "
    "the reference. The reference patient has the values of the column beside it."
)


@dataclass(frozen=True, eq=False)
class Worked:
    """A prediction worked by hand.

    Attributes
    ----------
    terms : DataFrame
        ``term``, ``value``, ``adds``: what the baseline and each factor or column add to the log-risk. Empty for a
        model whose log-risk is no such sum.
    log_risk : float
        Their sum.
    hazard, probability : arrays (h,)
        The baseline's cumulative hazard by each horizon, and the probability of the event that follows.
    """

    terms: pd.DataFrame
    log_risk: float
    hazard: np.ndarray
    probability: np.ndarray


def model_section(subject: Subject) -> Section:
    """Return the chapter: output 22."""
    lead = "What the fitted model is, in full, and how a prediction follows from it."
    if (model := subject.model) is None:
        return Section("model", "Model", lead, [Text((NOBODY,))], {"model.full": None})
    name, linear = type(model).__name__, hasattr(model, "coef_")
    folder = model_in(subject.path)
    patient = invented(model.design_, subject.data.X)
    found = worked(model, patient, subject.horizons)
    parts = [
        Text((_said(subject, name, found),)),
        _files(folder),
        _settings(model),
        *([_coefficients(model)] if linear else []),
        _encoder(model.design_),
        _baseline(model, subject.horizons),
        Text((BY_HAND,)),
        *_example(model, patient, found, subject),
    ]
    facts = {
        "model.class": name,
        "model.full": f"{name}: weights, coding and baseline hazard are in files with checksums",
        "model.coefficients": "All coefficients are listed" if linear else None,
        "model.specification": f"{name}: settings, coding of every predictor, reference patient, cumulative baseline "
        "hazard at round times, and one prediction worked by hand",
        "model.example_log_risk": found.log_risk,
        "model.example_probability": [float(p) for p in found.probability],
        "model.additive": len(found.terms) > 0,
        "model.gates_see_all": hasattr(model, "gates") and not getattr(model, "context", None),
    }
    return Section("model", "Model", lead, parts, facts)


def invented(design: Design, X: pd.DataFrame) -> pd.DataFrame:
    """Return a patient who is nobody: one row, with the columns of a design.

    Parameters
    ----------
    design : Design
    X : DataFrame
        Of whose numbers he has the mean and one standard deviation.
    """
    values: dict[str, list] = {}
    for variable in design.variables:
        column = X[variable.name]
        if variable.levels is not None:
            values[variable.name] = [next(level for level in variable.levels if level != variable.reference)]
        elif is_number(column):
            number = float(f"{column.mean() + column.std():.3g}")
            values[variable.name] = [round(number) if column.dtype.kind in "iu" else number]
        else:
            values[variable.name] = [next(value for value in sorted(set(column)) if value != variable.reference)]
    return pd.DataFrame(values, index=["invented"])


def worked(model: CoxModel, patient: pd.DataFrame, horizons) -> Worked:
    """Work the prediction for one patient from what is listed of a model.

    Parameters
    ----------
    model : fitted Cox model
    patient : DataFrame (1, variables)
    horizons : sequence of float (h,)
    """
    terms = _terms(model, patient)
    log_risk = float(terms["adds"].sum()) if len(terms) else float(model.predict(patient)[0])
    [(_, (times, log_hazard)), *_] = model.baseline_.curves.items()
    place = np.searchsorted(times, np.asarray(horizons, dtype=float), side="right")
    hazard = np.concatenate([[0.0], np.exp(log_hazard)])[place]
    hazard[np.asarray(horizons) > model.unique_times_[-1]] = np.nan
    return Worked(terms, log_risk, hazard, -np.expm1(-hazard * np.exp(log_risk)))


def _terms(model: CoxModel, patient: pd.DataFrame) -> pd.DataFrame:
    """Return what adds up to the log-risk; no rows where nothing does."""
    names = ["term", "value", "adds"]
    if hasattr(model, "coef_"):
        z = model.design_.transform(patient, dtype=np.float64)[0]
        beta = np.nan_to_num(model.coef_.to_numpy())
        return pd.DataFrame(zip(model.design_.columns, z, beta * z, strict=True), columns=names)
    if not callable(getattr(model, "risk_factors", None)) or not (factors := model.risk_factors(patient)).linear:
        return pd.DataFrame(columns=names)
    frame, start = factors.frame, float(factors.patients()["baseline"].iloc[0])
    own = frame[frame["log_hr"].notna()]
    rows = [("reference patient", "", start), *zip(own["factor"], own["value"], own["log_hr"], strict=True)]
    return pd.DataFrame(rows, columns=names)


def _said(subject: Subject, name: str, found: Worked) -> str:
    rows = "the rows that are not of the other data set" if subject.external else "all rows of the study"
    whose = f"fitted to {rows}, for use" if subject.kind == "study" else "as it was saved"
    how = (
        "The log-risk of a patient is the sum that is worked below"
        if len(found.terms)
        else "The log-risk comes from the nets, whose weights are in the model's folder; it is not a sum of terms"
    )
    return (
        f"{name}, {whose}. {how}; the probability of the event by time t is 1 - exp(-H0(t) exp(log-risk)), H0 being "
        "the cumulative baseline hazard. survlspin.load(folder).predict does the same."
    )


def _files(folder: Path | None) -> Table:
    """Return the files of the model with their checksums."""
    files = [] if folder is None else sorted(path for path in folder.iterdir() if path.is_file())
    rows = [(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return Table("model_files", "Files of the model", pd.DataFrame(rows, columns=["file", "bytes", "SHA-256"]))


def _settings(model: Any) -> Table:
    settings = {**model.get_params(deep=False), **{f"{k} (penalty)": v for k, v in getattr(model, "lam_", {}).items()}}
    frame = pd.DataFrame({"setting": list(settings), "value": [str(value) for value in settings.values()]})
    return Table("model_settings", "Settings", frame)


def _coefficients(model: Any) -> Table:
    frame = coefficients(model).drop(columns="p").dropna(axis=1, how="all")
    note = (
        "hr: hazard ratio for `per` units of the column, against the reference; with 95 % limits where they are known."
    )
    return Table("coefficients", "Coefficients", frame, note, dict.fromkeys(("coef", "hr", "hr_low", "hr_high"), ".4f"))


def _encoder(design: Design) -> Table:
    """Return how values become columns."""
    rows = []
    for variable in design.variables:
        for column in variable.columns:
            if variable.levels is None:
                rule = scaled(str(variable.name), variable, DIGITS)
            else:
                rule = f"1 if {variable.name} is {column.split('[', 1)[-1].removesuffix(']')}, else 0"
            rows.append((column, variable.name, rule))
    note = "The reference patient, whose columns are all 0, has the mean of numbers and the most frequent levels."
    return Table("encoder", "How values become columns", pd.DataFrame(rows, columns=["column", "variable", "is"]), note)


def _baseline(model: CoxModel, horizons: tuple[float, ...]) -> Table:
    """Return the cumulative baseline hazard at round times and at the horizons."""
    last = float(model.unique_times_[-1])
    times = np.union1d(reporting_times(last, 12), [horizon for horizon in horizons if horizon <= last])
    columns: dict[str, np.ndarray] = {"time": times}
    for stratum, (event_times, log_hazard) in model.baseline_.curves.items():
        name = "cumulative hazard" if stratum is None else f"cumulative hazard, stratum {stratum}"
        place = np.searchsorted(event_times, times, side="right")
        columns[name] = np.concatenate([[0.0], np.exp(log_hazard)])[place]
    frame = pd.DataFrame(columns)
    note = (
        "Of a patient with log-risk 0. All steps are in the model's files; they are not listed, as each is a patient's."
    )
    return Table(
        "baseline", "Cumulative baseline hazard", frame, note, {"time": "g", **dict.fromkeys(frame.columns[1:], DIGITS)}
    )


def _example(model: CoxModel, patient: pd.DataFrame, found: Worked, subject: Subject) -> list[Table | Text]:
    """Return the patient, the sum, and the probabilities."""
    reference = [variable.reference for variable in model.design_.variables]
    values = {
        "variable": list(patient),
        "reference patient": map(_plain, reference),
        "invented patient": map(_plain, patient.iloc[0]),
    }
    tables: list[Table | Text] = [
        Table("patient", "An invented patient", pd.DataFrame({k: list(v) for k, v in values.items()}))
    ]
    if len(found.terms):
        total = pd.DataFrame([("log-risk", "", found.log_risk)], columns=found.terms.columns)
        terms = pd.concat([found.terms, total], ignore_index=True)
        terms["value"] = [_plain(value) for value in terms["value"]]
        note = "Value: of the column, coded as above." if hasattr(model, "coef_") else (
            "Value: in the units of the table. What each adds is its open gate times its coefficient times its coded "
            "value, mean over the nets."
        )  # fmt: skip
        tables.append(Table("example", "The log-risk, worked by hand", terms, note, {"adds": DIGITS}))
    steps = pd.DataFrame(
        {
            "horizon": subject.horizons,
            "H0(horizon)": found.hazard,
            "exp(log-risk)": np.exp(found.log_risk),
            "probability": found.probability,
        }
    )
    formats = {"horizon": "g", "H0(horizon)": DIGITS, "exp(log-risk)": DIGITS, "probability": ".4f"}
    stratum = next(iter(model.baseline_.curves))
    note = f"1 - exp(-H0 times exp(log-risk)){'' if stratum is None else f', in stratum {stratum}'}."
    return [*tables, Table("example_risk", "The probability of the event", steps, note, formats)]


def _plain(value: Any) -> str:
    return f"{value:{DIGITS}}" if isinstance(value, float | np.floating) else str(value)
