from itertools import product

import numpy as np
import pytest
from seer_women import LABELS, women

from survlspin._shipped import shipped
from survlspin.cohort import build_cohort
from survlspin.cohort.recipe import load_recipe
from survlspin.errors import InputError

LSPIN, EPI = load_recipe("seer-breast-lspin2022"), load_recipe("seer-breast-epi")
UNKNOWN_DEATH = {"cause_breast": "Dead (missing/unknown COD)", "cause_other": "Dead (missing/unknown COD)"}
BLOCKS = {
    "Age": 1,
    "TsizeMerged": 1,
    "NodesPos": 1,
    "NodesExam": 1,
    "NodesRatio": 1,
    "YearDx": 1,
    "Race": 4,
    "Origin": 2,
    "Marital": 6,
    "Laterality": 2,
    "Site": 8,
    "Histology": 4,
    "Grade": 4,
    "T": 4,
    "N": 4,
    "ER": 3,
    "PR": 3,
    "Surgery": 2,
}


def kept(changes, recipe, *, switches=None, **keys):
    """Which of the women stay, and the cohort's frame by patient; in so few all levels are rare, and are kept."""
    switches = {"rare_levels": "keep"} | (switches or {}) if recipe is EPI else switches or {}
    frame = build_cohort(women(changes), recipe, switches=switches, **keys).frame.set_index("patient")
    return [f"{row:08d}" in frame.index for row in range(len(changes))], frame


def test_52_columns_in_18_blocks_and_3_of_noise():
    cohort = build_cohort(women([{}, {"year": "2016"}]), LSPIN)
    sizes = {}
    for column in cohort.manifest["columns"]:
        sizes[column["group"]] = sizes.get(column["group"], 0) + 1
    noise = {name: sizes.pop(name) for name in list(sizes) if name.startswith("noise")}
    assert sizes == BLOCKS
    assert sum(sizes.values()) == 52
    assert sum(noise.values()) == 3
    assert [name for name in cohort.X if name.startswith("noise")] == ["noise_u1", "noise_u2", "noise_u3"]
    assert cohort.X.loc[:, "noise_u1":].ge(0).all(axis=None)
    assert cohort.X.loc[:, "noise_u1":].le(1).all(axis=None)
    one_hot = cohort.X.drop(columns=["Age", "TsizeMerged", "NodesPos", "NodesExam", "NodesRatio", "YearDx"])
    assert one_hot.loc[:, :"Surgery_mastectomy"].sum(axis=1).tolist() == [12, 12]


@pytest.mark.parametrize(
    ("switches", "n"),
    [({"borderline": "missing"}, 53), ({"nodes_ratio": "absent"}, 54), ({"noise": False}, 52), ({}, 55)],
    ids=["borderline", "ratio", "noise", "default"],
)
def test_switches_change_the_number_of_columns(switches, n):
    assert build_cohort(women([{}, {}]), LSPIN, switches=switches).X.shape == (2, n)


@pytest.mark.parametrize(("ends", "stays"), [("85+", [True, False, False]), ("90+", [True, True, False])], ids=str)
def test_codes_of_ages_end_where_the_header_says(ends, stays):
    listing = women([{"age": age} for age in ("84", "85", "90")]).rename(
        columns={"age": f"Age recode with single ages and {ends}"}
    )
    patients = build_cohort(listing, LSPIN).frame["patient"].tolist()
    assert [f"{row:08d}" in patients for row in range(3)] == stays


# women each of whom some switch decides on
EDGES = [
    {},
    {"age": "44 years"},
    {"vital": "Alive", "cause_breast": "Alive or dead of other cause"},
    {"size_cs": "992"},
    {"grade": "Unknown"},
    {"confirmation": "Positive microscopic confirm, method not specified"},
    {"age": "85+ years"},
    {"m6": "MX"},
    {"surgery": "76"},
    {"er": "Borderline"},
    {"histology": "8800"},
    {"sequence": "2nd of 2 or more primaries"},
    {"m6": "M1", "stage6": "IV"},
    {"survival_months": "0000"},
    {"survival_flag": "Incomplete dates are available and there could be zero days of follow-up"},
    UNKNOWN_DEATH,
    {"year": "2019", "grade_path": "3"},
]


