"""Paths over lambda: each point a fitted estimator, the chosen one by validation rows alone."""

import importlib

import numpy as np
import pandas as pd
import pytest
import torch

from survlspin import CoxLLSPIN, CoxLSPIN, Outcome
from survlspin.errors import InputError
from survlspin.heads import Cox
from survlspin.testing.estimators import patients

PATH = importlib.import_module("survlspin.estimators.path")
MODULE = importlib.import_module("survlspin.estimators.gate_path")
X, Y = patients()
VALID = patients(80, seed=1)
COLUMNS = ["lam", "validation_nll", "validation_se", "median", "mean", "union"]
SETTINGS = {
    "llspin": (CoxLLSPIN, {"members": 2}),
    "lspin": (CoxLSPIN, {"context": ["age"]}),
    "no validation data": (CoxLLSPIN, {}),
}


def estimator(kind):
    cls, settings = SETTINGS[kind]
    return cls(epochs=10, lr=0.03, random_state=0, **settings)


@pytest.fixture(scope="module", params=SETTINGS)
def fitted(request):
    """A path, and the estimator it is of."""
    model = estimator(request.param)
    return model.path(X, Y, *([] if "no" in request.param else [VALID]), points=8), model


def test_a_row_for_every_point_densest_first(fitted):
    path, _ = fitted
    assert list(path.frame) == COLUMNS
    assert 3 <= len(path) == len(path.frame) <= 8 + PATH.EXTENSIONS
    assert path.frame["lam"].is_monotonic_increasing
    assert path.frame["union"].iloc[0] > path.frame["union"].iloc[-1]
    assert path.frame.notna().all(axis=None)


def test_only_the_ends_have_all_gates_open_or_none(fitted):
    path, model = fitted
    context = 0 if model.context is None else 1
    counts = [path.at(i).n_selected(X) - context for i in range(len(path))]
    assert all((count < 4 - context).any() for count in counts[1:])
    assert all((count > 0).any() for count in counts[:-1])
    assert (counts[-1] == 0).all()


