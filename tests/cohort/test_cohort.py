import copy
import json
import stat

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from registry import FIELDS, RECIPE, people, toml, write

import survlspin
from survlspin.cohort.build import _warn_submission, build_cohort, read_cohort
from survlspin.cohort.predictors import _without_rare
from survlspin.cohort.recipe import load_recipe
from survlspin.errors import InputError, InputTypeError, InputWarning
from survlspin.study import Roles, known_roles, study_of


@pytest.fixture
def small(tmp_path):
    return load_recipe(write(tmp_path))


def refused(code, text, *args, **keys):
    with pytest.raises(InputError, match=text) as caught:
        build_cohort(*args, **keys)
    assert caught.value.code == code
    return str(caught.value)


def kept(frame):
    """The rows that the small recipe keeps, by another road."""
    year = frame["Year"].astype(int)
    size = frame["Size until 2003"].where(year <= 2003, frame["Size since 2004"])
    age = pd.to_numeric(frame["Age"])
    mask = (frame["Sex"] == "F") & age.between(25, 85) & (size != "999") & (frame["Vital"] != "?")
    return frame.assign(size=size.replace("995", "45"))[mask].sort_values("ID")


def test_frame_outcome_and_groups(small):
    raw = people()
    cohort = build_cohort(raw, small)
    expected = kept(raw)
    names = ["age", "size", "grade_1", "grade_2", "grade_3", "noise_u1", "noise_u2", "time", "event", "patient"]
    assert list(cohort.frame) == names
    assert list(cohort.X) == names[:7]
    assert cohort.X.attrs["units"] == {"age": "years"}
    assert cohort.frame["patient"].tolist() == expected["ID"].tolist()
    assert cohort.frame["age"].tolist() == expected["Age"].astype(float).tolist()
    assert cohort.frame["size"].tolist() == expected["size"].astype(float).tolist()
    assert cohort.frame["grade_2"].tolist() == (expected["Grade"] == "II").astype(int).tolist()
    assert cohort.y["time"].tolist() == (expected["Months"].astype(float) + 0.5).tolist()
    assert cohort.y["event"].tolist() == (expected["Vital"] == "Dead").tolist()
    assert cohort.groups.tolist() == expected["ID"].tolist()
    assert len(cohort) == len(expected)
    assert survlspin.build_cohort is build_cohort


def test_units_reach_what_is_fitted_to_a_cohort_file(small, tmp_path):
    build_cohort(people(), small).write(tmp_path / "cohort.parquet")
    study = study_of(tmp_path / "cohort.parquet", Roles(**known_roles(tmp_path / "cohort.parquet")))
    assert {variable.name: variable.unit for variable in study.design.variables if variable.unit} == {"age": "years"}


def test_every_rule_is_counted_in_order_and_by_itself(small):
    raw = people()
    flow = build_cohort(raw, small).flow
    age = pd.to_numeric(raw["Age"])
    women, adult = raw["Sex"] == "F", age.between(25, 85)
    assert [step.id for step in flow.steps] == ["duplicate", "female", "adult", "size", "followed"]
    assert flow.start.rows == len(raw)
    assert flow.start.events == (raw["Vital"] == "Dead").sum()
    assert flow.steps[1].excluded.rows == (~women).sum()
    assert flow.steps[2].excluded.rows == (women & ~adult).sum()
    assert flow.steps[2].fails.rows == (~adult).sum()
    assert flow.steps[2].fails.events == (~adult & (raw["Vital"] == "Dead")).sum()
    assert flow.end.rows == len(kept(raw))


@pytest.mark.parametrize(
    ("rest", "counts", "joined"),
    [
        ("", {"b": 6, "a": 3}, {"c": "b", "unknown": "b"}),
        ("a", {"b": 4, "a": 5}, {"c": "a", "unknown": "a"}),
        ("d", {"b": 6, "a": 3}, {"c": "b", "unknown": "b"}),  # the rest is rare itself
    ],
)
def test_rare_levels_join_the_rest_or_the_commonest_level(rest, counts, joined):
    cells = pd.Categorical([*list("aaabbbbc"), "unknown"], ["b", "a", "c", "d", "unknown"])
    data, merged = _without_rare(cells, 3, rest)
    assert data.value_counts().to_dict() == counts
    assert merged == joined


