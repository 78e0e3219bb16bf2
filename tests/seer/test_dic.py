import pytest
from seer.exports import NAMES, dic_bytes

from survlspin.errors import InputError
from survlspin.seer.dic import Variable, read_dic


@pytest.fixture
def dic(tmp_path):
    def read(content):
        (tmp_path / "export.dic").write_bytes(content)
        return read_dic(tmp_path / "export.dic")

    return read


def test_names_options_and_formats(dic):
    found = dic(dic_bytes(session={"StudyCutoffDate": "12/2016"}))
    assert found.names == NAMES
    assert found.options["Field delimiter"] == "tab"
    assert found.formats == {"Sex": {"0": "Male and female", "1": "Male", "2": "Female"}}
    assert found.listing
    assert found.facts["submission"] == "Nov 2018"
    assert found.facts["years"] == [1975, 2016]
    assert found.facts["cutoff"] == "12/2016"


def test_a_dic_without_a_database_has_no_such_facts(dic):
    assert set(dic(dic_bytes(system={})).facts.values()) == {None}


def test_merged_and_unformatted_variables(dic):
    found = dic(dic_bytes(["Stage", "Year"], more=["Var1Base=A (1988-2015)~B=C", "Var2DisplayType=Unformatted"]))
    assert found.variables == (Variable("Stage", ("A (1988-2015)", "B=C")), Variable("Year", (), True))
    codes = dic(dic_bytes(["Stage", "Year"], {"Variable format": "numeric"}))
    assert [variable.unformatted for variable in codes.variables] == [True, True]


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda raw: raw.replace(b"\r\n", b"\n"),
        lambda raw: raw.replace(b"\r\n", b"\r"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.rstrip(),
        lambda raw: b"\r\n\r\n" + raw.replace(b"\r\n[", b"\r\n\r\n\r\n["),
        lambda raw: raw + b"[Unknown]\r\nany line\r\n\r\na line of no section\r\n",
    ],
    ids=["LF", "CR", "BOM", "no last line", "more blank lines", "other sections"],
)
def test_the_grammar_is_read_however_it_is_written(dic, rewrite):
    expected, found = dic(dic_bytes()), dic(rewrite(dic_bytes()))
    assert (found.variables, found.formats, found.options) == (expected.variables, expected.formats, expected.options)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
def test_names_beyond_ascii(dic, encoding):
    raw = dic_bytes(["Patient ID", "Größe – mm"])
    assert dic(raw.decode("cp1252").encode(encoding)).names == ("Patient ID", "Größe – mm")


def test_names_in_quotes_and_with_equals_signs(dic):
    assert dic(dic_bytes(['"  a ""b"""', "x = y"])).names == ('a "b"', "x = y")


def test_sections_are_known_by_their_exact_names(dic):
    raw = dic_bytes() + b"[Format=Race, Sex]\r\n1=No sex\r\n\r\n[My Variables]\r\nVar9Name=none\r\n"
    found = dic(raw)
    assert found.formats["Sex"]["1"] == "Male"
    assert found.formats["Race, Sex"] == {"1": "No sex"}
    assert found.names == NAMES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (dic_bytes(more=["Var2Name=Race"]), "SL-565 line 26 of export.dic gives 'Var2Name' a second time"),
        (dic_bytes(more=["Var8Name=Race"]), "SL-565 export.dic lacks Var7Name"),
        (dic_bytes(more=["Var7Base=Race"]), "SL-565 export.dic lacks Var7Name"),
        (dic_bytes([]), "SL-565 export.dic lacks Var1Name"),
        (dic_bytes(more=["", "Var7Name=Race"]), "SL-565 line 27 of export.dic describes a variable outside"),
        (dic_bytes() + b"[Format=Sex]\r\n", r"SL-565 line 32 of export.dic begins \[Format=Sex\] a second time"),
        (b"[Export Options]\r\n", r"SL-565 export.dic has no section \[Variables\]"),
        (b"a,b\n1,2\n", "SL-565"),
        (dic_bytes(["Sex", "Race", "Sex"]), "SL-566 export.dic has 'Sex' more than once"),
    ],
)
def test_a_faulty_dic_is_refused_by_its_line(dic, content, message):
    with pytest.raises(InputError, match=message):
        dic(content)


def test_a_dic_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="SL-501"):
        read_dic(tmp_path / "none.dic")
