"""Cox regression (lifelines) and its LASSO path (scikit-survival)."""

from __future__ import annotations

import re
import warnings
from copy import copy
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ..base import linear
from ..errors import InputError, InputWarning
from ..heads import Cox
from ..outcome import Outcome, check_enough_events
from ..survival import CoxModel, outcome_of, split_validation

__all__ = ["CoxLasso", "LassoPath", "LifelinesCoxPH"]

SHORT_STEPS = {"step_size": 0.1, "max_steps": 1000}  # of Newton's method, where full ones go astray
RIDGE = 1e-3  # the penalizer that is tried where the plain likelihood has no maximum


class LifelinesCoxPH(CoxModel):
    """Cox regression by lifelines (Efron's ties), on the same design columns as the nets.

    Where the likelihood has no finite maximum (columns that determine each other, a column that separates the patients
    with an event) a warning names lifelines' reason and a slight ridge penalty makes the fit unique.

    Parameters
    ----------
    penalizer : float
        lifelines' ridge penalty.

    Attributes
    ----------
    coef_ : Series (p,)
        Log hazard ratio of each design column.
    model_ : lifelines.CoxPHFitter
        With its ``summary``, ``check_assumptions`` and the rest. A saved model has none: it holds training rows.
    """

    _unsaved = ("model_",)
    uses = frozenset({"entry", "weight", "stratum"})

    def __init__(self, penalizer: float = 0.0):
        self.penalizer = penalizer

    def fit(self, X, y) -> LifelinesCoxPH:
        """Fit the model.

        Raises
        ------
        InputError
            SL-462 where lifelines finds no solution, even with a slight penalty.

        Warns
        -----
        InputWarning
            SL-463 where lifelines reports trouble on its way.
        """
        x, outcome = self._encode(X, y)
        table = pd.DataFrame(x, columns=list(self.design_.columns))
        fields = {name: f"({name})" for name in ("time", "event", "entry", "weight", "stratum")}
        for name, column in fields.items():
            if (values := getattr(outcome, name)) is not None:
                table[column] = values
        if outcome.weight is not None:  # a row of weight 0 is not there; lifelines refuses it
            table = table[outcome.weight > 0]
        columns = {name: column for name, column in fields.items() if column in table}
        self.model_ = _fit_lifelines(table, columns, self.penalizer)
        self.coef_ = self.model_.params_.rename("coef")
        self._set_baseline(self.predict(X), outcome)
        return self

    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each row (n,); 0 is the reference patient."""
        return linear(self._columns(X), self.coef_.to_numpy())


def _fit_lifelines(table: pd.DataFrame, columns: dict[str, str], penalizer: float):
    from lifelines import CoxPHFitter, exceptions

    names = {
        "duration_col": "time",
        "event_col": "event",
        "entry_col": "entry",
        "weights_col": "weight",
        "strata": "stratum",
    }
    named = {option: columns[name] for option, name in names.items() if name in columns}
    for strength, steps in ((penalizer, None), (penalizer, SHORT_STEPS), (max(RIDGE, 10 * penalizer), SHORT_STEPS)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model = CoxPHFitter(penalizer=strength).fit(table, **named, fit_options=steps)
                trouble = [str(w.message) for w in caught if issubclass(w.category, exceptions.ConvergenceWarning)]
            except exceptions.ConvergenceError as error:
                model, trouble = None, [str(error)]
        if not trouble:
            return model
        reason = re.split(r"\n|Please see|For example|See https", trouble[0])[0].strip()
        penalty = "no penalty" if strength == 0 else f"penalizer={strength:g}"
        found = f"lifelines with {penalty}: {reason}"
        remedy = "Look for columns that determine each other or the event; penalizer=0.01 often helps."
        unfinished = model is None or any("failed to converge" in message for message in trouble)
        if steps is not None or not unfinished:  # long steps that go astray are not worth a word if short ones do not
            warnings.warn(InputWarning("SL-463", found, remedy), stacklevel=3)
        if not unfinished:
            return model
    raise InputError("SL-462", found, remedy)


class CoxLasso(CoxModel):
    """The LASSO for Cox regression by scikit-survival, with its path over the penalty.

    Columns are scaled to variance 1 for the penalty, as glmnet does, and ties are Breslow's while fitting. Validation
    rows choose the penalty with the lowest Cox loss (Efron's ties): the best LASSO to compare with, not the sparsest
    one within a standard error of it.

    Parameters
    ----------
    alpha : float or "auto"
        The penalty in scikit-survival's and glmnet's unit, or the one of the path that validation rows choose.
    n_alphas : int
        Points of the path's grid; as in glmnet the path ends early where the likelihood gains no more.
    validation_fraction : float
        Share of the rows that validate where no `validation_data` are given.
    random_state : int, optional
        Draws these rows.

    Attributes
    ----------
    coef_ : Series (p,)
        Log hazard ratio of each design column; zeros are not selected.
    alpha_ : float
        The penalty used.
    """

    def __init__(
        self,
        alpha: float | str = "auto",
        n_alphas: int = 50,
        validation_fraction: float = 0.2,
        random_state: int | None = None,
    ):
        self.alpha = alpha
        self.n_alphas = n_alphas
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X, y, validation_data=None) -> CoxLasso:
        """Fit the model; `validation_data` is an ``(X, y)`` of other rows.

        Raises
        ------
        InputError
            SL-461 for an outcome with entry times, weights or strata; SL-464 for an `alpha` that is no penalty.
        """
        path = self.path(X, y, validation_data)
        fitted = vars(path.at(path.chosen))
        vars(self).update({name: value for name, value in fitted.items() if name.endswith("_")})
        return self

    def path(self, X, y, validation_data=None) -> LassoPath:
        """Fit the path, from the smallest penalty to the first that selects nothing; arguments as in `fit`.

        Where `alpha` is a number, that is the path's one point.
        """
        fixed = self.alpha != "auto"
        if fixed and not (isinstance(self.alpha, Real) and self.alpha > 0):
            raise InputError("SL-464", f"alpha={self.alpha!r}.", 'Give a number above 0, or "auto".')
        if validation_data is None and not fixed:
            X, y, *validation_data = split_validation(X, y, self.validation_fraction, self.random_state)
        model = clone(self)
        x, outcome = model._encode(X, y)
        alphas, coef = _lasso(x, outcome, [self.alpha] if fixed else None, self.n_alphas)  # (P,), (p, P)
        nll, se = np.full((2, len(alphas)), np.nan)
        if validation_data is not None:
            X_valid, y_valid = validation_data
            nll, se = _validate(model._columns(X_valid) @ coef, outcome_of(X_valid, y_valid))
        used = model._by_factor(coef).sum(axis=0)
        frame = pd.DataFrame({"lam": alphas * len(outcome) / outcome.n_events, "alpha": alphas, "validation_nll": nll})
        frame = frame.assign(validation_se=se, median=used, mean=used, union=used)
        return LassoPath(frame, 0 if fixed else int(nll.argmin()), model, coef, x, outcome)

    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each row (n,); 0 is the reference patient."""
        return linear(self._columns(X), self.coef_.to_numpy())

    def selected(self, X) -> pd.DataFrame:
        """Return the factors with a coefficient, bool (n, G): the same for every row."""
        check_is_fitted(self, "coef_")
        return self._for_every_row(X, self._by_factor(self.coef_.to_numpy()[:, None]).T, self.design_.factors)

    def selected_columns(self, X) -> pd.DataFrame:
        """Return the columns of the design with a coefficient, bool (n, p): the same for every row."""
        check_is_fitted(self, "coef_")
        return self._for_every_row(X, self.coef_.to_numpy()[None] != 0, self.design_.columns)

    def n_selected(self, X) -> pd.Series:
        """Return the number of factors with a coefficient, for every row."""
        return self.selected(X).sum(axis=1)

    def _for_every_row(self, X, used: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
        """Return used (1, len(names)) repeated for every row of X."""
        index = self.design_.index(X)
        return pd.DataFrame(np.repeat(used, len(index), axis=0), index=index, columns=list(names))

    def _by_factor(self, coef: np.ndarray) -> np.ndarray:
        """Return which factors have a coefficient (G, P), from the columns' (p, P)."""
        used = np.zeros((len(self.design_.factors), coef.shape[1]), dtype=bool)
        np.logical_or.at(used, self.design_.group, coef != 0)
        return used


@dataclass(frozen=True, eq=False)
class LassoPath:
    """The LASSO path of one data set.

    Attributes
    ----------
    frame : DataFrame (P rows)
        Densest first: ``lam``, the penalty against the Cox loss per event; ``alpha``, the same in scikit-survival's
        unit; ``validation_nll`` and ``validation_se``, the standard error of its difference from the best point;
        ``median``, ``mean``, ``union``, the number of factors used, one for all patients.
    chosen : int
        The point of the lowest validation loss.
    """

    frame: pd.DataFrame
    chosen: int
    _model: CoxLasso
    _coef: np.ndarray
    _x: np.ndarray
    _outcome: Outcome

    def __len__(self) -> int:
        return len(self.frame)

    def at(self, i: int) -> CoxLasso:
        """Return the fitted model of point `i`."""
        model = copy(self._model)
        model.alpha = model.alpha_ = float(self.frame["alpha"].iloc[i])
        model.coef_ = pd.Series(self._coef[:, i], index=list(model.design_.columns), name="coef")
        model._set_baseline(self._x @ self._coef[:, i], self._outcome)
        return model


def _validate(eta: np.ndarray, outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of log-risks (n, P), and the standard error of its difference from the best."""
    check_enough_events(outcome, force=True)
    head = Cox()
    parts = head.contributions(torch.from_numpy(eta.T[..., None]), head.prepare(outcome)).numpy()  # (P, n)
    loss = parts.sum(axis=1)
    difference = (parts - parts[loss.argmin()])[:, outcome.event != 0]
    events = difference.shape[1]
    return loss, difference.std(axis=1, ddof=min(1, events - 1)) * np.sqrt(events)


def _lasso(x: np.ndarray, outcome: Outcome, alphas: list[float] | None, n_alphas: int) -> tuple[np.ndarray, np.ndarray]:
    """Return penalties (P,), smallest first, and coefficients (p, P)."""
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    scale = x.std(axis=0)
    scale[scale == 0] = 1.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "all coefficients are zero", UserWarning)
        warnings.simplefilter("error", ConvergenceWarning)
        for smallest in ("auto", 0.01, 0.05):  # relative to the penalty that selects nothing
            model = CoxnetSurvivalAnalysis(
                alphas=alphas, n_alphas=n_alphas, alpha_min_ratio=smallest, l1_ratio=1.0, tol=1e-9, max_iter=10**6
            )
            try:
                model.fit(x / scale, outcome.to_y())
                break
            except (ArithmeticError, ConvergenceWarning) as error:
                reason = str(error)
        else:
            raise InputError("SL-462", f"scikit-survival's LASSO: {reason}", "Use a larger alpha.")
    return model.alphas_[::-1], (model.coef_ / scale[:, None])[:, ::-1]
