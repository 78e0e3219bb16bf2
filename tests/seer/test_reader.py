import gzip
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seer.exports import LABELS, NAMES, dic_bytes, fixed, line, listing, written

from survlspin.errors import InputError
from survlspin.seer import open_export, read_export, reader

TABLE = listing()
FORMS = [
    {"delimiter": delimiter, "quoted": quoted, "header": header}
    for delimiter, quoted, header in itertools.product(("tab", "comma", "semicolon"), (False, True), (True, False))
]
FORMS += [
    {"gz": True},
    {"bom": True, "encoding": "utf-8"},
    {"encoding": "utf-8"},
    {"encoding": "utf-8", "gz": True, "header": False, "delimiter": "comma", "bom": True},
    {"missing": "period"},
    {"missing": '"NA"'},
    {"thousands": True},
    {"thousands": True, "delimiter": "comma"},
    {"end": "\n"},
    {"dic": False},
    {"dic": False, "delimiter": "semicolon", "gz": True},
    {"dic": False, "delimiter": "comma", "quoted": True},
]


def texts(export):
    """The cells without their categories."""
    return export.table.astype(object)


def code(call, *arguments, **how):
    with pytest.raises(InputError) as caught:
        call(*arguments, **how)
    return caught.value.code


@pytest.mark.parametrize("engine", ["pandas", "polars"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: " ".join(f"{k}={v}" for k, v in form.items()))
def test_one_table_reads_the_same_in_every_form(tmp_path, form, engine):
    export = read_export(written(TABLE, tmp_path, **form), engine=engine)
    pd.testing.assert_frame_equal(texts(export), TABLE)
    assert export.quarantine.empty
    first = 1 + form.get("header", True)
    assert export.lines.tolist() == list(range(first, first + len(TABLE)))


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_fixed_width_file_reads_by_its_sas(tmp_path, end):
    export = read_export(fixed(TABLE, tmp_path, end))
    assert tuple(export.table) == ("PUBCSNUM", "SEX", "GRADE", "SURGPRIF", "SRV_TIME_MON", "RAD")
    np.testing.assert_array_equal(texts(export), TABLE)
    assert export.facts["form"] == "fixed"
    assert export.facts["submission"] == "Nov 2018"
    assert export.lines.tolist() == list(range(1, len(TABLE) + 1))


def test_columns_are_categories_unless_most_cells_differ(tmp_path):
    table = read_export(written(TABLE, tmp_path)).table
    assert table["Patient ID"].dtype == object
    assert set(table.dtypes.drop("Patient ID").astype(str)) == {"category"}
    for name in NAMES[1:]:
        assert list(table[name].cat.categories) == sorted(set(TABLE[name]))


def test_only_the_columns_asked_for_are_read_in_the_files_order(tmp_path):
    source = open_export(written(TABLE, tmp_path))
    for engine in ("pandas", "polars"):
        export = source.read(["Survival months", "Sex"], engine=engine)
        pd.testing.assert_frame_equal(texts(export), TABLE[["Sex", "Survival months"]])
    assert list(export.formats) == ["Sex"]
    assert source.read([]).table.shape == (len(TABLE), 0)
    with pytest.raises(InputError, match=r"SL-572 .*'Sx' \(did you mean 'Sex'\?\)"):
        source.read(["Sx"])


@pytest.mark.parametrize("size", [200, 5000, 1 << 20])
@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_the_size_of_blocks_changes_nothing(tmp_path, monkeypatch, size, engine):
    path = written(TABLE, tmp_path)
    content = path.read_bytes().split(b"\r\n")
    content[7], content[100] = b"short", b"\xff\xfe\t" * 5 + b"\x81"
    path.write_bytes(b"\r\n".join(content))
    monkeypatch.setattr(reader, "BLOCK", size)
    export = read_export(path, engine=engine)
    pd.testing.assert_frame_equal(texts(export), TABLE.drop([6, 99]).reset_index(drop=True))
    assert export.quarantine.to_numpy().tolist() == [[8, "1 cells instead of 6"], [101, "bytes that are no cp1252"]]


def test_the_facts_can_be_written_down(tmp_path):
    source = open_export(written(TABLE, tmp_path))
    facts = source.read().facts
    assert {key: facts[key] for key in source.facts if key != "encoding"} == {
        "file": "export.txt",
        "bytes": source.path.stat().st_size,
        "database": "Incidence - SEER Research Data, 9 Registries, Nov 2018 Sub (1975-2016 varying) - Linked",
        "submission": "Nov 2018",
        "years": [1975, 2016],
        "cutoff": None,
        "form": "labels",
        "delimiter": "tab",
        "header": True,
    }
    assert (facts["encoding"], facts["lines"], facts["rows"], facts["quarantined"]) == ("cp1252", 241, 240, 0)
    assert facts["cut_off"] is False
    assert len(facts["sha256"]["file"]) == len(facts["sha256"]["dic"]) == 64


def test_hash_is_of_the_file_as_it_is(tmp_path):
    import hashlib

    for form in ({}, {"gz": True}, {"bom": True, "encoding": "utf-8"}):
        path = written(TABLE, tmp_path, **form)
        assert read_export(path).facts["sha256"]["file"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_dic_says_which_columns_are_codes(tmp_path):
    path = written(TABLE, tmp_path)
    (tmp_path / "export.dic").write_bytes(dic_bytes(more=["Var2DisplayType=Unformatted", "Var2Base=Sex~Race"]))
    export = read_export(path)
    assert export.unformatted == {"Sex"}
    assert export.formats == {"Sex": {"0": "Male and female", "1": "Male", "2": "Female"}}
    assert export.facts["form"] == "unformatted"
    assert read_export(written(TABLE, tmp_path)).unformatted == frozenset()


@pytest.mark.parametrize(
    ("where", "name"),
    [(".", "export.dic"), (".", "export.DIC"), (".", "export.txt.dic"), ("elsewhere", "other.dic")],
)
def test_the_dic_is_found_beside_the_export_or_where_one_says(tmp_path, where, name):
    path = written(TABLE, tmp_path, header=False)
    (tmp_path / where).mkdir(exist_ok=True)
    (tmp_path / "export.dic").rename(tmp_path / where / name)
    how = {"dic": tmp_path / where / name} if where != "." else {}
    assert open_export(path, **how).names == NAMES


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_sas_of_the_registry_is_found_above_its_folders(tmp_path, depth):
    folder = tmp_path.joinpath(*["incidence", "yr1975_2016.seer9", "breast"][:depth])
    folder.mkdir(parents=True, exist_ok=True)
    path = fixed(TABLE, folder)
    sas = folder / "read.seer.research.nov2018.sas"
    sas.rename(tmp_path / sas.name)
    np.testing.assert_array_equal(texts(read_export(path)), TABLE)


def test_a_sas_that_places_nothing_belongs_to_a_delimited_export(tmp_path):
    path = written(TABLE, tmp_path, dic=False)
    (tmp_path / "export.sas").write_text("data in; infile 'export.txt' delimiter='09'x; input a b c; run;")
    assert open_export(path).names == NAMES


def test_a_table_of_ones_own_may_lie_below_a_sas_and_a_fixed_width_file_beside_a_dic(tmp_path):
    path = fixed(TABLE, tmp_path)
    (tmp_path / "BREAST.dic").write_bytes(dic_bytes())
    assert open_export(path).facts["form"] == "fixed"
    assert open_export(written(TABLE, tmp_path, dic=False)).facts["form"] == "csv"
    assert open_export(written(TABLE, tmp_path)).facts["form"] == "labels"


def broken_lines(mark):
    """Lines that are none, with the reason."""
    whole = line(TABLE.iloc[5], mark).encode("cp1252")
    cut = whole.rsplit(mark.encode(), 1)[0]
    return [
        (cut, "5 cells instead of 6"),
        (whole + mark.encode() + b"x", "7 cells instead of 6"),
        (whole + b'"', "a quote that does not open or close a cell"),
        (whole.replace(b"0", b'0"', 1), "a quote that does not open or close a cell"),
        (b'"' + whole, "a quote that does not open or close a cell"),
        (b'"a"b' + cut[1:], "a quote that does not open or close a cell"),
        (whole[:4] + b"\x00" + whole[4:], "a control character within the line"),
        (whole[:4] + b"\r" + whole[4:], "a control character within the line"),
        (whole + b"\r\r", "a control character within the line"),
        (whole[:4] + b"\x1a" + whole[4:], "a control character within the line"),
        (whole[:3] + b"\x81\x8d" + whole[3:], "bytes that are no cp1252"),
        (b"", "nothing on it"),
    ]


@pytest.mark.parametrize("engine", ["pandas", "polars"])
@pytest.mark.parametrize(
    "form", [{}, {"quoted": True, "delimiter": "comma"}, {"delimiter": "semicolon", "gz": True, "end": "\n"}], ids=str
)
def test_broken_lines_are_quarantined_and_no_others(tmp_path, form, engine):
    mark = {"comma": ",", "semicolon": ";"}.get(form.get("delimiter"), "\t")
    path = written(TABLE, tmp_path, **form)
    opener = gzip.open if form.get("gz") else open
    end = form.get("end", "\r\n").encode()
    with opener(path, "rb") as file:
        lines = file.read().split(end)[:-1]
    rng, expected = np.random.default_rng(1), []
    for content, reason in broken_lines(mark):
        lines.insert(int(rng.integers(1, len(lines) - 1)), (content, reason))
    expected = [[i, entry[1]] for i, entry in enumerate(lines, 1) if isinstance(entry, tuple)]
    whole = b"".join((entry[0] if isinstance(entry, tuple) else entry) + end for entry in lines)
    cut = lines[30][:-1] if isinstance(lines[30], bytes) else lines[31][:-1]
    expected.append([len(lines) + 1, "no line end: the file is cut off"])
    with opener(path, "wb") as file:
        file.write(whole + cut)
    export = read_export(path, engine=engine, max_quarantine=0.1)
    assert export.quarantine.to_numpy().tolist() == expected
    pd.testing.assert_frame_equal(texts(export), TABLE)
    assert sorted([*export.lines, *export.quarantine["line"], 1]) == list(range(1, len(lines) + 2))
    assert (export.facts["quarantined"], export.facts["cut_off"]) == (len(expected), True)


def test_broken_lines_of_a_fixed_width_file_are_quarantined(tmp_path):
    path = fixed(TABLE, tmp_path)
    lines = path.read_bytes().split(b"\r\n")
    lines[9:9] = [lines[9][:-1], lines[9] + b" ", b"\x01" + lines[9][1:], b"", b"\x81" + lines[9][1:]]
    path.write_bytes(b"\r\n".join(lines) + b"cut")
    export = read_export(path, max_quarantine=0.1)
    assert export.quarantine.to_numpy().tolist() == [
        [10, "103 bytes instead of 104"],
        [11, "105 bytes instead of 104"],
        [12, "a control character within the line"],
        [13, "nothing on it"],
        [14, "bytes that are no cp1252"],
        [246, "no line end: the file is cut off"],
    ]
    np.testing.assert_array_equal(texts(export), TABLE)


def test_blank_lines_at_the_end_are_none(tmp_path):
    path = written(TABLE, tmp_path)
    path.write_bytes(path.read_bytes() + b"\r\n\r\n\n")
    export = read_export(path)
    assert export.quarantine.empty
    assert export.facts["rows"] == 240


def test_a_table_of_ones_own_may_lack_its_last_line_end_and_an_export_may_not(tmp_path):
    for dic, rows in ((False, 240), (True, 239)):
        path = written(TABLE, tmp_path, dic=dic)
        path.write_bytes(path.read_bytes().removesuffix(b"\r\n"))
        assert len(read_export(path).table) == rows


@pytest.mark.parametrize(
    ("encoding", "given", "found"),
    [
        ("cp1252", None, "cp1252"),
        ("utf-8", None, "utf-8"),
        ("utf-8", "utf-8", "utf-8"),
        ("latin-1", "latin-1", "latin-1"),
    ],
)
def test_the_encoding_is_told_by_the_bytes(tmp_path, encoding, given, found):
    table = TABLE.assign(Sex="Größe à")
    table["Radiation"] = "none"
    path = written(table, tmp_path, encoding=encoding)
    export = read_export(path, encoding=given)
    pd.testing.assert_frame_equal(texts(export), table)
    assert export.facts["encoding"] == found


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
@pytest.mark.parametrize("dic", [True, False])
def test_headers_beyond_ascii(tmp_path, encoding, dic):
    table = TABLE.rename(columns={"Sex": "Geschlecht – größer"})
    assert tuple(read_export(written(table, tmp_path, encoding=encoding, dic=dic)).table) == tuple(table)


def test_lines_of_another_encoding_than_most_are_quarantined(tmp_path):
    path = written(TABLE, tmp_path, encoding="utf-8")
    lines = path.read_bytes().split(b"\r\n")
    lines[3] = lines[3].replace(b"\t", b"\t\xe9", 1)
    path.write_bytes(b"\r\n".join(lines))
    export = read_export(path)
    assert export.quarantine.to_numpy().tolist() == [[4, "bytes that are no utf-8"]]
    assert code(read_export, path, encoding="ascii") == "SL-570"


def test_ascii_alone_is_called_so(tmp_path):
    path = written(TABLE.assign(Radiation="none"), tmp_path)
    assert read_export(path).facts["encoding"] == "ascii"


def test_a_comma_is_no_thousands_separator_between_semicolons_of_ones_own(tmp_path):
    table = TABLE.assign(Radiation="1,234")
    for dic, cell in ((False, "1,234"), (True, "1234")):
        export = read_export(written(table, tmp_path, delimiter="semicolon", dic=dic))
        assert set(export.table["Radiation"]) == {cell}


def test_too_many_broken_lines_are_refused_with_their_likely_cause(tmp_path):
    path = written(TABLE, tmp_path)
    lines = path.read_bytes().split(b"\r\n")
    for what, remedy in ((b"\tsecret", "with tabs"), (b'"', "without quotes"), (b"\x07", "export again")):
        path.write_bytes(b"\r\n".join([*lines[:5], *(row + what for row in lines[5:9]), *lines[9:]]))
        with pytest.raises(InputError, match=rf"(?i)SL-570 4 of 241 lines .*{remedy}") as caught:
            read_export(path)
        assert "secret" not in str(caught.value)
        assert len(read_export(path, max_quarantine=0.02).table) == 236


def test_no_line_that_can_be_read_is_too_many(tmp_path):
    path = written(TABLE.head(1), tmp_path)
    path.write_bytes(path.read_bytes() + b"x" * 3)
    lines = path.read_bytes().split(b"\r\n")
    path.write_bytes(lines[0] + b"\r\n" + lines[1] + b"\x07\r\n")
    assert code(read_export, path, max_quarantine=1) == "SL-570"


@pytest.mark.parametrize("engine", ["dask", "Pandas"])
def test_an_unknown_engine_is_refused(tmp_path, engine):
    with pytest.raises(InputError, match="SL-574"):
        read_export(written(TABLE, tmp_path), engine=engine)


def test_polars_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(InputError, match=r"SL-574 .*survlspin\[fast\]"):
        read_export(written(TABLE, tmp_path), engine="polars")


def test_a_gzip_file_cut_anywhere_is_refused(tmp_path):
    path = written(TABLE, tmp_path, gz=True)
    whole = path.read_bytes()
    for size in (12, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert code(read_export, path) == "SL-562"
    path.write_bytes(whole[:300] + bytes(50) + whole[350:])
    assert code(read_export, path) in ("SL-562", "SL-563")


cell = st.text(st.characters(codec="cp1252", exclude_categories=["Cc", "Zs"]), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=12),
    delimiter=st.sampled_from(["tab", "comma", "semicolon"]),
    quoted=st.booleans(),
    engine=st.sampled_from(["pandas", "polars"]),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
)
def test_any_cell_comes_back(tmp_path, rows, delimiter, quoted, engine, encoding):
    table = pd.DataFrame([("0001", *row) for row in rows], columns=["Patient ID", "a", "b", "c"], dtype=object)
    path = written(table, tmp_path, delimiter=delimiter, quoted=quoted, encoding=encoding)
    found = texts(read_export(path, engine=engine, encoding=encoding))
    expected = table.map(lambda text: "" if text == "." else text)
    expected = expected.map(lambda text: text.replace(",", "") if _thousands(text) else text)
    pd.testing.assert_frame_equal(found, expected)


def _thousands(text):
    first, *others = text.split(",")
    digits = all(part.isdecimal() and part.isascii() for part in (first, *others))
    return digits and len(first) < 4 and others and all(len(part) == 3 for part in others)


def test_labels_are_indented_in_the_file(tmp_path):
    assert b"\t  Male\t" in written(TABLE, tmp_path).read_bytes()
    assert set(read_export(tmp_path / "export.txt").table["Sex"]) == set(LABELS["Sex"])
