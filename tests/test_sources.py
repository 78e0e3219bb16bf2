import json
import shutil
from pathlib import Path

import lifelines.datasets
import make_samples
import numpy as np
import pandas as pd
import pytest
from sksurv.datasets import load_flchain

from survlspin.cohort import build_cohort
from survlspin.cohort.recipe import load_recipe
from survlspin.errors import InputError
from survlspin.testing import check_source

DATASETS = Path(__file__).parents[1] / "datasets"
SAMPLES = DATASETS / "samples"
SOURCES = ["flchain", "gbsg2", "metabric", "prostate-survival", "rotterdam", "sibr", "support"]


def sample(name):
    return pd.read_csv(SAMPLES / f"{name}.csv")


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_keeps_its_contract(name):
    check_source(name, SAMPLES / f"{name}.csv")


def test_the_samples_are_what_the_generator_draws():
    drawn = make_samples.texts()
    assert {name: (SAMPLES / name).read_text(encoding="utf-8") for name in drawn} == drawn
    assert {name.split(".")[0] for name in drawn} == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_has_a_card_that_says_what_must_be_known(name):
    recipe = load_recipe(name)
    card = (DATASETS / "cards" / recipe.card).read_text(encoding="utf-8")
    for word in (
        "**Where**",
        "**Terms as found**",
        "**Cite**",
        "**Time**",
        "## Traps",
        "## What the recipe does",
        "| read |",
    ):
        assert word in card
    for rule in recipe.rules:
        if not rule.when:
            assert f"`{rule.id}`" in card
    for switch in recipe.switches:
        assert f"`{switch}`" in card or f"`{switch} = " in card
    for outcome in recipe.outcomes:
        assert outcome == next(iter(recipe.outcomes)) or f"`{outcome}`" in card
    assert recipe.licence
    assert recipe.citation
    assert recipe.url.startswith("https://")
    assert name in (DATASETS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SOURCES)
def test_the_values_of_a_switch_differ(name):
    for switch, choice in load_recipe(name).switches.items():
        prints = {
            value: build_cohort(sample(name), name, switches={switch: value}).fingerprint
            for value in choice.values  # noqa: PD011
        }
        assert len(set(prints.values())) == len(prints), switch


@pytest.mark.parametrize("name", ["rotterdam", "sibr", "prostate-survival"])
def test_the_outcomes_differ(name):
    prints = {
        outcome: build_cohort(SAMPLES / f"{name}.csv", name, outcome=outcome).fingerprint
        for outcome in load_recipe(name).outcomes
    }
    assert len(set(prints.values())) == len(prints)


# ---- the published numbers, where the data come with a package that the tests need anyway


def test_gbsg2_has_its_686_women_and_299_events():
    cohort = build_cohort(lifelines.datasets.load_gbsg2(), "gbsg2")
    assert cohort.flow.end == cohort.flow.start
    assert (len(cohort), cohort.flow.end.events) == (686, 299)
    assert cohort.manifest["unit"] == "days"
    assert cohort.frame["time"].max() == 2659


@pytest.mark.parametrize(
    ("switches", "rows", "events"),
    [
        ({}, 6521, 1959),
        ({"creatinine": "bands"}, 7871, 2166),
        ({"creatinine": "without", "zero_time": "keep"}, 7874, 2169),
        ({"creatinine": "without", "mgus": "exclude"}, 7756, 2150),
    ],
    ids=["default", "bands", "everybody", "no-mgus"],
)
def test_flchain_has_its_7874_residents_and_2169_deaths(switches, rows, events):
    X, y = load_flchain()
    cohort = build_cohort(X.assign(death=y["death"], futime=y["futime"]), "flchain", switches=switches)
    assert (cohort.flow.start.rows, cohort.flow.start.events) == (7874, 2169)
    assert (cohort.flow.end.rows, cohort.flow.end.events) == (rows, events)


# ---- what each recipe must get right


def test_flchain_cannot_use_the_cause_of_death(tmp_path):
    text = (DATASETS / "recipes" / "flchain.toml").read_text(encoding="utf-8")
    column = (
        '\n[[columns]]\nname = "cause"\nfrom = "chapter"\ncoding = "category"\nlevels = ["Neoplasms"]\nrest = "other"\n'
    )
    (tmp_path / "leaky.toml").write_text(text + column, encoding="utf-8")
    with pytest.raises(InputError, match=r"SL-592 .*chapter.*cause of death"):
        load_recipe(tmp_path / "leaky.toml")


