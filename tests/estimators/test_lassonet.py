import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import Lasso

from survlspin.errors import InputError
from survlspin.estimators.lassonet import CoxLassoNet, LassoNetClassifier, LassoNetRegressor, importance
from survlspin.estimators.lassonet_cv import cross_validate_path
from survlspin.synthetic import registry

COLUMNS = ["age", "tumour_size", "nodes_positive", "grade", "er_negative", "race_black", "noise_1"]


@pytest.fixture(scope="module")
def rows():
    X, y, _ = registry(250, "heterogeneous", event_rate=0.5, random_state=0)
    X = X[[name for name in COLUMNS if name in X]]
    X["site"] = np.random.default_rng(0).choice(["a", "b", "c"], len(X))
    return X, y


@pytest.fixture(scope="module")
def path(rows):
    return CoxLassoNet(epochs=10, random_state=0).path(*rows, points=20)


def test_the_path_goes_from_every_factor_to_none(rows, path):
    frame = path.frame
    assert list(frame) == ["lam", "validation_nll", "validation_se", "median", "mean", "union", "kkt"]
    assert frame["median"].iloc[0] == rows[0].shape[1]
    assert frame["median"].iloc[-1] == 0
    assert (np.diff(frame["lam"]) > 0).all()
    assert (frame["kkt"] >= 0).all()
    assert frame["validation_nll"].iloc[path.chosen] < frame["validation_nll"].iloc[-1]


def test_a_point_is_a_fitted_estimator_whose_factors_serve_all_patients(rows, path):
    X, _ = rows
    model = path.at(path.chosen)
    selected = model.selected(X)
    assert (selected.nunique() == 1).all()
    assert selected.iloc[0].sum() == path.frame["median"].iloc[path.chosen]
    used = [name for name in X if selected[name].iloc[0]]
    other = X.assign(**{name: X[name].to_numpy()[::-1] for name in X if name not in used})
    np.testing.assert_allclose(model.predict(other), model.predict(X), rtol=1e-9, atol=1e-9)
    assert model.predict_survival_function(X.iloc[:3], return_array=True).shape == (3, len(model.unique_times_))


def test_importance_is_when_a_factor_leaves_for_good(rows, path):
    found = importance(path)
    assert list(found.index) == list(path.at(0).design_.factors)
    last = path.at(path.chosen).selected(rows[0]).iloc[0]
    lam = path.frame["lam"].iloc[path.chosen]
    assert (found[last[last].index] > lam).all()
    assert found.idxmax() != "site"


def test_auto_is_the_point_the_path_chooses(rows):
    X, y = rows
    X = X.iloc[:, :4]
    model = CoxLassoNet(hidden=(4,), lam="auto", epochs=2, random_state=0).fit(X, y)
    assert model.lam_["skip"] in set(model.path_["lam"])
    assert model.importance_.max() == model.feature_importances_.max() <= model.path_["lam"].iloc[-1]
    before = model.predict(X)
    fixed = model.set_params(lam=model.lam_["skip"]).fit(X, y)
    assert not {"path_", "importance_", "feature_importances_"} & set(vars(fixed))
    again = model.set_params(lam="auto").fit(X, y)
    np.testing.assert_array_equal(again.predict(X), before)


def test_a_larger_lambda_uses_fewer_factors(rows):
    X, y = rows
    counts = [CoxLassoNet(lam=lam, epochs=5, random_state=0).fit(X, y).n_selected(X).max() for lam in (0, 5.0, 1e4)]
    assert counts[0] == X.shape[1] > counts[1] > counts[2] == 0


def test_a_linear_model_gives_contributions(rows):
    X, y = rows
    model = CoxLassoNet(M=0, lam=0.05, random_state=0).fit(X, y)
    assert isinstance(model.risk_factors(X.iloc[:5]).frame, pd.DataFrame)
    coef = model.net_.skip.weight[0, :, 0]
    torch.testing.assert_close(torch.from_numpy(model.predict(X)), _linear(model, X) - float(model.center_[0, 0]))
    assert 0 < (coef != 0).sum() < len(coef)


def _linear(model, X):
    return torch.from_numpy(model.design_.transform(X)).double() @ model.net_.skip.weight[0, :, 0].detach().double()


