"""NIMO: a linear model whose coefficients a net corrects for each row."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import column_or_1d

from .. import nets
from ..design import Design
from ..errors import InputError
from ..heads import Head
from ..nets import Net
from ..train import History, Settings
from .net import ATTRIBUTES, PARAMETERS, is_number
from .path import LAM_PARAMETER, Path, PathEstimator, describe, extended
from .problem import Problem
from .tasks import (
    CLASSIFIER_ATTRIBUTES,
    COX_ATTRIBUTES,
    COX_PARAMETERS,
    REGRESSOR_ATTRIBUTES,
    ClassifierTask,
    CoxTask,
    RegressorTask,
)

POINTS = 10
SPAN = 1000.0  # largest lambda over smallest
GROUP = 3.0  # weight of the penalty "group" per unit of "lasso", where lam does not name it
FULL = 2_000  # training rows up to which batch_size "auto" is all
REMEMBERED = 5_000  # rows whose normal equations the coefficients are solved from
STEPS = 1_500  # of the models of a path, at most

NIMO_PARAMETERS = f"""{LAM_PARAMETER} The
        penalty ``lasso`` is the sum of ``|beta|^(2 delta / (1 + delta))``; ``group``, the sum of the
        norms of each column's weights in the net to the power 1/4, weighs {GROUP:.0f} times as much where no dict
        names it.
    delta : float
        In (0, 1]. 1: the lasso; smaller: large coefficients are shrunk less.
    noise : float
        Standard deviation of the noise on the net's first layer in training.
    frequency : float
        Above 0; larger makes more wiggly corrections."""

NIMO_ATTRIBUTES = """
    coef_ : Series (columns,)
        The coefficients at the reference, by column of the design; the mean over members.
    linear_, nonlinear_ : list of str
        Factors with a coefficient, and factors on which the corrections of others' coefficients depend, in any member.
    """

PAPER = """
    References
    ----------
    Xu, Negri, Roth: NIMO: a Nonlinear Interpretable MOdel, 2025 (arXiv 2506.05059)."""

SHARED = """The coefficient of column j is ``coef_[j] * (1 + g_j)``, where the correction g_j, between {low} and {high},
    depends on the other columns and is 0 at the reference. The coefficients are solved for, never stepped: on up to
    2,000 training rows from all of them, else from normal equations that decay over some 5,000 rows, and at last from
    all training rows. `batch_size` "auto" is all rows up to 2,000."""


@dataclass(kw_only=True, eq=False, repr=False)
class _NIMO(PathEstimator, ABC):
    penalties: ClassVar = ("lasso", "group")
    bounds: ClassVar = (-1.0, 1.0)

    hidden: tuple[int, ...] = (32, 64)
    delta: float = 0.5
    noise: float = 0.1
    frequency: float = 2.0
    optimizer: str = "adam"
    weight_decay: float = 0.0
    patience: int = 25

    @property
    def coef_(self) -> pd.Series:
        net = self.net_.eval()
        return pd.Series(net.beta.detach().mean(0).double().cpu().numpy(), list(self.design_.columns), name="coef")

    @property
    def linear_(self) -> list[str]:
        return self._factors(self.net_.linear_columns)

    @property
    def nonlinear_(self) -> list[str]:
        return self._factors(self.net_.nonlinear_columns)

    def corrections(self, X) -> pd.DataFrame:
        """Return by how much of itself each coefficient is changed for each row: DataFrame (n, columns), ensemble's.

        Multiplied by ``1 + corrections(X)``, ``coef_`` is the row's own coefficients; it is 0 for a column without
        a coefficient.
        """
        coef = self._by_column(X, lambda net, parts: parts["coef"][..., 0].mean(0))  # (n, p)
        at_reference = self.coef_.to_numpy()
        out = np.divide(coef, at_reference, out=np.ones_like(coef), where=at_reference != 0) - 1
        return pd.DataFrame(out, index=self.design_.index(X), columns=list(self.design_.columns))

    def _factors(self, used: torch.Tensor) -> list[str]:
        positions = np.unique(self.design_.group[used.any(0).cpu().numpy()])
        return [self.design_.factors[i] for i in positions]

    def _net(self, design: Design, head: Head, models: int, memory: float = 0.0) -> nets.NIMO:
        return nets.NIMO(
            len(design.columns), self.hidden, head, delta=self.delta, bounds=self.bounds, frequency=self.frequency,
            noise=self.noise, memory=memory, models=models,
        )  # fmt: skip

    def _maker(self, problem: Problem) -> Callable[[int], Net]:
        batch = problem.settings.batch_size
        memory = 0.0 if batch is None or batch >= len(problem.rows) else max(1 - batch / REMEMBERED, 0.0)
        return lambda models: self._net(problem.design, problem.head, models, memory)

    def _settings(self, n: int) -> Settings:
        settings = super()._settings(n)
        if self.batch_size == "auto" and n <= FULL:
            return Settings(**{**vars(settings), "batch_size": None})
        return settings

    def _adopt(self, problem: Problem, net: nets.NIMO, history: History | None, lam: dict[str, float]):
        return super()._adopt(problem, net.settled(), history, _tied(lam))

    def _rules(self) -> dict[str, tuple[bool, str]]:
        return {
            **super()._rules(),
            "delta": (is_number(self.delta) and 0 < self.delta <= 1, "a number above 0 and at most 1"),
            "noise": (is_number(self.noise), "a number >= 0"),
            "frequency": (is_number(self.frequency) and self.frequency > 0, "a positive number"),
        }

    def _lam(self) -> dict[str, float]:
        return _tied(super()._lam())

    def _fit_path(self, problem: Problem, points: int | None) -> Path:
        """Fit every lambda from the start, as one stack, up to the first at which no coefficient is left."""
        problem.validation()
        make, members, besides = self._maker(problem), len(problem.seeds), self._lam_besides()

        def cold(lam: np.ndarray) -> Net:
            net = problem.initialize(make, len(lam))
            weights = [_tied({"lasso": value, **besides}) for value in lam]
            problem.limited(STEPS).fit(net, {name: [w[name] for w in weights] for name in weights[0]}, "path")
            return net

        lam = np.geomspace(1 / SPAN, 1, points or POINTS) * self._largest(problem)
        net, lam, used = extended(problem, cold(lam), lam, cold)
        last = next((i for i, u in enumerate(used) if not u.any()), len(used) - 1) + 1
        return describe(self, problem, net.rows(range(last * members)), lam[:last], used[:last])

    @staticmethod
    def _largest(problem: Problem) -> float:
        """Return the lambda of the lasso (delta = 1) at which the first column enters."""
        x, target = problem.training()
        eta = problem.null().expand(1, len(x), -1)
        return float((problem.head.quadratic(eta, target).gradient[0, :, 0] @ x.double()).abs().max())


def _tied(lam: dict[str, float]) -> dict[str, float]:
    """Return penalties' weights, "group" in proportion to "lasso" where it is not named."""
    return {"group": GROUP * lam["lasso"], **lam}


