"""The unit of all work: one model on one fold with one seed, once or its whole path."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from .._sklearn import seeded, take, takes_validation
from ..errors import InputWarning
from ..folds import EXTERNAL, Fold
from ..metrics.concordance import concordance_of
from ..outcome import Outcome
from ..runs import Fit
from ..threads import one_thread
from ..usage import usage
from .probabilities import predicted

__all__ = ["Unit", "fit_unit", "name_of", "seed_of", "training_rows"]


@dataclass(frozen=True, eq=False)
class Unit:
    """One model, one fold, one seed.

    Attributes
    ----------
    model : str
        The model's name.
    estimator : estimator
        As `survlspin.baselines.adapt` returns it, with the settings it is to be fitted with.
    fold : Fold
    seed : int
        What every ``random_state`` of the estimator becomes.
    path : bool
        Fit the model's path over its penalty.
    points : int, optional
        Penalties on that path.
    horizons : tuple of float
        Times by which probabilities of the event are kept; none where the model's baseline hazard is.
    """

    model: str
    estimator: BaseEstimator
    fold: Fold
    seed: int
    path: bool = False
    points: int | None = None
    horizons: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        return name_of(self.model, self.fold.name, self.seed)


def name_of(model: str, fold: str, seed: int) -> str:
    """Return what messages call a unit."""
    return f"{model} on fold {fold} with seed {seed}"


def fit_unit(unit: Unit, X, y: np.ndarray) -> Fit:
    """Fit a unit and judge it on its fold's test rows.

    The result depends on the arguments alone: a clone is fitted, its every ``random_state`` is the unit's seed, on one
    thread.

    Parameters
    ----------
    unit : Unit
    X : DataFrame or array (n, p)
    y : structured array (n,)
    """
    fold, model = unit.fold, seeded(unit.estimator, unit.seed)
    rows, validation = training_rows(model, fold), {}
    if takes_validation(model):
        validation = {"validation_data": (take(X, fold.validation), y[fold.validation])}
    X_train, X_test, X_listed = take(X, rows), take(X, fold.test), take(X, fold.listed)
    with one_thread(), warnings.catch_warnings():
        if fold.name != EXTERNAL:  # numbers of one table are in one unit
            warnings.filterwarnings("ignore", "SL-690", InputWarning)
        start = perf_counter()
        fitted = _fit(unit, model, X_train, y[rows], validation)
        seconds = perf_counter() - start
        points = [fitted.at(i) for i in range(len(fitted))] if unit.path else [fitted]
        uses = [usage(point, X_train) for point in points]
        used = np.stack([np.packbits(usage(point, X_listed).used, axis=-1) for point in points])
        risk = np.stack([np.asarray(point.predict(X_test)) for point in points])
        chosen = fitted.chosen if unit.path else 0
        probabilities = predicted(points, chosen, X_test, y[fold.test], risk, unit.horizons)
    outcome = Outcome.of(y[fold.test])
    estimates = [concordance_of(outcome, row) for row in risk]
    frame = pd.DataFrame([use.counts for use in uses]).assign(C=[estimate.value for estimate in estimates])
    frame[["lam", "validation_nll"]] = fitted.frame[["lam", "validation_nll"]].to_numpy() if unit.path else np.nan
    return Fit(
        model=unit.model,
        fold=fold.name,
        seed=unit.seed,
        points=frame,
        chosen=chosen,
        share=pd.DataFrame([use.share for use in uses]),
        risk=risk.astype(np.float32),
        influence=np.array([estimate.influence for estimate in estimates], dtype=np.float32),
        definition=estimates[0].definition,
        seconds=seconds,
        used=used,
        **probabilities,
    )


def training_rows(model: BaseEstimator, fold: Fold) -> np.ndarray:
    """Return the rows a model is fitted on: those of validation, too, where it has no use for them."""
    return fold.train if takes_validation(model) else np.union1d(fold.train, fold.validation)


def seed_of(seed: int, fold: int) -> int:
    """Return the seed of a fold: folds of one seed differ in what they draw from it."""
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


def _fit(unit: Unit, model: BaseEstimator, X, y: np.ndarray, validation: dict[str, Any]):
    """Return the fitted model, or its path."""
    if not unit.path:
        return model.fit(X, y, **validation)
    return model.path(X, y, **validation, **({} if unit.points is None else {"points": unit.points}))
