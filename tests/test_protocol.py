"""Fits on common folds: what every model sees, and what becomes of it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sksurv.datasets import load_gbsg2
from sksurv.ensemble import RandomSurvivalForest

from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH
from survlspin.errors import InputError, InputTypeError
from survlspin.metrics.concordance import concordance_of
from survlspin.outcome import Outcome
from survlspin.protocol import RepeatedKFold, TrainOneTestNine, Unit, fit_unit, run

CV = RepeatedKFold(3, 2)
PATH = {"lasso": {"lam": "path"}}
seen = []


class Age(BaseEstimator):
    """Knows that the old die first, and remembers what it was shown."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, validation_data=None):
        seen.append((X, y, validation_data, self.random_state))
        self.fitted_ = True
        return self

    def predict(self, X):
        return X["age"].to_numpy()


Age.__module__ = "survlspin.tests"  # one that takes raw X and y


class AgeOnAll(Age):
    """Takes no validation rows."""

    def fit(self, X, y):
        return super().fit(X, y)


@pytest.fixture(autouse=True)
def _forget():
    seen.clear()


@pytest.fixture(scope="module")
def gbsg2():
    X, y = load_gbsg2()
    return X.set_axis([f"patient {i}" for i in range(len(X))]), y


@pytest.fixture(scope="module")
def runs(gbsg2):
    return run({"cox": LifelinesCoxPH(), "lasso": CoxLasso(n_alphas=15)}, *gbsg2, cv=CV, over=PATH)


def test_every_model_is_fitted_on_every_fold(runs):
    assert [(fit.model, fit.fold) for fit in runs.fits] == [
        (model, fold) for model in ("cox", "lasso") for fold in ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3")
    ]


@pytest.mark.parametrize("cv", [CV, TrainOneTestNine(4)], ids=repr)
def test_models_see_training_and_validation_rows_and_never_a_test_row(gbsg2, cv):
    X, y = gbsg2
    run({"held out": Age(), "trained on": AgeOnAll()}, X, y, cv=cv)
    folds = list(cv.folds(X, y))
    for fold, (train, y_train, (X_valid, y_valid), _) in zip(folds, seen[: len(folds)], strict=True):
        assert list(train.index) == list(X.index[fold.train])
        assert list(X_valid.index) == list(X.index[fold.validation])
        np.testing.assert_array_equal(y_train["time"], y["time"][fold.train])
        np.testing.assert_array_equal(y_valid["event"], y["cens"][fold.validation])
    for fold, (train, y_train, validation, _) in zip(folds, seen[len(folds) :], strict=True):
        assert set(train.index) == {*X.index[fold.train], *X.index[fold.validation]}
        assert len(train) == len(y_train)
        assert validation is None


def test_the_table_says_what_became_of_the_validation_rows(runs):
    assert runs.table()["validation"].to_dict() == {"cox": "trained on", "lasso": "held out"}


def test_risk_and_c_are_those_of_the_test_rows(gbsg2, runs):
    X, y = gbsg2
    fold = next(CV.folds(X, y))
    rows = np.union1d(fold.train, fold.validation)
    risk = LifelinesCoxPH().fit(X.iloc[rows], y[rows]).predict(X.iloc[fold.test])
    estimate = concordance_of(Outcome.of(y[fold.test]), risk)
    fit = runs.fits[0]
    np.testing.assert_allclose(fit.risk[0], risk, rtol=1e-6)
    assert fit.points["C"].item() == pytest.approx(estimate.value, abs=1e-12)
    np.testing.assert_allclose(fit.influence[0], estimate.influence, rtol=1e-6)
    assert fit.definition == estimate.definition


def test_a_path_gives_every_point_and_the_choice_of_the_validation_rows(gbsg2, runs):
    X, y = gbsg2
    fold = next(CV.folds(X, y))
    model = CoxLasso(n_alphas=15)
    path = model.path(X.iloc[fold.train], y[fold.train], (X.iloc[fold.validation], y[fold.validation]))
    fit = next(fit for fit in runs.fits if fit.model == "lasso")
    assert fit.chosen == path.chosen
    expected = path.frame.drop(columns=["alpha", "validation_se"])
    pd.testing.assert_frame_equal(fit.points[expected.columns], expected, check_dtype=False)
    for i in range(len(path)):
        np.testing.assert_allclose(fit.risk[i], path.at(i).predict(X.iloc[fold.test]), rtol=1e-6, atol=1e-7)
        used = fit.share.columns[fit.share.iloc[i] == 1]
        assert list(used) == [f for f in fit.share if path.at(i).selected(X)[f].all()]


def test_a_model_that_does_not_select_uses_every_factor(runs):
    fit = runs.fits[0]
    assert fit.points[["median", "mean", "union"]].to_numpy().tolist() == [[8, 8, 8]]
    assert fit.share.to_numpy().tolist() == [[1] * 8]
    assert np.isnan(fit.points["lam"].item())


def test_processes_do_not_change_a_digit(gbsg2, runs):
    again = run({"cox": LifelinesCoxPH(), "lasso": CoxLasso(n_alphas=15)}, *gbsg2, cv=CV, over=PATH, n_jobs=2)
    pd.testing.assert_frame_equal(
        again.points().drop(columns="seconds"), runs.points().drop(columns="seconds"), check_exact=True
    )
    for a, b in zip(again.fits, runs.fits, strict=True):
        np.testing.assert_array_equal(a.risk, b.risk)


