import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survlspin import CoxPH
from survlspin.errors import InputError
from survlspin.nonparametric import (
    aalen_johansen,
    censoring_curve,
    follow_up,
    incidence,
    kaplan_meier,
    log_rank,
    nelson_aalen,
    product_limit,
    restricted_mean,
)

GOLDEN = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "curves.json.gz").read_bytes()))
DATA = {name: pd.DataFrame(columns) for name, columns in GOLDEN["data"].items()}
OUTCOME = {"aml": ("time", "status"), "lung": ("time", "event"), "kidney": ("time", "status")}
COLUMN = {"sex": ("stratum", "sex"), "weight": ("weight", "weight"), "cluster": ("cluster", {"lung": "inst"})}


def numbers(values) -> np.ndarray:
    """R's numbers, its NA and NaN as nan."""
    array = np.array(values, dtype=object)
    known = [np.nan if v in (None, "NaN", "NA") else v for v in array.ravel()]
    return np.array(known, dtype=float).reshape(array.shape)


def close(ours, theirs, err_msg="") -> None:
    np.testing.assert_allclose(np.asarray(ours, float), numbers(theirs), rtol=1e-9, atol=1e-12, err_msg=err_msg)


def fitted(case):
    """Our curve of R's case, named as ``data option option/scale``."""
    name, ci = case.split("/")
    name, *options = name.split()
    data = DATA[name]
    given = {"ci": ci, **({"entry": data["start"]} if name == "heart" else {})}
    for option in options:
        if option in COLUMN:
            role, column = COLUMN[option]
            given[role] = data[column if isinstance(column, str) else column.get(name, "id")]
    time, event = ("stop", "event") if name == "heart" else OUTCOME[name]
    if "reverse" in options:
        return kaplan_meier(data[time], 1 - data[event], **given)
    if "nelson-aalen" in options:
        return nelson_aalen(data[time], data[event], **given)
    if "fleming-harrington" in options:
        return nelson_aalen(data[time], data[event], ties="fleming-harrington", **given)
    return kaplan_meier(data[time], data[event], **given)


@pytest.mark.parametrize("case", sorted(GOLDEN["curves"]))
def test_curves_and_quantiles_are_those_of_R(case):
    theirs, ours = GOLDEN["curves"][case], fitted(case)
    for name in ("time", "n_risk", "n_event", "survival", "std_err", "lower", "upper", "cumhaz", "std_chaz"):
        close(ours.frame[name], theirs[name], name)
    found = ours.quantile([0.1, 0.25, 0.5, 0.75])
    for name, column in {"time": "quantile", "lower": "q_lower", "upper": "q_upper"}.items():
        close(found[name], np.ravel(np.array(theirs[column], dtype=object)), name)
    if theirs["stratum"]:
        np.testing.assert_array_equal(ours.frame["stratum"], theirs["stratum"])


def test_restricted_means_and_values_at_times_are_those_of_R():
    lung = DATA["lung"]
    curves = kaplan_meier(lung["time"], lung["event"], stratum=lung["sex"])
    for theirs in GOLDEN["rmst"]:
        ours = curves.rmst(theirs["tau"])
        close(ours[["rmst", "std_err"]].to_numpy().T, [theirs["rmst"], theirs["std_err"]])
        close(ours["upper"] - ours["lower"], 2 * 1.959963984540054 * np.array(theirs["std_err"]))
    at = kaplan_meier(lung["time"], lung["event"]).at(GOLDEN["at"]["time"])
    for name, values in GOLDEN["at"].items():
        close(at[name], values, name)


@pytest.mark.parametrize("case", sorted(GOLDEN["incidence"]))
def test_incidences_are_those_of_R(case):
    data, theirs = DATA["mgus2"], GOLDEN["incidence"][case]
    roles = {"sex": "stratum", "weight": "weight", "entry": "entry"}
    given = {roles[case]: data[case]} if case in roles else {}
    curves = aalen_johansen(data["etime"], data["ev"], **given)
    for state, found in curves.frame.groupby("state"):
        for name in ("pstate", "std_err", "lower", "upper"):
            values = numbers(theirs[name])[:, state]
            if case == "entry":  # R also lists times at which somebody enters
                values = values[np.isin(theirs["time"], found["time"])]
            close(found[name], values, f"{state} {name}")
    if "sex" not in case:
        close(curves.at(theirs["time"], cause=2), numbers(theirs["pstate"])[:, 2])
        k = 60
        one = incidence(data["etime"], data["ev"], theirs["time"][k], cause=2, **given)
        close([one.value, one.se], [theirs[name][k][2] for name in ("pstate", "std_err")])
        close([one.low, one.high], [theirs[name][k][2] for name in ("lower", "upper")])
        close(np.sum(one.influence**2), one.se**2)


