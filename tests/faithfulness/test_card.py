"""The faithfulness card."""

import numpy as np
import pandas as pd
import pytest

from survlspin import CauseSpecificCoxLLSPIN, CoxLLSPIN, CoxPH
from survlspin.errors import InputError
from survlspin.faithfulness import card, leakage, listed_risk, masked_refit
from survlspin.metrics import concordance
from survlspin.stability import jaccard

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(500, 4)), columns=["group", "a", "b", "noise"])
X["twin"] = 2 * X["a"] + 0.1 * RNG.normal(size=500)
TIME = RNG.exponential(np.exp(-1.5 * np.where(X["group"] > 0, X["a"], -X["b"])))
Y = pd.DataFrame({"time": TIME.clip(max=3), "event": TIME < 3})
TRAIN, TEST = (X[:300], Y[:300]), (X[300:], Y[300:])
QUICK = {"lr": 0.03, "epochs": 20, "random_state": 0}


def model_of(**settings):
    return CoxLLSPIN(**{"lam": 0.05, **QUICK, **settings}).fit(*TRAIN)


def values(found):
    return found.frame.set_index("measure")["value"]


def test_free_gates_have_every_number_of_their_leak():
    model, other = model_of(members=2), model_of(lam=0.01)
    strata = (TEST[0]["group"] > 0).to_numpy()
    found = card(model, *TRAIN, *TEST, draws=4, strata=strata, probes=["noise"], others=[other])
    value, leaks, refit = values(found), leakage(model, TEST[0], draws=4), masked_refit(model, *TRAIN)
    assert value["C"] == model.score(*TEST)
    assert value["leakage.share"] == leaks.value == found.moved.mean() > 0
    assert value["leakage.size"] == leaks.size > 0
    assert value["sufficiency"] == leaks.unlisted < value["comprehensiveness"] == leaks.listed
    assert value["leakage.strata"] == leakage(model, TEST[0], draws=4, strata=strata).value
    assert value["C.refit"] == refit.score(*TEST)
    risk = listed_risk(refit, TEST[0], draws=4)
    assert value["C.masked_refit"] == concordance(TEST[1]["time"], TEST[1]["event"], risk).value
    assert value["C.masked_refit.strata"] != value["C.masked_refit"]
    assert 0.4 < value["C.mask_only"] != 0.5
    used, second = model.selected(TEST[0]), other.selected(TEST[0])
    assert value["probes"] == used["noise"].mean()
    rows = [jaccard(pair) for pair in np.stack([used, second], axis=1)]
    assert value["stability.folds"] == pytest.approx(np.nanmean(rows))
    assert 0 < value["stability.members"] <= 1


def test_a_context_leaks_nothing_and_the_card_says_what_there_is_not():
    found = card(model_of(context=["group"]), *TRAIN, *TEST, draws=2)
    value = values(found)
    assert value["leakage.share"] == value["leakage.size"] == value["sufficiency"] == 0
    assert value["C.masked_refit"] == value["C.refit"]
    assert not found.moved.any()
    assert value[["probes", "stability.members", "stability.folds"]].isna().all()
    said = found.frame.set_index("measure")["definition"]
    assert "none was offered" in said["probes"]
    assert "one member" in said["stability.members"]
    text = found.text()
    assert all(measure in text for measure in found.frame["measure"])
    assert max(map(len, text.splitlines())) <= 120


def test_columns_that_stand_in_for_each_other_are_named():
    model = model_of()
    found, used = card(model, *TRAIN, *TEST, draws=1), model.selected(TEST[0])
    [pair] = found.redundant.to_dict("records")
    assert {pair["factor"], pair["other"]} == {"a", "twin"}
    assert pair["r"] == pytest.approx(np.corrcoef(TRAIN[0]["a"], TRAIN[0]["twin"])[0, 1], abs=1e-6)
    assert pair["both"] == (used["a"] & used["twin"]).mean()
    assert pair["one"] == (used["a"] ^ used["twin"]).mean()
    assert "a and twin" in found.frame.set_index("measure").loc["redundant", "definition"]


def test_a_model_that_uses_every_factor_has_a_card():
    value = values(card(CoxPH().fit(TRAIN[0].drop(columns="twin"), TRAIN[1]), *TRAIN, *TEST, draws=1))
    assert value["leakage.share"] == 0
    assert value["C.mask_only"] == 0.5
    assert np.isnan(value["C.masked_refit"])


def test_what_has_no_card_is_refused():
    with pytest.raises(InputError, match="SL-468"):
        card(CauseSpecificCoxLLSPIN(), *TRAIN, *TEST)
    with pytest.raises(InputError, match="SL-469"):
        card(model_of(epochs=1), *TRAIN, *TEST, probes=["nose"])
