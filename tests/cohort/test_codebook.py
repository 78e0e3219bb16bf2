import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seer_women import CODES, LABELS, women

from survlspin.cohort import build_cohort
from survlspin.cohort.codebook import STATUS, Codebook
from survlspin.errors import InputError

BOOK = Codebook.load("seer-breast")
with (Path(__file__).parents[1] / "golden" / "seer_codes.csv").open(encoding="utf-8", newline="") as file:
    GOLDEN = list(csv.DictReader(file))

COLUMNS = {  # field -> its column in the cohort, or the beginning of its columns
    "age": "Age",
    "size_eod": "TsizeMerged",
    "size_cs": "TsizeMerged",
    "size_sum": "TsizeMerged",
    "nodes_pos": "NodesPos",
    "nodes_exam": "NodesExam",
    "survival_months": "time",
    "race": "Race",
    "origin": "Origin",
    "marital": "Marital",
    "laterality": "Laterality",
    "site": "Site",
    "grade": "Grade",
    "er": "ER",
    "pr": "PR",
}


def decoded(name, cells, **keys):
    """Decode cells as (status, level or number or None)."""
    values = BOOK.decode(name, np.array(cells, dtype=object), **keys)
    if values.kind == "category":
        data = [values.levels[code] if code >= 0 else None for code in values.data]
    else:
        data = [None if isinstance(value, float) and np.isnan(value) else value for value in values.data]
    return list(zip((STATUS[status] for status in values.status), data, strict=True))


def refused(code, text, call, *args, **keys):
    with pytest.raises(InputError, match=text) as caught:
        call(*args, **keys)
    assert caught.value.code == code


def groups(*names):
    found = defaultdict(list)
    for row in GOLDEN:
        found[tuple(row[name] for name in names)].append(row)
    return found


@pytest.mark.parametrize(("name", "form"), sorted(groups("field", "form")))
def test_every_code_decodes_as_the_table_says(name, form):
    rows = groups("field", "form")[name, form]
    number = BOOK[name].kind == "number"
    for row, (status, value) in zip(rows, decoded(name, [row["cell"] for row in rows]), strict=True):
        expected = None if not row["value"] else float(row["value"]) if number else row["value"]
        assert (row["cell"], status, value) == (row["cell"], row["status"], expected)
        assert BOOK.resolve([row["column"]]) == {name: row["column"]}
        if not row["recipe"]:
            assert row["lands"] == ("missing" if value is None else "kept"), row["cell"]


@pytest.mark.parametrize("form", ["code", "label"])
@pytest.mark.parametrize("recipe", ["seer-breast-epi", "seer-breast-lspin2022"])
def test_every_code_lands_as_the_table_says(recipe, form):
    rows = groups("recipe", "form")[recipe, form]
    base = CODES if form == "code" else LABELS
    records = women([{"year": row["year"], row["field"]: row["cell"]} for row in rows], base=base)
    switches = {"treatment": "all"} if recipe == "seer-breast-epi" else {}
    frame = build_cohort(records, recipe, switches=switches).frame.set_index("patient")
    for position, row in enumerate(rows):
        there = f"{position:08d}" in frame.index
        assert (row["field"], row["cell"], there) == (row["field"], row["cell"], row["lands"] != "excluded")
        if there and row["field"] in COLUMNS and recipe == "seer-breast-lspin2022":
            check_predictor(row, frame.loc[f"{position:08d}"], COLUMNS[row["field"]])


def check_predictor(row, patient, name):
    """The number is the table's; of one-hot columns the level's alone is 1."""
    if name in patient.index:
        assert patient[name] == float(row["value"])
    else:
        ones = [column for column in patient.index if column.startswith(f"{name}_") and patient[column] == 1]
        assert ones == [f"{name}_{row['value']}"] * (row["lands"] == "kept" and row["value"] != "C509")


