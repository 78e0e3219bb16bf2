"""What is asked of any estimator in scikit-learn's manner: a seed, rows, and whether it takes validation rows."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

__all__ = ["seeded", "take", "takes_validation"]


def seeded(model: BaseEstimator, seed: int) -> BaseEstimator:
    """Return a clone whose every ``random_state`` is `seed`."""
    model = clone(model)
    return model.set_params(**{key: seed for key in model.get_params() if key.split("__")[-1] == "random_state"})


def take(X, rows: np.ndarray):
    """Return rows of a DataFrame or an array."""
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def takes_validation(model: BaseEstimator) -> bool:
    """Return whether a model's ``fit`` takes validation rows."""
    return "validation_data" in inspect.signature(model.fit).parameters
