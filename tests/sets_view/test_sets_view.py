import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from survlspin.errors import InputError
from survlspin.factors import Basis, Explanation, FactorTable
from survlspin.nonparametric import kaplan_meier
from survlspin.sets_view import factor_frequency, frequency_map, gate_map, set_survival, size_bars, upset, used_of

NAMES = ["age", "nodes", "grade"]
SETS = np.array([[1, 1, 0]] * 50 + [[1, 0, 0]] * 30 + [[0, 0, 0]] * 15 + [[1, 1, 1]] * 5, dtype=bool)


def used():
    return pd.DataFrame(SETS, columns=NAMES)


def outcome(seed=0):
    rng = np.random.default_rng(seed)
    time = np.ceil(rng.exponential(np.where(SETS[:, 1], 20, 60)))
    return np.array([*zip(rng.random(len(time)) < 0.7, time, strict=True)], dtype=[("event", "?"), ("time", "f8")])


def table(context=(False, False, False), gates=None):
    """A factor table in two blocks."""
    gates = SETS * 0.8 if gates is None else gates
    basis = {"factors": tuple(NAMES), "units": ("",) * 3, "context": np.array(context), "members": 2, "linear": True}
    basis["reference"] = pd.Series(dict.fromkeys(NAMES, 0.0), dtype=object)

    def block(rows):
        n, nothing = len(SETS[rows]), np.zeros(SETS[rows].shape)
        own = {"gate": gates[rows], "agreement": 2 * SETS[rows].astype(np.int16), "effects": nothing}
        own |= {"low": nothing, "high": nothing, "baseline": np.zeros(n), "log_risks": np.zeros((2, n, 1))}
        values = pd.DataFrame(nothing, columns=NAMES)
        return Explanation(**basis, index=pd.RangeIndex(n), values=values, **own)

    parts = [block(slice(0, 40)), block(slice(40, None))]
    return FactorTable(lambda: iter(parts), len(SETS), Basis(**basis), None)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def names(labels):
    return [label.get_text().replace("\N{NO-BREAK SPACE}", " ") for label in labels]


def test_a_factor_table_says_who_lists_what():
    pd.testing.assert_frame_equal(used_of(table()), used())
    assert used_of(table(context=(False, False, True)))["grade"].all()
    with pytest.raises(InputError, match="SL-617"):
        used_of(used() * 2.0)
    with pytest.raises(InputError, match="SL-662"):
        used_of(used().iloc[:0])


def test_upset_shows_sets_what_is_in_them_and_how_often_factors_are_listed():
    corner, above, left, dots = upset(used()).axes
    assert [bar.get_height() for bar in above.patches] == pytest.approx([50, 30, 15, 5])
    assert [bar.get_width() for bar in left.patches] == pytest.approx([85, 55, 5])
    assert names(dots.get_yticklabels()) == ["age", "nodes", "grade"]
    [points] = dots.collections[:1]
    full = {
        tuple(at) for at, color in zip(points.get_offsets(), points.get_facecolors(), strict=True) if color[0] < 0.5
    }
    assert full == {(0, 0), (0, 1), (1, 0), (3, 0), (3, 1), (3, 2)}
    assert texts(corner) == ["100 patients\n4 sets shown"]


def test_upset_of_the_most_frequent_sets_says_what_is_left_out():
    corner, above, _, dots = upset(used(), top=2).axes
    assert len(above.patches) == 2
    assert texts(corner) == ["100 patients\n2 sets shown\n20 patients\nhave others"]
    assert len(dots.get_yticks()) == 2  # grade is in neither
    assert len(upset(used(), least=6).axes[1].patches) == 3
    with pytest.raises(InputError, match="SL-662"):
        upset(used(), least=51)
    assert len(upset(used().iloc[80:95]).axes[1].patches) == 1  # the empty set alone


