import gzip

import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.reading import read_table


@pytest.fixture
def table(tmp_path):
    def read(content: bytes, name="patients.csv", **form):
        (tmp_path / name).write_bytes(content)
        return read_table(tmp_path / name, **form)

    return read


def code(table, content, name="patients.csv", **form):
    with pytest.raises(InputError) as caught:
        table(content, name, **form)
    return caught.value.code


PLAIN = b"id,age,grade\n007,61.5,NA\n010,,None\n"
PACKED = gzip.compress(PLAIN, mtime=0)  # the time would be part of the test's name


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        (PLAIN, "a.csv", {}),
        (b"\xef\xbb\xbf" + PLAIN, "bom.csv", {}),
        (PLAIN.replace(b"\n", b"\r\n"), "crlf.csv", {}),
        (PLAIN.replace(b"\n", b"\r"), "cr.csv", {}),
        (PACKED, "a.csv.gz", {}),
        (PLAIN.replace(b",", b";"), "semicolon.csv", {"sep": ";"}),
        (PLAIN.replace(b",", b";").replace(b".", b","), "comma.csv", {"sep": ";", "decimal": ","}),
        (PLAIN.replace(b",", b"\t"), "a.tsv", {"sep": "\t"}),
        (b"\n" + PLAIN + b"\n\n", "blank.csv", {}),
        (PLAIN.decode().encode("utf-16"), "utf16.csv", {"encoding": "utf-16"}),
    ],
)
def test_every_dialect_gives_the_same_table(table, content, name, form):
    found = table(content, name, text=["id"], **form)
    expected = pd.DataFrame({"id": ["007", "010"], "age": [61.5, np.nan], "grade": ["NA", "None"]})
    pd.testing.assert_frame_equal(found, expected)


def test_types_are_those_of_all_cells(table):
    found = table(b"n,x,flag,day,late\n1,1e3,True,2020-01-31,1\n 2 ,-.5,FALSE,2020-02-01,x\n,,,,\n")
    assert found["n"].tolist()[:2] == [1, 2]
    assert found["x"].tolist()[:2] == [1000, -0.5]
    assert found["flag"].tolist() == [True, False, pd.NA]
    assert found["day"].dtype.kind == "M"
    assert found["late"].tolist() == ["1", "x", None]


def test_quoted_cells_keep_separators_quotes_and_line_breaks(table):
    assert table(b'a,b\n"x, ""y""\nz",1\n')["a"].tolist() == ['x, "y"\nz']


def test_latin_1_where_it_is_named(table):
    content = "sex,n\nmännlich,1\n".encode("latin-1")
    assert table(content, encoding="latin-1")["sex"].tolist() == ["männlich"]
    with pytest.raises(InputError, match=r"SL-503 .*byte 7 .*--encoding"):
        table(content)


def test_parquet_keeps_types_and_a_named_index(tmp_path):
    frame = pd.DataFrame({"age": [61, 48], "id": [7, 10]}).set_index("id")
    frame.to_parquet(tmp_path / "patients.parquet")
    found = read_table(tmp_path / "patients.parquet", text=["id"])
    assert found["id"].tolist() == ["7", "10"]
    assert found["age"].tolist() == [61, 48]


def test_feather_reads_as_parquet_does(tmp_path):
    frame = pd.DataFrame({"x0": np.array([5.5, 61.25], dtype=np.float32), "id": ["007", "010"], "event": [1, 0]})
    frame.to_feather(tmp_path / "patients.feather")
    frame.to_parquet(tmp_path / "patients.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "patients.feather"), read_table(tmp_path / "patients.parquet"))
    assert read_table(tmp_path / "patients.feather")["id"].tolist() == ["007", "010"]
    whole = (tmp_path / "patients.feather").read_bytes()
    for place in (9, len(whole) // 3, len(whole) // 2, len(whole) - 9):
        (tmp_path / "cut.feather").write_bytes(whole[:place])
        with pytest.raises(InputError, match="SL-502"):
            read_table(tmp_path / "cut.feather")


def test_leading_zeros_are_codes_or_numbers_by_choice(table):
    content = b"county\n001\n027\n"
    assert code(table, content) == "SL-509"
    assert table(content, numbers=["county"])["county"].tolist() == [1, 27]
    assert table(content, text=["county"])["county"].tolist() == ["001", "027"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a,b\n1,2\n1,2,3\n", 3),
        (b"a,b\n1,2\n\n7\n", 4),
        (b'a,b\n1,"two\nlines"\n7\n', 4),
        (b'a,b\n1,2\n1,"2\n3,4\n', 3),
    ],
)
def test_a_ragged_row_is_named_by_its_line(table, content, line):
    with pytest.raises(InputError, match=f"SL-505 line {line} "):
        table(content)


def test_the_missing_file_and_the_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="SL-501"):
            read_table(path)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"PK", "a.xlsx", "SL-502"),
        (PACKED[:-9], "a.csv.gz", "SL-502"),
        (b"no gzip", "a.csv.gz", "SL-502"),
        (b"no parquet", "a.parquet", "SL-502"),
        (b"no feather", "a.feather", "SL-502"),
        (b"", "a.csv", "SL-504"),
        (b"age,age\n1,2\n", "a.csv", "SL-504"),
        (b"a,b\n", "a.csv", "SL-506"),
        (b"a;b\n1;2\n", "a.csv", "SL-507"),
        (b'a,b\n"1,5",2\n', "a.csv", "SL-508"),
    ],
)
def test_what_cannot_be_read_is_refused(table, content, name, expected):
    assert code(table, content, name) == expected


def test_an_unknown_encoding_is_refused(table):
    assert code(table, PLAIN, encoding="klingon") == "SL-513"


def test_errors_show_no_cell(table):
    for content in (b"a,b\n1,2\nsecret,2,3\n", b"a,b\nsecret,\xe9\n"):
        with pytest.raises(InputError) as caught:
            table(content)
        assert "secret" not in str(caught.value)
