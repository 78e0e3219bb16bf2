import json
import re
import stat
from base64 import b64encode
from dataclasses import replace
from functools import cache
from hashlib import sha256

import html5lib
import numpy as np
import pandas as pd
import pytest
from commands import invoke
from reported import COLUMNS, LABELS, patients, said, written

from survlspin import CauseSpecificCoxLLSPIN, CoxGradientLasso, CoxLLSPIN, CoxLSPIN, CoxPH, split_xy
from survlspin.errors import InputError
from survlspin.faithfulness import Card, sampled_card
from survlspin.metrics.interpretability import leakage
from survlspin.nonparametric import kaplan_meier
from survlspin.patient_page import explained, portraits, write
from survlspin.patient_page.cohort import outcome_in
from survlspin.patient_page.page import _ratios, html
from survlspin.patient_page.portraits import ASSOCIATION, CAUSES, LEAKS, LONELY, OTHERS, SHAPLEY, UNEXPLAINED, percent
from survlspin.patient_page.terminal import told
from survlspin.synthetic import competing

EVIL = '</script><img src=x onerror="alert(1)">&amp;'


@cache
def data():
    table = patients().set_index("id")
    return split_xy(table, time="months", event="died")


@cache
def model(name="CoxLLSPIN", members=2, context=("age",)):
    kind = {"CoxLLSPIN": CoxLLSPIN, "CoxLSPIN": CoxLSPIN}[name]
    return kind(lam=0.001, members=members, epochs=3, context=list(context) or None, random_state=0).fit(*data())


@cache
def four():
    return portraits(model(), data()[0], LABELS[:4], y=data()[1], unit="months")


def test_factors_multiply_to_the_patients_hazard_ratio():
    X, _ = data()
    for each in four().patients:
        assert each.factors["log_hr"].sum() == pytest.approx(each.log_hr, abs=1e-6)
        assert "context" in set(each.factors["role"])
    table = model().risk_factors(X.iloc[:4]).frame
    pd.testing.assert_frame_equal(pd.concat([p.factors for p in four().patients], ignore_index=True), table)


def test_the_curve_is_the_models_with_the_members_around_it():
    X, _ = data()
    own = model().predict_survival_function(X.iloc[:4])
    for each, curve in zip(four().patients, own, strict=True):
        np.testing.assert_allclose(each.survival, curve(four().times), atol=1e-6)
        assert (each.low <= each.survival + 1e-12).all()
        assert (each.survival <= each.high + 1e-12).all()
        assert (each.low < each.high).any()
    assert four().ticks.tolist() == [24, 48, 72, 96]
    assert set(four().ticks) <= set(four().times)


def test_the_cohort_is_its_kaplan_meier_curve_or_the_mean_prediction():
    X, y = data()
    curve = kaplan_meier(y["time"], y["event"]).at(four().times)["survival"]
    np.testing.assert_allclose(four().cohort, curve)
    assert four().compared == "Kaplan-Meier curve of 240 patients"
    short = portraits(model(), X, LABELS[:1], y=y[y["time"] < 50])
    assert np.isnan(short.cohort[-1])
    assert "–" in html(short)
    without = portraits(model(), X, LABELS[:1])
    mean = np.mean([curve(without.times) for curve in model().predict_survival_function(X)], axis=0)
    np.testing.assert_allclose(without.cohort, mean, atol=1e-6)
    assert without.compared == "mean prediction for 240 patients"


def test_what_is_known_of_the_lists_is_said():
    X, _ = data()
    assert any("from other patients: 0 of 4." in note for note in four().notes)  # gates that see context do not leak
    assert all(each.leaks is False for each in four().patients)
    free = portraits(model("CoxLSPIN", 1, ()), X, LABELS[:4])
    assert free.against == "the reference patient"
    assert {SHAPLEY, LONELY} <= set(free.notes)
    assert "age alone choose" not in free.model
    assert "age alone choose" in four().model
    few = portraits(model(), X.iloc[:10])
    assert not any("Faithfulness" in note for note in few.notes)
    assert few.patients[0].leaks is None
    card = Card(pd.DataFrame({"measure": ["a", "b"], "value": [0.25, np.nan], "definition": ["", ""]}), None, None)
    assert portraits(model(), X, LABELS[:1], card=card).notes[-1] == "Faithfulness card. a 0.25."
    assert LEAKS in replace(four().patients[0], leaks=True).remarks


@pytest.mark.parametrize(
    ("rows", "named", "code"),
    [(240, ["x"], "SL-682"), (240, [], "SL-681"), (480, None, "SL-681"), (20, LABELS[:1], "SL-682")],
    ids=["unknown", "none", "many", "twice"],
)
def test_who_cannot_be_shown(rows, named, code):
    X = pd.concat([data()[0]] * 2).iloc[:rows] if rows >= 240 else pd.concat([data()[0].iloc[:10]] * 2)
    with pytest.raises(InputError, match=code):
        portraits(model(), X, named)


def test_a_model_without_lists_is_refused():
    with pytest.raises(InputError, match="SL-683"):
        portraits(CoxPH(), data()[0])


