"""Data as they come, seen from an estimator: refused under a code, warned of, or fitted to finite numbers.

The numbers are those of the list in tests/test_torture.py.
"""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from survlspin import CoxLLSPIN, CoxLSPIN, DeepSurv, Outcome, RepeatedKFold, TrainOneTestNine, metrics, split_xy
from survlspin.baselines import LifelinesCoxPH
from survlspin.errors import InputError, InputWarning
from survlspin.heads import Cox
from survlspin.testing.estimators import patients

X, Y = patients()
TIME, EVENT = Y["time"], Y["event"]
N = len(X)
KINDS = {
    "llspin": CoxLLSPIN(lam=0.02, epochs=3, random_state=0),
    "lspin": CoxLSPIN(lam=0.02, epochs=3, random_state=0),
    "deepsurv": DeepSurv(epochs=3, random_state=0),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def fitted(kind="llspin", X=X, y=Y, **settings):
    return clone(KINDS[kind]).set_params(**settings).fit(X, y)


def finite(model, X=X):
    """Whether every number that a user may see is finite."""
    numbers = [model.predict(X), model.predict_survival_function(X, return_array=True)]
    if isinstance(model, CoxLLSPIN):
        numbers += [model.gates(X), model.risk_factors(X).frame["log_hr"]]
    return all(np.isfinite(np.asarray(value)).all() for value in numbers)


# ---- outcome ----


@kinds
def test_10_no_event(kind):
    for y in ((TIME, np.zeros(N)), Outcome(TIME, EVENT.astype(int), weight=np.where(EVENT, 0.0, 1.0))):
        with pytest.raises(InputError, match="SL-116"):
            fitted(kind, y=y, force=True)
    with pytest.raises(InputError, match="SL-116"):
        clone(KINDS[kind]).fit(X, Y, validation_data=(X, (TIME, np.zeros(N))))


@pytest.mark.parametrize("settings", [{}, {"lam": "auto"}], ids=str)
@pytest.mark.parametrize("events", [1, 2, 3, 9])
def test_11_few_events(events, settings):
    y = (TIME, np.arange(N) < events)
    with pytest.raises(InputError, match=f"SL-117 only {events} event"):
        fitted(y=y, **settings)
    lone = events == 1 and settings  # no event is left to choose lambda on
    with (
        pytest.warns(InputWarning, match="SL-117"),
        pytest.raises(InputError, match="SL-410") if lone else nullcontext(),
    ):
        assert finite(fitted(y=y, force=True, **settings))


def test_13_batches_without_events():
    few = fitted(y=(TIME, np.arange(N) < 12), batch_size=4)
    assert few.history_.skipped[0] > 0
    assert finite(few)
    assert fitted(batch_size=N).history_.skipped[0] == 0


@kinds
def test_14_all_times_tied(kind):
    y = (np.full(N, 12.0), np.ones(N))
    model = fitted(kind, y=y)
    assert finite(model)
    assert np.isnan(model.score(X, y))
    assert "undefined" in str(metrics.concordance(*y, model.predict(X)))
    assert model.unique_times_.tolist() == [12]
    censored = (y[0], EVENT)  # as in R, who is censored at 12 outlived who died at 12
    assert 0 < fitted(kind, y=censored).score(X, censored) < 1


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_15_twelve_distinct_times(ties):
    y = (np.ceil(12 * TIME / TIME.max()), EVENT)
    model = fitted("deepsurv", y=y, ties=ties)
    assert finite(model)
    assert len(model.unique_times_) == 12
    expected = Cox(ties).baseline(torch.from_numpy(model.predict(X)), Outcome.of(y))
    np.testing.assert_allclose(model.baseline_.curves[None][1], expected.curves[None][1], atol=1e-6)


@kinds
def test_16_the_unit_of_time_does_not_matter(kind):
    days = np.round(TIME * 30.4)
    one, two = fitted(kind, y=(days, EVENT)), fitted(kind, y=(days / 365.25, EVENT))
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    np.testing.assert_allclose(two.unique_times_, one.unique_times_ / 365.25)


def test_18_days_given_as_months():
    table = X.assign(days=TIME * 30.4, died=EVENT)
    with pytest.warns(InputWarning, match="SL-118"):
        data = split_xy(table, time="days", event="died")
    assert finite(fitted(X=data[0], y=data[1]))


# ---- predictors ----


@kinds
def test_22_a_constant_column(kind):
    more = X.assign(ward="A3")
    model = fitted(kind, more)
    assert model.design_.dropped == {"ward": "constant"}
    np.testing.assert_array_equal(model.predict(more), fitted(kind).predict(X))
    np.testing.assert_array_equal(model.predict(more.assign(ward="B1")), model.predict(more))


def test_23_constant_in_the_training_rows_only():
    ward = X.assign(ward=np.where(np.arange(N) < 80, "A3", "B1"))
    model = fitted(X=ward[:80], y=Y[:80])
    assert "ward" not in model.selected(ward)
    np.testing.assert_allclose(model.predict(ward), fitted(X=X[:80], y=Y[:80]).predict(X))
    valid = clone(KINDS["llspin"]).fit(ward[:80], Y[:80], validation_data=(ward[80:], Y[80:]))
    assert finite(valid, ward)


@kinds
def test_24_25_collinear_columns(kind):
    twice = pd.get_dummies(X, columns=["grade"]).assign(months=X["age"] * 12)
    model = fitted(kind, twice)
    assert model.design_.notes == ("'months' carries the same information as 'age'",)
    assert model.design_.columns == ("age", "size", "nodes", "grade_I", "grade_II", "grade_III", "months")
    assert finite(model, twice)


@kinds
def test_27_scale_of_a_column(kind):
    huge = X.assign(age=X["age"] * 1e8)
    np.testing.assert_allclose(fitted(kind, huge).predict(huge), fitted(kind).predict(X), atol=1e-5)


@kinds
def test_28_more_columns_than_rows(kind):
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 150))).add_prefix("gene")
    with pytest.warns(InputWarning, match="SL-220 150 columns for 120 rows"):
        assert finite(fitted(kind, wide), wide)


