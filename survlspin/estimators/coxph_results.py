"""What a fitted Cox regression says of its coefficients: variances, tests, and the table of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import chi2, norm

from .coxph_newton import Point, solve


def covariance(point: Point, ridge: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the inverse information of the log-likelihood less the ridge penalty (p, p); nan where not `kept`."""
    inside = np.ix_(kept, kept)
    whole = np.full(point.hessian.shape, np.nan)
    information = (point.hessian + np.diag(ridge))[inside] * point.likelihood.total
    whole[inside] = solve(information, np.eye(int(kept.sum())))
    return whole


def sandwich(point: Point, variance: np.ndarray, kept: np.ndarray, cluster: np.ndarray | None) -> np.ndarray:
    """Return the robust variance (p, p): the squared changes that each cluster's absence makes (Lin, Wei 1989)."""
    inside = np.ix_(kept, kept)
    changes = _by_cluster(point.residuals()[:, kept], cluster) @ variance[inside]  # (C, p)
    whole = np.full(variance.shape, np.nan)
    whole[inside] = changes.T @ changes
    return whole


def robust_score(start: Point, kept: np.ndarray, cluster: np.ndarray | None) -> float:
    """Return the score test's statistic with the variance of the scores taken from the clusters."""
    scores = _by_cluster(start.residuals()[:, kept], cluster)
    slope = scores.sum(axis=0)
    return float(slope @ np.linalg.lstsq(scores.T @ scores, slope, rcond=None)[0])


def _by_cluster(rows: np.ndarray, cluster: np.ndarray | None) -> np.ndarray:
    """Return the sums of the `rows` (n, p) of each cluster, codes (n,)."""
    if cluster is None:
        return rows
    sums = torch.zeros(cluster.max() + 1, rows.shape[1], dtype=torch.float64)
    return sums.index_add_(0, torch.from_numpy(cluster), torch.from_numpy(rows)).numpy()


def quadratic_form(variance: np.ndarray, beta: np.ndarray) -> float:
    """Return ``beta' variance^- beta``: what has no variance of its own, or an infinite one, does not count."""
    own = (np.diag(variance) > 0) & np.isfinite(np.diag(variance))
    unit = 1 / np.sqrt(np.diag(variance)[own])
    scaled, beta = variance[np.ix_(own, own)] * unit * unit[:, None], beta[own] * unit
    return float(beta @ np.linalg.lstsq(scaled, beta, rcond=None)[0])


def table_of_tests(statistics: dict[str, float], df: float) -> pd.DataFrame:
    """Return the tests that no coefficient differs from 0: statistic, degrees of freedom, p and -log2 p."""
    table = pd.DataFrame({"statistic": statistics, "df": df})
    table["p"] = chi2.sf(table["statistic"], df)
    table["-log2(p)"] = -chi2.logsf(table["statistic"], df) / np.log(2)
    table.index.name = "test"
    return table


@dataclass(frozen=True)
class Coefficients:
    """Coefficients with their standard errors.

    Parameters
    ----------
    coef, se : Series (p,)
    alpha : float
        One minus the coverage of intervals.
    """

    coef: pd.Series
    se: pd.Series
    alpha: float

    def intervals(self) -> pd.DataFrame:
        """Return the limits of the coefficients' intervals."""
        half, percent = norm.isf(self.alpha / 2) * self.se, _percent(self.alpha)
        return pd.DataFrame({f"{percent} lower": self.coef - half, f"{percent} upper": self.coef + half})

    def table(self) -> pd.DataFrame:
        """Return one row for each coefficient, with the columns of lifelines' ``summary``."""
        low, high = self.intervals().to_numpy().T
        percent, z = _percent(self.alpha), self.coef / self.se
        columns = {
            "coef": self.coef,
            "exp(coef)": np.exp(self.coef),
            "se(coef)": self.se,
            f"coef lower {percent}": low,
            f"coef upper {percent}": high,
            f"exp(coef) lower {percent}": np.exp(low),
            f"exp(coef) upper {percent}": np.exp(high),
            "cmp to": 0.0,
            "z": z,
            "p": 2 * norm.sf(np.abs(z)),
            "-log2(p)": -(norm.logsf(np.abs(z)) + np.log(2)) / np.log(2),
        }
        return pd.DataFrame(columns, index=self.coef.index.rename("covariate"))


def _percent(alpha: float) -> str:
    return f"{100 * (1 - alpha):g}%"
