"""Linear models of competing risks: a Cox regression for each cause, and Fine and Gray's of one cause's incidence."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from ..base import linear
from ..competing import CauseSpecificModel, CompetingRisksEstimator, causes_of
from ..design import Design
from ..errors import InputError, InputWarning
from ..heads.cox import baseline_of
from ..heads.subdistribution import SubdistributionTarget
from ..metrics.concordance import concordance_of
from ..outcome import Outcome
from .coxph import CoxPH
from .coxph_newton import Likelihood
from .coxph_results import Coefficients
from .linear_cox import LinearCox, clusters_of

LINEAR_PARAMETERS = """
    ties : {"efron", "breslow"}
        How events at one time share a risk set.
    penalizer, l1_ratio, standardize
        A ridge, LASSO or elastic-net penalty, as in `CoxPH`."""

SERIES = ("coef_", "se_", "naive_se_")
NUMBERS = (
    "log_likelihood_",
    "log_likelihood_null_",
    "n_events_",
    "concordance_",
    "concordance_se_",
)
TABLES = ("variance_", "naive_variance_", "confidence_intervals_", "tests_", "dropped_", "infinite_")


class CauseSpecificCoxPH(CauseSpecificModel):
    __doc__ = f"""Cox regressions of competing causes, each with the others censored: R's multi-state ``coxph``.

    Coefficients are hazard ratios among those whom nothing has ended yet. What they mean for the probability of a
    cause depends on all causes: `predict_cumulative_incidence` combines them.

    Parameters
    ----------{LINEAR_PARAMETERS}
    robust : bool, optional
        Whether standard errors are robust, as in `CoxPH`.
    alpha : float in (0, 1)
        One minus the coverage of intervals.

    Attributes
    ----------
    coef_, se_, naive_se_ : DataFrame (p, causes)
        Log hazard ratios and their standard errors; nan where a column has no information of its own.
    log_likelihood_, log_likelihood_null_, n_events_, concordance_, concordance_se_ : Series (causes,)
        As in `CoxPH`, of each cause.
    variance_, naive_variance_, confidence_intervals_, tests_, dropped_, infinite_ : dict
        Cause -> what `CoxPH` has under that name.
    n_causes_ : int
    n_ : int
        Rows of positive weight.
    baselines_ : tuple of Baseline
        Cumulative hazard of each cause for the reference patient.

    References
    ----------
    Prentice, Kalbfleisch, Peterson, Flournoy, Farewell, Breslow (1978), The analysis of failure times in the presence
    of competing risks, Biometrics 34, 541-554. Putter, Fiocco, Geskus (2007), Tutorial in biostatistics: competing
    risks and multi-state models, Statistics in Medicine 26, 2389-2430.

    Examples
    --------
    >>> from survlspin.synthetic import competing
    >>> X, y, _ = competing(1000)
    >>> model = CauseSpecificCoxPH().fit(X[["age", "tumour_size"]], y)
    >>> model.predict_cumulative_incidence(X, times=[24, 60]).shape
    (1000, 2, 2)
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

    def fit(self, X, y, cluster=None) -> CauseSpecificCoxPH:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
            Predictors; numbers, flags and categories.
        y : any accepted outcome with codes of causes
            See `survlspin.Outcome.of`.
        cluster : str or array (n,), optional
            As in `CoxPH.fit`.

        Raises
        ------
        InputError
            SL-604 where y has a single cause; with the codes of `CoxPH.fit`.

        Warns
        -----
        InputWarning
            SL-481 and SL-482 as `CoxPH.fit`.
        """
        outcome = self._causes(X, y, force=True)
        self.n_causes_ = int(outcome.event.max())
        causes = range(1, self.n_causes_ + 1)
        models = {cause: self._of_cause(cause, X, outcome, cluster) for cause in causes}
        first = models[1]
        self._adopt_design(first.design_)
        self.n_, self.unique_times_ = first.n_, first.unique_times_
        self.baselines_ = tuple(model.baseline_ for model in models.values())
        for name in SERIES:
            setattr(self, name, pd.DataFrame({cause: getattr(model, name) for cause, model in models.items()}))
        for name in NUMBERS:
            setattr(self, name, pd.Series({cause: getattr(model, name) for cause, model in models.items()}, name=name))
        for name in TABLES:
            setattr(self, name, {cause: getattr(model, name) for cause, model in models.items()})
        return self

    def _of_cause(self, cause: int, X, outcome: Outcome, cluster) -> CoxPH:
        """Return the Cox regression of a cause; its warnings say which it is."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = CoxPH(**self.get_params()).fit(X, outcome.of_cause(cause), cluster)
        for said in (warning.message for warning in caught):
            if isinstance(said, InputWarning) and said.code != "SL-117":  # few events: that was said
                warnings.warn(InputWarning(said.code, f"of cause {cause}: {said.found}", said.remedy), stacklevel=4)
        return model

    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each cause (n, causes); 0 is the reference patient's."""
        check_is_fitted(self, "coef_")
        return linear(self.design_.transform(X, dtype=np.float64), np.nan_to_num(self.coef_.to_numpy()))

    def summary(self, cause: int = 1) -> pd.DataFrame:
        """Return one row for each coefficient of a cause, with the columns of lifelines' ``summary``."""
        self._place(cause)
        return Coefficients(self.coef_[cause], self.se_[cause], self.alpha).table()


