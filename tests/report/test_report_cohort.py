import json

import pandas as pd
import pytest
from reported import said, sketched

from survlspin.cohort import read_cohort
from survlspin.cohort.flow import Count
from survlspin.report.data import _flow_figure
from survlspin.report.drawing import svg
from survlspin.synthetic import seer_export


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A report on a model of invented patients of a registry: its folder, the cohort, and what the command printed."""
    folder = tmp_path_factory.mktemp("registry")
    export = seer_export(folder, 700, random_state=3)
    cohort = folder / "cohort.parquet"
    said("cohort", export.path, "--recipe", "seer-breast-epi", "--out", cohort)
    asked = ("--event-code", 1, "--model", "CoxPH", "--set", "penalizer=0.1")
    said("fit", "--data", cohort, *asked, "--out", folder / "fit")
    with sketched():
        text = said("report", folder / "fit", "--horizon", 36, "--out", folder / "out")
    return folder / "out", read_cohort(cohort), text


def test_counts_of_a_registry_are_hidden_without_being_asked(reported):
    out, cohort, text = reported
    assert "no release" in cohort.manifest["licence"]
    assert "Counts below 11 are hidden." in text
    assert json.loads((out / "facts.json").read_text())["data.min_cell"] == 11
    columns = pd.read_csv(out / "tables" / "table_one.csv")["all rows"].astype(str)
    counts = columns.str.extract(r"^([\d,]+) \(")[0].dropna().str.replace(",", "").astype(int)
    assert len(counts) > 10
    assert not counts.between(1, 10).any()
    assert "They end where fewer than 11 rows are at risk." in (out / "report.html").read_text(encoding="utf-8")


def test_the_flow_of_the_cohort_is_in_the_report(reported):
    out, cohort, _ = reported
    flow = pd.read_csv(out / "tables" / "flow_cohort.csv")
    masked = cohort.flow.masked(11)
    assert flow["rule"].tolist() == [step.id for step in masked.steps]
    assert flow["patients after"].iloc[-1] == cohort.flow.end.patients
    shown = flow.filter(regex="rows|patients|events").to_numpy().ravel()
    assert not ((shown > 0) & (shown < 11)).any()
    assert "seer-breast-epi" in (out / "report.html").read_text(encoding="utf-8")


def test_the_flow_is_said_in_words(reported):
    page = (reported[0] / "report.html").read_text(encoding="utf-8")
    assert 'id="figure-flow"' in page
    flow = reported[1].flow
    stages = [("first", flow.end), ("rare", Count(9, 9, 3)), ("none", Count(None, None, None))]
    figure = _flow_figure(stages, 11)
    end = f"first: {flow.end.patients:,} patients, {flow.end.events:,} events; "
    assert f"{end}rare: <11 patients, <11 events; none: hidden patients, hidden events." in figure.alt
    assert "&lt;11 patients" in svg(figure)


def test_what_precludes_the_event_is_said(reported):
    facts = json.loads((reported[0] / "facts.json").read_text())
    assert "count as censored" in facts["competing.words"]
    assert facts["outcome.unit"] == "months"
    assert facts["outcome.time"] is not None