def test_rare_levels_are_kept_unless_the_recipe_says_otherwise(tmp_path):
    columns = [{"name": "grade", "from": "grade", "coding": "category"}]
    raw = people()
    raw.loc[raw["Grade"] == "III", "Grade"] = "II"
    raw.loc[raw.index[kept(raw).index[0]], "Grade"] = "III"
    plain = build_cohort(raw, write(tmp_path, columns=columns))
    assert "3" in plain.frame["grade"].cat.categories
    cohort = build_cohort(raw, write(tmp_path, columns=columns, rare={"below": 2}))
    entry = cohort.manifest["columns"][0]
    assert entry["joined"]["3"] == plain.frame["grade"].mode()[0]
    assert entry["levels"] == list(cohort.frame["grade"].cat.categories)
    assert cohort.frame["grade"].value_counts().min() >= 2


def test_the_order_of_the_file_changes_nothing(small):
    raw = people()
    cohort = build_cohort(raw, small)
    other = build_cohort(raw.sample(frac=1, random_state=1), small)
    pd.testing.assert_frame_equal(cohort.frame, other.frame)
    assert cohort.fingerprint == other.fingerprint
    changed = raw.assign(Months=np.where(raw["ID"] == cohort.groups[0], "7", raw["Months"]))
    assert build_cohort(changed, small).fingerprint != cohort.fingerprint


def test_files_and_frames_give_one_cohort(small, tmp_path):
    raw = people()
    raw.to_csv(tmp_path / "raw.csv", index=False)
    raw.to_parquet(tmp_path / "raw.parquet")
    typed = raw.assign(**{name: raw[name].astype(int) for name in ("Year", "Age", "Months", "Tumour")})
    prints = {
        build_cohort(data, small).fingerprint
        for data in (raw, typed, raw.astype("category"), tmp_path / "raw.csv", str(tmp_path / "raw.parquet"))
    }
    assert len(prints) == 1
    facts = build_cohort(tmp_path / "raw.csv", small).manifest["source"]
    assert facts["file"] == "raw.csv"
    assert len(facts["sha256"]["file"]) == 64


def test_numbers_that_are_infinite_are_refused(small):
    raw = people().astype({"Months": float})
    raw.loc[3, "Months"] = np.inf
    refused("SL-578", "'inf'", raw, small)


def test_noise_is_drawn_for_the_sorted_rows(small):
    cohort = build_cohort(people(), small, seed=3)
    for k in (1, 2):
        assert np.array_equal(cohort.frame[f"noise_u{k}"], np.random.default_rng([3, k]).random(len(cohort)))
    assert build_cohort(people(), small, seed=4).fingerprint != cohort.fingerprint
    assert "noise_u1" not in build_cohort(people(), small, switches={"noise": False}).frame


def test_switches_change_the_cohort(small):
    raw = people()
    default = build_cohort(raw, small)
    assert len(build_cohort(raw, small, switches={"ranges": "drop"})) < len(default)
    scaled = build_cohort(raw, small, switches={"zscore": "before"})
    entry = scaled.manifest["columns"][0]
    assert entry["scaled"]
    assert np.allclose(scaled.frame["age"] * entry["sd"] + entry["mean"], default.frame["age"], rtol=1e-12)
    assert scaled.frame["grade_1"].isin([0, 1]).all()
    assert scaled.manifest["switches"]["zscore"]["value"] == "before"


def test_scaling_of_all_columns_includes_one_hot_ones(tmp_path):
    path = write(tmp_path, scale={"of": "all", "when": {"zscore": "before"}})
    frame = build_cohort(people(), path, switches={"zscore": "before"}).frame
    assert abs(frame["grade_1"].mean()) < 1e-12
    assert abs(frame["grade_1"].std(ddof=0) - 1) < 1e-12


def test_competing_events_have_codes(small):
    raw = people()
    cohort = build_cohort(raw, small, outcome="cr")
    expected = kept(raw)
    expected = expected[expected["Cause"] != "?"]
    assert cohort.frame["event"].tolist() == expected["Cause"].map({"breast": 1, "other": 2, "-": 0}).tolist()
    assert cohort.manifest["outcome"]["events"] == {"1": "breast cancer", "2": "other"}
    assert survlspin.Outcome.of(cohort.y, event_of_interest=2).n_events == (expected["Cause"] == "other").sum()
    assert [step.id for step in cohort.flow.steps][-1] == "cause"


