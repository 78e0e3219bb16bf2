import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from survlspin.errors import InputError
from survlspin.metrics import rcs_basis, rcs_knots
from survlspin.metrics.splines import weighted_quantile

GOLD = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "calibration.json.gz").read_bytes()))


@pytest.mark.parametrize("case", GOLD["bases"], ids=lambda case: len(case["knots"]))
def test_bases_equal_hmisc(case):
    knots = rcs_knots(case["x"], len(case["knots"]))
    np.testing.assert_allclose(knots, case["knots"], rtol=1e-12)
    np.testing.assert_allclose(rcs_basis(case["x"], knots), case["basis"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_knots", range(3, 8))
def test_knots_equal_hmisc(n_knots):
    np.testing.assert_allclose(rcs_knots(GOLD["age"], n_knots), GOLD["age_knots"][n_knots - 3], rtol=1e-12)


def test_straight_beyond_the_outer_knots():
    outside = rcs_basis([[-9, -5, -1], [20, 30, 40]][1], [0, 1, 9])
    np.testing.assert_allclose(np.diff(outside, 2, axis=0), 0, atol=1e-10)
    assert (rcs_basis([-9, -5, -1], [0, 1, 9])[:, 1] == 0).all()


def test_tied_values_give_fewer_knots_and_a_straight_line():
    assert rcs_knots([1.0] * 150 + [2.0] * 50).tolist() == [1.0, 2.0]
    assert rcs_basis([3.0, 4.0], [1.0, 2.0]).tolist() == [[3.0], [4.0]]


def test_whole_weights_repeat_values():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=60), rng.integers(0, 4, 60)
    share = np.linspace(0, 1, 23)
    np.testing.assert_allclose(weighted_quantile(x, share, weight), np.quantile(np.repeat(x, weight), share))
    np.testing.assert_allclose(rcs_knots(x, 4, weight * 0.5), rcs_knots(x, 4, weight * 0.5 * 7.3))
    np.testing.assert_array_equal(rcs_knots(x, 3, np.ones(60)), rcs_knots(x, 3))
    few = x[:20], weight[:20]
    np.testing.assert_array_equal(rcs_knots(few[0], 3, few[1]), rcs_knots(np.repeat(*few), 3))


@pytest.mark.parametrize("n_knots", [2, 8])
def test_318_knots_without_a_rule_are_refused(n_knots):
    with pytest.raises(InputError, match="SL-318"):
        rcs_knots([1.0, 2.0, 3.0], n_knots)
