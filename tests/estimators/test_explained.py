"""What estimators say of patients, beside Shapley values by brute force and the members one by one."""

from functools import cache
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from survlspin import (
    CauseSpecificCoxLSPIN,
    CoxGradientLasso,
    CoxLassoNet,
    CoxLLSPIN,
    CoxLSPIN,
    CoxNIMO,
    CoxSTG,
    Outcome,
)
from survlspin.errors import InputError
from survlspin.testing.estimators import patients

X, Y = patients()
X.attrs["units"] = {"age": "years", "size": "mm"}
SMALL = {"epochs": 10, "lr": 0.03, "members": 2, "random_state": 0}
MODELS = {
    "LLSPIN": CoxLLSPIN(lam=0.01, **SMALL),
    "LSPIN": CoxLSPIN(lam=0.01, **SMALL),
    "STG": CoxSTG(lam=0.01, **SMALL),
    "LassoNet": CoxLassoNet(lam=0.01, **SMALL),
    "GradientLasso": CoxGradientLasso(lam=0.01, **SMALL),
    "NIMO": CoxNIMO(lam=0.01, **SMALL),
}
CONTEXT = ["age", "grade"]


@cache
def fitted(name, context=False):
    return clone(MODELS[name]).set_params(**({"context": CONTEXT} if context else {})).fit(X, Y)


def members(model):
    """The members of an ensemble as models of their own."""
    for m in range(len(model.center_)):
        alone = clone(model).set_params(members=1)
        vars(alone).update(vars(model) | {"net_": model.net_.rows([m]), "center_": model.center_[[m]]})
        yield alone


def brute(value, players, G):
    """Shapley values by the sum over all coalitions."""
    shares, k = np.zeros(G), len(players)
    for j in players:
        others = [i for i in players if i != j]
        for s in range(k):
            for inside in combinations(others, s):
                weight = factorial(s) * factorial(k - s - 1) / factorial(k)
                shares[j] += weight * (value({*inside, j}) - value(set(inside)))
    return shares


def worth(alone, x, gate, own):
    """A member's log-risk of one patient as a function of who is in a coalition, its gates held at the patient's."""
    net, group = alone.net_.double().eval(), alone.design_.group

    def value(inside):
        kept = x * torch.tensor([g in inside or g not in own for g in group])
        if gate is None:
            return net(kept)[0].item()
        seen = kept if net.gated is None else kept * net.gated
        main = (
            0.0
            if net.main is None
            else (net.main(kept[None, :, net.context]) - net.main(0 * kept[None, :, net.context]))
        )
        return (net.predictor(gate * seen) + main).item()

    return value


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("LSPIN", False),
        ("LSPIN", True),
        ("STG", False),
        ("LassoNet", False),
        ("GradientLasso", False),
        ("LLSPIN", True),
    ],
)
def test_effects_are_shapley_values_of_the_members(name, context):
    model = fitted(name, context)
    [block] = model.risk_factors(X).explanations()
    rows, G = range(0, 120, 24), len(block.factors)
    for row in rows:
        own = []
        for alone in members(model):
            one = X.iloc[[row]]
            x = torch.from_numpy(alone.design_.transform(one)).double()
            players = np.flatnonzero(alone.selected(one).to_numpy()[0]).tolist()
            gate = alone.net_.double().eval()(x)[1]["gate"] if "LSPIN" in name else None
            own.append(brute(worth(alone, x, gate, players), players, G))
        listed = block.listed[row]
        for found, expected in (
            (block.effects, np.mean(own, 0)),
            (block.low, np.min(own, 0)),
            (block.high, np.max(own, 0)),
        ):
            np.testing.assert_allclose(found[row, listed], expected[listed], atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_sums_are_the_log_risk(name):
    model = fitted(name)
    table = model.risk_factors(X)
    assert table.kind == ("additive" if name in {"LLSPIN", "NIMO"} else "Shapley")
    people = table.patients()
    np.testing.assert_allclose(people["log_risk"], model.predict(X), rtol=1e-9, atol=1e-9)
    assert people["residual"].abs().max() < 1e-9
    total = table.frame.groupby("patient")["log_hr"].sum().reindex(people["patient"], fill_value=0.0).to_numpy()
    np.testing.assert_allclose(people["baseline"] + total, people["log_risk"], atol=1e-9)
    if name == "GradientLasso":  # which factors that are not listed move, too
        assert people["baseline"].std() > 1e-3
    else:
        assert people["baseline"].std() < 1e-9


@pytest.mark.parametrize(("name", "context"), [*((name, False) for name in MODELS), ("LLSPIN", True)])
def test_log_risks_are_those_predicted_whoever_is_asked_with_them(name, context):
    model = fitted(name, context)
    for size in (1, 7, len(X)):
        pieces = [X[start : start + size] for start in range(0, min(len(X), 6 * size), size)]
        told = pd.concat([model.risk_factors(piece).patients() for piece in pieces])
        np.testing.assert_array_equal(told["log_risk"], model.predict(X)[: len(told)])


@pytest.mark.parametrize("name", ["LLSPIN", "LSPIN"])
def test_agreement_gates_and_bounds_are_over_members(name):
    model = fitted(name)
    [block] = model.risk_factors(X).explanations()
    own = list(members(model))
    np.testing.assert_array_equal(block.agreement, sum(alone.selected(X).to_numpy().astype(int) for alone in own))
    np.testing.assert_allclose(block.gate, model.gates(X).to_numpy(), atol=1e-9)
    effects = np.stack([np.nan_to_num(next(alone.risk_factors(X).explanations()).effects) for alone in own])
    listed = block.listed
    for found, expected in (
        (block.effects, effects.mean(0)),
        (block.low, effects.min(0)),
        (block.high, effects.max(0)),
    ):
        np.testing.assert_allclose(found[listed], expected[listed], atol=1e-9)
        assert np.isnan(found[~listed]).all()
    assert (block.high - block.low)[listed].max() > 0.01


@pytest.mark.parametrize("name", ["LLSPIN", "LSPIN"])
def test_context_columns_have_an_effect_each(name):
    model = fitted(name, True)
    table = model.risk_factors(X)
    own = table.frame.query("role == 'context'")
    assert sorted(own["factor"].unique()) == CONTEXT
    assert own["log_hr"].notna().all()
    assert (own["agree"] == 2).all()
    usual = X.assign(grade=model.design_.reference["grade"])  # then it is age alone that acts
    lone = model.risk_factors(usual).frame.query("factor == 'grade'")
    assert (lone["log_hr"] == 0).all()


def test_more_than_ten_open_factors_are_left_empty_and_said():
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 12))).add_prefix("x").assign(x0=X["age"].to_numpy())
    model = CoxLSPIN(lam=0.0, epochs=1, random_state=0).fit(wide, Y)
    few = wide.copy()
    few.iloc[:5, 2:] = model.design_.reference.to_numpy()[2:].astype(float)  # open, but without an effect
    table = model.risk_factors(few)
    assert table.frame["log_hr"].groupby(table.frame["patient"]).agg(lambda effect: effect.isna().all()).sum() == 115
    assert table.patients()["residual"].notna().tolist() == [True] * 5 + [False] * 115
    assert "left empty" in table.note
    assert table.frame["rank"].notna().all()
    table.plot(0)
    with pytest.raises(InputError, match="SL-442"):
        table.plot(7)


