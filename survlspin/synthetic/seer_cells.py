"""From states to the cells of an export: labels, SEER*Stat's codes, or the digits of a fixed-width file.

Labels and codes are those of the code book. Where several mean the same, each occurs.
"""

import re
from collections.abc import Iterable

import numpy as np

from survlspin.cohort.codebook import STATUS, Code, Field
from survlspin.synthetic.seer_files import Printed
from survlspin.synthetic.seer_layout import FIXED, Submission
from survlspin.synthetic.seer_states import BLANK, NA, NUMBER, UNKNOWN, Recorded

__all__ = ["FORMS", "SPECIAL", "own_codes", "printed", "state_of"]

FORMS = ("labels", "quoted", "unformatted", "fixed")
MISSING = {UNKNOWN: "unknown", BLANK: "blank", NA: "na"}
COMMON = {UNKNOWN: [("Unknown", "")], BLANK: [("Blank(s)", "")] * 7 + [("", "")], NA: [("N/A", ""), ("NA", "")]}
OWN = 1001  # codes from here on are given to labels that have none
SPAN = re.compile(r"(\d+)-(\d+)")
MOST = 40  # codes of one range that are written
WORDED = 5  # width of the fixed-width fields that hold labels such as p1C
WIDTHS = {"nodes_pos": 2, "nodes_exam": 2, "n_malignant": 2, "survival_months": 4}
SEQUENCES = ("One primary only", *(f"{k} of {of} or more primaries" for k, of in (("1st", 2), ("2nd", 2), ("3rd", 3))))
NEOPLASMS = ("Only one state registry-defined neoplasm", "1st of 2 or more state registry-defined neoplasms")
REGISTRIES = {
    "San Francisco-Oakland": "0000001501",
    "Connecticut": "0000001502",
    "Detroit (Metropolitan)": "0000001520",
    "Hawaii": "0000001521",
    "Iowa": "0000001522",
    "New Mexico": "0000001523",
    "Utah": "0000001526",
}
ENDS = {"00": "00", "01": "01-04", "18": "85+", "19": "90+"}  # bands of age that are not five years
SPECIAL = {  # cells that the code book describes by an expression or a wide range
    "cod": {
        "heart": [("Diseases of Heart", "50060")],
        "lung": [("Lung and Bronchus", "22030")],
        "brain vessels": [("Cerebrovascular Diseases", "50080")],
        "dementia": [("Alzheimers (ICD-9 and 10 only)", "50051")],
        "other": [("Other Cause of Death", "50300")],
    },
    "site_recode": {"other": [("Lung and Bronchus", "22030")]},
    "site": {"other": [("C34.1-Upper lobe, lung", "C341")]},
    "t16": {"T0": [("c0", ""), ("p0", "")], "Tis": [("pIS", ""), ("cIS", "")]},
    "wait": {"top": [("731+ days", "731")]},
    "size_recode": {"xx1": [("XX1", "XX1")]},
    "sequence": {NA: [(NEOPLASMS[k % 2], str(k)) for k in range(60, 89)]},
    "registry": {name: [(name, code)] for name, code in REGISTRIES.items()},
    "age_recode": {
        "00": [("00 years", "00")],
        "01": [("01-04 years", "01")],
        "18": [("85+ years", "18")],
        "19": [("90+ years", "19")],
    }
    | {f"{k:02d}": [(f"{5 * k - 5:02d}-{5 * k - 1:02d} years", f"{k:02d}")] for k in range(2, 18)},
}
Cell = tuple[str, str]  # label, code; one of them may be empty


def printed(
    name: str, field: Field, recorded: Recorded, form: str, submission: Submission, rng: np.random.Generator
) -> Printed:
    """Print a field of all records.

    Parameters
    ----------
    name : str
        Canonical name.
    field : Field
        Of the code book.
    recorded : Recorded
    form : str
        One of FORMS.
    submission : Submission
    rng : Generator
        Draws among cells of the same meaning.
    """
    states = recorded.states[name]
    codes, texts, formats = np.zeros(len(states), np.int32), [], {}
    for number, state in enumerate(states.names):
        rows = np.flatnonzero(states.codes == number)
        if not len(rows):
            continue
        if state == NUMBER:
            values, place = np.unique(recorded.numbers[name][rows], return_inverse=True)
            cells = [_number(name, int(value), form, submission) for value in values]
        else:
            cells = _state(name, field, state, submission)
            if form == "fixed":
                cells = _fitting(cells, FIXED[name][2])
            elif form != "unformatted":
                cells = [cell for cell in cells if cell[0]] or cells
            place = rng.permutation(np.arange(len(rows)) % len(cells))
        codes[rows] = place + len(texts)
        shown, labels = _shown(cells, form, formats)
        texts += shown
        if name not in ("year", "followup_year"):  # their codes count from 1800
            formats |= labels
    if name == "sex" and form != "fixed":
        texts, formats = _indented(texts, form), {code: f'"  {label}"' for code, label in formats.items()}
    return Printed(submission.headers.get(name, field.title), codes, texts, formats)


