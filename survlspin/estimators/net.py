"""What all estimators with a net share: data in, members trained as one stack, risks and curves out."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..design import Design, check_leaks
from ..errors import InputError, InputWarning
from ..heads import Cox
from ..nets import Net
from ..outcome import Outcome, check_enough_events
from ..survival import CoxModel, outcome_of, step_functions
from ..train import Data, History, Settings, fit, predict
from ..train.fit import penalty_weights, seeded
from .progress import progress_bar

WIDTHS = "a tuple of whole numbers from 1"
STEP_ROWS = 256  # larger batches count as more than one step where steps are limited
LARGE = 10_000  # training rows from which lr and batch_size "auto" are larger

PARAMETERS = """
    hidden : tuple of int
        Hidden widths of the prediction net.
    ties : {"efron", "breslow"}
        How deaths at one time share a risk set.
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
        Share of the rows, stratified by event, that serve early stopping and the choice of lambda where `fit` is
        given no ``validation_data``. 0: none, train all epochs.
    members : int
        Size of the ensemble. Members share the split and differ by seed; log-risks are averaged.
    groups : {"factor", "column"}
        One gate per variable, or per column of the design matrix as in the paper.
    standardize : bool
        Scale numeric columns to unit standard deviation.
    random_state : int, optional
        Alone decides every number, on one machine and number of threads.
    device : str, optional
        Where to compute; None: the CPU.
    force : bool
        Accept fewer than 10 events and suspect values, with a warning.
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
    center_ : array (members,)
        Mean log-risk of the training rows, subtracted from every prediction.
    baseline_ : Baseline
        Cumulative hazard of a patient with log-risk 0, made from all rows of `fit`.
    unique_times_ : array (K,)
        Times of the rows of `fit`, at which curves are given.
    lam_ : dict
        Weights of the penalties used.
    history_ : History or None
        Best epochs and validation losses of the members; None for a point of a path.
    """


@dataclass(frozen=True, eq=False)
class Problem:
    """One data set prepared for training: what the models of a fit or a path share.

    Attributes
    ----------
    design : Design
        Fitted on all rows of `data`.
    data, valid : Data
        The rows of `fit`, and those that validate; without ``validation_data`` one data set is both.
    rows, valid_rows : int array
        The rows of `data` that train, and those of `valid` that validate (none: ``valid`` is None).
    outcome : Outcome
        Of all rows of `data`.
    seeds : list of int
        One per member: weights, batches and noise.
    """

    head: Cox
    design: Design
    data: Data
    rows: np.ndarray
    valid: Data | None
    valid_rows: np.ndarray
    outcome: Outcome
    seeds: list[int]
    settings: Settings
    verbose: bool

    def limited(self, steps: int) -> Problem:
        """Return the problem with epochs for about `steps` steps at most (of larger batches fewer), but two or more."""
        batch = self.settings.batch_size or len(self.rows)
        epochs = max(math.ceil(steps * min(batch, STEP_ROWS) / len(self.rows)), 2)
        epochs = epochs if self.settings.epochs is None else min(epochs, self.settings.epochs)
        return replace(self, settings=replace(self.settings, epochs=epochs))

    def initialize(self, make: Callable[[int], Net], points: int = 1) -> Net:
        """Return the untrained members, once for every point of a path."""
        seeds = self.seeds * points
        return make(len(seeds)).initialize(seeded(seeds)).to(self.data.x.device)

    def fit(self, net: Net, lam: dict[str, Sequence[float]], label: str) -> History:
        """Train `net`, whose models are the members at the first lambda, the members at the second, ..."""
        members = len(self.seeds)
        weights = penalty_weights(net, {name: np.repeat(value, members) for name, value in lam.items()})
        with progress_bar(label, self.verbose) as progress:
            return fit(
                net, self.head, self.data, [self.rows], weights, seeded(self.seeds * (net.models // members)),
                self.settings, self.valid, [self.valid_rows], progress,
            )  # fmt: skip

    def centers(self, net: Net) -> Tensor:
        """Return each model's mean log-risk over the training rows (B,), weights respected."""
        rows = torch.from_numpy(self.rows)
        weight = self.data.target.weight[0, rows]
        eta = predict(net, self.data.x[rows])[..., 0].double()
        return (eta * weight).sum(1) / weight.sum()

    def risks(self, net: Net, center: Tensor, x: Tensor) -> Tensor:
        """Return the members' mean centred log-risk at each point of a path, (points, n)."""
        eta = predict(net, x)[..., 0].double() - center[:, None]
        return eta.view(-1, len(self.seeds), x.shape[0]).mean(1)


