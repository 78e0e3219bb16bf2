import copy

import pytest
from registry import FIELDS, RECIPE, recipe, write

import survlspin
from survlspin.cohort.recipe import load_recipe, recipes
from survlspin.errors import InputError


def changed(key, entry, **keys):
    """The recipe's list `key` with keys of one of its entries changed."""
    some = copy.deepcopy(RECIPE[key])
    some[entry] |= keys
    return {key: some}


def added(key, **entry):
    return {key: [*copy.deepcopy(RECIPE[key]), entry]}


def group(levels):
    return added("derive", name="x", op="group", of="age", levels=levels)


def test_a_recipe_is_read_as_it_is_written(tmp_path):
    small = load_recipe(write(tmp_path))
    assert (small.name, small.source, small.unit, len(small.digest)) == ("small", "table", "months", 64)
    assert list(small.outcomes) == ["os", "cr"]
    assert small.rules[1].keep.max == 85
    assert small.columns[2].source == "grade"
    assert small.derive[0].step.parts[0].drop == ("range",)
    assert survlspin.load_recipe is load_recipe


def test_switches_choose_parts(tmp_path):
    small = load_recipe(write(tmp_path))
    default = small.choose()
    assert default.switches == {"ranges": "keep", "noise": True, "zscore": "no"}
    assert default.name == "os"
    assert default.noise.columns == 2
    assert default.scale is None
    assert default.derive["size"].step.parts[0].drop == ()
    other = small.choose({"ranges": "drop", "noise": False, "zscore": "before"}, "cr")
    assert other.noise is None
    assert other.scale.mode == "zscore"
    assert other.derive["size"].step.parts[0].drop == ("range",)
    assert [rule.id for rule in other.rules] == ["female", "adult", "size", "followed", "cause"]


def test_switches_may_be_given_as_text(tmp_path):
    assert load_recipe(write(tmp_path)).choose({"noise": "false"}).switches["noise"] is False


