import numpy as np
import pytest
from registry import levels, numbers

from survlspin.cohort.codebook import STATUS, Values
from survlspin.cohort.conditions import Condition, Shape
from survlspin.cohort.schema import build
from survlspin.errors import InputError

VALUES = {
    "age": numbers(20, 25, 85, 86, None),
    "other": numbers(20, 24, 90, None, 3),
    "sex": levels("f", "m", "f", None, "m"),
}
KNOWN = {"age": Shape("number"), "other": Shape("number"), "sex": Shape("category", ("f", "m")), "id": Shape("text")}


def answer(condition, values=VALUES):
    made = build(Condition, condition, "test")
    made.check(KNOWN, "test")
    return "".join("01"[flag] for flag in made.of(values).astype(int))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"field": "age", "min": 25}, "01110"),
        ({"field": "age", "above": 25}, "00110"),
        ({"field": "age", "max": 85}, "11100"),
        ({"field": "age", "below": 85}, "11000"),
        ({"field": "age", "min": 25, "max": 85}, "01100"),
        ({"field": "age", "in": [20, 86]}, "10010"),
        ({"field": "age", "known": True}, "11110"),
        ({"field": "age", "known": False}, "00001"),
        ({"field": "age", "status": ["unknown", "top"]}, "00001"),
        ({"field": "age", "at_most": "other"}, "10100"),
        ({"field": "sex", "in": ["f"]}, "10100"),
        ({"field": "sex", "in": ["f", "m"]}, "11101"),
        ({"not": {"field": "sex", "in": ["f"]}}, "01011"),
        ({"any": [{"field": "sex", "in": ["m"]}, {"field": "age", "above": 80}]}, "01111"),
        ({"all": [{"field": "sex", "in": ["m"]}, {"field": "age", "above": 80}]}, "00000"),
    ],
    ids=str,
)
def test_what_is_not_known_satisfies_no_test_of_the_value(condition, expected):
    assert answer(condition) == expected


def test_text_is_compared_as_it_stands():
    text = {"id": Values("text", np.array(["007", "7", ""], dtype=object), np.array([0, 0, 5], dtype=np.uint8))}
    assert answer({"field": "id", "in": ["007"]}, text) == "100"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"field": "age", "min": 25}, "00001"),
        ({"field": "age", "known": True}, "00000"),
        ({"all": [{"field": "age", "min": 25}, {"field": "sex", "in": ["f"]}]}, "00010"),
        ({"any": [{"field": "age", "min": 25}, {"field": "sex", "in": ["m"]}]}, "00000"),
        ({"not": {"field": "sex", "in": ["f"]}}, "00010"),
    ],
    ids=str,
)
def test_undecided_is_only_what_an_unknown_value_would_change(condition, expected):
    undecided = build(Condition, condition, "test").undecided(VALUES)
    assert "".join("01"[flag] for flag in undecided.astype(int)) == expected


def test_a_condition_says_what_it_reads():
    condition = build(Condition, {"any": [{"field": "a", "at_most": "b"}, {"not": {"field": "a", "min": 1}}]}, "test")
    assert condition.needs == ("a", "b")


@pytest.mark.parametrize(
    ("condition", "code", "text"),
    [
        ({"field": "age"}, "SL-585", "no whole condition"),
        ({"min": 3}, "SL-585", "no whole condition"),
        ({"field": "age", "min": 1, "any": [{"field": "age", "min": 1}]}, "SL-585", "no whole condition"),
        ({"field": "aeg", "min": 1}, "SL-586", "did you mean 'age'"),
        ({"field": "age", "at_most": "otter"}, "SL-586", "did you mean 'other'"),
        ({"field": "sex", "in": ["F"]}, "SL-586", "no level 'F'"),
        ({"field": "sex", "min": 1}, "SL-585", "which is category"),
        ({"field": "age", "at_most": "sex"}, "SL-585", "not a number"),
        ({"field": "age", "in": ["20"]}, "SL-585", "cannot be a value"),
        ({"field": "sex", "in": [1]}, "SL-585", "cannot be a value"),
        ({"field": "age", "status": ["unknwon"]}, "SL-586", "did you mean 'unknown'"),
        ({"field": "age", "mim": 1}, "SL-584", "did you mean 'min'"),
        ({"field": "age", "min": True}, "SL-585", "not a number"),
        ({"field": "age", "min": "25"}, "SL-585", "not a number"),
    ],
    ids=str,
)
def test_conditions_that_say_nothing_or_name_nothing_are_refused(condition, code, text):
    with pytest.raises(InputError, match=text) as caught:
        answer(condition)
    assert caught.value.code == code


def test_every_status_can_be_asked_for():
    each = Values("number", np.zeros(len(STATUS)), np.arange(len(STATUS), dtype=np.uint8))
    for position, name in enumerate(STATUS):
        got = build(Condition, {"field": "age", "status": [name]}, "test").of({"age": each})
        assert got.tolist() == [position == other for other in range(len(STATUS))]