def test_the_table_holds_every_code_of_the_book():
    """Every pattern's ends, every label and every expression of every field is in the table, or its own meaning."""
    cells = groups("field")
    missing = []
    for name, known in BOOK.fields.items():
        own = [code for code in known.codes if code.level != "code" and (code.patterns or code.match)]
        hit = {id(known.land(row["cell"].strip()).code) for row in cells.get((name,), [])}
        missing += [(name, code.patterns or code.match) for code in own if id(code) not in hit]
    assert missing == []


SENTINELS = {"nodes": [*range(95, 100), 126], "size": [0, 888, *range(989, 1000), 1022]}
RANGES = {990: 1.0, 991: 5.0, 992: 15.0, 993: 25.0, 994: 35.0, 995: 45.0}
WRITTEN = st.sampled_from(["{}", "{:02d}", "{:03d}", "{:04d}", "{}.0"])


@given(name=st.sampled_from(["nodes_pos", "nodes_exam"]), codes=st.lists(st.integers(0, 126), max_size=30), way=WRITTEN)
def test_no_sentinel_of_the_nodes_is_a_number(name, codes, way):
    codes = [code for code in codes if BOOK[name].land(str(code))]
    numbers = BOOK.decode(name, np.array([way.format(code) for code in codes], dtype=object)).data
    for code, number in zip(codes, numbers, strict=True):
        assert np.isnan(number) if code in SENTINELS["nodes"] else number == code


@given(
    name=st.sampled_from(["size_eod", "size_cs", "size_sum", "size_recode"]),
    codes=st.lists(st.one_of(st.integers(0, 1022), st.sampled_from(SENTINELS["size"])), max_size=30),
    way=WRITTEN,
)
def test_no_sentinel_of_the_size_is_a_number(name, codes, way):
    codes = [code for code in codes if BOOK[name].land(str(code))]
    values = BOOK.decode(name, np.array([way.format(code) for code in codes], dtype=object))
    for code, number, status in zip(codes, values.data, values.status, strict=True):
        if code in SENTINELS["size"] and not (name == "size_eod" and code == 989):
            assert np.isnan(number) or (STATUS[status] in ("micro", "range") and number == RANGES[code])
        else:
            assert np.isnan(number) or number == code


HEADERS = {
    "age": ["Age at diagnosis", "Age recode with single ages and 85+", "Age.recode.with.single.ages.and.90.", "AGE_DX"],
    "age_recode": ["Age recode with <1 year olds", "Age recode with <1 year olds and 90+", "AGE_1REC"],
    "size_cs": ["CS tumor size (2004+)", "CS tumor size (2004-2015)", "CS.tumor.size..2004.2015.", "CSTUMSIZ"],
    "size_eod": ["EOD 10 - size (1988-2003)", "EOD 10 - size (1988+)", "EOD10_SZ", "eod_10_size"],
    "size_sum": ["Tumor Size Summary (2016+)", "TUMSIZS"],
    "size_recode": ["Tumor Size Over Time Recode (1988+)"],
    "grade": ["Grade", "Grade (thru 2017)", "Grade Recode (thru 2017)", "Grade..thru.2017."],
    "grade_path": ["Grade Pathological (2018+)"],
    "stage6": ["Breast - Adjusted AJCC 6th Stage (1988+)", "Breast - Adjusted AJCC 6th Stage (1988-2015)"],
    "stage16": ["Derived SEER Cmb Stg Grp (2016+)", "Derived SEER Cmb Stg Grp (2016-2017)"],
    "t16": ["Derived SEER Combined T (2016+)", "Derived SEER Combined T (2016-2017)"],
    "t18": ["Derived EOD 2018 T (2018+)", "Derived EOD 2018 T Recode (2018+)"],
    "stage18": ["Derived EOD 2018 Stage Group (2018+)", "Derived EOD 2018 Stage Group Recode (2018+)"],
    "surgery": [
        "RX Summ--Surg Prim Site (1998+)",
        "RX Summ--Surg Prim Site (1998-2022)",
        "RX.Summ..Surg.Prim.Site..1998..",
    ],
    "surgery23": ["RX Summ--Surg Prim Site 2023 (2023+)"],
    "summary_stage": [
        "SEER historic stage A (1973-2015)",
        "Summary stage 2000 (1998-2017)",
        "SEER Combined Summary Stage 2000 (2004+)",
        "Combined Summary Stage with Expanded Regional Codes (2004+)",
    ],
    "site_recode": ["Site recode ICD-O-3/WHO 2008", "Site recode ICD-O-3 2023 Revision (Expanded)"],
    "cod": ["COD to site recode", "COD to site recode ICD-O-3 2023 Revision Expanded (1999+)"],
    "income": ["Median household income inflation adj to 2019", "Median household income inflation adj to 2024"],
    "race": ["Race recode (W, B, AI, API)", "Race.recode..W..B..AI..API."],
    "histology": ["Histologic Type ICD-O-3", "ICD-O-3 Hist/behav"],
    "survival_months": ["Survival months", "SRV_TIME_MON", "\ufeffSurvival months"],
}


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_headers_of_all_submissions(name):
    for header in HEADERS[name]:
        assert BOOK.resolve([header, "my own column"]) == {name: header}
    assert BOOK.unresolved([*HEADERS[name], "my own column"]) == ["my own column"]


