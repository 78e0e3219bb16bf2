"""What all estimators share: step functions in the manner of scikit-survival's."""

import numpy as np
import pytest
from sksurv.functions import StepFunction

from survlspin.errors import InputError
from survlspin.survival import step_functions

TIMES = np.array([2.0, 5.0, 9.0])
CURVES = np.array([[0.9, 0.5, 0.2], [1.0, 0.7, 0.7]])


def test_step_functions_are_scikit_survivals():
    functions = step_functions(TIMES, CURVES, 1.0)
    assert functions.shape == (2,)
    for function, curve in zip(functions, CURVES, strict=True):
        theirs = StepFunction(TIMES, curve, domain=(0, None))
        np.testing.assert_array_equal(function.x, theirs.x)
        np.testing.assert_array_equal(function.y, theirs.y)
        assert function.domain == theirs.domain
        later = np.array([2, 2.5, 4.999, 5, 8, 9])
        np.testing.assert_array_equal(function(later), theirs(later))
        assert function(3) == theirs(3)
        np.testing.assert_array_equal(function([0, 1.9]), [1.0, 1.0])


@pytest.mark.parametrize("time", [-1, 9.01, np.nan, [3, 10]])
def test_a_curve_is_not_known_beyond_its_last_time(time):
    function = step_functions(TIMES, CURVES, 1.0)[0]
    with pytest.raises(InputError, match="SL-413"):
        function(time)
    if not np.isnan(time).any():
        with pytest.raises(ValueError, match="must be within"):
            StepFunction(TIMES, CURVES[0], domain=(0, None))(time)
