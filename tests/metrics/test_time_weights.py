"""Concordance with other weights of time, up to tau, and by cluster."""

import numpy as np
import pytest

from survlspin.errors import InputError
from survlspin.metrics import concordance, uno
from survlspin.metrics.concordance import TIES, TIMEWT

RNG = np.random.default_rng(3)
N = 60
DATA = {
    "time": RNG.integers(1, 12, N).astype(float),
    "event": RNG.integers(0, 2, N),
    "risk": RNG.integers(0, 9, N) / 3,
}
WEIGHT = RNG.uniform(0.2, 3, N)


def product_limit(lost, exposed):
    return float(np.prod([1 - a / b for a, b in zip(lost, exposed, strict=True) if b > 0]))


def weight_at(t, timewt, time, event, weight):
    """What R gives a pair whose early event is at t, from its definition."""
    before = np.unique(time[time < t])
    n = np.array([weight[time >= u].sum() for u in before])
    died = np.array([weight[(time == u) & (event == 1)].sum() for u in before])
    censored = np.array([weight[(time == u) & (event == 0)].sum() for u in before])
    s, g = product_limit(died, n), product_limit(censored, n - died)
    total, at_risk = weight.sum(), weight[time >= t].sum()
    options = {
        "n": 1,
        "S": total * s / at_risk,
        "S/G": total * s / at_risk / g,
        "n/G2": 1 / g**2,
        "I": 1 / at_risk,
    }
    return options[timewt]


def brute(timewt, tau, time, event, risk, weight):
    over = under = 0.0
    for i in np.flatnonzero((event == 1) & (time <= tau)):
        pair = (time > time[i]) | ((time == time[i]) & (event == 0))
        share = np.where(risk[i] > risk, 1, np.where(risk[i] == risk, 0.5, 0))
        factor = weight[i] * weight_at(time[i], timewt, time, event, weight)
        over, under = over + factor * (weight * pair * share).sum(), under + factor * (weight * pair).sum()
    return over / under


@pytest.mark.parametrize("timewt", TIMEWT)
@pytest.mark.parametrize("tau", [5.0, 11.0])
def test_equals_counting_all_pairs(timewt, tau):
    found = concordance(**DATA, weight=WEIGHT, timewt=timewt, tau=tau, force=True)
    np.testing.assert_allclose(found.value, brute(timewt, tau, **DATA, weight=WEIGHT), rtol=1e-12)


@pytest.mark.parametrize("timewt", ["S", "I"])
def test_weights_of_time_know_delayed_entry(timewt):
    entry = DATA["time"] - RNG.integers(1, 4, N)
    found, n = [], np.arange(N)
    for i in np.flatnonzero(DATA["event"]):  # one early patient at a time, under the curve of all
        t = DATA["time"][i]
        early = (DATA["time"] > t) | ((DATA["time"] == t) & (DATA["event"] == 0))
        pair = early & (entry < t)
        times = np.unique(DATA["time"][(DATA["time"] < t) & (DATA["event"] == 1)])
        n = [((DATA["time"] >= u) & (entry < u)).sum() for u in times]
        died = [((DATA["time"] == u) & (DATA["event"] == 1)).sum() for u in times]
        at_risk = ((DATA["time"] >= t) & (entry < t)).sum()
        factor = {"S": N * product_limit(died, n), "I": 1}[timewt] / at_risk
        share = np.where(DATA["risk"][i] > DATA["risk"], 1, np.where(DATA["risk"][i] == DATA["risk"], 0.5, 0))
        found.append([factor * (share * pair).sum(), factor * pair.sum()])
    over, under = np.sum(found, axis=0)
    np.testing.assert_allclose(concordance(**DATA, entry=entry, timewt=timewt).value, over / under, rtol=1e-12)


def test_every_weight_and_rule_for_ties_gives_its_own_answer_and_name():
    found = {w: concordance(**DATA, weight=WEIGHT, timewt=w, force=True) for w in TIMEWT if w != "S/G"}
    found |= {tie: concordance(**DATA, weight=WEIGHT, ties=tie) for tie in TIES if tie != "half"}
    assert len({estimate.value for estimate in found.values()}) == len(found) == 5
    assert len({estimate.definition for estimate in found.values()}) == 5
    same = concordance(**DATA, timewt="S/G", force=True)  # N S(t-) G(t-) = n(t)
    np.testing.assert_allclose(same.value, concordance(**DATA, timewt="n/G2", force=True).value, rtol=1e-12)
    assert "time weight S/G" in same.definition