def test_flchain_reads_what_r_writes_for_missing_values():
    table = sample("flchain")
    as_r = table.assign(creatinine=table["creatinine"].astype(object).where(table["creatinine"].notna(), "NA"))
    for how in ("complete", "bands"):
        given = {"switches": {"creatinine": how}}
        assert build_cohort(as_r, "flchain", **given).fingerprint == build_cohort(table, "flchain", **given).fingerprint
    bands = build_cohort(table, "flchain", switches={"creatinine": "bands"}).frame["creatinine"]
    assert (bands == "unknown").sum() == build_cohort(table, "flchain").flow.steps[-1].excluded.rows


def test_gbsg2_reads_both_tables_of_it():
    table = sample("gbsg2")
    renamed = table.rename(
        columns={
            "horTh": "hormon",
            "menostat": "meno",
            "tsize": "size",
            "tgrade": "grade",
            "pnodes": "nodes",
            "progrec": "pgr",
            "estrec": "er",
            "time": "rfstime",
            "cens": "status",
        }
    )
    codes = {"hormon": {"no": 0, "yes": 1}, "meno": {"Pre": 0, "Post": 1}, "grade": {"I": 1, "II": 2, "III": 3}}
    as_survival = renamed.assign(**{name: renamed[name].map(code) for name, code in codes.items()}).assign(pid=7)
    assert build_cohort(as_survival, "gbsg2").fingerprint == build_cohort(table, "gbsg2").fingerprint


LATE = [
    ("at-death", [100, 900, 400, 700], 3),
    ("at-last-visit", [100, 500, 400, 700], 3),
    ("censored", [100, 500, 400, 700], 2),
]


@pytest.mark.parametrize(("late_deaths", "times", "events"), LATE, ids=[each[0] for each in LATE])
def test_rotterdam_counts_a_death_after_the_last_visit_as_it_is_told(late_deaths, times, events):
    # a recurrence, a death after the last visit, a death at the last visit, alive
    ends = pd.DataFrame(
        {"rtime": [100, 500, 400, 700], "recur": [1, 0, 0, 0], "dtime": [800, 900, 400, 700], "death": [1, 1, 1, 0]}
    )
    women = sample("rotterdam").dropna().iloc[:4].reset_index(drop=True).assign(pid=["1", "2", "3", "4"], **ends)
    given = {"switches": {"late_deaths": late_deaths}}
    rfs = build_cohort(women, "rotterdam", **given).frame
    assert rfs["time"].tolist() == times
    assert rfs["event"].sum() == events
    first = build_cohort(women, "rotterdam", outcome="recurrence", **given).frame["event"]
    assert first.tolist() == [1, 2 if events == 3 else 0, 2, 0]
    assert build_cohort(women, "rotterdam", outcome="os").frame["time"].tolist() == ends["dtime"].tolist()


def test_rotterdam_keeps_one_of_two_equal_records_and_refuses_two_that_differ():
    table = sample("rotterdam")
    cohort = build_cohort(table, "rotterdam")
    assert cohort.frame["patient"].is_unique
    table.loc[table.index[-1], "dtime"] += 400
    with pytest.raises(InputError, match=r"SL-591 .*death_days \(1 patient\)"):
        build_cohort(table, "rotterdam")


def test_metabric_and_support_have_names_and_categories():
    metabric = build_cohort(SAMPLES / "metabric.csv", "metabric")
    assert {entry["name"]: entry["headers"] for entry in metabric.manifest["columns"]} == {
        "age": ["x8"],
        "er": ["x7"],
        "egfr": ["x0"],
        "pgr": ["x1"],
        "erbb2": ["x2"],
        "mki67": ["x3"],
        "hormone": ["x4"],
        "radiotherapy": ["x5"],
        "chemotherapy": ["x6"],
    }
    table = sample("support")
    support = build_cohort(table, "support").frame
    assert pd.crosstab(support["cancer"], table["x6"]).shape == (3, 3)
    assert support["cancer"].iloc[np.flatnonzero(table["x6"] == 0)[0]] == "metastatic"
    assert (support["race"] == "unknown").sum() == (table["x3"] == 5).sum() > 0


