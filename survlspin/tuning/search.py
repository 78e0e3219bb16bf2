"""The search: a study of Optuna that goes on after any interruption as if there had been none."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from .._messages import listed
from .._orphans import stop_orphan
from ..errors import InputError
from ..outcome import Outcome
from ..store import fingerprint, settings_of, versions
from .rows import Rows, Sight
from .spaces import Space, described, rules_out, settings
from .storage import REASON, finished, opened
from .trial import FAILURES, NLL, Trial, criterion_of, reason_of

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

__all__ = ["Search", "best_of", "search", "tuned"]

SECONDS = "seconds"
ASKED = "asked"
GIVEN, VALUE = "given", "value"  # what is kept of the settings as they were given
SEAL = "sha256"  # of what a trial was and found
PENALTIES = ("lam", "alpha")  # what a path goes over


@dataclass(frozen=True, eq=False)
class Search:
    """What was found for one model on one fold.

    Attributes
    ----------
    model : str
    params : dict
        The settings of the best trial; none where those given are as good.
    trials : DataFrame
        One row per trial, in their order: ``trial`` (0 has the settings as they were given), ``state`` (complete,
        failed), ``value``, ``criterion``, ``params`` (JSON), ``reason`` (of a failure), ``seconds``.
    rows : Rows
        What was seen.
    """

    model: str
    params: dict[str, Any]
    trials: pd.DataFrame
    rows: Rows


def search(
    name: str,
    estimator: BaseEstimator,
    space: Space,
    X_train,
    y_train: np.ndarray,
    X_valid,
    y_valid: np.ndarray,
    rows: Rows,
    n_trials: int = 50,
    seed: int = 0,
    storage: Path | str | None = None,
) -> Search:
    """Search the settings of a model on training and validation rows.

    Every trial fits the model on the training rows, on one thread, and is judged on the validation rows: by the Cox
    loss where the model predicts log-risks, else by C (`criterion_of`). Settings are proposed by Optuna's
    tree-structured Parzen estimator, whose seed, like the model's, follows from `seed`, `name` and the number of trials
    finished. Before them the settings are tried as they were given, and kept if none is better, unless the space rules
    them out: it has a setting with a single value, and that is another. A trial that was cut off is made again, so that
    an interrupted search ends as an uninterrupted one. A worker process whose parent is gone ends after its trial.

    Parameters
    ----------
    name : str
        The model's name.
    estimator : estimator
        As `survlspin.baselines.adapt` returns it.
    space : dict
        Setting -> distribution (`space_of`).
    X_train, y_train, X_valid, y_valid, rows
        As `sight_of` cuts them out.
    n_trials : int
        Settings to propose, failed ones included; those that the storage has already are not tried again.
    seed : int
    storage : Path or str, optional
        A journal file, which serves this search alone, or the URL of a database. None: memory.

    Returns
    -------
    Search

    Raises
    ------
    InputError
        SL-373 the storage has a search of this name for something else; SL-374, SL-375, SL-379, SL-361 it cannot be
        used; SL-376 all that was proposed failed; SL-378 no event among the validation rows, or other rows than named.
    """
    sight = Sight(X_train, y_train, X_valid, y_valid, rows)
    _check(name, sight)
    trial = Trial(clone(estimator), sight, criterion_of(estimator))
    asked = _asked(trial, space, seed)
    title = f"{name} · fold {rows.fold}"
    where = str(storage) if isinstance(storage, Path) else f"the search {title!r} in its database"
    with _quiet(), opened(storage) as kept:
        study = _study(kept, title, asked, trial.criterion, where)
        given = [] if rules_out(space, estimator) else [_given(study, trial, _seeds(seed, name, 0)[1])]
        _believe([*given, *finished(study.get_trials(deepcopy=False))], where)
        while len(done := finished(study.get_trials(deepcopy=False))) < n_trials:
            stop_orphan()
            _try(study, trial, space, *_seeds(seed, name, len(done)))
    return _found(name, trial.criterion, rows, given, done[:n_trials])


def tuned(estimator: BaseEstimator, params: Mapping[str, Any], path: bool = False) -> BaseEstimator:
    """Return a clone with the settings that a search found.

    With `path`, its penalty is left as it is: the path goes over it.
    """
    chosen = {key: value for key, value in params.items() if not (path and key.split("__")[-1] in PENALTIES)}
    return clone(estimator).set_params(**chosen)


def _try(study: Study, trial: Trial, space: Space, sampler_seed: int, seed: int) -> None:
    """Make one trial. What is kept of it is kept before it is called finished."""
    from optuna.trial import TrialState

    study.sampler = _sampler(sampler_seed)
    asked = study.ask(space)
    value, said = _tried(trial, asked.params, seed)
    for key, content in said.items():
        asked.set_user_attr(key, content)
    study.tell(asked, value, state=TrialState.FAIL if value is None else None)


def _given(study: Study, trial: Trial, seed: int) -> FrozenTrial:
    """Return the trial of the settings as they were given. Optuna, which did not propose them, does not know of it."""
    from optuna.trial import TrialState, create_trial

    kept = study.user_attrs.get(GIVEN)
    if kept is None:
        value, said = _tried(trial, {}, seed)
        kept = {VALUE: value, **said}
        study.set_user_attr(GIVEN, kept)
    state = TrialState.FAIL if kept[VALUE] is None else TrialState.COMPLETE
    return create_trial(state=state, value=kept[VALUE], user_attrs=kept)


def _tried(trial: Trial, params: dict[str, Any], seed: int) -> tuple[float | None, dict[str, Any]]:
    """Return the value of settings, None where they fail, and what else is kept of them: why, in the end."""
    start = perf_counter()
    try:
        value, reason = trial.value(settings(params), seed), "no number"
    except FAILURES as error:
        value, reason = np.nan, reason_of(error)
    seconds = perf_counter() - start
    if np.isfinite(value):
        return value, {SECONDS: seconds, SEAL: _seal(params, value)}
    return None, {SECONDS: seconds, SEAL: _seal(params, reason), REASON: reason}


def _seal(params: dict[str, Any], found: float | str) -> str:
    """Return a digest of a trial's settings and value, or why it has none."""
    return hashlib.sha256(json.dumps([params, found], sort_keys=True).encode()).hexdigest()


