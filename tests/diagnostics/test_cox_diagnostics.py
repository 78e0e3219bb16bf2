import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survlspin import CoxPH, DeepSurv, load
from survlspin.diagnostics import (
    baseline_hazard,
    deviance,
    dfbeta,
    influential,
    martingale,
    ph_test,
    prognostic_index_test,
    schoenfeld,
    score_residuals,
)
from survlspin.errors import InputError

GOLDEN = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "diagnostics.json.gz").read_bytes()))
DATA = {name: pd.DataFrame(columns) for name, columns in GOLDEN["data"].items()}
OUTCOME = {"lung": ("time", "event"), "heart": ("stop", "event"), "gbsg": ("rfstime", "status")}
STRATUM = {"veteran": "celltype", "heart weight strata": "surgery"}


def close(ours, theirs, rtol=1e-7, **words) -> None:
    theirs = np.asarray(theirs, dtype=float)
    scale = np.abs(theirs).max(initial=1e-300)
    np.testing.assert_allclose(np.asarray(ours, dtype=float), theirs, rtol=rtol, atol=1e-9 * scale, **words)


def fitted(case):
    """Our fit of R's case: the model, X, y."""
    name, ties = case.split("/")
    data = DATA[name.split()[0]]
    time, event = OUTCOME.get(name.split()[0], ("time", "status"))
    y = {"time": data[time], "event": data[event]}
    if "heart" in name:
        y["entry"] = data["start"]
    if "weight" in name:
        y["weight"] = data["w"]
    if name in STRATUM:
        y["stratum"] = data[STRATUM[name]]
    terms = [term for term in GOLDEN["cases"][case]["terms"] if not term.startswith("celltype")]
    X = data[terms + ["celltype"] * ("factor" in name)]
    return CoxPH(ties=ties, robust=False).fit(X, y), X, y


def by_stratum(frame, labels):
    """Rows in R's order of strata."""
    if "stratum" not in frame:
        return frame
    place = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    return frame.iloc[np.argsort(frame["stratum"].map(place), kind="stable")]


CASES = sorted(GOLDEN["cases"])


@pytest.mark.parametrize("case", CASES)
def test_tests_of_proportional_hazards_are_those_of_R(case):
    theirs = GOLDEN["cases"][case]
    model, X, y = fitted(case)
    for transform, values in theirs["ph"].items():
        if transform == "log" and np.min(y["time"]) <= 0:
            continue
        table = ph_test(model, X, y, transform).table
        assert table.index.tolist() == theirs["rows"]
        for name in ("chisq", "df", "p"):
            close(table[name], values[name], err_msg=f"{transform} {name}")
    if theirs["index"]:
        columns = {name: y[name] for name in ("entry", "weight") if name in y}
        found = prognostic_index_test(y["time"], y["event"], theirs["index"]["index"], ties=model.ties, **columns)
        close([found.statistic, found.p], [theirs["index"]["chisq"], theirs["index"]["p"]])
        close(found.coef, [1.0])
        assert found.df == 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:SL-690")  # nobody is 0 in all
def test_residuals_and_hazards_are_those_of_R(case):
    theirs = GOLDEN["cases"][case]
    model, X, y = fitted(case)
    columns = {name: y[name] for name in ("entry", "weight", "stratum") if name in y}
    risk = model.predict(X)
    close(martingale(y["time"], y["event"], risk, ties=model.ties, **columns), theirs["martingale"])
    close(deviance(y["time"], y["event"], risk, ties=model.ties, **columns), theirs["deviance"])
    hazard = theirs["basehaz"]
    strata = hazard.get("strata", [None] * len(hazard["time"]))
    if "factor" not in case:  # R's reference levels are its own
        close(score_residuals(model, X, y), theirs["score"])
        changes = dfbeta(model, X, y)
        close(changes, theirs["dfbeta"])
        close(dfbeta(model, X, y, scaled=True), changes / model.se_)
        order = [str(label).removeprefix("surgery=") for label in strata]
        for scaled in (False, True):
            frame = schoenfeld(model, X, y, scaled=scaled)
            frame = by_stratum(frame.astype({"stratum": str}) if "stratum" in frame else frame, order)
            close(frame["time"], theirs["time"])
            close(frame[theirs["terms"]], theirs["scaled" if scaled else "schoenfeld"])
        ours = baseline_hazard(model, X.iloc[:1] * 0)
        label = ours["stratum"].astype(str) if "stratum" in ours else "None"
        known = pd.DataFrame({"stratum": order, "time": hazard["time"], "known": hazard["hazard"]})
        both = ours.assign(stratum=label).merge(known, on=["stratum", "time"])
        assert len(both) == len(ours)
        close(both["hazard"], both["known"])


