"""The faithfulness card of the rows at hand."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from survlspin import CauseSpecificCoxLLSPIN, CoxLLSPIN
from survlspin.faithfulness import card, leakage, moved_rows, sampled, sampled_card, unmeasured
from survlspin.outcome import Outcome

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(260, 3)), columns=["group", "a", "b"])
TIME = RNG.exponential(np.exp(-1.5 * np.where(X["group"] > 0, X["a"], -X["b"])))
Y = Outcome.of((TIME.clip(max=3), TIME < 3)).to_y()
QUICK = {"lr": 0.03, "epochs": 10, "lam": 0.05, "random_state": 0}


@cache
def model():
    return CoxLLSPIN(**QUICK).fit(X[:150], Y[:150])


def test_what_needs_no_outcome_is_known_without_one():
    found, leaks = sampled_card(model(), X[150:]), leakage(model(), X[150:])
    value, said = (found.frame.set_index("measure")[name] for name in ("value", "definition"))
    assert value["leakage.share"] == leaks.value > 0
    assert value["leakage.size"] == leaks.size
    assert value[["C", "C.mask_only", "C.masked_refit"]].isna().all()
    assert "not known: needs the rows' outcomes" in said["C"]
    assert "not known: needs the training rows" in said["C.masked_refit"]
    assert found.note == "Faithfulness card, of 110 rows."
    assert found.text().startswith(found.note + "\n")
    assert np.array_equal(moved_rows(model(), X[150:], found), leaks.moved)


def test_with_outcomes_and_training_rows_it_is_the_card():
    train = (X[:150], Y[:150])
    found = sampled_card(model(), X[150:], Y[150:], train=train, counted=False, seen=True)
    pd.testing.assert_frame_equal(found.frame, card(model(), *train, X[150:], Y[150:]).frame)
    assert found.note == "Faithfulness card, of up to 2,000 rows that the model was made from, which flatters its C."


def test_of_rows_some_of_which_trained_it_is_of_the_others():
    seen = np.arange(260) < 150
    found = sampled_card(model(), X, Y, seen=seen)
    pd.testing.assert_frame_equal(found.frame, card(model(), X[:150], Y[:150], X[150:], Y[150:]).frame)
    assert found.note == "Faithfulness card, of 110 rows that the model was not made from."
    assert np.array_equal(moved_rows(model(), X, found), leakage(model(), X).moved)
    few = sampled_card(model(), X[:170], Y[:170], seen=seen[:170])
    assert few.note == "Faithfulness card, of 150 rows that the model was made from, which flatters its C."
    assert few.frame["value"][0] == model().score(X[:150], Y[:150])
    assert sampled_card(model(), X, seen=seen).frame.set_index("measure")["value"].isna()["C.masked_refit"]


def test_what_is_learnt_anew_is_learnt_on_a_sample_of_many_rows(monkeypatch):
    monkeypatch.setattr(sampled, "TRAINING", 100)
    rows = sampled.sample_of(150, 100)
    found = sampled_card(model(), X[150:], Y[150:], train=(X[:150], Y[:150]))
    own = card(model(), X.iloc[rows], Y[rows], X[150:], Y[150:])
    assert len(set(rows)) == 100
    pd.testing.assert_frame_equal(found.frame, own.frame)
    assert found.note.endswith("110 rows. What is learnt anew is learnt on a sample of 100 training rows.")


def test_lines_that_are_known_take_the_place_of_others():
    known = {"probes": [("probes", 0.5, "elsewhere"), ("probes.more", 0.25, "there, too")]}
    for found in (sampled_card(model(), X[150:], known=known), unmeasured("no model", "A note.", known)):
        lines = found.frame.set_index("measure")
        assert lines.loc[["probes", "probes.more"], "value"].tolist() == [0.5, 0.25]
        assert lines.index.tolist().index("probes.more") == lines.index.tolist().index("stability.members") - 1
        assert "not known" in lines.loc["C.masked_refit", "definition"]


def test_of_many_rows_a_sample_is_taken_and_of_very_many_none_is_marked(monkeypatch):
    monkeypatch.setattr(sampled, "SAMPLE", 40)
    found, rows = sampled_card(model(), X, Y), sampled.sample_of(len(X))
    assert len(set(rows)) == 40
    assert found.note == "Faithfulness card, of a sample of 40 of 260 rows."
    assert found.frame["value"][0] == model().score(X.iloc[rows], Y[rows])
    assert np.array_equal(moved_rows(model(), X, found), leakage(model(), X).moved)
    monkeypatch.setattr(sampled, "EACH", 259)
    assert moved_rows(model(), X, found) is None


def test_what_stands_in_the_way_is_named():
    never = Outcome.of((np.ones(110), np.zeros(110, dtype=bool))).to_y()
    found = sampled_card(model(), X[150:], never, train=(X[:150].drop(columns="b"), Y[:150]))
    assert np.isnan(found.frame["value"][0])
    assert "undefined" in found.frame["definition"][0]
    assert found.frame["value"][1] == leakage(model(), X[150:]).value
    assert "Not all could be measured: " in found.note
    assert "b" in found.note.split("measured: ")[1]


def test_of_competing_causes_it_is_known_what_leaks():
    causes = pd.DataFrame({"time": TIME, "event": np.arange(260) % 3})
    other = CauseSpecificCoxLLSPIN(**{**QUICK, "epochs": 2}).fit(X, causes)
    frame = sampled_card(other, X).frame.set_index("measure")
    assert frame.loc["leakage.share", "value"] == leakage(other, X).value
    assert frame.loc["comprehensiveness", "value"] > 0
    assert np.isnan(frame.loc["C", "value"])
    assert "not known: CauseSpecificCoxLLSPIN is no model of one log-hazard" in frame.loc["C", "definition"]


@pytest.mark.parametrize(("n", "known"), [(29, False), (30, True)])
def test_few_rows_tell_nothing(n, known):
    found = sampled_card(model(), X[:n])
    assert (found.leakage is not None) == (found.moved is not None) == known
    assert ("fewer than 30 rows" in found.text()) == (not known)
    assert (moved_rows(model(), X[:n], found) is not None) == known
    assert sampled_card(model(), X[:1]).note == "Faithfulness card, of 1 row."