def test_units_and_the_reference_patient():
    table = fitted("LLSPIN").risk_factors(X)
    assert dict(zip(table.factors, table.units, strict=True)) == {
        "age": "years",
        "size": "mm",
        "nodes": "",
        "grade": "",
    }
    assert table.reference["age"] == pytest.approx(X["age"].mean())
    assert set(table.frame.query("factor == 'age'")["unit"]) == {"years"}
    columns = clone(MODELS["LLSPIN"]).set_params(groups="column", epochs=1).fit(X, Y).risk_factors(X)
    assert columns.units == ("years", "mm", "", "", "")


def test_risks_at_horizons_are_those_of_the_curves():
    model = fitted("LLSPIN")
    people = model.risk_factors(X).patients(horizons=[10])
    at = np.searchsorted(model.unique_times_, 10, side="right") - 1
    curve = model.predict_survival_function(X, return_array=True)[:, at]
    np.testing.assert_allclose(people["risk_10"], 1 - curve, atol=1e-12)
    own = np.stack([1 - alone.predict_survival_function(X, return_array=True)[:, at] for alone in members(model)])
    np.testing.assert_allclose(people["risk_10_low"], own.min(axis=0), atol=1e-12)
    np.testing.assert_allclose(people["risk_10_high"], own.max(axis=0), atol=1e-12)
    pd.testing.assert_frame_equal(model.risk_factors(X).patients(10), people)
    later = model.risk_factors(X).patients([20, 10, 20])
    assert list(later)[6:-1] == [f"risk_{time}{part}" for time in (10, 20) for part in ("", "_low", "_high")]
    for wrong in (1e6, -1, np.nan):
        with pytest.raises(InputError, match="SL-413"):
            model.risk_factors(X).patients(wrong)


@pytest.mark.parametrize("name", ["LLSPIN", "LSPIN"])
def test_nobody_has_tables_with_columns(name):
    everybody, nobody = (fitted(name, True).risk_factors(x) for x in (X, X.iloc[:0]))
    assert list(nobody.frame) == list(everybody.frame)
    assert list(nobody.patients([10])) == list(everybody.patients([10])) == everybody.patient_columns([10])
    assert len(nobody.frame) == len(nobody.patients()) == len(nobody.sets().frame) == 0


def test_risks_with_strata():
    outcome = Outcome.of(Y)
    stratum = np.array(["a", "b"])[np.arange(len(X)) % 2]
    model = clone(MODELS["LLSPIN"]).fit(X, Outcome(outcome.time, outcome.event, stratum=stratum).to_y())
    people = model.risk_factors(X).patients(horizons=[10], stratum=stratum)
    curve = model.predict_survival_function(X, return_array=True, stratum=stratum)
    at = np.searchsorted(model.unique_times_, 10, side="right") - 1
    np.testing.assert_allclose(people["risk_10"], 1 - curve[:, at], atol=1e-12)
    with pytest.raises(InputError, match="SL-412"):
        model.risk_factors(X).patients(horizons=[10])


def test_causes_have_effects_and_risks_of_their_own():
    x, y = patients(causes=2)
    model = CauseSpecificCoxLSPIN(lam=0.01, hidden=(4,), context=["age"], **SMALL).fit(x, y)
    for cause in (1, 2):
        people = model.risk_factors(x, cause=cause).patients(horizons=[5, 10])
        assert people["residual"].abs().max() < 1e-9
        np.testing.assert_allclose(people["log_risk"], model.predict(x)[:, cause - 1], atol=1e-9)
        incidence = model.predict_cumulative_incidence(x, [5, 10], cause=cause)
        np.testing.assert_allclose(people[["risk_5", "risk_10"]], incidence, atol=1e-12)
