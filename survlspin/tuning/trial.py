"""One trial: a fit on training rows, judged on validation rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._sklearn import seeded, takes_validation
from ..errors import InputError, InputTypeError, InputWarning
from ..heads import Cox
from ..metrics.concordance import concordance_of
from ..outcome import Outcome
from ..survival import CoxModel
from ..threads import one_thread
from .rows import Sight

__all__ = ["FAILURES", "NLL", "C", "Trial", "criterion_of", "reason_of"]

NLL, C = "validation NLL", "validation C"
FAILURES = (ValueError, ArithmeticError, InputTypeError, torch.linalg.LinAlgError)


def criterion_of(model: BaseEstimator) -> str:
    """Return what trials of a model are judged by: `NLL` where it predicts log-risks, which is to be small, else `C`.

    The NLL is the Cox loss per event with Efron's ties; C is Harrell's, and to be large. A model that is not known to
    predict log-risks is judged by C.
    """
    while not isinstance(model, CoxModel):
        model = model.steps[-1][1] if isinstance(model, Pipeline) else getattr(model, "estimator", None)
        if model is None:
            return C
    return NLL


@dataclass(frozen=True, eq=False)
class Trial:
    """What the trials of a search share.

    Attributes
    ----------
    model : estimator
    sight : Sight
    criterion : str
    """

    model: BaseEstimator
    sight: Sight
    criterion: str

    def value(self, params: dict[str, object], seed: int) -> float:
        """Return the criterion of the model with these settings, nan where its answer is no number.

        Raises
        ------
        FAILURES
            Where the model cannot be fitted so.
        """
        model = seeded(self.model, seed).set_params(**params)
        X, y, X_valid, y_valid, _ = self.sight
        validation = {"validation_data": (X_valid, y_valid)} if takes_validation(model) else {}
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # of the data: the fits that follow the search say it
            risk = np.asarray(model.fit(X, y, **validation).predict(X_valid), dtype=np.float64)
            return self._judged(Outcome.of(y_valid), risk) if np.isfinite(risk).all() else np.nan

    def _judged(self, outcome: Outcome, risk: np.ndarray) -> float:
        if self.criterion == C:
            return concordance_of(outcome, risk).value
        head = Cox()
        return float(head.nll(torch.from_numpy(risk[None, :, None]), head.prepare(outcome))[0])


def reason_of(error: Exception) -> str:
    """Return why a trial failed: a code, or the kind of error, whose text may have patients' values."""
    return error.code if isinstance(error, InputError | InputTypeError) else type(error).__name__
