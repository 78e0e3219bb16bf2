"""Women whom both SEER recipes keep, as their cells in an export: as labels, and as codes."""

import pandas as pd

LABELS = {
    "sex": "Female",
    "age": "60 years",
    "race": "White",
    "origin": "Non-Spanish-Hispanic-Latino",
    "marital": "Married (including common law)",
    "site": "C50.4-Upper-outer quadrant of breast",
    "laterality": "Left - origin of primary",
    "histology": "8500",
    "behavior": "Malignant",
    "grade": "Moderately differentiated; Grade II",
    "grade_2018": "2",
    "confirmation": "Positive histology",
    "report_source": "Hospital inpatient/outpatient or clinic",
    "size_eod": "020",
    "size_cs": "020",
    "size_sum": "020",
    "nodes_pos": "00",
    "nodes_exam": "90",
    "t6": "T2",
    "n6": "N0",
    "m6": "M0",
    "stage6": "IIA",
    "t16": "p2",
    "n16": "p0",
    "m16": "c0",
    "stage16": "2A",
    "t18": "T2",
    "n18": "N0",
    "m18": "M0",
    "er": "Positive",
    "pr": "Positive",
    "her2": "Negative",
    "surgery": "22",
    "surgery23": "A220",
    "no_surgery": "Surgery performed",
    "radiation": "Beam radiation",
    "chemo": "Yes",
    "sequence": "One primary only",
    "survival_months": "0030",
    "survival_flag": "Complete dates are available and there are more than 0 days of survival",
    "vital": "Dead",
    "followup_type": "Active follow-up",
}
CODES = LABELS | {
    "sex": "2",
    "age": "060",
    "race": "1",
    "origin": "0",
    "marital": "2",
    "site": "C504",
    "laterality": "2",
    "behavior": "3",
    "grade": "2",
    "confirmation": "1",
    "report_source": "1",
    "t6": "20",
    "n6": "0",
    "m6": "0",
    "stage6": "32",
    "stage16": "14",
    "er": "1",
    "pr": "1",
    "her2": "2",
    "no_surgery": "0",
    "sequence": "00",
    "survival_flag": "1",
    "vital": "4",
    "followup_type": "2",
}
CODES |= {"cause_breast": "1", "cause_other": "0"}
LABELS |= {
    "cause_breast": "Dead (attributable to this cancer dx)",
    "cause_other": "Alive or dead due to cancer",
}


def women(changes, *, base=LABELS, year=2008):
    """One woman for each dict of changes: a frame whose columns have canonical names."""
    rows = [{"patient_id": f"{row:08d}", "year": str(year), **base, **change} for row, change in enumerate(changes)]
    return pd.DataFrame(rows)
