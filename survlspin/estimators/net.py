"""What all estimators with a net share, whatever they predict: settings, data in, members trained as one stack."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..base import DesignEstimator
from ..design import Design
from ..errors import InputError, InputWarning
from ..heads import Head
from ..nets import Net
from ..outcome import Outcome
from ..response import Response
from ..train import Data, History, Settings, predict
from ..train.fit import nothing_learnt, unknown_penalty
from .problem import Problem

WIDTHS = "a tuple of whole numbers from 1"
LARGE = 10_000  # training rows from which lr and batch_size "auto" are larger

PARAMETERS = """
    hidden : tuple of int
        Hidden widths of the prediction net.
    epochs : int, optional
        Passes over the training rows at most; None: 30, or on small data as many as make 3,000 steps.
    lr : "auto" or float
        Learning rate. "auto": 0.003, or 0.01 from 10,000 training rows on.
    batch_size : "auto", int or None
        Rows per step, at most; None: all (full batch). "auto": an eighth of the training rows between 32 and 256, or
        512 from 10,000 training rows on.
    optimizer : {"adamw", "adam", "sgd"}
    weight_decay : float
        Pull of the weights towards 0; with "adamw" decoupled from the gradient.
    patience : int
        Evaluations without a better validation objective after which training stops; the best weights are kept.
        There is one evaluation per epoch, but at most one per 20 steps, and one per 200 steps of a longer epoch.
    validation_fraction : float
        Share of the rows, stratified by event or class, that serve early stopping and the choice of lambda where
        `fit` is given no ``validation_data``. 0: none, train all epochs.
    members : int
        Size of the ensemble. Members share the split and differ by seed; their outputs are averaged.
    restarts : int
        Fits per member at a given lambda, of which the best by validation objective is kept. A path has no restarts.
    groups : {"factor", "column"}
        One gate per variable, or per column of the design matrix as in the paper.
    standardize : bool
        Scale numeric columns to unit standard deviation.
    random_state : int, optional
        Alone decides every number, on one machine and number of threads.
    device : str, optional
        Where to compute; None: the CPU.
    force : bool
        Accept suspect values, and fewer than 10 events, with a warning.
    verbose : bool
        Show a progress bar.
    """

ATTRIBUTES = """
    Attributes
    ----------
    net_ : Net
        The trained members.
    design_ : Design
        How X becomes columns; its reference patient is the one whose columns are all 0.
    lam_ : dict
        Weights of the penalties used.
    history_ : History or None
        Best epochs and validation losses of the members; None for a point of a path.
    """


@dataclass(kw_only=True, eq=False, repr=False)
class NetEstimator(DesignEstimator, ABC):
    """An estimator with a net; its parameters are `PARAMETERS`.

    A *method* (how sparsity acts: `_net`, `_lam`) and a *task* (what is predicted: the methods below that) make an
    estimator together.
    """

    hidden: tuple[int, ...] = ()
    epochs: int | None = None
    lr: float | str = "auto"
    batch_size: int | str | None = "auto"
    optimizer: str = "adamw"
    weight_decay: float = 0.1
    patience: int = 3
    validation_fraction: float = 0.2
    members: int = 1
    restarts: int = 1
    groups: str = "factor"
    standardize: bool = True
    random_state: object = None
    device: str | None = None
    force: bool = False
    verbose: bool = False

    # ---- the method ----

    @abstractmethod
    def _net(self, design: Design, head: Head, models: int) -> Net:
        """Return an untrained net of `models` models for the design."""

    def _lam(self) -> dict[str, float]:
        """Return the penalties' weights by name."""
        return {}

    def _train(self, problem: Problem):
        """Fit the members and their restarts, and keep the best by validation objective."""
        lam, members = self._lam(), self.members
        if self.restarts > 1 and problem.valid is None:
            raise InputError("SL-410", "restarts need rows to choose the best by.", "Give validation_data.")
        many = replace(problem, seeds=more_seeds(problem.seeds, members * self.restarts))
        net = many.initialize(self._maker(problem))
        history = many.fit(net, {name: [value] for name, value in lam.items()}, type(self).__name__)
        best = np.sort(np.argsort(history.objective, kind="stable")[:members])
        if history.in_vain[best].any():
            raise nothing_learnt(history.take(best))
        problem = replace(problem, seeds=[many.seeds[i] for i in best])
        return self._adopt(problem, net.rows(best), history.take(best), lam)

    # ---- the task ----

    def _table(self, X, fitting: bool = False):
        """Return X, checked as the task's users expect."""
        return X

    @abstractmethod
    def _learn(self, X, y, sample_weight=None) -> tuple[Outcome | Response, Head, dict[str, object]]:
        """Return what `fit` is to predict, its head, and its terms (classes, unit) as fitted attributes."""

    @abstractmethod
    def _outcome(self, terms: dict[str, object], X, y, sample_weight=None) -> Outcome | Response:
        """Return what other rows are to predict, in the terms of the fit."""

    @abstractmethod
    def _strata(self, outcome) -> np.ndarray:
        """Return codes (n,) within which rows are set aside for validation; both parts need rows of codes above 0."""

    def _finish(self, problem: Problem, eta: Tensor) -> None:
        """Keep what predictions need besides the outputs; `eta` (n, k) are those of all rows of `fit`."""

    # ---- what they share ----

    def _fit(self, X, y, validation_data=None, sample_weight=None):
        return self._train(self._problem(X, y, validation_data, sample_weight))

    def _outputs(self, X) -> np.ndarray:
        """Return the members' mean output for each row, (n, k)."""

        def mean(eta: Tensor, _) -> Tensor:
            return torch.from_numpy((eta.cpu().numpy() - self.center_[:, None]).mean(0))

        return predict(*self._fitted(X), mean).numpy()

    def _maker(self, problem: Problem) -> Callable[[int], Net]:
        return lambda models: self._net(problem.design, problem.head, models)

    def _problem(self, X, y, validation_data, sample_weight=None) -> Problem:
        """Read and check everything; fit the design."""
        self._check()
        X = self._table(X, fitting=True)
        outcome, head, terms = self._learn(X, y, sample_weight)
        device = self._device()
        settings = {"standardize": self.standardize, "groups": self.groups, "force": self.force}
        design = Design.fit(X, weight=outcome.weight, **settings)
        if len(design.columns) > len(outcome):
            found = f"{len(design.columns)} columns for {len(outcome)} rows."
            remedy = "Many fits are equally good on these rows; penalties and early stopping choose among them."
            warnings.warn(InputWarning("SL-220", found, remedy), stacklevel=4)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        split, *seeds = np.random.SeedSequence(seed).generate_state(self.members + 1).tolist()
        data = Data(self._x(design, X), head.prepare(outcome).to(device))
        if validation_data is None:
            rows, valid_rows = self._split(outcome, split)
            valid = data if len(valid_rows) else None
        else:
            rows, Xv = np.arange(len(outcome)), self._table(validation_data[0])
            check = self._outcome(terms, Xv, *validation_data[1:])
            valid, valid_rows = Data(self._x(design, Xv), head.prepare(check).to(device)), np.arange(len(check))
        return Problem(
            head, design, data, rows, valid, valid_rows, outcome, terms, seeds, self._settings(len(rows)), self.verbose
        )

    def _settings(self, n: int) -> Settings:
        """Return how to train on n rows."""
        own = {name: getattr(self, name) for name in ("epochs", "optimizer", "weight_decay", "patience")}
        lr, batch_size = (3e-3, min(max(n // 8, 32), 256)) if n < LARGE else (1e-2, 512)
        return Settings(
            lr=lr if self.lr == "auto" else self.lr,
            batch_size=batch_size if self.batch_size == "auto" else self.batch_size,
            **own,
        )

    def _check(self) -> None:
        """Refuse settings that cannot be used."""
        for name, (good, remedy) in self._rules().items():
            if not good:
                raise InputError("SL-408", f"{name}={getattr(self, name)!r}.", f"Give {remedy}.")
        try:
            torch.zeros(1, device=self._device()).cpu()
        except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
            found = f"device={self.device!r} cannot be used."
            raise InputError("SL-409", found, 'Leave device out, or give "cuda" where there is a GPU.') from error

    def _rules(self) -> dict[str, tuple[bool, str]]:
        """Return for settings whether each can be used, and what can."""
        batch_size = self.batch_size
        return {
            "members": (is_whole(self.members), "a whole number from 1"),
            "restarts": (is_whole(self.restarts), "a whole number from 1"),
            "epochs": (self.epochs is None or is_whole(self.epochs), "None or a whole number from 1"),
            "batch_size": (
                batch_size in ("auto", None) or is_whole(batch_size),
                '"auto", None or a whole number from 1',
            ),
            "lr": (self.lr == "auto" or (is_number(self.lr) and self.lr > 0), '"auto" or a positive number'),
            "weight_decay": (is_number(self.weight_decay), "a number >= 0"),
            "patience": (is_whole(self.patience), "a whole number from 1"),
            "validation_fraction": (
                is_number(self.validation_fraction) and self.validation_fraction < 1,
                "a share in [0, 1)",
            ),
            "hidden": (are_widths(self.hidden), WIDTHS),
        }

    def _split(self, outcome: Outcome | Response, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that train and those that validate; all train where a code above 0 has a single row."""
        code = self._strata(outcome)
        if self.validation_fraction == 0 or not code.any() or np.bincount(code)[1:].min() < 2:
            return np.arange(len(outcome)), np.arange(0)
        rng, kept, held = np.random.default_rng(seed), [], []
        for value in range(code.max() + 1):
            rows = rng.permutation(np.flatnonzero(code == value))
            n = round(self.validation_fraction * len(rows))
            n = min(max(n, 1), len(rows) - 1) if value > 0 else n
            held.append(rows[:n])
            kept.append(rows[n:])
        return np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))

    def _adopt(self, problem: Problem, net: Net, history: History | None, lam: dict[str, float]):
        """Take on trained members."""
        self._adopt_design(problem.design)
        vars(self).update(problem.terms)
        center = problem.centers(net)
        self.net_, self.center_, self.history_, self.lam_ = net, center.cpu().numpy(), history, lam
        self._finish(problem, problem.outputs(net, center, problem.data.x)[0].cpu())
        return self

    def _fitted(self, X) -> tuple[Net, Tensor]:
        """Return the net in float64, and the design of the rows X."""
        check_is_fitted(self, "net_")
        return copy.deepcopy(self.net_).double(), self._x(self.design_, self._table(X))

    def _x(self, design: Design, X) -> Tensor:
        return torch.from_numpy(design.transform(X)).to(self._device())

    def _device(self) -> torch.device:
        return torch.device("cpu" if self.device is None else self.device)


def penalty_weights_of(lam: object, main: str, names: Sequence[str], owner: str) -> dict[str, float]:
    """Return an estimator's ``lam``, a number for its `main` penalty or a dict, as a dict of numbers.

    Raises
    ------
    InputError
        SL-406 where a weight is not a number >= 0; SL-407 where there is no penalty of a name.
    """
    weights = lam if isinstance(lam, dict) else {main: lam}
    for name in weights:
        if name not in names:
            raise unknown_penalty(name, names, owner)
    if main not in weights or not all(map(is_number, weights.values())):
        raise InputError("SL-406", f"lam={lam!r}.", f'Give "auto" or a number >= 0, in a dict for {main!r} at least.')
    return weights


def more_seeds(seeds: Sequence[int], n: int) -> list[int]:
    """Return `seeds`, followed by as many drawn from them as make n."""
    extra = n - len(seeds)
    return [*seeds, *(np.random.SeedSequence(list(seeds)).generate_state(extra).tolist() if extra else ())]


def is_whole(value: object, least: int = 1) -> bool:
    """Return whether `value` is a whole number from `least`."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= least


def are_widths(value: object) -> bool:
    """Return whether `value` is a sequence of whole numbers from 1."""
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(is_whole, value))


def is_number(value: object) -> bool:
    """Return whether `value` is a finite number >= 0."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= value < np.inf
