import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from survlspin.checking import closing, examine
from survlspin.cli import app
from survlspin.cohort import build_cohort
from survlspin.synthetic import seer_export

SAMPLES = Path(__file__).parents[1] / "datasets" / "samples"
EPI = "seer-breast-epi"


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return seer_export(tmp_path_factory.mktemp("seer"), 800, random_state=5)


@pytest.fixture
def table(clean) -> pd.DataFrame:
    read = pd.read_csv(clean.path, sep="\t", dtype=str, na_filter=False, encoding="cp1252")
    return read[~clean.truth["copy"].to_numpy()].reset_index(drop=True)


def problems(report: dict) -> dict[str, str]:
    return {each["code"]: f"{each['found']} {each['remedy']}" for each in report["problems"]}


def check(*arguments):
    result = CliRunner().invoke(app, ["check", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("form", ["labels", "quoted", "unformatted", "fixed"])
def test_a_whole_export_is_fine(tmp_path, form):
    export = seer_export(tmp_path, 300, form=form, random_state=5)
    report = examine(export.path, recipe=EPI)
    assert report["fine"], report["problems"]
    assert report["facts"]["form"] == form
    assert report["rows"] == len(export.truth)
    assert report["missing"] == []
    exit_code, output = check(export.path)
    assert exit_code == 0
    assert "Nothing to mend." in output
    assert "with sas" in output if form == "fixed" else "with dic" in output


def test_columns_years_and_patients_are_described(clean):
    report = examine(clean.path)
    assert report["columns"]["known"]["size_cs"] == "CS tumor size (2004-2015)"
    assert report["coverage"]["size_cs"]["eras"]["to 2003"] == 0
    assert report["coverage"]["size_cs"]["eras"]["2004-2015"] > 0.9
    often = clean.truth["patient"].value_counts()
    copies = int(clean.truth["copy"].sum())
    assert report["patients"] == {"all": len(often), "several": int((often > 1).sum()), "copies": copies}
    text = closing({**report, "seconds": 0})
    assert re.search(r"size_cs +CS tumor size \(2004-2015\) +\d\d\.\d% +0\.0% +9\d\.\d%", text)
    needed = closing(examine(clean.path, recipe=EPI))
    assert "race_wbo" in text
    assert "race_wbo" not in needed


def test_all_boxes_that_are_missing_are_named_at_once(tmp_path, table):
    table.drop(columns=["Survival months flag", "Laterality", "CS tumor size (2004-2015)"]).to_csv(
        tmp_path / "x.csv", index=False
    )
    report = examine(tmp_path / "x.csv", recipe="seer-breast-lspin2022")
    assert {each["field"] for each in report["missing"]} == {"laterality", "size_cs"}
    assert "CS tumor size" in problems(report)["SL-589"]
    assert "--alias size_cs=HEADER" in problems(report)["SL-589"]
    assert examine(tmp_path / "x.csv")["fine"]  # without a recipe nothing is needed


def test_years_that_do_not_occur_need_no_box(tmp_path, table):
    late = table[table["Year of diagnosis"].astype(int) >= 2016]
    late.drop(columns=["CS tumor size (2004-2015)", "EOD 10 - size (1988-2003)"]).to_csv(
        tmp_path / "x.csv", index=False
    )
    assert examine(tmp_path / "x.csv", recipe="seer-breast-lspin2022")["missing"] == []


def test_all_labels_that_are_not_known_are_listed(tmp_path, table):
    table.loc[:4, "Laterality"] = "Left side"
    table.loc[5:6, "Laterality"] = "Right side"
    table.loc[3, "Marital status at diagnosis"] = "It is complicated"
    table.loc[7:9, "Regional nodes positive (1988+)"] = "1961-03-02x"
    table.to_csv(tmp_path / "x.csv", index=False)
    report = examine(tmp_path / "x.csv")
    assert report["unmapped"]["laterality"] == {"cells": 7, "different": 2, "labels": ["Left side", "Right side"]}
    assert report["unmapped"]["nodes_pos"]["labels"] == ["9999-99-99x"]  # it may be a patient's
    exit_code, output = check(tmp_path / "x.csv")
    assert exit_code == 2
    for text in ("'Left side', 'Right side'", "'It is complicated'", "[[codes.marital]]"):
        assert text in output
    assert "1961" not in output
    assert report["coverage"]["laterality"]["known"] < 1


def test_codes_are_those_of_their_column(tmp_path, table):
    """0 is dead in the column of the fixed-width files alone, as the recipes read it."""
    vital = next(name for name in table if name.startswith("Vital status"))
    table[vital] = table[vital].map({"Alive": "1", "Dead": "0"})
    table.to_csv(tmp_path / "x.csv", index=False)
    assert examine(tmp_path / "x.csv")["unmapped"]["vital"]["labels"] == ["0"]
    table.rename(columns={vital: "STAT_REC"}).to_csv(tmp_path / "x.csv", index=False)
    assert "vital" not in examine(tmp_path / "x.csv")["unmapped"]


def test_what_is_no_vocabulary_is_shown_by_its_form(tmp_path, table):
    ids = table["Patient ID"].iloc[0]
    table["Laterality"] = table["Patient ID"]
    table["Race recode (W, B, AI, API)"] = [f"R{i}" for i in range(len(table))]
    table.to_csv(tmp_path / "x.csv", index=False)
    exit_code, output = check(tmp_path / "x.csv")
    assert exit_code == 2
    assert "SL-578 field 'laterality' has 800 cells that the code book does not know: '99999999'." in output
    assert "'R9', 'R99', 'R999'" in output
    assert ids not in output


def test_labels_that_the_recipe_does_not_read_stop_nothing(tmp_path, table):
    table.loc[0, "Race recode (White, Black, Other)"] = "Blue"
    table.to_csv(tmp_path / "x.csv", index=False)
    report = examine(tmp_path / "x.csv", recipe=EPI)
    assert report["fine"]
    assert "columns that the recipe does not need: race_wbo" in " ".join(report["notes"])
    assert "SL-578" in problems(examine(tmp_path / "x.csv"))


def test_contradicting_and_copied_records_are_found(tmp_path, table):
    table["Sex"] = "Female"
    pd.concat([table, table.iloc[:3]]).to_csv(tmp_path / "x.csv", index=False)
    assert examine(tmp_path / "x.csv", recipe=EPI)["patients"]["copies"] == 3
    other = table.iloc[:3].assign(Sex="Male")
    pd.concat([table, other]).to_csv(tmp_path / "x.csv", index=False)
    for recipe in (None, EPI):
        assert "sex (3 patients)" in problems(examine(tmp_path / "x.csv", recipe=recipe))["SL-591"]
    table.assign(**{"Patient ID": ""}).to_csv(tmp_path / "x.csv", index=False)
    assert "SL-597" in problems(examine(tmp_path / "x.csv", recipe=EPI))


def test_codes_among_labels_are_found(tmp_path, table):
    table.loc[:99, "Sex"] = "2"
    table.to_csv(tmp_path / "x.csv", index=False)
    assert "SL-579" in problems(examine(tmp_path / "x.csv"))


def test_lines_that_cannot_be_read_are_counted_by_reason(tmp_path):
    export = seer_export(tmp_path, 300, broken=30, random_state=5)
    report = examine(export.path)
    assert sum(report["quarantined"].values()) == 30
    assert report["rows"] == len(export.truth)
    assert {"SL-570", "SL-559"} <= set(problems(report))
    assert "--max-quarantine SHARE" in problems(report)["SL-570"]
    assert "Lines that cannot be read: 30: " in check(export.path)[1]


def test_columns_with_other_names_are_listed_and_can_be_named(tmp_path, table):
    table.rename(columns={"Laterality": "side"}).to_csv(tmp_path / "x.csv", index=False)
    report = examine(tmp_path / "x.csv")
    assert report["columns"]["unknown"] == ["side"]
    report = examine(tmp_path / "x.csv", aliases={"laterality": "side"})
    assert report["columns"]["unknown"] == []
    assert "SL-581" in problems(examine(tmp_path / "x.csv", aliases={"laterality": "sides"}))


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("x.txt", b"<!DOCTYPE html><html>", "SL-561"),
        ("x.zip", b"PK\x03\x04" + bytes(30), "SL-561"),
        ("x.csv", b"", "SL-563"),
        ("x.csv", b"1\t2\t3\n4\t5\t6\n", "SL-564"),
        ("x.csv", b"Patient ID,Sex,Sex\n1,2,2\n", "SL-566"),
        ("x.parquet", b"PAR1 no", "SL-502"),
    ],
)
def test_what_is_no_table_is_to_be_mended(tmp_path, name, content, code):
    (tmp_path / name).write_bytes(content)
    exit_code, output = check(tmp_path / name)
    assert exit_code == 2
    assert f"To mend: {code} " in output
    assert json.loads(check(tmp_path / name, "--json")[1])["fine"] is False


