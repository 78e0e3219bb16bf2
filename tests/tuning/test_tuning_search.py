"""The search: what is tried, how it is judged, which rows it depends on."""

import json
from dataclasses import replace

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.pipeline import make_pipeline
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from trials import FOLD, SPACE, facts, lasso_search, people, whole

from survlspin import CoxLLSPIN, DeepSurv, InputError
from survlspin.baselines import CoxLasso, Encoded, Forest, LifelinesCoxPH, adapt
from survlspin.heads import Cox
from survlspin.metrics import concordance
from survlspin.outcome import Outcome
from survlspin.tuning import search, sight_of, tuned
from survlspin.tuning.trial import NLL, C, criterion_of

EPOCHS = {"epochs": 2, "patience": 1}


def best(found):
    return found.trials["value"].agg("min" if found.trials["criterion"].iloc[0] == NLL else "max")


def test_a_log_risk_is_judged_by_the_cox_loss_per_event():
    found, (X, y) = lasso_search(), people()
    model = CoxLasso(**found.params).fit(X.iloc[:60], y[:60])
    eta = torch.from_numpy(model.predict(X.iloc[60:90])[None, :, None])
    loss = float(Cox("efron").nll(eta, Cox("efron").prepare(Outcome.of(y[60:90]))))
    assert best(found) == pytest.approx(loss, rel=1e-12)
    assert set(found.trials["criterion"]) == {"validation NLL"}
    assert json.loads(found.trials["params"][found.trials["value"].idxmin()]) == found.params
    assert len(found.trials["params"].unique()) == len(found.trials) == 14


def test_other_risks_are_judged_by_harrell_s_c():
    X, y = people()
    space = {"n_estimators": IntDistribution(2, 6), "min_samples_leaf": IntDistribution(3, 30)}
    found = search("forest", Forest(random_state=0), space, *sight_of(X, y, FOLD), n_trials=4)
    assert set(found.trials["criterion"]) == {"validation C"}
    assert best(found) == found.trials["value"].max() > found.trials["value"].min()
    same = search("forest", Forest(), space, *sight_of(X, y, FOLD), n_trials=1).trials["value"]
    assert same.tolist() == found.trials["value"].tolist()[:2]
    assert found.trials["value"].between(0, 1).all()
    forest = Encoded(RandomSurvivalForest(n_estimators=1))
    wrapped = {"estimator__n_estimators": CategoricalDistribution([3])}
    seen = search("f", forest, wrapped, *sight_of(X, y, FOLD), n_trials=1)
    assert seen.params == {"estimator__n_estimators": 3}
    assert 0.3 < best(seen) < 1


@pytest.mark.parametrize(
    ("model", "criterion"),
    [
        (CoxLLSPIN(), NLL),
        (LifelinesCoxPH(), NLL),
        (make_pipeline(CoxLasso()), NLL),
        (Forest(), C),
        (adapt(CoxPHSurvivalAnalysis()), C),
        (make_pipeline(Forest()), C),
    ],
    ids=["LLSPIN", "lifelines", "pipeline", "forest", "scikit-survival", "pipeline of a forest"],
)
def test_what_a_model_is_judged_by(model, criterion):
    assert criterion_of(model) == criterion


def test_c_is_harrell_s():
    X, y = people()
    space = {"estimator__alpha": CategoricalDistribution([0.1])}
    found = search("ridge", adapt(CoxPHSurvivalAnalysis()), space, *sight_of(X, y, FOLD), n_trials=1)
    model = adapt(CoxPHSurvivalAnalysis(alpha=0.1)).fit(X.iloc[:60], y[:60])
    value = concordance(y["time"][60:90], y["event"][60:90], model.predict(X.iloc[60:90])).value
    assert best(found) == pytest.approx(value)


def test_the_seed_and_the_name_decide():
    first = whole()
    assert first == facts(lasso_search())
    assert first[1][1] != facts(lasso_search(n_trials=1, seed=4))[1][1]
    assert first[1][1] != facts(lasso_search(n_trials=1, name="another"))[1][1]
    assert first[1][:3] == facts(lasso_search(n_trials=2, fold=replace(FOLD, name="2")))[1]


def test_more_trials_go_on_from_fewer():
    assert facts(lasso_search(n_trials=11))[1] == whole()[1][:12]


def test_the_settings_given_are_kept_where_none_is_better():
    given = whole()[1][0]
    assert given[0] == "0"
    assert given[4] == repr("{}")
    model, worse = CoxLasso(alpha=whole()[0]["alpha"]), {"alpha": FloatDistribution(0.9, 1.0)}
    found = lasso_search(n_trials=3, estimator=model, space=worse)
    assert found.params == {}
    assert found.trials["value"].idxmin() == 0
    assert tuned(model, found.params).alpha == model.alpha
    equal = lasso_search(n_trials=3, estimator=CoxLasso(alpha=2.0), space=worse)
    assert equal.trials["value"].nunique() == 1
    assert equal.params == {}


def test_settings_given_that_fail_are_in_the_ledger():
    found = lasso_search(n_trials=2, estimator=CoxLasso(alpha=-1.0))
    assert found.trials["reason"].tolist() == ["SL-464", "", ""]
    assert found.params