@pytest.mark.parametrize("recipe", [EPI, LSPIN], ids=lambda recipe: recipe.name)
def test_every_value_of_every_switch_makes_another_cohort(recipe):
    table = women(EDGES)
    table["grade_clin"] = "9"
    table["grade_path"] = table["grade_path"].fillna("9")
    outcome = "cr" if recipe is EPI else "os"
    few = {"rare_levels": "keep"} if recipe is EPI else {}
    for name, switch in recipe.switches.items():
        changes = [few | {name: value} for value in switch.values]
        cohorts = [build_cohort(table, recipe, outcome=outcome, switches=change) for change in changes]
        assert len({cohort.fingerprint for cohort in cohorts}) == len(switch.values), name


def test_what_the_paper_leaves_open_is_called_a_guess():
    assert {name for name, switch in LSPIN.switches.items() if not switch.guess} == {"noise"}
    assert all(rule.says or rule.guess or rule.id in ("breast", "first-primary") for rule in LSPIN.rules)


@pytest.mark.parametrize(
    ("change", "switches", "stays"),
    [
        ({"age": "25 years"}, {}, True),
        ({"age": "24 years"}, {}, False),
        ({"age": "85 years"}, {}, True),
        ({"age": "85+ years"}, {}, False),
        ({"age": "85+ years"}, {"top_coded_age": "keep"}, True),
        ({"age": "90+ years"}, {"top_coded_age": "keep"}, False),
        ({"size_cs": "199"}, {}, True),
        ({"size_cs": "200"}, {}, False),
        ({"size_cs": "991"}, {}, True),
        ({"size_cs": "991"}, {"size_special": "drop"}, False),
        ({"size_cs": "990"}, {"size_special": "drop"}, False),
        ({"nodes_pos": "98", "nodes_exam": "00"}, {}, False),
        ({"nodes_pos": "03", "nodes_exam": "02"}, {}, False),
        ({"m6": "MX"}, {"mx": "loose"}, True),
        ({"m6": "MX", "stage6": "IV"}, {"mx": "loose"}, False),
        ({"n6": "Any N, Mets"}, {"mx": "loose"}, False),
        ({"surgery": "76"}, {}, True),
        ({"surgery": "76"}, {"bilateral": "laterality-or-surgery"}, False),
        ({"laterality": "Bilateral, single primary"}, {"bilateral": "laterality-or-surgery"}, False),
        ({"grade": "Unknown"}, {"require_grade": True}, False),
        (
            {"confirmation": "Positive microscopic confirm, method not specified"},
            {"histology_confirmed": "loose"},
            True,
        ),
        (
            {"confirmation": "Positive exfoliative cytology, no positive histology"},
            {"histology_confirmed": "loose"},
            False,
        ),
        ({"histology": "8800"}, {"non_carcinoma": "keep"}, True),
        ({"sequence": "2nd of 2 or more primaries"}, {}, True),
        ({"sequence": "2nd of 2 or more primaries"}, {"primaries": "first"}, False),
        ({"no_surgery": "Refused"}, {}, False),
        ({"surgery": "19"}, {}, False),
        ({"year": "2017"}, {}, False),
        ({"vital": "Blank(s)"}, {}, False),
    ],
    ids=str,
)
def test_rules_of_the_paper(change, switches, stays):
    assert kept([{}, change], LSPIN, switches=switches)[0] == [True, stays]


ERAS = {"2000": 11, "2003": 11, "2004": 22, "2015": 22, "2016": 33, "2017": 33, "2018": 33, "2022": 33, "2023": 33}


