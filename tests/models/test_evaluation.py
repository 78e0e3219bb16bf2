"""SurvEval against EvalSurv, direct integrals and scikit-survival."""

import numpy as np
import pandas as pd
import pytest
from cox_rows import cox_rows
from scipy.integrate import simpson
from sksurv.metrics import brier_score, concordance_index_censored
from sksurv.util import Surv

from survlspin import models
from survlspin._pycox import EvalSurv
from survlspin.errors import InputError

GRID = np.linspace(0.05, 1.2, 41)


def curves(n=150, levels=None):
    """Exponential curves of the true log-risk, with durations and events."""
    x, time, event = cox_rows(n, censoring=0.5, levels=levels)
    times = np.linspace(0, time.max(), 200) if levels is None else np.arange(levels + 1.0)
    surv = np.exp(-0.8 * times[:, None] * np.exp(x[:, 0] - x[:, 1]) / times.max())
    return pd.DataFrame(surv, index=times), time, event


@pytest.fixture(scope="module")
def scored():
    surv, time, event = curves()
    end = np.where(event == 1, time + 0.3, time)
    return models.SurvEval(surv, time, event, censor_surv="km", censor_durations=end)


def test_scores_are_pycoxs_and_scikit_survivals(scored):
    theirs = EvalSurv(scored.surv, scored.durations, scored.events, censor_surv="km")
    pd.testing.assert_series_equal(scored.brier_score(GRID), theirs.brier_score(GRID))
    y = Surv.from_arrays(scored.events == 1, scored.durations)
    _, expected = brier_score(y, y, scored.surv_at_times(GRID).to_numpy().T, GRID)
    np.testing.assert_allclose(scored.brier_score(GRID), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["brier_score", "nbll", "brier_score_admin", "nbll_admin"])
def test_integrated_scores_are_the_integral_of_the_scores(scored, name):
    scores = getattr(scored, name)(GRID).to_numpy()
    integrated = getattr(scored, f"integrated_{name}")
    length = GRID[-1] - GRID[0]
    assert integrated(GRID) == pytest.approx(simpson(scores, x=GRID) / length, rel=1e-12)
    assert integrated(list(GRID)) == integrated(GRID)
    fine = np.linspace(0.05, 1.2, 2001)  # steps of curves and of deaths: the rules meet on a fine grid
    trapezoid = np.trapezoid(getattr(scored, name)(fine), fine) / length
    assert integrated(fine) == pytest.approx(trapezoid, rel=1e-3)  # both are sums over 2,000 cells, some with jumps


def test_administrative_brier_score_by_hand(scored):
    for t, value in scored.brier_score_admin(GRID).items():
        seen = scored.censor_durations >= t
        died = (scored.durations <= t) & (scored.events == 1)
        expected = ((1 - died) - scored.surv_at_times([t]).to_numpy()[0]) ** 2
        assert value == pytest.approx(expected[seen].mean(), rel=1e-12)


def test_max_weight_bounds_the_weights(scored):
    assert scored.integrated_brier_score(GRID, max_weight=1.0) != scored.integrated_brier_score(GRID)
    assert scored.integrated_nbll(GRID, max_weight=1.0) != scored.integrated_nbll(GRID)


@pytest.mark.parametrize("index", [slice(5, 90), [3, 1, 2], np.arange(150) % 2 == 0])
def test_slices_keep_class_and_content(scored, index):
    part = scored[index]
    assert type(part) is models.SurvEval
    assert type(part.censor_surv) is models.SurvEval
    np.testing.assert_array_equal(part.durations, scored.durations[index])
    np.testing.assert_array_equal(part.censor_durations, scored.censor_durations[index])
    assert np.isfinite(part.integrated_brier_score(GRID[:20]))


def test_one_patient_is_a_slice_too(scored):
    assert scored[4].durations.tolist() == [scored.durations[4]]
    assert scored[4].censor_durations.tolist() == [scored.censor_durations[4]]


def test_series_and_booleans_are_taken():
    surv, time, event = curves()
    index = [f"p{i}" for i in range(len(time))]
    ours = models.SurvEval(surv, pd.Series(time, index), pd.Series(event == 1, index))
    assert ours.concordance_td() == models.SurvEval(surv, time, event).concordance_td()


def test_concordance_is_antolinis_unless_asked():
    surv, time, event = curves(levels=12)
    ours = models.SurvEval(surv, time, event)
    theirs = EvalSurv(surv, time, event)
    assert ours.concordance_td() == theirs.concordance_td("antolini")
    assert ours.concordance_td("adj_antolini") == theirs.concordance_td()
    harrell = concordance_index_censored(event == 1, time, -surv.iloc[-1])[0]  # proportional: curves never cross
    assert ours.concordance_td() == pytest.approx(harrell, abs=1e-12)
    assert ours.concordance_td("adj_antolini") < harrell - 0.02


def test_an_unknown_concordance_is_refused(scored):
    with pytest.raises(InputError, match=r"SL-477.*did you mean.*antolini"):
        scored.concordance_td("antolin")
