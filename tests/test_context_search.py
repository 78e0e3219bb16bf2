"""The search for a context."""

import joblib
import numpy as np
import pandas as pd
import pytest

from survlspin import CoxLLSPIN, CoxPH, CoxSTG, External, propose_context
from survlspin.context_search import NONE
from survlspin.errors import InputError

QUICK = CoxLLSPIN(lr=0.03, epochs=15)


def two_groups(n=400, seed=0):
    """Patients of two groups, whose hazards depend on different columns; or of one."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=["group", "a", "b", "noise"])
    X["group"] = np.where(X["group"] > 0, 1.0, -1.0)
    return X, rng


def followed(X, rng, eta):
    """Exponential times of these log-hazards, a part of them censored."""
    event_at, until = rng.exponential(size=len(X)) / np.exp(eta), rng.exponential(3, len(X))
    return pd.DataFrame({"time": np.minimum(event_at, until), "event": event_at <= until}, index=X.index)


X, RNG = two_groups()
TWO = followed(X, RNG, 1.5 * np.where(X["group"] > 0, X["a"], -X["b"]))
ONE = followed(X, RNG, 0.8 * X["a"] - 0.8 * X["b"])


def test_the_variable_that_tells_the_groups_apart_is_found():
    found = propose_context(QUICK, X, TWO, candidates=["group", "a"], cv=2)
    assert found.context == ("group",)
    table = found.table.set_index("context")
    assert table.loc["(every factor)", "size"] is pd.NA
    assert table["chosen"].sum() == 1
    assert table.loc["group", "chosen"]
    assert table.loc[NONE, "worse"] > 1.5 * table.loc[NONE, "se"]
    assert table["worse"].iloc[:-1].min() == 0
    assert (table["within"] == (table["worse"] <= table["se"])).all()
    assert table["loss"].notna().sum() == table["tried"].notna().sum() - 1  # of "a" alone there is no second judgement


def test_contexts_fitted_side_by_side_are_the_same():
    asked = {"candidates": ["group", "a"], "most": 1, "cv": 2}
    with joblib.parallel_config(backend="threading"):
        found = propose_context(CoxLLSPIN(epochs=2), X, TWO, n_jobs=2, **asked)
    pd.testing.assert_frame_equal(found.table, propose_context(CoxLLSPIN(epochs=2), X, TWO, **asked).table)


def test_where_all_patients_are_alike_the_context_is_empty():
    found = propose_context(QUICK, X, ONE, candidates=["group", "noise"], cv=2)
    assert found.context == ()
    assert found.table.set_index("context").loc[NONE, "chosen"]
    model = CoxLLSPIN(context=list(found.context), lam=0.02, lr=0.03, epochs=15, random_state=0).fit(X, ONE)
    assert model.selected(X).to_numpy().tolist() == [[False, True, True, False]] * len(X)


def test_rows_that_test_choose_nothing(monkeypatch):
    cv = External(np.arange(300, 400))
    [fold] = cv.folds(X, TWO)
    monkeypatch.setattr(External, "folds", lambda *_: iter([fold]))
    other, y = X.copy(), TWO.copy()
    other.iloc[300:], y.iloc[300:] = 99.0, TWO.iloc[399:299:-1].to_numpy()
    asked = {"candidates": ["group"], "most": 1, "cv": cv}
    found, again = (propose_context(CoxLLSPIN(epochs=2), *data, **asked).table for data in ((X, TWO), (other, y)))
    pd.testing.assert_frame_equal(found, again)


def test_a_number_of_parts_uses_every_row_once_to_validate():
    found = propose_context(CoxLLSPIN(epochs=1), X, TWO, candidates="group", most=1, cv=3)
    assert found.table["context"].tolist() == [NONE, "group", "(every factor)"]
    assert "3 folds" in found.description
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("estimator", "asked", "code"),
    [
        (CoxPH(), {}, "SL-653"),
        (CoxSTG(), {}, "SL-653"),
        (QUICK, {"most": 0}, "SL-654"),
        (QUICK, {"cv": 1}, "SL-654"),
        (QUICK, {"candidates": []}, "SL-655"),
        (QUICK, {"candidates": ["ward"]}, "SL-655"),
        (QUICK, {"candidates": ["grup"]}, "SL-217"),
    ],
    ids=["CoxPH", "CoxSTG", "most", "cv", "none", "constant", "unknown"],
)
def test_what_cannot_be_searched_is_refused(estimator, asked, code):
    with pytest.raises(InputError, match=code):
        propose_context(estimator, X.assign(ward="A3"), TWO, **asked)
