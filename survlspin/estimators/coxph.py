"""Cox regression: the linear Cox model with its tests and tables, by Newton's method on sums by event time."""

from __future__ import annotations

import warnings
from numbers import Real

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from .._messages import listed
from ..design import Design
from ..errors import InputError, InputWarning
from ..heads import Cox
from ..metrics.concordance import concordance_of
from ..outcome import Outcome
from ..survival import CoxModel
from .coxph_newton import Likelihood, Penalty, Point, Solution, independent, maximise
from .coxph_results import Coefficients, covariance, quadratic_form, robust_score, sandwich, table_of_tests

INFINITE = "Merge or leave out such columns, or give a penalty, as penalizer=0.01; other columns are not affected."


class CoxPH(CoxModel):
    """Cox regression with Efron's or Breslow's ties, equal to R's ``coxph``.

    Coefficients are in the units of the table: a log hazard ratio per year where a column counts years. Numbers are
    centred at their mean and categories coded against their modal level, so that a log-risk of 0 is the reference
    patient's.

    Columns without information of their own are named in a warning and left out: a constant one is no column of the
    design, others have a coefficient of nan, as in R.
    Columns whose coefficient grows without end, since they separate patients with events from all others, are named
    too; their coefficient is where the likelihood no longer grows by more than a millionth, with an infinite error.

    Parameters
    ----------
    ties : {"efron", "breslow"}
        How deaths at one time share a risk set.
    penalizer : float
        lambda of the penalty ``lambda * (l1_ratio * |b| + (1 - l1_ratio) / 2 * b^2)``, summed over coefficients,
        against the negative log-likelihood divided by the summed weight of the events. See Notes.
    l1_ratio : float in [0, 1]
        0: ridge, 1: LASSO, between: elastic net. With a LASSO part there are no standard errors and no tests.
    standardize : bool
        Whether the penalty is on coefficients of columns scaled to variance 1, as in glmnet and lifelines. The
        coefficients reported are in the units of the table either way; without a penalty it changes nothing.
    robust : bool, optional
        Whether standard errors, intervals, Wald tests and p-values are robust (Lin and Wei 1989). None, as in R: where
        `fit` is given clusters, or weights that are not whole numbers.
    alpha : float in (0, 1)
        One minus the coverage of intervals.

    Attributes
    ----------
    coef_ : Series (p,)
        Log hazard ratio of each design column; nan where it has no information of its own.
    se_ : Series (p,)
        Standard errors; robust ones where asked for.
    naive_se_ : Series (p,)
        Standard errors from the information matrix.
    variance_, naive_variance_ : DataFrame (p, p)
    confidence_intervals_ : DataFrame (p, 2)
    tests_ : DataFrame
        Of no coefficient differing from 0: likelihood ratio, Wald, score (the log-rank test) and, with robust
        variance, the robust score test; statistic, df, p, -log2(p).
    log_likelihood_, log_likelihood_null_ : float
        The log partial likelihood, of the coefficients and of none.
    concordance_, concordance_se_ : float
        Harrell's C of the training rows, with weights, strata, entry times and clusters as fitted.
    dropped_, infinite_ : tuple of str
        Columns without information of their own, and those whose coefficient grows without end.
    n_, n_events_ : int
        Rows of positive weight, and the events among them.
    n_steps_ : int
        Steps of Newton's method.
    baseline_ : Baseline
        Cumulative hazard of the reference patient, entry times and strata respected.

    Notes
    -----
    The penalty in other units, with W the summed weight of all rows and E that of the events: glmnet's
    ``lambda = penalizer * E / W`` with ``alpha = l1_ratio`` (glmnet's ties are Breslow's); lifelines' ``penalizer =
    penalizer * E / W``; the ``theta`` of R's ``ridge(..., scale=FALSE)`` is ``penalizer * E`` with
    ``standardize=False``.

    References
    ----------
    Cox (1972), Regression models and life-tables, JRSS B 34, 187-220. Efron (1977), The efficiency of Cox's likelihood
    function for censored data, JASA 72, 557-565. Lin, Wei (1989), The robust inference for the Cox proportional hazards
    model, JASA 84, 1074-1078.

    Examples
    --------
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(2000)
    >>> model = CoxPH().fit(X[["age", "tumour_size"]], y)
    >>> model.summary()[["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%"]].shape
    (2, 3)
    """

    uses = frozenset({"entry", "weight", "stratum"})

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

    def fit(self, X, y, cluster=None, offset=None) -> CoxPH:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
            Predictors; numbers, flags and categories.
        y : any accepted outcome
            See `survlspin.Outcome.of`.
        cluster : str or array (n,), optional
            A column of X that is no predictor, or each row's label: rows of one cluster are not independent, which
            robust standard errors take into account.
        offset : array (n,), optional
            A part of each row's log-risk that is known. `predict` gives the rest.

        Raises
        ------
        InputError
            SL-483 for a parameter that cannot be used, SL-484 for a cluster or offset that does not fit the rows,
            SL-485 where Newton's method does not end, SL-486 where no column has information; with the codes of
            `Outcome` and `Design`.

        Warns
        -----
        InputWarning
            SL-481 for columns that are left out, SL-482 for coefficients that grow without end.
        """
        self._check()
        X, cluster = _clusters(X, cluster)
        likelihood, outcome = self._encoded(X, y, offset)
        penalty = self._penalty(likelihood.scale)
        start = likelihood.at(np.zeros(len(likelihood.scale)))
        kept = self._kept(start)
        robust = _is_robust(self.robust, cluster, outcome)
        solution = maximise(start, penalty, kept)
        self._report(start, solution, penalty, kept)
        self._vary(solution, penalty, kept, robust, cluster)
        self._test(start, solution, penalty, kept, robust, cluster)
        eta = likelihood.eta(solution.beta)
        self._judge(eta, outcome, cluster)
        self.baseline_ = Cox(self.ties).baseline(eta, outcome)
        self.unique_times_ = np.unique(outcome.time)
        return self

    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each row (n,); 0 is the reference patient's."""
        check_is_fitted(self, "coef_")
        return self._columns(X) @ np.nan_to_num(self.coef_.to_numpy())

    def summary(self) -> pd.DataFrame:
        """Return one row for each coefficient, with the columns of lifelines' ``summary``."""
        check_is_fitted(self, "coef_")
        return Coefficients(self.coef_, self.se_, self.alpha).table()

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

    def _encoded(self, X, y, offset=None) -> tuple[Likelihood, Outcome]:
        """Fit the design; return the likelihood of its columns and the outcome."""
        outcome = self._usable_outcome(X, y)
        self._adopt_design(Design.fit(X, weight=outcome.weight, standardize=False))
        if offset is not None:
            offset = _per_row("offset", offset, len(outcome)).astype(np.float64)
            if not np.isfinite(offset).all():
                raise InputError("SL-484", "offset has values that are missing or infinite.", "Give a number per row.")
            offset = torch.from_numpy(offset)
        target = Cox(self.ties).prepare(outcome)
        return Likelihood(torch.from_numpy(self._columns(X)), target, offset, self.ties), outcome

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
            warnings.warn(InputWarning("SL-481", f"{'; '.join(found[:10])}.", remedy), stacklevel=3)
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
            warnings.warn(InputWarning("SL-482", found, INFINITE), stacklevel=3)

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

    def _judge(self, eta: torch.Tensor, outcome: Outcome, cluster) -> None:
        """Count the rows and set their concordance."""
        present = np.ones(len(outcome), dtype=bool) if outcome.weight is None else outcome.weight > 0
        self.n_, self.n_events_ = int(present.sum()), outcome.n_events
        found = concordance_of(outcome, eta.numpy())
        influence = found.influence if cluster is None else np.bincount(cluster, found.influence)
        self.concordance_, self.concordance_se_ = found.value, float(np.sqrt(np.sum(influence**2)))


def _clusters(X, cluster) -> tuple:
    """Return the predictors, and the number of each row's cluster (n,) or None."""
    if cluster is None:
        return X, None
    if isinstance(cluster, str):
        if not isinstance(X, pd.DataFrame) or cluster not in X.columns:
            raise InputError("SL-484", f"cluster={cluster!r} is no column of X.", "Name one, or give each row's label.")
        X, cluster = X.drop(columns=cluster), X[cluster]
    codes = pd.factorize(_per_row("cluster", cluster, len(X)))[0]
    if (codes < 0).any():
        raise InputError("SL-484", "cluster has missing labels.", "Give each row's label.")
    return X, codes


def _is_robust(robust: bool | None, cluster: np.ndarray | None, outcome: Outcome) -> bool:
    if robust is not None:
        return robust
    return cluster is not None or (outcome.weight is not None and bool((outcome.weight % 1 != 0).any()))


def _per_row(name: str, values, n: int) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (n,):
        raise InputError("SL-484", f"{name} has shape {values.shape}, X has {n} rows.", "Give one value per row.")
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
