"""What a registry records of a tumour's grade, size, nodes, stage, receptors and treatment, era by era."""

import numpy as np
import pandas as pd

from survlspin.synthetic.seer_states import BLANK, UNKNOWN, Dirt, Recorded, States

__all__ = ["YEARS", "record_extent"]

YEARS = {  # first and last year of diagnosis in which a field was collected
    "grade": (1973, 2017),
    "grade_clin": (2018, 2023),
    "grade_path": (2018, 2023),
    "grade_2018": (2018, 2023),
    "size_eod": (1988, 2003),
    "size_cs": (2004, 2015),
    "size_sum": (2016, 2023),
    **dict.fromkeys(("t6", "n6", "m6", "stage6"), (1988, 2015)),
    **dict.fromkeys(("t16", "n16", "m16", "stage16"), (2016, 2017)),
    **dict.fromkeys(("t18", "n18", "m18", "stage18"), (2018, 2023)),
    "er": (1990, 2023),
    "pr": (1990, 2023),
    "her2": (2010, 2023),
    "subtype": (2010, 2023),
    "surgery": (1998, 2022),
    "surgery23": (2023, 2023),
}
PLAUSIBLE = 400  # mm, the most that the recode over time keeps
UNSTAGED = 0.053
VAGUE = dict.fromkeys((f"99{k}" for k in range(1, 6)), "")  # these ranges are codes of 2004-2015 alone
EOD = VAGUE | {"888": "999", "996": "002", "989": "990", "990": "001"}
SUMMARY = VAGUE | {"888": "999", "996": "999", "997": "999"}
RECODE = VAGUE | {"888": "xx1", "996": "999", "997": "999", "989": "999"}


