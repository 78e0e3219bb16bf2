"""Every net by name; a new one adds its line and is held to the contract in `test_nets.py`."""

from survlspin.nets import LLSPIN, LSPIN, NIMO, STG, ContextualLasso, Dense, GradientLasso, LassoNet
from survlspin.nets.affinity import Nearest

P = 6
CASES = {
    "LSPIN": lambda models: LSPIN(P, (5,), gate_hidden=(4,), models=models),
    "LSPIN norm": lambda models: LSPIN(P, (5, 3), act="leaky_relu", norm=True, sigma=1.0, models=models),
    "LSPIN groups": lambda models: LSPIN(P, act="silu", group=[0, 1, 1, 2, 0, 2], models=models),
    "LSPIN context": lambda models: LSPIN(P, (4,), context=[1, 4], models=models),
    "LSPIN context groups": lambda models: LSPIN(P, group=[0, 1, 1, 2, 3, 2], context=[0, 3, 5], models=models),
    "LLSPIN": lambda models: LLSPIN(P, gate_hidden=(), models=models),
    "LLSPIN deep norm": lambda models: LLSPIN(P, (5, 3, 1), gate_hidden=(5, 4), norm=True, models=models),
    "LLSPIN groups": lambda models: LLSPIN(P, (4,), group=[0, 1, 1, 2, 0, 2], models=models),
    "LLSPIN context": lambda models: LLSPIN(P, context=[1, 4], norm=True, models=models),
    "LSPIN alike": lambda models: LSPIN(P, (4,), affinity="rbf", context=[1, 4], models=models),
    "LLSPIN alike": lambda models: LLSPIN(P, affinity=Nearest(3), target=1.5, models=models),
    "Dense": lambda models: Dense(P, (5, 4), models=models),
    "Dense norm": lambda models: Dense(P, (5,), act="relu", norm=True, models=models),
    "Dense linear": lambda models: Dense(P, (), models=models),
    "STG": lambda models: STG(P, (5,), models=models),
    "STG norm": lambda models: STG(P, (5, 3), act="relu", norm=True, sigma=1.0, models=models),
    "STG groups": lambda models: STG(P, group=[0, 1, 1, 2, 0, 2], models=models),
    "STG linear": lambda models: STG(P, (), models=models),
    "STG linear norm": lambda models: STG(P, (), norm=True, group=[0, 1, 1, 2, 0, 2], models=models),
    "GradientLasso": lambda models: GradientLasso(P, (5, 4), models=models),
    "GradientLasso groups": lambda models: GradientLasso(P, (5,), act="tanh", group=[0, 1, 1, 2, 0, 2], models=models),
    "GradientLasso linear": lambda models: GradientLasso(P, (), models=models),
    "LassoNet": lambda models: LassoNet(P, (5, 4), models=models),
    "LassoNet groups": lambda models: LassoNet(P, (5,), act="tanh", group=[0, 1, 1, 2, 0, 2], models=models),
    "LassoNet linear": lambda models: LassoNet(P, M=0, models=models),
    "ContextualLasso": lambda models: ContextualLasso(P, (5,), budget=0.8, models=models),
    "NIMO": lambda models: NIMO(P, (5, 4), bounds=(-1.0, 3.0), memory=0.5, models=models),
}
