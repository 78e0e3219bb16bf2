"""Coding about the reference patient, the way back to the units of the table, and every refusal under its code."""

import time as clock

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from patients import follow_up, patients

from survlspin._leaks import check_leaks
from survlspin.design import Design
from survlspin.errors import InputError, InputTypeError, InputWarning
from survlspin.outcome import Outcome

RNG = np.random.default_rng(1)


def refused(code, X, kind=InputError, **options):
    with pytest.raises(kind, match=f"^{code}"):
        Design.fit(X, **options)


# the coding


def test_the_columns():
    design = Design.fit(patients())
    assert design.columns == (
        "age",
        "progrec",
        "node positive",
        "tgrade[I]",
        "tgrade[III]",
        "site=[inner]",
        "site=[outer]",
    )
    assert design.factors == ("age", "progrec", "node positive", "tgrade", "site=")
    assert design.group.tolist() == [0, 1, 2, 3, 3, 4, 4]
    assert design.feature_names_in_ == tuple(patients().columns)
    assert design.n_features_in_ == 5
    assert design.dropped == {}
    assert design.notes == ()


def test_the_reference_patient_is_zero():
    X = patients()
    design = Design.fit(X)
    assert design.reference.to_dict() == {
        "age": pytest.approx(X["age"].mean()),
        "progrec": pytest.approx(X["progrec"].mean()),
        "node positive": True,
        "tgrade": "II",
        "site=": "größe",
    }
    patient = pd.DataFrame([design.reference], index=["reference"]).infer_objects()
    np.testing.assert_array_equal(design.transform(patient), np.zeros((1, 7), np.float32))


def test_numbers_are_standardized_and_flags_keep_their_sign():
    X = patients()
    coded = pd.DataFrame(Design.fit(X).transform(X), columns=Design.fit(X).columns)
    np.testing.assert_allclose(coded["age"], (X["age"] - X["age"].mean()) / X["age"].std(ddof=0), rtol=1e-5)
    assert set(coded["node positive"]) == {0, -1}  # the modal value is True
    np.testing.assert_array_equal(coded["node positive"] == -1, ~X["node positive"])
    np.testing.assert_array_equal(coded["tgrade[III]"], X["tgrade"] == "III")


def test_standardize_false_centres_only():
    X = patients().assign(kind=RNG.choice([1.0, 5.0], 60, p=[0.8, 0.2]))
    standardized, centred = (Design.fit(X, standardize=choice) for choice in (True, False))
    assert centred.scale.tolist() == [1] * 8
    np.testing.assert_allclose(
        centred.transform(X), standardized.transform(X) * standardized.scale, rtol=1e-4, atol=1e-5
    )
    assert set(standardized.transform(X)[:, -1]) == {0, 1}  # one distance of the two values
    assert set(centred.transform(X)[:, -1]) == {0, 4}


def test_onehot_keeps_all_levels():
    X = patients()
    design = Design.fit(X, coding="onehot")
    assert design.columns[3:] == (
        "tgrade[I]",
        "tgrade[II]",
        "tgrade[III]",
        "site=[größe]",
        "site=[inner]",
        "site=[outer]",
    )
    coded = design.transform(X)
    np.testing.assert_array_equal(coded[:, 3:6].sum(axis=1), 1)
    np.testing.assert_array_equal(coded[:, :3], Design.fit(X).transform(X)[:, :3])
    assert design.reference["tgrade"] is None
    assert design.group.tolist() == [0, 1, 2, 3, 3, 3, 4, 4, 4]
    assert design.notes == ()


def test_groups_column_makes_one_factor_per_column():
    X = patients()
    design = Design.fit(X, groups="column")
    assert design.factors == design.columns
    assert design.group.tolist() == list(range(7))
    assert design.reference["tgrade[III]"] is False
    values = design.values(X)
    np.testing.assert_array_equal(values["tgrade[III]"], X["tgrade"] == "III")
    assert values.index.equals(X.index)
    np.testing.assert_array_equal(values["age"], X["age"])
    np.testing.assert_array_equal(design.transform(X), Design.fit(X).transform(X))


def test_values_are_those_of_the_table():
    X = patients()
    pd.testing.assert_frame_equal(Design.fit(X).values(X[X.columns[::-1]]), X)
    assert Design.fit(X).index(X).equals(X.index)
    array = X[["age", "progrec"]].to_numpy()
    design = Design.fit(array)
    assert design.values(array).columns.tolist() == ["x0", "x1"]
    assert design.index(array).equals(pd.RangeIndex(60))
    twice = pd.concat([X, X])  # a patient's index may come twice
    assert Design.fit(X, groups="column").values(twice).index.equals(twice.index)


