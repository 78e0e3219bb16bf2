"""The reporting sheets: every item once, answers only where every fact is known."""

import re
import tomllib
from importlib.resources import files

import pytest

from survlspin.report.checklists import FACT, SHEETS, sheets

ITEMS = {"tripod-ai": 52, "remark": 20}


def _items(name):
    text = files("survlspin.report").joinpath("sheets", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["item"]


@pytest.mark.parametrize("name", SHEETS)
def test_items_are_numbered_once_and_every_answer_says_where(name):
    items = _items(name)
    numbers = [item["number"] for item in items]
    assert len(set(numbers)) == len(numbers) == ITEMS.get(name, len(numbers))
    assert all(("answer" in item) == ("where" in item) for item in items)
    assert all(FACT.sub("", words).count("{") == 0 for item in items for words in item.get("answer", []))


def test_without_facts_only_answers_that_need_none_are_given():
    for table, name in zip(sheets({}), SHEETS, strict=True):
        for item, answer in zip(_items(name), table.frame["answer"], strict=True):
            free = [words for words in item.get("answer", []) if not FACT.search(words)]
            assert answer == (free[0] if free else "")


def test_an_answer_is_given_as_soon_as_all_its_facts_are_known():
    def answer(**facts):
        table = sheets({name.replace("__", "."): value for name, value in facts.items()})[2].frame
        return table.set_index("item").loc["2", ["answer", "section"]].tolist()

    assert answer(data__n=1234) == ["", ""]
    assert answer(data__n=1234, data__source="") == ["", ""]
    said, where = answer(data__n=1234, data__source="women.csv")
    assert said.startswith("Read from: women.csv; 1,234 patients.")
    assert where == "data"


def test_the_first_answer_that_can_be_given_is():
    def trials(**facts):
        known = {"models.names": ["LLSPIN", "Cox PH"], "protocol.words": "5-fold"} | facts
        return sheets(known)[0].frame.set_index("item").loc["12c", "answer"]

    assert trials(**{"tuning.trials": 40, "tuning.test_rows": 0}) == (
        "Models: LLSPIN, Cox PH. Tuning: 40 trials, test rows used for tuning: 0. 5-fold."
    )
    assert "No settings were tuned; penalties" in trials(**{"tuning.none": "No settings were tuned"})
    assert trials() == "Model: LLSPIN, Cox PH. 5-fold."


def test_blanks_are_counted_and_named():
    for table in sheets({}):
        blank = table.frame.loc[table.frame["answer"] == "", "item"]
        assert f"{len(blank)} of {len(table.frame)} are left to the authors: {', '.join(blank)}." in table.note
        assert re.search(r"\(20\d\d\)| 20\d\d,", table.note)
