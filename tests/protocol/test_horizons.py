"""Probabilities of the event that a comparison keeps: those that the fitted models predict, and where."""

import numpy as np
import pandas as pd
import pytest
from labour import Labour, fits, people
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis, IPCRidge

from survlspin import CoxLLSPIN, CoxPH, Probes, RepeatedKFold, run
from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH
from survlspin.errors import InputError
from survlspin.protocol import read_runs
from survlspin.protocol.plan import plan

CV = RepeatedKFold(2, 1)
HORIZON = 0.73
TREES = RandomSurvivalForest(n_estimators=4, min_samples_leaf=15)


def data(n=160, **more):
    X, y = people(n)
    return X, {**y, "time": np.ceil(20 * y["time"]) / 20, **more}


def fitted(model, X, y, fold, seed=None):
    """The model of a fold, fitted on its training and validation rows."""
    from survlspin._sklearn import seeded

    rows = np.union1d(fold.train, fold.validation)
    y = {name: np.asarray(values)[rows] for name, values in y.items()}
    return seeded(model, seed).fit(X.iloc[rows], pd.DataFrame(y).to_records(index=False))


def test_a_cox_model_says_it_at_any_time_and_any_point():
    X, y = data()
    models = {"cox": CoxPH(), "lasso": CoxLasso(), "net": CoxLLSPIN(epochs=3, lam=0.1), "lifelines": LifelinesCoxPH()}
    runs = run(models, X, y, CV, over={"lasso": {"lam": "path"}})
    times = [0.01, 0.4, HORIZON, 99.0]
    for fit in runs.fits:
        assert len(fit.horizons) == 0
        assert fit.hazard.shape == (len(fit.points), len(fit.times))
        for point in range(len(fit.points)):
            found = fit.event_probability(times, point)
            assert ((found >= 0) & (found <= 1)).all()
            assert (np.diff(found, axis=1) >= 0).all()
    for fit in (fit for fit in runs.fits if fit.model in ("cox", "lifelines")):
        model, fold = fitted(models[fit.model], X, y, runs.folds[fit.fold]), runs.folds[fit.fold]
        own = model.predict_survival_function(X.iloc[fold.test])
        expected = 1 - np.array([curve(times[:3]) for curve in own])
        np.testing.assert_allclose(fit.event_probability(times[:3]), expected, rtol=2e-6)


def test_a_forest_says_it_at_the_times_asked_for_and_at_times_spread_over_the_events():
    X, y = data()
    models = {"ours": Forest(n_estimators=4), "theirs": TREES, "piped": make_pipeline(StandardScaler(), TREES)}
    models["search"] = GridSearchCV(TREES, {"min_samples_leaf": [15]}, cv=2)
    runs = run(models, X, y, CV, horizons=[HORIZON, 0.22])
    assert runs.horizons == (0.22, HORIZON)
    for fit in runs.fits:
        assert fit.hazard.size == 0
        assert {0.22, HORIZON} < set(fit.horizons)
        assert 3 < len(fit.horizons) <= 26
        assert fit.horizons.max() == y["time"][y["event"]].max()
        assert np.isnan(fit.event_probability(0.22 + 1e-9)).all()
        forest = Forest(n_estimators=4, low_memory=False)
        model, fold = fitted(forest, X, y, runs.folds[fit.fold], fit.seed), runs.folds[fit.fold]
        curves = model.predict_survival_function(X.iloc[fold.test])
        expected = 1 - np.array([curve(fit.horizons.clip(max=curve.x[-1])) for curve in curves])
        if fit.model != "piped":  # thresholds between scaled numbers may be others
            np.testing.assert_allclose(fit.event_probability(fit.horizons), expected, atol=1e-6)
        assert fit.event_probability(HORIZON).std() > 0