def test_the_page_holds_every_patient_for_its_owner_alone(tmp_path):
    path = write(four(), tmp_path / "page.html")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    articles = document.findall(".//article")
    assert [article.find("h2").text for article in articles] == [f"Patient {label}" for label in LABELS[:4]]
    for article, each in zip(articles, four().patients, strict=True):
        words = "".join(article.itertext())
        assert ASSOCIATION in words
        assert f"{np.exp(each.log_hr):#.3g} times" in words
        assert len(re.findall(r"\d of 2\b", words)) == len(each.factors)
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 8
    assert "LOCAL ONLY" in document.find(".//title").text


def test_the_page_runs_its_own_script_and_loads_nothing():
    page = html(four())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    [script] = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?://|@import|url\(", page)


def test_labels_and_values_stay_text():
    each = four().patients[0]
    strange = replace(each, label=EVIL, factors=each.factors.assign(factor=EVIL, value=EVIL, reference=EVIL))
    page = html(replace(four(), patients=(strange,)))
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    assert document.find(".//img") is None
    assert document.find(".//h2").text == f"Patient {EVIL}"
    [index] = [script for script in document.findall(".//script") if script.get("type") == "application/json"]
    assert json.loads(index.text)[0]["label"] == EVIL


def test_a_patient_whose_effects_are_not_known():
    each = four().patients[0]
    empty = each.factors.assign(log_hr=np.nan, hr=np.nan, low=np.nan, high=np.nan)
    unknown = replace(four(), patients=(replace(each, factors=empty, explained=False),))
    page, text = html(unknown), explained(told(unknown))
    for words in (page, " ".join(text.split())):
        assert UNEXPLAINED in words.replace("&#39;", "'")
    assert page.count("not known<") == len(empty)
    assert "nan" not in re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.S).lower()
    assert "gate" in text
    nothing = replace(each, factors=each.factors.iloc[:0])
    assert "No factor is listed" in html(replace(four(), patients=(nothing,)))


def test_where_what_is_not_listed_acts_that_is_said():
    X, y = data()
    shown = portraits(CoxGradientLasso(lam=0.05, epochs=3, random_state=0).fit(X, y), X, LABELS[:1], y=y)
    assert OTHERS in shown.notes
    assert OTHERS not in four().notes
    for words in (html(shown), " ".join(explained(told(shown)).split())):
        assert "this patient with the listed factors at the reference" in words
        assert "the reference patient" not in words


def test_who_leaks_is_as_leakage_has_it():
    X, y = data()
    free = CoxLSPIN(lam=0.01, epochs=40, lr=0.02, validation_fraction=0, random_state=0).fit(X, y)
    moved = np.array([each.leaks for each in portraits(free, X).patients])
    expected = leakage(free, X).moved
    assert 0.1 < expected.mean() < 0.9
    assert (moved == expected).mean() > 0.8
    card = sampled_card(free, X)
    shown = portraits(free, X, LABELS[3:9], card=card)
    assert [each.leaks for each in shown.patients] == expected[3:9].tolist()  # measured once
    assert any(note.endswith(f"{expected[3:9].sum()} of 6.") for note in shown.notes)


def test_nobody_is_certain_of_what_is_nearly_so():
    said = {0.0: "0 %", 0.003: "<1 %", 0.5: "50 %", 0.994: "99 %", 0.998: ">99 %", 1.0: "100 %", None: "–"}
    assert {value: percent(value) for value in said} == said


