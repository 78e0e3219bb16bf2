"""Changes of the data that leave an answer as it is, or change it in a way that is known.

Losses, nets and measures have theirs in their own files; `tests/test_torture.py` says where.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from survlspin import (
    CoxLLSPIN,
    CoxLSPIN,
    CoxPH,
    CoxSTG,
    DeepSurv,
    Outcome,
    Probes,
    RepeatedKFold,
    TrainOneTestNine,
    Tuning,
    metrics,
    nets,
    run,
)
from survlspin.baselines import CoxLasso
from survlspin.heads import Cox
from survlspin.testing.estimators import patients
from survlspin.train import Data, Settings, fit
from survlspin.train.fit import penalty_weights, seeded

X, Y = patients(200)
TIME, EVENT = Y["time"], Y["event"]
LAST = TIME[EVENT].max()
LINEAR = {
    "Cox PH": CoxPH(),
    "Cox PH, Breslow": CoxPH("breslow"),
    "Cox-LASSO": CoxLasso(alpha=0.02),
}
NETS = {
    "LLSPIN": CoxLLSPIN(lam=0.02, epochs=3, validation_fraction=0.0, random_state=0),
    "LSPIN": CoxLSPIN(lam=0.02, epochs=3, validation_fraction=0.0, random_state=0),
    "DeepSurv": DeepSurv(epochs=3, validation_fraction=0.0, random_state=0),
}
NEAR = {name: {"rtol": 1e-7} for name in LINEAR} | {"Cox-LASSO": {"rtol": 1e-3, "atol": 1e-4}}  # its descent ends early
linear = pytest.mark.parametrize("name", LINEAR)
every = pytest.mark.parametrize("name", [*LINEAR, *NETS])
INCREASING = {"square": np.square, "log": np.log1p, "rank": lambda t: np.unique(t, return_inverse=True)[1] + 1.0}


def fitted(name, X=X, y=Y, **settings):
    return clone({**LINEAR, **NETS}[name]).set_params(**settings).fit(X, y)


def joined(X, time, event):
    """The 200 patients and more rows of them, `X`."""
    rows = pd.concat([globals()["X"], X]).reset_index(drop=True)
    return rows, Outcome(np.append(TIME, time), np.append(EVENT, event).astype(int)).to_y()


# ---- rows and columns ----


@linear
def test_order_of_rows(name):
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(fitted(name, X.iloc[order], Y[order]).coef_, fitted(name).coef_, **NEAR[name])


@linear
def test_order_of_columns(name):
    turned, plain = fitted(name, X[X.columns[::-1]]), fitted(name)
    assert list(turned.coef_.index) != list(plain.coef_.index)
    np.testing.assert_allclose(turned.coef_[plain.coef_.index], plain.coef_, **NEAR[name])
    np.testing.assert_allclose(turned.predict(X), plain.predict(X), rtol=1e-6, atol=1e-4)


def turned(net, order):
    """The net for columns in the order given: the weights of its first layers, and of its gates, move with them."""
    state = net.rows([0]).state_dict()
    for key in state:
        if key in ("predictor.affine.0.weight", "gating.affine.0.weight"):
            state[key] = state[key][:, order]
        elif key.startswith("gating.affine.1"):
            state[key] = state[key][..., order]
    return net.rows([0]).adopt(state)


@pytest.mark.parametrize("kind", [nets.LSPIN, nets.LLSPIN, nets.Dense])
def test_order_of_columns_leaves_a_trained_net(kind):
    order, rng = [3, 0, 4, 1, 2], np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(len(X), 5)))
    target, net = Cox().prepare(Outcome.of(Y)), kind(5).double().initialize(seeded([0]))
    outputs = []
    for columns, model in ((range(5), net.rows([0])), (order, turned(net, order))):
        model.sigma = 1e-30  # noise belongs to gates, not to columns
        lam = penalty_weights(model, dict.fromkeys(model.penalty_names, 0.05))
        there = x[:, list(columns)].contiguous()
        fit(model, Cox(), Data(there, target), [np.arange(len(X))], lam, seeded([1]), Settings(30, None, 0.05))
        outputs.append(model.predict(there))
    torch.testing.assert_close(*outputs, rtol=1e-8, atol=1e-9)
    assert outputs[0].std() > 0.01


@every
def test_unit_and_origin_of_a_covariate(name):
    other = X.assign(age=12 * X["age"] - 700)
    np.testing.assert_allclose(fitted(name, other).predict(other), fitted(name).predict(X), rtol=1e-5, atol=1e-5)
    if name in LINEAR:
        np.testing.assert_allclose(fitted(name, X.assign(age=-X["age"])).coef_["age"], -fitted(name).coef_["age"])


# ---- time ----


@pytest.mark.parametrize("increasing", INCREASING)
@every
def test_an_increasing_map_of_time(name, increasing):
    y = (INCREASING[increasing](TIME), EVENT)
    one, other = fitted(name), fitted(name, y=y)
    np.testing.assert_array_equal(other.predict(X), one.predict(X))
    assert other.score(X, y) == one.score(X, Y)
    if name in LINEAR:
        np.testing.assert_array_equal(other.coef_, one.coef_)


@every
def test_when_patients_without_an_event_leave_after_the_last_one(name):
    late = TIME > 30
    first = (TIME, EVENT & ~late)
    then = (np.where(late, 30 + np.arange(1, len(X) + 1), TIME), EVENT & ~late)
    assert late.sum() > 10
    one, other = fitted(name, y=first), fitted(name, y=then)
    exact = {"rtol": 0} if name != "Cox-LASSO" else NEAR[name]
    np.testing.assert_allclose(other.predict(X), one.predict(X), **exact)
    assert other.score(X, then) == one.score(X, first)


@pytest.mark.parametrize("name", ["Cox PH", "Cox PH, Breslow"])
def test_patients_in_no_risk_set_say_nothing(name):
    """They leave before the first event, or enter at the last."""
    more, n = X[:30], 30
    early = joined(more, np.full(n, 0.5), np.zeros(n))
    entry = np.append(np.full(len(X), -1.0), np.full(n, LAST))
    late = early[0], Outcome(np.append(TIME, np.full(n, LAST + 9)), early[1]["event"].astype(int), entry).to_y()
    plain = fitted(name)
    assert TIME[EVENT].min() > 0.5
    for rows, y in (early, late):
        model = fitted(name, rows, y)
        np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
        np.testing.assert_allclose(model.log_likelihood_, plain.log_likelihood_, rtol=1e-12)
    at_risk = fitted(name, *joined(more, np.full(n, LAST + 9), np.zeros(n)))
    assert np.abs(at_risk.coef_ - plain.coef_).max() > 0.05  # who is at risk all along does say something


# ---- copies and weights ----


def test_every_patient_twice():
    rows, y = joined(X, TIME, EVENT)
    one, two = fitted("Cox PH, Breslow"), fitted("Cox PH, Breslow", rows, y)
    np.testing.assert_allclose(two.coef_, one.coef_, rtol=1e-9)
    for name in ("log_likelihood_", "log_likelihood_null_"):  # at each event twice as many are at risk
        doubled = 2 * (getattr(one, name) - EVENT.sum() * np.log(2))
        np.testing.assert_allclose(getattr(two, name), doubled, rtol=1e-12)
    np.testing.assert_allclose(two.se_, one.se_ / np.sqrt(2), rtol=1e-9)
    assert np.abs(fitted("Cox PH", rows, y).coef_ - fitted("Cox PH").coef_).max() > 1e-5  # Efron's are no copies
    np.testing.assert_allclose(fitted("Cox-LASSO", rows, y).coef_, fitted("Cox-LASSO").coef_, **NEAR["Cox-LASSO"])
    np.testing.assert_allclose(two.score(rows, y), one.score(X, Y), rtol=1e-12)


@pytest.mark.parametrize("name", ["Cox PH, Breslow", "DeepSurv"])
def test_weight_2_is_two_copies(name):
    weight = 1.0 + (np.arange(len(X)) % 2)
    twice = weight == 2
    rows, y = joined(X[twice], TIME[twice], EVENT[twice])
    settings = {} if name in LINEAR else {"ties": "breslow", "batch_size": None, "epochs": 40}
    weighted = fitted(name, y=Outcome(TIME, EVENT.astype(int), weight=weight).to_y(), **settings)
    copied = fitted(name, rows, y, **settings)
    np.testing.assert_allclose(weighted.predict(X), copied.predict(X), rtol=1e-5, atol=1e-6)
    assert np.abs(fitted(name, **settings).predict(X) - copied.predict(X)).max() > 1e-3


# ---- the log-risk ----


def test_a_constant_added_to_the_log_risk():
    known = 0.3 * X["size"] / X["size"].std()
    one, other = (CoxPH().fit(X[["age", "nodes"]], Y, offset=known + c) for c in (0.0, 7.0))
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-9)
    np.testing.assert_allclose(other.log_likelihood_, one.log_likelihood_, rtol=1e-12)
    risk = one.predict(X[["age", "nodes"]])
    assert metrics.concordance(TIME, EVENT, risk + 8).value == metrics.concordance(TIME, EVENT, risk).value


@pytest.mark.parametrize(
    ("gated", "dense"),
    [(nets.LSPIN(6, (5,)), nets.Dense(6, (5,), act="tanh")), (nets.LLSPIN(6), nets.Dense(6, ()))],
    ids=["LSPIN", "LLSPIN"],
)
def test_with_all_gates_open_a_net_is_deepsurv(gated, dense):
    """The same loss, and the same net after training."""
    gated, dense = (net.double().initialize(seeded([0])) for net in (gated, dense))
    gated.sigma = 0.1  # a gate at 1.5 does not close within 5 standard deviations
    state = gated.state_dict()
    for key in state:
        if key.startswith("gating"):
            state[key] = torch.full_like(state[key], 20.0 if key == "gating.affine.1.bias" else 0.0)
        else:
            state[key] = dense.state_dict()[key]
    gated.adopt(state)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(len(X), 6)))
    data, rows, outputs = Data(x, Cox().prepare(Outcome.of(Y))), [np.arange(len(X))], []
    before = [Cox().nll(net(x)[0], data.target) for net in (gated, dense)]
    torch.testing.assert_close(*before, rtol=1e-12, atol=0)
    for net in (gated, dense):
        lam = penalty_weights(net, dict.fromkeys(net.penalty_names, 0.0))
        fit(net, Cox(), data, rows, lam, seeded([1]), Settings(30, None, 0.02))
        outputs.append(net.predict(x))
    torch.testing.assert_close(*outputs, rtol=1e-9, atol=1e-10)
    assert gated(x)[1]["gate"].min() == 1
    assert outputs[0].std() > 0.05


# ---- no coefficient ----


@pytest.fixture(scope="module")
def rotterdam():
    """Relapse in the first five years of 2,982 patients, and R's log-likelihoods."""
    return json.loads(gzip.decompress((Path(__file__).parent / "golden" / "null.json.gz").read_bytes()))


