"""Models to compare with: equal to the libraries they come from, and usable with any X and y of ours."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sksurv.datasets import load_flchain, load_gbsg2
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxPHSurvivalAnalysis, IPCRidge
from sksurv.svm import FastSurvivalSVM

from survlspin.baselines import CoxLasso, Encoded, Forest, LifelinesCoxPH, PycoxDeepSurv, adapt
from survlspin.baselines.forest import leaf_survival
from survlspin.errors import InputError, InputWarning
from survlspin.folds import RepeatedKFold
from survlspin.heads import Cox
from survlspin.metrics.concordance import concordance_of
from survlspin.outcome import Outcome

MODELS = {
    "cox": LifelinesCoxPH(),
    "lasso": CoxLasso(random_state=0),
    "forest": Forest(n_estimators=10, low_memory=False, random_state=0),
    "pycox": PycoxDeepSurv(epochs=5, random_state=0),
    "foreign": Encoded(RandomSurvivalForest(n_estimators=10, min_samples_leaf=15, random_state=0)),
}


@pytest.fixture(scope="module")
def gbsg2():
    return load_gbsg2()


@pytest.fixture(scope="module", params=MODELS)
def fitted(request, gbsg2):
    return clone(MODELS[request.param]).fit(*gbsg2)


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    time = np.ceil(10 * rng.exponential(np.exp(-x[:, 0] - 0.5 * x[:, 1])))
    return x, {"time": time, "event": rng.random(300) < 0.7}


def test_risks_rank_the_patients(fitted, gbsg2):
    X, y = gbsg2
    risk = fitted.predict(X)
    assert risk.shape == (len(X),)
    assert fitted.score(X, y) == concordance_of(Outcome.of(y), risk).value > 0.65


def test_curves_fall_from_one_and_rank_as_the_risks_do(fitted, gbsg2):
    X = gbsg2[0].iloc[:50]
    times = fitted.unique_times_
    curves = fitted.predict_survival_function(X, return_array=True)
    assert curves.shape == (50, len(times))
    assert (np.diff(times) > 0).all()
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 1e-12).all()
    functions = fitted.predict_survival_function(X)
    assert functions[7](times[100]) == pytest.approx(curves[7, 100])
    assert np.corrcoef(fitted.predict(X), curves[:, len(times) // 2])[0, 1] < -0.8


def test_column_order_and_pieces_do_not_matter(fitted, gbsg2):
    X = gbsg2[0]
    risk = fitted.predict(X)
    pieces = np.concatenate([fitted.predict(X.iloc[:100]), fitted.predict(X.iloc[100:])])
    np.testing.assert_allclose(pieces, risk, rtol=1e-5, atol=1e-6)  # float32 sums of the net go by batch size
    np.testing.assert_array_equal(fitted.predict(X[X.columns[::-1]]), risk)


def test_a_fit_repeats_itself_and_leaves_its_input_alone(fitted, gbsg2):
    X, y = gbsg2
    before = X.copy()
    np.testing.assert_array_equal(clone(fitted).fit(X, y).predict(X), fitted.predict(X))
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_predicting_before_fitting(model, gbsg2):
    with pytest.raises(NotFittedError):
        clone(model).predict(gbsg2[0])


@pytest.mark.parametrize("field", ["entry", "weight", "stratum"])
@pytest.mark.parametrize("name", ["lasso", "forest", "pycox", "foreign"])
def test_what_a_model_cannot_use_is_refused(name, field, numbers):
    x, y = numbers
    with pytest.raises(InputError, match=f"SL-461 y has {field}"):
        clone(MODELS[name]).fit(x, {**y, field: np.full(300, 0.5)})


def test_no_events_are_refused_and_few_are_warned_of(numbers):
    x, y = numbers
    with pytest.raises(InputError, match="SL-116"):
        LifelinesCoxPH().fit(x, {**y, "event": np.zeros(300)})
    with pytest.warns(InputWarning, match="SL-117"):
        LifelinesCoxPH().fit(x, {**y, "event": np.arange(300) < 8})


# --- Cox regression


def test_cox_equals_lifelines_with_weights_strata_and_entry(numbers):
    x, y = numbers
    rng = np.random.default_rng(1)
    more = {"entry": y["time"] * rng.uniform(0, 0.9, 300), "weight": rng.uniform(0.5, 2, 300)}
    more["stratum"] = rng.integers(3, size=300)
    more["weight"][:20] = 0
    x = pd.DataFrame(x / x.std(axis=0), columns=list("abcd"))
    model = LifelinesCoxPH().fit(x, {**y, **more})
    table = x.assign(**y, **more)[20:]
    with pytest.warns(match="weights are not integers"):
        direct = CoxPHFitter().fit(table, "time", "event", entry_col="entry", weights_col="weight", strata=["stratum"])
    np.testing.assert_allclose(model.coef_ / model.design_.scale, direct.params_, rtol=1e-5)  # the design is float32


def test_curves_of_strata_need_the_stratum(numbers):
    x, y = numbers
    stratum = np.arange(300) % 2
    model = LifelinesCoxPH().fit(x, {**y, "stratum": stratum})
    with pytest.raises(InputError, match="SL-412"):
        model.predict_survival_function(x)
    assert model.predict_survival_function(x, return_array=True, stratum=stratum).shape == (
        300,
        len(model.unique_times_),
    )


def test_cox_keeps_lifelines_summary_under_our_names(gbsg2):
    model = LifelinesCoxPH().fit(*gbsg2)
    assert tuple(model.model_.summary.index) == model.design_.columns
    assert "tgrade[I]" in model.coef_


@pytest.mark.parametrize("trouble", ["twice the same column", "a column that is the event"])
def test_a_likelihood_without_maximum_is_named_and_fitted(numbers, trouble):
    x, y = numbers
    x = np.column_stack([x, x[:, 0] if trouble.startswith("twice") else y["event"]])
    with pytest.warns(InputWarning, match=r"SL-463 lifelines with no penalty: [^\n]*\."):
        model = LifelinesCoxPH().fit(x, y)
    assert np.isfinite(model.coef_).all()
    if trouble.startswith("twice"):
        assert model.coef_["x0"] == pytest.approx(model.coef_["x4"], rel=1e-3)


def test_no_solution_at_all_is_a_coded_error(numbers, monkeypatch):
    def fail(self, *args, **kwargs):
        from lifelines.exceptions import ConvergenceError

        raise ConvergenceError("delta contains nan value(s). Please see the manual.")

    monkeypatch.setattr(CoxPHFitter, "fit", fail)
    with (
        pytest.warns(InputWarning, match="SL-463"),
        pytest.raises(InputError, match=r"SL-462 lifelines with penalizer=0.001: delta contains nan value\(s\)\. Look"),
    ):
        LifelinesCoxPH().fit(*numbers)


# --- LASSO


def test_lam_is_the_penalty_against_the_cox_loss_per_event(numbers):
    """At the optimum the loss's slope along a selected column is lam, along others less; descent stops within 1 %."""
    x, y = numbers
    path = CoxLasso().path(x, y, validation_data=(x, y))
    outcome, head = Outcome.of(y), Cox("breslow")
    for i in range(0, len(path) - 1, 5):
        model = path.at(i)
        columns = torch.from_numpy(model.design_.transform(x).astype(float))
        beta = torch.tensor(model.coef_.to_numpy()[None], requires_grad=True)
        head.nll((columns @ beta.T).T[..., None], head.prepare(outcome)).backward()
        slope = (beta.grad[0] / columns.std(0, correction=0)).numpy()
        lam, used = path.frame["lam"][i], model.coef_.to_numpy() != 0
        np.testing.assert_allclose(np.abs(slope[used]), lam, rtol=0.01)
        assert (np.abs(slope[~used]) < 1.01 * lam).all()