def test_a_table_without_a_recipe_is_described(tmp_path):
    exit_code, output = check(SAMPLES / "gbsg2.csv")
    assert exit_code == 0
    assert "a table." in output
    (tmp_path / "x.csv").write_text("id;grade;died;days\n7;I;true;2020-01-01\n8;;false;\n8;;false;\n")
    report = examine(tmp_path / "x.csv")
    kinds = {name: each["kind"] for name, each in report["table"].items()}
    assert kinds == {"id": "numbers", "grade": "text", "died": "flags", "days": "dates"}
    assert report["table"]["grade"]["missing"] == 2
    assert report["notes"] == ["1 row is an exact copy of another one."]


def test_what_options_say_of_a_table_is_no_fault_of_it(tmp_path):
    (tmp_path / "x.csv").write_text("id;grade;size\n007;I;1,5\n008;;2\n")
    assert check(tmp_path / "x.csv")[0] == 0
    report = examine(tmp_path / "x.csv")
    commas, zeros = report["notes"]
    assert commas.startswith("SL-508 'size'")
    assert "--decimal" in commas
    assert zeros.startswith("SL-509 'id'")
    assert "--category or, of labels, --id COLUMN" in zeros
    assert [each["kind"] for each in report["table"].values()] == ["numbers", "text", "numbers"]