def test_pseudo_values_are_the_value_plus_n_times_the_influence():
    lung, theirs = DATA["lung"], GOLDEN["pseudo"]
    for found, values in zip(
        incidence(lung["time"], lung["event"], theirs["times"]), np.array(theirs["survival"]).T, strict=True
    ):
        close(1 - found.value - len(lung) * found.influence, values)
    mean = restricted_mean(lung["time"], lung["event"], 730)
    close(mean.value + len(lung) * mean.influence, theirs["rmst_730"])
    table = kaplan_meier(lung["time"], lung["event"]).rmst(730)
    close([mean.value, mean.se, mean.low, mean.high], table.loc[0, ["rmst", "std_err", "lower", "upper"]])


@pytest.mark.parametrize("case", sorted(GOLDEN["log_rank"]))
def test_log_rank_tests_are_those_of_R(case):
    lung, veteran, theirs = DATA["lung"], DATA["veteran"], GOLDEN["log_rank"][case]
    if case in ("sex", "peto"):
        ours = log_rank(lung["time"], lung["event"], lung["sex"], rho=float(case == "peto"))
    else:
        given = {"group": veteran["celltype"]} if case == "celltype" else {"group": veteran["trt"]}
        stratum = veteran["celltype"] if case == "strata" else None
        ours = log_rank(veteran["time"], veteran["status"], stratum=stratum, **given)
    close([ours.statistic, ours.df], [theirs["chisq"], theirs["df"]])
    close(np.sort(ours.table["observed"]), np.sort(theirs["observed"]))  # R orders factors by their levels
    close(np.sort(ours.table["expected"]), np.sort(theirs["expected"]))
    close(np.sort(np.diag(ours.variance)), np.sort(np.diag(theirs["variance"])))
    assert f"{ours.statistic:.2f} on {ours.df} df" in repr(ours)


def test_groups_that_are_never_together_are_not_compared():
    found = log_rank([1, 2, 13, 14], [1, 1, 1, 1], ["a", "a", "b", "b"], entry=[0, 0, 10, 10])
    assert np.isnan(found.p)
    assert "undefined" in repr(found)


def test_log_rank_with_delayed_entry_is_the_score_test_of_a_flag():
    rng = np.random.default_rng(0)
    time, flag = rng.exponential(5, 80) + 2, rng.integers(0, 2, 80)
    event, entry = rng.integers(0, 2, 80), rng.uniform(0, 2, 80)
    y = {"time": time, "event": event, "entry": entry}
    score = CoxPH().fit(pd.DataFrame({"flag": flag}), y).tests_.loc["score", "statistic"]
    close(log_rank(time, event, flag, entry=entry).statistic, score)