def test_the_size_comes_from_the_column_of_the_year():
    """Other columns are filled in as well: the first that is not blank would be wrong."""
    sizes = {"size_eod": "011", "size_cs": "022", "size_sum": "033"}
    frame = kept([{"year": year, **sizes} for year in ERAS], EPI, switches={"size": "number"})[1]
    assert dict(zip(frame["year"].astype(int).astype(str), frame["tumour_size"], strict=True)) == ERAS
    frame = kept([{"year": year, **sizes} for year in ERAS if year <= "2016"], LSPIN)[1]
    assert frame["TsizeMerged"].tolist() == [11, 11, 22, 22, 33]
    blank = {"size_eod": "Blank(s)", "size_sum": "990"}
    assert kept([{"year": "2016", **blank, "size_cs": "022"}], LSPIN)[1]["TsizeMerged"].tolist() == [1]


def test_bands_of_size_and_nodes():
    sizes = ["001", "010", "011", "020", "021", "050", "051", "400", "401", "999", "998"]
    frame = kept([{"size_cs": size} for size in sizes], EPI)[1]
    bands = ["up to 10 mm"] * 2 + ["11 to 20 mm"] * 2 + ["21 to 50 mm"] * 2 + ["above 50 mm"] * 2 + ["unknown"] * 3
    assert frame["tumour_size"].tolist() == bands
    nodes = ["00", "01", "03", "04", "09", "10", "90", "95", "97", "98", "99"]
    frame = kept([{"nodes_pos": node, "nodes_exam": "90"} for node in nodes], EPI)[1]
    bands = ["0", "1 to 3", "1 to 3", "4 to 9", "4 to 9", "10 or more", "10 or more", "unknown", "unknown"]
    assert frame["nodes_positive"].tolist() == [*bands, "none examined", "unknown"]
    assert kept([{}, {"size_cs": "999"}, {"nodes_pos": "98"}], EPI, switches={"size": "number"})[0] == [
        True,
        False,
        False,
    ]


ANATOMIC = {  # AJCC 6, rows T, columns N0 N1 N2 N3
    "T0": ("unknown", "IIA", "IIIA", "IIIC"),
    "T1": ("I", "IIA", "IIIA", "IIIC"),
    "T2": ("IIA", "IIB", "IIIA", "IIIC"),
    "T3": ("IIB", "IIIA", "IIIA", "IIIC"),
    "T4": ("IIIB", "IIIB", "IIIB", "IIIC"),
    "T4d": ("IIIB", "IIIB", "IIIB", "IIIC"),
    "TX": ("unknown", "unknown", "unknown", "IIIC"),
}


def test_the_stage_since_2018_is_the_anatomic_one():
    pairs = list(product(ANATOMIC, ("N0", "N1", "N1mi", "N2", "N3", "NX")))
    changes = [{"year": "2019", "t18": t, "n18": n, "stage18": "IB"} for t, n in pairs]
    frame = kept(changes, EPI)[1]
    place = {"N0": 0, "N1": 1, "N1mi": 1, "N2": 2, "N3": 3}
    assert frame["stage"].tolist() == [ANATOMIC[t][place[n]] if n in place else "unknown" for t, n in pairs]
    stays, frame = kept([{"year": "2019", "m18": m} for m in ("M0", "M0(i+)", "M1", "88")], EPI)
    assert stays == [True, True, False, True]
    assert frame["stage"].tolist() == ["IIA", "IIA", "unknown"]
    frame = kept([{}, {"year": "2019", "m18": "M1"}], EPI, switches={"metastatic": "include"})[1]
    assert frame["stage"].tolist() == ["IIA", "IV"]


def test_micrometastases_of_2016_are_stage_2a():
    changes = [{"year": "2016", "stage16": stage} for stage in ("1A", "1B", "2A", "3C", "99")]
    assert kept(changes, EPI)[1]["stage"].tolist() == ["I", "IIA", "IIA", "IIIC", "unknown"]
    assert kept([{"year": "2017", "n16": "p1MI"}], EPI)[1]["n"].tolist() == ["N1"]


