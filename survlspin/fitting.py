"""Fitting one model to a table: the saved model, what it selects, and how well it predicts rows set apart."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score

from survlspin import __version__
from survlspin._messages import listed, nearest
from survlspin._patients import labels_of
from survlspin.base import DesignEstimator
from survlspin.competing import CompetingRisksEstimator
from survlspin.design import Design
from survlspin.errors import InputError
from survlspin.estimators.net import NetEstimator
from survlspin.estimators.tasks import ClassifierTask
from survlspin.factors import SetTable
from survlspin.metrics.concordance import concordance_of
from survlspin.metrics.estimate import logit_interval
from survlspin.outcome import Outcome
from survlspin.sample import Sample
from survlspin.storage import FOLDER, check_target, registry
from survlspin.store import fingerprint, versions
from survlspin.survival import SurvivalEstimator
from survlspin.tables import write_csv

__all__ = ["KEPT", "coefficients", "described", "execute", "model_of", "task_of"]

MEMBERS = dict.fromkeys(("CoxLLSPIN", "CoxLSPIN", "DeepSurv"), 10)  # of ensembles, as in `survlspin run`
KEPT = "fit.json"  # what is kept of a fit
TASKS = ("survival", "classes", "numbers")
MEASURES = dict(zip(TASKS, ("C", "accuracy", "R2"), strict=True))
TABLES = ("coefficients.csv", "selection.csv", "factors.csv", "sets.csv", "path.csv")
COEFFICIENTS = ("column", "factor", "per", "coef", "hr", "hr_low", "hr_high", "p")


def task_of(name: str) -> str:
    """Return what the model of a name predicts: "survival", "classes" or "numbers".

    Raises
    ------
    InputError
        SL-551 where there is no such model, SL-607 where it is of competing risks.
    """
    known = registry()
    here = [other for other, cls in known.items() if not issubclass(cls, CompetingRisksEstimator)]
    if name not in known:
        found = f"--model {name!r} is unknown{nearest(name, here)}."
        raise InputError("SL-551", found, f"There are {listed(sorted(here), 99)}.")
    if name not in here:
        remedy = "In Python it has fit, score and save; here take a model of one event, and --event-code."
        raise InputError("SL-607", f"{name} models competing causes, which this command does not.", remedy)
    cls = known[name]
    return TASKS[0] if issubclass(cls, SurvivalEstimator) else TASKS[1 if issubclass(cls, ClassifierTask) else 2]


def model_of(
    name: str,
    *,
    lam: str | None = None,
    members: int | None = None,
    context: Collection[str] = (),
    settings: Iterable[str] = (),
    seed: int = 0,
    force: bool = False,
) -> DesignEstimator:
    """Return the model of a name, not fitted.

    Parameters
    ----------
    name : str
        A public name, as ``"CoxLLSPIN"``.
    lam : str, optional
        ``"auto"`` or a number.
    members : int, optional
        Nets in the ensemble; by default as in `survlspin run`, and for other models one.
    context : collection of str
        The variables that alone the gates may see; none: all.
    settings : iterable of str
        Further parameters, ``"name=value"``, values as in JSON or plain text.
    seed : int
    force : bool

    Raises
    ------
    InputError
        SL-551 no such model; SL-553 a setting that it does not have; SL-555 a value that cannot be read.
    """
    task_of(name)
    cls = registry()[name]
    known = cls._get_param_names()
    shorthand = {"lam": lam and _lam(lam), "members": members, "context": list(context) or None}
    asked = [(f"--{name}", name, value) for name, value in shorthand.items() if value is not None]
    asked += [(f"--set {setting}", *_setting(setting)) for setting in settings]
    standard = {"members": MEMBERS.get(name, 1), "random_state": seed, "force": force}
    usual = {**cls().get_params(), **{option: value for option, value in standard.items() if option in known}}
    for said, option, value in asked:
        if option not in known:
            found = f"{said}: {name} has no {option!r}{nearest(option, known)}."
            raise InputError("SL-553", found, f"It has {listed(known, 99)}.")
        if isinstance(value, str) and not isinstance(usual[option], str | None):
            remedy = f"Write values as in JSON; by default it is {json.dumps(usual[option])}."
            raise InputError("SL-555", f"{said}: {value!r}.", remedy)
    return cls(**{**usual, **{option: value for _, option, value in asked}})


def execute(
    model: DesignEstimator,
    sample: Sample,
    out: Path,
    test: float = 0.0,
    seed: int = 0,
    shown: bool = False,
    call: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Fit the model, save it and what it says of each row, and judge it.

    Parameters
    ----------
    model : estimator
        From `model_of`.
    sample : Sample
    out : Path
        An existing folder. In it ``model`` is a saved model, for `survlspin.load`.
    test : float
        Share of the rows (of whole patients) that are set apart before anything is fitted.
    seed : int
        Draws them.
    shown : bool
        Show a progress bar.
    call : dict, optional
        The options of the command, which are kept beside the model, for reports.

    Returns
    -------
    dict
        Plain values.

    Raises
    ------
    InputError
        SL-547 where ``model`` in that folder is something else than a saved model; with the codes of the model's `fit`.
    """
    check_target(out / FOLDER, overwrite=True)
    fitted_rows, test_rows = sample.apart(test, seed) if test else (np.arange(len(sample)), np.arange(0))
    rest, kept = sample.take(fitted_rows), sample.take(test_rows)
    if test:
        Design.fit(rest.X, force=True).transform(kept.X)  # levels that training lacks are refused before the work
    quiet = model.get_params().get("verbose")
    if quiet is not None:
        model.set_params(verbose=shown or quiet)
    valid_rows = _fit(model, rest, seed)
    if quiet is not None:
        model.set_params(verbose=quiet)
    for name in TABLES:  # of another model that was fitted before
        (out / name).unlink(missing_ok=True)
    patients, files = _explain(model, sample.X, out)
    if hasattr(model, "path_"):
        model.path_.to_csv(out / "path.csv", index=False)
        files.append(out / "path.csv")
    model.save(out / FOLDER, overwrite=True)
    (out / KEPT).write_text(json.dumps(_memory(sample, test, seed, call or {}), indent=1) + "\n", encoding="utf-8")
    return {
        **described(model, sample),
        "fitted_rows": len(rest),
        "chosen": hasattr(model, "path_") or getattr(model, "alpha", None) == "auto",
        "lam": getattr(model, "lam_", None) or ({"alpha": model.alpha_} if hasattr(model, "alpha_") else {}),
        "validation": _judged(model, rest.take(valid_rows)),
        "test": _judged(model, kept),
        "per_patient": patients,
        "out": str(out),
        "files": [str(path) for path in (*files, out / KEPT, out / FOLDER)],
    }


