"""The random survival forest of scikit-survival."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..survival import SurvivalEstimator, step_functions

__all__ = ["Forest"]


class Forest(SurvivalEstimator):
    """scikit-survival's random survival forest, with leaves of 15 patients, which rank registry data better than 3.

    Parameters
    ----------
    n_estimators : int
    min_samples_leaf : int
    max_features : "sqrt", "log2", int, float or None
    low_memory : bool
        Keep risks only, not each leaf's curve: a few hundred times less memory, and no curves.
    n_jobs : int, optional
        Threads.
    random_state : int, optional

    Attributes
    ----------
    model_ : sksurv.ensemble.RandomSurvivalForest

    References
    ----------
    Ishwaran, Kogalur, Blackstone, Lauer (2008), Random survival forests, Annals of Applied Statistics 2, 841-860.
    """

    def __init__(
        self,
        n_estimators: int = 100,
        min_samples_leaf: int = 15,
        max_features="sqrt",
        low_memory: bool = True,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ):
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.low_memory = low_memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y) -> Forest:
        """Grow the forest; SL-461 for an outcome with entry times, weights or strata."""
        from sksurv.ensemble import RandomSurvivalForest

        x, outcome = self._encode(X, y)
        self.model_ = RandomSurvivalForest(**self.get_params()).fit(x, outcome.to_y())
        self.unique_times_ = self.model_.unique_times_
        return self

    def predict(self, X) -> np.ndarray:
        """Return the risk of each row (n,): the number of events expected, summed over time."""
        x = self._columns(X)
        return self.model_.predict(x)

    def predict_survival_function(self, X, return_array: bool = False) -> np.ndarray:
        """Return survival curves: step functions (n,), or an array (n, K) of values at `unique_times_`.

        Raises
        ------
        InputError
            SL-465 where the forest was grown with ``low_memory=True``.
        """
        x = self._columns(X)
        if self.low_memory:
            raise InputError("SL-465", "a forest with low_memory=True keeps no curves.", "Fit with low_memory=False.")
        curves = self.model_.predict_survival_function(x, return_array=True)
        return curves if return_array else step_functions(self.unique_times_, curves, 1.0)
