"""Rare codes: what draws seldom give is recorded for a few tumours, so that every code of the code book occurs."""

import numpy as np

from survlspin.cohort.codebook import Codebook, Field
from survlspin.synthetic.seer_cells import SPECIAL, own_codes, state_of
from survlspin.synthetic.seer_extent import YEARS
from survlspin.synthetic.seer_states import Recorded

__all__ = ["sweep"]

COUNTED = (
    "age_recode",
    "size_eod",
    "size_cs",
    "size_sum",
    "size_recode",
    "nodes_pos",
    "nodes_exam",
    "n_malignant",
    "sequence",
    "followup_year",
)
LEFT = ("vital", "registry", "income", "year")  # what the submission decides
SHARE = 2e-5  # of the records have each rare state, one at least
LEAST = 2_000  # records below which nothing is added


def sweep(
    rng: np.random.Generator,
    recorded: Recorded,
    book: Codebook,
    fields: tuple[str, ...],
    scale: float,
) -> None:
    """Record every rare state of the code book for a few tumours of the years of its field.

    Parameters
    ----------
    rng : Generator
    recorded : Recorded
        Changed in place.
    book : Codebook
    fields : tuple of str
    scale : float
        Multiplies the share; 0: nothing is added.
    """
    year = recorded.numbers["year"]
    if scale == 0 or len(year) < LEAST:
        return
    size = max(1, round(SHARE * scale * len(year)))
    for name in fields:
        field = book[name]
        if name in LEFT or not (field.kind == "category" or name in COUNTED):
            continue
        states = recorded.states[name]
        first, last = YEARS.get(name, (0, 9999))
        rows = np.flatnonzero((year >= first) & (year <= last))
        described = dict.fromkeys(SPECIAL.get(name, {}), 1) if name in COUNTED else {}
        for state, variants in (described | _variants(field)).items():
            missing = max(variants, size) - np.count_nonzero(states.is_in(state))
            if missing > 0 and len(rows):
                states[rng.choice(rows, min(missing, len(rows)), replace=False)] = state


def _variants(field: Field) -> dict[str, int]:
    """How many labels or codes each state of a field has at least."""
    variants: dict[str, int] = {}
    for code in own_codes(field):
        if state := state_of(field, code):
            variants[state] = variants.get(state, 0) + max(len(code.labels), len(code.patterns), 1)
    return variants
