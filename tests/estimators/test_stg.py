import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

import survlspin
from survlspin import CoxSTG, STGClassifier, STGRegressor
from survlspin.errors import InputError
from survlspin.testing import check_estimator

TRUE = ["x1", "x4", "x6"]
COLUMNS = [f"x{j}" for j in range(8)]


@pytest.fixture(scope="module")
def data():
    """Columns of which three act: on a hazard, on a number, and on three classes; one is a category of three."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 8)), columns=COLUMNS)
    X["x4"] = pd.Categorical(rng.choice(["a", "b", "c"], 300), categories=["a", "b", "c"])
    eta = X["x1"] - X["x6"] + X["x4"].map({"a": -1.0, "b": 0.0, "c": 1.0}).astype(float)
    time, censored = rng.exponential(np.exp(-eta)), rng.exponential(2, len(X))
    number = eta + rng.normal(size=len(X)) / 2
    classes = np.array(["low", "middle", "high"])[np.digitize(number, [-1, 1])]
    return X, {
        CoxSTG: (np.minimum(time, censored), time <= censored),
        STGRegressor: 30 + 5 * number.to_numpy(),
        STGClassifier: classes,
    }


def chosen(model, X):
    selected = model.selected(X)
    assert (selected == selected.iloc[0]).all(axis=None)
    return list(selected.columns[selected.iloc[0]])


def test_contract():
    check_estimator(CoxSTG(lam=0.02, epochs=20))
    check_estimator(CoxSTG(lam=0.02, epochs=20, hidden=(), members=2))


@pytest.mark.parametrize("kind", [CoxSTG, STGRegressor, STGClassifier])
def test_the_path_finds_the_columns_that_act(data, kind):
    X, y = data[0], data[1][kind]
    path = kind(random_state=0, hidden=(8,), lr=0.06, epochs=40).path(X, y, points=5)
    model = path.at(path.chosen)
    found = chosen(model, X)
    assert set(TRUE) <= set(found)
    assert len(found) <= 4
    numbers = path.frame["median"]
    assert numbers.is_monotonic_decreasing
    assert numbers.iloc[-1] == 0
    assert 3 in numbers.to_list()
    gate = model.gates(X)
    assert gate.shape == X.shape
    assert ((gate > 0) == model.selected(X)).all(axis=None)


def test_a_linear_net_has_contributions(data):
    X, y = data[0], data[1][CoxSTG]
    model = CoxSTG(hidden=(), lam=0.05, lr=0.06, epochs=40, random_state=0).fit(X, y)
    frame = model.risk_factors(X[:50]).frame
    assert set(frame["factor"]) == set(chosen(model, X))
    assert frame["log_hr"].notna().all()
    assert model.risk_factors(X).kind == "additive"
    assert CoxSTG(lam=0.05, epochs=2).fit(X, y).risk_factors(X).kind == "Shapley"


def test_gates_that_all_close_first_open_again():
    X, y = (each[::3] for each in load_breast_cancer(return_X_y=True, as_frame=True))
    model = STGClassifier(lam=0.05, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.93
    assert len(chosen(model, X)) <= 6
    assert len(chosen(STGClassifier(lam=0.05, patience=3, random_state=0).fit(X, y), X)) == 30


def test_saved_and_loaded(data, tmp_path):
    X, y = data[0], data[1][STGRegressor]
    model = STGRegressor(lam=0.05, epochs=5, sigma=0.3, random_state=0).fit(X, y)
    model.save(tmp_path / "model")
    loaded = survlspin.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.net_.sigma == 0.3


@pytest.mark.parametrize(
    ("code", "settings"),
    [("SL-403", {"sigma": 0.0}), ("SL-407", {"lam": {"gate": 1.0}}), ("SL-406", {"lam": -1.0})],
)
def test_settings_that_make_no_sense_are_refused(data, code, settings):
    with pytest.raises(InputError, match=code):
        CoxSTG(**{"lam": 0.1, "epochs": 1} | settings).fit(data[0], data[1][CoxSTG])