def test_sizes_of_sets():
    [axes] = size_bars(table()).axes
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([15, 30, 50, 5])
    assert texts(axes) == ["15", "30", "50", "5"]
    assert axes.get_ylabel() == "% of 100 patients"


def test_factors_by_subgroup():
    groups = ["a"] * 50 + ["b"] * 45 + [None] * 5
    share = factor_frequency(used(), groups)
    assert list(share.index) == ["age", "nodes", "grade"]
    assert share.columns.tolist() == [("a", 50), ("b", 45), ("missing", 5)]
    np.testing.assert_allclose(share, [[1, 30 / 45, 1], [1, 0, 1], [0, 0, 1]])
    [axes] = frequency_map(used(), groups, top=2).axes
    assert texts(axes) == ["100", "67", "100", "100", "0", "100"]
    assert axes.get_xticklabels()[1].get_text() == "b\nn = 45"
    with pytest.raises(InputError, match="SL-661"):
        factor_frequency(used(), groups[1:])


def test_curves_by_set_are_kaplan_meiers_with_numbers_at_risk():
    y = outcome()
    figure = set_survival(used(), y, top=2, least=10, unit="months")
    axes, risk = figure.axes
    assert names(risk.get_yticklabels()) == ["age + nodes", "age", "all other sets"]
    assert axes.get_xlabel() == "time, months"
    parts = [slice(0, 50), slice(50, 80), slice(80, 100)]
    for line, rows in zip(axes.lines, parts, strict=True):
        frame = kaplan_meier(y["time"][rows], y["event"][rows]).frame
        np.testing.assert_allclose(line.get_ydata()[1:], 100 * frame["survival"])
    numbers = [int(text) for text in texts(risk)]
    ticks = len(axes.get_xticks())
    assert numbers[::ticks] == [50, 30, 20]
    times = axes.get_xticks()
    assert numbers[:ticks] == [(y["time"][:50] >= time).sum() for time in times]
    colors = [to_hex(label.get_color()) for label in risk.get_yticklabels()]
    assert colors[:2] == [to_hex(line.get_color()) for line in axes.lines[:2]]


def test_few_patients_have_no_curve():
    y = outcome()
    _, risk = set_survival(used(), y, top=3, least=6).axes
    assert names(risk.get_yticklabels()) == ["age + nodes", "age", "(none)"]
    _, risk = set_survival(used().iloc[:50], y[:50]).axes
    assert len(risk.get_yticks()) == 1
    with pytest.raises(InputError, match="SL-662"):
        set_survival(used(), y, least=60)
    with pytest.raises(InputError, match="SL-661"):
        set_survival(used(), y[1:])


def test_the_map_of_gates_puts_like_beside_like():
    _, axes, _ = gate_map(table()).axes
    [image] = axes.images
    cells = image.get_array()
    assert cells.shape == (100, 3)
    assert (np.diff(cells, axis=0) != 0).any(axis=1).sum() == 3  # four sets, each in one block
    assert axes.get_ylabel() == "100 patients"


def test_the_map_of_gates_leaves_the_context_out_and_draws_few():
    _, axes, _ = gate_map(table(context=(True, False, False)), most=20).axes
    assert sorted(names(axes.get_xticklabels())) == ["grade", "nodes"]
    assert axes.images[0].get_array().shape == (20, 2)
    assert axes.get_ylabel() == "20 patients, drawn at random from 100"
    assert gate_map(table(context=(True, True, False)), most=1).axes[1].images[0].get_array().shape == (1, 1)
    with pytest.raises(InputError, match="SL-663"):
        gate_map(table(context=(True, True, True)))


def test_figures_can_be_written(tmp_path):
    for i, figure in enumerate([upset(used(), top=1), size_bars(used()), gate_map(table(), most=5)]):
        assert isinstance(figure, Figure)
        figure.savefig(tmp_path / f"{i}.svg")
        assert (tmp_path / f"{i}.svg").stat().st_size > 1000
