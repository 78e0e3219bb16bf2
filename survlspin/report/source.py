"""What a report is about: the patients, and what models said of those they were judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from survlspin._messages import listed, nearest
from survlspin._patients import labels_of
from survlspin.errors import InputError
from survlspin.outcome import Outcome
from survlspin.runs import Runs
from survlspin.storage import FOLDER, MODEL, load
from survlspin.store import Store
from survlspin.study import Study
from survlspin.survival import CoxModel

from .kept import call_of, digest_of, is_store, model_in

if TYPE_CHECKING:
    from survlspin.tuning import Ledger

__all__ = ["Judged", "Subject", "made_from", "set_apart", "subject_of"]

OTHER = "patients of other data than the models were made from"
EXTERNAL = "external"  # what `survlspin.External` calls its fold
LEVELS = 20  # of a column by which subgroups are told apart
RESTRICTED, LEAST = "no release", 11  # what the licence of a registry's data says, and the smallest count shown then

Probabilities = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Judged:
    """What one fit says of rows that it is judged on.

    Attributes
    ----------
    fold : str
    seed : int
    rows : int array (m,)
        Positions of the rows in the data of the subject.
    trained : int array
        Positions of the rows it was trained on; empty where these are of other data.
    risk : float array (m,)
        Higher means an earlier event.
    probabilities : function
        Of times (k,), the probability of the event by each, (m, k).
    model : fitted estimator, optional
    """

    fold: str
    seed: int
    rows: np.ndarray
    trained: np.ndarray
    risk: np.ndarray
    probabilities: Probabilities
    model: Any = None

    def event_probability(self, times) -> np.ndarray:
        """Return the probability of the event by each of `times` (k,), float64 (m, k); NaN where it is not known."""
        return self.probabilities(np.atleast_1d(np.asarray(times, dtype=np.float64)))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Subject:
    """What is reported on.

    Attributes
    ----------
    kind : {"study", "model"}
        A store of `survlspin run`, or a fitted model.
    path : Path
    data : Study
        The patients that models are judged on; of a study all of its patients.
    models : dict
        Name -> list of `Judged`: of a study one for each fold and seed, of a model one.
    judged_on : str
        What the rows are that models are judged on, in words.
    external : bool
        Whether these are of other data than the models were made from.
    apparent : Judged or None
        The model on the rows it was made from, where these are known.
    development : Study or None
        The data that a model was made from, where they are not `data` and are known.
    runs : Runs or None
    model : fitted estimator or None
        What is specified in full: the fitted model, or the one that a study fits to all rows in the end.
    plan, call : dict
        Of the store, and of the command that began it; empty where they are not known.
    horizons, thresholds : tuple of float
    subgroups : tuple of str
        Columns of the data.
    min_cell : int
        Counts from 1 to this less 1 are hidden; 0: none.
    """

    kind: str
    path: Path
    data: Study
    models: dict[str, list[Judged]]
    judged_on: str
    external: bool
    apparent: Judged | None = None
    development: Study | None = None
    runs: Runs | None = None
    model: Any = None
    plan: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)
    horizons: tuple[float, ...]
    thresholds: tuple[float, ...] = ()
    subgroups: tuple[str, ...] = ()
    min_cell: int = 0

    @cached_property
    def outcome(self) -> Outcome:
        """Of the rows of `data`."""
        return self.data.outcome

    @cached_property
    def patient(self) -> np.ndarray:
        """Each row's patient, int (n,): rows of one number are one patient's."""
        return pd.factorize(labels_of(self.data.X) if self.data.groups is None else self.data.groups)[0]

    @property
    def ledger(self) -> Ledger | None:
        """Every trial of tuning."""
        return None if self.runs is None else self.runs.ledger

    @property
    def reference(self) -> str:
        """The model that the report is about first."""
        return next(iter(self.models))

    @property
    def partial(self) -> str | None:
        """What is unfinished, in words."""
        return None if self.runs is None else self.runs.attrs.get("partial")


def subject_of(
    path: str | Path,
    data: Study,
    *,
    horizons: Sequence[float],
    thresholds: Sequence[float] = (),
    subgroups: Sequence[str] = (),
    min_cell: int | None = None,
    development: Study | None = None,
) -> Subject:
    """Read what a store or a fitted model says of patients.

    Parameters
    ----------
    path : str or Path
        A store of `survlspin run`, or a folder with a fitted model.
    data : Study
        Of a store its own data; of a model the patients to judge it on.
    horizons : sequence of float
        The times by which probabilities of the event are judged, in the unit of the data.
    thresholds : sequence of float
        Probabilities from which one would act; without them there are no decision curves.
    subgroups : sequence of str
        Columns of the data with up to 20 levels.
    min_cell : int, optional
        Counts from 1 to this less 1 are hidden; by default 11 for a cohort whose licence forbids release, else none.
    development : Study, optional
        The data that the model was made from.

    Returns
    -------
    Subject

    Raises
    ------
    InputError
        SL-621 neither a store nor a model; SL-622 data of another study; SL-623, SL-624 horizons; SL-625 thresholds;
        SL-626 subgroups; SL-627 a model of something else than survival; SL-369 a store without any fit.
    """
    _check(data, horizons, thresholds, subgroups)
    asked: dict[str, Any] = {
        "path": Path(path),
        "data": data,
        "call": call_of(path),
        "horizons": tuple(sorted({float(horizon) for horizon in horizons})),
        "thresholds": tuple(sorted({float(threshold) for threshold in thresholds})),
        "subgroups": tuple(subgroups),
        "min_cell": _least(data) if min_cell is None else min_cell,
    }
    return _of_store(**asked) if is_store(path) else _of_model(**asked, development=development)


def _of_store(path: Path, data: Study, **asked: Any) -> Subject:
    from survlspin.protocol import read_runs

    store, runs = Store.read(path), read_runs(path)
    if store.plan["data"]["fingerprint"] != digest_of(data):
        found = f"{data.source} is not the data of this study: its values, rows or columns differ."
        raise InputError("SL-622", found, "Name the file that the study was run on, with the same options.")
    final, external = path / FOLDER, list(runs.folds) == [EXTERNAL]
    return Subject(
        kind="study",
        path=path,
        data=data,
        models={name: _of_runs(runs, name) for name in runs.validation if any(f.model == name for f in runs.fits)},
        judged_on=OTHER if external else "the test rows of each fold, which chose nothing",
        external=external,
        runs=runs,
        model=load(final) if (final / MODEL).exists() else None,
        plan=store.plan,
        **asked,
    )


def _of_runs(runs: Runs, name: str) -> list[Judged]:
    """Return what the fits of a model say, each at the point that was chosen."""
    judged = []
    for fit in runs.fits:
        if fit.model == name:
            fold = runs.folds[fit.fold]
            both = runs.validation[name] == "trained on"
            trained = np.union1d(fold.train, fold.validation) if both else fold.train
            judged.append(Judged(fit.fold, fit.seed, fold.test, trained, fit.risk[fit.chosen], fit.event_probability))
    return judged


def _of_model(path: Path, data: Study, development: Study | None, call: dict[str, Any], **asked: Any) -> Subject:
    model = load(model_in(path) or path)
    name = type(model).__name__
    if not isinstance(model, CoxModel):
        found = f"{path} holds a {name}, which does not predict the survival of one event."
        raise InputError("SL-627", found, "Name another model.")
    known = call.get("fingerprint")
    same = known is not None and known == digest_of(data)
    judged, own, said = _own_rows(model, data, call) if same else _other_rows(model, data, known is not None)
    made_from = not same and development is not None and known == digest_of(development)
    return Subject(
        kind="model",
        path=path,
        data=data,
        models={name: [judged]},
        judged_on=said,
        external=not same and known is not None,
        apparent=own,
        development=development if made_from else None,
        model=model,
        call=call,
        **asked,
    )


def _own_rows(model: CoxModel, data: Study, call: dict[str, Any]) -> tuple[Judged, Judged, str]:
    """Judge a model on rows of the data that it was made from: those set apart, if any were; and on its own."""
    trained, rows = set_apart(data, call)
    if not len(rows):
        own = judged_by(model, data, trained, trained)
        return own, own, "the rows that the model was made from, which flatters it (apparent performance)"
    pair = (judged_by(model, data, each, trained) for each in (rows, trained))
    return *pair, "rows set apart before the fit, which chose nothing"


def made_from(path: str | Path, data: Study) -> np.ndarray | None:
    """Return the positions of the rows of data that a model in a folder or store was made from.

    None where these are not the data, as their fingerprint has it, or where it is not known.
    """
    path, stored = Path(path), is_store(path)
    call = call_of(path)
    known = Store.read(path).plan["data"]["fingerprint"] if stored else call.get("fingerprint")
    if known is None or known != digest_of(data):
        return None
    if not stored:
        return set_apart(data, call)[0]
    return np.arange(len(data.X)) if data.external is None else np.flatnonzero(~data.external)


def set_apart(data: Study, call: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of data that the call of a fit trained on, and those that it set apart before."""
    if not call["test"]:
        return np.arange(len(data.X)), np.arange(0)
    from survlspin.sample import sample_of

    return sample_of(data).apart(call["test"], call["seed"])