def test_delayed_entry(tmp_path):
    derive = [*RECIPE["derive"], {"name": "exit", "op": "linear", "terms": {"age": 12.0, "months": 1.0}, "plus": 0.5}]
    derive.append({"name": "entry_age", "op": "linear", "terms": {"age": 12.0}})
    outcome = {"time": "exit", "entry": "entry_age", "events": RECIPE["outcomes"]["os"]["events"]}
    cohort = build_cohort(people(), write(tmp_path, derive=derive, outcomes={"by-age": outcome}))
    assert (cohort.frame["entry"] < cohort.frame["time"]).all()
    assert cohort.manifest["roles"]["entry"] == "entry"
    assert cohort.y.dtype.names == ("event", "time", "entry")


def column(**keys):
    return {"columns": [{"name": "grade", "from": "grade", **keys}]}


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({}, ["grade_1", "grade_2", "grade_3"]),
        ({"unknown": "level"}, ["grade_1", "grade_2", "grade_3", "grade_unknown"]),
        ({"blank": "level"}, ["grade_1", "grade_2", "grade_3", "grade_not collected"]),
        ({"levels": ["1", "3"], "rest": "2"}, ["grade_1", "grade_3", "grade_2"]),
        ({"levels": ["1"], "rest": "more"}, ["grade_1", "grade_more"]),
        ({"levels": ["1", "2"]}, ["grade_1", "grade_2"]),
        ({"reference": "1"}, ["grade_2", "grade_3"]),
        ({"names": ["low", "middle", "high"]}, ["low", "middle", "high"]),
    ],
    ids=str,
)
def test_one_hot(tmp_path, keys, names):
    cohort = build_cohort(people(), write(tmp_path, **column(coding="one-hot", **keys)), switches={"noise": False})
    assert list(cohort.X) == names
    grade = kept(people())["Grade"]
    of = {
        "I": "1",
        "II": "2",
        "III": "3",
        "?": "unknown",
        "Blank(s)": "not collected" if "blank" in keys else "unknown",
    }
    for entry in cohort.manifest["columns"]:
        levels = [entry["level"]] if entry["level"] != "more" else ["2", "3"]
        assert cohort.X[entry["name"]].tolist() == grade.map(of).isin(levels).astype(int).tolist()
        assert entry["group"] == "grade"


def test_categories_keep_what_is_not_known_as_levels(tmp_path):
    raw, grade = people(), kept(people())["Grade"]
    of = {"I": "1", "II": "2", "III": "3", "?": "unknown", "Blank(s)": "unknown"}
    cohort = build_cohort(raw, write(tmp_path, **column(coding="category")))
    plain = cohort.frame["grade"]
    assert cohort.manifest["columns"][0]["levels"] == ["1", "2", "3", "unknown"]
    assert plain.cat.categories.tolist() == ["1", "2", "3", "unknown"]
    assert plain.tolist() == grade.map(of).tolist()
    apart = build_cohort(raw, write(tmp_path, **column(coding="category", blank="level"))).frame["grade"]
    assert apart.tolist() == grade.map(of | {"Blank(s)": "not collected"}).tolist()
    refused("SL-596", "'grade' is not known", raw, write(tmp_path, **column(coding="category", unknown="drop")))
    some = write(tmp_path, **column(coding="category", levels=["1", "2"]))
    refused("SL-599", "does not list the level", raw, some)
    rest = build_cohort(raw, write(tmp_path, **column(coding="category", levels=["1"], rest="more"))).frame["grade"]
    assert set(rest) == {"1", "more", "unknown"}
    pooled = build_cohort(raw, write(tmp_path, **column(coding="category", levels=["1"], rest="unknown"))).frame[
        "grade"
    ]
    assert pooled.tolist() == grade.map(lambda label: "1" if label == "I" else "unknown").tolist()


