import numpy as np
import pytest

from survlspin.errors import InputError
from survlspin.metrics.inputs import rows_of
from survlspin.metrics.probabilities import horizon_of, probabilities

FAULTS = {
    "shape": ("SL-331", [[0.1, 0.2]], [1, 2]),
    "columns": ("SL-331", [0.1, 0.2], [1, 2]),
    "missing": ("SL-332", [0.1, np.nan], 1),
    "text": ("SL-332", ["high", "low"], 1),
    "percent": ("SL-303", [12.0, 57.0], 1),
    "negative": ("SL-304", [-0.1, 0.4], 1),
    "above": ("SL-304", [0.1, 1.2], 1),
    "huge": ("SL-304", [0.1, 1e6], 1),
    "survival": ("SL-305", [[0.9, 0.7], [0.8, 0.8]], [1, 2]),
    "survival, horizons backwards": ("SL-305", [[0.7, 0.9], [0.8, 0.8]], [2, 1]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_probability_is_refused(fault):
    code, values, horizons = FAULTS[fault]
    with pytest.raises(InputError) as caught:
        probabilities(values, horizons, 2)
    assert caught.value.code == code
    assert not any(text in str(caught.value) for text in ("57", "1.2", "0.9", "1e6"))  # no patient's value


def test_good_probabilities_pass_as_they_are():
    curve = np.array([[0.1, 0.2], [0.3, 0.3 - 1e-8]], dtype=np.float32)
    assert probabilities(curve, [1, 2], 2) is curve
    np.testing.assert_array_equal(probabilities(curve[:, ::-1], [2, 1], 2), curve[:, ::-1])
    assert probabilities([0, 1], 5, 2).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("horizon", "code"),
    [(8.1, "SL-306"), ([2, 9], "SL-306"), (-1, "SL-307"), (np.nan, "SL-307"), ([], "SL-307"), ("year", "SL-307")],
    ids=["beyond", "one beyond", "negative", "missing", "none", "text"],
)
def test_horizons_outside_follow_up_are_refused(horizon, code):
    with pytest.raises(InputError) as caught:
        horizon_of(rows_of([3, 5, 8], [1, 0, 1]), horizon)
    assert caught.value.code == code


def test_follow_up_ends_with_the_last_row_of_positive_weight():
    assert horizon_of(rows_of([3, 5, 8], [1, 0, 1]), [0, 8]).tolist() == [0, 8]
    with pytest.raises(InputError, match="SL-306"):
        horizon_of(rows_of([3, 5, 8], [1, 0, 1], weight=[1, 1, 0]), 8)
