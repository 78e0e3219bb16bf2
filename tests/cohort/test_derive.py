import numpy as np
import pytest
from registry import levels, numbers

from survlspin.cohort.codebook import STATUS
from survlspin.cohort.conditions import Shape
from survlspin.cohort.derive import OPERATIONS
from survlspin.cohort.schema import build
from survlspin.errors import InputError

YEAR = numbers(1987, 1988, 2003, 2004, 2015, 2016, None)
KNOWN = {
    "year": Shape("number"),
    "a": Shape("number"),
    "b": Shape("number"),
    "sex": Shape("category", ("f", "m")),
    "open": Shape("category"),
    "id": Shape("text"),
}


def derived(op, values, known=None, **keys):
    """The values, once the operation fits the fields' shapes."""
    step = build(OPERATIONS[op], keys, "test")
    shapes = {name: Shape(each.kind, each.levels or None) for name, each in values.items()} | (known or {})
    shape = step.shape(shapes, "test")
    made = step.of(values)
    assert made.kind == shape.kind
    assert made.levels == (shape.levels or made.levels)
    assert set(step.needs) <= set(values)
    return made


def told(values):
    """Values as a list: numbers or levels, the status where there is none."""
    names = [STATUS[code] for code in values.status]
    if values.kind == "category":
        return [values.levels[code] if code >= 0 else name for code, name in zip(values.data, names, strict=True)]
    return [name if np.isnan(x) else float(x) for x, name in zip(values.data, names, strict=True)]


def test_by_year_takes_the_field_of_the_year_and_not_the_first_that_has_a_value():
    values = {"year": YEAR, "a": numbers(*[1] * 7), "b": numbers(*[2] * 7)}
    parts = [{"years": [1988, 2003], "field": "a"}, {"years": [2004, 2015], "field": "b"}]
    made = derived("by_year", values, parts=parts)
    assert told(made) == ["blank", 1, 1, 2, 2, "blank", "unknown"]


def test_by_year_keeps_the_status_and_drops_those_it_is_told_to():
    values = {"year": numbers(2000, 2000, 2010), "a": numbers(1, None, 3, status="range"), "b": numbers(4, 5, None)}
    parts = [{"years": [1988, 2003], "field": "a"}, {"years": [2004, 2015], "field": "b"}]
    kept = derived("by_year", values, parts=parts)
    assert told(kept) == [1, "unknown", "unknown"]
    assert STATUS[kept.status[0]] == "range"
    parts[0]["drop"] = ["range"]
    assert told(derived("by_year", values, parts=parts)) == ["unknown"] * 3


def test_by_year_joins_the_levels():
    values = {"year": numbers(2000, 2010, 2010), "a": levels("T1", "T1", "T1"), "b": levels("T4", "T2", "T1")}
    parts = [{"years": [1988, 2003], "field": "a"}, {"years": [2004, 2015], "field": "b"}]
    made = derived("by_year", values, parts=parts)
    assert told(made) == ["T1", "T2", "T1"]
    assert made.levels == ("T1", "T4", "T2")


def test_a_ratio_by_zero_does_not_apply():
    values = {"a": numbers(1, 0, 2, None, 3), "b": numbers(4, 0, 0, 2, None)}
    assert told(derived("ratio", values, of=["a", "b"])) == [0.25, "na", "na", "unknown", "unknown"]


def test_linear_is_a_weighted_sum():
    values = {"a": numbers(61, None), "b": numbers(0, 1)}
    made = derived("linear", values, terms={"a": 1.0, "b": -2}, plus=30.5, divide=30.5)
    assert told(made) == [3.0, "unknown"]


def test_the_status_of_what_is_computed_is_the_least_certain_one():
    values = {"a": numbers(1, 2, status="top"), "b": numbers(1, 2)}
    made = derived("linear", values, terms={"a": 1.0, "b": 1.0})
    assert [STATUS[code] for code in made.status] == ["top", "top"]