def test_weights_count_as_copies():
    X, weight = patients(), RNG.integers(0, 4, 60)
    design, copied = Design.fit(X, weight=weight), Design.fit(X.loc[X.index.repeat(weight)])
    np.testing.assert_allclose(design.transform(X), copied.transform(X), rtol=1e-5, atol=1e-6)
    assert design.reference["site="] == copied.reference["site="]
    assert not np.allclose(design.center, Design.fit(X).center)


def test_rows_of_weight_zero_are_not_looked_at():
    X = patients()
    X.loc["p007", "age"] = np.nan
    design = Design.fit(X, weight=X["age"].notna().to_numpy())
    assert design.center[0] == pytest.approx(X["age"].mean())
    weight = (X["tgrade"] == "II").to_numpy()
    assert Design.fit(X.drop(index="p007"), weight=weight[X.index != "p007"]).dropped == {"tgrade": "constant"}


def test_level_order_is_that_of_the_categories():
    grade = pd.Categorical(["low", "high", "mid", "high"], ["low", "mid", "high", "unseen"])
    assert Design.fit(pd.DataFrame({"g": grade}), coding="onehot").columns == ("g[low]", "g[mid]", "g[high]")
    assert Design.fit(pd.DataFrame({"g": grade.astype(str)}), coding="onehot").columns == (
        "g[high]",
        "g[low]",
        "g[mid]",
    )


def test_ties_for_the_mode_go_to_the_first():
    X = pd.DataFrame({"flag": [0, 1, 1, 0], "g": list("baab")})
    assert Design.fit(X).reference.tolist() == [0, "a"]


def test_column_index():
    X = patients().assign(constant=1)
    design = Design.fit(X)
    assert design.column_index(["tgrade", "age"]).tolist() == [0, 3, 4]
    assert design.column_index("site=").tolist() == [5, 6]
    assert design.column_index(["constant"]).tolist() == []
    with pytest.raises(InputError, match=r"^SL-217 'grade' is no variable of the model \(did you mean 'tgrade'\?\)"):
        design.column_index(["grade"])


def test_the_matrix_is_fresh_float32_in_c_order():
    for X in (patients(), patients()[["age"]], patients()[["age"]].to_numpy(np.float32)):
        coded = Design.fit(X).transform(X)
        assert coded.dtype == np.float32
        assert coded.flags.c_contiguous
        assert coded.flags.owndata or coded.base.flags.owndata
        assert not np.shares_memory(coded, np.asarray(X))


@pytest.mark.parametrize("option", [{"groups": "factors"}, {"coding": "dummy"}])
def test_unknown_options(option):
    refused("SL-219", patients(), **option)


# properties


@given(st.permutations(range(60)))
@settings(max_examples=20)
def test_row_order_does_not_matter(order):
    X = patients()
    shuffled = Design.fit(X.iloc[order])
    np.testing.assert_allclose(shuffled.transform(X), Design.fit(X).transform(X), atol=1e-6)
    assert shuffled.columns == Design.fit(X).columns


@given(st.permutations(range(5)))
def test_column_order_does_not_matter(order):
    X = patients()
    design, moved = Design.fit(X), Design.fit(X.iloc[:, order])
    np.testing.assert_array_equal(
        pd.DataFrame(moved.transform(X), columns=moved.columns)[list(design.columns)], design.transform(X)
    )


@given(
    arrays(float, st.tuples(st.integers(3, 20), st.integers(1, 4)), elements=st.floats(-1e99, 1e99) | st.floats(-9, 9)),
    st.booleans(),
)
def test_any_finite_numbers_give_finite_columns_and_come_back(X, standardize):
    try:
        design = Design.fit(X, standardize=standardize, force=True)
        coded = design.transform(X)
    except InputError as error:
        if error.code not in ({"SL-201"} if standardize else {"SL-201", "SL-207"}):
            raise
        return
    assert np.isfinite(coded).all()
    back = coded * design.scale + design.center
    seen = X[:, [int(name[1:]) for name in design.columns]]
    assert (np.abs(back - seen) <= 1e-6 * np.abs(seen).max(axis=0) + 1e-37).all()  # float32


@given(
    st.lists(st.sampled_from(["a", "b", "c", "größe", ""]), min_size=3, max_size=30),
    st.sampled_from(["reference", "onehot"]),
)
def test_any_levels_come_back(levels, coding):
    X = pd.DataFrame({"g": levels})
    if len(set(levels)) == 1:
        return refused("SL-201", X)
    design = Design.fit(X, coding=coding)
    coded = design.transform(X)
    names = [column[2:-1] for column in design.columns]
    back = [names[row.argmax()] if row.any() else design.reference["g"] for row in coded]
    assert back == levels


