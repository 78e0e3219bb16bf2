"""Nets of competing risks: the contract, invented patients whose truth is known, and what is refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from survlspin import (
    CauseSpecificCoxLLSPIN,
    CauseSpecificCoxLSPIN,
    CauseSpecificCoxPH,
    CauseSpecificCoxSTG,
    CauseSpecificDeepSurv,
    CoxLLSPIN,
    FineGray,
    InputError,
    InputWarning,
    Outcome,
    load,
    run,
)
from survlspin.competing import CompetingRisksEstimator
from survlspin.synthetic import competing
from survlspin.testing import check_estimator
from survlspin.testing.estimators import patients

SMALL = {"epochs": 2, "random_state": 0, "members": 2}
MODELS = {
    "LLSPIN": CauseSpecificCoxLLSPIN(lam=0.02, **SMALL),
    "LSPIN": CauseSpecificCoxLSPIN(lam=0.02, hidden=(4,), **SMALL),
    "STG": CauseSpecificCoxSTG(lam=0.02, hidden=(), **SMALL),
    "DeepSurv": CauseSpecificDeepSurv(hidden=(4,), **SMALL),
    "CoxPH": CauseSpecificCoxPH(),
    "FineGray": FineGray(2),
}
NETS = [name for name, model in MODELS.items() if "epochs" in model.get_params()]
X, Y = patients(causes=2)
STRONG = ["tumour_size", "nodes_ratio", "grade_III", "age"]  # the last is the other cause's


# ---- the contract ----


@pytest.mark.parametrize("name", MODELS)
def test_contract(name):
    check_estimator(MODELS[name])


@pytest.mark.parametrize("name", ["LLSPIN", "CoxPH"])
def test_contract_with_weights_strata_and_delayed_entry(name):
    outcome, rng = Outcome.of(Y, causes=True), np.random.default_rng(0)
    stratum = np.array(["a", "b"])[np.arange(len(X)) % 2]
    y = Outcome(outcome.time + 1, outcome.event, rng.uniform(0, 1, 120), rng.uniform(0.5, 2, 120), stratum)
    check_estimator(MODELS[name], X, y.to_y())


class Jumps(CauseSpecificCoxPH):
    def predict_cumulative_incidence(self, X, times=None, cause=None, stratum=None):
        return 1.01 * super().predict_cumulative_incidence(X, times, cause, stratum)


class Swapped(CauseSpecificCoxPH):
    def score(self, X, y, cause=1):
        return super().score(X, y, 3 - cause)


@pytest.mark.parametrize(("cls", "complaint"), [(Jumps, "incidences and survival"), (Swapped, "score is")])
def test_the_contract_notices(cls, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_estimator(cls())


# ---- invented patients ----


@pytest.fixture(scope="module")
def fitted():
    X, y, _ = competing(4000, random_state=1)
    return CauseSpecificCoxLLSPIN(lam=0.02, lr=0.01, random_state=0).fit(X, y)


def test_shared_gates_find_the_true_factors_of_both_causes(fitted):
    X, _, truth = competing(1000, random_state=2)
    share = fitted.selected(X).mean()
    assert (share[STRONG] > 0.9).all()
    known = {name for causes in truth.factors for name in causes}
    assert share[share > 0.5].index.isin(known).all()


def test_incidences_are_near_the_truth(fitted):
    X, y, truth = competing(2000, random_state=2)
    times = np.array([24.0, 60.0, 96.0])
    found, true = fitted.predict_cumulative_incidence(X, times), truth.cumulative_incidence(times)
    np.testing.assert_allclose(found.mean(axis=0), true.mean(axis=0), atol=0.02)
    for cause in (0, 1):
        assert np.corrcoef(found[:, cause, 1], true[:, cause, 1])[0, 1] > 0.9
        fifth = np.digitize(found[:, cause, 1], np.quantile(found[:, cause, 1], [0.2, 0.4, 0.6, 0.8]))
        for group in range(5):  # calibrated within fifths of the predicted probability
            rows = fifth == group
            assert abs(found[rows, cause, 1].mean() - true[rows, cause, 1].mean()) < 0.06
    assert fitted.score(X, y, cause=1) > 0.66
    assert fitted.score(X, y, cause=2) > 0.74


def test_risk_factors_add_up_to_each_cause(fitted):
    X, _, _ = competing(50, random_state=3)
    tables = {cause: fitted.risk_factors(X, cause=cause) for cause in (1, 2)}
    for cause, table in tables.items():
        listed, rows = table.frame.groupby("patient", sort=False)["log_hr"].sum(), table.patients()
        np.testing.assert_allclose(rows["log_risk"], fitted.predict(X)[:, cause - 1], rtol=1e-6, atol=1e-6)
        total = rows["baseline"].to_numpy() + listed.reindex(rows["patient"]).fillna(0.0).to_numpy()
        np.testing.assert_allclose(total, rows["log_risk"], rtol=1e-6, atol=1e-6)
    first, second = (table.frame for table in tables.values())
    pd.testing.assert_frame_equal(
        first[["patient", "factor"]].sort_values(["patient", "factor"], ignore_index=True),
        second[["patient", "factor"]].sort_values(["patient", "factor"], ignore_index=True),
    )  # the causes share the factors
    assert not np.allclose(first["log_hr"].sum(), second["log_hr"].sum())


def test_a_path_goes_from_all_factors_to_none():
    path = CauseSpecificCoxLLSPIN(epochs=30, random_state=0).path(X, Y, points=5)
    assert path.frame["lam"].is_monotonic_increasing
    assert path.frame["mean"].iloc[0] == 4
    assert path.frame["mean"].iloc[-1] == 0
    assert path.at(path.chosen).predict_cumulative_incidence(X, 12).shape == (len(X), 2)


def test_the_order_of_causes_says_nothing():
    outcome = Outcome.of(Y, causes=True)
    turned = Outcome(outcome.time, np.array([0, 2, 1])[outcome.event])
    settings = {"robust": False}
    one, other = (CauseSpecificCoxPH(**settings).fit(X, y) for y in (outcome, turned))
    np.testing.assert_allclose(other.predict(X)[:, ::-1], one.predict(X), rtol=1e-12)
    a, b = (model.predict_cumulative_incidence(X) for model in (one, other))
    np.testing.assert_allclose(b[:, ::-1], a, rtol=1e-9, atol=1e-12)


def test_a_loaded_model_predicts_the_same_incidences(tmp_path):
    model = clone(MODELS["LSPIN"]).fit(X, Y)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    expected = model.predict_cumulative_incidence(X)
    np.testing.assert_array_equal(loaded.predict_cumulative_incidence(X), expected)
    found, listed = (each.risk_factors(X, cause=2).frame for each in (loaded, model))
    pd.testing.assert_frame_equal(found, listed, check_exact=True)


# ---- refusals ----


@pytest.mark.parametrize("name", NETS)
def test_one_kind_of_event_is_refused(name):
    with pytest.raises(InputError, match="SL-604"):
        clone(MODELS[name]).fit(X, (Y["time"], Y["event"] > 0))


def test_codes_are_refused_by_models_of_one_event():
    with pytest.raises(InputError, match=r"SL-103 .* event_of_interest=1\. .*CauseSpecificCoxLLSPIN"):
        CoxLLSPIN().fit(X, Y)
    single = clone(CoxLLSPIN(lam=0.02, epochs=2)).fit(X, (Y["time"], Y["event"] == 1))
    with pytest.raises(InputError, match="SL-605"):
        single.risk_factors(X, cause=2)
    assert not isinstance(single, CompetingRisksEstimator)


def test_rows_that_validate_have_the_causes_that_are_fitted():
    three = np.where(np.arange(120) < 12, 3, Y["event"])
    with pytest.raises(InputError, match="SL-606"):
        clone(MODELS["DeepSurv"]).fit(X, Y, validation_data=(X, (Y["time"], three)))


def test_few_events_of_a_cause_are_refused_by_its_number():
    rare = np.where(Y["event"] == 2, 1, Y["event"])
    rare[np.flatnonzero(rare)[:4]] = 2
    with pytest.raises(InputError, match="SL-117 only 4 events of cause 2"):
        clone(MODELS["DeepSurv"]).fit(X, (Y["time"], rare))
    with pytest.warns(InputWarning, match="SL-117 only 4 events of cause 2"):
        clone(MODELS["DeepSurv"]).set_params(force=True).fit(X, (Y["time"], rare))


def test_a_predictor_that_gives_a_cause_away_is_named():
    leak = X.assign(of_cancer=Y["event"] == 1)
    with pytest.warns(InputWarning, match="SL-215 'of_cancer'"):
        clone(MODELS["DeepSurv"]).fit(leak, Y)


def test_folds_are_compared_on_one_event():
    with pytest.raises(InputError, match=r"SL-607 rivals \(FineGray\) models competing causes"):
        run({"rivals": FineGray()}, X, (Y["time"], Y["event"] == 1))
    with pytest.raises(InputError, match="SL-103"):
        run({"one": CoxLLSPIN()}, X, Y)


def test_weights_of_sklearn_are_refused():
    with warnings.catch_warnings(), pytest.raises(InputError, match="SL-166"):
        clone(MODELS["STG"]).path(X, Y, sample_weight=np.ones(len(X)))