def record_extent(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """Add the fields of grade, size, nodes, stage, receptors and treatment."""
    _grades(dirt, clean, recorded)
    _sizes(dirt, clean, recorded)
    _nodes(dirt, clean, recorded)
    _stages(dirt, clean, recorded)
    _receptors(dirt, clean, recorded)
    _surgery(dirt, clean, recorded)
    _other_treatment(dirt, clean, recorded)
    year = clean["year"].to_numpy()
    for name, (first, last) in YEARS.items():
        recorded.states[name][(year < first) | (year > last)] = BLANK


def _grades(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """The share unknown falls from 8 to 4 %."""
    grade, inside = States(clean["grade"].to_numpy(), ["", "1", "2", "3", "4"]), (clean["behavior"] == 2).to_numpy()
    falling = np.interp(clean["year"], (2000, 2016), (0.08, 0.04))
    unknown = dirt.hit(falling) | clean["death_certificate"].to_numpy()
    recorded.level("grade", grade)[unknown] = UNKNOWN
    grade[inside] = "in_situ"
    for name, rate in (("grade_clin", 0.25), ("grade_path", 0.10), ("grade_2018", 0.0)):
        recorded.level(name, grade)[unknown | dirt.hit(rate)] = UNKNOWN


def _sizes(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """Special codes by the coding system of the year; what they say of the size is true."""
    size, t = clean["size_mm"].to_numpy().copy(), clean["t"].to_numpy()
    huge = (t >= 3) & dirt.hit(0.02)
    size[huge] = dirt.rng.integers(200, 351, dirt.n)[huge]
    codes = {"999": 0.04, "998": 0.003, "997": 0.002, "000": 0.002, "888": 0.0005, "996": 0.001, "989": 0.0001}
    special = States.of("", dirt.n)
    for code, rate in codes.items():
        special[dirt.hit(rate)] = code
    special[(size <= 2) & dirt.hit(0.5)] = "990"
    vague = dirt.hit(0.013) & (size < 50)
    special[vague] = States(size // 10, [f"99{1 + tens}" for tens in range(5)])[vague]
    special[clean["death_certificate"].to_numpy()] = "999"
    for name, other in (("size_eod", EOD), ("size_cs", {}), ("size_sum", SUMMARY), ("size_recode", RECODE)):
        code = special.mapped(other)
        states = recorded.number(name, np.maximum(size, 3) if name == "size_eod" else size)
        rows = ~code.is_in("")
        states[rows] = code[rows]
    states[(size > PLAUSIBLE) & ~rows] = "999"


def _nodes(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """Of older women fewer have nodes examined."""
    age, inside = clean["age"].to_numpy(), (clean["behavior"] == 2).to_numpy()
    number, total = clean["nodes_positive"].to_numpy().copy(), clean["nodes_examined"].to_numpy().copy()
    swapped = (number > 0) & dirt.hit(0.0003)
    total[swapped] = np.maximum(number[swapped] - 1, 1)
    positive, examined = recorded.number("nodes_pos", number), recorded.number("nodes_exam", total)
    none = dirt.hit(np.select([inside, age >= 80, age >= 70], [0.6, 0.25, 0.12], 0.055)) & (number == 0)
    aspirated, vague, unknown = (number > 0) & dirt.hit(0.015), (number > 0) & dirt.hit(0.006), dirt.hit(0.015)
    unknown |= clean["death_certificate"].to_numpy()
    positive[vague], positive[aspirated], positive[unknown], positive[none] = "97", "95", "99", "98"
    counted = dirt.share(("96", 3), ("97", 3), ("98", 3))
    lost = dirt.hit(0.012)
    examined[lost] = counted[lost]
    examined[aspirated], examined[unknown] = "95", "99"
    examined[none] = "number"
    recorded.numbers["nodes_exam"][none] = 0


def _stages(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """Stage of the sixth edition and its T, N and M; the parts of an unstaged tumour are not all known."""
    t = States(clean["t"].to_numpy(), ["Tis", "T1", "T2", "T3", "T4", "T4d"])
    nodal = States(clean["n"].to_numpy(), ["N0", "N1", "N2", "N3"])
    micro = (clean["nodes_positive"].to_numpy() == 1) & (clean["n"] == 1) & (dirt.rng.random(dirt.n) < 0.15)
    nodal[micro] = "N1mi"
    m = States(clean["m"].to_numpy(), ["M0", "M1"])
    certificate = clean["death_certificate"].to_numpy()
    unstaged, which = dirt.hit(UNSTAGED) | certificate, dirt.rng.random(dirt.n)
    t[unstaged & (which < 0.6) | certificate], nodal[unstaged & (which > 0.5) | certificate] = UNKNOWN, UNKNOWN
    m[dirt.hit(0.01) | certificate] = UNKNOWN
    stage = States.of(clean["stage"])
    seventh = stage.mapped({"I": "IA"})
    seventh[micro & stage.is_in("IIA") & (clean["t"] == 1).to_numpy()] = "IB"
    eighth, lower = States.of(seventh), stage.is_in("IIA", "IIB", "IIIA")
    eighth[lower] = dirt.share(("IA", 3), ("IB", 4), ("IIA", 3))[lower]  # prognostic: receptors and grade count
    for era, group in (("6", stage), ("16", seventh), ("18", eighth)):
        for name, parts in (("t", t), ("n", nodal), ("m", m)):
            recorded.level(name + era, parts)
        recorded.level("stage" + era, group)[unstaged] = UNKNOWN
    distant = stage.is_in("IV") & dirt.hit(0.03)
    recorded.states["t6"][distant], recorded.states["n6"][distant] = "any", "any"
    _summary(clean, recorded, unstaged)


def _summary(clean: pd.DataFrame, recorded: Recorded, unstaged: np.ndarray) -> None:
    states = recorded.level("summary_stage", States.of("localized", len(clean)))
    states[((clean["n"] > 0) | (clean["t"] > 3)).to_numpy()] = "regional"
    states[(clean["m"] > 0).to_numpy()] = "distant"
    states[(clean["behavior"] == 2).to_numpy()] = "in_situ"
    states[unstaged] = UNKNOWN


def _receptors(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    for name, unknown, borderline in (("er", 0.06, 0.003), ("pr", 0.065, 0.003), ("her2", 0.06, 0.02)):
        states = recorded.level(name, clean[name])
        states[dirt.hit(borderline)] = "borderline"
        states[dirt.hit(unknown)] = UNKNOWN
    hormone = (clean["er"] == "positive") | (clean["pr"] == "positive")
    pairs = ["triple_negative", "her2neg_hrpos", "her2pos_hrneg", "her2pos_hrpos"]
    states = recorded.level("subtype", States(2 * (clean["her2"] == "positive") + hormone, pairs))
    for name in ("er", "pr", "her2"):
        states[~recorded.states[name].is_in("positive", "negative")] = UNKNOWN


def _surgery(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    """Larger tumours lose the breast more often; 7 % have no surgery, most of those with metastases."""
    t, metastatic = clean["t"].to_numpy(), clean["m"].to_numpy() > 0
    conserving = dirt.rng.random(dirt.n) < np.array([0.68, 0.66, 0.48, 0.15, 0.08, 0.05])[t]
    surgery = States(conserving, ["mastectomy", "conserving"])
    rare = dirt.hit(0.008)
    surgery[rare] = dirt.share(("mastectomy_both", 1), ("unspecified", 5), ("destruction", 2))[rare]
    none = dirt.hit(np.where(metastatic, 0.6, 0.045)) | clean["death_certificate"].to_numpy()
    unknown = dirt.hit(0.006)
    surgery[none], surgery[unknown] = "none", UNKNOWN
    reasons = (("not_recommended", 55), ("contraindicated", 6), ("died", 2), ("no_reason", 17), ("refused", 12))
    states = recorded.level("no_surgery", dirt.share(*reasons, ("recommended", 8)))
    states[~none] = "performed"
    states[unknown | clean["death_certificate"].to_numpy()] = UNKNOWN
    recorded.level("surgery", surgery)
    recorded.level("surgery23", surgery)
    days = recorded.number("wait", np.minimum(dirt.rng.lognormal(3.3, 0.7, dirt.n), 700).round())
    days[dirt.hit(0.002)], days[none | unknown] = "top", UNKNOWN


def _other_treatment(dirt: Dirt, clean: pd.DataFrame, recorded: Recorded) -> None:
    beam = dirt.rng.random(dirt.n) < np.where(recorded.states["surgery"].is_in("conserving"), 0.72, 0.28)
    rare = dirt.hit(0.05)
    kinds = (("implants", 4), ("combination", 2), ("isotopes", 1), ("unspecified", 2), ("refused", 4), (UNKNOWN, 8))
    states = recorded.level("radiation", States(beam, ["none_or_unknown", "beam"]))
    states[rare] = dirt.share(*kinds)[rare]
    wanted = (clean["n"] > 0) | (clean["er"] == "negative") | (clean["size_mm"] > 30)
    young = clean["age"].to_numpy() < 70
    given = dirt.rng.random(dirt.n) < np.where(wanted, np.where(young, 0.75, 0.3), 0.12) * (clean["behavior"] == 3)
    recorded.level("chemo", States(given, ["none_or_unknown", "yes"]))