def test_groups_of_levels_and_ranges():
    values = {"a": levels("8500", "8523", "8140", None)}
    groups = {"ductal": ["8500"], "mixed": ["8522-8524"]}
    open_ = {"a": Shape("category")}
    assert told(derived("group", values, open_, of="a", levels=groups, other="rest")) == [
        "ductal",
        "mixed",
        "rest",
        "unknown",
    ]
    assert told(derived("group", values, open_, of="a", levels=groups)) == ["ductal", "mixed", "unknown", "unknown"]


def test_numbers_are_grouped_too():
    values = {"a": numbers(20, 49, 50, 51, None)}
    bands = {"young": ["0-49"], "old": ["50"]}
    assert told(derived("group", values, of="a", levels=bands)) == ["young", "young", "old", "unknown", "unknown"]


def test_cases_take_the_first_that_holds():
    values = {"a": numbers(1, 2, None), "sex": levels("f", "f", "m")}
    cases = [
        {"level": "one", "if": {"field": "a", "max": 1}},
        {"level": "woman", "if": {"field": "sex", "in": ["f"]}},
    ]
    assert told(derived("cases", values, cases=cases)) == ["one", "woman", "unknown"]
    assert told(derived("cases", values, cases=cases, otherwise="rest")) == ["one", "woman", "rest"]


def test_cases_of_nothing_collected_are_not_collected():
    values = {"sex": levels("f", None, status="blank")}
    assert told(derived("cases", values, cases=[{"level": "w", "if": {"field": "sex", "in": ["f"]}}])) == ["w", "blank"]


def test_numbers_by_condition():
    values = {"sex": levels("f", "m", None)}
    cases = [{"value": 3, "if": {"field": "sex", "in": ["f"]}}]
    assert told(derived("number", values, cases=cases)) == [3.0, "unknown", "unknown"]
    assert told(derived("number", values, cases=cases, otherwise=7)) == [3.0, 7.0, 7.0]


def test_an_alias_is_the_same():
    values = {"a": numbers(1, None)}
    assert derived("alias", values, of="a") is values["a"]


@pytest.mark.parametrize(
    ("op", "keys", "code", "text"),
    [
        ("alias", {"of": "c"}, "SL-586", "not there"),
        ("ratio", {"of": ["a"]}, "SL-585", "a list of 2"),
        ("ratio", {"of": ["a", "sex"]}, "SL-585", "is category"),
        ("linear", {"terms": {}}, "SL-585", "no terms"),
        ("linear", {"terms": {"a": 1.0}, "divide": 0}, "SL-585", "divides by 0"),
        ("group", {"of": "sex", "levels": {"x": ["w"]}}, "SL-586", "no level 'w'"),
        ("group", {"of": "sex", "levels": {"x": ["f"]}}, "SL-586", "'m' of 'sex' belongs to no group"),
        (
            "by_year",
            {"parts": [{"years": [1, 2], "field": "a"}, {"years": [2, 3], "field": "b"}]},
            "SL-585",
            "two parts",
        ),
        ("by_year", {"parts": [{"years": [1, 2], "field": "a"}, {"years": [3, 3], "field": "sex"}]}, "SL-585", "kinds"),
        ("by_year", {"parts": [{"years": [1, 2], "field": "a", "drop": ["blank"]}]}, "SL-586", "cannot be dropped"),
        ("by_year", {"parts": [{"years": [1, 2], "field": "a"}], "year": "sex"}, "SL-585", "is category"),
        ("cases", {"cases": [{"level": "x", "if": {"field": "q", "min": 1}}]}, "SL-586", "'q'"),
        ("number", {"cases": [{"value": 1, "if": {"field": "q", "min": 1}}]}, "SL-586", "'q'"),
    ],
    ids=str,
)
def test_operations_that_cannot_work_are_refused(op, keys, code, text):
    with pytest.raises(InputError, match=text) as caught:
        build(OPERATIONS[op], keys, "test").shape(KNOWN, "test")
    assert caught.value.code == code
