"""The public Cox estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .. import nets
from ..design import Design
from ..heads import Cox
from ..nets import Net
from .gated import GATE_PARAMETERS, GatedCox
from .net import ATTRIBUTES, PARAMETERS, CoxNet

PAPER = """
    References
    ----------
    Yang, Lindenbaum, Kluger: Locally Sparse Neural Networks for Tabular Biomedical Data, ICML 2022 (Eq. 4; the Cox
    models are those of Appendix B.6)."""


@dataclass(kw_only=True, eq=False, repr=False)
class CoxLLSPIN(GatedCox):
    __doc__ = f"""Cox-LLSPIN: a sparse linear model of the log-hazard for each patient, chosen by a gating net.

    A patient's log-risk is ``baseline + sum_j gate_j(x) beta_j x_j`` over the factors whose gates are open, exactly.
    The gates see every factor unless `context` names those they may see, so that without it a prediction can depend
    on factors that are not listed.

    Parameters
    ----------{GATE_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxLLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxLLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (500,)
    """

    linear: ClassVar[bool] = True

    def _net(self, design: Design, head: Cox, models: int) -> Net:
        return nets.LLSPIN(len(design.columns), self.hidden, head, models=models, **self._gating(design))


@dataclass(kw_only=True, eq=False, repr=False)
class CoxLSPIN(GatedCox):
    __doc__ = f"""Cox-LSPIN: a net of the log-hazard that uses, for each patient, the factors a gating net chooses.

    The log-risk is a nonlinear function of the factors whose gates are open. The gates see every factor unless
    `context` names those they may see, so that without it a prediction can depend on factors that are not listed.

    Parameters
    ----------{GATE_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.n_selected(X).max() <= X.shape[1]
    np.True_
    """

    hidden: tuple[int, ...] = (16,)

    def _net(self, design: Design, head: Cox, models: int) -> Net:
        return nets.LSPIN(len(design.columns), self.hidden, head, models=models, **self._gating(design))


@dataclass(kw_only=True, eq=False, repr=False)
class DeepSurv(CoxNet):
    __doc__ = f"""DeepSurv: a Cox model whose log-risk is a dense net of all factors.

    Parameters
    ----------{PARAMETERS}
    {ATTRIBUTES}
    References
    ----------
    Katzman et al.: DeepSurv: personalized treatment recommender system using a Cox proportional hazards deep neural
    network, BMC Medical Research Methodology 2018.

    Examples
    --------
    >>> from survlspin import DeepSurv
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = DeepSurv(epochs=5, random_state=0).fit(X, y)
    >>> model.predict_survival_function(X[:3], return_array=True).shape[0]
    3
    """

    hidden: tuple[int, ...] = (16,)

    def _net(self, design: Design, head: Cox, models: int) -> Net:
        return nets.Dense(len(design.columns), self.hidden, head, models=models)
