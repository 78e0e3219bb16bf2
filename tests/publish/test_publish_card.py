"""The faithfulness card that goes with exports."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from commands import invoke

import survlspin
from survlspin import CoxLLSPIN
from survlspin.faithfulness import Card, as_text, leakage, sampled
from survlspin.outcome import Outcome, split_xy
from survlspin.publish import faithful
from survlspin.publish.local import export
from survlspin.publish.schema import BANNER
from survlspin.publish.words import published
from survlspin.report.source import set_apart
from survlspin.study import Roles, Study, study_of
from survlspin.tables import read_csv

FIT = ("--time", "months", "--event", "died", "--model", "CoxLLSPIN", "--lam", "0.05", "--set", "epochs=10")


@cache
def people(n=160) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["sex", "age", "size"])
    time = rng.exponential(np.exp(-2 * np.where(X["sex"] > 0, X["age"], -X["size"])))
    return X.assign(months=time.clip(max=3), died=(time < 3).astype(int))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    people()[:80].to_csv(folder / "train.csv", index=False)
    people()[80:].to_csv(folder / "new.csv", index=False)
    people()[80:].drop(columns="died").to_csv(folder / "open.csv", index=False)
    fit = ("fit", "--data", folder / "train.csv", *FIT, "--set", "lr=0.03", "--out", folder / "fit")
    assert invoke(*fit)[0] == 0
    return folder


def card_of(path) -> tuple[dict, dict]:
    """What is known and what is said by a written card."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept = kept.get("faithfulness", kept)
    return kept, {line["measure"]: line["value"] for line in kept["measures"]}


@pytest.mark.parametrize("name", ["new", "open"])
def test_export_prints_and_writes_the_card_and_marks_patients(folder, name):
    out = folder / f"keep-{name}"
    code, said = invoke("factors", "export", folder / "fit", "--data", folder / f"{name}.csv", "--out", out)
    assert code == 0, said
    kept, value = card_of(out / "LOCAL-ONLY-card.json")
    assert kept["local"] == BANNER
    assert as_text(kept) in said
    model, X = survlspin.load(folder / "fit" / "model"), people()[80:].iloc[:, :3]
    leaks = leakage(model, X)
    assert value["leakage.share"] == leaks.value > 0
    assert read_csv(out / "LOCAL-ONLY-patients.csv")["leaks"].tolist() == leaks.moved.tolist()
    assert (value["C"] is None) == (name == "open")
    assert value["C.masked_refit"] is None
    assert "not known: needs the training rows" in " ".join(said.split())
    assert "made from" not in kept["note"]


def test_export_of_the_rows_it_was_made_from_says_so(folder):
    for name, more in (("own", ()), ("named", ("--data", folder / "train.csv"))):
        code, said = invoke("factors", "export", folder / "fit", *more, "--out", folder / name)
        assert (code, "of 80 rows that the model was made from" in said) == (0, True)
    assert "80 rows. Wrote to" in said  # of which several may be of one patient


def test_rows_set_apart_are_those_that_are_looked_at(folder):
    fit = ("fit", "--data", folder / "train.csv", *FIT, "--set", "lr=0.03", "--test", 0.4, "--out", folder / "apart")
    assert invoke(*fit)[0] == 0
    _, rows = set_apart(study_of(folder / "train.csv", Roles(time="months", event="died")), {"test": 0.4, "seed": 0})
    model, table = survlspin.load(folder / "apart" / "model"), people()[:80].iloc[rows]
    y = Outcome.of((table["months"], table["died"] == 1)).to_y()
    for command, more in (("export", ()), ("export", ("--data", folder / "train.csv")), ("publish", ("--min-cell", 5))):
        out = folder / f"{command}-{len(more)}-apart"
        code, said = invoke("factors", command, folder / "apart", *more, "--out", out)
        assert code == 0, said
        kept, value = card_of(out / ("LOCAL-ONLY-card.json" if command == "export" else "card.json"))
        assert kept["note"].startswith("Faithfulness card, of 32 rows that the model was not made from.")
        assert value["C"] == pytest.approx(model.score(table[["sex", "age", "size"]], y), abs=6e-4)
        assert value["C.masked_refit"] is not None