@pytest.mark.parametrize("lam", [0.05, 0.3])
def test_m_0_is_scikit_learns_lasso(lam):
    X, y = load_diabetes(return_X_y=True)
    ours = LassoNetRegressor(M=0, lam=lam, validation_fraction=0, epochs=1, random_state=0).fit(X, y)
    theirs = Lasso(alpha=lam, tol=1e-8).fit(ours.design_.transform(X).astype(float), (y - y.mean()) / y.std())
    np.testing.assert_allclose(ours.net_.skip.weight.detach()[0, :, 0], theirs.coef_, atol=1e-3)
    np.testing.assert_array_equal(ours.selected(X).iloc[0], theirs.coef_ != 0)


def test_classes_and_several_targets():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = LassoNetClassifier(epochs=20, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    assert 0 < model.n_selected(X).max() <= 4
    targets = X.iloc[:, 2:].to_numpy()
    model = LassoNetRegressor(lam={"skip": 0.1, "layers": 0.001}, epochs=20, random_state=0).fit(X.iloc[:, :2], targets)
    assert model.predict(X.iloc[:, :2]).shape == targets.shape
    assert model.lam_ == {"skip": 0.1, "layers": 0.001}


def test_members_and_restarts(rows):
    X, y = rows
    model = CoxLassoNet(lam=2.0, epochs=3, members=2, restarts=2, random_state=0).fit(X, y)
    assert model.net_.models == 2
    path = CoxLassoNet(epochs=3, members=2, random_state=0).path(X, y, points=5)
    assert path._net.models == 2 * len(path)
    assert np.isfinite(importance(path)).all()


def test_the_path_of_each_setting_is_its_own(rows):
    X, y = rows
    small = {"epochs": 3, "lam": 3.0, "random_state": 0}
    predictions = [
        CoxLassoNet(**small, **options).fit(X, y).predict(X) for options in ({}, {"M": 0.1}, {"hidden": (4,)})
    ]
    for i, one in enumerate(predictions):
        for other in predictions[:i]:
            assert np.abs(one - other).max() > 1e-3


def test_cross_validation_chooses_a_lambda_within_one_standard_error(rows):
    X, y = rows
    estimator = CoxLassoNet(M=0, epochs=2, random_state=0)
    found = cross_validate_path(estimator, X, y, cv=3, points=6)
    frame = found.frame
    other_form = {"time": y["time"], "event": y["event"]}
    pd.testing.assert_frame_equal(cross_validate_path(estimator, X, other_form, cv=3, points=6).frame, frame)
    assert len(frame) == 100
    assert frame["nll"].iloc[found.best] == frame["nll"].min()
    assert found.chosen >= found.best
    assert frame["nll"].iloc[found.chosen] <= frame["nll"].min() + frame["se"].iloc[found.best]
    models = [found.fit(X, y, rule=rule) for rule in ("one_se", "best")]
    for model, row in zip(models, (found.chosen, found.best), strict=True):
        assert model.lam_["skip"] == frame["lam"].iloc[row]
    with pytest.raises(InputError, match="SL-408"):
        found.fit(X, y, rule="worst")


def test_folds_are_alike_however_many_at_a_time():
    X, y = (each[::4] for each in load_diabetes(return_X_y=True))
    X = X[:, :4]
    estimator = LassoNetRegressor(M=0, epochs=1, random_state=0)
    alone = cross_validate_path(estimator, X, y, cv=2, points=2).frame
    with parallel_config(backend="threading"):
        pd.testing.assert_frame_equal(cross_validate_path(estimator, X, y, cv=2, points=2, n_jobs=2).frame, alone)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SL-408", {"M": -1.0}),
        ("SL-408", {"M": "10"}),
        ("SL-406", {"lam": "best"}),
        ("SL-406", {"lam": -1.0}),
        ("SL-407", {"lam": {"skip": 1.0, "gates": 1.0}}),
    ],
)
def test_settings_that_make_no_sense_are_refused(rows, code, options):
    with pytest.raises(InputError, match=code):
        CoxLassoNet(**options).fit(*rows)


def test_a_path_needs_rows_to_choose_on(rows):
    with pytest.raises(InputError, match="SL-410"):
        CoxLassoNet(validation_fraction=0).path(*rows)
