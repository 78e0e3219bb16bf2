import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.estimators.completion import complete
from survlspin.estimators.lassonet_selector import LassoNetSelector


def table(missing=0.2, n=200, seed=0):
    """Eight columns of three sources, two of them bent, some entries missing; and the whole."""
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(n, 2))
    whole = np.tanh(source @ rng.normal(size=(2, 8))) * 5 + 3 + 0.1 * rng.normal(size=(n, 8))
    return np.where(rng.random(whole.shape) < missing, np.nan, whole), whole


def test_missing_entries_are_made_from_the_others():
    given, whole = table()
    found = complete(given, lam=0.01, rounds=60)
    values = found.values  # noqa: PD011
    missing = np.isnan(given)
    np.testing.assert_array_equal(values[~missing], given[~missing])
    scale = np.nanstd(given, 0)
    error = np.sqrt((((values - whole) / scale)[missing] ** 2).mean())
    mean = np.sqrt((((np.nanmean(given, 0) - whole) / scale)[missing] ** 2).mean())
    assert error < 0.6 * mean
    assert found.error == pytest.approx(error, abs=0.15)


def test_a_larger_lambda_reads_fewer_columns():
    given, _ = table()
    used = [complete(given, lam=lam, rounds=30).used.sum() for lam in (0.01, 1e3)]
    assert used == [8, 0]


def test_a_frame_stays_a_frame():
    given, _ = table(n=60)
    frame = pd.DataFrame(given, columns=list("abcdefgh"), index=np.arange(60) * 2)
    found = complete(frame, rounds=3).values  # noqa: PD011
    assert found.index.equals(frame.index)
    assert list(found) == list(frame)
    assert found.notna().all(axis=None)
    pd.testing.assert_frame_equal(complete(frame, rounds=3).values, found)


@pytest.mark.parametrize("case", ["whole", "constant", "empty"])
def test_tables_that_cannot_be_completed_are_refused(case):
    given, whole = table(n=30)
    given[:, 2] = {"whole": given[:, 2], "constant": 1.0, "empty": np.nan}[case]
    with pytest.raises(InputError, match="SL-424"):
        complete(whole if case == "whole" else given)


@pytest.mark.parametrize("rounds", [0, -3, 2.5])
def test_rounds_that_cannot_be_used_are_refused(rounds):
    with pytest.raises(InputError, match="SL-408"):
        complete(table(n=30)[0], rounds=rounds)


def test_the_selector_keeps_columns_that_tell_the_others():
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=(150, 2))[:, [0, 1, 0, 1]] + 0.2 * rng.normal(size=(150, 4)), np.ones(150)]
    selector = LassoNetSelector(n_features=3, epochs=5, points=10).fit(X)
    assert 1 <= selector.support_.sum() <= 3
    assert not selector.support_[4]
    assert selector.importance_[4] == 0
    assert (selector.importance_[:4] > 0).all()
    assert selector.transform(X).shape == (150, selector.support_.sum())
    assert selector.support_[[0, 2]].any()
    with pytest.raises(InputError, match="SL-408"):
        LassoNetSelector(n_features=0).fit(X)
