"""Predictors learnt from masked inputs, and what models predict that know only what they list."""

import numpy as np
import pandas as pd
import pytest

from survlspin import CoxLLSPIN, CoxLSPIN, CoxPH, CoxSTG, LLSPINRegressor
from survlspin.errors import InputError
from survlspin.faithfulness import listed_risk, masked_refit

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(400, 4)), columns=["group", "a", "b", "noise"])
TIME = RNG.exponential(np.exp(-1.5 * np.where(X["group"] > 0, X["a"], -X["b"])))
Y = pd.DataFrame({"time": TIME.clip(max=3), "event": TIME < 3})
QUICK = {"lr": 0.03, "epochs": 20, "random_state": 0}
MODELS = {
    "free": CoxLLSPIN(lam=0.03, **QUICK),
    "context": CoxLLSPIN(lam=0.03, context=["group"], members=2, **QUICK),
    "lspin": CoxLSPIN(lam=0.03, **QUICK),
    "stg": CoxSTG(lam=0.03, hidden=(), **QUICK),
}
for each in MODELS.values():
    each.fit(X, Y)


@pytest.mark.parametrize("name", MODELS)
def test_gates_stay_and_the_loss_of_the_rows_gets_smaller(name):
    model = MODELS[name]
    before = model.predict(X)
    refit = masked_refit(model, X, Y)
    pd.testing.assert_frame_equal(refit.gates(X), model.gates(X))
    assert np.abs(refit.predict(X) - before).max() > 0.01
    np.testing.assert_array_equal(model.predict(X), before)
    assert refit.score(X, Y) > model.score(X, Y) - 0.02
    assert refit.predict_survival_function(X[:2], return_array=True).shape == (2, len(refit.unique_times_))


def test_coefficients_are_those_of_a_cox_model_of_the_gated_columns():
    model = CoxSTG(lam=0.0, hidden=(), validation_fraction=0.0, **QUICK).fit(X, Y)
    refit, risk = masked_refit(model, X, Y), CoxPH().fit(X, Y).predict(X)
    assert (model.gates(X) > 0).all(axis=None)  # so that it is a Cox model of all columns but for the ridge
    np.testing.assert_allclose(refit.predict(X) - refit.predict(X).mean(), risk - risk.mean(), atol=0.02)


def test_rows_that_validate_are_asked_in_the_models_own_columns(monkeypatch):
    asked = []
    monkeypatch.setitem(masked_refit.__globals__, "relax", lambda net, *given: asked.append(given) or net)
    model = MODELS["lspin"]
    masked_refit(model, X[:200] * 0.5, Y[:200], (X[200:] * 0.25, Y[200:]))
    masked_refit(model, X, Y)
    (_, data, [rows], *_, valid, [valid_rows]), (_, both, [some], *_, again, [others]) = asked
    np.testing.assert_array_equal(data.x, model.design_.transform(X[:200] * 0.5))
    np.testing.assert_array_equal(valid.x, model.design_.transform(X[200:] * 0.25))
    assert (len(rows), len(valid_rows)) == (200, 200)
    assert again is both
    assert sorted([*some, *others]) == list(range(400))


def test_columns_that_the_model_does_not_know_are_no_predictors():
    model, more = MODELS["context"], X.assign(time=TIME, label=[f"{i:03}" for i in range(len(X))])
    np.testing.assert_array_equal(masked_refit(model, more, Y).predict(X), masked_refit(model, X, Y).predict(X))
    apart = masked_refit(model, more[:300], Y[:300], (more[300:], Y[300:])).predict(X)
    np.testing.assert_array_equal(apart, masked_refit(model, X[:300], Y[:300], (X[300:], Y[300:])).predict(X))


def test_numbers_are_refitted_too():
    model = LLSPINRegressor(lam=0.02, **QUICK).fit(X, X["a"].to_numpy())
    refit = masked_refit(model, X, X["a"].to_numpy())
    assert refit.score(X, X["a"].to_numpy()) > max(0.95, model.score(X, X["a"].to_numpy()))


def test_what_is_listed_is_all_there_is_where_nothing_leaks():
    model = MODELS["context"]
    np.testing.assert_allclose(listed_risk(model, X, draws=2), model.predict(X), atol=1e-12)
    assert np.abs(listed_risk(MODELS["free"], X, draws=2) - MODELS["free"].predict(X)).max() > 0.1


def test_strata_are_redrawn_within():
    model, alone = MODELS["free"], np.arange(len(X))
    np.testing.assert_allclose(listed_risk(model, X, draws=2, strata=alone), model.predict(X), atol=1e-12)
    with pytest.raises(InputError, match="SL-618"):
        listed_risk(model, X, strata=[0, 1])


def test_a_model_without_gates_is_refused():
    with pytest.raises(InputError, match="SL-467"):
        masked_refit(CoxPH().fit(X, Y), X, Y)
