"""A model that can be told how to behave, and counts how often it is fitted; importable in every process."""

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


class Labour(BaseEstimator):
    """Least squares on log time and a little noise; `folder` gets a line per fit in a file of the seed."""

    def __init__(self, folder=None, does="work", random_state=None):
        self.folder = folder
        self.does = does
        self.random_state = random_state

    def fit(self, X, y):
        if self.folder is not None:
            path = Path(self.folder, f"{self.does}-{self.random_state}")
            with path.open("a") as file:
                file.write(f"{os.getpid()}\n")
            fits = len(path.read_text().splitlines())
            if self.does == "die" or (self.does == "die once" and fits == 1):
                os.kill(os.getpid(), signal.SIGKILL)
            if self.does == "raise" or (self.does == "raise once" and fits == 1):
                raise ValueError(f"the first patient is {np.asarray(X)[0, 0]}")
            if self.does == "interrupt once" and fits == 1:
                raise KeyboardInterrupt
        x, time = np.asarray(X, dtype=float), y[y.dtype.names[1]]
        self.coef_ = np.linalg.lstsq(x, -np.log(time), rcond=None)[0]
        self.coef_ = self.coef_ + np.random.default_rng(self.random_state).normal(scale=1e-3, size=len(self.coef_))
        return self

    def predict(self, X):
        return np.asarray(X, dtype=float) @ self.coef_


def fits(folder):
    """Return how often each model was fitted with each seed."""
    return {path.name: len(path.read_text().splitlines()) for path in sorted(Path(folder).iterdir())}


def people(n=150, seed=0):
    """Return some patients: three numbers each, and an outcome."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        rng.normal(size=(n, 3)), columns=["age", "nodes", "size"], index=[f"patient {i}" for i in range(n)]
    )
    y = {"time": rng.exponential(np.exp(-X["age"])), "event": rng.random(n) < 0.8}
    return X, y


def numbers(runs):
    """Return everything that was found but the times, digit by digit."""
    table = runs.table().drop(columns="seconds").to_csv()
    points = runs.points().drop(columns="seconds").to_csv()
    arrays = ("risk", "influence", "used", "times", "hazard", "horizons", "probability")
    fits = [[getattr(fit, name).tobytes() for name in arrays] + [fit.share.to_csv()] for fit in runs.fits]
    return table, points, fits, runs.splits.to_csv()
