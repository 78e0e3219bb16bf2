"""Invented patients with two causes of death: their outcomes are drawn from the truth that is told."""

import numpy as np
import pytest

from survlspin.errors import InputError
from survlspin.nonparametric import incidence
from survlspin.synthetic import competing


def test_the_truth_is_what_is_drawn():
    _, y, truth = competing(20_000, random_state=3)
    for month in (12, 60, 108):
        expected = truth.cumulative_incidence(month)[:, :, 0].mean(axis=0)
        for cause in (1, 2):
            found = incidence(y["time"], y["event"], month, cause=cause)
            assert abs(found.value - expected[cause - 1]) < 4 * found.se


def test_draws_repeat_and_are_whole_months():
    X, y, truth = competing(300, months=60)
    again, same, _ = competing(300, months=60)
    assert X.equals(again)
    assert np.array_equal(y, same)
    assert set(np.unique(y["event"])) == {0, 1, 2}
    assert (y["time"] == np.rint(y["time"])).all()
    assert 0 <= y["time"].min() <= y["time"].max() < 60
    assert set().union(*truth.factors) < set(X.columns)


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 10, "months": 0}], ids=str)
def test_sizes_that_cannot_be(options):
    with pytest.raises(InputError, match="SL-452"):
        competing(**options)
