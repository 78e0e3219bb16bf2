import json
import re

import html5lib
import pandas as pd
import pytest

from survlspin.report.drawing import COLORS, inlined, svg
from survlspin.report.page import write
from survlspin.report.parts import Figure, Report, Section, Table, Text

EVIL = '<script>alert("1")</script>'


def draw(figure):
    axes = figure.add_subplot()
    axes.plot([1, 2], [3, 4], color=COLORS[0], label="größe <b>")
    axes.set_xlabel("time (days)")
    axes.legend()


def report(**changes) -> Report:
    frame = pd.DataFrame({"level": [EVIL, "=1+1", "-3"], "n": [3, 40, 50], "share": [0.03, 0.4312345, None]})
    parts = [
        Text((EVIL, "a & b")),
        Text(("one", "two"), bullets=True),
        Table("short", EVIL, frame, "a note", {"share": ".1%"}, {"n": ("share",)}),
        Table("long", "Many rows", pd.DataFrame({"i": range(200), "known": [True] * 200})),
        Figure("first", "A figure", f'{EVIL} "rises"', draw),
        Figure("second", "The same", "again", draw, note="a note"),
    ]
    given = {"title": f"T {EVIL}", "subtitle": "S", "facts": {"a.b": 1, "c": None}}
    return Report(**{**given, "sections": [Section("data", "Data", "Lead", parts)], **changes})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return out, write(report(), out), (out / "report.html").read_text(encoding="utf-8")


def test_the_files_are_all_there(page):
    out, files, _ = page
    names = [
        "report.html",
        "tables/short.csv",
        "tables/long.csv",
        "figures/first.svg",
        "figures/second.svg",
        "facts.json",
    ]
    assert [path.relative_to(out).as_posix() for path in files] == names
    assert all(path.is_file() for path in files)
    assert json.loads((out / "facts.json").read_text()) == {"a.b": 1, "c": None, "report.files": names}


def test_numbers_are_on_the_right_even_where_some_are_undefined(tmp_path):
    frame = pd.DataFrame({"n": [0.25, "undefined", ""], "text": ["1", "undefined", ""], "flag": [True, "", ""]})
    write(report(sections=[Section("data", "Data", "Lead", [Table("t", "T", frame)])]), tmp_path)
    heads = re.findall(r'<th scope="col"( class="n")?>(\w+)', (tmp_path / "report.html").read_text())
    assert [name for number, name in heads if number] == ["n"]


def test_headings_are_no_formulas(tmp_path):
    frame = pd.DataFrame({"=1+1": [1.0], "n": [2.0]})
    write(report(sections=[Section("data", "Data", "Lead", [Table("t", "T", frame)])]), tmp_path)
    assert (tmp_path / "tables" / "t.csv").read_text() == "'=1+1,n\n1.0,2.0\n"


def test_the_page_is_valid_html_whose_names_are_its_own(page):
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page[2])
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 10
    targets = {element.get("href")[1:] for element in document.iter("a") if element.get("href", "").startswith("#")}
    assert {"main", "data"} == targets <= set(ids)
    used = set(re.findall(r'(?:url\(#|xlink:href="#)([\w-]+)', page[2]))
    assert used
    assert used <= set(ids)


def test_text_is_escaped(page):
    assert "<script" not in page[2]
    assert page[2].count("&lt;script&gt;alert(") >= 4
    assert "größe &lt;b&gt;" in page[2]


def test_nothing_is_fetched_from_elsewhere(page):
    loaded = re.findall(r'(?:src|href|action|data|poster)="([^"#]*)', page[2]) + re.findall(r"url\(([^#)]*)\)", page[2])
    assert {name for name in loaded if name} == {"data:,"} | {
        name.relative_to(page[0]).as_posix() for name in page[1] if name.parent.name in ("tables", "figures")
    }
    assert "@import" not in page[2]
    assert "default-src 'none'" in page[2]


def test_long_tables_are_folded_and_cut_on_the_page_alone(page):
    assert page[2].count("<details") == 2  # the contents, and the long table
    assert "Many rows <span" in page[2]
    assert "The first 120 of 200 rows; all are in the file." in page[2]
    assert len(pd.read_csv(page[0] / "tables" / "long.csv")) == 200


def test_a_table_that_is_to_be_seen_is_not_folded_and_one_that_is_told_says_so(tmp_path):
    frame = pd.DataFrame({"i": range(20), "n": range(20), "what": "words"})
    tables = [Table("seen", "Seen", frame, open=True, told=True), Table("folded", "Folded", frame)]
    write(report(sections=[Section("data", "Data", "Lead", tables)]), tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert re.findall(r'<(\w+) class="table"', text) == ["div", "details"]
    assert text.count('<table class="told">') == 1


def test_cells_are_written_for_people_on_the_page_and_in_full_in_the_file(page):
    assert "43.1%" in page[2]
    assert ">–</td>" in page[2]
    text = (page[0] / "tables" / "short.csv").read_text(encoding="utf-8")
    assert "0.4312345" in text
    assert "\n'=1+1,40," in text  # no formula in a spreadsheet
    assert "\n-3,50,\n" in text


def test_small_counts_are_in_no_file(tmp_path):
    write(report(min_cell=5), tmp_path)
    text = (tmp_path / "tables" / "short.csv").read_text(encoding="utf-8")
    assert ",<5,\n" in text
    assert "0.03" not in text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;5</td>" in page
    assert "Counts from 1 to 4 are hidden." in page


def test_what_is_unfinished_is_said_across_the_page(page, tmp_path):
    assert 'class="partial"' not in page[2]
    write(report(partial="3 of 9 fits"), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<body class="partial">' in text
    assert "<strong>Unfinished.</strong> 3 of 9 fits." in text


def test_files_of_an_earlier_report_go_and_others_stay(tmp_path):
    write(report(), tmp_path)
    (tmp_path / "tables" / "mine.csv").touch()
    (tmp_path.parent / "victim").touch()
    facts = json.loads((tmp_path / "facts.json").read_text())
    facts["report.files"] += ["../victim", "tables/../../victim"]
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    write(report(sections=[]), tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"report.html", "facts.json", "tables/mine.csv"}
    assert (tmp_path.parent / "victim").exists()


def test_the_same_report_is_the_same_bytes(page, tmp_path):
    write(report(), tmp_path)
    for path in page[1]:
        assert (tmp_path / path.relative_to(page[0])).read_bytes() == path.read_bytes()


def test_a_figure_is_text_in_the_colours_of_the_page():
    figure = Figure("one", "A title", "what is seen", draw)
    text = svg(figure)
    assert ">time (days)</text>" in text
    assert COLORS[0].lower() in text
    assert "<metadata" not in text
    body = inlined(text, "one", 'a "quote"')
    assert body.startswith("<svg ")
    assert 'role="img" aria-label="a &quot;quote&quot;"' in body
    assert "var(--c0)" in body
    assert not re.search(r"#(?:000000|0072b2|ffffff)\b", body, re.I)
    assert 'width="' not in body.split(">")[0]
