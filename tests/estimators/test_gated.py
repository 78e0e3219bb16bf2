"""Gates: what they see, what is listed, and what the listed factors add up to."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from survlspin import CoxLLSPIN, CoxLSPIN
from survlspin.errors import InputError
from survlspin.testing.estimators import patients

X, Y = patients()
KINDS = {
    "llspin": CoxLLSPIN(lam=0.01, lr=0.03, epochs=10, random_state=0),
    "lspin": CoxLSPIN(lam=0.01, lr=0.03, epochs=10, random_state=0),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def fitted(kind="llspin", **settings):
    return clone(KINDS[kind]).set_params(**settings).fit(X, Y)


def unlisted_replaced(listed):
    """X with the values of other patients wherever a factor is not listed."""
    return pd.DataFrame({name: X[name].where(listed[name], np.roll(X[name].array, 1)) for name in X})


# ---- context: what the gates may see ----


@pytest.mark.parametrize(
    ("context", "members"), [(["age"], 1), (["grade", "nodes"], 1), ("age", 2), ([X.columns[-1]], 1)], ids=str
)
@kinds
def test_with_context_nothing_but_listed_factors_has_an_influence(kind, context, members):
    model = fitted(kind, context=context, members=members, lam=0.01 * members)
    listed = model.selected(X)
    names = [context] if isinstance(context, str) else context
    assert listed[names].all(axis=None)
    assert 0 < listed.drop(columns=names).mean(axis=None) < 1
    np.testing.assert_array_equal(model.predict(unlisted_replaced(listed)), model.predict(X))
    roles = model.risk_factors(X).frame.groupby("role")["factor"].unique()
    assert set(names) <= set(roles["context"])


def test_without_context_a_factor_may_act_through_the_gates_of_others():
    model = fitted()
    other = unlisted_replaced(model.selected(X))
    assert np.abs(model.predict(other) - model.predict(X)).max() > 0.01


def test_the_effect_of_context_is_its_own_and_0_at_the_reference():
    model = fitted(context="age")
    table = model.risk_factors(X)
    effect = table.frame.query("role == 'context'").set_index("patient")["log_hr"]
    by_age = pd.Series(effect.to_numpy(), index=X["age"].to_numpy())
    assert by_age.nunique() > 50
    reference = X.iloc[:1].assign(age=model.design_.reference["age"])
    assert model.risk_factors(reference).frame.query("role == 'context'")["log_hr"].item() == pytest.approx(0, abs=1e-6)


@kinds
def test_an_empty_context_gives_all_patients_one_set(kind):
    model = fitted(kind, context=[], lam=0.03)
    listed = model.selected(X)
    assert len(listed.drop_duplicates()) == 1
    assert 0 < listed.iloc[0].sum() < listed.shape[1]
    np.testing.assert_array_equal(model.predict(unlisted_replaced(listed)), model.predict(X))
    assert set(model.risk_factors(X).frame["role"]) == {"selected"}


def test_context_that_shows_the_gates_nothing_is_refused():
    model = clone(KINDS["llspin"]).set_params(context=["ward"])
    with pytest.raises(InputError, match="SL-411"):
        model.fit(X.assign(ward="A3"), Y)


# ---- what is listed ----


@pytest.mark.parametrize("settings", [{}, {"members": 3}, {"context": ["age", "nodes"]}, {"groups": "column"}], ids=str)
def test_effects_and_baseline_add_up_to_the_log_risk(settings):
    model = fitted(**settings)
    table = model.risk_factors(X)
    people = table.patients().set_index("patient")
    assert people["n_factors"].mean() > 0.5
    effects = table.frame.groupby("patient")["log_hr"].sum().reindex(people.index, fill_value=0.0)
    np.testing.assert_allclose(people["baseline"] + effects, people["log_risk"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(people["log_risk"], model.predict(X), rtol=1e-6, atol=1e-6)
    reference = pd.DataFrame(
        [dict(zip(X, [X["age"].mean(), X["size"].mean(), False, X["grade"].mode()[0]], strict=True))]
    )
    np.testing.assert_allclose(model.predict(reference), people["baseline"].iloc[0], atol=1e-6)


def test_the_members_gates_are_averaged_and_any_open_one_lists():
    model = fitted(members=3, lam=0.02)
    own = []
    for member in range(3):
        alone = clone(model).set_params(members=1)
        vars(alone).update(vars(model) | {"net_": model.net_.rows([member]), "center_": model.center_[[member]]})
        own.append((alone.gates(X), alone.selected(X)))
    pd.testing.assert_frame_equal(model.gates(X), sum(gate for gate, _ in own) / 3, atol=1e-6)
    pd.testing.assert_frame_equal(model.selected(X), own[0][1] | own[1][1] | own[2][1])
    assert not own[0][1].equals(own[1][1])


@kinds
def test_one_gate_per_factor_or_per_column(kind):
    factor, column = fitted(kind), fitted(kind, groups="column")
    assert list(factor.gates(X)) == ["age", "size", "nodes", "grade"]
    assert tuple(column.gates(X)) == column.design_.columns
    assert (factor.net_.n_gates, column.net_.n_gates) == (4, 5)
    assert column.n_selected(X).max() <= 5


def test_a_larger_lambda_lists_fewer_factors():
    counts = [fitted(lam=lam).n_selected(X).mean() for lam in (0.0, 0.02, 1.0)]
    assert counts[0] > counts[1] > counts[2] == 0


# ---- lam ----


def test_lam_by_name_is_lam_and_is_kept():
    for lam in (0.01, {"gates": 0.01}, np.float32(0.01)):
        model = fitted(lam=lam)
        np.testing.assert_allclose(model.predict(X), fitted().predict(X), atol=1e-6)
        assert model.lam_ == {"gates": pytest.approx(0.01)}
        assert model.get_params()["lam"] is lam


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        *(("SL-406", {"lam": value}) for value in ("best", None, -1, np.nan, np.inf, {}, {"gates": "best"})),
        ("SL-407", {"lam": {"gate": 0.1}}),
        ("SL-403", {"sigma": 0}),
        ("SL-404", {"context": list(X)}),
        ("SL-408", {"gate_hidden": 8}),
        *(("SL-408", {name: "many"}) for name in ("sigma", "target", "warm_up")),
        ("SL-407 .*did you mean 'gates'", {"warm_up": {"gate": 2}}),
        ("SL-407 .*has gates", {"lam": {"gates": 0.1, "stability": 0.1}}),
        ("SL-407 .*did you mean 'stability'", {"affinity": "rbf", "lam": {"gates": 0.1, "stabilty": 0.1}}),
        ("SL-433 .*did you mean 'rbf'", {"affinity": "rbff"}),
        ("SL-435", {"affinity": "label"}),
        ("SL-436", {"target": -1}),
        ("SL-217 'grad' .*did you mean 'grade'", {"context": ["grad"]}),
    ],
)
def test_settings_that_cannot_be_used_are_refused(code, settings):
    with pytest.raises(InputError, match=code):
        fitted(**settings)


# ---- pairs of rows, a target ----


def test_an_affinity_gives_penalties_on_pairs_that_count_after_their_warm_up():
    plain, paired = {"gates": 0.02}, {"gates": 0.02, "stability": 3.0}
    settings = {"epochs": 5, "affinity": "rbf", "lr": 0.03}
    alike = fitted(lam=paired, **settings)
    assert alike.lam_ == paired
    spread = [model.gates(X).std().mean() for model in (fitted(lam=plain, **settings), alike)]
    assert spread[1] < spread[0]
    waited = fitted(lam=paired, warm_up={"stability": 5}, **settings)
    assert alike.gates(X).std().mean() < waited.gates(X).std().mean()
    for affinity in ({"affinity": "knn"}, {"affinity": "label", "affinity_columns": ["grade"]}):
        other = fitted(lam=paired, **{**settings, **affinity})
        assert not np.allclose(other.predict(X), alike.predict(X), atol=1e-4)


def test_a_target_leaves_that_many_gates_open():
    settings = {"epochs": 30, "lr": 0.03, "lam": 1.0}
    counts = [fitted(target=target, **settings).n_selected(X).mean() for target in (None, 2)]
    assert counts[0] < 0.5 < 1 < counts[1] < 3