def test_the_path_runs_from_dense_to_empty(gbsg2):
    X, y = gbsg2
    path = CoxLasso(n_alphas=30).path(X, y, (X, y))
    assert 10 < len(path) == len(path.frame) <= 30
    assert path.frame["lam"].is_monotonic_increasing
    assert path.frame["median"].iloc[0] == 8
    assert path.frame["union"].iloc[-1] == 0
    nll, se = path.frame["validation_nll"], path.frame["validation_se"]
    assert se[nll.argmin()] == 0
    assert (se.drop(nll.argmin()) > 0).all()
    assert path.chosen == nll.argmin()
    outcome = Outcome.of(y)
    for i in (3, 17):
        eta = torch.from_numpy(path.at(i).predict(X))[None, :, None]
        nll = Cox().nll(eta, Cox().prepare(outcome)).item()
        assert path.frame["validation_nll"][i] == pytest.approx(nll, rel=1e-9)


def test_a_factor_counts_once_however_many_levels(gbsg2):
    X, y = gbsg2
    path = CoxLasso().path(X, y, (X, y))
    for i in range(len(path)):
        model = path.at(i)
        used = {column.partition("[")[0] for column in model.coef_.index[model.coef_ != 0]}
        selected = model.selected(X.iloc[:3])
        assert {factor for factor in selected if selected[factor].all()} == used
        assert list(selected.index) == [0, 1, 2]
        assert (model.n_selected(X) == len(used)).all()
        assert path.frame.loc[i, ["median", "mean", "union"]].tolist() == [len(used)] * 3
    assert any("tgrade[I]" in path.at(i).coef_.index[path.at(i).coef_ != 0] for i in range(len(path)))