def test_uno_names_tau_and_where_g_comes_from():
    found = uno(**DATA, tau=6, weight=WEIGHT)
    assert found.value == concordance(**DATA, timewt="n/G2", tau=6, weight=WEIGHT).value
    assert "Uno" in found.definition
    assert "tau=6" in found.definition
    assert "G=Kaplan-Meier of censoring of these rows" in found.definition
    assert uno(**DATA, tau=5).value != uno(**DATA, tau=6).value
    assert "no tau" in concordance(**DATA, timewt="n/G2", force=True).definition


def test_without_censoring_uno_is_harrell():
    data = DATA | {"event": np.ones(N)}
    found, harrell = uno(**data, tau=11), concordance(**data)
    assert (found.value, found.se) == (harrell.value, harrell.se)


def test_tau_is_as_leaving_out_later_events():
    found = concordance(**DATA, tau=6)
    cut = concordance(DATA["time"], DATA["event"] & (DATA["time"] <= 6), DATA["risk"])
    np.testing.assert_allclose([found.value, found.se], [cut.value, cut.se], rtol=1e-13)
    assert concordance(**DATA, tau=DATA["time"].max()).value == concordance(**DATA).value


def test_ties_dropped_is_the_share_of_the_others():
    sums = concordance(**DATA).counts.loc["all"]
    found = concordance(**DATA, ties="dropped")
    assert found.value == sums["concordant"] / (sums["concordant"] + sums["discordant"])
    step = 1e-5
    weight = np.ones(N)
    weight[4] = 1 + step
    change = (concordance(**DATA, ties="dropped", weight=weight).value - found.value) / step
    np.testing.assert_allclose(found.influence[4], change, rtol=1e-3)


def test_doubled_rows_in_clusters_are_no_new_information():
    twice = {name: np.repeat(values, 2) for name, values in DATA.items()}
    cluster = [f"patient {i}" for i in np.repeat(np.arange(N), 2)]
    found = concordance(**twice, cluster=cluster)
    assert found.influence.shape == (N,)
    assert "by cluster" in found.definition
    weighted = concordance(**DATA, weight=np.full(N, 2.0), cluster=np.arange(N))
    np.testing.assert_allclose(np.sum(found.influence**2), found.se**2, rtol=1e-12)
    np.testing.assert_allclose(found.se, weighted.se, rtol=0.02)  # pairs within a patient are few
    assert found.se > 1.3 * concordance(**twice).se


def test_perfect_predictions():
    for timewt in TIMEWT:
        found = concordance(np.arange(1, 8), np.ones(7), -np.arange(7), timewt=timewt)
        assert (found.value, found.se, found.low, found.high) == (1, 0, 1, 1)


def test_row_order_and_scale_of_risk_do_not_matter():
    order = RNG.permutation(N)
    found = uno(**DATA, tau=8)
    moved = uno(**{name: values[order] for name, values in DATA.items()}, tau=8)
    np.testing.assert_allclose([moved.value, moved.se], [found.value, found.se], rtol=1e-13)
    np.testing.assert_allclose(moved.influence, found.influence[order], rtol=1e-12, atol=1e-15)
    assert uno(**DATA | {"risk": np.exp(3 * DATA["risk"])}, tau=8).value == found.value
    years = uno(**DATA | {"time": DATA["time"] / 12}, tau=8 / 12)
    assert (years.value, years.se) == (found.value, found.se)


def test_no_pair_up_to_tau_is_undefined():
    found = concordance(**DATA, tau=0.5)
    assert np.isnan([found.value, found.se]).all()
    assert str(found).endswith("undefined: no comparable pairs")
    assert "undefined" in str(concordance([1, 2, 3], [1, 1, 1], [2, 2, 2], ties="dropped"))


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SL-334", {"tau": 11.5}),
        ("SL-334", {"tau": np.nan}),
        ("SL-334", {"tau": "5 years"}),
        ("SL-334", {"tau": 11, "weight": DATA["time"] < 11}),
        ("SL-336", {"timewt": "n/G"}),
        ("SL-336", {"ties": "half a point"}),
        ("SL-337", {"timewt": "n/G2", "entry": np.zeros(N)}),
    ],
)
def test_refuses_what_cannot_be_weighted(code, options):
    with pytest.raises(InputError, match=f"^{code}"):
        concordance(**DATA, **options)


def test_refuses_few_who_stand_for_many_unless_forced():
    time, event, risk = np.arange(1.0, 41), np.repeat([1, 0, 1], [2, 37, 1]), np.arange(40.0)
    assert uno(time, event, risk, tau=30).value == 0
    for timewt in ("S/G", "n/G2"):
        with pytest.raises(InputError, match=r"^SL-335 .* falls to 0\.026"):
            concordance(time, event, risk, timewt=timewt)
    assert "0.026 at the last event" in uno(time, event, risk, tau=40, force=True).definition