def _other_rows(model: CoxModel, data: Study, known: bool) -> tuple[Judged, None, str]:
    """Judge a model on data that it was not made from, as far as that is known."""
    words = {
        True: OTHER,
        False: "patients of whom it is not known whether the model was made from them",
    }
    return judged_by(model, data, np.arange(len(data.X)), np.arange(0)), None, words[known]


def judged_by(model: CoxModel, data: Study, rows: np.ndarray, trained: np.ndarray) -> Judged:
    """Return what a fitted model says of rows of the data."""
    stratified = None not in model.baseline_.curves
    stratum = data.outcome.take(rows).stratum if stratified else None
    risk = model.predict(data.X.iloc[rows])
    known = float(model.unique_times_[-1])

    def probabilities(times: np.ndarray) -> np.ndarray:
        found = 1.0 - model.baseline_.survival(risk, times, stratum)
        found[:, times > known] = np.nan
        return found

    return Judged("all", 0, rows, trained, risk, probabilities, model)


def _least(data: Study) -> int:
    return LEAST if RESTRICTED in data.manifest.get("licence", "").lower() else 0


def _check(data: Study, horizons: Sequence[float], thresholds: Sequence[float], subgroups: Sequence[str]) -> None:
    last = float(data.outcome.time.max())
    if not len(horizons) or not all(np.isfinite(horizon) and horizon > 0 for horizon in horizons):
        found = f"horizons: {listed(horizons) or 'none'}; follow-up is up to {last:g} ({data.unit})."
        raise InputError("SL-623", found, "Name the time by which the event is predicted: horizons=[T].")
    if beyond := [horizon for horizon in horizons if horizon > last]:
        found = f"horizon {listed(beyond)} is beyond the last follow-up, {last:g} ({data.unit})."
        raise InputError("SL-624", found, "Name a time that was reached.")
    if strange := [threshold for threshold in thresholds if not 0 < threshold < 1]:
        found = f"threshold {listed(strange)} is no probability between 0 and 1."
        raise InputError("SL-625", found, "A threshold is the probability from which one would act, as 0.2.")
    for name in subgroups:
        if name not in data.X.columns:
            raise InputError("SL-626", f"subgroup {name!r} is no column{nearest(name, data.X.columns)}.", "Name one.")
        if (n := data.X[name].nunique()) > LEVELS:
            found = f"subgroup {name!r} has {n} different values, more than {LEVELS}."
            raise InputError("SL-626", found, "Make a column of few groups, as age bands.")
