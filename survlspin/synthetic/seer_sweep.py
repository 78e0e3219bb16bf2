"""Rare codes: what no draw has produced is recorded for a few tumours, so that every code of the code book occurs."""

import numpy as np

from survlspin.codebook import Codebook
from survlspin.synthetic.seer_cells import own_codes, state_of
from survlspin.synthetic.seer_extent import YEARS
from survlspin.synthetic.seer_states import Recorded

__all__ = ["sweep"]

COUNTED = ("size_eod", "size_cs", "size_sum", "size_recode", "nodes_pos", "nodes_exam")
LEFT = ("vital", "registry", "income", "year")  # what the submission decides
SHARE = 2e-5  # of the records have each rare state, one at least
ELSEWHERE = ("site", "other")  # every record is of the breast
LEAST = 2_000  # records below which nothing is added


def sweep(
    rng: np.random.Generator,
    recorded: Recorded,
    book: Codebook,
    fields: tuple[str, ...],
    scale: float,
) -> None:
    """Record every state of the code book that has not occurred, for a few tumours of the years of its field.

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
        there = {states.names[code] for code in np.unique(states.codes)}
        wanted = dict.fromkeys(state_of(field, code) for code in own_codes(field))
        for state in [state for state in wanted if state is not None and state not in there]:
            if len(rows) and (name, state) != ELSEWHERE:
                states[rng.choice(rows, min(size, len(rows)), replace=False)] = state
