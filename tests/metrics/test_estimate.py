import numpy as np
import pytest
from scipy.stats import norm

from survlspin.metrics import Estimate
from survlspin.metrics.estimate import logit_interval


def test_repr_is_one_line():
    estimate = Estimate(0.6754, 0.0132, 0.649, 0.7007, "C(Harrell)", np.zeros(1000))
    assert repr(estimate) == "0.6754 (SE 0.0132, 95% 0.6490 to 0.7007) C(Harrell)"


def test_estimates_are_frozen():
    with pytest.raises(AttributeError):
        Estimate(0.5, 0.1, 0.3, 0.7, "").value = 1


@pytest.mark.parametrize("value", [1e-12, 0.02, 0.5, 0.7, 0.999])
def test_interval_stays_within_bounds_and_is_symmetric_in_logits(value):
    low, high = logit_interval(value, 0.05)
    assert 0 <= low < value < high <= 1
    if 0.01 < value < 0.9:
        odds = np.log([low / (1 - low), value / (1 - value), high / (1 - high)])
        np.testing.assert_allclose(np.diff(odds), norm.ppf(0.975) * 0.05 / (value * (1 - value)), rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_interval_at_the_bounds_is_a_point(value):
    assert logit_interval(value, 0.0) == (value, value)
