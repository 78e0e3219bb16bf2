"""scikit-survival's own estimators, and pipelines around them, made to take any X and y of this package."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..errors import InputError
from ..survival import SurvivalEstimator

__all__ = ["Encoded", "adapt"]


class Encoded(SurvivalEstimator):
    """An estimator of scikit-survival, or in its manner, behind the encoding of this package.

    Parameters
    ----------
    estimator : estimator
        Fitted on a numeric array and a structured array of event and time.
    encode : bool
        Whether X is encoded; a pipeline prepares it by itself.

    Attributes
    ----------
    model_ : estimator
        The fitted clone.
    """

    def __init__(self, estimator, encode: bool = True):
        self.estimator = estimator
        self.encode = encode

    def fit(self, X, y) -> Encoded:
        """Fit a clone of the estimator; SL-461 for an outcome with entry times, weights or strata."""
        x, outcome = self._encode(X, y) if self.encode else (X, self._usable_outcome(X, y))
        self.model_ = clone(self.estimator).fit(x, outcome.to_y())
        self.unique_times_ = None
        with suppress(AttributeError, ValueError):  # as scikit-survival's LASSO without a baseline hazard
            self.unique_times_ = self.model_.unique_times_
        return self

    def predict(self, X) -> np.ndarray:
        """Return the risk of each row (n,); the sign of models that predict times is turned."""
        x = self._columns(X)
        predicted = self.model_.predict(x)
        return predicted if getattr(self.model_, "_predict_risk_score", True) else -predicted

    def predict_survival_function(self, X, return_array: bool = False) -> np.ndarray:
        """Return survival curves as the estimator does; SL-465 where it has none."""
        x = self._columns(X)
        model = getattr(self.model_, "best_estimator_", self.model_)  # of a search
        curves = getattr(model, "predict_survival_function", None)
        if curves is None:
            raise InputError("SL-465", f"{type(self.estimator).__name__} has no survival curves.")
        return curves(x, return_array=return_array)

    def _columns(self, X):
        if self.encode:
            return super()._columns(X)
        check_is_fitted(self, "model_")
        return X


def adapt(model: BaseEstimator) -> BaseEstimator:
    """Return an estimator that takes any X and y of this package.

    Estimators of this package, subclasses of them, and pipelines and searches around them are returned as they are. Any
    other is wrapped (`Encoded`): it gets y as event and time, and X encoded unless it is a pipeline, which sees X as it
    is.

    Examples
    --------
    >>> from sksurv.ensemble import RandomSurvivalForest
    >>> adapt(RandomSurvivalForest(n_estimators=10))
    Encoded(estimator=RandomSurvivalForest(n_estimators=10))
    """
    inner, encode = model, True
    while not _ours(inner):
        if isinstance(inner, Pipeline):
            inner, encode = inner.steps[-1][1], False
        elif getattr(inner, "estimator", None) is not None:
            inner = inner.estimator
        else:
            return Encoded(model, encode)
    return model


def _ours(model) -> bool:
    package = __name__.partition(".")[0]
    return any(cls.__module__.partition(".")[0] == package for cls in type(model).__mro__)
