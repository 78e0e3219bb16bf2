import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

from survlspin.cohort.flow import Flow
from survlspin.cohort.flow_chart import WIDTH, svg

SVG = "{http://www.w3.org/2000/svg}"


def flow(texts=("Female", "Stage known"), patients=None, n=1000) -> Flow:
    row = np.arange(n)
    rules = [(f"r{i}", text, row % (i + 5) > 0) for i, text in enumerate(texts)]
    return Flow.count(rules, patients, row % 3 == 0)


def lines(chart: str) -> list[str]:
    return [element.text for element in ET.fromstring(chart).iter(f"{SVG}text")]


def boxes(chart: str, kind: str) -> list[tuple[float, ...]]:
    found = ET.fromstring(chart).iter(f"{SVG}rect")
    names = ("x", "y", "width", "height")
    return [tuple(float(box.get(name)) for name in names) for box in found if box.get("class") == kind]


def test_each_box_has_its_numbers():
    chart = svg(flow())
    assert lines(chart) == [
        *("Read", "1,000 patients", "334 events"),
        *("Excluded unless:", "Female", "200 patients", "67 events", "fail this at all: 200 patients"),
        *("Left", "800 patients", "267 events"),
        *("Excluded unless:", "Stage known", "133 patients", "133 events", "fail this at all: 167 patients"),
        *("Left for analysis", "667 patients", "134 events"),
    ]
    assert lines(svg(Flow.count([], None, np.zeros(7, bool)))) == ["Read", "7 patients", "0 events"]


def test_rows_are_shown_where_patients_have_several():
    chart = svg(flow(patients=np.arange(1000) // 2))
    assert lines(chart)[:4] == ["Read", "1,000 rows", "500 patients", "334 events"]
    assert "fail this at all: 200 rows" in lines(chart)


def test_hidden_numbers_are_said_to_be_hidden():
    small = Flow.count([("a", "A", np.arange(50) > 2)], None, np.arange(50) > 30).masked(5)
    text = lines(svg(small))
    assert text[1] == "patients: hidden"
    assert "47 patients" in text
    assert "none from 1 to 4" in " ".join(text)
    assert not any("none from" in line for line in lines(svg(flow())))


@pytest.mark.parametrize(
    "text",
    ["A & B <c> \"d\" 'e'", "]]> <!-- x", "0\x00\x0b\ud800 end", "年齢が二十五歳以上の者" * 4],
    ids=["markup", "comment", "control", "wide"],
)
def test_any_text_makes_a_whole_document(text):
    chart = svg(flow(texts=(text,)), title=text)
    chart.encode()
    shown = "".join(lines(chart))
    assert re.sub(r"\W", "", text) == re.sub(r"\W", "", shown.split("unless:")[1])[: len(re.sub(r"\W", "", text))]
    assert ET.fromstring(chart).find(f"{SVG}title").text


def test_long_texts_are_broken_and_boxes_keep_apart():
    chart = svg(flow(texts=["An age at diagnosis of 25 to 85 years, both included, as the paper says"] * 4))
    assert max(map(len, lines(chart)[3:-3])) <= 40
    for kind in ("box", "side"):
        found = boxes(chart, kind)
        assert len(found) == {"box": 5, "side": 4}[kind]
        for (_, y, _, height), (_, below, _, _) in pairwise(found):
            assert y + height < below
    tall = float(ET.fromstring(chart).get("viewBox").split()[3])
    assert all(x >= 0 and y >= 0 and x + w <= WIDTH and y + h <= tall for kind in ("box", "side")
               for x, y, w, h in boxes(chart, kind))  # fmt: skip


def test_the_chart_stands_alone_in_light_and_dark(tmp_path):
    chart = flow().to_svg(tmp_path / "flow.svg")
    assert (tmp_path / "flow.svg").read_text(encoding="utf-8") == chart == svg(flow())
    assert "prefers-color-scheme: dark" in chart
    assert re.findall(r"https?://[^\"]+", chart) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<(script|image|use|foreignObject)|@import|url\(", chart)
    assert flow().to_svg(min_cell=300) != chart