def test_strata_are_those_of_the_test_rows():
    X, y = data(stratum=np.arange(160) % 2)
    y["stratum"][:3] = 2  # in the training rows of some folds alone
    cox = CoxPH()
    runs = run({"cox": cox}, X, y, CV, horizons=[HORIZON])
    unknown = 0
    for fit in runs.fits:
        fold, model = runs.folds[fit.fold], fitted(cox, X, y, runs.folds[fit.fold])
        stratum = y["stratum"][fold.test]
        known = np.isin(stratum, y["stratum"][np.union1d(fold.train, fold.validation)])
        curves = model.predict_survival_function(X.iloc[fold.test[known]], stratum=stratum[known])
        found = fit.event_probability(HORIZON)[:, 0]
        np.testing.assert_allclose(found[known], [1 - curve(HORIZON) for curve in curves], atol=1e-6)
        assert np.isnan(found[~known]).all()
        unknown += (~known).sum()
    assert unknown <= 3


def test_models_without_curves_say_nothing():
    X, y = data()
    models = {"labour": Labour(), "ridge": IPCRidge(), "net": CoxnetSurvivalAnalysis()}
    models["low"] = RandomSurvivalForest(n_estimators=2, low_memory=True)
    for fit in run(models, X, y, CV, horizons=[HORIZON]).fits:
        assert fit.horizons.size == fit.hazard.size == 0
        assert np.isnan(fit.event_probability([HORIZON])).all()


def test_the_point_that_probes_choose_is_not_that_of_probabilities():
    X, y = data(stratum=np.arange(160) % 2)
    asked = {"horizons": [HORIZON], "probes": Probes(n=3), "over": {"net": {"lam": "path", "points": 3}}}
    runs = run({"net": CoxLLSPIN(epochs=3)}, X, y, CV, **asked)
    for rate in (0.0, 1.0):
        for old, new in zip(runs.fits, runs.choose_by_probes(rate).fits, strict=True):
            same = old.chosen == new.chosen
            assert np.isnan(new.event_probability(HORIZON)).all() != same
    assert any(a.chosen != b.chosen for a, b in zip(runs.fits, runs.choose_by_probes(1.0).fits, strict=True))


def test_a_store_keeps_probabilities_and_another_horizon_fits_again_only_what_needs_it(tmp_path):
    X, y = data()
    models = {"cox": CoxPH(), "forest": Forest(n_estimators=3)}
    first = run(models, X, y, CV, horizons=[HORIZON], store=tmp_path / "study")
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "study" / "units").iterdir()}
    read = read_runs(tmp_path / "study")
    assert read.horizons == (HORIZON,)
    for a, b in zip(first.fits, read.fits, strict=True):
        np.testing.assert_array_equal(a.event_probability([HORIZON, 0.22]), b.event_probability([HORIZON, 0.22]))
        assert a.hazard.dtype == b.hazard.dtype == np.float64
        assert a.probability.dtype == b.probability.dtype == np.float32
    again = run(models, X, y, CV, horizons=[0.22, HORIZON], store=tmp_path / "study")
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "study" / "units").iterdir()}
    assert made.items() < after.items()
    assert len(after) == 6  # two fits of the forest were made again
    for a, b in zip(first.fits, again.fits, strict=True):
        np.testing.assert_array_equal(a.risk, b.risk)
        np.testing.assert_array_equal(a.event_probability(HORIZON), b.event_probability(HORIZON))
        assert not np.isnan(b.event_probability(0.22)).any()


@pytest.mark.parametrize("horizons", [[0.0], [-1.0], [1e9], [np.nan], [np.inf], [[1.0], [2.0]]], ids=repr)
def test_what_is_no_time_of_the_follow_up_is_refused(horizons, tmp_path):
    with pytest.raises(InputError, match=r"SL-391 horizons=.* the follow-up ends at"):
        run({"labour": Labour(tmp_path)}, *data(), CV, horizons=horizons)
    assert fits(tmp_path) == {}


def test_the_last_time_is_accepted_and_horizons_are_sorted():
    X, y = data()
    made = plan({"forest": Forest()}, X, y, CV, None, None, 0, None, [y["time"].max(), 0.22, 0.22])
    assert made.horizons == (0.22, y["time"].max())
    assert made.describe()["models"]["forest"]["horizons"] == made.units(made.folds)[0].horizons