EMPTY = {
    "Cox PH": CoxPH(penalizer=1e3, l1_ratio=1.0),
    "Cox PH, Breslow": CoxPH("breslow", penalizer=1e3, l1_ratio=1.0),
    "Cox-LASSO": CoxLasso(alpha=1e3),
    "LLSPIN": CoxLLSPIN(lam=1e3, epochs=40, random_state=0),
    "LSPIN": CoxLSPIN(lam=1e3, epochs=40, random_state=0),
    "STG": CoxSTG(lam=1e3, epochs=40, random_state=0),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_penalty_without_bound_leaves_the_null_model(name, rotterdam):
    time, event = np.array(rotterdam["time"]), np.array(rotterdam["event"])
    ties = "breslow" if "Breslow" in name else "efron"
    rows = pd.DataFrame({"age": rotterdam["age"], "noise": np.random.default_rng(0).normal(size=len(time))})
    model = clone(EMPTY[name]).fit(rows, (time, event))
    head = Cox(ties)
    target = head.prepare(Outcome(time, event))
    loglik = -head.nll(torch.from_numpy(model.predict(rows))[None, :, None], target) * target.total
    np.testing.assert_allclose(loglik.item(), rotterdam[ties][0], rtol=1e-12)
    assert rotterdam["efron"][0] == pytest.approx(-9862.421, abs=5e-4)
    assert hasattr(model, "selected") is not name.startswith("Cox PH")
    if hasattr(model, "selected"):
        assert not model.selected(rows).any(axis=None)


# ---- a comparison ----


MODELS = {
    "Cox PH": CoxPH(),
    "Cox-LASSO": CoxLasso(n_alphas=8),
    "DeepSurv": DeepSurv(epochs=10, batch_size=None, random_state=0),
}


def compared(X=X, y=Y, progress=False):
    cv = RepeatedKFold(2, 1)
    return run(MODELS, X, y, cv=cv, over={"Cox-LASSO": {"lam": "path"}}, progress=progress)


@pytest.fixture(scope="module")
def runs():
    return compared()


def numbers(runs):
    return runs.points().drop(columns=["seed", "seconds"])


def test_order_of_rows_leaves_a_comparison(runs):
    order = np.random.default_rng(0).permutation(len(X))
    again = compared(X.iloc[order], Y[order])
    for name, fold in runs.folds.items():
        assert set(X.index[fold.test]) == set(X.index[order][again.folds[name].test])
    pd.testing.assert_frame_equal(numbers(again), numbers(runs), rtol=1e-5)
    np.testing.assert_allclose(again.table()["se"], runs.table()["se"], rtol=1e-5)


def test_order_of_rows_leaves_tuning_and_probes():
    order, found = np.random.default_rng(0).permutation(len(X)), []
    how = {"cv": TrainOneTestNine(3, validation=0.2), "tune": Tuning(2), "probes": Probes("shadow", 4)}
    for rows in (np.arange(len(X)), order):
        found.append(run(MODELS, X.iloc[rows], Y[rows], **how, progress=False))
    one, other = found
    assert one.splits["sha256"].tolist() == other.splits["sha256"].tolist()
    columns = ["model", "fold", "params", "train_sha256", "validation_sha256"]
    pd.testing.assert_frame_equal(one.ledger.trials[columns], other.ledger.trials[columns])
    pd.testing.assert_frame_equal(numbers(one), numbers(other), rtol=1e-5)
    pd.testing.assert_frame_equal(one.agreement("Cox-LASSO").sort_index(), other.agreement("Cox-LASSO").sort_index())


def test_order_of_columns_leaves_a_comparison(runs):
    again, convex = numbers(compared(X[X.columns[::-1]])), ["Cox PH", "Cox-LASSO"]
    one, other = (frame[frame["model"].isin(convex)] for frame in (again, numbers(runs)))
    pd.testing.assert_frame_equal(one, other, rtol=1e-4)


def test_an_increasing_map_of_time_leaves_a_comparison(runs):
    again = compared(y=(np.square(TIME), EVENT))
    pd.testing.assert_frame_equal(numbers(again), numbers(runs), check_exact=True)
