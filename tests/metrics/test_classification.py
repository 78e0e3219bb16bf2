"""Accuracy, NLL and calibration of class probabilities: as scikit-learn, and bin by bin."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from survlspin.errors import InputError
from survlspin.metrics import accuracy, compare, expected_calibration_error, nll


def drawn(n=400, k=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.ones(k), n).astype(dtype)
    y = np.array([rng.choice(k, p=p / p.sum()) for p in probability.astype(np.float64)])
    return np.array(["low", "middle", "high", "rest"])[y], probability, rng.exponential(size=n)


NAMES = ["low", "middle", "high", "rest"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 4])
def test_as_scikit_learn(k, dtype):
    y, probability, weight = drawn(k=k, dtype=dtype)
    order = np.argsort(NAMES[:k])
    for w in (None, weight):
        mine = nll(y, probability, classes=NAMES[:k], weight=w).value
        assert mine == pytest.approx(log_loss(y, probability[:, order], sample_weight=w), rel=1e-6)
        likeliest = np.array(NAMES)[probability.argmax(axis=1)]
        found = accuracy(y, probability, classes=NAMES[:k], weight=w)
        assert found.value == pytest.approx(accuracy_score(y, likeliest, sample_weight=w), rel=1e-12)


def test_two_models_are_compared_on_the_same_rows():
    y, probability, weight = drawn(k=2)
    one = nll(y, probability, classes=NAMES[:2], weight=weight)
    two = nll(y, np.full_like(probability, 0.5), classes=NAMES[1::-1], weight=weight)
    found = compare(one, two)
    assert found.value == pytest.approx(one.value - np.log(2))
    assert found.se == pytest.approx(one.se, rel=1e-9)  # the other is the same for all
    with pytest.raises(InputError, match="SL-338"):
        compare(one, nll(y, probability, classes=NAMES[:2]))


def test_a_certain_mistake_costs_as_much_as_the_precision_says():
    for dtype in (np.float32, np.float64):
        p = np.array([[1, 0], [0.5, 0.5]], dtype=dtype)
        assert nll([1, 0], p).value == pytest.approx(log_loss([1, 0], p), rel=1e-6)


def test_errors_are_those_of_a_mean():
    y, probability, _ = drawn(k=2)
    code = (y == "middle").astype(int)
    for found, values in (
        (nll(code, probability), -np.log(probability[np.arange(400), code])),
        (accuracy(code, probability[:, 1]), (probability[:, 1] > 0.5) == code),
    ):
        assert found.se == pytest.approx(np.std(values) / 20, rel=1e-9)
        assert np.sqrt(np.sum(found.influence**2)) == pytest.approx(found.se)
        assert found.low < found.value < found.high


def by_hand(code, probability, edges, weight):
    total = 0.0
    for low, high in pairwise(edges):
        rows = [i for i, p in enumerate(probability) if low < p.max() <= high]
        if rows:
            w = weight[rows]
            right = [probability[i].argmax() == code[i] for i in rows]
            apart = np.average(right, weights=w) - np.average([probability[i].max() for i in rows], weights=w)
            total += abs(apart) * w.sum()
    return total / weight.sum()


@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("binning", ["width", "mass"])
def test_calibration_bin_by_bin(bins, binning):
    y, probability, weight = drawn()
    probability = probability.round(2) / probability.round(2).sum(axis=1, keepdims=True)
    code = np.array([NAMES.index(name) for name in y])
    share = np.arange(bins + 1) / bins
    edges = share if binning == "width" else np.unique(np.quantile(probability.max(axis=1), share))
    edges[0] = -1
    for w in (np.ones(len(y)), weight):
        found = expected_calibration_error(y, probability, bins=bins, binning=binning, classes=NAMES[:3], weight=w)
        assert found.value == pytest.approx(by_hand(code, probability, edges, w), rel=1e-9)
    assert f"{bins} bins of equal {binning}" in found.definition
    assert np.isnan(found.se)


def test_bins_of_width_and_of_mass_differ():
    y, probability, _ = drawn(seed=4)
    one, other = (expected_calibration_error(y, probability, binning=b, classes=NAMES[:3]) for b in ("width", "mass"))
    assert abs(one.value - other.value) > 1e-4


def test_the_perfect_and_the_overconfident():
    y = np.array([0, 1] * 50)
    assert expected_calibration_error(y, np.eye(2)[y]).value == 0
    assert expected_calibration_error(y, np.full(100, 0.9)).value == pytest.approx(0.4)
    assert expected_calibration_error(y, np.full(100, 1.0)).value == pytest.approx(0.5)


@pytest.mark.parametrize("measure", [nll, accuracy, expected_calibration_error])
def test_bad_input_is_named(measure):
    good = np.full((4, 2), 0.5)
    for wrong in (good * 100, good - 1, np.where([[1, 0]], np.nan, good), good * [[1, 0.9]]):
        with pytest.raises(InputError, match=r"SL-614 .* in 4 rows, first at position 0"):
            measure([0, 1, 0, 1], wrong)
    for y, p, more in (
        ([0, 1, 0], good, {}),
        ([0, 1, 2, 1], good, {}),
        ([0, 1, 0, 1], good, {"weight": [1, 2]}),
        ([0, 1, 0, 1], good, {"weight": [1, 2, 1, np.nan]}),
        ([0, 1, 0, 1], good, {"weight": [1, 2, 1, -1]}),
        ([0, 1, 0, 1], good, {"weight": [0, 0, 0, 0]}),
        ([0, 0, 0, 0], good, {}),
        ([0, 1, 0, 3], good, {"classes": [0, 1]}),
        ([], np.empty((0, 2)), {"classes": [0, 1]}),
    ):
        with pytest.raises(InputError, match="SL-615"):
            measure(y, p, **more)


@pytest.mark.parametrize("options", [{"bins": 0}, {"bins": 2.5}, {"binning": "quantile"}], ids=repr)
def test_bins_that_are_none(options):
    with pytest.raises(InputError, match="SL-616"):
        expected_calibration_error([0, 1], [0.4, 0.6], **options)
