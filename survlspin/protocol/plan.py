"""What a comparison will do, fixed before anything is fitted: data, folds, units, and what identifies each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._patients import labels_of
from .._sklearn import seeded, takes_validation
from ..baselines import adapt
from ..errors import InputTypeError
from ..folds import Fold, Splitter, default_cv
from ..outcome import Outcome
from ..probes import Probes
from ..splits import PARTS, blocks, check_folds, split_manifest
from ..store import FORMAT, StoreFolder, fingerprint, settings_of, versions
from ..tuning import Ledger, Tuning
from .asked import check_kinds, check_levels, check_paths, horizons_of, seeds_of
from .probabilities import horizons_for
from .unit import Unit, seed_of

__all__ = ["Plan", "plan"]

WHOLE = "as the method needs"


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that a comparison begins with.

    Attributes
    ----------
    models : dict
        Name -> estimator, as `survlspin.baselines.adapt` returns it.
    given, X : DataFrame or array (n, p)
        As given, and with the probes.
    y : structured array (n,)
    labels : Index (n,)
        What the rows are called.
    groups : array (n,) or None
    patient : int array (n,)
        Each row's patient.
    cv : Splitter
    folds : list of Fold
    over : dict
        Model -> the path asked of it.
    seeds : list of int
    probes : Probes or None
    probe_names : tuple of str
    horizons : tuple of float
        The times that were asked for.
    """

    models: dict[str, BaseEstimator]
    given: Any
    X: Any
    y: np.ndarray
    labels: pd.Index
    groups: np.ndarray | None
    patient: np.ndarray
    cv: Splitter
    folds: list[Fold]
    over: Mapping[str, Mapping[str, Any]]
    seeds: list[int]
    probes: Probes | None
    probe_names: tuple[str, ...]
    horizons: tuple[float, ...]

    def units(self, folds: Sequence[Fold], tuned: Mapping[tuple[str, str], BaseEstimator] | None = None) -> list[Unit]:
        """Return the units of work.

        Parameters
        ----------
        folds : list of Fold
            Those of the plan, or what tuning left of them.
        tuned : dict, optional
            (Model, fold) -> the estimator with the settings that tuning found.
        """
        tuned = {} if tuned is None else tuned
        return [
            Unit(
                name,
                tuned.get((name, fold.name), model),
                fold,
                seed_of(seed, k),
                name in self.over,
                self.over.get(name, {}).get("points"),
                self.kept[name],
            )
            for name, model in self.models.items()
            for k, fold in enumerate(folds)
            for seed in self.seeds
        ]

    def about(self, folds: Sequence[Fold], ledger: Ledger | None = None) -> dict[str, Any]:
        """Return what `Runs` says besides the fits, as its arguments."""
        said = {name: "held out" if takes_validation(model) else "trained on" for name, model in self.models.items()}
        description = self.cv.description
        if ledger is not None and len(ledger.trials):
            tuned = f"fold {folds[0].name}, whose patients no fold tests" if ledger.frozen else "every fold for itself"
            description += f"; settings tuned on {tuned}"
        return {
            "folds": {fold.name: fold for fold in folds},
            "validation": said,
            "paths": tuple(self.over),
            "patient": self.patient,
            "description": description,
            "labels": self.labels,
            "probes": self.probe_names,
            "ledger": ledger,
            "splits": split_manifest(
                folds, self.labels, self.y, self.patient, description, getattr(self.cv, "random_state", None)
            ),
            "horizons": self.horizons,
        }

    @cached_property
    def outcome(self) -> Outcome:
        """The outcome of all rows."""
        return Outcome.of(self.y)

    @cached_property
    def kept(self) -> dict[str, tuple[float, ...]]:
        """Model -> the times by which its probabilities are kept."""
        return {name: horizons_for(model, self.outcome, self.horizons) for name, model in self.models.items()}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What every number depends on: the data, and the software."""
        return {
            "data": {
                "fingerprint": fingerprint(self.given, self.y, self.labels, self.groups),
                "rows": len(self.X),
                "columns": self.given.shape[1],
                "events": self.outcome.n_events,
            },
            "versions": versions(),
            "probes": None if self.probes is None else asdict(self.probes),
        }

    def describe(self, tuning: Tuning | None = None) -> dict[str, Any]:
        """Return what a store holds a study to.

        The models that train as one stack, members and points of a path, are fixed here, and never found together at
        run time: how many processes there are changes no number. Models come and go, each with the space of its
        settings; everything else stays.
        """
        found = {} if tuning is None else tuning.described(self.models)
        spaces = found.pop("spaces", {})
        here = tuning is not None and tuning.storage is None  # the trials are kept in the store
        searched = self.folds[:1] if tuning is not None and tuning.frozen(self.cv.disjoint) else self.folds
        return {
            **self.identity,
            "split": {"protocol": self.cv.description, "rows": _digest(self.folds)},
            "seeds": self.seeds,
            "tuning": found or None,
            "models": {
                name: {
                    "settings": settings_of(model),
                    "stack": self._stack(name),
                    "fits": len(self.folds) * len(self.seeds),
                    "space": spaces.get(name),
                    "searches": [fold.name for fold in searched] if here and name in spaces else [],
                    "horizons": self.kept[name],
                }
                for name, model in self.models.items()
            },
        }

    def key(self, unit: Unit) -> str:
        """Return the name of a unit's result, made from all that decides it."""
        settings = settings_of(seeded(unit.estimator, unit.seed))
        facts = {"settings": settings, "fold": _digest([unit.fold]), "path": unit.path, "points": unit.points}
        kept = {"horizons": unit.horizons, "format": FORMAT}
        return StoreFolder.key({**self.identity, **facts, **kept, "seed": unit.seed})

    def _stack(self, name: str) -> dict[str, Any]:
        points = self.over[name].get("points", WHOLE) if name in self.over else 1
        return {"members": getattr(self.models[name], "members", 1), "points": points}