def test_the_manifest_explains_every_column(small):
    cohort = build_cohort(people(), small)
    manifest = json.loads(json.dumps(cohort.manifest))
    assert [entry["name"] for entry in manifest["columns"]] == list(cohort.X)
    size = manifest["columns"][1]
    assert size["fields"] == ["size_new", "size_old", "year"]
    assert size["headers"] == ["Size since 2004", "Size until 2003", "Year"]
    assert size["years"][0] >= 1995
    assert set(size["eras"]) == {"to 2003", "2004-2015"}
    assert manifest["columns"][0]["unit"] == "years"
    assert manifest["columns"][0]["mean"] == pytest.approx(cohort.frame["age"].mean(), rel=1e-12)
    assert manifest["switches"]["ranges"] == {"value": "keep", "default": "keep", "text": "", "guess": "nobody said"}
    assert manifest["roles"] == {"time": "time", "event": "event", "group": "patient", "patient": "patient"}
    assert (manifest["rows"], manifest["events"]) == (len(cohort), int(cohort.y["event"].sum()))
    assert manifest["recipe_sha256"] == small.digest


def test_a_cohort_is_written_for_its_owner_alone_and_read_again(small, tmp_path):
    cohort = build_cohort(people(), small)
    path = tmp_path / "cohort.parquet"
    cohort.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = read_cohort(path)
    pd.testing.assert_frame_equal(again.frame, cohort.frame)
    assert again.manifest == cohort.manifest
    assert again.flow == cohort.flow
    assert json.loads(pq.read_schema(path).metadata[b"survlspin"])["roles"] == cohort.manifest["roles"]
    assert [each.name for each in tmp_path.iterdir() if each.suffix != ".toml"] == ["cohort.parquet"]
    with pytest.raises(InputError) as caught:
        cohort.write(tmp_path / "none" / "cohort.parquet")
    assert caught.value.code == "SL-521"


def test_what_is_no_cohort_is_not_read(small, tmp_path):
    def fails(path, code):
        with pytest.raises(InputError) as caught:
            read_cohort(path)
        assert caught.value.code == code

    fails(tmp_path / "none.parquet", "SL-501")
    (tmp_path / "text.parquet").write_text("no")
    fails(tmp_path / "text.parquet", "SL-598")
    people().to_parquet(tmp_path / "plain.parquet")
    fails(tmp_path / "plain.parquet", "SL-598")
    build_cohort(people(), small).write(tmp_path / "changed.parquet")
    table = pq.read_table(tmp_path / "changed.parquet")
    pq.write_table(table.slice(1), tmp_path / "changed.parquet")
    fails(tmp_path / "changed.parquet", "SL-598")
    said = table.schema.metadata
    for changes in (
        {b"survlspin": said[b"survlspin"].replace(b'"small"', b'"other"')},
        {b"survlspin_flow": said[b"survlspin_flow"].replace(b"women", b"people")},
        {b"survlspin": b"[]"},
        {b"survlspin_sha256": b"\xff"},
    ):
        pq.write_table(table.replace_schema_metadata(said | changes), tmp_path / "changed.parquet")
        fails(tmp_path / "changed.parquet", "SL-598")
        assert known_roles(tmp_path / "changed.parquet") == {}
    fails(tmp_path, "SL-501")


def test_a_damaged_file_is_refused_or_read_whole(small, tmp_path):
    cohort = build_cohort(people(), small)
    cohort.write(tmp_path / "cohort.parquet")
    raw, rng = (tmp_path / "cohort.parquet").read_bytes(), np.random.default_rng(0)
    codes = set()
    for flip in range(150):
        place = int(rng.integers(len(raw)))
        damaged = bytearray(raw) if flip % 3 else bytearray(raw[:place])
        if flip % 3:
            damaged[place] ^= 1 << rng.integers(8)
        (tmp_path / "damaged.parquet").write_bytes(damaged)
        try:
            again = read_cohort(tmp_path / "damaged.parquet")
            assert again.fingerprint == cohort.fingerprint
            assert again.manifest == cohort.manifest
        except InputError as error:
            codes.add(error.code)
    assert codes == {"SL-598"}


def test_missing_columns_are_all_named(small):
    text = refused("SL-589", "needs 3 more columns", people().drop(columns=["Sex", "Size since 2004", "Months"]), small)
    assert all(name in text for name in ("sex", "Size, new (size_new)", "months"))


