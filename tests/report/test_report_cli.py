import json
import re
import shutil
from itertools import pairwise

import html5lib
import pandas as pd
import pytest
from commands import invoke
from reported import COLUMNS, LABELS, fitted, patients, said, sketched, studied, written

from survlspin import run
from survlspin.baselines import CoxLasso
from survlspin.estimators import CoxPH
from survlspin.folds import External, RepeatedKFold
from survlspin.study import Roles, study_of

CHAPTERS = {"data", "protocol", "model", "limits", "closing"}


def texts(out):
    return {path: path.read_text(encoding="utf-8") for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def of_study(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("of-study")
    asked = ("--horizon", 24, "--horizon", 60, "--thresholds", ".2,.4", "--subgroup", "grade", "--min-cell", 11)
    return out, json.loads(said("report", studied(folder), *asked, "--out", out, "--json").splitlines()[-1])


@pytest.fixture(scope="module")
def of_model(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("of-model")
    other = written(folder, seed=2)
    model = fitted(folder, "--test", "0.25")
    with sketched():
        return out, said("report", model, "--data", other, "--horizon", 24, "--out", out)


def test_a_report_has_its_chapters_and_its_files(of_study):
    out, found = of_study
    assert {str(path) for path in texts(out)} == set(found["files"])
    page = (out / "report.html").read_text(encoding="utf-8")
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {element.get("id") for element in document.iter("section")} > CHAPTERS
    levels = [int(element.tag[1]) for element in document.iter() if element.tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert (out / "report.html").stat().st_size < 3e6


def test_no_patient_is_in_any_file(of_study, of_model):
    rows = pd.concat([patients(1), patients(2)])
    pairs = {(str(age), str(size)) for age, size in zip(rows["age"], rows["size"], strict=True)}
    for out, _ in (of_study, of_model):
        for path, text in texts(out).items():
            assert not [label for label in LABELS if label in text], path
            for line in text.splitlines():
                numbers = set(re.findall(r"\d+\.\d+", line))
                assert not [pair for pair in pairs if numbers.issuperset(pair)], path


def test_small_counts_are_hidden_in_every_table(of_study):
    out, found = of_study
    assert found["min_cell"] == 11
    n = int((patients()["grade"] == "Unknown").sum())
    assert 0 < n < 11
    table = pd.read_csv(out / "tables" / "table_one.csv")
    cells = table[table["variable"] == "grade"].set_index("level")["all rows"]
    assert cells["Unknown"] == "<11"
    assert "hidden" in set(cells)
    assert pd.read_csv(out / "tables" / "unknown.csv")["rows"].tolist() == ["<11"]


def test_the_facts_are_plain_and_say_what_was_done(of_study):
    facts = json.loads((of_study[0] / "facts.json").read_text(encoding="utf-8"))
    assert facts["data.n"] == 240
    assert facts["data.events"] == int(patients()["died"].sum())
    assert facts["data.source"] == "patients1.csv"
    assert facts["tuning.test_rows"] == 0
    assert facts["protocol.folds"] == 3
    assert facts["models.names"] == "LLSPIN, Cox PH, Cox-LASSO"
    assert facts["horizon.words"].startswith("24, 60 ")
    assert facts["sample.epp"] == pytest.approx(facts["sample.train_events"] / facts["sample.parameters"])
    assert not any(isinstance(value, float) and value != value for value in facts.values())


def test_the_command_can_be_read_off_without_folders(of_study, folder):
    again = pd.read_csv(of_study[0] / "tables" / "again.csv").set_index("what")["value"]
    words = again["command"].split()
    assert words[:2] == ["survlspin", "run"]
    assert " ".join(words).count("--skip") == 3
    assert dict(pairwise(words)).items() >= {"--data": "patients1.csv", "--time": "months", "--folds": "3"}.items()
    assert "--store" not in words
    assert all(str(folder) not in text for text in texts(of_study[0]).values())


def test_limits_follow_from_the_facts(of_study, of_model):
    page = {
        name: (out / "report.html").read_text(encoding="utf-8")
        for name, (out, _) in zip("sm", (of_study, of_model), strict=True)
    }
    assert "How well the models predict elsewhere" in page["s"]
    assert "How well the models predict elsewhere" not in page["m"]
    assert "Why performance differs from that on the data" in page["m"]
    assert "no threshold probabilities were named" in page["m"]
    assert "no threshold probabilities were named" not in page["s"]
    assert "the gates see every predictor" in page["s"]
    assert "the gates see every predictor" not in page["m"]
    assert "small counts are not hidden" in page["m"]
    assert "small counts are not hidden" not in page["s"]


def test_a_model_is_reported_on_other_patients(of_model):
    out, text = of_model
    assert "Judged on patients of other data than the models were made from." in " ".join(text.split())
    assert "Small counts are not hidden (--min-cell)." in text
    table = pd.read_csv(out / "tables" / "table_one.csv")
    assert list(table.columns) == ["variable", "level", "development", "evaluation", "SMD", "missing"]
    assert (out / "tables" / "coefficients.csv").exists()
    example = pd.read_csv(out / "tables" / "example.csv").set_index("term")["adds"]
    assert example["log-risk"] == pytest.approx(example.drop("log-risk").sum())


def test_another_data_set_in_a_study_is_external(undrawn, folder, tmp_path):
    table = patients().assign(other=[0] * 140 + [1] * 100)
    data = study_of_table(table, tmp_path, external="other")
    X, y = data.X, data.y
    run({"A": CoxPH()}, X, y, External(data.external), store=tmp_path / "store", progress=False)
    asked = ("--data", tmp_path / "t.csv", *COLUMNS, "--drop", "other", "--horizon", 24)
    text = said("report", tmp_path / "store", *asked, "--out", tmp_path / "out")
    assert "Judged on patients of other data than the models were made from." in " ".join(text.split())
    table = pd.read_csv(tmp_path / "out" / "tables" / "table_one.csv").set_index("variable")
    assert table.loc["rows", ["development", "evaluation"]].tolist() == ["140", "100"]
    assert "dealt out" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def study_of_table(table, folder, **roles):
    table.to_csv(folder / "t.csv", index=False)
    return study_of(folder / "t.csv", Roles(time="months", event="died", id="id", **roles))


def test_strata_have_each_their_baseline(undrawn, tmp_path):
    patients().assign(site=["A", "B"] * 120).to_csv(tmp_path / "t.csv", index=False)
    asked = ("--stratum", "site", "--model", "CoxPH", "--out", tmp_path / "fit")
    said("fit", "--data", tmp_path / "t.csv", *COLUMNS, *asked)
    said("report", tmp_path / "fit", "--horizon", 24, "--unit", "weeks", "--out", tmp_path / "out")
    baseline = pd.read_csv(tmp_path / "out" / "tables" / "baseline.csv")
    assert list(baseline) == ["time", "cumulative hazard, stratum A", "cumulative hazard, stratum B"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "in stratum A." in page
    assert "horizon 24 weeks" in page


def test_run_says_how_to_report(folder):
    store = studied(folder)
    assert f"survlspin report {store} --horizon TIME" in (folder / "said.txt").read_text(encoding="utf-8")


def test_an_unfinished_study_says_so_everywhere(undrawn, folder, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(studied(folder), store)
    next((store / "units").iterdir()).unlink()
    text = said("report", store, "--horizon", 24, "--out", tmp_path / "out")
    assert "8 of 9 fits" in " ".join(text.split())
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<body class="partial">' in page
    assert "8 of 9 fits" in page
    assert "Unfinished: 1 fits are missing" in page


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "SL-623"),
        (("--horizon", 1000), "SL-624"),
        (("--horizon", 24, "--thresholds", ".2,x"), "SL-625"),
        (("--horizon", 24, "--subgroup", "grad"), "SL-626"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(folder, tmp_path, options, code):
    found, text = invoke("report", fitted(folder, "--test", "0.25"), *options, "--out", tmp_path / "out")
    assert found == 2
    assert text.startswith(f"error: {code} ")
    assert not (tmp_path / "out").exists()


def test_a_store_without_a_call_needs_its_data(undrawn, folder, tmp_path):
    table = patients().set_index("id")
    X, y = table[["age", "size", "grade"]], {"time": table["months"], "event": table["died"]}
    run({"A": CoxPH(), "B": CoxLasso()}, X, y, RepeatedKFold(2, 1), store=tmp_path / "store", progress=False)
    found, text = invoke("report", tmp_path / "store", "--horizon", 24)
    assert (found, text[:13]) == (2, "error: SL-628")
    said("report", tmp_path / "store", "--horizon", 24, "--data", written(folder), *COLUMNS, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "There is no single fitted model to specify" in page


def test_a_folder_that_cannot_be_written_is_said(folder, tmp_path):
    (tmp_path / "file").touch()
    found, text = invoke(
        "report", fitted(folder, "--test", "0.25"), "--horizon", 24, "--out", tmp_path / "file" / "out"
    )
    assert (found, "SL-526" in text) == (3, True)