def test_tests_of_trends_differ_by_transform_and_do_not_depend_on_units():
    model, X, y = fitted("lung/efron")
    values = {t: ph_test(model, X, y, t).statistic for t in ("km", "rank", "identity", "log")}
    assert len({round(value, 6) for value in values.values()}) == 4
    years = {**y, "time": y["time"] / 365.25}
    doubled = X * 2 + 7
    moved = ph_test(CoxPH().fit(doubled, years), doubled, years, "identity")
    close(moved.statistic, values["identity"])
    assert moved.residuals["g"].is_monotonic_increasing
    assert "time as identity" in repr(moved)


def test_residuals_of_a_test_say_how_the_effect_changes():
    rng = np.random.default_rng(0)
    n = 4000
    index = rng.normal(size=n)
    early = rng.exponential(np.exp(-1.5 * index))
    time = np.where(early < 0.7, early, 0.7 + rng.exponential(np.ones(n)))  # the effect ends at 0.7
    found = prognostic_index_test(time, np.ones(n), index)
    rest = found.residuals
    assert found.p < 1e-6
    assert rest.loc[rest["time"] < 0.7, "prognostic index"].mean() > 1.2
    assert abs(rest.loc[rest["time"] > 0.7, "prognostic index"].mean()) < 0.2


def test_any_model_has_a_test_and_residuals():
    X, y = fitted("gbsg/efron")[1:]
    net = DeepSurv(epochs=2, random_state=0).fit(X, y)
    risk = net.predict(X)
    assert 0 <= prognostic_index_test(y["time"], y["event"], risk).p <= 1
    rest = martingale(y["time"], y["event"], risk)
    assert abs(rest.sum()) < 1e-9 * len(rest)
    assert rest.max() <= 1


def test_dfbeta_is_the_derivative_by_the_weight_of_a_row():
    model, X, y = fitted("gbsg/breslow")
    changes = dfbeta(model, X, y)
    for row in (0, 17, 101):
        ends = []
        for step in (1e-4, -1e-4):
            weight = np.ones(len(X))
            weight[row] += step
            ends.append(CoxPH(ties="breslow").fit(X, {**y, "weight": weight}).coef_)
        np.testing.assert_allclose(changes.iloc[row], (ends[0] - ends[1]) / 2e-4, rtol=1e-5)


def test_influential_rows_are_named_by_aggregates_only():
    model, X, y = fitted("gbsg/efron")
    changes, found = dfbeta(model, X, y), influential(model, X, y, top=5)
    close(found["largest"], (changes.abs().max() / model.se_))
    nodes = changes["nodes"].sort_values()
    assert model.coef_["nodes"] > 0
    close(found.loc["nodes", "coef without top"], model.coef_["nodes"] - nodes.tail(5).sum())
    close(found.loc["nodes", "coef against top"], model.coef_["nodes"] - nodes.head(5).sum())
    assert len(found) == X.shape[1]


def test_a_coefficient_without_end_is_left_out():
    X, y = fitted("lung/efron")[1:]
    flag = y["time"] == y["time"].min()  # one row, whose event tells the others nothing
    with pytest.warns(match="SL-482"):
        model = CoxPH().fit(X.assign(flag=flag), y)
    later = CoxPH().fit(X[~flag], {name: values[~flag] for name, values in y.items()})
    found = ph_test(model, X.assign(flag=flag), y, "identity").table
    assert found.index.tolist() == ["age", "sex", "ph.ecog", "GLOBAL"]
    rest = ph_test(later, X[~flag], {name: values[~flag] for name, values in y.items()}, "identity").table
    np.testing.assert_allclose(found["chisq"], rest["chisq"], rtol=1e-4)