def test_influence_is_the_derivative_by_the_weights():
    rng = np.random.default_rng(1)
    n = 40
    time, code = rng.integers(2, 12, n), rng.integers(0, 3, n)
    weight, entry = rng.uniform(0.5, 2, n), rng.integers(0, 2, n)
    for cause in (1, 2):
        found = incidence(time, code, 8, cause=cause, weight=weight, entry=entry)
        for i in (0, 7, 23):
            ends = []
            for step in (1e-6, -1e-6):
                moved = weight.copy()
                moved[i] += step
                ends.append(incidence(time, code, 8, cause=cause, weight=moved, entry=entry).value)
            assert found.influence[i] == pytest.approx(weight[i] * (ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_robust_error_of_a_restricted_mean_and_of_a_curve_is_the_jackknife():
    rng = np.random.default_rng(2)
    n = 400
    time, event, cluster = rng.exponential(5, n).round(1), rng.integers(0, 2, n), rng.integers(0, 80, n)
    curve = kaplan_meier(time, event, cluster=cluster)

    def left_out(c):
        rest = kaplan_meier(time[cluster != c], event[cluster != c])
        return rest.rmst(6)["rmst"][0], rest.at(6)["survival"][0]

    whole = np.array([curve.rmst(6)["rmst"][0], curve.at(6)["survival"][0]])
    jackknife = np.sqrt(np.sum([(whole - left_out(c)) ** 2 for c in range(80)], axis=0))
    ours = [curve.rmst(6)["std_err"][0], curve.at(6)["std_err"][0]]
    np.testing.assert_allclose(ours, jackknife, rtol=0.03)
    assert curve.definition == "Kaplan-Meier; 95% on the log scale; robust errors"


def test_clusters_add_up_the_influence_of_their_rows():
    rng = np.random.default_rng(3)
    n = 200
    data = {"time": rng.integers(3, 15, n), "event": rng.integers(0, 3, n), "weight": rng.uniform(0.5, 2, n)}
    data |= {"entry": rng.integers(0, 3, n), "cluster": rng.integers(0, 30, n)}
    curves = aalen_johansen(**data).frame
    for t in (4, 9, 14):
        rows = incidence(**{**data, "cluster": None}, horizon=t, cause=2)
        pooled = incidence(**data, horizon=t, cause=2)
        close(pooled.influence, np.bincount(data["cluster"], rows.influence))
        close(curves.query("state == 2 and time == @t")["std_err"], [pooled.se])
    hazard = nelson_aalen(**{**data, "event": data["event"] > 0}).frame
    survival = kaplan_meier(**{**data, "event": data["event"] > 0}).frame
    close(hazard["std_chaz"], survival["std_chaz"])
    close(hazard["std_err"], np.exp(-hazard["cumhaz"]) * hazard["std_chaz"])
    close(survival["std_err"], curves.query("state == 0")["std_err"])


def test_order_of_rows_and_unit_of_time_do_not_matter():
    rng = np.random.default_rng(4)
    n = 90
    data = pd.DataFrame(
        {"time": rng.integers(3, 12, n), "event": rng.integers(0, 3, n), "entry": rng.integers(0, 3, n)}
    )
    data = data.assign(weight=rng.integers(1, 8, n) / 4, cluster=rng.integers(0, 20, n), stratum=rng.integers(0, 2, n))
    moved = data.sample(frac=1, random_state=0).assign(time=lambda d: d["time"] * 32, entry=lambda d: d["entry"] * 32)
    for curves in (aalen_johansen, lambda **d: kaplan_meier(**{**d, "event": d["event"] > 0})):
        once, again = curves(**data).frame, curves(**moved).frame
        pd.testing.assert_frame_equal(once.assign(time=once["time"] * 32), again, rtol=1e-11)


def test_weights_are_copies_and_rows_of_weight_0_are_absent():
    time, event, weight = np.array([1, 2, 2, 3, 5, 4]), np.array([1, 1, 0, 1, 0, 1]), np.array([2, 1, 3, 1, 2, 0])
    ours = kaplan_meier(time, event, weight=weight).frame
    copies = np.repeat(np.arange(6), weight)
    pd.testing.assert_frame_equal(ours, kaplan_meier(time[copies], event[copies]).frame, check_dtype=False)
    found, copied = incidence(time, event, 3, weight=weight), incidence(time[copies], event[copies], 3)
    assert found.value == copied.value
    assert found.influence[-1] == 0
    np.testing.assert_array_equal(product_limit(time, event, weight).survival, ours["survival"])


def test_incidence_of_one_cause_is_one_minus_kaplan_meier_with_greenwoods_error():
    lung = DATA["lung"]
    curve = kaplan_meier(lung["time"], lung["event"]).at([200, 500])
    for row, found in zip(curve.itertuples(), incidence(lung["time"], lung["event"], [200, 500]), strict=True):
        close([found.value, found.se], [1 - row.survival, row.std_err])
    assert "Kaplan-Meier, 1 - S" in found.definition
    with_cause = incidence(lung["time"], lung["event"] * 2, 500, cause=2)
    close([with_cause.value, with_cause.se], [found.value, found.se])


def test_incidence_before_the_first_event_is_0():
    found = incidence([2, 3], [1, 0], 1)
    assert (found.value, found.se) == (0, 0)
    np.testing.assert_array_equal(found.influence, [0, 0])


def test_scales_of_incidence_differ():
    lung = DATA["lung"]
    lows = {ci: incidence(lung["time"], lung["event"], 300, ci=ci).low for ci in ("log", "plain", "log-log", "logit")}
    assert len({round(low, 9) for low in lows.values()}) == 4


def test_censoring_comes_after_events_at_a_time():
    time, event = [1, 1, 2, 2, 2, 3], [1, 0, 2, 0, 0, 0]
    curve = censoring_curve(time, event)
    np.testing.assert_allclose(curve.survival, [4 / 5, 4 / 5 / 3, 0])
    np.testing.assert_allclose(curve.at([0.5, 1, 2], left=True), [1, 1, 4 / 5])
    np.testing.assert_allclose(curve.at([[1, 9]]), [[4 / 5, 0]])
    half = censoring_curve(time, event, np.full(6, 0.1))
    np.testing.assert_allclose(half.survival, curve.survival)
    late = censoring_curve(time, event, entry=[0, 0, 0, 1, 1.5, 1])
    np.testing.assert_allclose(late.survival, [1 / 2, 1 / 2 / 3, 0])
    np.testing.assert_allclose(late.n_risk, [2, 3, 1])


def test_median_follow_up_is_that_of_the_reverse_curve():
    lung, theirs = DATA["lung"], GOLDEN["curves"]["lung reverse/log"]
    found = follow_up(lung["time"], 2 * lung["event"], p=[0.1, 0.25, 0.5, 0.75])
    close(found["time"], np.ravel(theirs["quantile"]))
    close(found["lower"], np.ravel(theirs["q_lower"]))


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("SL-323", lambda: product_limit([1, 2], [1, 0], weight=[0, 0])),
        ("SL-324", lambda: kaplan_meier([1, 2], [1, 0], ci="loglog")),
        ("SL-324", lambda: aalen_johansen([1, 2], [1, 0], alpha=95)),
        ("SL-324", lambda: nelson_aalen([1, 2], [1, 0], ties="efron")),
        ("SL-326", lambda: incidence([1, 2], [1, 0], 1, cause=2)),
        ("SL-327", lambda: nelson_aalen([1, 2], [1, 0], ties="fleming-harrington", robust=True)),
        ("SL-328", lambda: log_rank([1, 2], [1, 0], ["a", "a"])),
        ("SL-328", lambda: log_rank([1, 2], [0, 0], ["a", "b"])),
        ("SL-329", lambda: log_rank([1, 2], [1, 1], ["a", "b"], rho=-1)),
        ("SL-329", lambda: kaplan_meier([1, 2], [1, 0]).quantile(50)),
        ("SL-329", lambda: kaplan_meier([1, 2], [1, 0]).at(np.nan)),
        ("SL-306", lambda: incidence([1, 2], [1, 0], [1, 2.1])),
        ("SL-306", lambda: incidence([1, 2], [1, 0], 2, weight=[1, 0])),
        ("SL-307", lambda: incidence([1, 2], [1, 0], np.nan)),
        ("SL-333", lambda: incidence([1, 2], [26000, 0], 1)),
        ("SL-326", lambda: aalen_johansen([1, 2], [1, 0]).at(1, cause=2)),
        ("SL-412", lambda: aalen_johansen([1, 2], [1, 0], stratum=["a", "b"]).at(1)),
        ("SL-329", lambda: kaplan_meier([1, 2], [1, 0]).quantile("half")),
        ("SL-306", lambda: kaplan_meier([1, 2], [1, 0]).rmst(3)),
        ("SL-306", lambda: restricted_mean([1, 2], [1, 0], 0)),
        ("SL-333", lambda: kaplan_meier([1, 2], [1, 2])),
    ],
    ids=[
        "absent",
        "scale",
        "coverage",
        "ties",
        "cause",
        "robust",
        "one",
        "eventless",
        "rho",
        "share",
        "missing",
        "late",
        "absence",
        "timeless",
        "registry",
        "state",
        "stratum",
        "words",
        "tau",
        "nothing",
        "outcome",
    ],
)
def test_what_cannot_be_is_refused(code, call):
    with pytest.raises(InputError) as error:
        call()
    assert error.value.code == code