@pytest.mark.parametrize("name", ["metabric", "support"])
def test_feather_gives_the_cohort_of_the_csv(name, tmp_path):
    table = sample(name)
    table.to_feather(tmp_path / "double.feather")
    single = {column: np.float32 for column in table if column != "event"}  # as pycox writes it
    table.astype(single).to_feather(tmp_path / "single.feather")
    expected = build_cohort(SAMPLES / f"{name}.csv", name).fingerprint
    assert build_cohort(tmp_path / "double.feather", name).fingerprint == expected
    assert build_cohort(tmp_path / "single.feather", name).fingerprint == expected


def test_sibr_enters_at_diagnosis_on_the_scale_of_age():
    since, aged = (build_cohort(SAMPLES / "sibr.csv", "sibr", outcome=name) for name in ("cr", "cr-age"))
    assert set(since.y["event"]) == {0, 1, 2}
    np.testing.assert_array_equal(aged.y["entry"], since.X["age"])
    np.testing.assert_allclose(aged.y["time"] - aged.y["entry"], since.y["time"], rtol=1e-9)
    assert since.X["year"].between(1993, 2013).all()
    assert "entry" not in since.y.dtype.names
    bcss = build_cohort(SAMPLES / "sibr.csv", "sibr", outcome="bcss").y
    np.testing.assert_array_equal(bcss["event"], since.y["event"] == 1)


def test_sibr_reads_dates(tmp_path):
    table = sample("sibr")
    dates = {name: pd.to_datetime(table[name], unit="D") for name in ("bi_date", "dg_date", "ex_date")}
    dated, expected = table.assign(**dates), build_cohort(table, "sibr").fingerprint
    dated.to_csv(tmp_path / "dated.csv", index=False)  # 2009-06-12
    for data in (dated, tmp_path / "dated.csv"):
        assert build_cohort(data, "sibr").fingerprint == expected


def test_prostate_survival_adds_half_a_month_and_keeps_equal_rows():
    table = sample("prostate-survival")
    twice = pd.concat([table, table])
    half, keep, drop = (
        build_cohort(twice, "prostate-survival", switches={"zero_months": value}) for value in ("half", "keep", "drop")
    )
    assert len(half) == len(keep) == 2 * len(table)
    np.testing.assert_array_equal(half.y["time"], keep.y["time"] + 0.5)
    assert len(keep) - len(drop) == (keep.y["time"] == 0).sum() > 0


# ---- check_source finds what is wrong


@pytest.fixture
def source(tmp_path):
    """A copy of recipe, sample and flow, each to be spoilt."""
    for name in ("prostate-survival.csv", "prostate-survival.flow.json"):
        shutil.copy(SAMPLES / name, tmp_path / name)
    shutil.copy(DATASETS / "recipes" / "prostate-survival.toml", tmp_path)

    def check(recipe=None, flow=None, rows=None):
        for suffix, change in ((".toml", recipe), (".flow.json", flow), (".csv", rows)):
            path = tmp_path / f"prostate-survival{suffix}"
            path.write_text((change or str)(path.read_text(encoding="utf-8")), encoding="utf-8")
        check_source(tmp_path / "prostate-survival.toml", tmp_path / "prostate-survival.csv")

    return check


def test_check_source_takes_a_recipe_of_ones_own(source):
    source()


def other_count(text):
    flow = json.loads(text)
    flow["cr"]["rules"]["follow-up"]["excluded"][0] += 1
    return json.dumps(flow)


def one_outcome_less(text):
    return json.dumps({name: counts for name, counts in json.loads(text).items() if name != "os"})


SPOILT = [
    ("count", {"flow": other_count}, r"rule 'follow-up', excluded: rows, patients and events are \[0, 0, 0\]"),
    ("outcome", {"flow": one_outcome_less}, "the expected flow is of"),
    ("rule", {"recipe": lambda text: text.replace('id = "follow-up"', 'id = "followed"')}, "the rules are"),
    ("rows", {"rows": lambda text: text + "".join(text.splitlines(keepends=True)[1:]) * 3}, "at most 500"),
    ("leak", {"recipe": lambda text: text.replace('leak = "the outcome"', "")}, "not marked as leaks"),
]


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in SPOILT], ids=[case[0] for case in SPOILT])
def test_check_source_says_what_does_not_hold(source, change, message):
    with pytest.raises(AssertionError, match=message):
        source(**change)
