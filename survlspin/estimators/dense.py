"""Plain dense nets."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from .. import nets
from ..design import Design
from ..heads import Head
from ..nets import Net
from .net import ATTRIBUTES, PARAMETERS, NetEstimator
from .tasks import (
    CLASSIFIER_ATTRIBUTES,
    COX_ATTRIBUTES,
    COX_PARAMETERS,
    REGRESSOR_ATTRIBUTES,
    ClassifierTask,
    CoxTask,
    RegressorTask,
)


@dataclass(kw_only=True, eq=False, repr=False)
class _Dense(NetEstimator, ABC):
    hidden: tuple[int, ...] = (16,)

    def _net(self, design: Design, head: Head, models: int) -> Net:
        return nets.Dense(len(design.columns), self.hidden, head, models=models)


@dataclass(kw_only=True, eq=False, repr=False)
class DeepSurv(_Dense, CoxTask):
    __doc__ = f"""DeepSurv: a Cox model whose log-risk is a dense net of all factors.

    Parameters
    ----------{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{COX_ATTRIBUTES}
    References
    ----------
    Katzman et al.: DeepSurv: personalized treatment recommender system using a Cox proportional hazards deep neural
    network, BMC Medical Research Methodology 2018.

    Examples
    --------
    >>> from survlspin import DeepSurv
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = DeepSurv(epochs=5, random_state=0).fit(X, y)
    >>> model.predict_survival_function(X[:3], return_array=True).shape[0]
    3
    """


@dataclass(kw_only=True, eq=False, repr=False)
class DenseClassifier(_Dense, ClassifierTask):
    __doc__ = f"""A dense net of all factors for classes.

    Parameters
    ----------{PARAMETERS}
    {ATTRIBUTES}{CLASSIFIER_ATTRIBUTES}
    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = DenseClassifier(epochs=5, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class DenseRegressor(_Dense, RegressorTask):
    __doc__ = f"""A dense net of all factors for numbers.

    Parameters
    ----------{PARAMETERS}
    {ATTRIBUTES}{REGRESSOR_ATTRIBUTES}
    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = DenseRegressor(epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (442,)
    """
