"""Means over folds: intervals that cover, where patients and models are drawn anew many times."""

import numpy as np
import pytest

from survlspin.fold_mean import FoldMean, interval

PARTS, EACH, REPLICATES = 10, 20, 1000


def measure(effect, tested):
    """The mean effect of the tested patients, and each one's influence on it."""
    value = effect[tested].mean()
    return value, np.where(tested, (effect - value) / tested.sum(), 0.0)


def replicate(rng, one_nine, models, shared):
    """One study: patients with effects on a measure, and folds whose models are worth more or less.

    `shared` is how much of a patient's effect a model takes over that was trained on him.
    """
    effect = rng.normal(size=PARTS * EACH)
    part = np.repeat(np.arange(PARTS), EACH)
    values, influence, trained = [], [], []
    for k in range(PARTS):
        trains = part == k if one_nine else part != k
        value, own = measure(effect, ~trains)
        values.append(value + rng.normal(scale=models) + shared * effect[trains].mean())
        influence.append(own)
        trained.append(trains)
    return FoldMean(np.array(values), np.array(influence), np.array(trained))


@pytest.mark.parametrize(
    ("one_nine", "models", "shared", "naive_covers"),
    [(True, 0.0, 0.0, False), (True, 0.3, 0.0, False), (True, 0.1, 1.0, False), (False, 0.0, 0.0, True)],
    ids=["patients alone", "models differ", "what trains well tests well", "cross-validation"],
)
def test_intervals_cover(one_nine, models, shared, naive_covers):
    rng = np.random.default_rng(0)
    found = [replicate(rng, one_nine, models, shared) for _ in range(REPLICATES)]
    value, se = np.array([(mean.value, mean.se) for mean in found]).T
    assert 0.92 < np.mean(np.abs(value) < 1.96 * se) < 0.98
    naive = np.array([mean.values.std(ddof=1) for mean in found]) / np.sqrt(PARTS)
    assert (np.mean(np.abs(value) < 1.96 * naive) > 0.9) == naive_covers


def test_a_difference_of_equal_models_is_nothing():
    mean = replicate(np.random.default_rng(1), True, 0.1, 1.0)
    same = mean - mean
    assert (same.value, same.se) == (0, 0)


def test_a_fold_without_a_value_leaves_the_mean_undefined():
    mean = replicate(np.random.default_rng(2), True, 0.1, 0.0)
    values = np.where(np.arange(PARTS) == 3, np.nan, mean.values)
    assert np.isnan(FoldMean(values, mean.influence, mean.trained).se)


def test_every_interval_names_its_method():
    words = [interval(10, 10), interval(1, 3), interval(1, 1)]
    assert len(set(words)) == 3
    assert all("infinitesimal jackknife" in text for text in words)