def test_of_very_many_patients_none_is_marked(monkeypatch, tmp_path):
    monkeypatch.setattr(sampled, "EACH", 30)
    monkeypatch.setattr("survlspin.publish.local.EACH", 30)
    X, y = split_xy(people(), time="months", event="died")
    files, card = export(CoxLLSPIN(lam=0.05, epochs=1).fit(X, y), X, tmp_path / "out")
    assert card.note.endswith("The column leaks is left empty: more than 30 rows.")
    assert card.note in files[-1].read_text(encoding="utf-8")
    assert read_csv(tmp_path / "out" / "LOCAL-ONLY-patients.csv")["leaks"].isna().all()


def test_export_of_a_model_with_strata_has_their_risks(tmp_path):
    table = people().assign(centre=np.where(np.arange(160) % 2, "a", "b"))
    model = CoxLLSPIN(lam=0.05, epochs=2).fit(*split_xy(table, time="months", event="died", stratum="centre"))
    X = table[["sex", "age", "size"]]
    _, card = export(model, X, tmp_path / "out", [1.0], stratum=table["centre"])
    assert "leakage.strata" in set(card.frame["measure"])
    expected = model.risk_factors(X).patients([1.0], stratum=table["centre"].to_numpy())["risk_1"]
    found = read_csv(tmp_path / "out" / "LOCAL-ONLY-patients.csv")["risk_1"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_publish_prints_and_writes_the_card_with_the_refit_of_the_training_rows(folder):
    out = folder / "public"
    more = ("--data", folder / "new.csv", "--min-cell", 5, "--out", out)
    code, said = invoke("factors", "publish", folder / "fit", *more)
    assert code == 0, said
    kept, value = card_of(out / "card.json")
    assert as_text(kept) in said
    assert 0.5 < value["C"] == round(value["C"], 3)
    assert 0.4 < value["C.masked_refit"] == round(value["C.masked_refit"], 3)


def test_publish_knows_the_rows_that_the_model_was_made_from(folder):
    def note_and_refit(name):
        command = ("factors", "publish", folder / "fit", "--data", folder / name, "--min-cell", 5)
        assert invoke(*command, "--out", folder / "known")[0] == 0
        kept, value = card_of(folder / "known" / "card.json")
        return "made from" in kept["note"], value["C.masked_refit"] is not None

    assert note_and_refit("train.csv") == (True, False)
    assert note_and_refit("new.csv") == (False, True)
    text = (folder / "train.csv").read_text(encoding="utf-8")
    (folder / "train.csv").write_text("\n".join(text.splitlines()[:-1]), encoding="utf-8")  # no longer the same rows
    assert note_and_refit("new.csv") == (False, False)
    (folder / "train.csv").write_text(text, encoding="utf-8")


def test_what_tells_of_few_patients_is_hidden(monkeypatch):
    lines = [("C", 0.71234, "c"), ("leakage.share", 0.04, "s"), ("probes", 0.98, "p"), ("leakage.strata", 0.05, "t")]
    lines += [("redundant", 1.0, "pairs: one and two (0.99)"), ("stability.folds", np.nan, "none")]
    frame = pd.DataFrame(lines, columns=["measure", "value", "definition"])
    asked = []

    def made(model, X, y, **how):
        asked.append((y, how))
        return Card(frame, None, frame, f"Of rows.{sampled.MISSED}3 events.")

    monkeypatch.setattr(faithful, "sampled_card", made)
    X = people()[:100]
    data = Study("file", X, Outcome.of((X["months"], np.arange(100) < 4)).to_y(), "years", None, None)
    found = faithful.shared_card(object(), data, 5, counted=False, training=(X, data.y))
    value = {line["measure"]: line["value"] for line in found["measures"]}
    assert value["C"] == 0.712
    assert (value["leakage.share"], value["probes"], value["leakage.strata"]) == (None, None, 0.05)
    assert "one and two" not in as_text(found)
    assert "3 events" not in found["note"]
    assert "fewer than 5 had the event" in found["note"]
    assert (asked[0][0], asked[0][1]["counted"]) == (None, False)
    assert asked[0][1]["train"][0] is X
    faithful.shared_card(object(), data, 4, counted=True)
    assert asked[1][0] is data.y


def test_a_hidden_number_of_patients_is_said():
    faithful = {"note": "", "measures": []}
    card = {"patients": None, "min_cell": 11, "hidden": 3, "audit": "none", "faithfulness": faithful}
    text = published({"card": card, "out": "here", "files": ["here/sets.csv"]})
    assert "How many patients is hidden; no count from 1 to 10 is shown, 3 counts are hidden" in " ".join(text.split())
    text = published({"card": {**card, "hidden": 1}, "out": "here", "files": ["here/sets.csv"]})
    assert "1 count is hidden" in " ".join(text.split())
