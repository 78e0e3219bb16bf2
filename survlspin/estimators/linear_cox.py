"""What linear Cox models share, whatever their risk sets: settings, Newton's method, variances and tests."""

from __future__ import annotations

import warnings
from abc import ABC
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from .._messages import listed
from ..base import DesignEstimator, linear
from ..errors import InputError, InputWarning
from ..outcome import Outcome
from .coxph_newton import Likelihood, Penalty, Point, Solution, independent, maximise
from .coxph_results import Coefficients, covariance, quadratic_form, robust_score, sandwich, table_of_tests

INFINITE = "Merge or leave out such columns, or give a penalty, as penalizer=0.01; other columns are not affected."


class LinearCox(DesignEstimator, ABC):
    """A log-risk that is linear in the columns of the design, by Newton's method on sums by event time."""

    def __init__(
        self,
        ties: str = "efron",
        penalizer: float = 0.0,
        l1_ratio: float = 0.0,
        standardize: bool = True,
        robust: bool | None = None,
        alpha: float = 0.05,
    ):
        self.ties = ties
        self.penalizer = penalizer
        self.l1_ratio = l1_ratio
        self.standardize = standardize
        self.robust = robust
        self.alpha = alpha

    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each row (n,); 0 is the reference patient's."""
        check_is_fitted(self, "coef_")
        return linear(self._columns(X), np.nan_to_num(self.coef_.to_numpy()))

    def _solve(self, likelihood: Likelihood, robust: bool, cluster: np.ndarray | None) -> np.ndarray:
        """Maximise the likelihood; set coefficients, variances and tests; return the coefficients (p,)."""
        penalty = self._penalty(likelihood.scale)
        start = likelihood.at(np.zeros(len(likelihood.scale)))
        kept = self._kept(start)
        solution = maximise(start, penalty, kept)
        self._report(start, solution, penalty, kept)
        self._vary(solution, penalty, kept, robust, cluster)
        self._test(start, solution, penalty, kept, robust, cluster)
        return solution.beta

    def summary(self) -> pd.DataFrame:
        """Return one row for each coefficient, with the columns of lifelines' ``summary``.

        Where standard errors are robust, ``naive se(coef)`` is beside them.
        """
        check_is_fitted(self, "coef_")
        table = Coefficients(self.coef_, self.se_, self.alpha).table()
        if not self.se_.equals(self.naive_se_):
            table.insert(3, "naive se(coef)", self.naive_se_)
        return table

    def _columns(self, X) -> np.ndarray:
        check_is_fitted(self, "design_")
        return self.design_.transform(X, dtype=np.float64)

    def _check(self) -> None:
        rules = {
            "penalizer": (_is_number(self.penalizer) and 0 <= self.penalizer < np.inf, "a number >= 0"),
            "l1_ratio": (_is_number(self.l1_ratio) and 0 <= self.l1_ratio <= 1, "a number from 0 to 1"),
            "alpha": (_is_number(self.alpha) and 0 < self.alpha < 1, "a number between 0 and 1"),
        }
        for name, (good, remedy) in rules.items():
            if not good:
                raise InputError("SL-483", f"{name}={getattr(self, name)!r}.", f"Give {remedy}.")

    def _penalty(self, scale: np.ndarray) -> Penalty:
        unit = scale if self.standardize else np.ones_like(scale)
        ridge = self.penalizer * (1 - self.l1_ratio) * unit**2
        return Penalty(self.penalizer * self.l1_ratio * unit, ridge)

    def _kept(self, start: Point) -> np.ndarray:
        """Return which columns are fitted (p,), and warn of the others."""
        names = np.array(self.design_.columns, dtype=object)
        kept, causes = independent(start.hessian, start.likelihood.scale**2)
        if self.penalizer > 0:
            kept, causes = np.ones(len(names), dtype=bool), {}
        found = [f"{name!r} is constant" for name in self.design_.dropped]
        for j, others in causes.items():
            why = f"is made of {listed(map(repr, names[others]))}" if len(others) else "is constant among those at risk"
            found.append(f"{names[j]!r} {why}")
        self.dropped_ = (*self.design_.dropped, *names[~kept])
        if found:
            remedy = "These columns are left out; their coefficient, where the design has them, is nan."
            warnings.warn(InputWarning("SL-481", f"{'; '.join(found[:10])}.", remedy), stacklevel=4)
        if not kept.any():
            raise InputError("SL-486", "no column has information on who has the event first.", "Give other columns.")
        return kept

    def _report(self, start: Point, solution: Solution, penalty: Penalty, kept: np.ndarray) -> None:
        """Set coefficients and log-likelihoods; warn of coefficients without end."""
        columns, total = list(self.design_.columns), start.likelihood.total
        self.coef_ = pd.Series(np.where(kept, solution.beta, np.nan), index=columns, name="coef")
        self.log_likelihood_, self.log_likelihood_null_ = -solution.point.loss * total, -start.loss * total
        self.n_steps_ = solution.steps
        self.infinite_ = tuple(name for name, endless in zip(columns, solution.boundless, strict=True) if endless)
        if self.infinite_:
            ends = [f"{name!r} to {'-+'[int(self.coef_[name] > 0)]}infinity" for name in self.infinite_]
            found = f"the likelihood grows without end as coefficients go to infinity: {listed(ends)}."
            warnings.warn(InputWarning("SL-482", found, INFINITE), stacklevel=4)

    def _vary(self, solution: Solution, penalty: Penalty, kept: np.ndarray, robust: bool, cluster) -> None:
        """Set variances, standard errors and intervals; with a LASSO they are nan, infinite where coefficients are."""
        columns, p, endless = list(self.design_.columns), len(kept), np.flatnonzero(solution.boundless)
        naive = variance = np.full((p, p), np.nan)
        if not penalty.lasso.any():
            finite = kept & ~solution.boundless
            naive = variance = covariance(solution.point, penalty.ridge, finite)
            if robust:
                variance = sandwich(solution.point, naive, finite, cluster)
        for name, matrix in (("naive_", naive), ("", variance)):
            matrix[endless, endless] = np.inf
            setattr(self, f"{name}variance_", pd.DataFrame(matrix, index=columns, columns=columns))
            setattr(self, f"{name}se_", pd.Series(np.sqrt(np.diag(matrix)), index=columns, name="se(coef)"))
        self.confidence_intervals_ = Coefficients(self.coef_, self.se_, self.alpha).intervals()

    def _test(
        self, start: Point, solution: Solution, penalty: Penalty, kept: np.ndarray, robust: bool, cluster
    ) -> None:
        """Set the tests that no coefficient differs from 0."""
        beta, inside = solution.beta[kept], np.ix_(kept, kept)
        total, df = start.likelihood.total, float(kept.sum())
        statistics = {"likelihood ratio": 2 * (self.log_likelihood_ - self.log_likelihood_null_)}
        if not penalty.lasso.any():
            statistics["Wald"] = quadratic_form(self.variance_.to_numpy()[inside], beta)
        if self.penalizer > 0:
            df = float(np.trace(self.naive_variance_.to_numpy() @ solution.point.hessian) * total)
        else:
            statistics["score"] = quadratic_form(start.hessian[inside], start.gradient[kept]) * total
            if robust:
                statistics["robust score"] = robust_score(start, kept, cluster)
        self.tests_ = table_of_tests(statistics, df)


def clusters_of(X, cluster) -> tuple:
    """Return the predictors, and the number of each row's cluster (n,) or None."""
    if cluster is None:
        return X, None
    if isinstance(cluster, str):
        if not isinstance(X, pd.DataFrame) or cluster not in X.columns:
            raise InputError("SL-484", f"cluster={cluster!r} is no column of X.", "Name one, or give each row's label.")
        X, cluster = X.drop(columns=cluster), X[cluster]
    codes = pd.factorize(per_row("cluster", cluster, len(X)))[0]
    if (codes < 0).any():
        raise InputError("SL-484", "cluster has missing labels.", "Give each row's label.")
    return X, codes


def is_robust(robust: bool | None, cluster: np.ndarray | None, outcome: Outcome) -> bool:
    if robust is not None:
        return robust
    return cluster is not None or (outcome.weight is not None and bool((outcome.weight % 1 != 0).any()))


def per_row(name: str, values, n: int) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (n,):
        raise InputError("SL-484", f"{name} has shape {values.shape}, X has {n} rows.", "Give one value per row.")
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