def test_columns_of_years_that_do_not_occur_may_be_missing(small, tmp_path):
    raw = people()
    old = raw[raw["Year"].astype(int) <= 2003].drop(columns="Size since 2004")
    assert build_cohort(old, small).frame["size"].notna().all()
    refused("SL-589", "Size, new", raw.drop(columns="Size since 2004"), small)
    derive = copy.deepcopy(RECIPE["derive"])
    for each in derive:
        each["parts"][1]["optional"] = True
    loose = load_recipe(write(tmp_path, derive=derive))
    assert len(build_cohort(raw.drop(columns="Size since 2004"), loose)) == len(build_cohort(old, small))


def test_fields_that_order_records_may_be_missing(small):
    assert len(build_cohort(people().drop(columns="Tumour"), small)) == len(build_cohort(people(), small))


def test_aliases_name_columns(small):
    raw = people().rename(columns={"Sex": "Geschlecht"})
    refused("SL-589", "sex", raw, small)
    assert len(build_cohort(raw, small, aliases={"sex": "Geschlecht"})) == len(build_cohort(people(), small))


def test_labels_that_are_not_known_stop_the_run(small):
    refused("SL-578", "'IV'", people().replace({"Grade": {"III": "IV"}}), small)


def test_copies_are_excluded_and_counted(small):
    raw = people()
    twice = pd.concat([raw, raw.iloc[[3, 5]]])
    cohort = build_cohort(twice, small)
    assert cohort.flow.steps[0].excluded.rows == 2
    assert cohort.flow.steps[0].excluded.patients == 0
    assert cohort.fingerprint == build_cohort(raw, small).fingerprint


def second(raw, **changes):
    """A second tumour for each of the first five women."""
    again = raw[raw["Sex"] == "F"].head(5).assign(**{"Tumour": "2", **changes})
    return pd.concat([raw, again])


def test_a_patient_may_have_several_records(small):
    both = second(people(), Grade="III")
    cohort = build_cohort(both, small)
    assert cohort.flow.start.patients == 80
    assert cohort.flow.start.rows == 85
    other = build_cohort(both.sample(frac=1, random_state=2), small)
    pd.testing.assert_frame_equal(cohort.frame, other.frame)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Sex": "M"}, r"sex \(5 patients\)"),
        ({"Vital": "Alive", "Months": "1"}, "vital"),
        ({"Tumour": "1", "Months": "999"}, r"months \(5 patients\)"),
    ],
    ids=str,
)
def test_records_that_contradict_each_other_are_refused(small, changes, text):
    message = refused("SL-591", text, second(people(), **changes), small)
    assert not any(name in message for name in people()["ID"])


def test_records_without_a_patient_are_refused(small):
    raw = people()
    raw.loc[[2, 4], "ID"] = ""
    refused("SL-597", "2 of 80 records", raw, small)


def test_rules_that_leave_nothing_are_named(small):
    refused("SL-593", r"'adult' \(25 to 85 years\) left none", people().assign(Age="12"), small)
    alive = people().assign(Vital="Alive")
    refused("SL-594", "no event of outcome 'os'", alive, small)


def test_arguments_of_the_wrong_type(small):
    for wrong in ([1, 2], None):
        with pytest.raises(InputTypeError, match="data is a") as caught:
            build_cohort(wrong, small)
        assert caught.value.code == "SL-595"
    with pytest.raises(InputTypeError, match="recipe is a int"):
        build_cohort(people(), 3)
    with pytest.raises(InputTypeError, match="seed is a str"):
        build_cohort(people(), small, seed="a")
    refused("SL-588", "seed=-1", people(), small, seed=-1)
    refused("SL-593", "the file has none", people().head(0), small)


@pytest.mark.parametrize(
    "keys",
    [{"switches": ["noise"]}, {"aliases": "age=Age"}, {"encoding": 8}, {"delimiter": ["tab"]}],
    ids=str,
)
def test_settings_of_the_wrong_type(small, keys):
    with pytest.raises(InputTypeError) as caught:
        build_cohort(people(), small, **keys)
    assert caught.value.code == "SL-595"


@pytest.mark.parametrize("cell", [[1], {"a": 1}], ids=str)
def test_cells_that_are_no_single_value_are_refused(small, cell):
    raw = people()
    raw["Age"] = [cell] * len(raw)
    with pytest.raises(InputTypeError, match="'Age' of field 'age'") as caught:
        build_cohort(raw, small)
    assert caught.value.code == "SL-595"