def test_every_title_means_its_field_alone():
    titles = [known.title for known in BOOK.fields.values()]
    assert BOOK.resolve(titles) == {name: known.title for name, known in BOOK.fields.items()}
    assert BOOK.resolve([sas for known in BOOK.fields.values() for sas in known.sas]).keys() == {
        name for name, known in BOOK.fields.items() if known.sas
    }


def test_second_choices_and_aliases():
    assert BOOK.resolve(["Primary Site", "Primary Site - labeled"]) == {"site": "Primary Site - labeled"}
    assert BOOK.resolve(["Primary Site"]) == {"site": "Primary Site"}
    both = ["CS tumor size (2004+)", "CSTUMSIZ", "size in mm"]
    assert BOOK.resolve(both, {"size_cs": "CSTUMSIZ"}) == {"size_cs": "CSTUMSIZ"}
    assert BOOK.resolve(both, {"size_cs": "size in mm"}) == {"size_cs": "size in mm"}
    refused("SL-580", "'CS tumor size .2004\\+.', 'CSTUMSIZ' are all field 'size_cs'", BOOK.resolve, both)
    refused("SL-581", "names no column", BOOK.resolve, both, {"size_cs": "CS"})
    refused("SL-582", "no field 'size_c' .did you mean 'size_cs'", BOOK.resolve, both, {"size_c": "CSTUMSIZ"})


def test_categoricals_arrays_and_missing_cells_agree():
    cells = ["Female", "Male", "", "Female"]
    one = BOOK.decode("sex", pd.Categorical(["Female", "Male", None, "Female"], categories=["Other", "Male", "Female"]))
    two = BOOK.decode("sex", np.array(["Female", "Male", None, "Female"], dtype=object))
    for values in (one, two):
        assert values.levels == ("male", "female")
        assert values.data.tolist() == [1, 0, -1, 1]
        assert [STATUS[status] for status in values.status] == ["exact", "exact", "blank", "exact"]
        assert values.known.tolist() == [True, True, False, True]
    assert one.take(np.array([2, 0])).data.tolist() == [-1, 1]
    assert decoded("sex", cells) == decoded("sex", [cell.upper() for cell in cells])
    ids = BOOK.decode("patient_id", np.array(["00000012", "", "00000003"], dtype=object))
    assert ids.data.tolist() == ["00000012", "", "00000003"]
    assert ids.known.tolist() == [True, False, True]