@dataclass(kw_only=True, eq=False, repr=False)
class CoxNIMO(_NIMO, CoxTask):
    __doc__ = f"""Cox-NIMO: a sparse Cox regression whose coefficients a net corrects for each patient.

    {SHARED.format(low=-1, high=1)}

    Parameters
    ----------{NIMO_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{NIMO_ATTRIBUTES}{COX_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxNIMO
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxNIMO(lam=0.1, epochs=5, random_state=0).fit(X, y)
    >>> model.corrections(X).shape == (500, len(model.coef_))
    True
    """


@dataclass(kw_only=True, eq=False, repr=False)
class NIMOClassifier(_NIMO, ClassifierTask):
    __doc__ = f"""NIMO for two classes: a sparse logistic regression whose coefficients a net corrects for each row.

    The paper's range for classes, -1 to 3, is that of ``1 + g_j`` here, so that a coefficient can change its sign.
    {SHARED.format(low=-2, high=2)}

    Parameters
    ----------{NIMO_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{NIMO_ATTRIBUTES}{CLASSIFIER_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin.nimo_data import draw
    >>> model = NIMOClassifier(lam=0.01, epochs=5, random_state=0).fit(*draw("C1", 100))
    >>> model.predict_proba(draw("C1", 20)[0]).shape
    (20, 2)
    """

    bounds: ClassVar = (-2.0, 2.0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _learn(self, X, y, sample_weight=None):
        outcome, head, terms = super()._learn(X, y, sample_weight)
        if head.k > 1:
            found = f"Only binary classification is supported: NIMO has one output, and y has {head.k} classes."
            raise InputError("SL-425", found, "Fit one model per class.")
        return outcome, head, terms


@dataclass(kw_only=True, eq=False, repr=False)
class NIMORegressor(_NIMO, RegressorTask):
    __doc__ = f"""NIMO for numbers: a sparse linear regression whose coefficients a net corrects for each row.

    {SHARED.format(low=-1, high=1)}

    Parameters
    ----------{NIMO_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{NIMO_ATTRIBUTES}{REGRESSOR_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin.nimo_data import draw
    >>> model = NIMORegressor(lam=0.003, epochs=5, random_state=0).fit(*draw("S1", 100))
    >>> model.coef_.shape
    (5,)
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _learn(self, X, y, sample_weight=None):
        shape = np.asarray(y).shape
        if len(shape) == 2 and shape[1] > 1:
            raise InputError("SL-425", f"NIMO has one output; y has {shape[1]} targets.", "Fit one model per target.")
        return super()._learn(X, column_or_1d(y, warn=True), sample_weight)
