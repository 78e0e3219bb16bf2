"""Cox regression: equality with R, what is said of columns that cannot be fitted, and what users rely on."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from survlspin import CoxPH, InputError, InputWarning, Outcome
from survlspin.baselines import LifelinesCoxPH
from survlspin.estimators import coxph_newton
from survlspin.heads import Cox
from survlspin.testing import check_estimator, cohort
from survlspin.testing.estimators import patients

GOLD = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "cox_fits.json.gz").read_bytes()))
TIES = ["efron", "breslow"]
ROLES = ("entry", "weight", "stratum")


def rows_of(case):
    """The predictors and outcome of one of R's fits, and what else it was given."""
    table = pd.DataFrame(GOLD["sets"][case["set"]]).astype(float)
    y = {"time": table[case["time"]], "event": table[case["event"]]}
    y |= {role: table[case[role]] for role in ROLES if role in case}
    given = {name: table[case[name]] for name in ("cluster", "offset") if name in case}
    return table[np.atleast_1d(case["x"]).tolist()], pd.DataFrame(y), given


def lung(**columns):
    table = pd.DataFrame(GOLD["sets"]["lung"]).astype(float).assign(**columns)
    return table, Outcome.of((table["time"], table["death"])).to_y()


def two(n=300, seed=0, **fields):
    """Two columns that matter, with ties."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.random(n) < 0.3})
    time = np.ceil(6 * rng.exponential(np.exp(-0.7 * X["a"] - 0.4 * X["b"])))
    return X, pd.DataFrame({"time": time, "event": rng.random(n) < 0.6, **fields})


# ---- equality with R ----


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", GOLD["cases"])
def test_fits_equal_r(name, ties):
    case = GOLD["cases"][name]
    gold, (X, y, given) = case[ties], rows_of(case)
    settings = {"ties": ties, "robust": case.get("robust")}
    if "ridge" in case:
        settings |= {"penalizer": case["ridge"] / y["event"].sum(), "standardize": False}
    model = CoxPH(**settings).fit(X, y, **given)
    assert list(model.coef_.index) == list(X.columns)
    np.testing.assert_allclose(model.coef_, gold["coef"], rtol=1e-8)
    np.testing.assert_allclose(model.naive_se_, gold["se"], rtol=1e-7)
    np.testing.assert_allclose(model.naive_variance_, np.reshape(gold["var"], (X.shape[1], -1)), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(model.log_likelihood_null_, gold["loglik_null"], rtol=1e-12)
    np.testing.assert_allclose(model.log_likelihood_, gold["loglik"], rtol=1e-11)
    statistics = {"Wald": gold["wald"], "likelihood ratio": 2 * (gold["loglik"] - gold["loglik_null"])}
    if gold.get("score"):
        statistics["score"] = gold["score"]
    if gold["robust_se"]:
        np.testing.assert_allclose(model.se_, gold["robust_se"], rtol=1e-7)
        statistics["robust score"] = gold["robust_score"]
    assert set(model.tests_.index) == set(statistics)
    np.testing.assert_allclose(model.tests_.loc[list(statistics), "statistic"], list(statistics.values()), rtol=1e-7)
    limits = model.confidence_intervals_.to_numpy().T
    np.testing.assert_allclose(limits, [np.atleast_1d(gold["low"]), np.atleast_1d(gold["high"])], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.concordance_, gold["concordance"], rtol=1e-12)
    np.testing.assert_allclose(model.concordance_se_, gold["concordance_se"], rtol=1e-12)


def test_columns_that_others_make_up_have_no_coefficient_as_in_r():
    X, y = lung()
    X = X[["age", "sex"]].assign(twice=2 * X["age"] - X["sex"], one=1.0, ecog=X["ph.ecog"])
    with pytest.warns(InputWarning, match=r"SL-481 'one' is constant; 'twice' is made of 'age', 'sex'\."):
        model = CoxPH().fit(X, y)
    gold = np.array(GOLD["singular"]["coef"], dtype=float)[[0, 1, 2, 4]]  # the constant is no column of the design
    np.testing.assert_allclose(model.coef_, gold, rtol=1e-9)
    np.testing.assert_allclose(model.log_likelihood_, GOLD["singular"]["loglik"], rtol=1e-11)
    assert model.dropped_ == ("one", "twice")
    assert model.se_.isna().tolist() == [False, False, True, False]
    assert model.tests_["df"].tolist() == [3, 3, 3]
    assert np.isfinite(model.predict(X)).all()


def test_columns_that_separate_are_named_and_leave_the_others_alone():
    X, y = lung()
    X = X[["age"]].assign(lucky=(X["death"] == 0) & (X["time"] > 500))
    with pytest.warns(InputWarning, match="SL-482 .*: 'lucky' to -infinity"):
        model = CoxPH().fit(X, y)
    assert model.infinite_ == ("lucky",)
    assert model.coef_["lucky"] < -8
    np.testing.assert_allclose(model.coef_["age"], GOLD["separated"]["coef"][0], rtol=1e-5)
    np.testing.assert_allclose(model.log_likelihood_, GOLD["separated"]["loglik"], atol=1e-4)
    assert model.se_["lucky"] > 20
    assert CoxPH(penalizer=0.01).fit(X, y).infinite_ == ()


@pytest.mark.parametrize("robust", [False, True])
def test_the_other_columns_are_judged_as_without_a_column_that_separates(robust):
    """The one patient with the flag dies first."""
    X, y = two()
    first = y["time"].where(y["event"]).to_numpy() == y["time"][y["event"]].min()
    flag = np.arange(len(X)) == np.flatnonzero(first)[0]
    y.loc[flag, "time"] = 0.5  # the first step goes where all information on it is gone
    with pytest.warns(InputWarning, match="SL-482 .*: 'flag' to .infinity"):
        model = CoxPH(robust=robust).fit(X.assign(flag=flag), y)
    assert model.se_["flag"] == np.inf
    alone = CoxPH(robust=robust).fit(X[~flag], y[~flag])  # nobody else is at risk of the first event alone
    np.testing.assert_allclose(model.se_[["a", "b"]], alone.se_, rtol=1e-4)
    np.testing.assert_allclose(model.tests_.loc["Wald", "statistic"], alone.tests_.loc["Wald", "statistic"], rtol=1e-4)
    assert model.summary().loc["flag", "p"] == 1


def test_a_column_that_orders_the_patients_by_time_separates_too():
    X, y = two()
    with pytest.warns(InputWarning, match=r"SL-482 .*: 'clock' to -infinity\."):
        model = CoxPH().fit(X.assign(clock=y["time"]), y)
    assert model.infinite_ == ("clock",)
    assert np.isfinite(model.log_likelihood_)


# ---- what users rely on ----


@pytest.mark.parametrize("settings", [{}, {"ties": "breslow"}, {"penalizer": 0.1}, {"penalizer": 0.02, "l1_ratio": 1}])
def test_contract(settings):
    check_estimator(CoxPH(**settings))


def test_contract_with_strata_weights_and_entry():
    X, y = patients()
    rng = np.random.default_rng(0)
    fields = {"weight": rng.integers(0, 4, 120) / 2.0, "stratum": rng.integers(0, 2, 120)}
    outcome = Outcome(y["time"], y["event"].astype(int), entry=y["time"] * 0.3 - 1, **fields)
    check_estimator(CoxPH(), X, outcome.to_y())


def test_the_summary_is_that_of_lifelines():
    X, y = patients(400)
    theirs, ours = LifelinesCoxPH().fit(X, y).model_.summary, CoxPH().fit(X, y).summary()
    assert list(ours.columns) == list(theirs.columns)
    assert ours.index.name == theirs.index.name
    scale = pd.Series({"age": X["age"].std(ddof=0), "size": X["size"].std(ddof=0)}).reindex(ours.index, fill_value=1.0)
    same = ["exp(coef)", "se(coef)", "coef lower 95%", "exp(coef) upper 95%"]
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours["coef"] * scale, theirs["coef"], rtol=1e-3)
    np.testing.assert_allclose(ours.loc["nodes", same], theirs.loc["nodes", same], rtol=1e-4)
    np.testing.assert_allclose(ours[["z", "p", "-log2(p)"]], theirs[["z", "p", "-log2(p)"]], rtol=2e-3)


def test_intervals_follow_alpha():
    X, y = two()
    wide, narrow = (CoxPH(alpha=alpha).fit(X, y) for alpha in (0.05, 0.5))
    assert list(narrow.summary().columns[3:5]) == ["coef lower 50%", "coef upper 50%"]
    widths = [np.diff(model.confidence_intervals_.to_numpy())[:, 0] for model in (wide, narrow)]
    np.testing.assert_allclose(widths[0] / widths[1], 1.959963984540054 / 0.674489750196082, rtol=1e-9)


def test_coefficients_are_in_the_units_of_the_table():
    X, y = two()
    plain, scaled = CoxPH().fit(X, y), CoxPH().fit(X.assign(a=1000 * X["a"] + 5), y)
    np.testing.assert_allclose(scaled.coef_ * [1000, 1], plain.coef_, rtol=1e-8)
    np.testing.assert_allclose(scaled.predict(X.assign(a=1000 * X["a"] + 5)), plain.predict(X), rtol=1e-8, atol=1e-10)
    assert plain.predict(pd.DataFrame({"a": [X["a"].mean()], "b": [False]})) == pytest.approx(0, abs=1e-12)


def test_rows_of_weight_0_are_absent():
    weight = np.tile([1.0, 2.0, 0.0], 100)
    X, y = two(weight=weight)
    with_zeros, without = CoxPH().fit(X, y), CoxPH().fit(X[weight > 0], y[weight > 0])
    np.testing.assert_allclose(with_zeros.coef_, without.coef_, rtol=1e-10)
    np.testing.assert_allclose(with_zeros.se_, without.se_, rtol=1e-10)
    assert (with_zeros.n_, with_zeros.n_events_) == (without.n_, without.n_events_) == (200, without.n_events_)


@pytest.mark.parametrize("ties", TIES)
def test_the_baseline_respects_ties_and_entry(ties):
    X, y = two()
    late = y.assign(entry=y["time"] - 1.5)
    model = CoxPH(ties=ties).fit(X, late)
    expected = Cox(ties).baseline(to_tensor(model.predict(X)), Outcome.of(late))
    times = model.unique_times_
    hazard = model.baseline_.cumulative_hazard(np.zeros(1), times)
    np.testing.assert_allclose(hazard, expected.cumulative_hazard(np.zeros(1), times), rtol=1e-12)
    ignoring = Cox(ties).baseline(to_tensor(model.predict(X)), Outcome.of(y))
    assert hazard[0, -1] > 1.5 * ignoring.cumulative_hazard(np.zeros(1), times)[0, -1]


def to_tensor(values):
    return torch.from_numpy(np.asarray(values))


def test_ties_differ():
    X, y = two()
    efron, breslow = (CoxPH(ties=ties).fit(X, y) for ties in TIES)
    assert (np.abs(efron.coef_ - breslow.coef_) > 1e-3).all()
    assert efron.baseline_.cumulative_hazard(np.zeros(1), [3.0]) != breslow.baseline_.cumulative_hazard(
        np.zeros(1), [3.0]
    )


def test_a_cluster_may_be_a_column_and_doubled_rows_count_once():
    X, y = two()
    twice, y2 = pd.concat([X, X]), pd.concat([y, y])
    label = np.tile(np.arange(300), 2)
    by_name = CoxPH("breslow").fit(twice.assign(id=label), y2, cluster="id")
    by_array = CoxPH("breslow").fit(twice, y2, cluster=label)
    np.testing.assert_array_equal(by_name.se_, by_array.se_)
    assert list(by_name.feature_names_in_) == ["a", "b"]
    once = CoxPH("breslow", robust=True).fit(X, y)
    np.testing.assert_allclose(by_name.se_, once.se_, rtol=1e-10)
    np.testing.assert_allclose(by_name.naive_se_ * np.sqrt(2), once.naive_se_, rtol=1e-10)


def test_robust_as_in_r_unless_said_otherwise():
    X, y = two(weight=np.tile([0.5, 1.5], 150))
    fractional, naive = CoxPH().fit(X, y), CoxPH(robust=False).fit(X, y)
    assert (fractional.se_ != fractional.naive_se_).all()
    np.testing.assert_array_equal(naive.se_, fractional.naive_se_)
    np.testing.assert_array_equal(fractional.summary()[["se(coef)", "naive se(coef)"]].T, [fractional.se_, naive.se_])
    assert "naive se(coef)" not in naive.summary()
    assert "robust score" not in naive.tests_.index
    whole = CoxPH().fit(X, y.assign(weight=2.0))
    np.testing.assert_array_equal(whole.se_, whole.naive_se_)


def test_an_offset_is_a_known_part():
    X, y = two()
    whole = CoxPH().fit(X, y)
    known = whole.coef_["a"] * X["a"]
    rest = CoxPH().fit(X[["b"]], y, offset=known)
    np.testing.assert_allclose(rest.coef_["b"], whole.coef_["b"], rtol=1e-8)
    np.testing.assert_allclose(rest.log_likelihood_, whole.log_likelihood_, rtol=1e-12)


# ---- penalties ----


def test_penalties_shrink_and_differ():
    X, y = two()
    fits = {
        (lam, ratio, scaled): CoxPH(penalizer=lam, l1_ratio=ratio, standardize=scaled).fit(X, y).coef_.to_numpy()
        for lam in (0.0, 0.05, 0.5)
        for ratio in (0.0, 0.5, 1.0)
        for scaled in (True, False)
    }
    for ratio in (0.0, 0.5, 1.0):
        sizes = [np.abs(fits[lam, ratio, True]).sum() for lam in (0.0, 0.05, 0.5)]
        assert sizes[0] > sizes[1] > sizes[2]
        assert np.abs(fits[0.05, ratio, True] - fits[0.05, ratio, False]).max() > 1e-3
    assert not fits[0.5, 1.0, True].any()
    assert fits[0.5, 0.0, True].all()
    np.testing.assert_array_equal(fits[0.0, 1.0, False], fits[0.0, 0.0, True])


def test_with_a_lasso_there_are_no_standard_errors():
    X, y = two()
    model = CoxPH(penalizer=0.01, l1_ratio=0.5, robust=True).fit(X, y)
    assert model.summary()[["se(coef)", "z", "p"]].isna().all(axis=None)
    assert list(model.tests_.index) == ["likelihood ratio"]


def test_a_ridge_with_a_column_that_is_constant_among_those_at_risk():
    X = pd.DataFrame({"nodes": [0, 0, 2, 1], "flag": [False, False, True, True]})
    y = {"time": [13.0, 16, 3, 2], "event": [1, 0, 0, 0], "weight": [2.5, 1, 1, 1]}
    with pytest.warns(InputWarning, match="SL-117"):
        model = CoxPH(penalizer=0.1).fit(X, y)
    assert model.se_.tolist() == [0, 0]
    assert model.tests_.loc["Wald", "statistic"] == 0


def test_a_ridge_has_effective_degrees_of_freedom():
    X, y = two()
    free, slight, strong = (CoxPH(penalizer=lam).fit(X, y).tests_["df"].iloc[0] for lam in (0.0, 0.01, 10.0))
    assert free == 2
    assert 1.8 < slight < 2
    assert strong < 0.2


def test_a_penalty_fits_columns_that_make_each_other_up():
    X, y = two()
    model = CoxPH(penalizer=0.01).fit(X.assign(again=X["a"]), y)
    assert model.coef_["a"] == pytest.approx(model.coef_["again"], rel=1e-8)


# ---- Newton's method ----


def test_steps_that_would_lead_down_are_shortened(monkeypatch):
    """With a few values far from all others full steps overshoot."""
    X, y = skewed()
    best = CoxPH().fit(X, y).coef_["x"]
    head = Cox()
    target = head.prepare(Outcome.of(y))
    around = (best, 0.99 * best, 1.01 * best)
    losses = [head.nll(to_tensor(beta * X["x"])[None, :, None], target).item() for beta in around]
    assert losses[0] < min(losses[1:])
    monkeypatch.setattr(coxph_newton, "HALVINGS", 1)
    with pytest.raises(InputError, match="SL-485 no step"):
        CoxPH().fit(X, y)


def skewed():
    rng = np.random.default_rng(2)
    x = np.exp(2 * rng.normal(size=200))
    return pd.DataFrame({"x": x}), pd.DataFrame({"time": rng.exponential(1 / x), "event": 1})


@pytest.mark.parametrize("limit", ["STEPS", "HALVINGS"])
def test_a_fit_that_does_not_end_is_not_returned(monkeypatch, limit):
    monkeypatch.setattr(coxph_newton, limit, 0)
    with pytest.raises(InputError, match="SL-485"):
        CoxPH().fit(*two())


# ---- mistakes ----


@pytest.mark.parametrize(
    "settings", [{"penalizer": -1}, {"penalizer": "auto"}, {"l1_ratio": 1.5}, {"alpha": 0}, {"alpha": True}]
)
def test_bad_parameters_are_refused(settings):
    with pytest.raises(InputError, match=f"SL-483 {next(iter(settings))}="):
        clone(CoxPH(**settings)).fit(*two())


def test_unknown_ties_are_refused():
    with pytest.raises(InputError, match="SL-401"):
        CoxPH(ties="exact").fit(*two())


@pytest.mark.parametrize(
    "given",
    [
        {"cluster": "c"},
        {"cluster": np.zeros(7)},
        {"cluster": np.full(300, np.nan)},
        {"offset": np.zeros(7)},
        {"offset": np.full(300, np.inf)},
    ],
)
def test_clusters_and_offsets_that_do_not_fit_are_refused(given):
    with pytest.raises(InputError, match="SL-484"):
        CoxPH().fit(*two(), **given)


def test_no_column_with_information_is_refused():
    X, y = two(stratum=np.arange(300) % 2)
    alone = pd.DataFrame({"side": y["stratum"] == 1})
    with (
        pytest.warns(InputWarning, match="SL-481 'side' is constant among those at risk"),
        pytest.raises(InputError, match="SL-486"),
    ):
        CoxPH().fit(alone, y)
    with pytest.warns(InputWarning, match="SL-481"):
        assert CoxPH().fit(X.assign(side=alone["side"]), y).dropped_ == ("side",)


def test_few_events_are_a_warning():
    full = cohort(40, 0)
    event = full.event * (np.cumsum(full.event) < 6)
    X = pd.DataFrame({"a": np.random.default_rng(0).normal(size=40)})
    with pytest.warns(InputWarning, match="SL-117"):
        CoxPH().fit(X, (full.time, event))