@pytest.mark.parametrize(
    ("switches", "outcome", "text"),
    [
        ({"range": "keep"}, None, "did you mean 'ranges'"),
        ({"ranges": "kepp"}, None, "did you mean 'keep'"),
        ({"noise": 1}, None, "no value of this switch"),
        ({}, "oss", "did you mean 'os'"),
    ],
    ids=str,
)
def test_choices_that_are_not_there(tmp_path, switches, outcome, text):
    with pytest.raises(InputError, match=text) as caught:
        load_recipe(write(tmp_path)).choose(switches, outcome)
    assert caught.value.code == "SL-588"


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"souce": "table"}, "SL-584", "did you mean 'source'"),
        (changed("rules", 0, kep={}), "SL-584", r"rules\[female\] has the key 'kep'.*did you mean 'keep'"),
        (changed("columns", 0, form="age"), "SL-584", "did you mean 'from'"),
        (changed("derive", 0, part=[]), "SL-584", "did you mean 'parts'"),
        ({"outcomes": {"os": RECIPE["outcomes"]["os"] | {"enter": "age"}}}, "SL-584", "did you mean 'entry'"),
        ({"source": None}, "SL-585", "lacks the key 'source'"),
        ({"source": "sas"}, "SL-585", "It is 'seer' or 'table'"),
        ({"name": 3}, "SL-585", "not text"),
        ({"rules": "female"}, "SL-585", "not a list"),
        ({"noise": {"columns": 2.5}}, "SL-585", "not a whole number"),
        ({"noise": 3}, "SL-585", "not a table"),
        ({"codes": {"sex": []}}, "SL-585", "has codes"),
        ({"outcomes": {"os": {"time": "vital", "events": []}}}, "SL-585", "is category, not a number"),
        ({"outcomes": {"os": {"time": "months", "events": []}}}, "SL-585", "has events of code"),
        (changed("columns", 0, levels=["a"]), "SL-585", "a number with levels"),
        (changed("columns", 0, **{"from": "grade"}), "SL-585", "is category, not a number"),
        (changed("columns", 2, coding="category", reference="1"), "SL-585", "Only one-hot"),
        (changed("columns", 0, **{"from": "aeg"}), "SL-586", "did you mean 'age'"),
        (changed("columns", 2, levels=["1", "4"]), "SL-586", "no level '4'"),
        (changed("columns", 2, coding="onehot"), "SL-586", "did you mean 'one-hot'"),
        (changed("columns", 2, unknown="levle"), "SL-586", "unknown is 'levle'"),
        (changed("columns", 2, blank="zero"), "SL-586", "blank is 'zero'"),
        (changed("rules", 0, keep={"field": "sxe", "in": ["female"]}), "SL-586", "did you mean 'sex'"),
        (changed("rules", 0, when={"rangs": "keep"}), "SL-586", "did you mean 'ranges'"),
        (changed("rules", 0, when={"ranges": "kepp"}), "SL-586", "no value of it"),
        (changed("rules", 1, id="female"), "SL-586", "'female' twice"),
        (changed("derive", 0, op="byyear"), "SL-586", "did you mean 'by_year'"),
        (changed("derive", 0, name="sex", when={"ranges": "drop"}), "SL-586", "the name of a field"),
        (changed("derive", 1, when={}), "SL-586", "'size' twice"),
        ({"outcomes": {}}, "SL-585", "has no outcomes"),
        ({"columns": []}, "SL-585", "has no columns"),
        (added("columns", name="", coding="number", **{"from": "age"}), "SL-585", "columns: a name is empty"),
        (added("derive", name="", op="alias", of="age"), "SL-585", "derive: a name is empty"),
        (changed("rules", 0, id=""), "SL-585", "rules: a name is empty"),
        (changed("rules", 0, id="duplicate"), "SL-586", "'duplicate' twice"),
        (changed("rules", 0, when={"noise": []}), "SL-586", "names no value of noise"),
        (changed("rules", 1, keep={"field": "age", "min": float("nan")}), "SL-585", "'nan', not a number"),
        ({"noise": {"columns": 0, "when": {"noise": True}}}, "SL-585", "at least 1"),
        ({"noise": {"columns": 1, "name": "", "when": {"noise": True}}}, "SL-585", "noise: a name is empty"),
        ({"scale": {"mode": "zscor", "when": {"zscore": "before"}}}, "SL-586", "did you mean 'zscore'"),
        ({"scale": {"of": "number", "when": {"zscore": "before"}}}, "SL-586", "did you mean 'numbers'"),
        ({"file": {"sep": ";;"}}, "SL-585", "one character each"),
        ({"file": {"decimal": ","}}, "SL-585", "and differ"),
        (changed("columns", 2, levels=["1", "2", "2"]), "SL-586", "'2' twice"),
        (changed("columns", 2, levels=["1", "2"], reference="3"), "SL-585", "none of its levels"),
        (changed("columns", 2, levels=["1", "2", "3"], names=["low"]), "SL-585", "1 names for 3 levels"),
        (added("derive", name="x", op="by_year", parts=[]), "SL-585", "parts is empty"),
        (added("derive", name="x", op="cases", cases=[]), "SL-585", "cases is empty"),
        (added("derive", name="x", op="number", cases=[]), "SL-585", "cases is empty"),
        (added("derive", name="x", op="group", of="age", levels={}), "SL-585", "levels is empty"),
        (added("derive", name="x", op="by_year", parts=[{"years": [3, 1], "field": "age"}]), "SL-585", "3 to 1"),
        (group({"young": ["40-0"]}), "SL-585", "'40-0' is empty"),
        (group({"a": ["0-40"], "b": ["40-80"]}), "SL-585", "'40-80' overlaps with '0-40'"),
        (group({"a": ["0-40"], "b": ["7"]}), "SL-585", "'7' overlaps with '0-40'"),
        (group({"a": ["1", "1"]}), "SL-585", "'1' is listed twice"),
        ({"order": ["yaer"]}, "SL-586", "did you mean 'year'"),
        ({"order": ["person_id"]}, "SL-585", "is text"),
        ({"order": ["size"]}, "SL-586", "not there"),
        ({"patient": "size"}, "SL-586", "not there"),
        ({"person": ["size"]}, "SL-586", "not there"),
        ({"year": "yaer"}, "SL-586", "did you mean 'year'"),
        ({"year": "sex"}, "SL-585", "is category, not a number"),
        ({"patient": "pat"}, "SL-586", "not there"),
        (added("derive", name="x", op="alias", of="y"), "SL-586", "'y', which is not there"),
        (
            {"derive": [*RECIPE["derive"][:1], RECIPE["derive"][1] | {"when": {"ranges": "keep", "noise": False}}]},
            "SL-586",
            "which is not made then",
        ),
        ({"switches": RECIPE["switches"] | {"idle": {"values": [1, 2], "default": 1}}}, "SL-587", "idle"),
        (
            {"switches": RECIPE["switches"] | {"zscore": {"values": ["no", "never", "before"], "default": "no"}}},
            "SL-587",
            "zscore",
        ),
        ({"switches": RECIPE["switches"] | {"noise": {"values": [True], "default": False}}}, "SL-586", "default"),
        (added("columns", name="m", **{"from": "months"}, coding="number"), "SL-592", "'months'.*the outcome"),
        (
            {
                **added("derive", name="late", op="linear", terms={"months": 2.0}),
                **added("columns", name="m", **{"from": "late"}, coding="number"),
            },
            "SL-592",
            "'months'.*the outcome",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_refused_by_name(tmp_path, changes, code, text):
    with pytest.raises(InputError, match=text) as caught:
        load_recipe(write(tmp_path, **changes))
    assert caught.value.code == code


def test_files_that_are_no_recipe(tmp_path):
    with pytest.raises(InputError, match="did you mean 'gbsg2'") as caught:
        load_recipe("gbgs2")
    assert caught.value.code == "SL-583"
    (tmp_path / "bad.toml").write_text("name =")
    with pytest.raises(InputError, match="no TOML file") as caught:
        load_recipe(tmp_path / "bad.toml")
    assert caught.value.code == "SL-583"


def test_a_recipe_for_exports_has_a_code_book_and_no_fields(tmp_path):
    bare = {"switches": None, "derive": None, "noise": None, "scale": None, "source": "seer", "order": None}
    with pytest.raises(InputError, match="Extend the code book") as caught:
        load_recipe(write(tmp_path, **bare))
    assert caught.value.code == "SL-585"


def test_a_recipe_may_have_no_outcome_with_some_switches(tmp_path):
    outcomes = {"os": RECIPE["outcomes"]["os"] | {"when": {"noise": True}}}
    small = load_recipe(write(tmp_path, outcomes=outcomes))
    with pytest.raises(InputError, match="no outcome with these switches") as caught:
        small.choose({"noise": False})
    assert caught.value.code == "SL-588"


@pytest.mark.parametrize("name", recipes())
def test_every_shipped_recipe_is_whole_with_every_value_of_every_switch(name):
    shipped = load_recipe(name)
    assert shipped.name == name
    assert shipped.title
    assert shipped.licence
    seen = {repr(shipped.choose())}
    for switch, each in shipped.switches.items():
        assert each.text, switch
        choices = [shipped.choose({switch: value}) for value in each.values]
        told = {repr((c.derive, c.rules, c.columns, c.noise, c.rare, c.scale, c.outcome, c.name)) for c in choices}
        outcomes = {tuple(n for n, o in shipped.outcomes.items() if can(shipped, {switch: v}, n)) for v in each.values}
        assert len(told) == len(each.values) or len(outcomes) == len(each.values), switch
    assert seen


def can(shipped, switches, outcome):
    try:
        shipped.choose(switches, outcome)
    except InputError:
        return False
    return True


def test_the_recipe_in_this_file_uses_every_field_it_names():
    used = repr({key: value for key, value in recipe().items() if key != "fields"})
    assert [name for name in FIELDS if repr(name) not in used] == []
