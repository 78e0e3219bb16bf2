"""Every head by name, with what it predicts; a new one adds its line and is held to the contract in `test_heads.py`."""

from dataclasses import replace

import numpy as np

from survlspin.heads import Bernoulli, CauseSpecificCox, Cox, Gaussian, Multinomial
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.testing import classes, cohort, numbers


def ended(causes: int, plain: bool = False) -> Outcome:
    """A small outcome with causes 1, 2, ...; plain: without weights, strata and delayed entry."""
    outcome = cohort()
    outcome = replace(outcome, event=outcome.event * np.random.default_rng(1).integers(1, causes + 1, len(outcome)))
    return Outcome(outcome.time, outcome.event) if plain else outcome


CASES = {
    "Cox efron": lambda: (Cox("efron"), cohort()),
    "Cox breslow": lambda: (Cox("breslow"), cohort()),
    "Cox plain": lambda: (Cox(), Outcome(cohort().time, cohort().event)),
    "causes efron": lambda: (CauseSpecificCox(2), ended(2)),
    "causes breslow plain": lambda: (CauseSpecificCox(2, "breslow"), ended(2, plain=True)),
    "a cause without events": lambda: (CauseSpecificCox(2), ended(1)),
    "Gaussian": lambda: (Gaussian(), numbers()),
    "Gaussian plain": lambda: (Gaussian(), Response(numbers().value[:, 0])),
    "Gaussian 3": lambda: (Gaussian(3), numbers(3)),
    "Bernoulli": lambda: (Bernoulli(), classes()),
    "Bernoulli plain": lambda: (Bernoulli(), Response(classes().value)),
    "Multinomial 2": lambda: (Multinomial(2), classes()),
    "Multinomial 3": lambda: (Multinomial(3), classes(3)),
    "Multinomial with an absent class": lambda: (Multinomial(4), classes(3)),
}
