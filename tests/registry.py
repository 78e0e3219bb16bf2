"""A small invented registry and its recipe."""

import copy

import numpy as np
import pandas as pd

from survlspin.cohort.codebook import STATUS, Values

FIELDS = {
    "person_id": {"column": "ID", "kind": "text", "leak": "it names the patient"},
    "number_of_tumour": {"column": "Tumour", "kind": "number"},
    "year": {"column": "Year", "kind": "number"},
    "sex": {
        "column": "Sex",
        "codes": [{"labels": ["F"], "level": "female"}, {"labels": ["M"], "level": "male"}],
    },
    "age": {
        "column": "Age",
        "kind": "number",
        "unit": "years",
        "codes": [{"patterns": ["0-120"], "value": "number"}, {"patterns": ["999"], "status": "unknown"}],
    },
    "size_old": {
        "column": "Size until 2003",
        "title": "Size, old",
        "kind": "number",
        "unit": "mm",
        "codes": [
            {"patterns": ["1-989"], "value": "number"},
            {"patterns": ["995"], "value": 45, "status": "range"},
            {"patterns": ["999"], "status": "unknown"},
            {"labels": ["Blank(s)"], "status": "blank"},
        ],
    },
    "size_new": {
        "column": "Size since 2004",
        "title": "Size, new",
        "kind": "number",
        "unit": "mm",
        "codes": [
            {"patterns": ["1-989"], "value": "number"},
            {"patterns": ["999"], "status": "unknown"},
            {"labels": ["Blank(s)"], "status": "blank"},
        ],
    },
    "grade": {
        "column": "Grade",
        "codes": [
            {"labels": ["I"], "level": "1"},
            {"labels": ["II"], "level": "2"},
            {"labels": ["III"], "level": "3"},
            {"labels": ["?"], "status": "unknown"},
            {"labels": ["Blank(s)"], "status": "blank"},
        ],
    },
    "months": {"column": "Months", "kind": "number", "leak": "the outcome"},
    "vital": {
        "column": "Vital",
        "leak": "the outcome",
        "codes": [
            {"labels": ["Alive"], "level": "alive"},
            {"labels": ["Dead"], "level": "dead"},
            {"labels": ["?"], "status": "unknown"},
        ],
    },
    "cause": {
        "column": "Cause",
        "leak": "the outcome",
        "codes": [
            {"labels": ["breast"], "level": "breast"},
            {"labels": ["other"], "level": "other"},
            {"labels": ["?"], "status": "unknown"},
            {"labels": ["-"], "status": "na"},
        ],
    },
}

DEAD = {"field": "vital", "in": ["dead"]}

RECIPE = {
    "name": "small",
    "source": "table",
    "patient": "person_id",
    "order": ["year", "number_of_tumour"],
    "switches": {
        "ranges": {"values": ["keep", "drop"], "default": "keep", "guess": "nobody said"},
        "noise": {"values": [True, False], "default": True},
        "zscore": {"values": ["no", "before"], "default": "no"},
    },
    "fields": FIELDS,
    "derive": [
        {
            "name": "size",
            "op": "by_year",
            "parts": [
                {"years": [1988, 2003], "field": "size_old", "drop": ["range"]},
                {"years": [2004, 2015], "field": "size_new"},
            ],
            "when": {"ranges": "drop"},
        },
        {
            "name": "size",
            "op": "by_year",
            "parts": [{"years": [1988, 2003], "field": "size_old"}, {"years": [2004, 2015], "field": "size_new"}],
            "when": {"ranges": "keep"},
        },
    ],
    "rules": [
        {"id": "female", "text": "women", "keep": {"field": "sex", "in": ["female"]}},
        {"id": "adult", "text": "25 to 85 years", "keep": {"field": "age", "min": 25, "max": 85}},
        {"id": "size", "text": "size known", "keep": {"field": "size", "known": True}},
        {
            "id": "followed",
            "text": "followed up",
            "keep": {"all": [{"field": "months", "known": True}, {"field": "vital", "known": True}]},
        },
    ],
    "outcomes": {
        "os": {"time": "months", "plus": 0.5, "events": [{"code": 1, "if": {"field": "vital", "in": ["dead"]}}]},
        "cr": {
            "time": "months",
            "events": [
                {"code": 1, "if": {"all": [DEAD, {"field": "cause", "in": ["breast"]}]}, "text": "breast cancer"},
                {"code": 2, "if": {"all": [DEAD, {"field": "cause", "in": ["other"]}]}, "text": "other"},
            ],
            "rules": [
                {"id": "cause", "text": "cause known", "keep": {"not": {"field": "cause", "status": ["unknown"]}}}
            ],
        },
    },
    "columns": [
        {"name": "age", "from": "age", "coding": "number"},
        {"name": "size", "from": "size", "coding": "number"},
        {"name": "grade", "from": "grade", "coding": "one-hot"},
    ],
    "noise": {"columns": 2, "when": {"noise": True}},
    "scale": {"when": {"zscore": "before"}},
}


