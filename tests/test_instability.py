"""Instability of predictions: by hand, with rows that no fit tests, and without a patient in its aggregates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_runs import FOLDS, N, runs  # noqa: F401 - a fixture

from survlspin.errors import InputError
from survlspin.instability import instability

HORIZON = 5.0


@pytest.fixture
def study(runs):  # noqa: F811
    """The runs with probabilities, of which the fits of "plain" know nothing of three rows."""
    rng = np.random.default_rng(3)
    made = []
    for fit in runs.fits:
        probability = rng.random((fit.risk.shape[1], 2)).astype(np.float32)
        if fit.model == "plain":
            probability[:3] = np.nan
        made.append(replace(fit, horizons=np.array([HORIZON, 9.0]), probability=probability))
    return replace(runs, fits=made, labels=pd.Index([f"p{i}" for i in range(N)]))


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:All-NaN")  # rows that nobody tests
@pytest.mark.parametrize("model", ["path", "plain"])
def test_as_by_hand(study, model):
    cells = np.full((FOLDS, N), np.nan)
    for k, fit in enumerate(fit for fit in study.fits if fit.model == model):
        cells[k, study.folds[fit.fold].test] = fit.probability[:, 0]
    found = study.instability(model, HORIZON)
    mean = np.nanmean(cells, axis=0)
    apart = np.nanmean(np.abs(cells - mean), axis=0)
    np.testing.assert_array_equal(found.frame["models"], (~np.isnan(cells)).sum(axis=0))
    np.testing.assert_allclose(found.frame["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(found.frame["mape"], apart, rtol=1e-12)
    np.testing.assert_allclose(found.frame["range"], np.nanmax(cells, axis=0) - np.nanmin(cells, axis=0), rtol=1e-12)
    several = (~np.isnan(cells)).sum(axis=0) > 1
    assert found.mape == pytest.approx(apart[several].mean(), rel=1e-12)
    assert found.summary()["mape_95"] == pytest.approx(np.quantile(apart[several], 0.95), rel=1e-12)
    assert found.summary()["rows"] == several.sum()
    assert list(found.frame.index) == list(study.labels)


def test_bands_are_of_all_single_predictions(study):
    found = instability(study, "path", HORIZON)
    bands = found.bands(3)
    order = np.argsort(found.frame["mean"].to_numpy(), kind="stable")
    for (_, band), part in zip(bands.iterrows(), np.array_split(order, 3), strict=True):
        single = []
        for fit in (fit for fit in study.fits if fit.model == "path"):
            single += list(fit.probability[np.isin(study.folds[fit.fold].test, part), 0])
        assert band["rows"] == len(part)
        assert band["median"] == pytest.approx(np.median(single))
        assert band["low_95"] == pytest.approx(np.quantile(single, 0.025))
        assert band["high_80"] == pytest.approx(np.quantile(single, 0.9))
    assert bands["mean"].is_monotonic_increasing
    assert not set(bands.index.astype(str)) & set(study.labels)


def test_equal_fits_are_stable_and_one_fit_says_nothing(study):
    alike = [replace(fit, probability=np.full_like(fit.probability, 0.25)) for fit in study.fits]
    assert instability(replace(study, fits=alike), "path", HORIZON).mape == 0
    alone = instability(replace(study, fits=study.fits[:1]), "path", HORIZON)
    assert np.isnan(alone.mape)
    assert alone.definition.endswith("undefined: no row is tested by two fits")
    assert alone.bands().isna().loc[0, "mean"]
    assert alone.frame["mean"].isna().sum() == (alone.frame["models"] == 0).sum() > 0


def test_what_nobody_knows_is_refused(study):
    with pytest.raises(InputError, match=r"SL-613 the fits of 'path' say no probability by 5\.5"):
        instability(study, "path", 5.5)
    with pytest.raises(InputError, match=r"SL-396 No fit of 'nobody'\. Use one of path, other, plain"):
        instability(study, "nobody", HORIZON)
