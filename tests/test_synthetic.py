import numpy as np
import pytest
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index

from survlspin.errors import InputError
from survlspin.synthetic import registry

KINDS = ("linear", "heterogeneous")


@pytest.mark.parametrize(("kind", "months", "events"), [("linear", 132, 0.12), ("heterogeneous", 205, 0.21)])
def test_shape_times_and_events(kind, months, events):
    X, y, truth = registry(20_000, kind)
    assert X.shape == truth.factors.shape == (20_000, 55)
    assert list(X) == list(truth.factors)
    assert y.dtype.names == ("event", "time")
    assert y["event"].mean() == pytest.approx(events, abs=1e-4)
    assert set(y["time"]) == set(range(months))
    binary = [name for name in X if set(X[name]) <= {0, 1}]
    assert len(binary) == {"linear": 52, "heterogeneous": 25}[kind]
    assert X.notna().all(axis=None)


@pytest.mark.parametrize(("kind", "oracle", "linear"), [("linear", 0.735, 0.726), ("heterogeneous", 0.76, 0.73)])
def test_headroom_over_a_linear_cox_model(kind, oracle, linear):
    X, y, truth = registry(20_000, kind, random_state=2)
    frame = ((X - X.mean()) / X.std()).assign(time=y["time"], event=y["event"])
    cox = CoxPHFitter(penalizer=1e-3).fit(frame[:10_000], "time", "event")
    test = slice(10_000, None)
    c = [
        concordance_index(y["time"][test], -np.asarray(risk), y["event"][test])
        for risk in (truth.log_hazard[test], cox.predict_log_partial_hazard(frame[test]))
    ]
    assert c == pytest.approx([oracle, linear], abs=0.02)  # 1,200 and 2,100 events: standard error about .007
    assert c[0] > c[1]


@pytest.mark.parametrize("kind", KINDS)
def test_hazard_depends_on_the_listed_columns_alone(kind):
    X, _, truth = registry(20_000, kind)
    for g in np.unique(truth.group):
        rows = truth.group == g
        used = truth.factors.columns[truth.factors[rows].all()]
        assert list(used) == list(truth.factors.columns[truth.factors[rows].any()])
        terms = [X.loc[rows, name].to_numpy(float) for name in used]
        if kind == "linear":
            terms += [X["age"] ** 2, np.log(X["tumour_size"])]
        design = np.column_stack([np.ones(rows.sum()), *terms])
        fitted = design @ np.linalg.lstsq(design, truth.log_hazard[rows])[0]
        np.testing.assert_allclose(fitted, truth.log_hazard[rows], atol=1e-8)


def test_four_subgroups_with_different_factors():
    _, _, truth = registry(20_000, "heterogeneous")
    assert np.bincount(truth.group, minlength=4).min() > 1_000
    assert len(truth.factors.drop_duplicates()) == 4
    assert not truth.factors.filter(like="noise").any(axis=None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(kind):
    first, again, other = (registry(500, kind, random_state=seed) for seed in (3, 3, 4))
    assert first[0].equals(again[0])
    assert (first[1] == again[1]).all()
    assert not first[0].equals(other[0])


def test_settings_are_used():
    _, y, _ = registry(5_000, months=24, event_rate=0.5)
    assert y["time"].max() == 23
    assert y["event"].mean() == pytest.approx(0.5, abs=1e-3)


def test_unknown_kind_is_refused():
    with pytest.raises(InputError, match="SL-451"):
        registry(10, "quadratic")


@pytest.mark.parametrize("wrong", [{"n": 0}, {"months": 0}, {"event_rate": 1.0}, {"event_rate": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="SL-452"):
        registry(**{"n": 10} | wrong)