def test_fit_is_the_chosen_point_and_a_number_is_that_penalty(gbsg2):
    X, y = gbsg2
    train, valid = np.arange(0, 686, 2), np.arange(1, 686, 2)
    data = (X.iloc[train], y[train], (X.iloc[valid], y[valid]))
    path, model = CoxLasso().path(*data), CoxLasso().fit(*data)
    pd.testing.assert_series_equal(model.coef_, path.at(path.chosen).coef_)
    assert model.alpha == "auto"
    assert model.alpha_ == path.frame["alpha"][path.chosen]
    again = path.at(path.chosen).fit(X.iloc[train], y[train])
    np.testing.assert_allclose(again.coef_, model.coef_, atol=2e-3)  # coordinate descent from another start


def test_validation_rows_are_drawn_where_none_are_given(gbsg2):
    first, same, other = (CoxLasso(random_state=seed).fit(*gbsg2) for seed in (0, 0, 1))
    pd.testing.assert_series_equal(first.coef_, same.coef_)
    assert not first.coef_.equals(other.coef_)


def test_a_path_that_breaks_down_is_cut_short_and_a_lone_point_refused(numbers):
    x, y = numbers
    x = np.column_stack([x, -y["time"]])
    assert CoxLasso(random_state=0).fit(x, y).score(x, y) > 0.9
    with pytest.raises(InputError, match="SL-462 scikit-survival's LASSO"):
        CoxLasso(alpha=1e-9).fit(x, y)


def test_validation_rows_with_one_event_or_none(numbers):
    x, y = numbers
    with pytest.warns(InputWarning, match="SL-117"):
        path = CoxLasso().path(x, y, (x, {**y, "event": np.arange(300) == 5}))
    assert path.chosen == path.frame["validation_nll"].argmin()
    with pytest.raises(InputError, match="SL-116"):
        CoxLasso().path(x, y, (x, {**y, "event": np.zeros(300)}))


@pytest.mark.parametrize("events", [[], [1], [1, 0, 1, 0, 1], np.arange(40) == 7], ids=len)
def test_rows_too_few_for_two_parts(numbers, events):
    x, y = numbers
    n = len(events)
    with pytest.raises(InputError, match=f"SL-410 {n} rows with {sum(events)} events are too few"):
        CoxLasso().fit(x[:n], (y["time"][:n], events))


def test_a_lone_row_without_an_event_is_no_trouble(numbers):
    x, y = numbers
    for seed in range(9):  # it validates, or trains
        model = CoxLasso(n_alphas=5, random_state=seed).fit(x, (y["time"], np.arange(300) != 17))
        assert np.isfinite(model.predict(x)).all()