def test_shuffled_rows_give_the_same_results(gbsg2, runs):
    X, y = gbsg2
    order = np.random.default_rng(0).permutation(len(X))
    again = run({"cox": LifelinesCoxPH()}, X.iloc[order], y[order], cv=CV)
    np.testing.assert_allclose(
        again.table().loc["cox", ["C", "se"]].astype(float),
        runs.table().loc["cox", ["C", "se"]].astype(float),
        rtol=1e-6,
    )


def test_folds_and_seeds_differ_in_what_models_draw_and_repeat_themselves(gbsg2):
    runs = run({"age": Age(), "again": Age()}, *gbsg2, cv=CV, random_state=[0, 1])
    drawn = [state for *_, state in seen]
    assert len(set(drawn[:12])) == 12
    assert drawn[:12] == drawn[12:]
    assert [fit.seed for fit in runs.fits] == drawn
    assert runs.table().loc["age", "folds"] == 6


def test_seeds_reach_models_inside_pipelines(gbsg2):
    X, y = gbsg2
    model = make_pipeline(FunctionTransformer(), Age())
    fold = next(CV.folds(X, y))
    fit_unit(Unit("age", model, fold, 17), X, Outcome.of(y).to_y())
    assert seen[-1][-1] == 17


def test_estimators_of_scikit_survival_are_taken_as_they_are(gbsg2):
    X, y = gbsg2
    models = {
        "theirs": RandomSurvivalForest(n_estimators=5, min_samples_leaf=15, low_memory=True),
        "ours": Forest(n_estimators=5),
    }
    table = run(models, X, y, cv=RepeatedKFold(2, 1)).table()
    assert table.loc["theirs", "C"] == table.loc["ours", "C"]
    assert table.loc["theirs", "factors"] == 8


def test_arrays_and_other_forms_of_y(gbsg2):
    X, y = gbsg2
    X = X[["age", "pnodes"]].to_numpy()
    table = run({"cox": LifelinesCoxPH()}, X, (y["time"], y["cens"]), cv=CV).table()
    assert 0.6 < table.loc["cox", "C"] < 0.7


def test_weights_strata_and_entry_reach_the_models_and_c(gbsg2):
    X, y = gbsg2
    y = {"time": y["time"], "event": y["cens"], "stratum": X["menostat"].to_numpy(), "weight": np.ones(len(X))}
    fitted = run({"cox": LifelinesCoxPH()}, X.drop(columns="menostat"), y, cv=CV)
    assert "within strata" in fitted.attrs["C"]
    assert "weighted" in fitted.attrs["C"]


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"laso": {"lam": "path"}}, "SL-347.*did you mean 'lasso'"),
        ({"lasso": {"lam": [1.0]}}, "SL-347"),
        ({"cox": {"lam": "path"}}, "SL-347"),
    ],
)
def test_paths_that_cannot_be_had(gbsg2, over, message):
    with pytest.raises(InputError, match=message):
        run({"cox": LifelinesCoxPH(), "lasso": CoxLasso()}, *gbsg2, over=over)


@pytest.mark.parametrize("random_state", [None, -1, 0.5, []])
def test_seeds_are_whole_numbers(gbsg2, random_state):
    with pytest.raises(InputError, match="SL-348"):
        run({"cox": LifelinesCoxPH()}, *gbsg2, random_state=random_state)


def test_models_and_splitters_of_the_wrong_kind(gbsg2):
    X, y = gbsg2
    with pytest.raises(InputTypeError, match="SL-350 cox is a "):
        run({"cox": LifelinesCoxPH}, X, y)
    for none, found in (({}, "empty"), ([LifelinesCoxPH()], "a list")):
        with pytest.raises(InputTypeError, match=f"SL-350 models is {found}"):
            run(none, X, y)
    with pytest.raises(InputTypeError, match="SL-350 cv is a int"):
        run({"cox": LifelinesCoxPH()}, X, y, cv=5)
    with pytest.raises(InputTypeError, match="SL-350 X has 1"):
        run({"cox": LifelinesCoxPH()}, X["age"].to_numpy(), y)


def test_levels_that_a_fold_cannot_learn_are_refused_before_any_fit(gbsg2):
    X, y = gbsg2
    X = X.assign(histology=["ductal"] * 300 + ["rare"] * 2 + ["lobular"] * 384)
    with pytest.raises(InputError, match=r"SL-351.*'histology' has 1"):
        run({"age": Age()}, X, y, cv=TrainOneTestNine(4))
    assert not seen
    run({"age": make_pipeline(FunctionTransformer(), Age())}, X, y, cv=TrainOneTestNine(4))  # minds its own columns
    assert len(seen) == 4


def test_bad_folds_are_refused_before_any_fit(gbsg2):
    X, y = gbsg2
    with pytest.raises(InputError, match="SL-342"):
        run({"age": Age()}, X.iloc[:60], (y["time"][:60], np.arange(60) < 5), cv=TrainOneTestNine(10))
    assert not seen
