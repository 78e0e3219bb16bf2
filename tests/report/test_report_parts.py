import numpy as np
import pandas as pd
import pytest

from survlspin.report.parts import Table, hidden_counts, number, shown, stems


@pytest.mark.parametrize(
    ("counts", "least", "hidden"),
    [
        ([3, 40, 50], 0, [False, False, False]),
        ([3, 40, 50], 5, [True, True, False]),
        ([3, 4, 50], 5, [True, True, False]),
        ([0, 40, 50], 5, [False, False, False]),
        ([3, 0, 0], 5, [True, False, False]),
        ([5, 40], 5, [False, False]),
        ([1, 1, 50], 5, [True, True, True]),
        ([2, 2, 2, 200, 100], 5, [True, True, True, False, True]),
        ([3, np.nan, 40], 5, [True, False, True]),
    ],
)
def test_small_counts_take_others_with_them_that_tell_of_them(counts, least, hidden):
    assert hidden_counts(np.array(counts), least).tolist() == hidden


def test_counts_are_shown_from_the_least_one_on():
    assert [shown(n, 11) for n in (0, 1, 10, 11, 500)] == [0, "<11", "<11", 11, 500]
    assert shown(3, 0) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(4.50376, "4.50"), (0.00012345, "0.000123"), (204.3, "204"), (999.7, "1,000"), (51140.5, "51,140"), (7, "7")],
)
def test_numbers_are_those_of_a_journal(value, text):
    assert number(value) == text


def test_no_two_names_share_a_file():
    names = ["a b", "A-b", "a_b", "a-b-2", "é", "x" * 300, "x" * 301]
    found = stems(names)
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    assert max(map(len, found.values())) < 70


def table(**how) -> Table:
    frame = pd.DataFrame({"of": list("aab"), "n": [3, 40, 4], "share": [3 / 43, 40 / 43, 1.0]})
    return Table("t", "A table", frame, counts={"n": ("share",)}, **how)


def test_small_counts_of_a_table_and_what_gives_them_away_are_hidden():
    assert table().masked(5)["n"].tolist() == ["<5", 40, "<5"]
    assert table().masked(5)["share"].tolist() == ["", 40 / 43, ""]
    assert table(within="of").masked(5)["n"].tolist() == ["<5", "hidden", "<5"]
    assert table(within="of").masked(5)["share"].tolist() == ["", "", ""]


@pytest.mark.parametrize("least", [0, 1, 3])
def test_a_table_without_small_counts_is_as_it_was(least):
    pd.testing.assert_frame_equal(table().masked(least), table().frame)