def test_the_dic_file_says_what_a_code_means():
    formats = {"0": "Alive", "1": "Dead"}  # not the code book's own codes
    assert decoded("vital", ["0", "1"], formats=formats, unformatted=True) == [("exact", "alive"), ("exact", "dead")]
    assert decoded("vital", ["0", "1"], formats=formats) == [("exact", "alive"), ("exact", "dead")]
    assert decoded("vital", ["0", "1"]) == [("exact", "dead"), ("exact", "alive")]
    years = {"200": "2000", "216": "2016"}
    assert decoded("year", ["200", "216"], formats=years, unformatted=True) == [("exact", 2000.0), ("exact", 2016.0)]
    assert decoded("age", ["90"], formats={"90": "90+ years"}, unformatted=True) == [("top", 90.0)]
    labels = {"1": "2", "2": "3"}  # the cells are labels
    assert decoded("grade_2018", ["2", "3"], formats=labels, unformatted=False) == [("exact", "2"), ("exact", "3")]


def test_a_header_says_where_codes_of_ages_end():
    ages = ["084", "85", "090"]
    for header, statuses in {
        "Age recode with single ages and 85+": ["exact", "top", "exact"],
        "Age.recode.with.single.ages.and.90.": ["exact", "exact", "top"],
        "Age at diagnosis": ["exact"] * 3,
    }.items():
        for formats in ({}, {"84": "84 years"}):
            expected = list(zip(statuses, [84.0, 85.0, 90.0], strict=True))
            assert decoded("age", ages, header=header, formats=formats) == expected
    assert decoded("age_recode", ["12", "19"], header="Age recode with <1 year olds and 90+") == [
        ("range", 57.0),
        ("top", 90.0),
    ]


def test_a_death_of_0_is_that_of_the_fixed_width_files():
    """In tables of one's own 0 is mostly alive and 1 dead."""
    assert decoded("vital", ["0", "1"], header="STAT_REC") == [("exact", "dead"), ("exact", "alive")]
    cells = np.array(["0", "1"], dtype=object)
    for header in ("Vital status recode (study cutoff used)", "vital", "Vital.status.recode"):
        refused("SL-578", "'vital' has 1 cell .* such as '0'", BOOK.decode, "vital", cells, header=header)


def test_a_shipped_book_is_read_once():
    assert Codebook.load("seer-breast") is BOOK


def test_unmapped_and_mixed_cells_stop():
    cells = np.array(["Female", "Feminine", "Woman" + "x" * 90], dtype=object)
    refused("SL-578", r"'sex' has 2 cells .* such as 'Feminine'.*\[\[codes.sex\]\]", BOOK.decode, "sex", cells)
    refused("SL-578", f"'Woman{'x' * 55}'", BOOK.decode, "sex", cells[[0, 2]])
    refused("SL-578", "'nodes_pos' has 1", BOOK.decode, "nodes_pos", np.array(["94"], dtype=object))
    shifted = np.array(["00012345", "2015-03-01"], dtype=object)
    refused("SL-578", "such as '########'", BOOK.decode, "sex", shifted[:1])
    refused("SL-578", "such as '####-##-##'", BOOK.decode, "sex", shifted[1:])
    refused("SL-578", "such as '##'", BOOK.decode, "followup_year", np.array(["12"], dtype=object))
    for name, cell, shown in (
        ("survival_months", "12 months", "## months"),
        ("year", "March 2004", "March ####"),
        ("marital", "P00012345", "P########"),
        ("marital", "12-Mar-2004", "##-Mar-####"),
        ("marital", "Wed (2004+)", r"Wed \(2004\+\)"),
    ):
        refused("SL-578", f"such as '{shown}'", BOOK.decode, name, np.array([cell], dtype=object))
    mixed = np.array(["Female", "1", ""], dtype=object)
    refused("SL-579", r"'sex' has codes \(1\) and labels \(Female\)", BOOK.decode, "sex", mixed)
    refused("SL-582", "no field 'gender'", BOOK.decode, "gender", mixed)


def test_codes_of_a_recipe_come_first():
    more = BOOK.with_codes(
        {"sex": [{"labels": ["Woman"], "level": "female"}, {"labels": ["Diverse"], "level": "other"}]}
    )
    values = more.decode("sex", np.array(["Woman", "Diverse", "Male"], dtype=object))
    assert [values.levels[code] for code in values.data] == ["female", "other", "male"]
    assert values.levels == ("male", "female", "other")
    assert BOOK["sex"].levels == ("male", "female")


