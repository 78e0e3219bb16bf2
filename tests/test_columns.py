"""Cells of every type become the same numbers; cells that cannot be used are refused under their code."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from patients import patients

from survlspin.design import Design
from survlspin.errors import InputError

RNG = np.random.default_rng(1)


def refused(code, X, kind=InputError, **options):
    with pytest.raises(kind, match=f"^{code}"):
        Design.fit(X, **options)


def test_19_missing_cells_are_counted_by_column():
    X = patients()
    X.loc[["p003", "p007"], "age"] = np.nan
    X.loc["p009", "tgrade"] = np.nan
    with pytest.raises(InputError) as caught:
        Design.fit(X)
    assert caught.value.code == "SL-205"
    found = "'age' is missing in 2 rows, first at position 3; 'tgrade' is missing in 1 row, first at position 9."
    assert caught.value.found == found
    with pytest.raises(InputError, match="SL-205"):
        Design.fit(patients()).transform(X)


@pytest.mark.parametrize(
    "cells", [pd.array([1, 2, None], "Int64"), ["a", None, "b"], [1.0, np.nan, 2], [True, None, False]]
)
def test_19_missing_in_any_type(cells):
    X = pd.DataFrame({"x": cells})
    refused("SL-205 'x' is missing in 1 row", X)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e101])
def test_20_infinite_cells(value):
    X = patients()
    X.loc["p003", "age"] = value
    refused(r"SL-207 'age' .* in 1 row, first at position 3\.", X)
    with pytest.raises(InputError, match="SL-207"):
        Design.fit(patients()).transform(X)


@pytest.mark.parametrize("cells", [np.nan, None, pd.NA])
def test_21_all_missing(cells):
    refused("SL-206 'empty'", patients().assign(empty=cells))


@pytest.mark.parametrize("cells", [7, 0.1, "a", True])
def test_22_constant_columns_are_dropped_and_listed(cells):
    X = patients()
    design = Design.fit(X.assign(same=cells))
    assert design.dropped == {"same": "constant"}
    np.testing.assert_array_equal(design.transform(X), Design.fit(X).transform(X))  # it is not asked for again
    refused("SL-201 X has only constant", X[["age"]].assign(age=cells))


def test_22_constant_but_for_rounding():
    assert Design.fit(patients(3).assign(same=[0.3, 0.1 + 0.2, 0.3])).dropped == {"same": "constant"}


@pytest.mark.parametrize("column", ["age", "progrec"])
@pytest.mark.parametrize("value", [1e30, -1e12, 9e99])
def test_26_values_far_off(column, value):
    X = patients().astype({"progrec": float})
    X.iloc[[11, 20], X.columns.get_loc(column)] = value
    refused(rf"SL-208 '{column}' .* in 2 rows, first at position 11\.", X)
    assert np.isfinite(Design.fit(X, force=True).transform(X)).all()


@pytest.mark.parametrize(
    "cells",
    [
        RNG.lognormal(0, 3, 50_000),
        np.where(RNG.random(50_000) < 0.9, 0, RNG.integers(1, 2000, 50_000)),  # receptor counts
        np.where(RNG.random(50_000) < 0.7, 0, RNG.lognormal(3, 2, 50_000)),
        np.r_[np.zeros(49_998), 1, 2000.0],
        np.r_[np.zeros(49_999), 1e30],  # a flag, however it is coded
        RNG.standard_cauchy(50_000),
        RNG.poisson(0.001, 50_000),
        np.round(RNG.exponential(1e-3, 50_000), 3),
    ],
)
def test_26_skewed_and_zero_inflated_columns_are_fine(cells):
    Design.fit(pd.DataFrame({"x": cells}))


def test_27_a_large_scale_changes_nothing():
    X = patients()
    for factor in (1e8, 1e-8):
        scaled = X.assign(age=X["age"] * factor, progrec=X["progrec"] * factor)
        np.testing.assert_allclose(
            Design.fit(scaled).transform(scaled), Design.fit(X).transform(X), rtol=1e-6, atol=1e-7
        )


def test_31_numbers_read_as_text():
    X = patients().assign(size=[str(i) for i in range(60)])
    refused("SL-209 'size' holds numbers, but was read as text. ", X.iloc[:, ::-1])
    X.loc[["p002", "p005", "p007"], "size"] = ["< 5", "n/a", ""]
    found = r"SL-209 'size' holds numbers, but was read as text, for it is no number in 3 rows, first at position 2\."
    refused(found, X)
    refused(found, X.astype({"size": "string"}))
    with pytest.raises(InputError, match=r"SL-209 'age' .* in 1 row, first at position 3"):
        Design.fit(patients()).transform(X.assign(age=["1", "2", "3", "x"] * 1 + ["5"] * 56))
    assert Design.fit(X.astype({"size": "category"})).columns[-1] == "size[n/a]"  # codes, declared as such


def test_31_text_where_training_had_numbers():
    with pytest.raises(InputError, match="SL-209 'age' holds text where training had numbers"):
        Design.fit(patients()).transform(patients().assign(age="old"))


@pytest.mark.parametrize("cells", [[1, 2, 3], [1.5, 2.5, 3.5], [True, False, True], [1, 2.5, 3]])
def test_31_numbers_as_objects(cells):
    refused("SL-209 'x' is of type object", pd.DataFrame({"x": pd.Series(cells, dtype=object)}))
    Design.fit(pd.DataFrame({"x": pd.Series(cells, dtype=object)}).infer_objects().convert_dtypes())


def test_32_mixed_types():
    X = pd.DataFrame({"stage": [None, "I", "II", 3, "IV"]})
    refused("SL-210 'stage' mixes str with int in 1 row, first at position 3", X)


@pytest.mark.parametrize(
    "cells",
    [
        pd.date_range("2020-01-01", periods=3),
        pd.to_timedelta([1, 2, 3]),
        [1j, 2j, 3j],
        [(1,), (2,), (3,)],
        [b"a", b"b", b"c"],
    ],
)
def test_33_types_that_are_no_predictors(cells):
    refused("SL-211 'x'", pd.DataFrame({"x": cells}))


@pytest.mark.parametrize(
    "dtype",
    [
        "Int8",
        "Int64",
        "Float32",
        "float16",
        "int8",
        "uint8",
        ">f8",
        "int16[pyarrow]",
        "double[pyarrow]",
        pd.SparseDtype(float, 0),
    ],
)
def test_33_every_type_of_number_gives_the_same(dtype):
    X = pd.DataFrame({"a": RNG.integers(0, 50, 40), "b": RNG.integers(0, 2, 40)})
    typed = X.astype(np.dtype(dtype) if dtype == ">f8" else dtype)
    np.testing.assert_array_equal(Design.fit(typed).transform(typed), Design.fit(X).transform(X))
    np.testing.assert_array_equal(Design.fit(X).transform(typed), Design.fit(X).transform(X))


@pytest.mark.parametrize("dtype", ["boolean", "bool[pyarrow]", "int8", pd.SparseDtype(bool, False)])
def test_33_every_type_of_flag_gives_the_same(dtype):
    X = patients()[["age", "node positive"]]
    typed = X.astype({"node positive": dtype})
    np.testing.assert_array_equal(Design.fit(typed).transform(typed), Design.fit(X).transform(X))
    assert Design.fit(typed).reference["node positive"] == 1


@pytest.mark.parametrize("dtype", [object, "string", "string[pyarrow]", "category", "dictionary"])
def test_33_every_type_of_text_gives_the_same(dtype):
    X = patients()[["age", "site="]]
    if dtype == "dictionary":
        category = X["site="].astype("category").cat
        codes = pa.DictionaryArray.from_arrays(category.codes.to_numpy(), category.categories.to_numpy())
        typed = X.assign(**{"site=": pd.Series(pd.arrays.ArrowExtensionArray(codes), index=X.index)})
    else:
        typed = X.astype({"site=": dtype})
    for coding in ("reference", "onehot"):
        design = Design.fit(typed, coding=coding)
        assert design.columns == Design.fit(X, coding=coding).columns
        np.testing.assert_array_equal(design.transform(typed), Design.fit(X, coding=coding).transform(X))
        np.testing.assert_array_equal(design.transform(X), design.transform(typed))
        np.testing.assert_array_equal(Design.fit(X, coding=coding).transform(typed), design.transform(typed))


def test_33_categories_of_numbers():
    X = pd.DataFrame({"behaviour": pd.Categorical([2, 3, 3, 1])})
    design = Design.fit(X)
    assert design.columns == ("behaviour[1]", "behaviour[2]")
    np.testing.assert_array_equal(design.transform(X.astype(int)), design.transform(X))


def test_34_too_many_levels():
    many = [f"code {i}" for i in range(1001)] * 2
    refused("SL-212 'icd' has 1001 levels", pd.DataFrame({"icd": many}))
    assert len(Design.fit(pd.DataFrame({"icd": many[1:1001] * 2})).columns) == 999
