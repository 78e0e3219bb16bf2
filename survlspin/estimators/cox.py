"""The public Cox estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .. import nets
from ..design import Design
from ..heads import Cox
from ..nets import Net
from .gated import GatedCox
from .net import CoxNet


@dataclass(kw_only=True, eq=False, repr=False)
class CoxLLSPIN(GatedCox):
    __doc__ = f"""Cox-LLSPIN: for each patient a sparse linear model of the log-hazard, chosen by a gating net.

    Yang, Lindenbaum, Kluger: Locally Sparse Neural Networks for Tabular Biomedical Data, ICML 2022.
    {GatedCox.__doc__.split("net with gates.")[1]}
    """

    linear: ClassVar[bool] = True

    def _net(self, design: Design, head: Cox, models: int) -> Net:
        return nets.LLSPIN(len(design.columns), self.hidden, head, models=models, **self._gating(design))


@dataclass(kw_only=True, eq=False, repr=False)
class CoxLSPIN(GatedCox):
    """Cox-LSPIN"""

    hidden: tuple[int, ...] = (16,)

    def _net(self, design: Design, head: Cox, models: int) -> Net:
        return nets.LSPIN(len(design.columns), self.hidden, head, models=models, **self._gating(design))


@dataclass(kw_only=True, eq=False, repr=False)
class DeepSurv(CoxNet):
    """DeepSurv"""

    hidden: tuple[int, ...] = (16,)

    def _net(self, design: Design, head: Cox, models: int) -> Net:
        return nets.Dense(len(design.columns), self.hidden, head, models=models)
