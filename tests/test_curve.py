"""C against the number of factors, as a table and as a figure."""

import subprocess
import sys

import pandas as pd
import pytest
from matplotlib.figure import Figure

from survlspin.curve import COUNTS, Curve
from survlspin.errors import InputError


@pytest.fixture
def curve():
    rows = []
    for by, more in zip(COUNTS, (0, 0.4, 2, 3, 3.4, 5), strict=True):
        rows += [("path", "path", by, k, 0.6 + k / 100, 0.01) for k in range(1, 6)]
        rows += [("path", "chosen", by, 3 + more, 0.63, 0.01)]
        rows += [(name, "chosen", by, 8, 0.64, 0.01) for name in ("forest", "Cox PH")]
    frame = pd.DataFrame(rows, columns=["model", "kind", "by", "count", "C", "se"])
    frame = frame.assign(low=frame["C"] - 0.02, high=frame["C"] + 0.02)
    return Curve(frame, frame, {"C": "C(Harrell)", "interval": "95 %", "protocol": "5-fold"})


def test_a_path_is_a_line_and_another_model_a_point_with_its_level(curve):
    ax = curve.plot().axes[0]
    line = next(line for line in ax.lines if line.get_label() == "path")
    assert line.get_xydata().tolist() == [[k, 0.6 + k / 100] for k in range(1, 6)]
    (band,) = ax.collections[:1]
    assert band.get_paths()[0].get_extents().ymin == pytest.approx(0.59)
    points = {bar.get_label(): bar[0].get_xydata()[0] for bar in ax.containers}
    assert points.keys() == {"forest", "Cox PH"}
    assert all(C == 0.64 for _, C in points.values())
    levels = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [line.get_ydata()[0] for line in levels] == [0.64, 0.64]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["path", "forest", "Cox PH"]


def test_models_with_one_count_do_not_hide_each_other(curve):
    (left, right) = (bar[0].get_xdata()[0] for bar in curve.plot().axes[0].containers)
    assert left < 8 < right
    assert right - left > 0.1


def test_a_figure_says_how_it_was_made(curve):
    figure = curve.plot()
    assert "95 %" in figure.get_supxlabel()
    assert "C(Harrell)" in figure.get_supxlabel()
    assert "5-fold" in figure.get_supxlabel()


def test_what_is_counted_changes_axis_and_points(curve):
    figures = [curve.plot(x=by) for by in COUNTS]
    assert len({figure.axes[0].get_xlabel() for figure in figures}) == 6
    chosen = [next(line for line in f.axes[0].lines if line.get_markerfacecolor() == "white") for f in figures]
    assert [line.get_xdata()[0] for line in chosen] == [3, 3.4, 5, 6, 6.4, 8]


def test_it_draws_into_given_axes(curve):
    figure = Figure()
    ax = figure.add_subplot(2, 2, 3)
    assert curve.plot(ax=ax) is figure
    assert ax.lines
    assert figure.get_supxlabel() == ""


def test_more_models_than_colours(curve):
    frame = pd.concat([curve.frame.assign(model=f"{i} " + curve.frame["model"]) for i in range(5)])
    assert len(Curve(frame, frame, curve.attrs).plot().axes[0].get_legend().get_texts()) == 15


def test_an_unfinished_study_has_a_watermark(curve):
    def marks(attrs):
        figure = Curve(curve.frame, curve.points, attrs).plot()
        return [text.get_text() for text in figure.axes[0].texts], figure.get_supxlabel()

    assert marks(curve.attrs)[0] == []
    texts, note = marks({**curve.attrs, "partial": "unfinished: 3 of 5 fits"})
    assert texts == ["unfinished"]
    assert "3 of 5 fits" in note


def test_an_unknown_count(curve):
    with pytest.raises(InputError, match="SL-466"):
        curve.plot(x="max")


def test_saved_files_are_a_table_and_two_figures(curve, tmp_path):
    paths = curve.save(tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), curve.frame, check_dtype=False)
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in paths[2].read_bytes()
    (tmp_path / "again").mkdir()
    again = curve.save(tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_pyplot_is_never_loaded_and_matplotlib_only_to_plot():
    code = """if True:
        import sys, pandas as pd
        from survlspin.curve import COUNTS, Curve
        assert "matplotlib" not in sys.modules
        row = dict(model="a", kind="chosen", by="median", count=3, C=0.6, se=0.1, low=0.5, high=0.7)
        Curve(pd.DataFrame([row]), None, {}).plot()
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
