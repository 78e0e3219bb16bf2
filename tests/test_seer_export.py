"""Invented SEER exports: one truth in every form, every code, and counts that recipes must reproduce."""

import gzip
import stat
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index

from survlspin.cohort import build_cohort
from survlspin.cohort.codebook import STATUS, Codebook
from survlspin.cohort.flow import Flow
from survlspin.errors import InputError
from survlspin.seer import read_export
from survlspin.synthetic import seer_export, seer_patients
from survlspin.synthetic.seer_cells import own_codes

LSPIN, EPI = "seer-breast-lspin2022", "seer-breast-epi"
MODES = ("hetero", "homog", "null", "nonlinear")
LAST = {"nov2018": 2016, "nov2020": 2018, "nov2025": 2023}


# ------------------------------------------------------------------------------------------------------------ patients


def design(frame: pd.DataFrame) -> pd.DataFrame:
    """The variables of the true log-hazards."""
    numbers = {"age": frame["age"], "size": frame["size_mm"], "ratio": frame["nodes_ratio"], "grade": frame["grade"]}
    flags = {"marital": frame["marital"] != "married", "er": frame["er"] == "negative"}
    return pd.DataFrame(numbers | flags, dtype=float)


@pytest.mark.parametrize(
    ("mode", "oracle", "linear"), [("hetero", 0.77, 0.74), ("homog", 0.737, 0.737), ("nonlinear", 0.777, 0.724)]
)
def test_headroom_over_one_cox_model(mode, oracle, linear):
    frame, truth = seer_patients(20_000, mode, 3)
    X = design(frame)
    X = ((X - X.mean()) / X.std()).assign(time=frame["time"] + 0.5, event=frame["event"])
    cox = CoxPHFitter().fit(X[:10_000], "time", "event")
    test = slice(10_000, None)
    c = [
        concordance_index(frame["time"][test], -np.asarray(risk), frame["event"][test])
        for risk in (truth["log_hazard"][test], cox.predict_log_partial_hazard(X[test]))
    ]
    assert c == pytest.approx([oracle, linear], abs=0.02)  # 2,200 events: standard error about .006
    assert frame["event"].mean() == pytest.approx(0.22, abs=0.01)


