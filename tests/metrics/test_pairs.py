import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from survlspin.metrics import pairs
from survlspin.metrics.inputs import rows_of
from survlspin.metrics.time_table import dense, ranked, time_table


def patients(n=400, seed=0):
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 40, n).astype(float)
    options = {
        "entry": time - rng.integers(1, 20, n),
        "weight": rng.uniform(0.2, 3, n),
        "stratum": np.sort(rng.integers(0, 4, n)) ** 3,  # of unequal sizes
    }
    return time, rng.integers(0, 2, n), rng.integers(0, 30, n) / 7, options


@pytest.mark.parametrize("names", [(), ("weight",), ("entry",), ("stratum",), ("entry", "weight", "stratum")])
def test_few_cells_and_many_are_counted_alike(names, monkeypatch):
    time, event, risk, options = patients()
    rows = rows_of(time, event, **{name: options[name] for name in names})
    table = time_table(rows)
    time_weight = np.linspace(0.5, 2, len(table.time))
    found = []
    for few in (0, 10**6):
        monkeypatch.setattr(pairs, "FEW", few)
        found.append(pairs.count_pairs(rows, risk, table, time_weight))
    assert len(found[0].as_early[0]) < len(found[1].as_early[0])
    np.testing.assert_allclose(found[0].counts, found[1].counts, rtol=1e-13)
    for kind in np.eye(5):
        np.testing.assert_allclose(found[0].of_rows(kind), found[1].of_rows(kind), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("names", [(), ("entry",), ("weight", "stratum")])
def test_each_rows_pairs_add_up_to_twice_the_counts(names):
    time, event, risk, options = patients()
    rows = rows_of(time, event, **{name: options[name] for name in names})
    found = pairs.count_pairs(rows, risk, time_table(rows))
    for k, kind in enumerate(np.eye(5)):
        np.testing.assert_allclose(found.of_rows(kind).sum(), 2 * found.counts[:, k].sum(), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::lifelines.exceptions.StatisticalWarning")
@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_kaplan_meiers_within_strata(weighted):
    time, event, _, options = patients()
    weight = options["weight"] if weighted else np.ones(len(time))
    table = time_table(rows_of(time, event, weight=weight, stratum=options["stratum"]))
    for k, label in enumerate(np.unique(options["stratum"])):
        rows, places = options["stratum"] == label, table.stratum == k
        fit = KaplanMeierFitter().fit(time[rows], event[rows], weights=weight[rows])
        before = np.nextafter(table.time[places], 0)
        np.testing.assert_allclose(table.survival[places], fit.predict(before), rtol=1e-10, atol=1e-12)
        later = time[rows] + 0.5 * (1 - event[rows])  # censored after the events of that time
        fit = KaplanMeierFitter().fit(later, 1 - event[rows], weights=weight[rows])
        np.testing.assert_allclose(table.censoring[places], fit.predict(before), rtol=1e-10, atol=1e-12)


def test_only_those_who_have_entered_are_at_risk():
    time, event, _, options = patients()
    table = time_table(rows_of(time, event, entry=options["entry"]))
    at_risk = [((time >= t) & (options["entry"] < t)).sum() for t in table.time]
    assert table.at_risk.tolist() == at_risk
    assert (table.time[table.place] == time).all()


@pytest.mark.parametrize("most", [3, 10**9], ids=["few values", "all different"])
def test_ranks_are_numpys(most):
    values = np.random.default_rng(0).integers(-most, most, 5000)
    for found, given in ((ranked(values / 7), values / 7), (dense(values + most), values + most)):
        distinct, rank = np.unique(given, return_inverse=True)
        np.testing.assert_array_equal(found[0], distinct)
        np.testing.assert_array_equal(found[1], rank)
    assert ranked(np.array([0.0, -0.0, 1.0]))[1].tolist() == [0, 0, 1]