def test_dates_may_have_a_time_zone(small):
    raw, days = people(), pd.Timestamp("1970-01-01") + pd.to_timedelta(range(80), unit="D")
    plain = build_cohort(raw.assign(Months=days), small)
    assert build_cohort(raw.assign(Months=days.tz_localize("America/New_York")), small).fingerprint == plain.fingerprint


def test_values_that_the_rules_leave_open_are_refused(tmp_path):
    loose = write(tmp_path, rules=[rule for rule in RECIPE["rules"] if rule["id"] != "followed"])
    refused("SL-596", "vital not known", people(), loose)
    loose = write(tmp_path, rules=[rule for rule in RECIPE["rules"] if rule["id"] != "size"])
    refused("SL-596", "'size' is not known", people(), loose)
    times = people()
    times.loc[times["Vital"] == "Alive", "Months"] = ""
    loose = write(tmp_path, rules=[rule for rule in RECIPE["rules"] if rule["id"] != "followed"])
    refused("SL-596", "not known", times[times["Vital"] != "?"], loose)


def test_a_submission_that_the_recipe_does_not_know_is_a_warning(tmp_path):
    made = load_recipe(write(tmp_path, submissions=["Nov 2018"]))
    with pytest.warns(InputWarning, match="submission of Nov 2031") as caught:
        _warn_submission(made, {"submission": "Nov 2031"})
    assert caught[0].message.code == "SL-590"
    _warn_submission(made, {"submission": "Nov 2018"})


def test_two_columns_cannot_have_one_name(tmp_path):
    twice = write(tmp_path, columns=[RECIPE["columns"][0], RECIPE["columns"][0]])
    refused("SL-586", "two columns are called 'age'", people(), twice)
    taken = write(tmp_path, columns=[RECIPE["columns"][0] | {"name": "time"}])
    refused("SL-586", "a column is called 'time'", people(), taken)


def test_a_table_without_patients_keeps_its_order(tmp_path):
    raw = people()
    cohort = build_cohort(raw, write(tmp_path, patient=None, order=None, fields=FIELDS))
    assert cohort.groups is None
    assert cohort.frame["time"].tolist() == (kept(raw).sort_index()["Months"].astype(float) + 0.5).tolist()


SEER = {
    "name": "small",
    "source": "seer",
    "codebook": "seer-breast",
    "submissions": ["Nov 2018"],
    "patient": "patient_id",
    "order": ["year", "sequence"],
    "rules": [{"id": "female", "text": "women", "keep": {"field": "sex", "in": ["female"]}}],
    "outcomes": {"os": {"time": "survival_months", "events": [{"code": 1, "if": {"field": "vital", "in": ["dead"]}}]}},
    "columns": [{"name": "age", "from": "age", "coding": "number"}],
}
LINES = """Patient ID\tSex\tAge recode with single ages and 90+\tYear of diagnosis\tSurvival months\tVital status recode
00000003\tFemale\t45 years\t2001\t0012\tDead
00000001\tFemale\t71 years\t2003\t0120\tAlive
00000002\tMale\t60 years\t2004\t0007\tDead
00000001\tFemale\t74 years\t2006\t0084\tAlive
"""


def test_an_export_of_seer_is_read_by_its_own_reader(tmp_path):
    (tmp_path / "small.toml").write_text(toml(SEER))
    (tmp_path / "export.txt").write_text(LINES)
    cohort = build_cohort(tmp_path / "export.txt", tmp_path / "small.toml")
    assert cohort.frame["patient"].tolist() == ["00000001", "00000001", "00000003"]
    assert cohort.frame["age"].tolist() == [71, 74, 45]
    assert cohort.frame["event"].tolist() == [False, False, True]
    assert cohort.manifest["source"]["rows"] == 4
    assert cohort.flow.steps[1].excluded.rows == 1
    (tmp_path / "part.txt").write_text(LINES.replace("Vital status recode", "Something else"))
    refused("SL-589", r"Tick in SEER\*Stat: Vital status recode", tmp_path / "part.txt", tmp_path / "small.toml")
