"""The search for a context: the few variables that gates need to see to choose each patient's risk factors."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from ._patients import labels_of
from .competing import CauseSpecificModel
from .errors import InputError
from .estimators.gate_path import lambda_grid
from .estimators.gated import Gated
from .estimators.net import is_whole, more_seeds
from .estimators.problem import Problem
from .folds import RepeatedKFold, Splitter
from .outcome import Outcome
from .survival import CoxModel
from .train import predict
from .train.fit import fit, penalty_weights, seeded

__all__ = ["ContextSearch", "propose_context"]

SHARES = (0.0025, 0.01, 0.04)  # lambdas of every trial, as shares of the largest of a path
STEPS = 500  # of a trial, at most
JUDGED = 2  # times the rows are dealt out anew to judge the steps of a search
EVERY = "(every factor)"
NONE = "(none)"

Context = tuple[str, ...]
Losses = tuple[np.ndarray, np.ndarray]
"""What each row adds to the mean validation loss (lambdas, n), and the loss of each fold (lambdas, folds)."""


@dataclass(frozen=True, eq=False)
class ContextSearch:
    """What a search found.

    Attributes
    ----------
    context : tuple of str
        The proposed context, for ``context=list(...)``. Empty: gates that see nothing, so that all patients have one
        set of factors.
    table : DataFrame
        A row per context tried, in that order: ``context``, ``size`` and ``tried``, the least validation NLL (mean over
        folds) at any lambda. Of the steps of the search, judged once more, also ``lam``, ``loss``, its difference
        ``worse`` from the least, with the standard error ``se``, ``within``, whether that is at most one standard
        error, and ``chosen``. The last row, of gates that see every factor, is there to compare, and is not to be
        chosen.
    description : str
        How it was searched, and by which rule it is chosen.
    seconds : float
    """

    context: Context
    table: pd.DataFrame
    description: str
    seconds: float


def propose_context(
    estimator: Gated,
    X,
    y,
    candidates: Iterable[str] | None = None,
    most: int = 3,
    cv: int | Splitter = 3,
    *,
    groups=None,
    n_jobs: int = 1,
    random_state: int = 0,
) -> ContextSearch:
    """Search the smallest context whose validation loss is within one standard error of the best.

    Gates that see only the context, which is always listed, leak nothing of factors that are not listed. The search
    goes forward: from gates that see nothing, to the best single variable, to the best one besides it, and on while the
    loss gets smaller. Every context is fitted on each fold's training rows at three lambdas, all of these as one stack,
    stopped and judged on the fold's validation rows; the lambda of the least mean loss counts. The best of many looks
    better than it is: the contexts on the way are therefore fitted once more, on parts dealt anew and from other
    beginnings, and one of them is chosen by these losses alone.

    Parameters
    ----------
    estimator : Cox estimator with ``context``
        Its settings but for `context`, `lam`, `members` and `random_state` are those of the trials.
    X, y
        Rows to learn from. Leave out those that shall test the model.
    candidates : list of str, optional
        Variables that may be context; by default all of X that vary.
    most : int
        Variables of a context, at most.
    cv : int or Splitter
        A number of parts, each of which validates what is fitted to the others, dealt once for the search and twice
        for the choice; or folds, whose training and validation rows are used for both, and never their test rows.
    groups : array (n,), optional
        Patient labels, as of a splitter.
    n_jobs : int
        Processes; the contexts of a step are fitted side by side.
    random_state : int
        Deals out the parts, and begins all fits.

    Returns
    -------
    ContextSearch

    Raises
    ------
    InputError
        SL-653 for an estimator without `context`, SL-654 for numbers that are none, SL-655 where no candidate varies;
        SL-217 for candidates that are no variables; with the codes of the splitter, `Outcome` and `Design`.

    Notes
    -----
    The standard error of the mean difference from the best context is the larger of two: by what each validation row
    adds to both losses (its terms in several folds taken together), and by the spread over folds, in which the chance
    of training is, too. Contexts of nearly equal loss are proposals nearly as good. The patients who judge are those
    of the search: a part of the luck of the best of many stays, and where no variable matters one may be proposed. The
    same rows stopped the fits: the losses are a little too small, of all contexts alike.

    Examples
    --------
    >>> from survlspin import CoxLLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(600, "heterogeneous")
    >>> found = propose_context(CoxLLSPIN(epochs=3), X, y, candidates=["age", "noise_1"], most=1)
    >>> found.table["context"].tolist()
    ['(none)', 'age', 'noise_1', '(every factor)']
    """
    start = time.perf_counter()
    _check(estimator, most, cv)
    trials, judging = _trials(estimator, X, y, cv, groups, random_state)
    names = _candidates(trials.problem, candidates)
    tried: dict[Context, float] = {(): trials.loss(())}
    steps: list[Context] = [()]
    with joblib.Parallel(n_jobs=n_jobs) as parallel:
        while len(steps[-1]) < min(most, len(names)):
            wider = [(*steps[-1], name) for name in names if name not in steps[-1]]
            tried |= zip(wider, parallel(joblib.delayed(trials.loss)(one) for one in wider), strict=True)
            least = min(wider, key=tried.__getitem__)
            if tried[least] >= tried[steps[-1]]:
                break
            steps.append(least)
        again = parallel(joblib.delayed(judging.losses)(one) for one in (*steps, None))
    judged = _judged(steps, again, judging.lam)
    words = (
        f"forward search over {len(names)} variables, {len(tried)} contexts of at most {most}, on {len(trials.folds)} "
        f"folds; its {len(steps)} steps judged once more, on {len(judging.folds)} folds; chosen: the smallest whose "
        "validation loss is within one standard error of the best"
    )
    table = _table(tried, judged)
    return ContextSearch(steps[int(judged["chosen"].argmax())], table, words, time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class _Trials:
    """What trials share: the rows, training and validation rows of each fold, the lambdas, and a seed for each fold."""

    estimator: Gated
    problem: Problem
    folds: Sequence[tuple[np.ndarray, np.ndarray]]
    lam: np.ndarray
    seeds: Sequence[int]

    def loss(self, context: Context) -> float:
        """Return the mean validation loss of a context at the best lambda."""
        return float(self.losses(context)[1].mean(axis=1).min())

    def losses(self, context: Context | None) -> Losses:
        """Fit a context at each lambda and fold, and return its losses."""
        problem, (training, validation) = self.problem, zip(*self.folds, strict=True)
        seeds = np.repeat(self.seeds, len(self.lam)).tolist()
        own = clone(self.estimator).set_params(context=None if context is None else list(context))
        net = own._net(problem.design, problem.head, len(seeds)).initialize(seeded(seeds)).to(problem.data.x.device)
        lam = penalty_weights(net, {"gates": np.tile(self.lam, len(self.folds)).tolist()})
        fit(
            net, problem.head, problem.data, training, lam, seeded(seeds), problem.settings, problem.data, validation
        )  # fmt: skip
        out, by_fold = np.zeros((len(self.lam), len(problem.data.x))), []
        for k, rows in enumerate(validation):
            index = torch.from_numpy(rows).to(problem.data.x.device)
            each = net.rows(range(k * len(self.lam), (k + 1) * len(self.lam)))
            eta = predict(each, problem.data.x[index]).double()
            parts = problem.head.contributions(eta, problem.data.target.take(index[None])).cpu().numpy()
            out[:, rows] += parts / len(self.folds)
            by_fold.append(parts.sum(axis=1))
        return out, np.stack(by_fold, axis=1)


def _check(estimator, most, cv) -> None:
    if not isinstance(estimator, Gated) or not isinstance(estimator, CoxModel | CauseSpecificModel):
        found = f"{type(estimator).__name__} has no context for its gates."
        raise InputError("SL-653", found, "Give a Cox estimator that has, such as CoxLLSPIN().")
    if not is_whole(most) or not (isinstance(cv, Splitter) or is_whole(cv, 2)):
        raise InputError("SL-654", f"most={most!r}, cv={cv!r}.", "Give whole numbers, most=3 and cv=3, or a splitter.")


def _trials(estimator: Gated, X, y, cv: int | Splitter, groups, seed: int) -> tuple[_Trials, _Trials]:
    """Deal out the rows, prepare those that are used, and choose the lambdas: for the search, and to judge it."""
    labels = labels_of(X)
    causes = isinstance(estimator, CauseSpecificModel)
    y = Outcome.of(y, n_rows=len(labels), index=labels, causes=causes).to_y()
    if isinstance(cv, Splitter):
        folds = [(fold.train, fold.validation) for fold in cv.folds(X, y, groups)] * 2
        searched = len(folds) // 2
    else:
        folds, searched = list(RepeatedKFold(cv, 1 + JUDGED, seed).split(X, y, groups)), cv
    used = np.unique(np.concatenate([rows for fold in folds for rows in fold]))
    place = [(np.searchsorted(used, train), np.searchsorted(used, validation)) for train, validation in folds]
    own = clone(estimator).set_params(context=None, lam=0.0, members=1, random_state=seed)
    problem = own._problem(_safe_indexing(X, used), y[used], None)
    train, validation = place[0]
    problem = replace(
        problem, rows=train, valid=problem.data, valid_rows=validation, settings=own._settings(len(train))
    )
    problem = problem.limited(STEPS)
    dense = problem.initialize(own._maker(problem))
    problem.fit(dense, {"gates": [0.0]}, "dense fit")
    lam = lambda_grid(problem, dense, 2)[-1] * np.array(SHARES)
    seeds = more_seeds(problem.seeds, len(place))

    def some(part: slice) -> _Trials:
        return _Trials(own, problem, place[part], lam, seeds[part])

    return some(slice(searched)), some(slice(searched, None))


def _candidates(problem: Problem, asked: Iterable[str] | None) -> list[str]:
    design = problem.design
    names = [v.name for v in design.variables] if asked is None else [asked] if isinstance(asked, str) else list(asked)
    names = [name for name in dict.fromkeys(names) if len(design.column_index(name))]
    if not names:
        raise InputError("SL-655", "no candidate for the context varies.", "Name variables that do.")
    return names


def _judged(steps: list[Context], losses: Sequence[Losses], lam: np.ndarray) -> pd.DataFrame:
    """Return a row for each step and for gates that see every factor, and mark the step to choose."""
    place = [int(by_fold.mean(axis=1).argmin()) for _, by_fold in losses]
    parts, by_fold = (np.stack([each[k][i] for each, i in zip(losses, place, strict=True)]) for k in (0, 1))
    loss = by_fold.mean(axis=1)
    best = int(loss[:-1].argmin())
    worse, se = loss - loss[best], _standard_error(parts - parts[best], by_fold - by_fold[best])
    chosen = np.flatnonzero((worse <= se)[:-1])[0]  # every step is larger than those before it
    return pd.DataFrame(
        {
            "lam": lam[place],
            "loss": loss,
            "worse": worse,
            "se": se,
            "within": worse <= se,
            "chosen": np.arange(len(loss)) == chosen,
        },
        index=[*map(_name, steps), EVERY],
    )


def _table(tried: dict[Context, float], judged: pd.DataFrame) -> pd.DataFrame:
    """Return the table of all contexts, with what is known of those that were judged."""
    sizes = pd.array([*map(len, tried), None], dtype="Int64")
    table = pd.DataFrame({"context": [*map(_name, tried), EVERY], "size": sizes, "tried": [*tried.values(), np.nan]})
    table = table.join(judged, on="context")
    flags = ["within", "chosen"]
    return table.assign(**table[flags].astype("boolean").fillna(False).astype(bool))


def _name(context: Context) -> str:
    return " + ".join(context) or NONE


def _standard_error(parts: np.ndarray, by_fold: np.ndarray) -> np.ndarray:
    """Return the larger standard error of mean differences: by rows (contexts, n), and by folds (contexts, folds)."""
    parts, folds = parts[:, (parts != 0).any(axis=0)], by_fold.shape[1]  # of Cox the events
    if parts.shape[1] < 2:
        return np.zeros(len(parts))
    rows = parts.std(axis=1, ddof=1) * np.sqrt(parts.shape[1])
    return rows if folds < 2 else np.maximum(rows, by_fold.std(axis=1, ddof=1) / np.sqrt(folds))