def _memory(sample: Sample, test: float, seed: int, call: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a fit: its call, and what the data were, by which they are known again."""
    return {
        "version": __version__,
        "versions": versions(),
        "options": dict(call),
        "fingerprint": fingerprint(sample.X, sample.y, labels_of(sample.X), sample.groups),
        "rows": len(sample),
        "test": test,
        "seed": seed,
        "unit": sample.unit,
    }


def described(model: DesignEstimator, sample: Sample) -> dict[str, Any]:
    """Return what was read and what is fitted to it, as plain values."""
    numbers = [variable.name for variable in sample.design.variables if variable.levels is None]
    categories = [variable.name for variable in sample.design.variables if variable.levels is not None]
    survival, classes = sample.task == "survival", sample.task == "classes"
    return {
        "version": __version__,
        "source": sample.source,
        "task": sample.task,
        "rows": len(sample),
        "events": Outcome.of(sample.y).n_events if survival else None,
        "target": sample.target,
        "classes": {str(label): int(n) for label, n in pd.Series(sample.y).value_counts().items()} if classes else None,
        "time_unit": sample.unit,
        "numbers": numbers,
        "categories": categories,
        "dropped": sample.design.dropped,
        "notes": list(sample.design.notes),
        "model": type(model).__name__,
        "settings": repr(model),
        "stopped": isinstance(model, NetEstimator),
    }


def _fit(model: DesignEstimator, sample: Sample, seed: int) -> np.ndarray:
    """Fit the model; return the positions of the rows that validated it, maybe none."""
    X, y = sample.X, sample.y
    if isinstance(model, NetEstimator) and sample.groups is None:
        problem = model._problem(X, y, None, sample.weight)  # what `fit` does; it sets its own rows apart
        model._train(problem)
        return problem.valid_rows
    weighted = {} if sample.weight is None else {"sample_weight": sample.weight}
    if "validation_data" not in inspect.signature(model.fit).parameters:
        model.fit(X, y, **weighted)
        return np.arange(0)
    if model.validation_fraction == 0:
        model.fit(X, y, **weighted)
        return np.arange(0)
    train_rows, valid_rows = sample.apart(model.validation_fraction, seed)
    train, valid = sample.take(train_rows), sample.take(valid_rows)
    weighted = {} if sample.weight is None else {"sample_weight": train.weight}
    checked = (valid.X, valid.y) if sample.weight is None else (valid.X, valid.y, valid.weight)
    model.fit(train.X, train.y, validation_data=checked, **weighted)
    return valid_rows


def _judged(model: DesignEstimator, sample: Sample) -> dict[str, Any] | None:
    """Return how well the model predicts rows, with its 95 % interval where there is one; None without rows."""
    if not len(sample):
        return None
    measure = MEASURES[sample.task]
    predicted, weight = model.predict(sample.X), sample.weight
    if measure == "C":
        found = concordance_of(Outcome.of(sample.y), predicted)
        value, low, high, words = found.value, found.low, found.high, found.definition
    elif measure == "accuracy":
        hit, share = predicted == sample.y, np.ones(len(sample)) if weight is None else weight
        share = share / share.sum()
        value = float(share @ hit)
        low, high = logit_interval(value, float(np.sqrt(share**2 @ (hit - value) ** 2)))
        words = "share of rows whose likeliest class is theirs; 95% on the logit scale"
    else:
        value, low, high = float(r2_score(sample.y, predicted, sample_weight=weight)), None, None
        words = "1 - squared error / that of the mean of these rows"
    numbers = {"value": value, "low": low, "high": high}
    numbers = {name: None if v is None or not np.isfinite(v) else float(v) for name, v in numbers.items()}
    return {"measure": measure, **numbers, "rows": len(sample), "definition": words}


def _explain(model: DesignEstimator, X: pd.DataFrame, out: Path) -> tuple[dict[str, Any], list[Path]]:
    """Write coefficients, what is selected, and each row's factors; return a summary, and the files."""
    files: list[Path] = []
    summary: dict[str, Any] = {}
    if hasattr(model, "coef_"):
        files.append(out / "coefficients.csv")
        write_csv([coefficients(model)], files[-1], COEFFICIENTS)
    if hasattr(model, "selected"):
        used = model.selected(X)
        table = pd.DataFrame({"factor": list(used), "share": used.mean().to_numpy()})
        table["gate"] = model.gates(X).mean().to_numpy() if hasattr(model, "gates") else np.nan
        table["reference"] = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in model.design_.reference]
        table = table.sort_values("share", ascending=False, kind="stable")
        files.append(out / "selection.csv")
        write_csv([table], files[-1], table.columns)
        counts = used.sum(axis=1)
        summary |= {"factors_median": float(counts.median()), "factors_mean": float(counts.mean())}
        sets = SetTable(_sets(used))
        if hasattr(model, "risk_factors"):
            factors = model.risk_factors(X)
            sets, summary["note"] = factors.sets(), factors.note
            files.append(out / "factors.csv")
            factors.to_csv(files[-1])
        files.append(out / "sets.csv")
        sets.to_csv(files[-1])
        summary |= {"n_sets": len(sets.frame), "selection": json.loads(table.to_json(orient="records"))}
        summary["sets"] = json.loads(sets.frame.head(5).to_json(orient="records"))
    return summary, files


