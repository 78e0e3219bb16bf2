"""What is listed, and no more: a predictor learnt from masked inputs, and predictions that know the listed factors."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import InputError, InputWarning
from ..estimators.net import NetEstimator, more_seeds
from ..metrics.interpretability.explained import explained, variables_used
from ..metrics.interpretability.leakage import donors, mixed
from ..train import Data
from ..train.fit import seeded
from ..train.refit import relax

__all__ = ["listed_risk", "masked_refit"]


def masked_refit(model: NetEstimator, X, y, validation_data=None) -> NetEstimator:
    """Return the model with its gates frozen and what it predicts from the factors they let through learnt anew.

    Parameters
    ----------
    model : fitted estimator with gates
        LSPIN, LLSPIN or STG.
    X, y
        The rows that it was fitted to; columns that the model does not know are ignored.
    validation_data : (X, y), optional
        As in the model's `fit`. None: the same share of the rows is set aside, of one `random_state` the same rows.

    Returns
    -------
    estimator
        A fitted one of the same kind; `model` stays as it is.

    Raises
    ------
    InputError
        SL-467 for a model without gates; with the codes of the model's `fit`.

    Notes
    -----
    The new predictor sees masked inputs alone, in training as in use: of linear models it is the exact minimiser of the
    loss (see `survlspin.train.refit.relax`). Which inputs are masked still carries what the gates saw. For the
    C of what is listed let the gates choose again without it: `listed_risk`.

    Examples
    --------
    >>> from survlspin import CoxLLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(400)
    >>> model = CoxLLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> refit = masked_refit(model, X, y)
    >>> refit.selected(X).equals(model.selected(X)), bool((refit.predict(X) == model.predict(X)).all())
    (True, False)
    """
    if not isinstance(model, NetEstimator) or not callable(getattr(model, "gates", None)):
        found = f"{type(model).__name__} has no gates that could be frozen."
        raise InputError("SL-467", found, "Give a fitted model that has, such as CoxLLSPIN.")
    refit, X = copy.copy(model), _own(model, X)
    if validation_data is not None:
        validation_data = _own(model, validation_data[0]), validation_data[1]
    problem, design = refit._problem(X, y, validation_data), model.design_
    data = Data(refit._x(design, X), problem.data.target)
    valid = data
    if validation_data is not None and problem.valid is not None:
        valid = Data(refit._x(design, validation_data[0]), problem.valid.target)
    problem = replace(problem, design=design, data=data, valid=None if problem.valid is None else valid)
    net = relax(
        model.net_, problem.head, data, [problem.rows], seeded(more_seeds(problem.seeds, model.net_.models)),
        problem.settings, problem.valid, [problem.valid_rows],
    )  # fmt: skip
    return refit._adopt(problem, net, None, model.lam_)


def _own(model: NetEstimator, X):
    """Return the columns that the model was offered, so that an outcome or a label beside them is no predictor."""
    names = model.design_.feature_names_in_
    return X if names is None or not isinstance(X, pd.DataFrame) else X[[name for name in names if name in X]]


def listed_risk(model, X, *, draws: int = 20, strata=None, random_state: int = 0) -> np.ndarray:
    """Return what a model predicts where it knows the factors that it lists for a row, and no others.

    In each draw every row takes the values of the factors that it does not use from another row drawn at random; the
    gates choose again. The mean over draws is the answer: where nothing leaks it is the model's own.

    Parameters
    ----------
    model : fitted estimator with a design
        Whose `predict` gives numbers, as log-risks.
    X : DataFrame or array (n, variables)
    draws : int
    strata : array (n,) of labels, optional
        Rows take values from rows of their own stratum only.
    random_state : int

    Returns
    -------
    float64 array (n,) or (n, k)

    Raises
    ------
    InputError
        SL-618 for strata of another length; SL-619 for a model without a design.
    """
    used, redraw = variables_used(model, explained(model, X)), donors(len(X), strata, random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # said of the rows themselves
        return np.mean([model.predict(mixed(model, X, redraw(), used)) for _ in range(draws)], axis=0)