def own_codes(field: Field) -> list[Code]:
    """Return the codes of a field without those that all fields have."""
    general = {label for cells in COMMON.values() for label, _ in cells} | {"Blank", "Not applicable"}
    return [code for code in field.codes if code.patterns or code.match or not general.issuperset(code.labels)]


def state_of(field: Field, code: Code) -> str | None:
    """Return the state that a code of a category, or a special code of a number, stands for; None: a number."""
    if code.status == "blank" or (code.status in MISSING.values() and field.kind == "category"):
        return next(state for state, status in MISSING.items() if status == code.status)
    if field.kind == "category":
        return code.level if code.level != "code" else None
    single = code.patterns and not SPAN.fullmatch(code.patterns[0])
    return code.patterns[0] if single else None


def _number(name: str, value: int, form: str, submission: Submission) -> Cell:
    """The label and the code of a number that is recorded as it is."""
    digits = f"{value:0{WIDTHS.get(name, 3)}d}"
    if name in ("year", "followup_year"):
        return str(value), str(value if form == "fixed" else value - 1800)
    if name == "sequence":
        return SEQUENCES[value], f"{value:02d}"
    if name == "age" and submission.oldest < 130:
        return f"{value:02d} years", digits
    if name == "wait":
        return f"{digits} days", digits
    if name == "survival_months" and submission.oldest < 130:
        return str(value), digits
    return digits, digits


def _state(name: str, field: Field, state: str, submission: Submission) -> list[Cell]:
    """Every label and code of a state."""
    if name == "age" and state == "top":
        return [(f"{submission.oldest}+ years", f"{submission.oldest:03d}")]
    if cells := SPECIAL.get(name, {}).get(state):
        return cells
    if field.open and state not in MISSING:
        return [(state, state if name == "histology" else "")]
    own = [code for code in own_codes(field) if _means(field, code, state)]
    cells = [cell for code in own for cell in _cells(code)]
    if name == "vital":
        cells = [(label or "Dead", code) for label, code in cells if state != "dead" or code == submission.dead]
    if state == BLANK:
        return cells + COMMON[BLANK] if not any(label for label, _ in cells) else cells
    return cells or COMMON[state]


def _means(field: Field, code: Code, state: str) -> bool:
    if state in MISSING:
        return code.status == MISSING[state] and not (field.kind == "number" and _sized(field, code))
    return code.level == state if field.kind == "category" else state in code.patterns


def _sized(field: Field, code: Code) -> bool:
    """Is it one of several codes for what is not known, which go by themselves?"""
    return code.status != "blank" and sum(other.status in STATUS[4:] for other in own_codes(field)) > 3


def _cells(code: Code) -> list[Cell]:
    """Labels and codes side by side, the shorter list over again."""
    digits = [text for pattern in code.patterns for text in _expanded(pattern)]
    labels = list(code.labels)
    longest = max(len(digits), len(labels))
    pick = [(labels or [""], digits or [""])] * longest
    return [(one[k % len(one)], two[k % len(two)]) for k, (one, two) in enumerate(pick)]


def _expanded(pattern: str) -> Iterable[str]:
    if span := SPAN.fullmatch(pattern):
        low, high = int(span[1]), int(span[2])
        return [str(k).zfill(len(span[1])) for k in range(low, min(high, low + MOST - 1) + 1)]
    return [pattern]


def _fitting(cells: list[Cell], width: int) -> list[Cell]:
    """The cells that a fixed-width column has room for, as codes of its width; blanks for what is not there."""
    whole = [code for _, code in cells if len(code) == width]
    short = [code.zfill(width) for _, code in cells if code.isdigit() and len(code) < width]
    words = [label.ljust(width) for label, code in cells if label and len(label) <= width < 10]
    return [("", code) for code in whole or (words if width == WORDED else short) or [" " * width]]


def _shown(cells: list[Cell], form: str, formats: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The texts of the cells, and the labels by code that the .dic lists."""
    sibling = next((label for label, _ in cells if label), "")
    shown, labels = [], {}
    for label, code in cells:
        if not code and label and sibling != "Blank(s)":
            given = {text: number for number, text in labels.items()}
            code = given.get(label, str(OWN + len(formats) + len(labels)))
        if code and sibling and sibling not in (code, "Blank(s)"):
            labels[code] = label or sibling
        shown.append(code if form in ("fixed", "unformatted") else label or code)
    return shown, labels


def _indented(texts: list[str], form: str) -> list[str]:
    return texts if form == "unformatted" else [f"  {text}" for text in texts]