@dataclass(kw_only=True, eq=False, repr=False)
class CoxNet(CoxModel, ABC):
    """A Cox model of the log-risk by a net; its parameters are `PARAMETERS`."""

    uses: ClassVar = frozenset({"entry", "weight", "stratum"})

    hidden: tuple[int, ...] = ()
    ties: str = "efron"
    epochs: int | None = None
    lr: float | str = "auto"
    batch_size: int | str | None = "auto"
    optimizer: str = "adamw"
    weight_decay: float = 0.1
    patience: int = 3
    validation_fraction: float = 0.2
    members: int = 1
    groups: str = "factor"
    standardize: bool = True
    random_state: object = None
    device: str | None = None
    force: bool = False
    verbose: bool = False

    @abstractmethod
    def _net(self, design: Design, head: Cox, models: int) -> Net:
        """Return an untrained net of `models` models for the design."""

    def _lam(self) -> dict[str, float]:
        """Return the penalties' weights by name."""
        return {}

    def fit(self, X, y, validation_data=None):
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
            Predictors; numbers, flags and categories.
        y : any accepted outcome
            See `survlspin.Outcome.of`.
        validation_data : (X, y), optional
            Rows that serve early stopping and the choice of lambda. None: a share of the rows given is set aside.

        Raises
        ------
        InputError
            With the codes of `Outcome` and `Design`; SL-4xx where a setting cannot be used.
        """
        lam, problem = self._lam(), self._problem(X, y, validation_data)
        net = problem.initialize(self._maker(problem))
        history = problem.fit(net, {name: [value] for name, value in lam.items()}, type(self).__name__)
        return self._adopt(problem, net, history, lam)

    def predict(self, X) -> np.ndarray:
        """Return each row's log-risk (n,), relative to the mean of the training rows; higher means earlier events."""
        check_is_fitted(self, "net_")
        eta = predict(self.net_, self._x(self.design_, X))[..., 0].double().cpu().numpy()
        return (eta - self.center_[:, None]).mean(0)

    def predict_cumulative_hazard_function(self, X, return_array: bool = False, stratum=None) -> np.ndarray:
        """Return cumulative hazards: step functions (n,), or an array (n, K) of values at `unique_times_`.

        A model fitted with strata needs each row's: `stratum` (n,).
        """
        risk = self.predict(X)
        hazards = self.baseline_.cumulative_hazard(risk, self.unique_times_, stratum)
        return hazards if return_array else step_functions(self.unique_times_, hazards, 0.0)

    def _maker(self, problem: Problem) -> Callable[[int], Net]:
        return lambda models: self._net(problem.design, problem.head, models)

    def _problem(self, X, y, validation_data) -> Problem:
        """Read and check everything; fit the design."""
        self._check()
        head, device = Cox(self.ties), torch.device(self.device or "cpu")
        outcome = outcome_of(X, y)
        check_enough_events(outcome, self.force)
        check_leaks(X, outcome)
        settings = {"standardize": self.standardize, "groups": self.groups, "force": self.force}
        design = Design.fit(X, weight=outcome.weight, **settings)
        if len(design.columns) > len(outcome):
            found = f"{len(design.columns)} columns for {len(outcome)} rows."
            remedy = "Many fits are equally good on these rows; penalties and early stopping choose among them."
            warnings.warn(InputWarning("SL-220", found, remedy), stacklevel=3)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        split, *seeds = np.random.SeedSequence(seed).generate_state(self.members + 1).tolist()
        data = Data(self._x(design, X), head.prepare(outcome).to(device))
        if validation_data is None:
            rows, valid_rows = self._split(outcome, split)
            valid = data if len(valid_rows) else None
        else:
            rows, (Xv, yv) = np.arange(len(outcome)), validation_data
            check = outcome_of(Xv, yv)
            check_enough_events(check, force=True)
            valid, valid_rows = Data(self._x(design, Xv), head.prepare(check).to(device)), np.arange(len(check))
        settings = self._settings(len(rows))
        return Problem(head, design, data, rows, valid, valid_rows, outcome, seeds, settings, self.verbose)

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
            absent = torch.device(self.device or "cpu").type == "cuda" and not torch.cuda.is_available()
        except RuntimeError as error:
            raise InputError("SL-409", f"there is no device {self.device!r}.", 'Give "cpu" or "cuda".') from error
        if absent:
            raise InputError("SL-409", f"device={self.device!r}, but there is no CUDA device.", "Leave device out.")

    def _rules(self) -> dict[str, tuple[bool, str]]:
        """Return for settings whether each can be used, and what can."""
        batch_size = self.batch_size
        return {
            "members": (is_whole(self.members), "a whole number from 1"),
            "epochs": (self.epochs is None or is_whole(self.epochs), "None or a whole number from 1"),
            "batch_size": (
                batch_size in ("auto", None) or is_whole(batch_size),
                '"auto", None or a whole number from 1',
            ),
            "lr": (self.lr == "auto" or (_is_number(self.lr) and self.lr > 0), '"auto" or a positive number'),
            "weight_decay": (_is_number(self.weight_decay), "a number >= 0"),
            "patience": (is_whole(self.patience), "a whole number from 1"),
            "validation_fraction": (
                _is_number(self.validation_fraction) and self.validation_fraction < 1,
                "a share in [0, 1)",
            ),
            "hidden": (are_widths(self.hidden), WIDTHS),
        }

    def _split(self, outcome: Outcome, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that train and those that validate, stratified by event; each have an event, or all train."""
        happened = outcome.event != 0
        if outcome.weight is not None:
            happened = happened & (outcome.weight > 0)
        if self.validation_fraction == 0 or happened.sum() < 2:
            return np.arange(len(outcome)), np.arange(0)
        rng, kept, held = np.random.default_rng(seed), [], []
        for code in (0, 1):
            rows = rng.permutation(np.flatnonzero(happened == code))
            n = round(self.validation_fraction * len(rows))
            n = min(max(n, 1), len(rows) - 1) if code == 1 else n
            held.append(rows[:n])
            kept.append(rows[n:])
        return np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))

    def _adopt(self, problem: Problem, net: Net, history: History, lam: dict[str, float]):
        """Take on trained members; make the baseline hazard of their average on all rows of `fit`."""
        self._adopt_design(problem.design)
        center = problem.centers(net)
        self.net_, self.center_, self.history_, self.lam_ = net, center.cpu().numpy(), history, lam
        eta = problem.risks(net, center, problem.data.x)[0].cpu()
        self.baseline_ = problem.head.baseline(eta, problem.outcome)
        self.unique_times_ = np.unique(problem.outcome.time)
        return self

    def _x(self, design: Design, X) -> Tensor:
        return torch.from_numpy(design.transform(X)).to(self.device or "cpu")


def is_whole(value: object, least: int = 1) -> bool:
    """Return whether `value` is a whole number from `least`."""
    return isinstance(value, Integral) and value >= least


def are_widths(value: object) -> bool:
    """Return whether `value` is a sequence of whole numbers from 1."""
    return isinstance(value, Sequence) and all(map(is_whole, value))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and 0 <= value < np.inf
