"""Every head by name, with what it predicts; a new one adds its line and is held to the contract in `test_heads.py`."""

from survlspin.heads import Bernoulli, Cox, Gaussian, Multinomial
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.testing import classes, cohort, numbers

CASES = {
    "Cox efron": lambda: (Cox("efron"), cohort()),
    "Cox breslow": lambda: (Cox("breslow"), cohort()),
    "Cox plain": lambda: (Cox(), Outcome(cohort().time, cohort().event)),
    "Gaussian": lambda: (Gaussian(), numbers()),
    "Gaussian plain": lambda: (Gaussian(), Response(numbers().value[:, 0])),
    "Gaussian 3": lambda: (Gaussian(3), numbers(3)),
    "Bernoulli": lambda: (Bernoulli(), classes()),
    "Bernoulli plain": lambda: (Bernoulli(), Response(classes().value)),
    "Multinomial 2": lambda: (Multinomial(2), classes()),
    "Multinomial 3": lambda: (Multinomial(3), classes(3)),
    "Multinomial with an absent class": lambda: (Multinomial(4), classes(3)),
}