DEAD, ALIVE = {"vital": "Dead"}, {"vital": "Alive"}
OF_BREAST = {"cause_breast": "Dead (attributable to this cancer dx)", "cause_other": "Alive or dead due to cancer"}
OF_OTHER = {
    "cause_breast": "Alive or dead of other cause",
    "cause_other": "Dead (attributable to causes other than this cancer dx)",
}
OF_NONE = {"cause_breast": "Alive or dead of other cause", "cause_other": "Alive or dead due to cancer"}
LATER = {"cause_breast": "N/A not first tumor", "cause_other": "N/A not seq 0-59"}
ENDS = [
    DEAD | OF_BREAST,
    DEAD | OF_OTHER,
    ALIVE | OF_NONE,
    DEAD | UNKNOWN_DEATH,
    DEAD | OF_NONE,
    ALIVE | OF_BREAST,
    LATER,
]


@pytest.mark.parametrize(
    ("outcome", "unknown", "events"),
    [
        ("os", "exclude", [1, 1, 0, 1, 1, 0, 1]),
        ("bcss", "exclude", [1, 0, 0, None, None, None, None]),
        ("bcss", "other", [1, 0, 0, 0, None, None, None]),
        ("cr", "exclude", [1, 2, 0, None, None, None, None]),
        ("cr", "other", [1, 2, 0, 2, None, None, None]),
    ],
)
def test_events_by_cause(outcome, unknown, events):
    stays, frame = kept(ENDS, EPI, outcome=outcome, switches={"unknown_cause": unknown})
    assert stays == [event is not None for event in events]
    assert frame["event"].astype(int).tolist() == [event for event in events if event is not None]
    assert frame["time"].tolist() == [30.5] * sum(stays)


def test_age_as_time_scale():
    changes = [{"age": age} for age in ("60 years", "90+ years", "60-64 years")]
    stays, frame = kept(changes, EPI, outcome="os-age")
    assert stays == [True, False, False]
    assert frame["entry"].tolist() == [60.5]
    np.testing.assert_allclose(frame["time"], [60.5 + 30.5 / 12], rtol=1e-12)
    cohort = build_cohort(women([{}]), EPI, outcome="os-age")
    assert cohort.manifest["unit"] == "years"
    assert cohort.y.dtype.names == ("event", "time", "entry")


@pytest.mark.parametrize(
    ("change", "switches", "stays"),
    [
        ({"sequence": "1st of 2 or more primaries"}, {}, True),
        ({"sequence": "2nd of 2 or more primaries"}, {}, False),
        ({"report_source": "Death certificate only"}, {}, False),
        ({"report_source": "Autopsy only"}, {}, False),
        ({"followup_type": "Autopsy Only or Death Certificate Only case"}, {}, False),
        ({"followup_type": "San Francisco-Oakland only"}, {}, True),
        ({"survival_months": "0000"}, {}, True),
        ({"survival_months": "0000"}, {"zero_months": "drop"}, False),
        ({"age": "90+ years"}, {}, True),
        ({"age": "90+ years"}, {"top_coded_age": "drop"}, False),
        ({"age": "17 years"}, {}, False),
        ({"stage6": "UNK Stage", "t6": "TX Adjusted", "n6": "NX Adjusted", "m6": "MX"}, {}, True),
        ({"stage6": "0"}, {}, False),
        ({"histology": "8530", "t6": "T4d"}, {}, True),
        ({"year": "1999"}, {}, False),
        ({"year": "2024"}, {}, False),
        ({"site": "C61.9-Prostate gland"}, {}, False),
        ({"sex": "Male"}, {}, False),
        ({"vital": "Blank(s)"}, {}, False),
        ({"confirmation": "Clinical diagnosis only"}, {}, False),
        ({"nodes_pos": "03", "nodes_exam": "02"}, {}, False),
        ({"nodes_pos": "03", "nodes_exam": "98"}, {}, True),
        (
            {"confirmation": "Positive microscopic confirm, method not specified"},
            {"histology_confirmed": "strict"},
            False,
        ),
        ({"year": "2023", "surgery": "Blank(s)"}, {"treatment": "surgery"}, True),
    ],
    ids=str,
)
def test_rules_of_the_epidemiologist(change, switches, stays):
    assert kept([{}, change], EPI, switches=switches)[0] == [True, stays]


