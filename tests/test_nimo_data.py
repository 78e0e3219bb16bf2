import numpy as np
import pytest
from lifelines.utils import concordance_index

from survlspin import nimo_data
from survlspin.errors import InputError
from survlspin.nimo_data import CLASSES, NUMBERS, bayes_accuracy, draw, mean, survival

COLUMNS = {"toy": 3, "S1": 5, "S2": 10, "S3": 50, "S4": 10, "C1": 3, "C2": 10, "C3": 50}

# at x1 = 1, x2 = -0.5, x3 = 2, x4 = 0.5, x5 = -1, the rest 0; worked out by hand from Eq. 39 to 46
AT = (1.0, -0.5, 2.0, 0.5, -1.0)
BY_HAND = {
    "toy": 3 * (1 + np.tanh(-5)) + 1.5 * (1 - np.sin(2)),
    "S1": 3 * (1 + np.tanh(-0.5)) + 1 + 4,
    "S2": 1 + np.tanh(np.sin(0.5) - 1) - (1 + np.sin(2)) - 2 * (1 + 2 / np.pi * np.arctan(-0.25)),
    "S3": -2 * (1 + np.tanh(-0.25)) - (1 + 2 / np.pi * np.arctan(1.5)) + 1.5 * (1 + np.tanh(-0.5 - np.sin(1)))
    + (1 + np.tanh(0.25)),
    "S4": -5 + 2 - 6 - 1 + 1,
    "C1": 2 * (1 + 2 * np.tanh(-0.5)) + (1 + 3 * np.sin(2) + np.tanh(2)) + 1,
    "C2": 10 * (1 + 2 * np.tanh(-1) + np.sin(0.5)) - 10 * (1 + 2 * np.cos(2)) - 40 * (1 - 2 * np.arctan(0.25)) - 5,
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_means_by_hand(kind):
    x = np.zeros((1, COLUMNS[kind]))
    x[0, :5] = AT[: COLUMNS[kind]]
    expected = BY_HAND[kind] if kind in BY_HAND else 10 * BY_HAND["S3"]
    assert mean(kind, x) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", COLUMNS)
def test_shapes_range_and_seed(kind):
    x, y = draw(kind, 5000, 1)
    assert x.shape == (5000, COLUMNS[kind])
    assert -2 < x.min() < -1.99
    assert 1.99 < x.max() < 2
    assert abs(np.corrcoef(x.T) - np.eye(x.shape[1])).max() < 0.08
    again, other = draw(kind, 5000, 1), draw(kind, 5000, 2)
    assert (again[0] == x).all()
    assert (again[1] == y).all()
    assert (other[0] != x).any()


@pytest.mark.parametrize("kind", NUMBERS)
def test_errors_of_numbers_have_standard_deviation_a_tenth(kind):
    x, y = draw(kind, 20_000)
    error = y - mean(kind, x)
    assert error.std() == pytest.approx(0.1, abs=0.002)
    assert error.mean() == pytest.approx(0, abs=0.003)


@pytest.mark.parametrize(("kind", "bayes"), [("C1", 0.896), ("C2", 0.988), ("C3", 0.990)])
def test_classes_and_their_bayes_accuracy(kind, bayes):
    assert bayes_accuracy(kind, 200_000) == pytest.approx(bayes, abs=0.002)
    x, y = draw(kind, 50_000)
    assert set(y) == {0, 1}
    assert ((mean(kind, x) > 0) == y).mean() == pytest.approx(bayes, abs=0.005)


@pytest.mark.parametrize("kind", ["S1", "S3"])
def test_survival(kind):
    x, y, log_hazard = survival(kind, 20_000, 3)
    assert y.dtype.names == ("event", "time")
    assert y["event"].mean() == pytest.approx(0.7, abs=1e-4)
    np.testing.assert_allclose(log_hazard, 0.35 * mean(kind, x))
    assert concordance_index(y["time"], -log_hazard, y["event"]) > 0.8
    at_risk = y["time"] * np.exp(log_hazard)  # exponential in the unit of the hazard
    assert y["event"].sum() / at_risk.sum() == pytest.approx(1, abs=0.02)
    assert survival(kind, 100, censored=0.6)[1]["event"].sum() == 40


def test_kinds_and_sizes_out_of_range_are_refused():
    assert set(NUMBERS) | set(CLASSES) == set(nimo_data.MEANS)
    for refused in (lambda: draw("S5", 10), lambda: mean("S5", np.zeros((1, 5))), lambda: survival("S5", 10)):
        with pytest.raises(InputError, match="SL-451"):
            refused()
    for refused in (lambda: draw("S1", 0), lambda: survival("S1", 10, censored=1.0)):
        with pytest.raises(InputError, match="SL-452"):
            refused()