@pytest.mark.parametrize("options", [{"coding": "reference"}, {"coding": "onehot"}])
@pytest.mark.parametrize("scale", [1e-9, 12.0, -3.0])
def test_affine_changes_of_a_number_change_nothing_or_the_sign(options, scale):
    X = patients()
    other = X.assign(age=X["age"] * scale + 7 * scale)
    coded, moved = (Design.fit(table, **options).transform(table) for table in (X, other))
    np.testing.assert_allclose(moved[:, 0], np.sign(scale) * coded[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(moved[:, 1:], coded[:, 1:])


# mistakes in the table as a whole (those in cells: test_columns.py)


def test_23_constant_in_the_training_rows_only():
    X = patients()
    design = Design.fit(X[X["node positive"]])
    assert design.dropped == {"node positive": "constant"}
    assert np.isfinite(design.transform(X[~X["node positive"]])).all()


def test_24_duplicate_columns_are_kept_and_noted():
    X = patients()
    X["months"] = X["age"] * -12 + 3
    X["grade"] = X["tgrade"].astype(str).map({"I": "x", "II": "y", "III": "z"})
    design = Design.fit(X)
    assert design.notes == (
        "'months' carries the same information as 'age'",
        "'grade[x]' carries the same information as 'tgrade[I]'",
        "'grade[z]' carries the same information as 'tgrade[III]'",
    )
    assert design.dropped == {}
    X["age2"] = X["age"] + RNG.normal(0, 1e-3, 60)
    assert len(Design.fit(X).notes) == 3


def test_25_a_full_set_of_flags():
    X = pd.get_dummies(patients()["tgrade"]).drop(columns="0")
    assert X.sum(axis=1).eq(1).all()
    assert np.isfinite(Design.fit(X).transform(X)).all()
    onehot = Design.fit(patients(), coding="onehot")
    assert onehot.factors == Design.fit(patients()).factors  # one gate, and one count, for the whole set


@pytest.mark.parametrize("n", [1, 2])
def test_29_one_or_two_rows(n):
    refused(f"SL-202 .*: {n}", patients(n))
    refused("SL-202", patients(), weight=np.arange(60) < n)


@pytest.mark.parametrize("X", [pd.DataFrame(), patients(0), patients()[[]], np.empty((5, 0)), np.empty((0, 5))])
def test_30_empty(X):
    refused("SL-201", X)


def test_35_names():
    X = pd.DataFrame(RNG.normal(size=(20, 5)), columns=["two words", "a=b", "größe", "time", 7])
    assert Design.fit(X).columns == ("two words", "a=b", "größe", "time", "7")
    assert list(X.columns)[-1] == 7
    refused(
        "SL-204 more than one column is called 'a'", pd.DataFrame(RNG.normal(size=(20, 3)), columns=["a", "b", "a"])
    )
    refused("SL-204", pd.DataFrame(RNG.normal(size=(20, 2)), columns=[1, "1"]))
    refused(r"SL-204 .*'g\[b\]'", pd.DataFrame({"g": list("aab"), "g[b]": [1.0, 2, 3]}))


def test_37_leaks():
    X, outcome = patients(), follow_up()
    check_leaks(X, outcome)
    days = np.floor(outcome.time * 30.4)
    for leak in (
        outcome.time,
        -np.log(outcome.time),
        days,
        outcome.event,
        1 - outcome.event,
        np.array(["alive", "dead"])[outcome.event],
    ):
        with pytest.warns(InputWarning, match=r"^SL-215 'x'"):
            check_leaks(X.assign(x=leak), outcome)
    survival_if_dead = np.where(outcome.event == 1, outcome.time, 0)
    with pytest.warns(InputWarning, match=r"^SL-215 'x'"):
        check_leaks(X.assign(x=survival_if_dead), outcome)


def test_37_no_leak_where_nothing_can_be_told():
    X = patients()[["node positive", "tgrade"]].assign(same=1.0)
    check_leaks(X, Outcome.of((np.full(60, 3.0), np.ones(60))))
    check_leaks(X, Outcome.of((follow_up().time, np.zeros(60))))
    check_leaks(patients(), Outcome.of((follow_up().time, np.arange(60) == 0)))


@pytest.mark.parametrize(
    "label", [np.arange(60), RNG.permutation(60) + 1000.0, RNG.permutation(10**6)[:60], [f"id{i}" for i in range(60)]]
)
def test_38_patient_numbers(label):
    X = patients().assign(x=label)
    with pytest.warns(InputWarning, match=r"^SL-216 'x'"):
        check_leaks(X, follow_up())
    check_leaks(X[:49], follow_up(49))  # too few rows to tell


def test_39_read_only_memmap_and_fortran_arrays(tmp_path):
    plain = RNG.normal(size=(30, 3))
    plain[:, 2] = RNG.integers(0, 2, 30)
    expected = Design.fit(plain).transform(plain)
    fortran, frozen = np.asfortranarray(plain), plain.copy()
    frozen.flags.writeable = False
    mapped = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=plain.shape)
    mapped[:] = plain
    mapped.flush()
    mapped = np.memmap(tmp_path / "x", dtype=float, mode="r", shape=plain.shape)
    for X in (fortran, frozen, mapped, plain[::-1][::-1], plain.tolist(), torch.tensor(plain, requires_grad=True)):
        np.testing.assert_array_equal(Design.fit(X).transform(X), expected)
    assert Design.fit(plain).columns == ("x0", "x1", "x2")
    assert Design.fit(plain).feature_names_in_ is None


def test_39_the_input_is_not_modified():
    X, untouched = patients(), patients()
    for options in ({}, {"coding": "onehot", "groups": "column"}, {"weight": np.arange(60)}):
        design = Design.fit(X, **options)
        design.transform(X)
        values = design.values(X)
        values.iloc[0, 0] = -1
        check_leaks(X, follow_up())
        pd.testing.assert_frame_equal(X, untouched)
    array = RNG.normal(size=(30, 3))
    before = array.copy()
    Design.fit(array).transform(array)
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    "X", [scipy.sparse.csr_matrix(np.eye(4)), scipy.sparse.coo_array(np.eye(4)), np.arange(4.0), None, "X"]
)
def test_things_that_are_no_table(X):
    refused("SL-203", X, InputTypeError)


