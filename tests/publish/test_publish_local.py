import json
import shutil
import stat
from functools import partialmethod

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import invoke

import survlspin
from survlspin.errors import InputError
from survlspin.publish.checking import check
from survlspin.publish.local import export
from survlspin.publish.schema import BANNER, schema
from survlspin.tables import read_csv

COLUMNS = ("--time", "months", "--event", "died")
FIT = ("--model", "CoxLLSPIN", "--lam", "0.02", "--members", "2", "--set", "epochs=3")


def patients(n=150) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    age, grade = rng.normal(60, 10, n).round(1), rng.choice(["I", "II", "=III"], n)
    time = rng.exponential(60 * np.exp(-0.08 * (age - 60) - (grade == "=III")))
    labels = [f"SECRET-{i:03}" for i in range(n)]
    died = (time < 100).astype(int)
    return pd.DataFrame({"who": labels, "age": age, "grade": grade, "months": np.ceil(time.clip(0, 100)), "died": died})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fitted model, its patients, and what is exported of them."""
    folder = tmp_path_factory.mktemp("local")
    patients().to_csv(folder / "patients.csv", index=False)
    fit = ("fit", "--data", folder / "patients.csv", *COLUMNS, "--id", "who", *FIT, "--out", folder / "fit")
    assert invoke(*fit)[0] == 0
    code, said = invoke("factors", "export", folder / "fit", "--out", folder / "out", "--horizon", 60)
    assert code == 0, said
    return folder


def test_ids_with_leading_zeros_need_not_be_asked_for(tmp_path):
    patients().assign(who=[f"{i:04}" for i in range(150)]).to_csv(tmp_path / "patients.csv", index=False)
    fit = ("fit", "--data", tmp_path / "patients.csv", *COLUMNS, "--id", "who", *FIT, "--out", tmp_path / "fit")
    assert invoke(*fit)[0] == 0
    code, said = invoke("factors", "explain", tmp_path / "fit", "--patient", 7)
    assert code == 0, said
    code, said = invoke("factors", "explain", tmp_path / "fit", "--patient", "0007", "--id", "nope")
    assert (code, "SL-511" in said) == (2, True)


def test_files_are_for_their_keeper(folder):
    out = folder / "out"
    names = {"LOCAL-ONLY-card.json", "LOCAL-ONLY-factors.csv", "LOCAL-ONLY-factors.parquet", "LOCAL-ONLY-patients.csv"}
    assert {path.name for path in out.iterdir()} == names | {"LOCAL-ONLY-patients.parquet", "schema.json"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    for path in out.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"SECRET" not in path.read_bytes()
    for name in ("factors", "patients"):
        assert (out / f"LOCAL-ONLY-{name}.csv").read_text(encoding="utf-8").startswith(f"# {BANNER}; schema ")
        metadata = pq.read_schema(out / f"LOCAL-ONLY-{name}.parquet").metadata
        assert metadata[b"survlspin_local"].decode().startswith(BANNER)
    assert json.loads((out / "schema.json").read_text(encoding="utf-8")) == schema()


def test_both_kinds_say_the_same_and_are_read_again(folder):
    for name in ("factors", "patients"):
        text = read_csv(folder / "out" / f"LOCAL-ONLY-{name}.csv")
        columns = pd.read_parquet(folder / "out" / f"LOCAL-ONLY-{name}.parquet")
        assert text["patient"].unique().tolist() == [str(i) for i in range(150)]
        pd.testing.assert_frame_equal(text, columns, check_dtype=False)
    factors = read_csv(folder / "out" / "LOCAL-ONLY-factors.csv")
    model = survlspin.load(folder / "fit" / "model")
    expected = model.risk_factors(patients()[["age", "grade"]]).frame
    pd.testing.assert_frame_equal(factors, expected, check_dtype=False)


def test_formulas_are_escaped_and_labels_are_there_when_asked_for(folder):
    data = patients().assign(who=[f"=cmd{i}" for i in range(150)])
    data.to_csv(folder / "formulas.csv", index=False)
    more = ("--data", folder / "formulas.csv", "--id", "who", "--out", folder / "named")
    assert invoke("factors", "export", folder / "fit", *more)[0] == 0
    path = folder / "named" / "LOCAL-ONLY-factors.csv"
    assert '"\'=cmd0"' in path.read_text(encoding="utf-8")
    assert read_csv(path)["patient"].iloc[0] == "=cmd0"
    assert check(path)["table"] == "factors"


def test_a_file_that_was_exported_is_fine(folder):
    for path in sorted((folder / "out").glob("LOCAL*s.*")):
        code, said = invoke("factors", "check", path)
        assert code == 0, said
        table = path.stem.removeprefix("LOCAL-ONLY-")
        assert f"rows of table {table}, schema 1" in " ".join(said.split())
        assert "add up to the log-risk" in " ".join(said.split())


def test_labels_that_rows_share_are_noted(folder, tmp_path):
    patients().assign(who=np.arange(150) // 2).to_csv(tmp_path / "twice.csv", index=False)
    more = ("--data", tmp_path / "twice.csv", "--id", "who", "--out", tmp_path / "out")
    code, said = invoke("factors", "export", folder / "fit", *more)
    assert (code, "SL-680 rows whose label an earlier row has: 75." in said) == (0, True)


def test_a_folder_that_is_open_to_others_is_refused(folder, tmp_path):
    tmp_path.chmod(0o755)
    code, said = invoke("factors", "export", folder / "fit", "--out", tmp_path)
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "SL-671" in said


def test_a_model_without_factors_is_refused(tmp_path):
    with pytest.raises(InputError, match="SL-673"):
        export(object(), patients(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def edited(folder, tmp_path, change, name="factors"):
    """A copy of an exported CSV, its lines changed."""
    lines = (folder / "out" / f"LOCAL-ONLY-{name}.csv").read_text(encoding="utf-8").splitlines()
    path = tmp_path / "edited.csv"
    path.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    return path


def cell(column: str, value: str, name="factors"):
    """Put a value into a column of the third row."""
    j = [field["name"].replace("{horizon}", "60") for field in schema()["tables"][name]["fields"]].index(column)

    def change(lines):
        cells = lines[4].split(",")
        cells[j] = value
        return [*lines[:4], ",".join(cells), *lines[5:]]

    return change


FAULTS = [
    (lambda lines: lines[1:], "SL-668", "does not say that it is local"),
    (lambda lines: [lines[0].replace(" 1,", " 2,"), *lines[1:]], "SL-668", "schema 2"),
    (lambda lines: [lines[0], lines[1].replace("gate", "gait"), *lines[2:]], "SL-667", "gait"),
    (lambda lines: [*lines[:4], lines[4] + ",1", *lines[5:]], "SL-669", "16 cells"),
    (cell("gate", "open"), "SL-669", "'gate': 1 of"),
    (cell("gate", "1.5"), "SL-669", "outside 0 to 1"),
    (cell("log_hr", "inf"), "SL-669", "infinite"),
    (cell("open", "yes"), "SL-669", "no boolean"),
    (cell("agree", "1.5"), "SL-669", "no integer"),
    (cell("patient", '""'), "SL-669", "empty"),
    (cell("role", '"other"'), "SL-669", "none of"),
    (cell("hr", "7.5"), "SL-670", "exp"),
    (cell("low", "9"), "SL-670", "between"),
    (cell("of", "1"), "SL-670", "more than"),
]


@pytest.mark.parametrize(("change", "code", "words"), FAULTS, ids=[f"{i}-{fault[1]}" for i, fault in enumerate(FAULTS)])
def test_what_is_wrong_with_a_file_is_named(folder, tmp_path, change, code, words):
    path = edited(folder, tmp_path, change)
    exit_code, said = invoke("factors", "check", path)
    assert exit_code == 2
    assert code in said
    assert words in " ".join(said.split())
    assert "7.5" not in said
    if "'gate': 1 of" in words:
        assert "first at position 2" in said


def test_what_is_wrong_with_patients_is_named(folder, tmp_path):
    for column, value, code in (("risk_60_low", "0.99", "SL-670"), ("residual", "0.1", "SL-669")):
        path = edited(folder, tmp_path, cell(column, value, "patients"), "patients")
        with pytest.raises(InputError, match=code):
            check(path)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("patients", cell("log_risk", "7.5", "patients"), "SL-679"),
        ("patients", lambda lines: lines[:-1], "SL-672"),
        ("patients", lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "SL-672"),
        ("factors", lambda lines: lines[:-1], "SL-672"),
        ("factors", cell("role", '"other"'), "SL-669"),
    ],
    ids=["log-risk", "patient-left-out", "other-order", "factor-left-out", "wrong-beside"],
)
@pytest.mark.parametrize("checked", ["factors", "patients"])
def test_both_files_together_must_add_up(folder, tmp_path, name, change, code, checked):
    shutil.copytree(folder / "out", tmp_path / "out")
    edited(folder, tmp_path, change, name).replace(tmp_path / "out" / f"LOCAL-ONLY-{name}.csv")
    exit_code, said = invoke("factors", "check", tmp_path / "out" / f"LOCAL-ONLY-{checked}.csv")
    assert (exit_code, code in said) == (2, True)
    assert "7.5" not in said
    if code == "SL-679":
        assert "patients, 1 of 150 rows, first at position 2" in " ".join(said.split())
    if code == "SL-669":
        assert "LOCAL-ONLY-factors.csv: column 'role'" in " ".join(said.split())


def test_both_files_are_compared_block_by_block(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.iter_batches", partialmethod(pq.ParquetFile.iter_batches, 7))
    path = folder / "out" / "LOCAL-ONLY-patients.parquet"
    assert check(path) == {"table": "patients", "schema": 1, "rows": 150, "beside": "LOCAL-ONLY-factors.parquet"}
    shutil.copy(path, tmp_path)
    code, said = invoke("factors", "check", tmp_path / path.name)
    assert (code, "was not checked" in " ".join(said.split())) == (0, True)


def test_effects_that_are_empty_are_not_added(folder, tmp_path):
    shutil.copytree(folder / "out", tmp_path / "out")
    for name in ("log_hr", "hr", "low", "high"):
        edited(tmp_path, tmp_path, cell(name, "")).replace(tmp_path / "out" / "LOCAL-ONLY-factors.csv")
    assert check(tmp_path / "out" / "LOCAL-ONLY-factors.csv")["beside"] == "LOCAL-ONLY-patients.csv"


def test_what_is_wrong_with_a_parquet_file_is_named(folder, tmp_path):
    table = pq.read_table(folder / "out" / "LOCAL-ONLY-patients.parquet")
    path = tmp_path / "other.parquet"
    pq.write_table(table.replace_schema_metadata({}), path)
    with pytest.raises(InputError, match="SL-668"):
        check(path)
    place = table.column_names.index("n_factors")
    pq.write_table(table.set_column(place, "n_factors", table["n_factors"].cast(pa.float64())), path)
    with pytest.raises(InputError, match=r"SL-669.*n_factors"):
        check(path)
    path.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(InputError, match="SL-667"):
        check(path)
    with pytest.raises(InputError, match="SL-501"):
        check(tmp_path / "none.parquet")


def test_the_command_publishes(folder):
    out = folder / "public"
    code, said = invoke("factors", "publish", folder / "fit", "--min-cell", 5, "--subgroup", "grade", "--out", out)
    assert code == 0, said
    assert "no count from 1 to 4" in said
    for path in out.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "SECRET" not in text
        assert str(folder) not in text
    code, said = invoke("factors", "publish", folder / "fit", "--min-cell", 1, "--out", out)
    assert (code, "SL-674" in said) == (2, True)


def test_what_was_noted_when_the_model_was_made_is_not_said_again(tmp_path):
    path = tmp_path / "days.csv"
    patients().assign(months=patients()["months"] * 30).to_csv(path, index=False)
    fit = ("fit", "--data", path, *COLUMNS, "--id", "who", "--model", "CoxLLSPIN", "--lam", 0.02, "--set", "epochs=1")
    again = ("factors", "publish", tmp_path / "fit", "--out", tmp_path / "public")
    said = [invoke(*command)[1] for command in ((*fit, "--out", tmp_path / "fit"), again, (*again, "--data", path))]
    assert ["Audit" in text for text in said] == [False, True, True]
    assert [text.count("SL-118") for text in said] == [1, 0, 1]
