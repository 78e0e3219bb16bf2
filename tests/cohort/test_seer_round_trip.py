"""Invented exports through reader, code book and recipes: one truth, one cohort, and the counts that were planned."""

import itertools

import numpy as np
import pytest
from registry import toml

from survlspin._shipped import shipped
from survlspin.cohort import build_cohort
from survlspin.cohort.recipe import load_recipe
from survlspin.errors import InputError, InputWarning
from survlspin.synthetic import seer_export

RECIPES = ("seer-breast-lspin2022", "seer-breast-epi")
OUTCOMES = {"seer-breast-lspin2022": ("os", "bcss"), "seer-breast-epi": ("os", "bcss", "cr")}
LISTINGS = itertools.product(("labels", "quoted", "unformatted"), ("tab", "comma", "semicolon"))
RENDERINGS = [  # every two of form, delimiter and header occur together
    *({"form": form, "delimiter": mark, "header": i % 2 == 1} for i, (form, mark) in enumerate(LISTINGS)),
    {"form": "quoted", "delimiter": "comma", "gz": True},
    {"form": "unformatted", "header": False, "gz": True},
    {"form": "fixed"},
    {"form": "fixed", "gz": True},
    {"bom": True, "encoding": "utf-8"},
    {"missing": "period"},
    {"broken": 6},
]
BOTH = [*RENDERINGS[::5], {"form": "fixed"}]  # the others with the first recipe alone
CELLS = ("before", "excluded", "after", "fails")
SIZES = {
    "name": "sizes",
    "source": "seer",
    "codebook": "seer-breast",
    "patient": "patient_id",
    "order": ["year", "sequence"],
    "derive": [
        {
            "name": "size",
            "op": "by_year",
            "parts": [
                {"years": [1988, 2003], "field": "size_eod"},
                {"years": [2004, 2015], "field": "size_cs"},
                {"years": [2016, 2040], "field": "size_sum"},
            ],
        }
    ],
    "rules": [{"id": "size", "text": "size known", "keep": {"field": "size", "known": True}}],
    "outcomes": {"os": {"time": "survival_months", "events": [{"code": 1, "if": {"field": "vital", "in": ["dead"]}}]}},
    "columns": [
        {"name": "size", "from": "size", "coding": "number"},
        {"name": "year", "from": "year", "coding": "number"},
    ],
}


@pytest.fixture(scope="module")
def recipes():
    return {name: load_recipe(name) for name in RECIPES}


@pytest.fixture(scope="module")
def cohorts(recipes, tmp_path_factory):
    export = seer_export(tmp_path_factory.mktemp("labels"), 200, random_state=4)
    return {name: build_cohort(export.path, recipe) for name, recipe in recipes.items()}


@pytest.mark.parametrize("how", RENDERINGS, ids=lambda how: "-".join(map(str, how.values())))
def test_one_truth_in_every_form_is_one_cohort(recipes, cohorts, tmp_path, how):
    export = seer_export(tmp_path, 200, random_state=4, **how)
    for name in RECIPES if how in BOTH else RECIPES[:1]:
        cohort = build_cohort(export.path, recipes[name], max_quarantine=0.1)
        assert cohort.fingerprint == cohorts[name].fingerprint
        assert cohort.flow == cohorts[name].flow
        assert cohort.quarantine["line"].tolist() == list(export.broken_lines)


def test_another_truth_is_another_cohort(recipes, cohorts, tmp_path):
    export = seer_export(tmp_path, 300, random_state=5)
    for name, recipe in recipes.items():
        assert build_cohort(export.path, recipe).fingerprint != cohorts[name].fingerprint


def test_a_submission_of_the_future_is_read_with_a_warning(recipes, cohorts, tmp_path):
    export = seer_export(tmp_path, 200, random_state=4)
    export.dic.write_text(export.dic.read_text("cp1252").replace("Nov 2018", "Nov 2031"), "cp1252")
    with pytest.warns(InputWarning, match="SL-590 the export is of the submission of Nov 2031"):
        cohort = build_cohort(export.path, recipes[RECIPES[0]])
    assert cohort.fingerprint == cohorts[RECIPES[0]].fingerprint


def test_a_label_that_is_not_known_stops_the_run_until_the_recipe_has_it(cohorts, tmp_path):
    export = seer_export(tmp_path, 200, random_state=4)
    marital = "Married (including common law)"
    text = export.path.read_text("cp1252")
    assert marital in text
    export.path.write_text(text.replace(marital, "Wed"), "cp1252")
    with pytest.raises(InputError, match=r"SL-578 field 'marital' .* 'Wed'.*codes.marital"):
        build_cohort(export.path, RECIPES[0])
    longer = shipped("recipes").joinpath(f"{RECIPES[0]}.toml").read_text("utf-8")
    longer += '[[codes.marital]]\nlabels = ["Wed"]\nlevel = "married"\n'
    (tmp_path / "longer.toml").write_text(longer, "utf-8")
    assert build_cohort(export.path, tmp_path / "longer.toml").fingerprint == cohorts[RECIPES[0]].fingerprint


@pytest.mark.parametrize("submission", ["nov2018", "nov2020", "nov2025"])
@pytest.mark.parametrize("name", RECIPES)
def test_flows_are_those_that_were_planned(recipes, tmp_path, name, submission):
    first = 2000 if name == "seer-breast-epi" and submission == "nov2025" else 1995
    last = {"nov2018": 2016, "nov2020": 2018, "nov2025": 2023}[submission]
    export = seer_export(tmp_path, 2000, submission=submission, years=(first, last), dirt=3.0, random_state=6)
    recipe = recipes[name]
    for outcome in OUTCOMES[name]:
        flow = build_cohort(export.path, recipe, outcome=outcome).flow
        expected = export.flow(name, outcome)
        assert [step.id for step in flow.steps] == expected["id"].tolist()
        for cell, part in itertools.product(CELLS, ("rows", "patients", "events")):
            found = [getattr(getattr(step, cell), part) for step in flow.steps]
            assert found == expected[f"{cell} {part}"].tolist(), (outcome, cell, part)


@pytest.mark.parametrize(("submission", "last"), [("nov2018", 2016), ("nov2025", 2023)])
def test_sizes_are_right_in_every_year(tmp_path, submission, last):
    (tmp_path / "sizes.toml").write_text(toml(SIZES))
    export = seer_export(tmp_path, 4000, submission=submission, years=(1988, last), dirt=0, random_state=7)
    frame = build_cohort(export.path, tmp_path / "sizes.toml").frame
    truth = export.truth[~export.truth["death_certificate"]].sort_values(["patient", "year", "sequence"])
    assert frame["patient"].tolist() == truth["patient"].tolist()
    assert np.array_equal(frame["year"], truth["year"])
    least = np.where(truth["year"] <= 2003, 3, 0)  # until 2003 code 003 is 3 mm or less
    assert np.array_equal(frame["size"], np.maximum(truth["size_mm"], least))
    assert set(frame["year"]) == set(range(1988, last + 1))
