"""A fit as a record: it comes back bit by bit, through JSON too."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from survlspin.fit_record import Fit

KEPT = {"horizons": np.array([2.0, 5.0]), "probability": np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2)}


def a_fit(n_factors, names):
    rng = np.random.default_rng(n_factors)
    points = pd.DataFrame(rng.normal(size=(3, 4)), columns=["lam", "validation_nll", "median", "C"])
    points.iloc[1, 1] = np.nan
    used = rng.random((3, 7, n_factors)) < 0.5
    share = pd.DataFrame(rng.random((3, n_factors)), columns=names)
    risk, influence = rng.normal(size=(2, 3, 5)).astype(np.float32)
    packed, hazard = np.packbits(used, axis=-1), np.cumsum(rng.random((3, 4)), axis=1)
    own = {"times": np.array([1.0, 2.5, 3.0, 7.0]), "hazard": hazard} if n_factors % 2 else KEPT
    fit = Fit("LSPIN", "1.2", 7, points, 1, share, risk, influence, "C(é)", 1 / 3, packed, **own)
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


def test_a_hazard_says_the_probability_at_any_time_of_any_point():
    fit, _ = a_fit(1, ["a"])
    times = [0.0, 1.0, 2.4, 2.5, 6.9, 7.0, 99.0]
    for point in (None, 0, 2):
        p = 1 if point is None else point
        h0 = np.array([0.0, *fit.hazard[p][[0, 0, 1, 2, 3, 3]]])
        expected = 1 - np.exp(-h0 * np.exp(fit.risk[p].astype(float))[:, None])
        np.testing.assert_allclose(fit.event_probability(times, point), expected, rtol=1e-12)
    assert fit.event_probability(2.4).shape == (5, 1)


def test_a_hazard_of_any_log_risk_gives_probabilities():
    fit, _ = a_fit(1, ["a"])
    extreme = replace(fit, risk=np.full_like(fit.risk, 1e6) * np.float32([-1, 1, -1, 1, 1]))
    np.testing.assert_array_equal(extreme.event_probability([0.5, 3])[:, 0], 0)
    np.testing.assert_array_equal(extreme.event_probability([0.5, 3])[:, 1], [0, 1, 0, 1, 1])


def test_probabilities_are_known_where_they_were_kept_and_nowhere_else():
    fit, _ = a_fit(2, ["a", "b"])
    found = fit.event_probability([5.0, 2.0, 3.0])
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found[:, :2], KEPT["probability"][:, ::-1])
    assert np.isnan(found[:, 2]).all()
    assert np.isnan(fit.event_probability([2.0], point=0)).all()
    other = fit.choosing(2)
    assert other.chosen == 2
    assert np.isnan(other.event_probability([2.0, 5.0], point=1)).all()
    assert np.isnan(other.event_probability([2.0, 5.0])).all()
    assert fit.choosing(1) is fit
