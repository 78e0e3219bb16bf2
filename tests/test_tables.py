import csv
import os
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from survlspin.errors import InputError
from survlspin.tables import read_csv, write_counts, write_csv, write_parquet

FRAME = pd.DataFrame({"patient": ["007"], "n": [1]})
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
starts = st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "\n", "'", "'=", "''-", "＝", " ", "1"])


@given(st.lists(st.builds(str.__add__, starts, cells), min_size=1, max_size=20))
@settings(max_examples=150, deadline=None)
def test_every_text_comes_back_and_none_runs(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    frame = pd.DataFrame({"patient": texts, "value": texts[::-1], "gate": 0.1})
    write_csv([frame[:3], frame[3:]], path, frame.columns)
    assert_frame_equal(read_csv(path), frame)
    with path.open(newline="", encoding="utf-8") as file:
        written = [row[0] for row in csv.reader(file)][1:]
    number = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
    assert all(cell[:1] not in tuple("=+-@\t\r\n＝") or number.fullmatch(cell) for cell in written)


@given(st.floats(allow_infinity=False))
def test_numbers_come_back_to_the_last_digit(tmp_path_factory, number):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    frame = pd.DataFrame({"patient": [str(number)], "value": ["-1.5"], "log_hr": [number]})
    write_csv([frame], path, frame.columns)
    assert_frame_equal(read_csv(path), frame, check_exact=True)
    assert "'" not in path.read_text() or "nan" in str(number)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_paths_that_cannot_be_written(tmp_path, monkeypatch, write):
    with pytest.raises(InputError, match="SL-521"):
        write([FRAME], tmp_path / "no" / "t.csv", FRAME.columns)
    with pytest.raises(InputError, match="SL-522"):
        write([FRAME], tmp_path, FRAME.columns)
    old = tmp_path / "t.csv"
    old.write_text("old")

    def full(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"SL-523 .*No space left on device"):
        write([FRAME], old, FRAME.columns)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_failure_midway_leaves_the_old_file(tmp_path):
    old = tmp_path / "t.csv"
    old.write_text("old")

    def frames():
        yield FRAME
        raise InputError("SL-441", "midway")

    with pytest.raises(InputError, match="midway"):
        write_csv(frames(), old, FRAME.columns)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_patients_files_are_private(tmp_path):
    write_csv([FRAME], tmp_path / "t.csv", FRAME.columns)
    assert (tmp_path / "t.csv").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "content", [b"", b"patient,gate\n1,2,3\n", b"patient,gate\n\xff,1\n", b"gate\nx\n", b"who\n1\n"]
)
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match="SL-525"):
        read_csv(tmp_path / "t.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"SL-524 .*none\.csv"):
        read_csv(tmp_path / "none.csv")


def test_counts_have_columns_of_any_name_and_labels_that_do_not_run(tmp_path):
    counts = pd.DataFrame([[2, 1], [0, 0], [3, 3]], index=["007", "=1+1", "-5"], columns=["models", "models"])
    write_counts(counts, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["patient", "models", "models"]
    assert rows == [["007", "2", "1"], ["'=1+1", "0", "0"], ["-5", "3", "3"]]
    assert (tmp_path / "t.csv").stat().st_mode & 0o077 == 0