@pytest.mark.parametrize(
    "space",
    [
        {"alpha": FloatDistribution(0.1, 0.1)},
        {"n_alphas": IntDistribution(7, 7)},
        {"alpha": CategoricalDistribution([0.1])},
    ],
    ids=["float", "int", "choice"],
)
def test_settings_given_are_not_tried_where_the_space_has_one_other(space):
    assert lasso_search(n_trials=1, space=space).trials["trial"].tolist() == [1]
    [(name, found)] = space.items()
    same = CoxLasso(**{name: getattr(found, "low", 0.1)})
    assert lasso_search(n_trials=1, estimator=same, space=space).trials["trial"].tolist() == [0, 1]


def test_nets_are_trained_and_stopped_on_the_rows_handed():
    X, y = people()
    space = {"lr": FloatDistribution(1e-3, 0.1, log=True), "hidden": CategoricalDistribution(["2", "3-2"])}
    found = search("net", DeepSurv(**EPOCHS), space, *sight_of(X, y, FOLD), n_trials=3)
    assert set(found.trials["state"]) == {"complete"}
    assert not found.params or found.params["hidden"] in ((2,), (3, 2))
    threads = torch.get_num_threads()
    again = search("net", DeepSurv(**EPOCHS), space, *sight_of(X, y, FOLD), n_trials=3)
    assert facts(again) == facts(found)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "model", [CoxLasso(), DeepSurv(**EPOCHS), Forest(n_estimators=5)], ids=["lasso", "net", "forest"]
)
def test_a_poisoned_test_row_changes_nothing(model):
    space = {
        CoxLasso: {"alpha": FloatDistribution(1e-3, 0.1)},
        DeepSurv: {"lr": FloatDistribution(1e-3, 0.1)},
        Forest: {"min_samples_leaf": IntDistribution(3, 20)},
    }[type(model)]

    def after(row, value, **outcome):
        X, y = people()
        X.iloc[row] = value
        for field, number in outcome.items():
            y[field][row] = number
        return facts(search("m", model, space, *sight_of(X, y, FOLD), n_trials=3))

    clean = after([], 0.0)
    assert after(FOLD.test, 1e30, time=1e9, event=1) == clean
    assert after(FOLD.test[:1], np.nan, time=np.nan) == clean
    assert after(FOLD.validation[:1], 3.0, time=9.0, event=1)[1] != clean[1]
    assert after(FOLD.train[:5], 3.0, time=9.0, event=1)[1] != clean[1]


def test_trials_that_fail_are_counted_and_left_behind():
    found = lasso_search(space={"alpha": FloatDistribution(-0.05, 0.05)})
    failed = found.trials["state"] == "failed"
    assert 2 < failed.sum() < 11
    assert set(found.trials["reason"][failed]) == {"SL-464"}
    assert set(found.trials["reason"][~failed]) == {""}
    assert found.trials["value"][failed].isna().all()
    assert found.params["alpha"] > 0
    assert len(found.trials["params"].unique()) == 14


class Blind(CoxLasso):
    """Its answer is no number where the penalty is large."""

    def predict(self, X):
        return super().predict(X) + (np.nan if self.alpha > 0.02 else 0.0)


def test_an_answer_that_is_no_number_fails():
    found = lasso_search(estimator=Blind(alpha=0.5))
    failed = found.trials["state"] == "failed"
    large = [json.loads(params).get("alpha", 0.5) > 0.02 for params in found.trials["params"]]
    assert failed.tolist() == large
    assert set(found.trials["reason"][failed]) == {"no number"}


class Broken(CoxLasso):
    """Its error has a patient's value."""

    def fit(self, X, y, validation_data=None):
        raise ValueError("born 1931")


@pytest.mark.parametrize(("model", "reason"), [(CoxLasso(), "SL-464 .4."), (Broken(), "ValueError .4.")], ids=str)
def test_all_trials_failed(model, reason):
    with pytest.raises(InputError, match=f"SL-376 all 4 trials of LASSO on fold 1 failed: {reason}") as caught:
        lasso_search(n_trials=4, estimator=model, space={"alpha": FloatDistribution(-2, -1)})
    assert "1931" not in str(caught.value)


def test_rows_that_cannot_be_searched_on():
    X, y = people()
    y["event"][60:90] = 0
    with pytest.raises(InputError, match="SL-378 no event among the 30 validation rows of fold 1"):
        lasso_search(data=(X, y))
    X, y = people()
    X_train, y_train, *valid, rows = sight_of(X, y, FOLD)
    with pytest.raises(InputError, match=r"SL-378 .*names 60 and 30"):
        search("m", CoxLasso(), SPACE, X_train[1:], y_train[1:], *valid, rows)


def test_settings_found_make_an_estimator():
    found = lasso_search()
    assert tuned(CoxLasso(), found.params).alpha == found.params["alpha"]
    path = tuned(CoxLasso(), found.params, path=True)
    assert (path.alpha, path.n_alphas) == ("auto", found.params["n_alphas"])
    model = make_pipeline(CoxLLSPIN())
    params = {"coxllspin__lam": 0.1, "coxllspin__lr": 0.02}
    assert tuned(model, params, path=True).get_params()["coxllspin__lam"] == "auto"
    assert tuned(model, params).get_params()["coxllspin__lam"] == 0.1
    assert model.get_params()["coxllspin__lr"] == "auto"


def test_optuna_says_nothing_and_stays_as_it_was(capfd):
    level = optuna.logging.get_verbosity()
    lasso_search(n_trials=2)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == level
