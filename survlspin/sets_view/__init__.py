"""Sets of factors as a view of the population: which there are, how large, of whom, how these fare, and the gates.

Every function takes a `FactorTable`, or what `selected` of an estimator returns: which factors each patient's answer
uses, true and false.
"""

from .figures import frequency_map, gate_map, size_bars, upset
from .survival import set_survival
from .used import factor_frequency, used_of

__all__ = ["factor_frequency", "frequency_map", "gate_map", "set_survival", "size_bars", "upset", "used_of"]