def plan(
    models: Mapping[str, BaseEstimator],
    X,
    y,
    cv: Splitter | None,
    over: Mapping[str, Mapping[str, Any]] | None,
    probes: Probes | None,
    random_state: int | Sequence[int],
    groups,
    horizons: Sequence[float] = (),
) -> Plan:
    """Check all that is asked and make the plan of it; arguments and errors as in `survlspin.run`."""
    X = X if isinstance(X, pd.DataFrame) else np.asarray(X)
    if X.ndim != 2:
        raise InputTypeError(
            "SL-350", f"X has {X.ndim} dimensions.", "Give a DataFrame or an array of rows and columns."
        )
    labels = labels_of(X)
    y = Outcome.of(y, n_rows=len(labels), index=labels).to_y()
    cv = default_cv(len(labels)) if cv is None else cv
    over = {} if over is None else over
    check_kinds(models, cv, probes)
    check_paths(over, models)
    seeds = seeds_of(random_state)
    adapted = {name: adapt(model) for name, model in models.items()}
    groups = None if groups is None else np.asarray(groups)
    patient = pd.factorize(labels if groups is None else groups)[0]
    folds = check_folds(cv.folds(X, y, groups), y, patient)
    given, names = X, tuple[str, ...]()
    if probes is not None:
        names, X = probes.names(X), probes.add(X, within=blocks(folds, len(labels)) if cv.disjoint else None)
    if any(not isinstance(model, Pipeline) and getattr(model, "encode", True) for model in adapted.values()):
        check_levels(X, folds)
    horizons = horizons_of(horizons, y["time"].max())
    return Plan(adapted, given, X, y, labels, groups, patient, cv, folds, over, seeds, probes, names, horizons)


def _digest(folds: Sequence[Fold]) -> str:
    """Return a SHA-256 of the rows of each part."""
    digest = hashlib.sha256()
    for fold in folds:
        for name in PARTS:
            rows = np.ascontiguousarray(getattr(fold, name), dtype="<i8")
            digest.update(f"{name} {len(rows)}\n".encode())
            digest.update(rows.data)
    return digest.hexdigest()
