"""Nogueira's stability and its interval, Jaccard's index: by hand, by brute force, by simulation."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.stability import jaccard, nogueira


def draw(rng, share, m):
    return rng.random((m, len(share))) < share


def test_the_value_is_one_minus_the_variance_over_that_of_chance():
    sets = draw(np.random.default_rng(0), np.linspace(0.1, 0.9, 6), 7)
    variance = np.mean([np.var(column, ddof=1) for column in sets.T])
    k = sets.sum(axis=1).mean()
    found = nogueira(sets)
    assert found.value == pytest.approx(1 - variance / (k / 6 * (1 - k / 6)), abs=1e-12)
    assert nogueira(pd.DataFrame(sets)).value == found.value
    assert nogueira(sets[:, ::-1]).se == pytest.approx(found.se, rel=1e-12)


def test_the_standard_error_is_the_jackknife_s_and_with_many_sets_the_paper_s():
    sets = draw(np.random.default_rng(1), np.linspace(0.05, 0.9, 12), 500).astype(float)
    m, k, found = len(sets), sets.sum(axis=1), nogueira(sets)
    p, d, phi = sets.mean(axis=0), sets.shape[1], found.value
    q = k.mean() / d
    own = (sets @ p / d - k * q / d + phi / 2 * (2 * q * k / d - k / d - q + 1)) / (q * (1 - q))
    assert found.se**2 == pytest.approx(4 / m**2 * np.sum((own - own.mean()) ** 2), rel=0.02)  # it is of first order
    few = sets[:6]
    values = np.array([nogueira(np.delete(few, i, axis=0)).value for i in range(6)])
    assert nogueira(few).se ** 2 == pytest.approx(5 / 6 * np.sum((values - values.mean()) ** 2), rel=1e-9)
    assert np.sum(nogueira(few).influence ** 2) == pytest.approx(nogueira(few).se ** 2, rel=1e-9)


def test_equal_sets_are_stable_and_opposite_ones_are_not():
    equal = nogueira([[1, 1, 0]] * 4)
    assert (equal.value, equal.se, equal.low, equal.high) == (1, 0, 1, 1)
    assert nogueira([[1, 0], [0, 1]]).value == pytest.approx(-1)


def test_sets_drawn_by_chance_have_stability_0_on_average():
    rng = np.random.default_rng(2)
    values = []
    for _ in range(400):
        sets = np.zeros((10, 12), dtype=bool)
        for row in sets:
            row[rng.choice(12, 4, replace=False)] = True
        values.append(nogueira(sets).value)
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    assert np.std(values) < 0.1


def test_ten_sets_have_an_interval_that_covers():
    rng = np.random.default_rng(3)
    share = np.array([0.95, 0.9, 0.8, 0.6, 0.3, 0.2, 0.1, 0.05, 0.05, 0.02] * 2)
    truth = 1 - np.mean(share * (1 - share)) / (share.mean() * (1 - share.mean()))
    found = [nogueira(draw(rng, share, 10)) for _ in range(1000)]
    assert 0.93 < np.mean([f.low <= truth <= f.high for f in found]) < 0.975
    assert np.mean([f.value for f in found]) == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize(
    ("sets", "why"),
    [([[0, 0], [0, 0]], "every set is empty"), ([[1, 1], [1, 1]], "every set is full"), ([[1, 0]], "one set")],
    ids=["empty", "full", "one"],
)
def test_where_it_is_undefined_it_says_so(sets, why):
    found = nogueira(sets)
    assert np.isnan([found.value, found.se, found.low, found.high]).all()
    assert found.definition.endswith(f"undefined: {why}")


def test_jaccard_by_hand():
    sets = draw(np.random.default_rng(4), np.full(5, 0.4), 6)
    names = [set(np.flatnonzero(row)) for row in sets]
    pairs = [len(a & b) / len(a | b) for a, b in combinations(names, 2) if a | b]
    assert jaccard(sets) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert jaccard([[1, 0], [1, 0]]) == 1
    assert jaccard([[1, 0], [0, 0], [0, 0]]) == 0
    assert np.isnan(jaccard([[0, 0], [0, 0]]))
    assert np.isnan(jaccard([[1, 0]]))


def test_a_value_whose_error_is_unknown():
    found = nogueira([[1, 0], [0, 0], [0, 0]])
    assert found.value == pytest.approx(-0.2)
    assert np.isnan([found.se, found.low, found.high]).all()


@pytest.mark.parametrize("bad", [[0, 1], [[0, 2]], [[]], [["a", 1]]], ids=["flat", "two", "none", "text"])
@pytest.mark.parametrize("measure", [nogueira, jaccard], ids=["nogueira", "jaccard"])
def test_what_is_no_table_of_sets(measure, bad):
    with pytest.raises(InputError, match="SL-393"):
        measure(bad)
