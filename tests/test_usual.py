"""Rows unlike those of training: numbers out of range, levels that are not known, further columns."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import survlspin
from survlspin._usual import Usual
from survlspin.design import Design
from survlspin.errors import InputError, InputWarning
from survlspin.estimators import CoxPH
from survlspin.folds import EXTERNAL, Fold
from survlspin.outcome import Outcome
from survlspin.protocol import Unit, fit_unit

RNG = np.random.default_rng(0)
N = 2000
SIZE = np.ceil(RNG.lognormal(3, 0.6, N))  # mm
X = pd.DataFrame(
    {
        "age": RNG.normal(60, 13, N).clip(18, 99).round(),
        "size": SIZE,
        "nodes": RNG.poisson(RNG.gamma(0.5, 4, N)),
        "receptor": RNG.lognormal(3, 2, N).round(),
        "flag": RNG.integers(0, 2, N),
        "grade": pd.Categorical(RNG.choice(["I", "II", "Unknown"], N)),
    }
)
X.attrs["units"] = {"age": "years", "size": "mm"}
DESIGN = Design.fit(X)


def warned(X, design=DESIGN):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design.transform(X)
    return [str(warning.message) for warning in caught]


def test_51_age_in_months_and_size_in_centimetres_are_told():
    [months] = warned(X.assign(age=12 * X["age"]))
    assert months.startswith(
        "SL-690 'age' is outside the 1st to 99th percentile of training (32 to 91) in 2000 of 2000"
    )
    assert months.endswith("Are they in the unit of the training data? Predictions there are extrapolations.")
    [centimetres] = warned(X.assign(size=X["size"] / 10))
    assert centimetres.startswith("SL-690 'size' is outside")
    [both] = warned(X.assign(size=X["size"] / 10, age=12 * X["age"]))
    assert "'age' is" in both and "'size' is" in both  # noqa: PT018


def test_51_a_single_row_is_told_where_no_patient_could_be():
    assert warned(X[:1].assign(age=61 * 12))
    assert warned(X[:1].assign(flag=2))
    assert not warned(X[:1].assign(age=103.0, size=1.0, nodes=40))  # rare, and possible
    one = X.copy()
    one.loc[1234, "age"] = 999
    [found] = warned(one)
    assert "'age'" in found
    assert "grossly in 1." in found


def test_51_training_rows_and_others_of_their_kind_are_no_trouble():
    assert warned(X) == []
    again = [warned(X.sample(1000, random_state=k), Design.fit(X.sample(500, random_state=100 + k))) for k in range(40)]
    assert sum(map(len, again)) <= 2  # of 200 looks at a column


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=40), st.floats(-9, 9))
def test_no_training_row_is_ever_grossly_outside(cells, power):
    cells = np.array(cells) * 10.0**power
    if np.ptp(cells) > 1e-12 * np.abs(cells).max():
        usual = Usual.of(cells)
        assert usual.low <= usual.high
        assert usual.odd(cells).gross == 0
        assert usual.odd(cells).outside <= 0.02 * len(cells)


def test_weights_count_as_copies():
    cells = RNG.normal(size=300)
    weight = RNG.integers(1, 9, 300)
    assert Usual.of(cells, weight.astype(float)) == Usual.of(np.repeat(cells, weight))
    assert Usual.of(cells, weight.astype(float)) != Usual.of(cells)


def test_percentiles_are_those_of_training_rounded_outwards():
    usual = Usual.of(np.arange(10_001) / 7)
    assert (usual.low, usual.high) == (10.0, 1420.0)
    np.testing.assert_allclose([usual.low, usual.high], [100 / 7, 9900 / 7], atol=10)
    assert Usual.of(np.array([3, 5, 3, 5]), None, True) == Usual(3, 5, 0)


def test_a_number_that_nearly_always_is_one_value():
    usual = Usual.of(np.array([0.0] * 995 + [4, 5, 6, 7, 8]))
    assert (usual.low, usual.high, usual.margin) == (0, 0, 80)
    assert usual.odd(np.array([0.0, 8, 79, 81])) == (3, 1, 0)


def test_47_further_columns_are_counted_and_units_kept():
    found = DESIGN.review(X.assign(size=X["size"] / 10, more=1, note="x"))
    assert found["use"].tolist() == ["predictor"] * 6 + ["ignored"] * 2
    assert found["unit"].tolist() == ["years", "mm", "", "", "", "", "", ""]
    assert found.index[found["doubtful"]].tolist() == ["size"]
    assert found.loc["size", "outside"] == np.sum((X["size"] / 10 < 5) | (X["size"] / 10 > 78))
    assert found["outside"].to_numpy()[[6, 7]].tolist() == [0, 0]
    assert np.isnan(found.loc["more", "low"])


def test_48_unseen_levels_count_as_another_where_that_is_asked_for():
    design = Design.fit(X)
    strange = X.assign(grade=X["grade"].astype(object).where(X.index > 2, "GX"))
    with pytest.raises(InputError, match="SL-214 'grade'"):
        design.transform(strange)
    design.take_unseen_as("Unknown")
    assert warned(strange, design) == ["SL-691 levels that training had not count as 'Unknown': 'grade' in 3 rows."]
    assert design.review(strange).loc["grade", "unseen"] == 3
    with pytest.warns(InputWarning, match="SL-691"):
        found = design.transform(strange)
    known = strange.assign(grade=strange["grade"].replace("GX", "Unknown"))
    np.testing.assert_array_equal(found, design.transform(known))
    columns = Design.fit(X, groups="column")
    columns.take_unseen_as("Unknown")
    assert columns.values(strange).equals(columns.values(known))
    with pytest.raises(InputError, match="SL-205"):  # what is missing is not unseen
        design.transform(strange.assign(grade=strange["grade"].where(X.index > 0, None)))
    with pytest.raises(InputError, match=r"SL-692 .*'Unknwn' \(did you mean 'Unknown'\?\)"):
        design.take_unseen_as("Unknwn")
    design.take_unseen_as(None)
    with pytest.raises(InputError, match="SL-214"):
        design.transform(strange)


@pytest.mark.parametrize("name", ["1", EXTERNAL])
def test_of_folds_only_those_of_another_data_set_are_told(name):
    age = X["age"].where(X.index < N / 2, 12 * X["age"]).to_frame()
    y = Outcome.of((RNG.exponential(size=N), np.ones(N))).to_y()
    fold = Fold(name, np.arange(N // 2), np.arange(0), np.arange(N // 2, N))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_unit(Unit("Cox", CoxPH(), fold, 0), age, y)
    assert {str(warning.message)[:6] for warning in caught} == ({"SL-690"} if name == EXTERNAL else set())


def test_51_48_a_saved_model_tells_and_takes_the_same(tmp_path):
    time = RNG.exponential(np.exp(-(X["age"] - 60) / 20))
    model = CoxPH().fit(X[["age", "grade"]], (time, np.ones(N)))
    model.save(tmp_path / "model")
    loaded = survlspin.load(tmp_path / "model", unseen="Unknown")
    with pytest.warns(InputWarning, match="SL-690 'age' is outside"):
        loaded.predict(X.assign(age=12 * X["age"]))
    with pytest.warns(InputWarning, match="SL-691 .* 'grade' in 2000 rows"):
        risk = loaded.predict(X.assign(grade="new"))
    np.testing.assert_array_equal(risk, loaded.predict(X.assign(grade="Unknown")))
    assert loaded.design_.review(X).equals(model.design_.review(X))
    with pytest.raises(InputError, match="SL-692"):
        survlspin.load(tmp_path / "model", unseen="unheard of")
