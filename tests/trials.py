"""A small search, quickly made, for the tests of tuning."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from optuna.distributions import FloatDistribution, IntDistribution

from survlspin.baselines import CoxLasso
from survlspin.folds import Fold
from survlspin.tuning import Search, search, sight_of

SPACE = {"alpha": FloatDistribution(1e-3, 0.3, log=True), "n_alphas": IntDistribution(5, 50)}
FOLD = Fold("1", np.arange(60), np.arange(60, 90), np.arange(90, 120))


def people(n: int = 120) -> tuple[pd.DataFrame, np.ndarray]:
    """Some patients, whose labels are not in the order of the rows."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"), index=[f"p{i}" for i in rng.permutation(n)])
    y = np.empty(n, dtype=[("event", int), ("time", float)])
    y["event"], y["time"] = rng.random(n) < 0.7, rng.exponential(np.exp(-X["a"]))
    return X, y


def lasso_search(storage: Path | str | None = None, n_trials: int = 13, **changed) -> Search:
    """Search the settings of a LASSO that selects nothing; past 10 trials Optuna learns from what was found."""
    X, y = people()
    asked = {"name": "LASSO", "estimator": CoxLasso(alpha=1.0), "space": SPACE, "fold": FOLD, "seed": 3} | changed
    sight = sight_of(*asked.pop("data", (X, y)), asked.pop("fold"))
    names = ("name", "estimator", "space")
    return search(*(asked[key] for key in names), *sight, n_trials=n_trials, seed=asked["seed"], storage=storage)


@cache
def whole() -> list:
    """Return what an uninterrupted search finds."""
    return facts(lasso_search())


def facts(found: Search) -> list:
    """What does not depend on the clock, each number in all its digits."""
    trials = found.trials.drop(columns="seconds")
    return [found.params, [[*map(repr, row)] for row in trials.itertuples(index=False)]]