def test_nothing_acts_in_the_null_mode():
    frame, truth = seer_patients(20_000, "null")
    assert truth["log_hazard"].nunique() == 1
    assert not truth.filter(like="factor_").any(axis=None)
    assert concordance_index(frame["time"], frame["age"], frame["event"]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_the_hazard_depends_on_the_listed_factors_alone(mode):
    frame, truth = seer_patients(5_000, mode)
    X = design(frame)
    for _, rows in truth.groupby("subgroup", observed=True):
        listed = rows.filter(like="factor_")
        used = [name.removeprefix("factor_") for name in listed.columns[listed.all()]]
        assert list(listed.columns[listed.any()]) == [f"factor_{name}" for name in used]
        terms = [X.loc[rows.index, name] for name in used]
        if mode == "nonlinear":
            terms += [terms[0] ** 2, *(terms[0] * term for term in terms[1:]), *(terms[-1] * term for term in terms)]
        matrix = np.column_stack([np.ones(len(rows)), *terms])
        fitted = matrix @ np.linalg.lstsq(matrix, rows["log_hazard"])[0]
        np.testing.assert_allclose(fitted, rows["log_hazard"], atol=1e-8)


def test_modes_differ_and_the_seed_decides():
    hazards = {mode: seer_patients(500, mode)[1]["log_hazard"] for mode in MODES}
    assert all(not one.equals(other) for one, other in pairwise(hazards.values()))
    first, again, other = (seer_patients(500, random_state=seed)[0] for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)


def test_survival_by_age_and_stage_is_near_the_published_one():
    """SEER-17, female breast cancer 2000-2019: observed survival at five years."""
    frame, _ = seer_patients(60_000, random_state=1)
    band = pd.cut(frame["age"], [0, 44, 54, 64, 74, 200], labels=False)
    stage = frame["stage"].astype(str).str.rstrip("ABC")
    published = [  # stages I, II, III by age
        (0.972, 0.914, 0.743),
        (0.975, 0.923, 0.757),
        (0.961, 0.902, 0.726),
        (0.925, 0.852, 0.663),
        (0.774, 0.620, 0.397),
    ]
    for (age, name), rows in frame.groupby([band, stage]):
        died = rows["event"] & (rows["time"] < 60)
        at_risk = np.array([(rows["time"] >= month).sum() for month in range(60)])
        deaths = np.bincount(rows.loc[died, "time"].astype(int), minlength=60)
        survival = np.prod(1 - deaths / at_risk)
        assert survival == pytest.approx(published[age][len(name) - 1], abs=0.075), (age, name)


def test_stage_follows_from_t_and_n():
    frame, _ = seer_patients(20_000)
    expected = {(1, 0): "I", (1, 1): "IIA", (2, 0): "IIA", (2, 1): "IIB", (3, 0): "IIB", (3, 1): "IIIA", (4, 0): "IIIB"}
    for (t, n), stage in expected.items():
        assert set(frame.loc[(frame["t"] == t) & (frame["n"] == n), "stage"]) == {stage}
    assert set(frame.loc[frame["n"] == 3, "stage"]) == {"IIIC"}
    usual = frame["t"] < 4
    assert (np.digitize(frame["size_mm"], (20.5, 50.5)) + 1)[usual].tolist() == frame.loc[usual, "t"].tolist()
    assert (frame["nodes_positive"] <= frame["nodes_examined"]).all()


def test_years_bound_diagnosis_and_follow_up():
    frame, _ = seer_patients(3_000, years=(2010, 2012))
    assert set(frame["year"]) == {2010, 2011, 2012}
    assert 34 <= frame["time"].max() <= 35


# ----------------------------------------------------------------------------------------------------------- one truth

FORMS = {
    "quoted": {"form": "quoted", "delimiter": "comma", "encoding": "utf-8", "bom": True, "broken": 9},
    "codes": {"form": "unformatted", "header": False, "missing": "period"},
    "packed": {"form": "unformatted", "delimiter": "semicolon", "gz": True, "broken": 2},
    "fixed": {"form": "fixed", "broken": 5},
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return {
        name: seer_export(tmp_path_factory.mktemp(name), 2_000, submission=name, years=(1995, last))
        for name, last in LAST.items()
    }


@pytest.fixture(scope="module")
def cohort(plain):
    return build_cohort(plain["nov2018"].path, LSPIN)


@pytest.mark.parametrize("how", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_cohort(plain, cohort, tmp_path, how):
    export = seer_export(tmp_path, 2_000, years=(1995, 2016), **how)
    assert export.truth.equals(plain["nov2018"].truth)
    other = build_cohort(export.path, LSPIN, max_quarantine=0.05)
    assert other.fingerprint == cohort.fingerprint
    assert tuple(other.quarantine["line"]) == export.broken_lines
    assert len(export.broken_lines) == how.get("broken", 0)


def test_the_cohort_is_the_truth_that_was_analysed(plain, cohort):
    truth = plain["nov2018"].analysed(LSPIN)
    for name, column in {
        "time": "time",
        "event": "event",
        "patient": "patient",
        "Age": "age",
        "YearDx": "year",
    }.items():
        assert cohort.frame[name].tolist() == truth[column].tolist()


def test_what_fails_at_all_does_not_depend_on_the_order(plain):
    export = plain["nov2018"]
    fails = export.fails(LSPIN)
    steps = [(name, name, ~fails[name].to_numpy()) for name in reversed(fails.columns)]
    flow = Flow.count(steps, pd.factorize(export.truth["patient"])[0], export.truth["event"].to_numpy())
    expected = export.flow(LSPIN).set_index("id")
    assert {step.id: step.fails.rows for step in flow.steps} == expected["fails rows"].to_dict()
    assert flow.end.rows == expected["after rows"].iloc[-1]


# --------------------------------------------------------------------------------------------------------------- codes


@pytest.fixture(scope="module")
def cells(plain, tmp_path_factory):
    """Field -> every cell that occurs in any submission and form, with how it is read."""
    book, seen = Codebook.load("seer-breast"), {}
    exports = list(plain.values())
    for submission, form in [("nov2018", "fixed"), ("nov2018", "unformatted"), ("nov2025", "unformatted")]:
        years = (1988, LAST[submission])
        folder = tmp_path_factory.mktemp(submission)
        exports.append(seer_export(folder, 2_000, submission=submission, form=form, years=years))
    for export in exports:
        read = read_export(export.path)
        for name, header in book.resolve(read.table.columns).items():
            formats, codes = read.formats.get(header, {}), header in read.unformatted
            for cell in read.table[header].astype(str).unique() if book[name].kind != "text" else ():
                shown = formats[cell] if codes and cell in formats else cell
                seen.setdefault(name, {})[cell] = book[name].land(shown), book[name].land(cell)
    return book, seen


def test_every_code_of_the_code_book_occurs(cells):
    book, seen = cells
    elsewhere = {"age": "single years alone", "histology": "four digits alone"}
    for name, field in book.fields.items():
        if field.kind == "text" or name in elsewhere:
            continue
        landed = {id(landing.code) for pair in seen[name].values() for landing in pair if landing is not None}
        assert [code for code in own_codes(field) if id(code) not in landed] == []


def test_no_special_code_is_a_number(plain):
    book = Codebook.load("seer-breast")
    export = plain["nov2025"]
    read = read_export(export.path)
    columns = book.resolve(read.table.columns)
    for name in ("size_eod", "size_cs", "size_sum", "size_recode", "nodes_pos", "nodes_exam"):
        cells = read.table[columns[name]]
        values = book.decode(name, cells.array)
        known = values.data[values.known]
        most = 90 if name.startswith("nodes") else 400
        assert known.max() <= most
        assert np.isnan(values.data[~values.known]).all()
        exact = values.status == STATUS.index("exact")
        recorded = export.recorded
        usual = recorded.states[name].is_in("number")
        assert (values.data[usual] == recorded.numbers[name][usual]).all()
        assert (exact & ~usual).sum() <= 2  # 001 of the summary is 1 mm


def test_sizes_are_right_in_every_year(tmp_path):
    export = seer_export(tmp_path, 4_000, submission="nov2025", years=(2000, 2023), dirt=0)
    read = read_export(export.path)
    book, truth = Codebook.load("seer-breast"), export.truth
    columns = book.resolve(read.table.columns)
    eras = {"size_eod": (2000, 2003), "size_cs": (2004, 2015), "size_sum": (2016, 2023)}
    for name, (first, last) in eras.items():
        values = book.decode(name, read.table[columns[name]].array)
        inside = truth["year"].between(first, last).to_numpy()
        size = np.maximum(truth["size_mm"], 3) if name == "size_eod" else truth["size_mm"]
        assert (values.status[~inside] == STATUS.index("blank")).all()
        living = inside & ~truth["death_certificate"].to_numpy()
        assert values.data[living].tolist() == size[living].tolist()
    for name, first in (("surgery23", 2023), ("grade_2018", 2018), ("her2", 2010)):
        values = book.decode(name, read.table[columns[name]].array)
        blank = values.status == STATUS.index("blank")
        assert (blank == (truth["year"] < first)).all()


# -------------------------------------------------------------------------------------------------------------- people


def test_second_tumours_belong_to_the_same_person(plain):
    truth = plain["nov2025"].truth
    truth = truth[~truth["copy"]]
    again = truth[truth["patient"].duplicated(keep=False)].sort_values(["patient", "sequence"])
    assert len(again) == 2 * round(0.08 * 2_000)
    first, second = again.iloc[::2].reset_index(drop=True), again.iloc[1::2].reset_index(drop=True)
    assert set(first["sequence"]) == {1}
    assert set(second["sequence"]) == {2}
    for name in ("sex", "race", "marital", "event"):
        assert first[name].astype(str).tolist() == second[name].astype(str).tolist()
    assert (first["day"] + first["days"]).tolist() == (second["day"] + second["days"]).tolist()
    assert truth["patient"].str.fullmatch(r"\d{8}").all()
    assert truth["patient"].str.startswith("0").any()


def test_copies_are_copies(plain):
    truth = plain["nov2018"].truth
    copied = truth[truth["copy"]]
    originals = truth[~truth["copy"]].merge(copied.drop(columns="copy"))
    assert len(originals) == len(copied) > 0


def test_months_are_completed_months(plain):
    truth = plain["nov2018"].truth
    assert (truth["time"] == np.floor(truth["days"] / (365.24 / 12))).all()


def test_without_dirt_every_value_is_known(tmp_path):
    export = seer_export(tmp_path, 2_000, dirt=0)
    fails = export.fails(LSPIN)
    assert not fails[["duplicate", "breast", "nodes-consistent", "vital"]].any(axis=None)
    dead_before = export.truth["death_certificate"]
    assert (fails["survival"] == dead_before).all()
    assert (fails["size"] == dead_before).all()


# ------------------------------------------------------------------------------------------------------------ settings

PLAIN = {"n": 300, "random_state": 2}
OTHERS = [
    {"form": "quoted"},
    {"form": "unformatted"},
    {"delimiter": "comma"},
    {"delimiter": "semicolon"},
    {"header": False},
    {"submission": "nov2020"},
    {"submission": "nov2025"},
    {"mode": "homog"},
    {"mode": "null"},
    {"mode": "nonlinear"},
    {"years": (2005, 2016)},
    {"dirt": 0.5},
    {"broken": 1},
    {"encoding": "utf-8", "bom": True},
    {"random_state": 3},
]


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    return seer_export(tmp_path_factory.mktemp("settled"), **PLAIN)


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_every_setting_changes_the_file(settled, tmp_path, other):
    assert seer_export(tmp_path, **PLAIN | other).path.read_bytes() != settled.path.read_bytes()


def test_the_same_settings_give_the_same_files(settled, tmp_path):
    again = seer_export(tmp_path, **PLAIN)
    assert again.path.read_bytes() == settled.path.read_bytes()
    assert again.dic.read_bytes() == settled.dic.read_bytes()
    assert again.truth.equals(settled.truth)


def test_missing_cells_and_encodings(tmp_path):
    how = {**PLAIN, "submission": "nov2020", "n": 2_000}
    spaces, periods = (
        seer_export(tmp_path, form="unformatted", missing=missing, **how).path.read_bytes()
        for missing in ("space", "period")
    )
    assert (b"\t \t" in spaces, b"\t.\t" in spaces) == (True, False)
    assert (b"\t \t" in periods, b"\t.\t" in periods) == (False, True)
    narrow, wide = (seer_export(tmp_path, encoding=code, **how).path.read_bytes() for code in ("cp1252", "utf-8"))
    assert b"NOS \x96 method" in narrow
    assert narrow.decode("cp1252") == wide.decode("utf-8")


def test_packed_files_hold_the_same(settled, tmp_path):
    packed = seer_export(tmp_path, gz=True, **PLAIN)
    assert gzip.decompress(packed.path.read_bytes()) == settled.path.read_bytes()


def test_fixed_width_lines_are_of_one_length(tmp_path):
    export = seer_export(tmp_path, form="fixed", **PLAIN)
    assert {len(line) for line in export.path.read_bytes().split(b"\r\n")[:-1]} == {394}
    assert export.dic is None
    assert export.sas.name.endswith(".sas")


def test_files_are_for_their_owner_alone(settled):
    assert {stat.S_IMODE(path.stat().st_mode) for path in (settled.path, settled.dic)} == {0o600}


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("SL-453", {"mode": "heterogeneous"}),
        ("SL-454", {"n": 99}),
        ("SL-454", {"n": 200.5}),
        ("SL-454", {"years": (2000, 2017)}),
        ("SL-454", {"years": (1987, 2000)}),
        ("SL-454", {"years": (2010, 2009)}),
        ("SL-455", {"form": "label"}),
        ("SL-455", {"delimiter": ","}),
        ("SL-455", {"submission": "nov2019"}),
        ("SL-455", {"encoding": "latin-1"}),
        ("SL-455", {"missing": "."}),
        ("SL-456", {"form": "fixed", "submission": "nov2020"}),
        ("SL-456", {"bom": True}),
        ("SL-457", {"dirt": -0.1}),
        ("SL-457", {"broken": -1}),
        ("SL-457", {"broken": 1.5}),
        ("SL-459", {"random_state": -1}),
        ("SL-459", {"random_state": None}),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(tmp_path, code, wrong):
    with pytest.raises(InputError, match=code):
        seer_export(tmp_path, **{"n": 200, **wrong})
    assert not list(tmp_path.iterdir())


def test_folders_and_recipes_that_are_not_there_are_refused(plain, tmp_path):
    with pytest.raises(InputError, match="SL-458"):
        seer_export(tmp_path / "none", 200)
    with pytest.raises(InputError, match="SL-455"):
        plain["nov2018"].flow("seer-breast-other")
    with pytest.raises(InputError, match="SL-455"):
        plain["nov2018"].flow(LSPIN, "cr")


@pytest.mark.parametrize(("code", "wrong"), [("SL-453", {"mode": "x"}), ("SL-454", {"n": 0})], ids=str)
def test_patients_that_cannot_be_are_refused(code, wrong):
    with pytest.raises(InputError, match=code):
        seer_patients(**{"n": 10} | wrong)
