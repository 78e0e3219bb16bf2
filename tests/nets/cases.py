"""Every net and every head by name; a new one adds its line, and `test_nets.py` holds the `PAIRS` to the contract.

A case takes the number of models and the head.
"""

from survlspin.heads import Bernoulli, Cox, Gaussian, Multinomial
from survlspin.nets import LLSPIN, LSPIN, NIMO, STG, ContextualLasso, Dense, GradientLasso, LassoNet
from survlspin.nets.affinity import Nearest
from survlspin.testing import classes, cohort, numbers

P = 6
COX = Cox()
GROUP = [0, 1, 1, 2, 0, 2]  # the group of each column
CASES = {
    "LSPIN": lambda models, head=COX: LSPIN(P, (5,), head, gate_hidden=(4,), models=models),
    "LSPIN norm": lambda models, head=COX: LSPIN(
        P, (5, 3), head, act="leaky_relu", norm=True, sigma=1.0, models=models
    ),
    "LSPIN groups": lambda models, head=COX: LSPIN(P, head=head, act="silu", group=GROUP, models=models),
    "LSPIN context": lambda models, head=COX: LSPIN(P, (4,), head, context=[1, 4], models=models),
    "LSPIN context groups": lambda models, head=COX: LSPIN(
        P, head=head, group=[0, 1, 1, 2, 3, 2], context=[0, 3, 5], models=models
    ),
    "LLSPIN": lambda models, head=COX: LLSPIN(P, (), head, gate_hidden=(), models=models),
    "LLSPIN deep norm": lambda models, head=COX: LLSPIN(
        P, (5, 3, 1), head, gate_hidden=(5, 4), norm=True, models=models
    ),
    "LLSPIN groups": lambda models, head=COX: LLSPIN(P, (4,), head, group=GROUP, models=models),
    "LLSPIN context": lambda models, head=COX: LLSPIN(P, (), head, context=[1, 4], norm=True, models=models),
    "LSPIN alike": lambda models, head=COX: LSPIN(P, (4,), head, affinity="rbf", context=[1, 4], models=models),
    "LLSPIN alike": lambda models, head=COX: LLSPIN(P, (), head, affinity=Nearest(3), target=1.5, models=models),
    "Dense": lambda models, head=COX: Dense(P, (5, 4), head, models=models),
    "Dense norm": lambda models, head=COX: Dense(P, (5,), head, act="relu", norm=True, models=models),
    "Dense linear": lambda models, head=COX: Dense(P, (), head, models=models),
    "STG": lambda models, head=COX: STG(P, (5,), head, models=models),
    "STG norm": lambda models, head=COX: STG(P, (5, 3), head, act="relu", norm=True, sigma=1.0, models=models),
    "STG groups": lambda models, head=COX: STG(P, head=head, group=GROUP, models=models),
    "STG linear": lambda models, head=COX: STG(P, (), head, models=models),
    "STG linear norm": lambda models, head=COX: STG(P, (), head, norm=True, group=GROUP, models=models),
    "GradientLasso": lambda models, head=COX: GradientLasso(P, (5, 4), head, models=models),
    "GradientLasso groups": lambda models, head=COX: GradientLasso(
        P, (5,), head, act="tanh", group=GROUP, models=models
    ),
    "GradientLasso linear": lambda models, head=COX: GradientLasso(P, (), head, models=models),
    "LassoNet": lambda models, head=COX: LassoNet(P, (5, 4), head, models=models),
    "LassoNet groups": lambda models, head=COX: LassoNet(P, (5,), head, act="tanh", group=GROUP, models=models),
    "LassoNet linear": lambda models, head=COX: LassoNet(P, head=head, M=0, models=models),
    "ContextualLasso": lambda models, head=COX: ContextualLasso(P, (5,), head, budget=0.8, models=models),
    "NIMO": lambda models, head=COX: NIMO(P, (5,), head, models=models),
    "NIMO memory": lambda models, head=COX: NIMO(P, (5, 4), head, bounds=(-1.0, 3.0), memory=0.5, models=models),
}
HEADS = {
    "Cox efron": (Cox("efron"), cohort()),
    "Cox breslow": (Cox("breslow"), cohort()),
    "Gaussian 1": (Gaussian(1), numbers(1)),
    "Gaussian 3": (Gaussian(3), numbers(3)),
    "Bernoulli": (Bernoulli(), classes()),
    "Multinomial 3": (Multinomial(3), classes(3)),
}
READ_HEADS = ("GradientLasso", "NIMO")  # nets that ask a head for more than the number of outputs and the intercept
FEW_HEADS = ("Cox efron", "Gaussian 3")  # one output without an intercept, several with one


def meets(name, head_name):
    """Whether the two are held to the contract: variations of a net, of more than one word, meet few heads."""
    return " " not in name or name.startswith(READ_HEADS) or head_name in FEW_HEADS


PAIRS = [(name, head_name) for head_name in HEADS for name in CASES if meets(name, head_name)]


def takes(name, head):
    """Whether the net of the name takes the head: NIMO has one output."""
    return head.k == 1 or not name.startswith("NIMO")
