"""What estimators predict: log-risks and curves, classes, or numbers."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import _safe_indexing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)
from torch import Tensor

from .._leaks import check_leaks
from .._messages import rows
from ..errors import InputError
from ..heads import Bernoulli, Cox, Gaussian, Head, Multinomial
from ..outcome import Outcome, check_enough_events
from ..response import Response
from ..survival import CoxModel, outcome_of
from .net import NetEstimator
from .problem import Problem

CONSTANT = 1e-12  # spread, as a share of the largest value, of a target that does not vary

COX_PARAMETERS = """
    ties : {"efron", "breslow"}
        How deaths at one time share a risk set."""

COX_ATTRIBUTES = """
    center_ : array (members, 1)
        Mean log-risk of the training rows, subtracted from every prediction.
    baseline_ : Baseline
        Cumulative hazard of a patient with log-risk 0, made from all rows of `fit`.
    unique_times_ : array (K,)
        Times of the rows of `fit`, at which curves are given.
    """

CLASSIFIER_ATTRIBUTES = """
    classes_ : array (K,)
        The classes, in the order of `predict_proba`.
    """

REGRESSOR_ATTRIBUTES = """
    mean_, scale_ : arrays (targets,)
        Mean and standard deviation of y, whose standardised values are fitted: losses and lambda are in that unit.
    targets_ : tuple
        The shape of one row's y: () or (targets,).
    """


@dataclass(kw_only=True, eq=False, repr=False)
class CoxTask(NetEstimator, CoxModel, ABC):
    """The log-risk of a Cox model."""

    uses: ClassVar = frozenset({"entry", "weight", "stratum"})

    ties: str = "efron"

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
        return self._fit(X, y, validation_data)

    def predict(self, X) -> np.ndarray:
        """Return each row's log-risk (n,), relative to the mean of the training rows; higher means earlier events."""
        return self._outputs(X)[:, 0]

    def _learn(self, X, y, sample_weight=None) -> tuple[Outcome, Cox, dict]:
        if sample_weight is not None:
            raise InputError("SL-166", "sample_weight is given to a Cox model.", "Put the weights into y: weight=.")
        outcome = outcome_of(X, y)
        check_enough_events(outcome, self.force)
        check_leaks(X, outcome)
        return outcome, Cox(self.ties), {}

    def _outcome(self, terms: dict, X, y, sample_weight=None) -> Outcome:
        outcome = outcome_of(X, y)
        check_enough_events(outcome, force=True)
        return outcome

    def _strata(self, outcome: Outcome) -> np.ndarray:
        counts = outcome.event != 0
        return (counts if outcome.weight is None else counts & (outcome.weight > 0)).astype(int)

    def _finish(self, problem: Problem, eta: Tensor) -> None:
        self.baseline_ = problem.head.baseline(eta[:, 0], problem.outcome)
        self.unique_times_ = np.unique(problem.outcome.time)


