import numpy as np
import pytest

from survlspin import lspin_data
from survlspin.lspin_data import EXAMPLES

SIZES = {
    "Eq1": (10, 60, 60, 5),
    "Eq5": (480, 60, 60, 5),
    "E1": (1710, 90, 200, 11),
    "E2": (1710, 90, 200, 11),
    "E3": (1710, 90, 200, 11),
    "E4": (855, 95, 50, 50),
    "E5": (1500, 300, 300, 21),
}
BINARY = ("E1", "E2", "E3", "E4")


@pytest.mark.parametrize("name", EXAMPLES)
def test_shapes_and_disjoint_splits(name):
    example = EXAMPLES[name]()
    assert (len(example.train), len(example.valid), len(example.test), example.X.shape[1]) == SIZES[name]
    assert example.X.shape == example.truth.shape
    assert example.X.dtype == float
    assert example.y.dtype == (np.int64 if name in BINARY else float)
    rows = np.concatenate([example.train, example.valid, example.test])
    assert len(set(rows)) == len(rows) <= len(example.X) == len(example.y)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_seed_alone_decides(name):
    first, again, other = EXAMPLES[name](7), EXAMPLES[name](7), EXAMPLES[name](8)
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.train, again.train)
    assert (first.X != other.X).any()


def test_eq1_is_the_published_sample():
    example = lspin_data.eq1()
    raw = np.r_[example.X[:300] @ [-2, 1, -0.5, 0, 0], example.X[300:] @ [0, 0, -0.5, 1, -2]]
    assert np.ptp(raw) == pytest.approx(9.81, abs=0.005)  # the published range
    np.testing.assert_allclose(example.y, (raw - raw.min()) / np.ptp(raw), atol=1e-12)
    assert (example.train < 300).sum() == 4  # published counts of group 1
    assert (example.valid < 300).sum() == 31
    assert example.y[example.test].var() == pytest.approx(0.0415, abs=1e-4)  # published MSE / (1 - R2)


def test_eq5_differs_in_the_shared_coefficient():
    equal, unequal = lspin_data.eq1(), lspin_data.eq5()
    np.testing.assert_array_equal(equal.X, unequal.X)
    np.testing.assert_array_equal(equal.truth, unequal.truth)
    coef = np.linalg.lstsq(np.c_[unequal.X[300:], np.ones(300)], unequal.y[300:], rcond=None)[0]
    np.testing.assert_allclose(coef[:5] / coef[3], [0, 0, 0.5, 1, -2], atol=1e-12)
    assert unequal.y[unequal.test].var() == pytest.approx(0.032, abs=5e-4)


@pytest.mark.parametrize(("name", "share"), [("E1", 8 / 15), ("E2", 8 / 15), ("E3", 10 / 16), ("E4", 4 / 52)])
def test_f1_of_all_columns_is_the_published_one(name, share):
    truth = EXAMPLES[name]().truth
    assert 2 * truth.sum() / (truth.sum() + truth.size) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("name", ["Eq1", "Eq5"])
def test_linear_groups_are_exact_in_their_true_columns(name):
    example = EXAMPLES[name](5)
    for group in (slice(0, 300), slice(300, 600)):
        X = np.c_[example.X[group] * example.truth[group], np.ones(300)]
        coef = np.linalg.lstsq(X, example.y[group], rcond=None)[0]
        np.testing.assert_allclose(X @ coef, example.y[group], atol=1e-12)


@pytest.mark.parametrize("name", ["E1", "E2", "E3"])
def test_switched_classes_follow_from_the_true_columns(name):
    example = EXAMPLES[name](5)
    X, odds = example.X, {}
    odds[0, 1] = np.exp(X[:, 0] * X[:, 1])
    odds[2, 3, 4, 5] = np.exp((X[:, 2:6] ** 2).sum(1) - 4)
    odds[6, 7, 8, 9] = np.exp(-10 * np.sin(0.2 * X[:, 6]) + np.abs(X[:, 7]) + X[:, 8] + np.exp(-X[:, 9]) - 2.4)
    for row, truth in enumerate(example.truth):
        columns = tuple(np.flatnonzero(truth[:10]).tolist())
        assert example.y[row] == (1 / (1 + odds[columns][row]) > 0.5)


def test_e4_is_drawn_group_by_group_and_standardised():
    example, rng = lspin_data.e4(5), np.random.RandomState(5)
    first, second = rng.normal(1, 0.5, (500, 4)), rng.normal(-1, 0.5, (500, 4))
    odds = np.exp(np.r_[first[:, 0] * first[:, 1] - 0.9, (second[:, 2:] ** 2).sum(1) - 2.5])
    np.testing.assert_array_equal(example.y, 1 / (1 + odds) > 0.5)
    np.testing.assert_allclose(example.X.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(example.X.std(0), 1, atol=1e-12)
    raw = np.r_[first, second]
    np.testing.assert_allclose(example.X[:, :4], (raw - raw.mean(0)) / raw.std(0), atol=1e-12)
    np.testing.assert_array_equal(np.unique(example.truth.sum(1)), [2])


def test_e5_is_a_product_of_two_true_columns_and_a_group():
    example = lspin_data.e5()
    product = np.where(example.truth[:, :20], example.X[:, :20], 1).prod(1)
    np.testing.assert_array_equal(example.y, product + 2 * example.X[:, 20])
    np.testing.assert_array_equal(example.truth.sum(1), 3)
    for rows in (example.train, example.valid, example.test):
        assert {(example.X[rows, 20] == group).sum() for group in (-1, 0, 1)} == {len(rows) // 3}


def test_groups_of_the_switched_sets():
    sets = {name: EXAMPLES[name](3) for name in ("E1", "E2", "E3")}
    below = sets["E1"].X[:, 10] < 0
    for name, (first, second) in {"E1": ("a", "b"), "E2": ("a", "c"), "E3": ("b", "c")}.items():
        columns = {"a": [0, 1, 10], "b": [2, 3, 4, 5, 10], "c": [6, 7, 8, 9, 10]}
        truth = sets[name].truth
        assert [list(np.flatnonzero(row)) for row in np.unique(truth[below], axis=0)] == [columns[first]]
        assert [list(np.flatnonzero(row)) for row in np.unique(truth[~below], axis=0)] == [columns[second]]
    assert (sets["E2"].y[below] == sets["E1"].y[below]).all()
    assert sets["E2"].y.mean() == pytest.approx(0.515, abs=0.03)  # of class 1 with exp(-x10) - 2.4
    assert sets["E3"].y.mean() == pytest.approx(0.568, abs=0.03)
