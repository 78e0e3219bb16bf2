"""Cox regression: the linear Cox model with its tests and tables, by Newton's method on sums by event time."""

from __future__ import annotations

import numpy as np
import torch

from ..design import Design
from ..errors import InputError
from ..heads import Cox
from ..metrics.concordance import concordance_of
from ..outcome import Outcome
from ..survival import CoxModel
from .coxph_newton import Likelihood
from .linear_cox import LinearCox, clusters_of, is_robust, per_row


class CoxPH(LinearCox, CoxModel):
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
        X, cluster = clusters_of(X, cluster)
        likelihood, outcome = self._encoded(X, y, offset)
        beta = self._solve(likelihood, is_robust(self.robust, cluster, outcome), cluster)
        eta = likelihood.eta(beta)
        self._judge(eta, outcome, cluster)
        self.baseline_ = Cox(self.ties).baseline(eta, outcome)
        self.unique_times_ = np.unique(outcome.time)
        return self

    def _encoded(self, X, y, offset=None) -> tuple[Likelihood, Outcome]:
        """Fit the design; return the likelihood of its columns and the outcome."""
        outcome = self._usable_outcome(X, y)
        self._adopt_design(Design.fit(X, weight=outcome.weight, standardize=False))
        if offset is not None:
            offset = per_row("offset", offset, len(outcome)).astype(np.float64)
            if not np.isfinite(offset).all():
                raise InputError("SL-484", "offset has values that are missing or infinite.", "Give a number per row.")
            offset = torch.from_numpy(offset)
        target = Cox(self.ties).prepare(outcome)
        return Likelihood(torch.from_numpy(self._columns(X)), target, offset, self.ties), outcome

    def _judge(self, eta: torch.Tensor, outcome: Outcome, cluster) -> None:
        """Count the rows and set their concordance."""
        present = np.ones(len(outcome), dtype=bool) if outcome.weight is None else outcome.weight > 0
        self.n_, self.n_events_ = int(present.sum()), outcome.n_events
        found = concordance_of(outcome, eta.numpy())
        influence = found.influence if cluster is None else np.bincount(cluster, found.influence)
        self.concordance_, self.concordance_se_ = found.value, float(np.sqrt(np.sum(influence**2)))
