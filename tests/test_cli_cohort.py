import json
import re
import stat
from pathlib import Path

import pandas as pd
import pytest
from commands import invoke

from survlspin import job
from survlspin.cohort import build_cohort, read_cohort
from survlspin.cohort.flow import Flow
from survlspin.cohort.recipe import load_recipe
from survlspin.cohort.records import needs
from survlspin.synthetic import seer_export

DATASETS = Path(__file__).parents[1] / "datasets"
SAMPLES, CARDS = DATASETS / "samples", DATASETS / "cards"
ROTTERDAM = ("--recipe", "rotterdam")
EPI = ("--recipe", "seer-breast-epi")
FILES = ["cohort.flow.csv", "cohort.flow.json", "cohort.flow.svg", "cohort.manifest.json", "cohort.parquet"]


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run the command in a folder of its own; give the exit code and all it said."""
    monkeypatch.chdir(tmp_path)

    def run(command: str, *arguments):
        return invoke(command, *arguments, COLUMNS="200", TERM="dumb")

    return run


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return seer_export(tmp_path_factory.mktemp("seer"), 1500, broken=6, random_state=3)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return seer_export(tmp_path_factory.mktemp("clean"), 1500, random_state=3)


def one_line(text: str) -> str:
    return " ".join(text.split())


# ---- survlspin cohort ----


def test_a_cohort_is_written_with_its_flow_and_manifest(call):
    exit_code, output = call("cohort", SAMPLES / "rotterdam.csv", *ROTTERDAM, "--outcome", "os", "--min-cell", 1)
    assert exit_code == 0
    assert sorted(path.name for path in Path().iterdir()) == FILES
    cohort = read_cohort("cohort.parquet")
    same = build_cohort(SAMPLES / "rotterdam.csv", "rotterdam", outcome="os")
    assert cohort.fingerprint == same.fingerprint
    assert json.loads(Path("cohort.manifest.json").read_text()) == cohort.manifest
    assert Flow.of(json.loads(Path("cohort.flow.json").read_text())).steps == same.flow.steps
    for name in ("cohort.parquet", "cohort.manifest.json"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    end = same.flow.end
    assert f"Cohort: {end.rows} rows, {end.events} events; " in output
    for step in same.flow.steps:
        assert one_line(step.text.split()[0]) in output
        assert f"{step.excluded.rows}" in output
    assert call("cohort", SAMPLES / "rotterdam.csv", *ROTTERDAM)[0] == 0  # files are replaced


def test_what_is_shown_of_the_flow_is_masked(call):
    report = json.loads(call("cohort", SAMPLES / "rotterdam.csv", *ROTTERDAM, "--json")[1])
    exact = build_cohort(SAMPLES / "rotterdam.csv", "rotterdam").flow
    assert Flow.of(report["flow"]) == exact.masked(5) != exact
    assert json.loads(Path("cohort.flow.json").read_text()) == report["flow"]
    assert report["flow"]["start"]["events"] is None
    assert len(pd.read_csv("cohort.flow.csv")) == len(report["flow"]["steps"])
    assert "hidden so that none from 1 to" in Path("cohort.flow.svg").read_text()
    assert report["columns"][0] == "age"
    more = call("cohort", SAMPLES / "rotterdam.csv", *ROTTERDAM, "--min-cell", 11)[1]
    assert "none from 1 to 10 is given" in one_line(more)


def test_switches_outcomes_and_aliases_reach_the_recipe(call):
    first = json.loads(call("cohort", SAMPLES / "rotterdam.csv", *ROTTERDAM, "--json")[1])
    pd.read_csv(SAMPLES / "rotterdam.csv").rename(columns={"pgr": "progesterone"}).to_csv("other.csv", index=False)
    how = (*ROTTERDAM, "--set", "population=node-positive", "--outcome", "recurrence", "--alias", "pgr=progesterone")
    report = json.loads(call("cohort", "other.csv", *how, "-o", "sub.parquet", "--json")[1])
    assert report["switches"]["population"]["value"] == "node-positive"
    assert report["outcome"]["name"] == "recurrence"
    assert report["flow"]["end"]["rows"] < first["flow"]["end"]["rows"]
    assert [Path(name).name for name in report["files"]][::4] == ["sub.parquet", "sub.manifest.json"]
    text = call("cohort", "other.csv", *how)[1]
    assert "--set population=node-positive (not the default)" in text


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--recipe", "rotterdam"], "SL-510", 2),
        (["x.csv"], "SL-510", 2),
        (["none.csv", *ROTTERDAM], "SL-501", 2),
        (["x.csv", "--recipe", "roterdam"], "SL-583", 2),
        (["x.csv", *ROTTERDAM, "--set", "size"], "SL-555", 2),
        (["x.csv", *ROTTERDAM, "--set", "size=steps", "--set", "size=levels"], "SL-555", 2),
        (["x.csv", *ROTTERDAM, "--set", "sizes=steps"], "SL-588", 2),
        (["x.csv", *ROTTERDAM, "--outcome", "dss"], "SL-588", 2),
        (["x.csv", "--recipe", "gbsg2"], "SL-589", 2),
        (["x.csv", *ROTTERDAM, "-o", "cohort.csv"], "SL-527", 2),
        (["x.csv", *ROTTERDAM, "-o", "none/cohort.parquet"], "SL-521", 3),
        (["x.csv", *ROTTERDAM, "-o", "folder.parquet"], "SL-522", 3),
        (["x.flow.csv", *ROTTERDAM, "-o", "x.parquet"], "SL-528", 2),
        (["x.csv", *EPI], "SL-589", 2),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(call, arguments, code, expected):
    Path("folder.parquet").mkdir()
    raw = (SAMPLES / "rotterdam.csv").read_bytes()
    for name in ("x.csv", "x.flow.csv"):
        Path(name).write_bytes(raw)
    exit_code, output = call("cohort", *arguments)
    [line] = output.splitlines()
    assert exit_code == expected
    assert line.startswith(f"error: {code} ")
    assert sorted(path.name for path in Path().iterdir()) == ["folder.parquet", "x.csv", "x.flow.csv"]
    assert Path("x.flow.csv").read_bytes() == raw


def test_remedies_name_the_options_of_the_command(call):
    table = pd.read_csv(SAMPLES / "rotterdam.csv")
    table.drop(columns="pgr").to_csv("x.csv", index=False)
    assert "by another name: --alias pgr=HEADER." in call("cohort", "x.csv", *ROTTERDAM)[1]
    table.assign(size="huge").to_csv("x.csv", index=False)
    assert "(--alias size=HEADER)" in call("cohort", "x.csv", *ROTTERDAM)[1]


def test_a_disk_that_fails_leaves_the_old_files_as_they_were(call, monkeypatch):
    for name in FILES:
        Path(name).write_text("old")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Flow, "to_svg", full)
    exit_code, output = call("cohort", SAMPLES / "rotterdam.csv", *ROTTERDAM)
    assert exit_code == 3
    assert output.startswith("error: SL-523 cohort.parquet cannot be written: No space left")
    assert {path.name: path.read_text() for path in Path().iterdir()} == dict.fromkeys(FILES, "old")


def test_recipes_are_listed(call):
    exit_code, output = call("cohort", "--recipes")
    assert exit_code == 0
    assert "\nrotterdam: " in output
    assert "--set population=all|node-positive (by default all)" in output
    assert "(by default strict, a guess)" in output
    found = {each["name"]: each for each in json.loads(call("cohort", "--recipes", "--json")[1])}
    assert found["seer-breast-lspin2022"]["switches"]["noise"]["values"] == [True, False]


def test_an_export_becomes_a_cohort_and_its_bad_lines_are_said(call, export, clean):
    exit_code, output = call("cohort", export.path, "--recipe", "seer-breast-lspin2022")
    assert exit_code == 0
    assert "--set mx=strict (a guess)" in output
    assert "Lines that could not be read, and are in no row:" in output
    assert "note: SL-559 export.txt is cut off" in output
    how = (clean.path, "--recipe", "seer-breast-lspin2022", "--json", "--set", "noise=false")
    report = json.loads(call("cohort", *how)[1])
    assert (report["quarantined"], report["notes"]) == (0, [])
    assert report["facts"]["submission"] == "Nov 2018"
    assert len(report["columns"]) == 52


def test_options_of_reading_reach_the_reader(call, clean, export):
    def fingerprint(*arguments):
        return json.loads(call("cohort", *arguments, "--recipe", "seer-breast-lspin2022", "--json")[1])["fingerprint"]

    plain = fingerprint(clean.path)
    Path("copy.txt").write_bytes(clean.path.read_bytes())
    assert fingerprint("copy.txt", "--dic", clean.dic) == plain
    Path("cache").mkdir()
    assert fingerprint(clean.path, "--cache", "cache") == fingerprint(clean.path, "--cache", "cache") == plain
    assert list(Path("cache").iterdir())
    assert fingerprint(clean.path, "--engine", "polars") == plain
    assert fingerprint(clean.path, "--seed", 1) != plain  # of the noise
    exit_code, output = call("cohort", export.path, *EPI, "--max-quarantine", "0.001")
    assert exit_code == 2
    assert "--max-quarantine SHARE." in output


def test_a_delimiter_that_the_dic_has_wrong_can_be_said(call, clean):
    Path("copy.txt").write_bytes(clean.path.read_bytes())
    Path("copy.dic").write_bytes(clean.dic.read_bytes().replace(b"Field delimiter=tab", b"Field delimiter=comma"))
    for command, *how in (("cohort", *EPI), ("check",)):
        exit_code, output = call(command, "copy.txt", *how)
        assert exit_code == 2
        assert "SL-568" in output
        assert "Say so: --delimiter tab." in one_line(output)
        assert call(command, "copy.txt", *how, "--delimiter", "tab")[0] == 0


def test_an_encoding_that_is_none_of_the_usual_can_be_said(call, clean):
    rows = clean.path.read_bytes().split(b"\r\n")
    rows[1:200] = [row.replace(b"Female", b"Fem\x81le") for row in rows[1:200]]  # 81 is no letter of cp1252
    Path("copy.txt").write_bytes(b"\r\n".join(rows))
    Path("copy.dic").write_bytes(clean.dic.read_bytes())
    for command, *how in (("cohort", *EPI), ("check", *EPI)):
        exit_code, output = call(command, "copy.txt", *how)
        assert exit_code == 2
        assert "--encoding cp1252, utf-8, ..." in one_line(output)
        assert "SL-578" in call(command, "copy.txt", *how, "--encoding", "cp437")[1]  # read, as another letter


def test_a_table_may_have_another_encoding_and_delimiter_than_the_recipe_says(call):
    rotterdam = pd.read_csv(SAMPLES / "rotterdam.csv", dtype=str, keep_default_na=False)
    rotterdam.assign(note="déjà").to_csv("x.csv", index=False, sep=";", encoding="cp1252")
    assert "--encoding latin-1" in call("cohort", "x.csv", *ROTTERDAM)[1]
    how = ("--encoding", "cp1252", "--delimiter", "semicolon")
    assert call("check", "x.csv", *ROTTERDAM, *how)[0] == call("cohort", "x.csv", *ROTTERDAM, *how)[0] == 0
    same = build_cohort(SAMPLES / "rotterdam.csv", "rotterdam").fingerprint
    assert read_cohort("cohort.parquet").fingerprint == same
    assert call("check", "x.csv", *ROTTERDAM, "--encoding", "cp1252")[0] == 2


def test_merged_sizes_that_are_not_those_of_seer_are_counted(call, tmp_path):
    made = seer_export(tmp_path, 1500, submission="nov2025", random_state=3)
    whole = json.loads(call("cohort", made.path, *EPI, "--json")[1])
    [check] = whole["checks"]
    assert check["compared"] > 100
    assert check["differ"] == 0
    column = "Tumor Size Over Time Recode (1988+)"
    table = pd.read_csv(made.path, sep="\t", dtype=str, encoding="cp1252", keep_default_na=False)
    table[column] = table[column].replace(["013", "015"], "014")
    table.to_csv(made.path, sep="\t", index=False, encoding="cp1252")
    cohort = build_cohort(made.path, "seer-breast-epi")
    [found] = cohort.manifest["checks"]
    assert cohort.fingerprint == whole["fingerprint"]  # a check changes nothing
    assert found["compared"] == check["compared"]
    assert 5 <= found["differ"] < found["compared"] - 5
    said = one_line(call("cohort", made.path, *EPI)[1])
    assert f"Recode: rows compared: {found['compared']}; different: {found['differ']}." in said
    assert json.loads(Path("cohort.manifest.json").read_text())["checks"] == [found]
    assert "different: hidden." in one_line(call("cohort", made.path, *EPI, "--min-cell", found["differ"] + 1)[1])


def test_a_fixed_width_file_is_the_same_cohort(call, clean, tmp_path):
    fixed = seer_export(tmp_path, 1500, form="fixed", random_state=3)
    found = [json.loads(call("cohort", each.path, *EPI, "--json")[1]) for each in (clean, fixed)]
    assert found[0]["fingerprint"] == found[1]["fingerprint"]
    assert found[0]["flow"] == found[1]["flow"]


def test_no_patient_is_named(call, export):
    outputs = [
        call("cohort", export.path, *EPI)[1],
        call("check", export.path)[1],
        call("check", export.path, *EPI, "--json")[1],
        *(Path(name).read_text() for name in FILES[:4]),
    ]
    assert not [name for name in export.truth["patient"] if any(name in output for output in outputs)]


# ---- a cohort as the data of run and fit ----


@pytest.fixture
def planned(call, monkeypatch):
    """Make a cohort, start a run on it, and give the plan."""
    plans = []

    def execute(plan, *args):
        plans.append(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "execute", execute)

    def plan(sample: str, outcome: str, *arguments):
        call("cohort", SAMPLES / f"{sample}.csv", "--recipe", sample, "--outcome", outcome, "--min-cell", 1)
        exit_code, output = call("run", "--data", "cohort.parquet", "--skip", "lspin", *arguments)
        return (plans[-1] if exit_code == 130 else None), output

    return plan


def test_the_roles_of_a_cohort_need_not_be_said(planned):
    plan, output = planned("rotterdam", "os")
    cohort = read_cohort("cohort.parquet")
    assert "time in days" in output
    assert list(plan.study.X) == list(cohort.X)
    assert plan.study.y["event"].sum() == cohort.frame["event"].sum()
    assert plan.study.groups.tolist() == cohort.groups.tolist()


def test_delayed_entry_is_known_too(planned):
    plan, _ = planned("sibr", "os-age")
    assert plan.study.y["entry"].tolist() == read_cohort("cohort.parquet").frame["entry"].tolist()


def test_what_is_said_on_the_command_line_comes_first(planned):
    plan, output = planned("rotterdam", "os", "--time", "time", "--event", "event", "--drop", "patient")
    assert plan.study.groups is None
    assert "time in days" in output
    plan, _ = planned("rotterdam", "os", "--id", "patient", "--drop", "nodes")
    assert plan.study.X.index.name == "patient"
    assert "nodes" not in plan.study.X
    _, output = planned("rotterdam", "os", "--time", "time")
    assert "SL-510 --data needs --event COLUMN." in output
    plan, output = planned(
        "rotterdam", "os", "--time", "age", "--event", "event", "--drop", "patient", "--drop", "time"
    )
    assert "time in the file's unit" in one_line(output)


def test_of_several_events_one_must_be_named(planned):
    output = one_line(planned("prostate-survival", "cr")[1])
    assert "SL-103 'event' has several events: 1 (death of prostate cancer), 2 (death of another cause)" in output
    assert "--event-code VALUE" in output
    plan, _ = planned("prostate-survival", "cr", "--event-code", "2")
    frame = read_cohort("cohort.parquet").frame
    assert plan.study.y["event"].sum() == (frame["event"] == 2).sum()


def test_other_files_need_their_roles(call):
    pd.DataFrame({"time": [1, 2], "event": [0, 1]}).to_parquet("x.parquet")
    Path("y.parquet").write_text("no table")
    for name in ("x.parquet", "y.parquet", "none.parquet"):
        assert "SL-510" in call("fit", "--data", name)[1]


@pytest.mark.parametrize("command", ["cohort", "check"])
def test_help_names_the_exit_codes(call, command):
    assert "130 interrupted" in call(command, "--help")[1]


def test_the_card_names_the_boxes_that_the_recipes_need():
    rows = re.findall(r"^\| (.+) \| `(\w+)` \| (\w*) \| (\w*) \|$", (CARDS / "seer.md").read_text("utf-8"), re.M)
    for place, name in ((2, "seer-breast-lspin2022"), (3, "seer-breast-epi")):
        recipe = load_recipe(name)
        usual = {field for field, spans in needs(recipe.choose()).items() if spans}
        choices = [({}, outcome) for outcome in recipe.outcomes]
        choices += [({name: value}, None) for name, switch in recipe.switches.items() for value in switch.values]  # noqa: PD011
        ever = set().union(*(needs(recipe.choose(*choice)) for choice in choices))
        assert {row[1] for row in rows if row[place] == "yes"} == usual
        assert {row[1] for row in rows if row[place]} == ever
        assert all(recipe.book[field].title == title for title, field, *_ in rows)
