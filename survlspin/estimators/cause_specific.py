"""Competing risks: a log-hazard for each cause, with factors chosen once for all causes."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from .._leaks import check_leaks
from ..competing import CauseSpecificModel, causes_of
from ..errors import InputError
from ..heads import CauseSpecificCox
from ..outcome import Outcome, check_enough_events
from .dense import _Dense
from .gated import GATE_PARAMETERS
from .lspin import _LLSPIN, _LSPIN
from .lspin import PAPER as LSPIN_PAPER
from .net import ATTRIBUTES, PARAMETERS, NetEstimator
from .problem import Problem
from .stg import _STG, STG_PARAMETERS
from .stg import PAPER as STG_PAPER
from .tasks import COX_PARAMETERS

CAUSES_ATTRIBUTES = """
    n_causes_ : int
        Causes, coded 1, 2, ... in y.
    center_ : array (members, causes)
        Mean log-risks of the training rows, subtracted from every prediction.
    baselines_ : tuple of Baseline
        Cumulative hazard of each cause, of a patient whose log-risk of it is 0, made from all rows of `fit`.
    unique_times_ : array (K,)
        Times of the rows of `fit`, at which curves are given.
    """

TEXT = """
    The outcome's event is 0 (censored) or the code of the cause, 1, 2, ... (`survlspin.split_xy` with
    ``causes=True``). The loss is the sum of the causes' Cox losses, in each of which other causes are censored; lambda
    is in its unit, per weighted number of all events.
    """


@dataclass(kw_only=True, eq=False, repr=False)
class CauseSpecificTask(NetEstimator, CauseSpecificModel, ABC):
    """The log-risks of competing causes."""

    uses: ClassVar = frozenset({"entry", "weight", "stratum"})

    ties: str = "efron"

    def fit(self, X, y, validation_data=None):
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
            Predictors; numbers, flags and categories.
        y : any accepted outcome with codes of causes
            See `survlspin.Outcome.of`.
        validation_data : (X, y), optional
            Rows that serve early stopping and the choice of lambda. None: a share of the rows given is set aside.

        Raises
        ------
        InputError
            SL-604 where y has a single cause, SL-606 where validation rows have a cause that was not fitted; with the
            codes of `Outcome` and `Design`; SL-4xx where a setting cannot be used.
        """
        return self._fit(X, y, validation_data)

    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each cause (n, causes), relative to the mean of the training rows."""
        return self._outputs(X)

    def _learn(self, X, y, sample_weight=None) -> tuple[Outcome, CauseSpecificCox, dict]:
        if sample_weight is not None:
            raise InputError("SL-166", "sample_weight is given to a Cox model.", "Put the weights into y: weight=.")
        outcome = self._causes(X, y, self.force)
        causes = int(outcome.event.max())
        for cause in range(1, causes + 1):
            check_leaks(X, outcome.of_cause(cause))
        return outcome, CauseSpecificCox(causes, self.ties), {"n_causes_": causes}

    def _outcome(self, terms: dict, X, y, sample_weight=None) -> Outcome:
        outcome = causes_of(X, y)
        if outcome.event.max(initial=0) > terms["n_causes_"]:
            found = f"validation rows have a cause beyond the {terms['n_causes_']} fitted."
            raise InputError("SL-606", found, "Leave these rows out.")
        check_enough_events(outcome, force=True)
        return outcome

    def _strata(self, outcome: Outcome) -> np.ndarray:
        return outcome.event if outcome.weight is None else outcome.event * (outcome.weight > 0)

    def _finish(self, problem: Problem, eta: Tensor) -> None:
        self.baselines_ = problem.head.baselines(eta, problem.outcome)
        self.unique_times_ = np.unique(problem.outcome.time)


@dataclass(kw_only=True, eq=False, repr=False)
class CauseSpecificCoxLLSPIN(_LLSPIN, CauseSpecificTask):
    __doc__ = f"""LLSPIN for competing risks: for each patient sparse linear log-hazards, one per cause, gates shared.

    A patient's log-risk of a cause is ``baseline + sum_j gate_j(x) beta_j x_j`` over the factors whose gates are open,
    exactly; the causes have the same gates and their own coefficients. The gates see every factor unless `context`
    names those they may see.
    {TEXT}
    Parameters
    ----------{GATE_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CAUSES_ATTRIBUTES}{LSPIN_PAPER}

    Examples
    --------
    >>> from survlspin import CauseSpecificCoxLLSPIN
    >>> from survlspin.synthetic import competing
    >>> X, y, truth = competing(500, random_state=0)
    >>> model = CauseSpecificCoxLLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape, model.predict_cumulative_incidence(X, times=60, cause=1).shape
    ((500, 2), (500,))
    """


@dataclass(kw_only=True, eq=False, repr=False)
class CauseSpecificCoxLSPIN(_LSPIN, CauseSpecificTask):
    __doc__ = f"""LSPIN for competing risks: a net of the causes' log-hazards on the factors that a gating net chooses.

    The log-risks are nonlinear functions of the factors whose gates are open, the same for all causes. The gates see
    every factor unless `context` names those they may see.
    {TEXT}
    Parameters
    ----------{GATE_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CAUSES_ATTRIBUTES}{LSPIN_PAPER}

    Examples
    --------
    >>> from survlspin import CauseSpecificCoxLSPIN
    >>> from survlspin.synthetic import competing
    >>> X, y, truth = competing(500, random_state=0)
    >>> model = CauseSpecificCoxLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.n_selected(X).max() <= X.shape[1]
    np.True_
    """


@dataclass(kw_only=True, eq=False, repr=False)
class CauseSpecificCoxSTG(_STG, CauseSpecificTask):
    __doc__ = f"""STG for competing risks: a net of the causes' log-hazards on factors chosen for all patients alike.

    With ``hidden=()`` it is a sparse Cox regression of each cause on the same factors.
    {TEXT}
    Parameters
    ----------{STG_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CAUSES_ATTRIBUTES}{STG_PAPER}

    Examples
    --------
    >>> from survlspin import CauseSpecificCoxSTG
    >>> from survlspin.synthetic import competing
    >>> X, y, truth = competing(500, random_state=0)
    >>> model = CauseSpecificCoxSTG(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.selected(X).drop_duplicates().shape[0]
    1
    """


@dataclass(kw_only=True, eq=False, repr=False)
class CauseSpecificDeepSurv(_Dense, CauseSpecificTask):
    __doc__ = f"""DeepSurv for competing risks: the causes' log-hazards are outputs of one dense net of all factors.
    {TEXT}
    Parameters
    ----------{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CAUSES_ATTRIBUTES}
    Examples
    --------
    >>> from survlspin import CauseSpecificDeepSurv
    >>> from survlspin.synthetic import competing
    >>> X, y, truth = competing(500, random_state=0)
    >>> model = CauseSpecificDeepSurv(epochs=5, random_state=0).fit(X, y)
    >>> model.predict_survival_function(X[:3], return_array=True).shape[0]
    3
    """
