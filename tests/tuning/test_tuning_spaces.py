"""What is searched, for which model."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from optuna import create_study, logging
from optuna.distributions import CategoricalDistribution, FloatDistribution, distribution_to_json
from optuna.samplers import RandomSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.ensemble import ExtraSurvivalTrees, RandomSurvivalForest

from survlspin import (
    CoxGradientLasso,
    CoxLassoNet,
    CoxLLSPIN,
    CoxLSPIN,
    CoxNIMO,
    CoxPH,
    CoxSTG,
    DeepSurv,
    InputError,
)
from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH, PycoxDeepSurv, adapt
from survlspin.folds import RepeatedKFold, TrainOneTestNine
from survlspin.tuning import Tuning, space_of
from survlspin.tuning.spaces import check_space, described, rules_out, settings

NETS = (CoxLLSPIN, CoxLSPIN, CoxSTG, CoxLassoNet, CoxNIMO, CoxGradientLasso, DeepSurv)
SEARCHED = (*NETS, PycoxDeepSurv, CoxLasso, Forest, RandomSurvivalForest, ExtraSurvivalTrees)
IN_THE_PAPER = (CoxLLSPIN, CoxLSPIN, CoxSTG, DeepSurv, PycoxDeepSurv, CoxLasso, Forest, RandomSurvivalForest)
by_name = partial(pytest.mark.parametrize, "model", ids=lambda model: model.__name__)


def drawn(space, n=30):
    """Draw settings at random, as trials do."""
    level = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    study = create_study(sampler=RandomSampler(seed=0))
    logging.set_verbosity(level)
    return [settings(study.ask(space).params) for _ in range(n)]


@by_name(SEARCHED)
@pytest.mark.parametrize("preset", ["default", "lspin2022"])
def test_models_accept_what_is_proposed(model, preset):
    adapted = adapt(model())
    space = space_of(adapted, preset)
    assert bool(space) == (preset == "default" or model in IN_THE_PAPER)
    check_space("model", adapted, space)
    for params in drawn(space):
        estimator = adapted.set_params(**params)
        if model in NETS:
            estimator._check()


@by_name((*NETS, PycoxDeepSurv))
def test_the_nets_have_a_rate_and_epochs(model):
    assert {"lr", "epochs"} <= set(space_of(model()))


@by_name(IN_THE_PAPER)
def test_the_presets_differ(model):
    assert described(space_of(adapt(model()))) != described(space_of(adapt(model()), "lspin2022"))


def test_the_paper_s_table():
    space = space_of(CoxLSPIN(), "lspin2022")
    assert (space["lam"].low, space["lam"].high) == pytest.approx((5.114e-5, 0.5114))
    assert space["epochs"].choices == (500, 1000, 2000)
    [params] = drawn(space, 1)
    assert (params["hidden"], params["gate_hidden"], params["batch_size"]) == ((100, 30, 5), (300,), None)
    assert "hidden" not in space_of(CoxLLSPIN(), "lspin2022")
    stg, lasso = space_of(CoxSTG(), "lspin2022")["lam"], space_of(CoxLasso(), "lspin2022")["alpha"]
    assert (stg.low, stg.high, lasso.low, lasso.high) == (1e-3, 1e-1, 1e-7, 1)
    assert space_of(Forest(), "lspin2022")["n_estimators"].choices == (1, 10, 100, 500, 1000)


@by_name(SEARCHED)
def test_the_paper_s_nets_rule_out_the_settings_given_and_nothing_else_does(model):
    adapted = adapt(model())
    assert not rules_out(space_of(adapted), adapted)
    nets = model in (*NETS, PycoxDeepSurv) and model in IN_THE_PAPER
    assert rules_out(space_of(adapted, "lspin2022"), adapted) == nets


def test_the_user_s_settings_are_not_searched():
    left = set(space_of(CoxLSPIN())) - set(space_of(CoxLSPIN(lam={"gates": 0.1}, hidden=(), lr=0.01, sigma=1.0)))
    assert left == {"lam", "hidden", "lr"}


def test_forests_of_scikit_survival_are_known_inside_their_wrapping():
    assert set(space_of(adapt(RandomSurvivalForest()))) == {f"estimator__{name}" for name in space_of(Forest())}


@pytest.mark.parametrize(
    "model", [CoxPH(), LifelinesCoxPH(), adapt(make_pipeline(StandardScaler(), Forest()))], ids=str
)
def test_others_have_nothing_to_search(model):
    assert space_of(model) == {}


def test_subclasses_are_searched_like_their_parents():
    class Mine(CoxLasso):
        pass

    assert described(space_of(Mine())) == described(space_of(CoxLasso()))


def test_widths_are_texts_in_a_space():
    params = {"hidden": "100-30-5", "a__gate_hidden": "none", "lr": 0.1, "max_features": "sqrt"}
    assert settings(params) == {"hidden": (100, 30, 5), "a__gate_hidden": (), "lr": 0.1, "max_features": "sqrt"}


@pytest.mark.parametrize(
    ("space", "found"),
    [
        ({"alfa": FloatDistribution(0, 1)}, "has no setting 'alfa' .did you mean 'alpha'"),
        ({"alpha": (0, 1)}, "has a tuple for alpha"),
        ({"alpha": [FloatDistribution(0, 1)]}, "has a list for alpha"),
    ],
)
def test_spaces_that_cannot_be_used(space, found):
    with pytest.raises(InputError, match=f"SL-372 .*{found}"):
        Tuning(spaces={"LASSO": space}).spaces_for({"LASSO": CoxLasso()})


@pytest.mark.parametrize("text", ["32,16", "", "0", "-3", "None", "32-"])
def test_texts_that_are_no_widths(text):
    with pytest.raises(InputError, match="SL-372 hidden of net cannot be"):
        check_space("net", DeepSurv(), {"hidden": CategoricalDistribution(["16", text])})


@pytest.mark.parametrize(
    "bad",
    [
        {"n_trials": 0},
        {"n_trials": True},
        {"n_trials": 2.0},
        {"random_state": -1},
        {"spaces": "lspin"},
        {"spaces": {"LASSO": "lspin2023"}},
        {"spaces": ["default"]},
        {"spaces": {"LASSO": ["default"]}},
        {"per_fold": "yes"},
        {"models": "LASSO"},
        {"storage": "trials.db"},
        {"storage": Path("trials.db")},
    ],
    ids=str,
)
def test_tuning_refuses(bad):
    with pytest.raises(InputError, match="SL-371"):
        Tuning(**bad)


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match=r"SL-371 .*did you mean 'lspin2022'"):
        space_of(CoxLasso(), "lspin2021")


def test_which_models_are_tuned():
    models = {"LLSPIN": CoxLLSPIN(), "LASSO": CoxLasso(), "Cox": CoxPH()}
    own = {"penalizer": FloatDistribution(0.01, 1)}
    assert list(Tuning().spaces_for(models)) == ["LLSPIN", "LASSO"]
    assert list(Tuning(models=["LASSO"]).spaces_for(models)) == ["LASSO"]
    assert list(Tuning(spaces={"Cox": own, "LASSO": "lspin2022"}).spaces_for(models)) == ["LASSO", "Cox"]
    for wrong in (Tuning(models=["LASO"]), Tuning(spaces={"LASO": {}}), Tuning(models=["Cox"])):
        with pytest.raises(InputError, match="SL-372"):
            wrong.spaces_for(models)


def test_frozen_where_training_sets_are_disjoint():
    for cv in (TrainOneTestNine(), RepeatedKFold()):
        assert Tuning().frozen(cv.disjoint) == cv.disjoint
        assert Tuning(per_fold=False).frozen(cv.disjoint)
        assert not Tuning(per_fold=True).frozen(cv.disjoint)
    assert TrainOneTestNine().disjoint
    assert not RepeatedKFold().disjoint


def test_a_description_has_what_decides_and_no_password():
    url, models = "postgresql://me:secret@host/db", {"LASSO": CoxLasso()}
    tuning = Tuning(storage=url, random_state=np.int64(3))
    assert "secret" not in repr(tuning)
    said = tuning.described(models)
    assert said == Tuning(random_state=3).described(models) == json.loads(json.dumps(said))
    assert said != Tuning(random_state=3, spaces="lspin2022").described(models)
    assert said["spaces"]["LASSO"]["alpha"] == json.loads(distribution_to_json(space_of(CoxLasso())["alpha"]))