def _sets(used: pd.DataFrame) -> Counter:
    """Count the rows that share each set of factors."""
    names = np.array(sorted(used), dtype=object)
    sets, n = np.unique(used[names].to_numpy(), axis=0, return_counts=True)
    return Counter({" + ".join(names[row]) or "(none)": int(count) for row, count in zip(sets, n, strict=True)})


def coefficients(model: DesignEstimator) -> pd.DataFrame:
    """Return the coefficients: ``hr`` is the hazard ratio for ``per`` units of the column, with limits where known.

    A model that does not predict survival has no hazard ratios.
    """
    coef, design = model.coef_.to_numpy(), model.design_
    log_hr = coef if isinstance(model, SurvivalEstimator) else np.full(len(coef), np.nan)
    nothing = np.full(len(coef), np.nan)
    low, high = model.confidence_intervals_.to_numpy().T if hasattr(model, "confidence_intervals_") else [nothing] * 2
    p = model.summary()["p"].to_numpy() if hasattr(model, "summary") else nothing
    factor = np.array(design.factors, dtype=object)[design.group]
    cells = (list(design.columns), factor, design.scale, coef, np.exp(log_hr), np.exp(low), np.exp(high), p)
    return pd.DataFrame(dict(zip(COEFFICIENTS, cells, strict=True)))


def _lam(text: str) -> str | float:
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise InputError("SL-555", f"--lam {text!r}.", "Give auto or a number.") from None


def _setting(text: str) -> tuple[str, Any]:
    """Return name and value of ``"name=value"``: as JSON has it, lists as tuples; anything else is text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError("SL-555", f"--set {text!r}.", "Write --set NAME=VALUE.")
    try:
        read = json.loads(value)
    except ValueError:
        return name, value
    return name, tuple(read) if isinstance(read, list) else read