def recipe(**changes) -> dict:
    """The recipe as a dict, with top-level keys replaced; None takes a key away."""
    raw = copy.deepcopy(RECIPE) | copy.deepcopy(changes)
    return {key: value for key, value in raw.items() if value is not None}


def toml(value) -> str:
    """A dict as TOML: every table inline but the outermost."""
    return "".join(f"{_key(key)} = {_inline(each)}\n" for key, each in value.items())


def write(path, **changes):
    """Write the recipe as a file and return its path."""
    path = path / "small.toml"
    path.write_text(toml(recipe(**changes)), encoding="utf-8")
    return path


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else f'"{key}"'


def _inline(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def people(n=80, seed=0) -> pd.DataFrame:
    """Records as the file shows them: text, with sentinels."""
    rng = np.random.default_rng(seed)
    year = rng.integers(1995, 2012, n)
    old = year <= 2003
    size = rng.choice(["5", "15", "22", "40", "999"], n, p=[0.2, 0.3, 0.3, 0.1, 0.1])
    vital = rng.choice(["Alive", "Dead", "?"], n, p=[0.5, 0.45, 0.05])
    cause = np.where(vital == "Dead", rng.choice(["breast", "other", "?"], n, p=[0.5, 0.4, 0.1]), "-")
    return pd.DataFrame(
        {
            "ID": [f"{i:05}" for i in rng.permutation(n)],
            "Tumour": "1",
            "Year": year.astype(str),
            "Sex": rng.choice(["F", "M"], n, p=[0.9, 0.1]),
            "Age": rng.choice(["18", "30", "45", "61", "77", "999"], n, p=[0.05, 0.2, 0.3, 0.3, 0.1, 0.05]),
            "Size until 2003": np.where(old, np.where(rng.random(n) < 0.1, "995", size), "Blank(s)"),
            "Size since 2004": np.where(old, "Blank(s)", size),
            "Grade": rng.choice(["I", "II", "III", "?", "Blank(s)"], n, p=[0.2, 0.4, 0.2, 0.1, 0.1]),
            "Months": rng.integers(0, 200, n).astype(str),
            "Vital": vital,
            "Cause": cause,
        }
    )


def numbers(*data, status="exact") -> Values:
    """A number field; None: not known."""
    known = np.array([each is not None for each in data])
    codes = np.where(known, STATUS.index(status), STATUS.index("unknown")).astype(np.uint8)
    return Values("number", np.array([np.nan if each is None else float(each) for each in data]), codes)


def levels(*data, status="unknown") -> Values:
    """A category field; None: not known, with this status."""
    names = tuple(dict.fromkeys(each for each in data if each is not None))
    codes = np.array([-1 if each is None else names.index(each) for each in data], dtype=np.int32)
    return Values("category", codes, np.where(codes < 0, STATUS.index(status), 0).astype(np.uint8), names)