def test_patients_with_several_rows_are_counted_once():
    X, y = data()
    twice = {"patients": LABELS[:1], "groups": np.arange(240) // 2}
    assert portraits(model(), X, y=y, **twice).compared == "Kaplan-Meier curve of 120 patients"
    assert portraits(model(), X, y=y[:99], **twice).compared == "Kaplan-Meier curve of 99 rows"
    assert portraits(model(), X, **twice).compared == "mean prediction for 120 patients"


def test_competing_causes_are_said():
    X, y, *_ = competing(200)
    both = CauseSpecificCoxLLSPIN(epochs=2, members=1).fit(X, y)
    shown = portraits(both, X.iloc[:20], X.index[:2], y=y)
    assert CAUSES in shown.notes
    first = both.risk_factors(X.iloc[:2], cause=1).patients()
    np.testing.assert_allclose([each.log_hr for each in shown.patients], first["log_risk"] - first["baseline"])
    assert shown.compared == "mean prediction for 20 patients"


def test_strata_are_each_rows_own():
    X, y = data()
    stratum = np.where(X["size"] > 20, "a", "b")
    table = X.assign(stratum=stratum, time=y["time"], event=y["event"])
    parts = split_xy(table, time="time", event="event", stratum="stratum")
    strata = CoxLLSPIN(lam=0.001, members=1, epochs=2).fit(*parts)
    one, other = (
        portraits(strata, X, LABELS[:2], stratum=stratum),
        portraits(strata, X, LABELS[:2], stratum=["a"] * 240),
    )
    own = strata.predict_survival_function(X.iloc[:2], stratum=stratum[:2])
    np.testing.assert_allclose(one.patients[1].survival, own[1](one.times), atol=1e-6)
    assert set(stratum[:2]) == {"a", "b"}
    differs = [not np.allclose(a.survival, b.survival) for a, b in zip(one.patients, other.patients, strict=True)]
    assert differs == (stratum[:2] == "b").tolist()
    assert not np.allclose(one.cohort, other.cohort)


def test_the_outcome_of_a_table_is_that_of_its_complete_rows():
    table = pd.DataFrame({"months": [5.0, 0.0, 8.0, np.nan], "died": [2, 1, 0, 1], "age": 1})
    options = {"data": "file.csv", "time": "months", "event": "died", "event_code": "2", "zero_time": "drop"}
    y = outcome_in(table, None, options)
    assert y["time"].tolist() == [5, 8]
    assert y["event"].tolist() == [True, False]
    assert outcome_in(table.drop(columns="died"), None, options) is None
    assert outcome_in(table.assign(died=np.nan), None, options) is None
    assert outcome_in(table, None, {}) is None
    assert len(outcome_in(table, None, {"data": None})) == 686  # GBSG2


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.95, 1.05, [0.95, 1, 1.05]), (0.9, 1.45, [1, 1.2, 1.4]), (0.2, 5, [0.25, 0.5, 1, 2, 4]), (1e-3, 40, None)],
    ids=["narrow", "usual", "wide", "widest"],
)
def test_round_hazard_ratios(low, high, ticks):
    found = np.exp(_ratios(np.log(low), np.log(high)))
    assert 1 in np.round(found, 12)
    assert 2 <= len(found) <= 4
    assert (found >= low * 0.999).all()
    assert (found <= high * 1.001).all()
    if len(ticks or "") == 3:
        np.testing.assert_allclose(found, ticks)


def test_the_terminal_says_it_with_bars():
    text = explained(told(four()))
    first = text.split("\n\n\n")[0]
    strongest = four().patients[0].factors.iloc[0]
    [line] = [line for line in first.splitlines() if line.startswith(strongest["factor"])]
    assert ("|#" in line) == (strongest["log_hr"] > 0)
    assert f"× {strongest['hr']:#.3g}" in line
    assert "2 of 2" in line
    assert "Kaplan-Meier curve of 240 patients" in first
    for words in ("not causes", "LOCAL ONLY"):
        assert words in text


def test_the_terminal_shows_no_range_of_one_member():
    many, one = told(four()), {**told(four()), "members": 1}
    assert " to " in explained(many).split("\n\n")[1]
    table, curve = explained(one).split("\n\n")[1:3]
    for text in (table, curve.split("cohort:")[0]):
        assert " to " not in text
        assert "members" not in text


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    how = ("--model", "CoxLLSPIN", "--members", 2, "--context", "age", "--lam", 0.001, "--set", "epochs=3")
    said("fit", "--data", written(folder), *COLUMNS, *how, "--out", folder / "fit")
    return folder


def test_explain_on_the_command_line(fitted):
    asked = ("factors", "explain", fitted / "fit", "--id", "id", "--patient", LABELS[7])
    text = said(*asked)
    assert f"Patient {LABELS[7]}: hazard ratio" in text
    assert "Kaplan-Meier curve of 240 patients" in text
    report = json.loads(said(*asked, "--json"))
    assert [each["patient"] for each in report["patients"]] == [LABELS[7]]
    assert report["cohort"][0] > report["cohort"][-1]
    assert "no event by, time units" in text
    assert "no event by, months" in said(*asked, "--unit", "months")
    code, output = invoke(*asked, "--patient", "nobody")
    assert code == 2
    assert "SL-682" in output
    assert "number 2 is in no rows" in output
    assert "--id" in output


def test_a_page_of_new_patients_without_outcome(fitted):
    new = fitted / "new.csv"
    patients(seed=3).drop(columns=["months", "died"]).iloc[:50].to_csv(new, index=False)
    text = said("factors", "page", fitted / "fit", "--data", new, "--out", fitted / "local")
    path = fitted / "local" / "LOCAL-ONLY-patients.html"
    assert "50 patients" in text
    page = path.read_text(encoding="utf-8")
    assert page.count("<article") == 50
    assert "mean prediction for 50 patients" in page
    assert LABELS[0] not in page  # rows are numbered where no labels are asked for
    assert "Faithfulness card, of 50 rows. leakage.share 0; " in page
    said("factors", "page", fitted / "fit", "--patient", 3, "--out", fitted / "local")
    assert "of 240 rows that the model was made from, which flatters its C. C 0." in path.read_text(encoding="utf-8")


def test_one_patient_is_one(fitted):
    new = fitted / "one.csv"
    patients(seed=3).drop(columns=["months", "died"]).iloc[:1].to_csv(new, index=False)
    assert "1 patient. Wrote" in said("factors", "page", fitted / "fit", "--data", new, "--out", fitted / "local")
    text = said("factors", "explain", fitted / "fit", "--data", new, "--patient", "0")
    assert "mean prediction for 1 patient\n" in text
