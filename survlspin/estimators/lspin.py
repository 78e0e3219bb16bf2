"""LSPIN and LLSPIN."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from .. import nets
from ..design import Design
from ..heads import Head
from ..nets import Net
from .gated import GATE_PARAMETERS, Gated
from .net import ATTRIBUTES, PARAMETERS
from .tasks import (
    CLASSIFIER_ATTRIBUTES,
    COX_ATTRIBUTES,
    COX_PARAMETERS,
    REGRESSOR_ATTRIBUTES,
    ClassifierTask,
    CoxTask,
    RegressorTask,
)

PAPER = """
    References
    ----------
    Yang, Lindenbaum, Kluger: Locally Sparse Neural Networks for Tabular Biomedical Data, ICML 2022 (Eq. 4; the Cox
    models are those of Appendix B.6)."""


@dataclass(kw_only=True, eq=False, repr=False)
class _LLSPIN(Gated, ABC):
    def _net(self, design: Design, head: Head, models: int) -> Net:
        return nets.LLSPIN(len(design.columns), self.hidden, head, models=models, **self._gating(design))


@dataclass(kw_only=True, eq=False, repr=False)
class _LSPIN(Gated, ABC):
    hidden: tuple[int, ...] = (16,)

    def _net(self, design: Design, head: Head, models: int) -> Net:
        return nets.LSPIN(len(design.columns), self.hidden, head, models=models, **self._gating(design))


@dataclass(kw_only=True, eq=False, repr=False)
class CoxLLSPIN(_LLSPIN, CoxTask):
    __doc__ = f"""Cox-LLSPIN: a sparse linear model of the log-hazard for each patient, chosen by a gating net.

    A patient's log-risk is ``baseline + sum_j gate_j(x) beta_j x_j`` over the factors whose gates are open, exactly.
    The gates see every factor unless `context` names those they may see, so that without it a prediction can depend
    on factors that are not listed.

    Parameters
    ----------{GATE_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{COX_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxLLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxLLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (500,)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class CoxLSPIN(_LSPIN, CoxTask):
    __doc__ = f"""Cox-LSPIN: a net of the log-hazard that uses, for each patient, the factors a gating net chooses.

    The log-risk is a nonlinear function of the factors whose gates are open. The gates see every factor unless
    `context` names those they may see, so that without it a prediction can depend on factors that are not listed.

    Parameters
    ----------{GATE_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{COX_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.n_selected(X).max() <= X.shape[1]
    np.True_
    """


@dataclass(kw_only=True, eq=False, repr=False)
class LLSPINClassifier(_LLSPIN, ClassifierTask):
    __doc__ = f"""LLSPIN for classes: the logits are, for each row, a sparse linear model chosen by a gating net.

    Parameters
    ----------{GATE_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CLASSIFIER_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = LLSPINClassifier(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class LSPINClassifier(_LSPIN, ClassifierTask):
    __doc__ = f"""LSPIN for classes: a net that uses, for each row, the factors a gating net chooses.

    Parameters
    ----------{GATE_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CLASSIFIER_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = LSPINClassifier(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.selected(X).shape
    (150, 4)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class LLSPINRegressor(_LLSPIN, RegressorTask):
    __doc__ = f"""LLSPIN for numbers: a sparse linear model for each row, chosen by a gating net.

    Parameters
    ----------{GATE_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{REGRESSOR_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = LLSPINRegressor(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (442,)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class LSPINRegressor(_LSPIN, RegressorTask):
    __doc__ = f"""LSPIN for numbers: a net that uses, for each row, the factors a gating net chooses.

    Parameters
    ----------{GATE_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{REGRESSOR_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = LSPINRegressor(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.n_selected(X).max() <= 10
    np.True_
    """
