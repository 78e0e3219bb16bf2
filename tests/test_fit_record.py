"""A fit as a record: it comes back bit by bit, through JSON too."""

import json

import numpy as np
import pandas as pd
import pytest

from survlspin.fit_record import Fit


def a_fit(n_factors, names):
    rng = np.random.default_rng(n_factors)
    points = pd.DataFrame(rng.normal(size=(3, 4)), columns=["lam", "validation_nll", "median", "C"])
    points.iloc[1, 1] = np.nan
    used = rng.random((3, 7, n_factors)) < 0.5
    share = pd.DataFrame(rng.random((3, n_factors)), columns=names)
    risk, influence = rng.normal(size=(2, 3, 5)).astype(np.float32)
    fit = Fit("LSPIN", "1.2", 7, points, 1, share, risk, influence, "C(é)", 1 / 3, np.packbits(used, axis=-1))
    return fit, used


@pytest.mark.parametrize("names", [["a"], list(range(8)), list("abcdefghi")], ids=len)
def test_a_record_comes_back_bit_by_bit(names):
    fit, used = a_fit(len(names), names)
    arrays, facts = fit.to_record()
    back = Fit.from_record(arrays, json.loads(json.dumps(facts)))
    for name, value in vars(fit).items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(getattr(back, name), value, check_exact=True)
        elif isinstance(value, np.ndarray):
            assert getattr(back, name).dtype == value.dtype
            np.testing.assert_array_equal(getattr(back, name), value)
        else:
            assert getattr(back, name) == value
    for point in range(3):
        np.testing.assert_array_equal(back.used_at(point), used[point])
    assert all(array.flags.c_contiguous for array in arrays.values())


def test_counts_that_are_whole_are_stored_as_numbers_too():
    fit, _ = a_fit(2, ["a", "b"])
    whole = Fit(**{**vars(fit), "points": fit.points.assign(median=[3, 2, 1])})
    back = Fit.from_record(*whole.to_record())
    assert back.points["median"].tolist() == [3, 2, 1]