def test_a_saved_model_has_the_same_errors_and_diagnostics(tmp_path):
    X, y = fitted("lung/efron")[1:]
    model = CoxPH().fit(X, y, cluster=np.arange(len(X)) // 2)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.summary(), model.summary())
    assert "naive se(coef)" in again.summary()
    pd.testing.assert_frame_equal(ph_test(again, X, y).table, ph_test(model, X, y).table)
    pd.testing.assert_frame_equal(dfbeta(again, X, y), dfbeta(model, X, y))


def test_rows_of_weight_0_are_absent():
    X, y = fitted("lung/efron")[1:]
    weight = np.ones(len(X))
    weight[:9] = 0
    some = {name: values[9:] for name, values in y.items()}
    given = {**y, "weight": weight}
    ours, fewer = CoxPH().fit(X, given), CoxPH().fit(X[9:], some)
    close(ph_test(ours, X, given, "identity").statistic, ph_test(fewer, X[9:], some, "identity").statistic)
    rest = martingale(y["time"], y["event"], ours.predict(X), weight=weight)
    close(rest[9:], martingale(some["time"], some["event"], fewer.predict(X[9:])))
    assert np.isnan(rest[:9]).all()
    close(dfbeta(ours, X, given)[:9], np.zeros((9, 3)))


@pytest.mark.parametrize(
    ("risk", "why"),
    [([1.0, 1.0, 1.0, 1.0], "does not vary"), ([9.0, 0.0, 0.0, 0.0], "separates")],
    ids=["constant", "separating"],
)
def test_what_has_no_test_is_undefined(risk, why):
    found = prognostic_index_test([1, 2, 3, 4], [1, 0, 0, 0] if why == "separates" else [1, 1, 0, 1], risk)
    assert np.isnan(found.p)
    assert "undefined" in repr(found)


def test_events_at_one_time_have_no_trend():
    found = prognostic_index_test([2, 2, 2, 3], [1, 1, 1, 0], [0.0, 1.0, 0.5, 0.2])
    assert np.isnan(found.p)
    assert "two times" in found.definition


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("SL-325", lambda model, X, y: ph_test(model, X, y, transform="time")),
        ("SL-325", lambda model, X, y: ph_test(model, X, {**y, "time": y["time"] - y["time"].min()}, "log")),
        ("SL-325", lambda model, X, y: prognostic_index_test(y["time"], y["event"], np.ones(len(X)), transform="")),
        ("SL-330", lambda model, X, y: dfbeta(model, X + 1, {**y, "event": 1 - y["event"]})),
        ("SL-330", lambda model, X, y: schoenfeld(CoxPH().fit(X, y, offset=X["age"] / 9), X, y)),
        ("SL-366", lambda model, X, y: dfbeta(DeepSurv(), X, y)),
        ("SL-366", lambda model, X, y: schoenfeld(CoxPH(penalizer=0.1).fit(X, y), X, y)),
        ("SL-367", lambda model, X, y: influential(model, X, y, top=0)),
        ("SL-368", lambda model, X, y: baseline_hazard(model, X)),
        ("SL-332", lambda model, X, y: martingale(y["time"], y["event"], np.full(len(X), np.nan))),
        ("SL-323", lambda model, X, y: prognostic_index_test([], [], [])),
        ("SL-401", lambda model, X, y: deviance(y["time"], y["event"], np.ones(len(X)), ties="exact")),
    ],
    ids=["transform", "log", "index", "outcome", "offset", "net", "penalty", "top", "rows", "risk", "rowless", "ties"],
)
@pytest.mark.filterwarnings("ignore:SL-690")  # X + 1
def test_what_cannot_be_is_refused(code, call):
    with pytest.raises(InputError) as error:
        call(*fitted("lung/efron"))
    assert error.value.code == code