@kinds
def test_31_numbers_read_as_text_are_named(kind):
    text = X.assign(age=X["age"].astype(str), again=X["age"].astype(str))
    with pytest.raises(InputError, match=r"^SL-209 'age' holds .* as text; 'again' holds .* as text\. Make"):
        fitted(kind, text)


@pytest.mark.parametrize(
    "dtypes",
    [
        {"age": "Float64", "size": "Float64", "nodes": "boolean", "grade": "string"},
        {"age": "double[pyarrow]", "size": "double[pyarrow]", "nodes": "bool[pyarrow]", "grade": "string[pyarrow]"},
        {"age": "float64", "size": pd.SparseDtype(float, 0), "nodes": "int8", "grade": object},
    ],
    ids=["nullable", "arrow", "sparse, int8, object"],
)
def test_33_every_type_gives_the_same(dtypes):
    model, typed = fitted(), X.astype(dtypes)
    np.testing.assert_array_equal(fitted(X=typed).predict(typed), model.predict(X))
    np.testing.assert_array_equal(model.predict(typed), model.predict(X))
    written = ["value", "reference"] if typed["nodes"].dtype == "int8" else []  # 1, not True
    one, other = (model.risk_factors(x).frame.drop(columns=written) for x in (typed, X))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("separates", ["all events", "only events"])
@kinds
def test_36_perfect_separation(kind, separates):
    """Every patient with an event is marked, or every marked one has an early one: Cox regression has no maximum."""
    random = np.random.default_rng(1).random(N) < 0.5
    marked = X.assign(mark=EVENT | random if separates == "all events" else EVENT & random)
    if separates == "only events":
        marked["mark"] = marked["mark"] & (np.argsort(np.argsort(TIME)) < 25)
    model = fitted(kind, marked, lr=0.05, epochs=10)
    assert finite(model, marked)
    assert np.abs(model.predict(marked)).max() < 20
    if separates == "all events":
        with pytest.warns(InputWarning, match="SL-463"):
            assert np.isfinite(LifelinesCoxPH().fit(marked, Y).predict(marked)).all()
    with pytest.warns(InputWarning, match="SL-215 'mark'"):
        assert finite(fitted(kind, X.assign(mark=EVENT)), X.assign(mark=EVENT))


def test_39_layout_of_the_data(tmp_path):
    plain = X[["age", "size", "nodes"]].to_numpy(dtype=float)
    np.save(tmp_path / "x.npy", plain)
    before = plain.copy()
    expected = fitted(X=plain).predict(plain)
    np.testing.assert_array_equal(plain, before)
    frozen = plain.copy()
    frozen.flags.writeable = False
    for other in (np.load(tmp_path / "x.npy", mmap_mode="r"), np.asfortranarray(plain), frozen):
        y = Y.copy()
        y.flags.writeable = False
        np.testing.assert_array_equal(fitted(X=other, y=y).predict(other), expected)


# ---- rows ----


@pytest.mark.filterwarnings("ignore:SL-117")
@pytest.mark.parametrize("cv", [TrainOneTestNine(3, validation=0.2), RepeatedKFold(2, 1)], ids=repr)
def test_42_shuffled_rows(cv):
    order = np.random.default_rng(0).permutation(N)
    shuffled = X.iloc[order], Y[order]
    for fold, other in zip(cv.folds(X, Y), cv.folds(*shuffled), strict=True):
        one, two = (
            (x.iloc[f.train], y[f.train], (x.iloc[f.validation], y[f.validation]))
            for f, x, y in ((fold, X, Y), (other, *shuffled))
        )
        assert set(one[0].index) == set(two[0].index)
        assert set(one[2][0].index) == set(two[2][0].index)
        full = DeepSurv(batch_size=None, epochs=10, random_state=0)
        np.testing.assert_allclose(clone(full).fit(*two).predict(X), full.fit(*one).predict(X), rtol=1e-6, atol=1e-6)
