import io
import zipfile

import pytest
from seer.exports import NAMES, dic_bytes, fixed, listing, sas_bytes, written

from survlspin.errors import InputError
from survlspin.seer import open_export, read_export

TABLE = listing(40)


def refused(path, match, **how):
    with pytest.raises(InputError, match=match) as caught:
        open_export(path, **how)
    for cell in (*TABLE["Patient ID"], "secret"):
        assert cell not in str(caught.value)
    return caught.value.code


def packed(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "a\tb\n")
    return file.getvalue()


OTHERS = {
    "page.txt": (b"\xef\xbb\xbf\r\n <!DOCTYPE html><html>", "SL-561", "a web page"),
    "page.csv": (b"<html><body>Sign in</body></html>", "SL-561", "a web page"),
    "export.zip": (packed("export.txt"), "SL-561", "a zip archive.*Unpack"),
    "export.xlsx": (packed("xl/workbook.xml"), "SL-561", "an Excel workbook"),
    "old.xls": (b"\xd0\xcf\x11\xe0" + bytes(600), "SL-561", "old Excel workbook"),
    "report.pdf": (b"%PDF-1.7\n", "SL-561", "a PDF"),
    "export.parquet": (b"PAR1 PAR1", "SL-561", "a Parquet file"),
    "breast.slm": (b"any\tthing\n", "SL-561", "a session or matrix of SEER"),
    "survival.ssm": (packed("inside"), "SL-561", "a session or matrix of SEER"),
    "rates.sr": (b"", "SL-561", "a session or matrix of SEER"),
    "wide.txt": ("a\tb\n".encode("utf-16"), "SL-561", "UTF-16"),
    "zeros.txt": (b"a\tb\n\0\0\n", "SL-561", "many zero bytes"),
    "itself.dic": (dic_bytes(), "SL-561", "is the .dic of an export"),
    "endless.txt": (b"a\tb " * 300_000, "SL-561", "no line end"),
    "empty.txt": (b"", "SL-563", "is empty"),
    "blank.txt": (b"\r\n\r\n", "SL-563", "is empty"),
    "macintosh.txt": (b"Patient ID,Sex\r00000012,Female\r", "SL-561", "lines that end in CR alone"),
    "bom.txt": (b"\xef\xbb\xbf", "SL-563", "is empty"),
    "header.txt": (b"Patient ID\tSex\r\n", "SL-563", "a header and no rows"),
    "numbers.txt": (b"00000001\tsecret\n00000002\tsecret\n", "SL-564", "does not begin with names"),
    "again.txt": (b"secret\tAlive\nFemale\tDead\nsecret\tAlive\n", "SL-564", "does not begin with names"),
    "twice.txt": (b"Sex\tRace\tSex\nsecret\tb\tc\n", "SL-566", "columns 1, 3"),
    "wide.csv": (b"a,b\n" + b"1,2,secret\n" * 5, "SL-567", "has 2 names, its lines have 3 cells"),
    "words.txt": (b"one line of words\n" * 9, "SL-568", "no number of cells in common"),
    "groups.txt": (b"Page type\tAlive at Start\n1\t2\n", "SL-569", "not a listing"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_export_is_refused_by_what_it_is(tmp_path, name):
    content, code, match = OTHERS[name]
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name, match) == code


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refused(tmp_path / "none.txt", "cannot be opened") == "SL-501"
    assert refused(tmp_path, "cannot be opened") == "SL-501"
    path = written(TABLE, tmp_path)
    assert refused(path, "cannot be opened", dic=tmp_path / "none.dic") == "SL-501"
    assert refused(path, "cannot be opened", sas=tmp_path / "none.sas") == "SL-501"


def test_an_export_that_goes_away_is_refused(tmp_path):
    source = open_export(written(TABLE, tmp_path))
    source.path.unlink()
    for how in ({}, {"cache": tmp_path}):
        with pytest.raises(InputError, match="SL-501"):
            source.read(**how)


@pytest.mark.parametrize("header", [True, False])
def test_the_dic_of_another_export_is_refused(tmp_path, header):
    path = written(TABLE, tmp_path, header=header)
    other = tmp_path / "other.dic"
    other.write_bytes(dic_bytes(NAMES[:-1]))
    assert refused(path, "other.dic has 5 variables, the lines of export.txt have 6 cells", dic=other) == "SL-567"
    other.write_bytes(dic_bytes((*NAMES[:-1], "Chemotherapy"), {"Variable names included": "true"}))
    assert refused(path, "does not begin with the names that other.dic has", dic=other) == "SL-567"


def test_delimiters_within_labels_are_named_as_a_cause(tmp_path):
    path = written(TABLE.assign(Radiation="None, or unknown"), tmp_path, delimiter="comma", quoted=True)
    path.write_bytes(path.read_bytes().replace(b'"', b""))
    assert refused(path, "6 variables, the lines of export.txt have 7 cells.*labels hold a comma") == "SL-567"


def test_the_header_decides_where_the_dic_denies_it(tmp_path):
    path = written(TABLE, tmp_path)
    (tmp_path / "export.dic").write_bytes(dic_bytes(options={"Variable names included": "false"}))
    assert open_export(path).facts["header"] is True


def test_the_delimiter_must_be_known_and_fit(tmp_path):
    path = written(TABLE, tmp_path, delimiter="comma")
    (tmp_path / "export.dic").write_bytes(dic_bytes(options={"Field delimiter": "tab"}))
    assert refused(path, "separated by tab, but comma fits.*delimiter='comma'") == "SL-568"
    assert open_export(path, delimiter="comma").facts["delimiter"] == "comma"
    assert open_export(path, delimiter=",").facts["delimiter"] == "comma"
    assert refused(path, "separated by 'space'", delimiter="space") == "SL-568"
    (tmp_path / "export.dic").write_bytes(dic_bytes(options={"Field delimiter": "space"}))
    assert refused(path, "separated by 'space'") == "SL-568"


def test_an_unknown_encoding_is_refused(tmp_path):
    path = written(TABLE, tmp_path)
    for encoding in ("klingon", "utf-16", "cp037"):
        assert refused(path, "encoding", encoding=encoding) == "SL-573"


@pytest.mark.parametrize(
    ("how", "refusal"),
    [
        ({"variables": "Life Page Variables", "session": {"Type": "Survival"}}, "a survival table of groups"),
        ({"session": {"Type": "Rate"}}, "a rate table of groups"),
        ({"session": {"Type": "Frequency"}}, "a frequency table of groups"),
        ({"variables": "Life Page Variables"}, "a table of groups"),
    ],
)
def test_a_table_of_groups_is_refused(tmp_path, how, refusal):
    names = ["Sex", *NAMES[1:-1], "Count"]
    names[0] = "Page type"
    path = written(TABLE.set_axis(names, axis=1), tmp_path)
    (tmp_path / "export.dic").write_bytes(dic_bytes(names, **how))
    assert refused(path, refusal) == "SL-569"


def test_patients_of_a_survival_session_are_a_listing(tmp_path):
    path = written(TABLE, tmp_path)
    for session in ("Survival", "Case Listing"):
        (tmp_path / "export.dic").write_bytes(dic_bytes(session={"Type": session, "StudyCutoffDate": "12/2016"}))
        assert open_export(path).facts["cutoff"] == "12/2016"


def test_the_sas_of_a_file_with_other_lines_is_refused(tmp_path):
    path = fixed(TABLE, tmp_path)
    sas = tmp_path / "read.seer.research.nov2018.sas"
    sas.write_bytes(sas_bytes(length=132))
    assert refused(path, "100 or 132 bytes, .* have 104", sas=sas) == "SL-567"
    other = fixed(TABLE, tmp_path, length=132)
    assert refused(other, "100 or 104 bytes, .* have 132", sas=sas) == "SL-567"
    codes = fixed(TABLE.assign(**dict.fromkeys(NAMES[1:], "1")), tmp_path, length=132)
    assert refused(codes, "100 or 104 bytes, .* have 132") == "SL-567"
    sas.unlink()
    assert refused(path, "no number of cells in common.*sas=") == "SL-568"


def test_a_sas_that_is_given_must_place_fields(tmp_path):
    path = written(TABLE, tmp_path)
    (tmp_path / "export.sas").write_text("data in; run;")
    assert refused(path, "places no field", sas=tmp_path / "export.sas") == "SL-571"


def test_row_names_of_r_are_a_column_or_named_as_the_cause(tmp_path):
    (tmp_path / "r.csv").write_text('"","Sex"\n"1","Male"\n"2","Female"\n')
    assert read_export(tmp_path / "r.csv").table["column 1"].tolist() == ["1", "2"]
    (tmp_path / "r.csv").write_text('"Sex","Race"\n' + '"1","Male","secret"\n' * 3)
    assert refused(tmp_path / "r.csv", "row.names = FALSE") == "SL-567"