class FineGray(LinearCox, CompetingRisksEstimator):
    __doc__ = f"""Fine and Gray's regression of the incidence of one cause, equal to R's ``finegray`` with ``coxph``.

    Patients ended by another cause stay at risk, with the probability of not having been censored since as their
    weight (Kaplan-Meier of all rows). The incidence is ``1 - exp(-H(t) exp(log-risk))``: a coefficient is a log
    subdistribution hazard ratio, that says in which direction a factor moves the probability of the cause.

    A case weight of 2 is two rows in everything, in the probability of censoring too, of which R's
    ``finegray(weights=)`` leaves weights out.

    Parameters
    ----------
    cause : int
        The code of the cause.{LINEAR_PARAMETERS}
    robust : bool
        Whether standard errors are robust by patient (or by cluster). They, as R's, take the weights for known.
    alpha : float in (0, 1)
        One minus the coverage of intervals.

    Attributes
    ----------
    coef_, se_, naive_se_ : Series (p,)
    variance_, naive_variance_, confidence_intervals_, tests_ : DataFrame
    log_likelihood_, log_likelihood_null_, dropped_, infinite_, n_steps_
        As in `CoxPH`.
    baseline_ : Baseline
        Cumulative subdistribution hazard of the reference patient.
    n_causes_ : int
    n_, n_events_ : int
        Rows of positive weight, and events of the cause among them.

    References
    ----------
    Fine, Gray (1999), A proportional hazards model for the subdistribution of a competing risk, JASA 94, 496-509.
    Geskus (2011), Cause-specific cumulative incidence estimation and the Fine and Gray model under both left
    truncation and right censoring, Biometrics 67, 39-49.

    Examples
    --------
    >>> from survlspin.synthetic import competing
    >>> X, y, _ = competing(1000)
    >>> model = FineGray(cause=1).fit(X[["age", "tumour_size"]], y)
    >>> model.predict_cumulative_incidence(X, times=[24, 60]).shape
    (1000, 2)
    """

    uses = frozenset({"weight"})

    def __init__(
        self,
        cause: int = 1,
        ties: str = "efron",
        penalizer: float = 0.0,
        l1_ratio: float = 0.0,
        standardize: bool = True,
        robust: bool = True,
        alpha: float = 0.05,
    ):
        super().__init__(ties, penalizer, l1_ratio, standardize, robust, alpha)
        self.cause = cause

    def fit(self, X, y, cluster=None) -> FineGray:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
            Predictors; numbers, flags and categories.
        y : any accepted outcome with codes of causes
            See `survlspin.Outcome.of`.
        cluster : str or array (n,), optional
            As in `CoxPH.fit`.

        Raises
        ------
        InputError
            SL-461 for an outcome with entry times or strata, SL-604 where y has a single cause, SL-605 where it has
            not the `cause`; with the codes of `CoxPH.fit`.

        Warns
        -----
        InputWarning
            SL-481 and SL-482 as `CoxPH.fit`.
        """
        self._check()
        X, cluster = clusters_of(X, cluster)
        outcome = self._causes(X, y, force=True)
        self.n_causes_ = int(outcome.event.max())
        self._place(self.cause)
        self._adopt_design(Design.fit(X, weight=outcome.weight, standardize=False))
        target = SubdistributionTarget(outcome, self.cause, self.ties)
        likelihood = Likelihood(torch.from_numpy(self._columns(X)), target, ties=self.ties)
        eta = likelihood.eta(self._solve(likelihood, self.robust, cluster))
        self.baseline_ = baseline_of(eta, target, target.bins)
        self.unique_times_ = np.unique(outcome.time)
        self.n_ = int((target.weight > 0).sum())
        self.n_events_ = outcome.of_cause(self.cause).n_events
        return self

    def predict_cumulative_incidence(self, X, times=None, cause: int | None = None) -> np.ndarray:
        """Return the probability that the cause ends the follow-up by a time, other causes being at work.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
        times : float or array (m,), optional
            In the unit of the training rows' times; None: `unique_times_`.
        cause : int, optional
            The model's own.

        Returns
        -------
        array (n, m), or (n,) where `times` is a number

        Raises
        ------
        InputError
            SL-413 for a time beyond the training rows' last, SL-605 for another cause than the model's.
        """
        check_is_fitted(self, "coef_")
        self._own(cause)
        curves = -np.expm1(-self.baseline_.cumulative_hazard(self.predict(X), self._asked(times)))
        return curves[..., 0] if np.ndim(times) == 0 and times is not None else curves

    def score(self, X, y, cause: int | None = None) -> float:
        """Return the cause-specific C: Harrell's, of the log-risk, with other causes censored."""
        self._own(cause)
        return concordance_of(causes_of(X, y).of_cause(self.cause), self.predict(X)).value

    def _own(self, cause: int | None) -> None:
        if cause not in (None, self.cause):
            raise InputError("SL-605", f"cause={cause!r}; the model is of cause {self.cause}.", "Fit another to it.")