def test_a_table_is_held_against_its_recipe(tmp_path):
    report = examine(SAMPLES / "rotterdam.csv", recipe="rotterdam")
    assert report["fine"]
    assert report["patients"]["copies"] == 3
    table = pd.read_csv(SAMPLES / "rotterdam.csv").drop(columns=["pgr", "er"])
    table.to_parquet(tmp_path / "x.parquet")
    report = examine(tmp_path / "x.parquet", recipe="rotterdam")
    assert {each["field"] for each in report["missing"]} == {"pgr", "er"}
    assert examine(tmp_path / "x.parquet")["fine"]


def test_a_cohort_is_known_and_changes_to_it_are_found(tmp_path):
    build_cohort(SAMPLES / "gbsg2.csv", "gbsg2").write(tmp_path / "x.parquet")
    report = examine(tmp_path / "x.parquet")
    assert report["fine"]
    assert report["kind"] == "a cohort made by recipe 'gbsg2'"
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(tmp_path / "x.parquet").slice(1), tmp_path / "x.parquet")
    assert "SL-598" in problems(examine(tmp_path / "x.parquet"))


def test_mistakes_of_the_call_are_one_line(tmp_path):
    for arguments, code in (
        ([tmp_path / "none.csv"], "SL-501"),
        ([SAMPLES / "gbsg2.csv", "--recipe", "gbsg3"], "SL-583"),
        ([SAMPLES / "gbsg2.csv", "--recipe", "gbsg2", "--set", "a=b"], "SL-588"),
        ([SAMPLES / "gbsg2.csv", "--alias", "a"], "SL-555"),
    ):
        exit_code, output = check(*arguments)
        assert exit_code == 2
        assert output.startswith(f"error: {code} ")
