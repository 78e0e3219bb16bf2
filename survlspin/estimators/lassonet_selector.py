"""Columns chosen without an outcome: those from which a LassoNet can make all columns again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import InputError
from .lassonet import LassoNetRegressor, importance
from .net import is_whole

__all__ = ["LassoNetSelector"]


@dataclass(kw_only=True, eq=False, repr=False)
class LassoNetSelector(SelectorMixin, BaseEstimator):
    """Choose the columns from which a LassoNet reconstructs all of them best.

    The net predicts every standardised column from every column, and the path takes columns from its input until none
    is left; a column's linear coefficients, one for each that is predicted, enter and leave as one (paper, section 5).

    Parameters
    ----------
    n_features : int, optional
        Columns to keep, at most. None: those of the point that the path chooses by validation.
    hidden, M, epochs, validation_fraction, random_state, verbose
        As in `LassoNetRegressor`.
    points : int, optional
        Lambdas of the path; None: about 100.

    Attributes
    ----------
    support_ : bool array (p,)
        The columns kept.
    importance_ : array (p,)
        The lambda at which each column leaves the path for good; 0 for columns that do not vary.
    path_ : DataFrame
        One row per lambda, as in `Path.frame`.

    References
    ----------
    Lemhadri, Ruan, Abraham, Tibshirani: LassoNet: A Neural Network with Feature Sparsity, JMLR 2021.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))[:, [0, 1, 0, 1]] + 0.1 * rng.normal(size=(200, 4))
    >>> LassoNetSelector(n_features=2, epochs=5, points=10).fit_transform(X).shape[1] <= 2
    True
    """

    n_features: int | None = None
    hidden: tuple[int, ...] = (16,)
    M: float = 10.0
    epochs: int | None = None
    validation_fraction: float = 0.2
    points: int | None = None
    random_state: object = 0
    verbose: bool = False

    def fit(self, X, y=None):
        """Fit the path; `y` is not looked at.

        Raises
        ------
        InputError
            SL-408 where n_features is no whole number from 1; SL-4xx where another setting cannot be used.
        """
        if self.n_features is not None and not is_whole(self.n_features):
            raise InputError("SL-408", f"n_features={self.n_features!r}.", "Give None or a whole number from 1.")
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        names = [f"x{j}" for j in range(X.shape[1])]
        varies = np.ptp(X, axis=0) > 0
        own = {name: getattr(self, name) for name in ("hidden", "M", "epochs", "validation_fraction", "random_state")}
        model = LassoNetRegressor(groups="factor", verbose=self.verbose, **own)
        path = model.path(pd.DataFrame(X, columns=names), X[:, varies], points=self.points)
        count = path.frame["union"].to_numpy()
        point = path.chosen if self.n_features is None else int(np.argmax(count <= self.n_features))
        leaves = importance(path).reindex(names, fill_value=0.0)
        self.path_, self.importance_ = path.frame, leaves.to_numpy()
        used = path.at(point).selected(pd.DataFrame(X[:1], columns=names)).iloc[0]
        self.support_ = used.reindex(names, fill_value=False).to_numpy(dtype=bool)
        return self

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self, "support_")
        return self.support_
