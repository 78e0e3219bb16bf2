import numpy as np
import pandas as pd
import pytest

from survlspin.design import Design
from survlspin.report.table_one import difference, table_one


@pytest.fixture
def groups():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(60, 10, 200),
            "flag": rng.random(200) < 0.3,
            "grade": rng.choice(["I", "II", "III"], 200, p=[0.02, 0.58, 0.4]),
        }
    )
    return {"development": frame[:120], "evaluation": frame[120:]}, Design.fit(frame)


def counts(names):
    return pd.DataFrame({name: ["1"] for name in names}, index=["rows"])


def test_the_standardised_difference_is_that_of_its_formula():
    one, other = pd.Series([1.0, 2, 3, 4]), pd.Series([3.0, 4, 5, 6, 7])
    assert difference(one, other) == pytest.approx(2.5 / np.sqrt((one.var() + other.var()) / 2))
    assert difference(one, one) == 0
    a, b = pd.Series([True] * 30 + [False] * 70), pd.Series([True] * 50 + [False] * 50)
    assert difference(a, b) == pytest.approx(0.2 / np.sqrt((0.3 * 0.7 + 0.5 * 0.5) / 2))


def test_of_two_levels_the_difference_does_not_depend_on_how_they_are_called():
    a, b = pd.Series(["x"] * 30 + ["y"] * 70), pd.Series(["x"] * 50 + ["y"] * 50)
    swapped = [column.map({"x": "z", "y": "a"}) for column in (a, b)]
    assert difference(a, b) == pytest.approx(difference(*swapped))
    assert difference(a, pd.Series(["w"] * 10 + ["x"] * 90)) > 1  # a level that the other lacks


def test_numbers_and_levels_are_described(groups):
    frames, design = groups
    frame = table_one(frames, design, counts(frames)).frame
    assert list(frame.columns) == ["variable", "level", "development", "evaluation", "SMD", "missing"]
    [age] = frame[frame["variable"] == "age"].itertuples()
    own = frames["development"]["age"]
    assert age.development.startswith(f"{own.mean():.4g} ({own.std():.3g}); {own.median():.4g} (")
    grades = frame[frame["variable"] == "grade"]
    assert grades["level"].tolist() == ["I", "II", "III"]
    n = int((frames["evaluation"]["grade"] == "II").sum())
    assert grades["evaluation"].iloc[1] == f"{n} ({n / 80:.1%})"
    assert frame[frame["variable"] == "flag"]["level"].tolist() == ["False", "True"]


def test_small_levels_are_hidden_and_one_more_with_them(groups):
    frames, design = groups
    frame = table_one(frames, design, counts(frames), least=11).frame
    cells = frame[frame["variable"] == "grade"]["development"].tolist()
    assert cells[0] == "<11"
    assert sorted(cells[1:])[-1] == "hidden"


def test_one_group_has_no_difference(groups):
    frames, design = groups
    table = table_one({"all": frames["development"]}, design, counts(["all"]))
    assert "SMD" not in table.frame
    assert "SMD" not in table.note