@dataclass(kw_only=True, eq=False, repr=False)
class PlainTask(NetEstimator, ABC):
    """One y per row, in scikit-learn's manner: X is checked as scikit-learn's own estimators check it."""

    def fit(self, X, y, sample_weight=None, validation_data=None):
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
            Predictors; numbers, flags and categories.
        y : array (n,), for regression also (n, targets)
        sample_weight : array (n,), optional
        validation_data : (X, y) or (X, y, sample_weight), optional
            Rows that serve early stopping and the choice of lambda. None: a share of the rows given is set aside.

        Raises
        ------
        InputError
            SL-161 for a class of one row, SL-162 for a target that does not vary, SL-163 for a single class, SL-164 for
            a class that validates but was not fitted, SL-165 without y; with the codes of `Response` and `Design`;
            SL-4xx where a setting cannot be used.
        """
        return self._fit(X, y, validation_data, sample_weight)

    def _table(self, X, fitting: bool = False):
        """Return X; of a DataFrame only the names are checked, since its columns may be categories."""
        frame = isinstance(X, pd.DataFrame)
        checked = validate_data(self, X, reset=fitting, skip_check_array=frame, ensure_min_samples=2 if fitting else 1)
        return X if frame else checked

    def _problem(self, X, y, validation_data, sample_weight=None) -> Problem:
        if y is None:
            raise InputError("SL-165", "requires y to be passed, but the target y is None.", "Give y.")
        weight = None if sample_weight is None else self._weight(self._table(X, fitting=True), sample_weight)
        if weight is not None and not weight.all():  # rows of weight 0 are not there
            rows = np.flatnonzero(weight)
            X, y, sample_weight = (_safe_indexing(part, rows) for part in (X, y, weight))
        return super()._problem(X, y, validation_data, sample_weight)

    def _weight(self, X, sample_weight) -> np.ndarray | None:
        return None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)


@dataclass(kw_only=True, eq=False, repr=False)
class ClassifierTask(ClassifierMixin, PlainTask, ABC):
    """Classes: the logit of the second of two, or the logits of each of more."""

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of each class (n, K), in the order of ``classes_``."""
        eta = torch.from_numpy(self._outputs(X))
        if eta.shape[1] == 1:
            eta = torch.cat([torch.zeros_like(eta), eta], 1)
        return torch.softmax(eta, 1).numpy()

    def decision_function(self, X) -> np.ndarray:
        """Return the logits (n, K); of two classes the second's log-odds (n,)."""
        eta = self._outputs(X)
        return eta[:, 0] if eta.shape[1] == 1 else eta

    def predict(self, X) -> np.ndarray:
        """Return the likeliest class of each row (n,)."""
        likeliest = self.predict_proba(X).argmax(1)
        return self.classes_[likeliest]

    def _learn(self, X, y, sample_weight=None) -> tuple[Response, Head, dict]:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_consistent_length(X, y)
        classes, count = np.unique(y, return_counts=True)
        if len(classes) < 2:
            raise InputError("SL-163", "y has a single class.", "Give rows of two classes or more.")
        if count.min() < 2:
            raise InputError("SL-161", f"{(count < 2).sum()} of {len(count)} classes has one member only.",
                             "Leave its row out, or join classes.")  # fmt: skip
        terms = {"classes_": classes}
        head = Bernoulli() if len(classes) == 2 else Multinomial(len(classes))
        return self._outcome(terms, X, y, sample_weight), head, terms

    def _outcome(self, terms: dict, X, y, sample_weight=None) -> Response:
        y, classes = column_or_1d(y), terms["classes_"]
        check_consistent_length(X, y)
        code = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        if not (known := classes[code] == y).all():
            raise InputError("SL-164", f"a class that is not among those fitted in {rows(~known)}.", "Leave them out.")
        return Response(code, self._weight(X, sample_weight))

    def _strata(self, outcome: Response) -> np.ndarray:
        return outcome.value + 1


@dataclass(kw_only=True, eq=False, repr=False)
class RegressorTask(RegressorMixin, PlainTask, ABC):
    """Numbers, whose standardised values are fitted by least squares."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X) -> np.ndarray:
        """Return the predicted numbers (n,), or (n, targets) as y was given."""
        standardised = self._outputs(X)
        return (standardised * self.scale_ + self.mean_).reshape(-1, *self.targets_)

    def _learn(self, X, y, sample_weight=None) -> tuple[Response, Head, dict]:
        many = self._numbers(X, y)
        weight, values = self._weight(X, sample_weight), many.reshape(len(many), -1)
        mean = np.average(values, axis=0, weights=weight)
        scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))
        if not (scale > CONSTANT * np.abs(values).max(0)).all():
            raise InputError("SL-162", "the target does not vary.", "There is nothing to learn from it.")
        terms = {"mean_": mean, "scale_": scale, "targets_": many.shape[1:]}
        return self._outcome(terms, X, y, sample_weight), Gaussian(len(mean)), terms

    def _outcome(self, terms: dict, X, y, sample_weight=None) -> Response:
        y = self._numbers(X, y)
        value = (y.reshape(len(y), -1) - terms["mean_"]) / terms["scale_"]
        return Response(value, self._weight(X, sample_weight))

    def _numbers(self, X, y) -> np.ndarray:
        y = check_array(y, ensure_2d=False, allow_nd=False, dtype=np.float64, input_name="y")
        check_consistent_length(X, y)
        return y

    def _strata(self, outcome: Response) -> np.ndarray:
        return np.ones(len(outcome), dtype=int)
