import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

import survlspin
from survlspin import CoxGradientLasso, GradientLassoClassifier, GradientLassoRegressor
from survlspin.errors import InputError
from survlspin.testing import check_estimator
from survlspin.testing.estimators import patients

COLUMNS = [f"x{j}" for j in range(8)]


@pytest.fixture(scope="module")
def data():
    """Where x0 is positive x1 acts, elsewhere x2: on a hazard and on a number."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 8)), columns=COLUMNS)
    X["x0"] = np.sign(X["x0"])
    eta = 1.5 * np.where(X["x0"] > 0, X["x1"], X["x2"])
    time, censored = rng.exponential(np.exp(-eta)), rng.exponential(2, len(X))
    number = 30 + 5 * (eta + rng.normal(size=len(X)) / 2)
    return X, {CoxGradientLasso: (np.minimum(time, censored), time <= censored), GradientLassoRegressor: number}


def test_contract():
    check_estimator(CoxGradientLasso(lam=0.02, epochs=20))
    check_estimator(CoxGradientLasso(lam=0.02, epochs=20, hidden=(), members=2))


@pytest.mark.parametrize("kind", [CoxGradientLasso, GradientLassoRegressor])
def test_each_half_has_its_column(data, kind):
    X, y = data[0], data[1][kind]
    path = kind(random_state=0, hidden=(16, 8), batch_size=128).path(X, y, points=5)
    model, path = path.at(path.chosen), path.frame
    share = model.selected(X).groupby(X["x0"]).mean()
    assert share.loc[1, "x1"] > 0.95
    assert share.loc[-1, "x2"] > 0.95
    assert share.loc[:, "x3":].to_numpy().max() < 0.5
    assert path["mean"].iloc[-1] < path["mean"].iloc[0]
    assert model.lam_["gradient"] in path["lam"].to_list()


def test_a_linear_path_ends_just_below_the_lambda_at_which_the_lasso_is_empty(data):
    X, (time, event) = data[0], data[1][CoxGradientLasso]
    model = CoxGradientLasso(hidden=(), ties="breslow", standardize=False, random_state=0)
    path = model.path(X[:400], (time[:400], event[:400]), (X[400:], (time[400:], event[400:])), points=5)
    coxnet = CoxnetSurvivalAnalysis(l1_ratio=1.0).fit(X[:400].astype(float), Surv.from_arrays(event[:400], time[:400]))
    largest = coxnet.alphas_[0] * 400 / event[:400].sum()
    x0 = model.path(X[:400], (time[:400], event[:400]), (X[400:], (time[400:], event[400:])), points=2)
    np.testing.assert_allclose(path.frame["lam"], np.geomspace(largest / 100, largest, 6)[:-1], rtol=1e-4)
    np.testing.assert_allclose(x0.frame["lam"], [largest / 100, largest / 10], rtol=1e-4)
    assert path.frame["median"].is_monotonic_decreasing


def test_classes():
    X, y = load_iris(return_X_y=True, as_frame=True)
    path = GradientLassoClassifier(random_state=0).path(X, y, points=5)
    assert path.at(path.chosen).score(X, y) > 0.93
    nll = path.frame["validation_nll"]
    assert nll.iloc[0] < nll.iloc[-1]


def test_the_slopes_of_a_factor_are_selected_together(data):
    X, y = data[0].assign(ward=np.arange(600) % 3), data[1][GradientLassoRegressor]
    X["ward"] = X["ward"].map({0: "a", 1: "b", 2: "c"}).astype("category")
    model = GradientLassoRegressor(lam=0.05, epochs=5, random_state=0).fit(X, y + 20 * (X["ward"] == "b"))
    assert "ward" in model.selected(X).columns
    assert model.selected(X)["ward"].all()
    column = GradientLassoRegressor(lam=0.05, epochs=5, random_state=0, groups="column").fit(
        X, y + 20 * (X["ward"] == "b")
    )
    assert abs(column.predict(X) - model.predict(X)).max() > 1e-6


def test_saved_and_loaded(data, tmp_path):
    X, y = data[0], data[1][CoxGradientLasso]
    model = CoxGradientLasso(lam=0.05, epochs=5, random_state=0).fit(X, y)
    model.save(tmp_path / "model")
    loaded = survlspin.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    pd.testing.assert_frame_equal(loaded.selected(X), model.selected(X))


@pytest.mark.parametrize(("code", "lam"), [("SL-407", {"gates": 1.0}), ("SL-406", -1.0), ("SL-406", "best")])
def test_lambdas_that_make_no_sense_are_refused(data, code, lam):
    with pytest.raises(InputError, match=code):
        CoxGradientLasso(lam=lam, epochs=1).fit(data[0], data[1][CoxGradientLasso])


def test_a_flat_answer_uses_no_factor():
    X, y = patients()
    model = CoxGradientLasso(lam=1e3, random_state=0).fit(X, y)
    assert np.ptp(model.predict(X)) < 1e-3
    assert not model.selected(X).any(axis=None)