def test_unknown_and_not_collected_are_levels():
    changes = [
        {"year": "2005", "her2": "Not 2010+ Breast"},
        {"year": "2012", "her2": "Unknown"},
        {"er": "Recode not available"},
    ]
    frame = kept([*changes, {"race": "Unknown"}], EPI)[1]
    assert frame["her2"].tolist() == ["not collected", "unknown", "negative", "negative"]
    assert frame["er"].tolist() == ["positive", "positive", "unknown", "positive"]
    assert frame["race"].tolist() == ["white", "white", "white", "unknown"]
    assert not frame.isna().any(axis=None)


def test_surgery_until_2022_and_since():
    changes = [{"year": "2022"}, {"year": "2023", "surgery23": "A410"}, {"year": "2023", "surgery23": "A990"}]
    frame = kept(changes, EPI, switches={"treatment": "surgery"})[1]
    assert frame["surgery"].tolist() == ["conserving", "mastectomy", "unknown"]
    assert "surgery" not in kept([{}], EPI)[1]


def test_grade_since_2018_from_the_summary_or_the_specimen():
    changes = [
        {"grade_2018": "1", "grade_path": "3", "grade_clin": "2"},
        {"grade_2018": "9", "grade_path": "9", "grade_clin": "B"},
    ]
    changes = [{"year": "2020", **change} for change in changes]
    assert kept(changes, EPI)[1]["grade"].tolist() == ["I", "unknown"]
    assert kept(changes, EPI, switches={"grade_2018": "pathological"})[1]["grade"].tolist() == ["III", "II"]


LEAKS = sorted(name for name, known in EPI.book.fields.items() if known.leak and known.kind != "text")


@pytest.mark.parametrize("name", LEAKS)
def test_what_only_survivors_have_is_no_predictor(name, tmp_path):
    text = (shipped("recipes") / "seer-breast-epi.toml").read_text(encoding="utf-8")
    coding = "number" if EPI.book[name].kind == "number" else "category"
    (tmp_path / "leaky.toml").write_text(
        f'{text}\n[[columns]]\nname = "x"\nfrom = "{name}"\ncoding = "{coding}"\n', "utf-8"
    )
    with pytest.raises(InputError, match=rf"columns\[x\] would use '{name}'") as caught:
        load_recipe(tmp_path / "leaky.toml")
    assert caught.value.code == "SL-592"


def test_leaks_are_those_of_the_future():
    outcome = {"survival_months", "survival_flag", "vital", "cause_breast", "cause_other", "cod"}
    assert set(LEAKS) == outcome | {"sequence", "n_malignant", "followup_type", "followup_year", "no_surgery", "wait"}


@pytest.mark.parametrize("recipe", [EPI, LSPIN], ids=lambda recipe: recipe.name)
def test_a_missing_variable_is_the_box_to_tick(recipe):
    table = women([{}]).drop(columns=["nodes_pos", "confirmation"])
    with pytest.raises(
        InputError, match=r"Diagnostic Confirmation.*Regional nodes positive \(1988\+\)|Regional.*Diag"
    ) as caught:
        build_cohort(table, recipe)
    assert caught.value.code == "SL-589"


def test_columns_of_other_years_need_not_be_there():
    late = [name for name in LABELS if name.endswith(("16", "18", "23")) or name in ("size_sum", "grade_2018")]
    table = women([{}, {"year": "2015"}]).drop(columns=late)
    assert len(build_cohort(table, LSPIN)) == len(build_cohort(table, EPI)) == 2