def test_tables_have_fields_of_the_same_kind():
    fields = {
        "age": {"column": "Age (y)", "kind": "number"},
        "grade": {"column": "tgrade", "kind": "category"},
        "size": {
            "column": "T",
            "kind": "number",
            "codes": [{"patterns": ["999"], "status": "unknown"}, {"match": r"(.+)", "value": "number"}],
        },
    }
    book = Codebook.of({"name": "mine", "fields": fields})
    assert book.resolve(["Age (y)", "tgrade", "T"]) == {"age": "Age (y)", "grade": "tgrade", "size": "T"}
    values = book.decode("age", np.array(["21.5", "", "-3", "1e2"], dtype=object))
    assert values.data.tolist()[::2] == [21.5, -3.0]
    assert [STATUS[status] for status in values.status] == ["exact", "unknown", "exact", "exact"]
    assert book.decode("grade", np.array(["II", "I", "II"], dtype=object)).levels == ("I", "II")
    assert np.isnan(book.decode("size", np.array(["999", "12.5"], dtype=object)).data).tolist() == [True, False]
    refused("SL-578", "'age' has 1", book.decode, "age", np.array(["old"], dtype=object))


MISTAKES = {
    "unknown key": ({"kinds": "text"}, "unknown key 'kinds' .did you mean 'kind'"),
    "unknown kind": ({"kind": "numeric"}, "of kind 'numeric'"),
    "unknown status": ({"codes": [{"patterns": ["1"], "status": "missing"}]}, "of status 'missing'"),
    "status without value": ({"codes": [{"patterns": ["1"], "status": "exact"}]}, "'exact' without a value"),
    "value that is missing": ({"codes": [{"patterns": ["1"], "level": "a", "status": "na"}]}, "'na' with a value"),
    "level of a number": ({"kind": "number", "codes": [{"patterns": ["1"], "level": "a"}]}, "kind 'number'"),
    "value of a category": ({"codes": [{"patterns": ["1"], "value": 1}]}, "kind 'category'"),
    "word as value": ({"kind": "number", "codes": [{"patterns": ["1"], "value": "one"}]}, "value 'one'"),
    "levels that are not there": ({"levels": ["b"], "codes": [{"patterns": ["1"], "level": "a"}]}, "lists levels b"),
    "overlapping codes": (
        {"codes": [{"patterns": ["1-5"], "level": "a"}, {"patterns": ["4"], "level": "b"}]},
        "codes 1-5 and 4-4",
    ),
    "label twice": (
        {"codes": [{"labels": ["A - b"], "level": "a"}, {"labels": ["a B"], "level": "b"}]},
        "label 'a b' in two",
    ),
    "word twice": (
        {"codes": [{"patterns": ["A"], "level": "a"}, {"patterns": ["A"], "level": "b"}]},
        "code 'A' in two",
    ),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_mistakes_in_a_code_book(mistake):
    table, text = MISTAKES[mistake]
    refused("SL-576", text, Codebook.of, {"fields": {"f": table}})


def test_mistakes_of_the_whole_book(tmp_path):
    refused("SL-576", "unknown keys version", Codebook.of, {"version": 1})
    twice = {"fields": {"a": {"stems": ["Sex"]}, "b": {"stems": ["SEX"]}}}
    refused("SL-576", "headers 'sex' mean two fields", Codebook.of, twice)
    refused("SL-577", "no code book 'seer-lung'", Codebook.load, "seer-lung")
    (tmp_path / "bad.toml").write_text("[fields", encoding="utf-8")
    refused("SL-577", "bad.toml is no TOML", Codebook.load, tmp_path / "bad.toml")
    (tmp_path / "own.toml").write_text('[fields.sex]\ncodes = [{ labels = ["F"], level = "female" }]', encoding="utf-8")
    assert Codebook.load(tmp_path / "own.toml").name == "own"
