"""What is asked of a comparison, checked before anything is fitted."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator

from .._messages import listed, nearest
from ..competing import CompetingRisksEstimator
from ..errors import InputError, InputTypeError
from ..folds import Fold, Splitter
from ..probes import Probes

__all__ = ["check_kinds", "check_levels", "check_paths", "horizons_of", "seeds_of"]


def check_kinds(models: Mapping[str, Any], cv: Any, probes: Any) -> None:
    """Refuse what are no models, is no estimator, no splitter, no probes (SL-350); models of many causes (SL-607)."""
    if not isinstance(models, Mapping) or not models:
        found = f"models is {'empty' if isinstance(models, Mapping) else f'a {type(models).__name__}'}."
        raise InputTypeError("SL-350", found, "Give estimators by name: {'Cox': CoxPH()}.")
    for name, model in models.items():
        if not isinstance(model, BaseEstimator):
            raise InputTypeError(
                "SL-350", f"{name} is a {type(model).__name__}.", "Give an estimator in scikit-learn's manner."
            )
        if isinstance(model, CompetingRisksEstimator):
            found = f"{name} ({type(model).__name__}) models competing causes; folds are compared on one event."
            remedy = "Compare models of one event, event_of_interest=1; or fit this one and take survlspin.metrics."
            raise InputError("SL-607", found, remedy)
    if not isinstance(cv, Splitter):
        raise InputTypeError("SL-350", f"cv is a {type(cv).__name__}.", "Use TrainOneTestNine or RepeatedKFold.")
    if not isinstance(probes, Probes | None):
        raise InputTypeError("SL-350", f"probes is a {type(probes).__name__}.", "Use Probes().")


def check_paths(over: Mapping[str, Mapping[str, Any]], models: Mapping[str, Any]) -> None:
    """Refuse a path that cannot be had (SL-347)."""
    for name, asked in over.items():
        if name not in models:
            raise InputError("SL-347", f"over names {name!r}, which is no model{nearest(name, models)}.")
        path = getattr(models[name], "path", None)
        if set(asked) - {"points"} != {"lam"} or asked["lam"] != "path" or path is None:
            raise InputError(
                "SL-347",
                f"over asks {asked} of {name} ({type(models[name]).__name__}).",
                'Ask {"lam": "path"} or {"lam": "path", "points": 12} of models that have a path.',
            )
        if "points" in asked and "points" not in inspect.signature(path).parameters:
            found = f"over asks {name} for {asked['points']} points, and its path has as many as its own settings say."
            raise InputError("SL-347", found, f"Set {type(models[name]).__name__}(n_alphas=...), and leave points out.")


def seeds_of(random_state: int | Sequence[int]) -> list[int]:
    """Return the seeds; refuse what is none (SL-348)."""
    seeds = np.atleast_1d(random_state)
    if seeds.dtype.kind not in "iu" or (seeds < 0).any() or not len(seeds):
        raise InputError("SL-348", f"random_state={random_state!r}.", "Give a whole number from 0, or several.")
    return [int(seed) for seed in seeds]


def horizons_of(horizons: Sequence[float], longest: float) -> tuple[float, ...]:
    """Return the horizons, ascending; refuse what is no time of the follow-up, which ends at `longest` (SL-391)."""
    found = np.atleast_1d(np.asarray(horizons, dtype=np.float64))
    if found.ndim != 1 or not ((found > 0) & (found <= longest)).all():
        what = f"horizons={horizons!r}, and the follow-up ends at {longest:g}."
        raise InputError("SL-391", what, "Give times above 0 that somebody was followed to, in the unit of the data.")
    return tuple(np.unique(found).tolist())


def check_levels(X, folds: list[Fold]) -> None:
    """Refuse categories that a fold tests or validates on without training on them: no model can predict them."""
    table = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    short = {}
    for name, column in table.items():
        if is_numeric_dtype(column.dtype):
            continue
        codes, levels = pd.factorize(column)
        trained = [np.bincount(codes[fold.train] + 1, minlength=len(levels) + 1)[1:] for fold in folds]
        short[name] = int((np.min(trained, axis=0) == 0).sum())
    if any(short.values()):
        found = listed(f"{name!r} has {n}" for name, n in short.items() if n)
        raise InputError(
            "SL-351",
            f"Levels so rare that the training rows of some fold have none: {found}.",
            'Merge them, as in X[c].where(X[c].isin(X[c].value_counts().index[:10]), "other"), or use fewer folds.',
        )