def test_points_are_fitted_estimators_of_their_lambda(fitted):
    path, model = fitted
    for i in (0, len(path) // 2, -1):
        point = path.at(i)
        lam = path.frame["lam"].iloc[i]
        assert point.get_params() == {**model.get_params(), "lam": lam}
        assert point.lam_ == {"gates": lam}
        assert point.history_ is None
        assert np.isfinite(point.predict(X)).all()
        assert len(point.center_) == model.members
        curves = point.predict_survival_function(X, return_array=True)
        assert curves.shape == (len(X), len(point.unique_times_))
        baseline = Cox().baseline(torch.from_numpy(point.predict(X)), Outcome.of(Y))
        np.testing.assert_allclose(point.baseline_.curves[None][1], baseline.curves[None][1], atol=1e-5)
    assert not hasattr(model, "net_")
    with pytest.raises(IndexError):
        path.at(len(path))


def test_counts_are_those_of_the_training_rows(fitted):
    path, _ = fitted
    if path._problem.valid is path._problem.data:
        rows = path._problem.rows
        assert 0 < len(rows) < len(X)
    else:
        rows = np.arange(len(X))
    for i, row in path.frame.iterrows():
        chosen = path.at(i).selected(X).iloc[rows]
        counts = chosen.sum(axis=1)
        assert (row["median"], row["mean"]) == (counts.median(), pytest.approx(counts.mean()))
        assert row["union"] == chosen.any().sum()


def test_the_choice_follows_its_rule_on_validation_rows(fitted):
    path, _ = fitted
    problem = path._problem
    X_valid, y_valid = (X.iloc[problem.valid_rows], Y[problem.valid_rows]) if problem.valid is problem.data else VALID
    outcome, head = Outcome.of(y_valid), Cox()
    eta = torch.from_numpy(np.stack([path.at(i).predict(X_valid) for i in range(len(path))]))[..., None]
    parts = head.contributions(eta, head.prepare(outcome)).numpy()[:, outcome.event == 1]
    nll, null = parts.sum(1), head.nll(torch.zeros(1, len(outcome), 1), head.prepare(outcome)).item()
    difference = parts - parts[nll.argmin()]
    se = np.array([np.sqrt(len(d) * np.var(d, ddof=1)) for d in difference])
    np.testing.assert_allclose(path.frame["validation_nll"], nll, rtol=1e-5)
    np.testing.assert_allclose(path.frame["validation_se"], se, rtol=1e-3, atol=1e-6)
    allowed = np.minimum(se, (null - nll.min()) / 20)
    assert path.chosen == max(i for i in range(len(path)) if nll[i] <= nll.min() + allowed[i])


@pytest.mark.parametrize(
    ("saved", "spread", "chosen"),
    [
        (0.001, 0.003, 2),  # neither shown nor worth a model, whatever that would be
        (0.001, 0.0001, 0),  # shown
        (0.02, 0.015, 0),  # not shown, but it could be worth a model
        (0.1, 0.03, 0),
    ],
)
def test_where_validation_rules_a_gain_out_nothing_is_chosen(saved, spread, chosen):
    n = 400
    gain = np.random.default_rng(0).normal(size=n)
    gain = saved + spread * np.sqrt(n) * (gain - gain.mean()) / gain.std(ddof=1)  # the mean has the SE `spread`
    parts = np.stack([np.zeros(n), 0.5 * gain, gain, gain]) / n  # dense, middle, empty, no model
    se, point = PATH.choice(parts + 1)
    np.testing.assert_allclose(se, [0, spread / 2, spread], rtol=1e-9, atol=1e-12)
    assert point == chosen


@pytest.mark.parametrize("kind", SETTINGS)
def test_lam_auto_is_the_chosen_point(kind):
    model, data = estimator(kind).set_params(epochs=2), (X, Y) if "no" in kind else (X, Y, VALID)
    path, fit = model.path(*data), model.fit(*data)
    np.testing.assert_array_equal(fit.predict(X), path.at(path.chosen).predict(X))
    pd.testing.assert_frame_equal(fit.path_, path.frame)
    assert fit.lam_ == {"gates": path.frame["lam"][path.chosen]}
    assert fit.get_params()["lam"] == "auto"


def test_a_point_that_opens_every_gate_beyond_one_that_opens_none_is_left_out(monkeypatch):
    """Clones of the dense fit and fits from the start need not agree where they meet."""
    shares = iter([1, 1, 0.5, 0, 1])

    def opened(problem, net):
        share = next(shares)
        return np.arange(100)[:, None].repeat(4, 1) < 100 * share

    monkeypatch.setattr(PATH, "EXTENSIONS", 0)
    monkeypatch.setattr(PATH, "used_factors", opened)
    path = CoxLLSPIN(epochs=1, random_state=0).path(X, Y, points=5)
    assert path.frame["mean"].tolist() == [4, 2, 0]


def test_the_largest_lambda_is_doubled_until_no_gate_is_open(monkeypatch):
    monkeypatch.setattr(MODULE, "LARGEST", 0.1)
    path = estimator("llspin").path(X, Y, VALID, points=4)
    assert path.frame["union"].iloc[-1] == 0
    np.testing.assert_allclose(path.frame["lam"].iloc[-1], 2 * path.frame["lam"].iloc[-2])


@pytest.mark.parametrize(
    ("code", "settings", "points"),
    [("SL-410", {"validation_fraction": 0}, 4), *(("SL-408 points", {}, n) for n in (0, 1, 2.5))],
)
def test_paths_that_cannot_be_had(code, settings, points):
    with pytest.raises(InputError, match=code):
        CoxLLSPIN(**settings).path(X, Y, points=points)


@pytest.mark.parametrize("events", [1, 2, 3])
def test_validation_rows_with_few_events_still_choose(events):
    event = np.concatenate([np.ones(events), np.zeros(80 - events)])
    with pytest.warns(UserWarning, match="SL-117"):
        path = CoxLLSPIN(epochs=2).path(X, Y, (VALID[0], (VALID[1]["time"], event)), points=3)
    assert np.isfinite(path.frame.to_numpy(dtype=float)).all()


def test_the_figure_marks_the_chosen_lambda(fitted):
    path, _ = fitted
    figure = path.plot()
    assert len(figure.axes) >= 1
    assert all(axis.get_xscale() == "log" for axis in figure.axes)


@pytest.mark.parametrize("kind", ["llspin", "lspin"])
def test_a_relaxed_point_keeps_its_gates_and_fits_the_training_rows_better(kind):
    path = estimator(kind).path(X, Y, VALID, points=6)
    point, relaxed = path.at(path.chosen), path.at(path.chosen, relaxed=True)
    pd.testing.assert_frame_equal(point.gates(X), relaxed.gates(X))
    target = Cox().prepare(Outcome.of(Y))
    nll = [Cox().nll(torch.from_numpy(model.predict(X))[None, :, None], target) for model in (point, relaxed)]
    assert nll[1] < nll[0] or kind == "lspin"  # whose refit stops by validation rows
    assert not np.array_equal(point.predict(X), relaxed.predict(X))


def test_a_path_that_closes_no_gate_is_kept():
    path = CoxLSPIN(epochs=1, random_state=0).path(X, Y, VALID, points=3)
    assert path.frame["median"].tolist() == [X.shape[1]] * len(path)
    assert len(path) >= 3


def test_a_path_keeps_the_settings_it_was_fitted_with():
    model = CoxLLSPIN(epochs=30, random_state=0)
    path = model.path(X, Y, VALID, points=3)
    model.set_params(hidden=(5,), lam={"gates": 1.0})
    assert path.at(0).hidden == ()


def test_weights_of_a_cox_model_are_in_y():
    with pytest.raises(InputError, match="SL-166"):
        CoxLLSPIN().path(X, Y, VALID, sample_weight=np.ones(len(X)))


def test_restarts_need_rows_to_choose_by():
    with pytest.raises(InputError, match="SL-410"):
        CoxLLSPIN(lam=0.1, restarts=2, validation_fraction=0).fit(X, Y)
    one, two = (CoxLLSPIN(lam=0.02, restarts=n, epochs=5, random_state=0).fit(X, Y, VALID) for n in (1, 3))
    assert two.history_.objective[0] <= one.history_.objective[0]


def test_other_penalties_stay_what_they_are_along_a_path():
    model = CoxLLSPIN(affinity="rbf", lam={"gates": "auto", "stability": 0.5}, epochs=2, random_state=0)
    path = model.path(X, Y, VALID, points=4)
    assert path.at(0).lam_ == {"gates": path.frame["lam"][0], "stability": 0.5}
    assert path.at(0).lam == path.at(0).lam_