def test_masked_cells_are_missing():
    refused("SL-205 'x0'", np.ma.masked_array(np.eye(4), mask=np.eye(4)))


# tables to predict for


def test_45_47_columns_are_found_by_name():
    X = patients()
    design = Design.fit(X)
    other = X[X.columns[::-1]].assign(extra="anything", more=np.nan)
    np.testing.assert_array_equal(design.transform(other), design.transform(X))


def test_46_absent_columns_are_named_with_the_nearest():
    X = patients().rename(columns={"tgrade": "t_grade", "age": "alter"})
    with pytest.raises(InputError, match=r"^SL-213 no column 'age', 'tgrade' \(did you mean 't_grade'\?\)\."):
        Design.fit(patients()).transform(X)
    with pytest.raises(InputError, match=r"^SL-213"):
        Design.fit(patients()).values(X)


def test_46_arrays_have_no_names_to_go_by():
    X = patients()[["age", "progrec"]]
    with pytest.raises(InputError, match=r"^SL-218 X has no column names"):
        Design.fit(X).transform(X.to_numpy())
    with pytest.raises(InputError, match=r"^SL-218 X has 1 columns; .* on 2"):
        Design.fit(X.to_numpy()).transform(X[["age"]])
    np.testing.assert_array_equal(Design.fit(X.to_numpy()).transform(X), Design.fit(X).transform(X))


@pytest.mark.parametrize("coding", ["reference", "onehot"])
@pytest.mark.parametrize("dtype", [object, "category", "string"])
def test_48_unseen_levels(coding, dtype):
    X = patients()
    design = Design.fit(X, coding=coding)
    X["site="] = np.where(np.arange(60) % 30 == 4, "axillary", X["site="])
    with pytest.raises(
        InputError, match=r"^SL-214 'site=' has a level that training had not in 2 rows, first at position 4\."
    ):
        design.transform(X.astype({"site=": dtype}))


def test_48_a_category_of_no_training_patient_is_unseen():
    X = patients()  # "0" is a category of tgrade without patients
    with pytest.raises(InputError, match=r"^SL-214 'tgrade'"):
        Design.fit(X).transform(X.assign(tgrade="0"))


def test_50_one_row_and_none():
    X = patients()
    design = Design.fit(X)
    np.testing.assert_array_equal(design.transform(X[5:6]), design.transform(X)[5:6])
    assert design.transform(X[:0]).shape == (0, 7)


def test_half_a_million_rows_are_coded_quickly():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(55, 500_000)).T)
    start = clock.thread_time()
    Design.fit(X).transform(X)
    assert clock.thread_time() - start < 5  # 1.5 s, however many threads wait beside this one