@pytest.mark.parametrize("alpha", [0, -1.0, "largest", None])
def test_an_alpha_that_is_no_penalty(numbers, alpha):
    with pytest.raises(InputError, match="SL-464"):
        CoxLasso(alpha=alpha).fit(*numbers)


# --- forest


def test_the_forest_is_scikit_survivals(gbsg2):
    X, y = gbsg2
    forest = Forest(n_estimators=10, random_state=3).fit(X, y)
    theirs = RandomSurvivalForest(n_estimators=10, min_samples_leaf=15, random_state=3)
    x = forest.design_.transform(X)
    np.testing.assert_array_equal(forest.predict(X), theirs.fit(x, y).predict(x))


def test_a_forest_of_low_memory_has_no_curves(gbsg2):
    X, y = gbsg2
    with pytest.raises(InputError, match=r"SL-465.*low_memory=False"):
        Forest(n_estimators=2).fit(X, y).predict_survival_function(X)


def test_a_forest_of_low_memory_has_the_probabilities_of_one_with_curves(gbsg2):
    X, y = gbsg2
    times = np.quantile(y["time"], [0, 0.001, 0.2, 0.5, 0.9, 1])
    times = np.r_[times[0] / 2, times, times[-1] + 1]
    low, high = (Forest(5, low_memory=memory, random_state=3).fit(X, y) for memory in (True, False))
    curves = high.predict_survival_function(X)
    known = np.array([curve(times[1:-1]) for curve in curves])
    expected = 1 - np.column_stack([np.ones(len(X)), known, known[:, -1]])
    np.testing.assert_allclose(low.predict_event_probability(X, times), expected, atol=1e-12)
    assert expected[:, 4].std() > 0.05


def test_a_pickled_forest_holds_no_patients(gbsg2):
    X, y = gbsg2
    forest = Forest(3, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(forest))
    np.testing.assert_array_equal(again.predict(X), forest.predict(X))
    assert "training_" in vars(forest)
    with pytest.raises(InputError, match="SL-465 a forest from a pickle has no patients"):
        again.predict_event_probability(X, [500.0])


def test_curves_of_leaves_where_all_die_and_where_nobody_is():
    leaf, time = np.array([0, 0, 1, 1, 1, 2]), np.array([2.0, 2.0, 1.0, 3.0, 4.0, 5.0])
    event, weight = np.array([1, 1, 1, 0, 1, 0]), np.array([1, 3, 1, 2, 0, 1])
    found = leaf_survival(leaf, time, event, weight, np.array([0.5, 1.0, 2.0, 4.5, 9.0]))
    np.testing.assert_allclose(found, [[1, 1, 0, 0, 0], [1, 2 / 3, 2 / 3, 2 / 3, 2 / 3], [1, 1, 1, 1, 1]], rtol=1e-14)


# --- pycox


def test_pycox_stops_early_and_keeps_the_best_weights(gbsg2):
    X, y = gbsg2
    train, valid = np.arange(0, 686, 2), np.arange(1, 686, 2)
    data = (X.iloc[train], y[train], (X.iloc[valid], y[valid]))
    short, long = (PycoxDeepSurv(patience=patience, random_state=0).fit(*data) for patience in (2, 8))

    def loss(model):
        head, outcome = Cox("breslow"), Outcome.of(y[valid])
        return head.nll(torch.from_numpy(model.predict(X.iloc[valid]))[None, :, None], head.prepare(outcome)).item()

    untrained = PycoxDeepSurv(epochs=0, random_state=0).fit(*data)
    assert loss(long) <= loss(short) < loss(untrained)