def _believe(trials: list, where: str) -> None:
    """Refuse trials that are not as they were kept (SL-379)."""
    for trial in trials:
        found = trial.user_attrs.get(REASON, "") if trial.value is None else trial.value
        if trial.user_attrs.get(SEAL) != _seal(trial.params, found):
            raise InputError("SL-379", f"{where} is damaged.", "Delete it: its trials are then made again.")


def _study(storage, name: str, asked: dict[str, Any], criterion: str, where: str) -> Study:
    """Make or continue a study; what another process did not end is over."""
    import optuna
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    direction = StudyDirection.MINIMIZE if criterion == NLL else StudyDirection.MAXIMIZE
    study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
    known = study.user_attrs.get(ASKED)
    if known is None:
        study.set_user_attr(ASKED, asked)
    elif known != asked:
        differ = [key for key in asked if known.get(key) != asked[key]]
        found = f"the trials kept of {name!r} were made with another {' and another '.join(differ)}."
        raise InputError("SL-373", found, f"Keep these in another storage, or delete {where}.")
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def _asked(trial: Trial, space: Space, seed: int) -> dict[str, Any]:
    """Return what decides every trial, each in a few characters."""
    X, y, X_valid, y_valid, rows = trial.sight
    parts = {
        "training data": fingerprint(X, y, [rows.train_sha256]),
        "validation data": fingerprint(X_valid, y_valid, [rows.validation_sha256]),
        "model": settings_of(trial.model),
        "space": described(space),
        "seed": seed,
        "criterion": trial.criterion,
        "set of versions": versions(),
    }
    return {name: hashlib.sha256(json.dumps(part).encode()).hexdigest()[:32] for name, part in parts.items()}


def _found(name: str, criterion: str, rows: Rows, given: list, done: list) -> Search:
    """Return the trials as a table, and the settings of the first that is best."""
    entries = [
        {
            "trial": i,
            "state": "failed" if trial.value is None else "complete",
            "value": np.nan if trial.value is None else trial.value,
            "criterion": criterion,
            "params": json.dumps(trial.params),
            "reason": trial.user_attrs.get(REASON, ""),
            "seconds": trial.user_attrs[SECONDS],
        }
        for i, trial in enumerate([*given, *done], 1 - len(given))
    ]
    if all(trial.value is None for trial in done):
        counts = Counter(trial.user_attrs[REASON] for trial in done)
        reasons = listed(f"{why} ({n})" for why, n in counts.most_common())
        found = f"all {len(done)} trials of {name} on fold {rows.fold} failed: {reasons}."
        raise InputError("SL-376", found, "Fit the model once as it is to see why, or give another space.")
    table = pd.DataFrame(entries)
    return Search(name, settings(json.loads(table["params"][best_of(table)])), table, rows)


def best_of(trials: pd.DataFrame) -> int:
    """Return the index label of the best trial of one search, the first of those that are as good."""
    done = trials[trials["state"] == "complete"]
    return (done["value"] if (done["criterion"] == NLL).all() else -done["value"]).idxmin()


def _check(name: str, sight: Sight) -> None:
    rows = sight.rows
    given = [len(part) for part in sight[:4]]
    if given != [len(part) for part in (rows.train, rows.train, rows.validation, rows.validation)]:
        found = f"the search for {name} got {given} rows and names {len(rows.train)} and {len(rows.validation)}."
        raise InputError("SL-378", found, "Cut them out by sight_of.")
    if not Outcome.of(sight.y_valid).n_events:
        found = f"no event among the {len(rows.validation)} validation rows of fold {rows.fold}."
        raise InputError("SL-378", found, "Nothing can be judged on them: use a splitter stratified by event.")


def _seeds(seed: int, name: str, n_done: int) -> tuple[int, int]:
    """Return the sampler's seed and the model's."""
    word = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    first, second = np.random.SeedSequence([seed, word, n_done]).generate_state(2).tolist()
    return first, second


def _sampler(seed: int):
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna 4 calls multivariate experimental
        return TPESampler(seed=seed, multivariate=True, constant_liar=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from logging."""
    from optuna import logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(level)
