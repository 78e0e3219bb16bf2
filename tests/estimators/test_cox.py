"""The Cox estimators: their contract, scikit-learn's tools, validation rows, members, refused settings."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.ensemble import RandomSurvivalForest

from survlspin import CoxGradientLasso, CoxLassoNet, CoxLLSPIN, CoxLSPIN, CoxSTG, DeepSurv, Outcome
from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH, PycoxDeepSurv
from survlspin.errors import InputError, InputWarning
from survlspin.heads import Cox
from survlspin.testing import check_estimator
from survlspin.testing.estimators import patients

X, Y = patients()
X_VALID, Y_VALID = patients(60, seed=1)
OUTCOME = Outcome.of(Y)
NUMBERS = X[["age", "size", "nodes"]].to_numpy(dtype=float)
OURS = {
    "llspin": CoxLLSPIN(lam=0.02, epochs=3, random_state=0),
    "lspin": CoxLSPIN(lam=0.02, epochs=3, random_state=0),
    "deepsurv": DeepSurv(epochs=3, random_state=0),
}
OTHERS = {
    "llspin, auto": CoxLLSPIN(epochs=2),
    "lspin, context": CoxLSPIN(lam=0.02, epochs=3, members=2, context="age"),
    "cox": LifelinesCoxPH(),
    "lasso": CoxLasso(n_alphas=10),
    "forest": Forest(n_estimators=5, low_memory=False),
    "pycox": PycoxDeepSurv(epochs=1),
}
ours = pytest.mark.parametrize("kind", OURS)


def make(kind="llspin", **settings):
    return clone(OURS[kind]).set_params(**settings)


def fitted(kind="llspin", data=(X, Y), validation_data=None, **settings):
    return make(kind, **settings).fit(*data, validation_data=validation_data)


@pytest.mark.parametrize("kind", [*OURS, *OTHERS])
def test_contract(kind):
    check_estimator((OURS | OTHERS)[kind])


def test_contract_on_arrays_and_with_everything_that_an_outcome_may_have():
    rng = np.random.default_rng(0)
    more = {"entry": OUTCOME.time - rng.integers(1, 9, 120), "weight": rng.integers(0, 3, 120)}
    stratum = rng.choice(["a", "b"], 120)
    check_estimator(make(), NUMBERS, Outcome(OUTCOME.time, OUTCOME.event, **more, stratum=stratum))


# ---- in the company of scikit-learn and scikit-survival ----


@pytest.mark.parametrize("kind", [*OURS, "forest of scikit-survival"])
def test_cross_validation_pipelines_and_searches(kind):
    forest = RandomSurvivalForest(n_estimators=5, random_state=0)
    model, name, grid = forest, "max_depth", [1, 3]
    if kind in OURS:
        model, name, grid = make(kind), "lr", [1e-6, 0.01]
    scores = cross_val_score(model, NUMBERS, Y, cv=KFold(3))
    assert scores.shape == (3,)
    assert ((scores > 0) & (scores < 1)).all()
    pipe = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(pipe, {f"{pipe.steps[-1][0]}__{name}": grid}, cv=KFold(2)).fit(NUMBERS, Y)
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    assert search.predict(NUMBERS).shape == (120,)
    curves = search.best_estimator_.predict_survival_function(NUMBERS[:5], return_array=True)
    assert curves.shape[0] == 5


def test_scaling_before_the_design_changes_nothing():
    pipe = make_pipeline(StandardScaler(), make()).fit(NUMBERS, Y)
    np.testing.assert_allclose(pipe.predict(NUMBERS), fitted(data=(NUMBERS, Y)).predict(NUMBERS), atol=1e-5)


# ---- the rows of a fit ----


@ours
def test_validation_data_are_what_early_stopping_watches(kind):
    model = fitted(kind, validation_data=(X_VALID, Y_VALID), lr=0.02)
    head = Cox()
    eta = torch.from_numpy(model.predict(X_VALID))[None, :, None]
    nll = head.nll(eta, head.prepare(Outcome.of(Y_VALID))).item()
    assert model.history_.nll[0] == pytest.approx(nll, rel=1e-5)
    assert model.history_.nll[0] != fitted(kind, lr=0.02).history_.nll[0]
    assert model.center_[0, 0] == pytest.approx(
        model.predict(X).mean() + model.center_[0, 0], abs=1e-6
    )  # all rows train
    np.testing.assert_array_equal(model.unique_times_, np.unique(Y["time"]))


@pytest.mark.parametrize(("events", "fraction"), [(10, 0.01), (10, 0.99), (2, 0.2), (40, 0.3)])
def test_training_and_validation_rows_each_have_an_event(events, fraction):
    event = np.arange(120) < events
    weight = np.where(np.arange(120) == events, 0.0, 1.0)
    event[events] = True  # a row that is not there
    model = make(validation_fraction=fraction)
    train, valid = model._split(Outcome(OUTCOME.time, event.astype(int), weight=weight), 0)
    np.testing.assert_array_equal(np.sort(np.append(train, valid)), np.arange(120))
    for rows in (train, valid):
        assert event[rows][weight[rows] > 0].sum() >= 1
    assert event[valid].sum() == pytest.approx(fraction * events, abs=1)


@pytest.mark.parametrize(("events", "fraction"), [(1, 0.2), (50, 0)])
def test_without_validation_rows_all_epochs_are_run(events, fraction):
    with pytest.warns(InputWarning, match="SL-117") if events < 10 else nullcontext():
        y = (OUTCOME.time, np.arange(120) < events)
        model = fitted("deepsurv", (X, y), validation_fraction=fraction, force=True)
    assert np.isinf(model.history_.objective).all()
    assert model.history_.best_epoch == 3
    with pytest.raises(InputError, match="SL-410"):
        make(validation_fraction=0).path(X, Y)


@ours
def test_rows_of_weight_0_are_absent(kind):
    weight = np.where(np.arange(120) % 4, 1.0, 0.0)
    other = Outcome(np.where(weight, OUTCOME.time, 7.0), np.where(weight, OUTCOME.event, 1), weight=weight)
    X_other = X.iloc[np.where(weight, np.arange(120), 1)]
    one, two = (
        fitted(kind, data) for data in ((X, Outcome(OUTCOME.time, OUTCOME.event, weight=weight)), (X_other, other))
    )
    np.testing.assert_allclose(one.predict(X), two.predict(X), atol=1e-6)


@pytest.mark.parametrize("field", ["entry", "weight", "stratum"])
def test_entry_weights_and_strata_reach_loss_and_baseline(field):
    extra = {"entry": OUTCOME.time * 0.8, "weight": np.arange(120.0), "stratum": np.arange(120) % 2}[field]
    outcome = Outcome(OUTCOME.time, OUTCOME.event, **{field: extra})
    model, plain = fitted(data=(X, outcome), lr=0.03), fitted(lr=0.03)
    assert np.abs(model.predict(X) - plain.predict(X)).max() > 1e-4
    baseline = Cox().baseline(torch.from_numpy(model.predict(X)), outcome)
    for label, (times, log_hazard) in baseline.curves.items():
        np.testing.assert_array_equal(model.baseline_.curves[label][0], times)
        np.testing.assert_allclose(model.baseline_.curves[label][1], log_hazard, atol=1e-6)


def test_curves_of_a_model_with_strata_need_them():
    stratum = np.where(np.arange(120) % 2, "a", "b")
    model = fitted(data=(X, Outcome(OUTCOME.time, OUTCOME.event, stratum=stratum)))
    for curves in (model.predict_survival_function, model.predict_cumulative_hazard_function):
        for wrong in (None, stratum[:5], np.full(120, "c")):
            with pytest.raises(InputError, match="SL-412"):
                curves(X, stratum=wrong)
        with pytest.raises(InputError, match="SL-412"):
            getattr(fitted(), curves.__name__)(X, stratum=stratum)
        a, b = (curves(X, return_array=True, stratum=np.full(120, label)) for label in "ab")
        assert not np.allclose(a, b)
        both = curves(X, return_array=True, stratum=stratum)
        np.testing.assert_array_equal(both, np.where((stratum == "a")[:, None], a, b))


# ---- members ----


@ours
def test_an_ensemble_is_the_mean_of_its_members_each_by_itself(kind):
    settings = {"lr": 0.03, "epochs": 6}
    model = fitted(kind, members=3, **settings)
    x = torch.from_numpy(model.design_.transform(X))
    eta = model.net_(x)[0][..., 0].detach().double().numpy()  # (3, n)
    centred = eta - model.center_
    np.testing.assert_allclose(model.predict(X), centred.mean(0), atol=1e-6)
    assert min(np.abs(centred[i] - centred[j]).max() for i, j in [(0, 1), (0, 2), (1, 2)]) > 1e-3
    np.testing.assert_allclose(fitted(kind, **settings).predict(X), centred[0], atol=1e-5)  # so they share the split
    baseline = Cox().baseline(torch.from_numpy(model.predict(X)), OUTCOME)
    np.testing.assert_allclose(model.baseline_.curves[None][1], baseline.curves[None][1], atol=1e-6)
    rows = make(kind)._split(OUTCOME, np.random.SeedSequence(first_draw()).generate_state(1)[0])[0]
    np.testing.assert_allclose(model.center_[:, 0], eta[:, rows].mean(1), atol=1e-6)


def first_draw(seed=0):
    return np.random.RandomState(seed).randint(2**31 - 1)


# ---- settings ----


def test_random_state_as_number_generator_or_none():
    generator = np.random.RandomState(0)
    number, drawn, next_drawn = (fitted(random_state=state).predict(X) for state in (0, generator, generator))
    none = [fitted(random_state=None).predict(X) for _ in range(2)]
    np.testing.assert_array_equal(number, drawn)
    for other in (next_drawn, fitted(random_state=1).predict(X), none[0]):
        assert not np.allclose(other, number)
    assert not np.allclose(*none)


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        ("deepsurv", "ties", ["efron", "breslow"]),
        ("deepsurv", "optimizer", ["adam", "adamw", "sgd"]),
        ("deepsurv", "batch_size", ["auto", None, 20]),
        ("deepsurv", "standardize", [True, False]),
        ("deepsurv", "hidden", [(), (4,), (4, 4)]),
        ("llspin", "hidden", [(), (4,)]),
        ("llspin", "groups", ["factor", "column"]),
        ("llspin", "gate_hidden", [(), (3,)]),
        ("llspin", "sigma", [0.1, 1.0]),
        ("llspin", "lam", [0.0, 1.0]),
        ("llspin", "context", [None, "age", ["age", "grade"]]),
    ],
)
def test_every_choice_makes_a_difference(kind, name, values):
    risks = [fitted(kind, lr=0.05, **{name: value}).predict(X) for value in values]
    for i, risk in enumerate(risks):
        assert all(np.abs(risk - other).max() > 1e-6 for other in risks[:i])


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("SL-401", {"ties": "exact"}),
        ("SL-405", {"optimizer": "lbfgs"}),
        *(("SL-408", {"members": value}) for value in (0, 1.5, None)),
        *(("SL-408", {"epochs": value}) for value in (0, 2.5)),
        *(("SL-408", {"batch_size": value}) for value in (0, 2.5, "all")),
        *(("SL-408", {"lr": value}) for value in (0, -1, np.nan, "fast", None)),
        *(("SL-408", {"weight_decay": value}) for value in (-1, np.inf, None)),
        *(("SL-408", {"patience": value}) for value in (0, 1.5)),
        *(("SL-408", {"validation_fraction": value}) for value in (-0.1, 1, None)),
        *(("SL-408", {"hidden": value}) for value in (16, (0,), (2.5,), "16", None)),
        ("SL-409", {"device": "gpu"}),
        ("SL-219", {"groups": "variable"}),
        ("SL-117", {"force": False}),
    ],
)
def test_settings_that_cannot_be_used_are_refused(code, settings):
    y = (OUTCOME.time, np.arange(120) < 9) if "force" in settings else Y
    with pytest.raises(InputError, match=f"{code} "):
        fitted("deepsurv", (X, y), **settings)


def test_few_events_are_fitted_by_force_with_a_warning():
    with pytest.warns(InputWarning, match="SL-117 only 9 events"):
        model = fitted(data=(X, (OUTCOME.time, np.arange(120) < 9)), force=True)
    assert np.isfinite(model.predict(X)).all()


def test_a_second_fit_forgets_the_first():
    model = make(lam="auto", epochs=2).fit(X, Y)
    assert len(model.path_) > 0
    model.set_params(lam=0.02).fit(NUMBERS, Y)
    assert not {"path_", "feature_names_in_"} & set(vars(model))
    assert model.n_features_in_ == 3


def test_verbose_shows_a_bar_on_standard_error(capsys):
    quiet = fitted().predict(X)
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(fitted(verbose=True).predict(X), quiet)
    assert "CoxLLSPIN: 100%" in capsys.readouterr().err


def test_without_a_gpu_none_is_used_silently(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", "cuda:0", torch.device("cuda")):
        with pytest.raises(InputError, match="SL-409"):
            fitted(device=device)
    assert next(fitted(device="cpu").net_.parameters()).device.type == "cpu"


@pytest.mark.parametrize("validation_fraction", [0.2, 0.0])
@ours
def test_76_a_training_that_learns_nothing_but_nan_is_refused(kind, validation_fraction):
    settings = {"lr": 1e30, "optimizer": "sgd", "validation_fraction": validation_fraction}
    with (
        pytest.warns(InputWarning, match="SL-417"),
        pytest.raises(InputError, match=r"SL-417 .* smaller learning rate"),
    ):
        fitted(kind, **settings)


@pytest.mark.parametrize("cls", [CoxLLSPIN, CoxSTG, CoxGradientLasso, CoxLassoNet])
def test_76_a_path_that_learns_nothing_but_nan_is_refused(cls):
    model = cls(lr=1e30, optimizer="sgd", epochs=30, random_state=0)
    with pytest.warns(InputWarning, match="SL-417"), pytest.raises(InputError, match=r"SL-417 .* before anything"):
        model.path(X, Y, (X_VALID, Y_VALID), points=3)


@pytest.mark.cuda
@pytest.mark.parametrize("settings", [{}, {"lam": "auto", "epochs": 2}, {"members": 2, "context": "age"}], ids=str)
def test_every_tensor_of_a_fit_is_on_the_gpu(settings):
    model, on_cpu = fitted(device="cuda", **settings), fitted(**settings)
    state = [*model.net_.parameters(), *model.net_.buffers()]
    assert {value.device.type for value in state} == {"cuda"}
    np.testing.assert_allclose(model.predict(X), on_cpu.predict(X), atol=1e-3)
    np.testing.assert_allclose(
        model.predict_survival_function(X, return_array=True),
        on_cpu.predict_survival_function(X, return_array=True),
        atol=1e-3,
    )
    pd.testing.assert_frame_equal(model.gates(X), on_cpu.gates(X), atol=1e-3)
    assert len(model.risk_factors(X).frame) > 0


# ---- a linear net is Cox regression ----


def test_a_linear_net_trained_to_the_end_is_cox_regression():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"))
    died, left = rng.exponential(np.exp(x["b"] - 0.5 * x["a"])), rng.exponential(2.0, 200)
    y = Outcome.of((np.minimum(died, left), died <= left))
    full = {"hidden": (), "batch_size": None, "validation_fraction": 0, "weight_decay": 0}
    model = fitted("deepsurv", (x, y), epochs=400, lr=0.05, **full)
    table = x.assign(time=y.time, event=y.event)
    theirs = CoxPHFitter().fit(table, "time", "event")
    coef = model.net_.predictor.affine[0].weight[0, :, 0].detach().numpy() / model.design_.scale
    np.testing.assert_allclose(coef, theirs.params_, rtol=0.01, atol=0.002)
    curves = theirs.predict_survival_function(x, times=model.unique_times_).to_numpy().T
    np.testing.assert_allclose(model.predict_survival_function(x, return_array=True), curves, atol=0.005)