def test_pycox_leaves_no_files_and_no_trace_in_the_global_generator(gbsg2, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    PycoxDeepSurv(epochs=2, random_state=0).fit(*gbsg2)
    assert torch.equal(torch.rand(1), expected)
    assert not list(tmp_path.iterdir())


def test_libraries_are_loaded_when_needed_and_pycox_makes_its_folder_in_the_users_cache(tmp_path):
    code = """if True:
        import sys
        import numpy as np
        from survlspin.baselines import PycoxDeepSurv
        assert not {"sksurv", "lifelines", "pycox", "torchtuples", "matplotlib"} & set(sys.modules)
        PycoxDeepSurv(epochs=1).fit(np.random.normal(size=(99, 2)), (np.arange(1.0, 100), np.arange(99) % 2))
        assert "pycox" in sys.modules
    """
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("PYCOX_DATA_DIR", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert [path.name for path in tmp_path.glob("survlspin/*")] == ["pycox"]


def test_pycox_takes_any_number_of_rows(numbers):
    x, y = numbers
    model = PycoxDeepSurv(batch_size=23, epochs=1, random_state=0)  # 300 = 13 * 23 + 1
    model.fit(x, y, validation_data=(x[:50], Outcome.of(y).take(slice(50))))
    assert np.isfinite(model.predict(x)).all()


# --- models of others


def test_models_of_this_package_are_left_alone():
    class Own(LifelinesCoxPH):
        pass

    for model in (
        LifelinesCoxPH(),
        Own(),
        Encoded(RandomSurvivalForest()),
        make_pipeline(FunctionTransformer(), CoxLasso()),
        GridSearchCV(make_pipeline(FunctionTransformer(), CoxLasso()), {}),
    ):
        assert adapt(model) is model


def test_models_of_others_get_numbers_and_two_fields(gbsg2):
    X, y = gbsg2
    for model in (CoxPHSurvivalAnalysis(), GridSearchCV(CoxPHSurvivalAnalysis(), {"alpha": [0.1]}, cv=2)):
        fitted = adapt(model).fit(X, {"time": y["time"], "event": y["cens"]})
        assert fitted.score(X, y) > 0.67


def test_a_pipeline_of_others_sees_the_columns_as_they_are(gbsg2):
    X, y = gbsg2
    model = make_pipeline(FunctionTransformer(lambda X: X[["age", "pnodes"]]), CoxPHSurvivalAnalysis())
    adapted = adapt(model)
    assert adapted.encode is False
    assert adapted.fit(X, (y["time"], y["cens"])).predict(X).shape == (686,)


def test_models_that_predict_times_are_turned_round(gbsg2):
    X, y = gbsg2
    model = adapt(IPCRidge()).fit(X, y)
    assert model.score(X, y) > 0.6
    with pytest.raises(InputError, match="SL-465 IPCRidge has no survival curves"):
        model.predict_survival_function(X)
    assert adapt(FastSurvivalSVM(random_state=0)).fit(X, y).score(X, y) > 0.6


def test_grid_search_over_a_baseline(gbsg2):
    X, y = gbsg2
    search = GridSearchCV(CoxLasso(), {"alpha": [0.001, 10.0]}, cv=2).fit(X, y)
    assert search.best_params_ == {"alpha": 0.001}


def test_cox_regression_reaches_the_maximum_where_full_newton_steps_go_astray():
    """On these rows of FLCHAIN, whose light chains have heavy tails, lifelines' default steps end far off."""
    X, y = load_flchain()
    X = X.drop(columns=["chapter", "creatinine"]).assign(**{"sample.yr": X["sample.yr"].astype(int)})
    outcome = pd.DataFrame({"event": y["death"], "time": y["futime"].astype(float)})
    fold = next(iter(RepeatedKFold(5, 1).folds(X, outcome)))
    rows = np.union1d(fold.train, fold.validation)
    model = LifelinesCoxPH().fit(X.iloc[rows], outcome.iloc[rows])
    x = torch.from_numpy(model.design_.transform(X.iloc[rows])).double()
    coef = torch.tensor(model.coef_.to_numpy(), requires_grad=True)
    nll = Cox().nll((x @ coef)[None, :, None], Cox().prepare(Outcome.of(outcome.iloc[rows])))
    assert torch.autograd.grad(nll.sum(), coef)[0].abs().max() < 1e-5
