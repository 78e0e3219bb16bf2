import numpy as np
import pytest

from survlspin.errors import InputError, InputTypeError
from survlspin.response import Response


@pytest.mark.parametrize("index", [[3, 0], slice(1, 3), np.array([True, False, False, True])])
@pytest.mark.parametrize("value", [np.arange(4), np.arange(8.0).reshape(4, 2)])
def test_rows_are_taken_with_their_weights(value, index):
    weight = np.arange(4.0)
    taken = Response(value, weight).take(index)
    np.testing.assert_array_equal(taken.value, value[index])
    np.testing.assert_array_equal(taken.weight, weight[index])
    assert len(taken) == 2
    assert Response(value).take(index).weight is None


def test_no_rows_are_a_response():
    assert len(Response(np.zeros((0, 2)))) == 0


@pytest.mark.parametrize(
    ("code", "value", "weight"),
    [
        ("SL-151 .* in 1 row, first at position 2", np.array([0.0, 1.0, np.nan]), None),
        ("SL-151 .* in 2 rows, first at position 0", np.array([[0.0, np.inf], [np.nan, 1.0]]), None),
        (r"SL-152 .*\(3,\) and weights of shape \(2,\)", np.zeros(3), np.ones(2)),
        ("SL-152", np.zeros((3, 2)), np.ones((3, 2))),
        ("SL-152", np.zeros((3, 2, 1)), None),
        ("SL-152", np.array(1.0), None),
        ("SL-153 .* in 1 row, first at position 1", np.zeros(3), np.array([1.0, -1.0, 0.0])),
        ("SL-153", np.zeros(1), np.array([np.nan])),
        ("SL-153", np.zeros(1), np.array([np.inf])),
    ],
)
def test_values_and_weights_that_cannot_be_used_are_refused(code, value, weight):
    with pytest.raises(InputError, match=code):
        Response(value, weight)


@pytest.mark.parametrize(("value", "weight"), [(np.array(["a", "b"]), None), (np.zeros(2), np.array([None, 1.0]))])
def test_what_is_not_numbers_is_refused(value, weight):
    with pytest.raises(InputTypeError, match=r"SL-154 (value|weight) of the response"):
        Response(value, weight)
