"""Which risk factors a model used for each patient, and what each of them did to the log-hazard.

The tables are made block by block from what an estimator says of a block of patients (:class:`Explanation`), so that
half a million patients are never held at once.
"""

from survlspin.factors.explanation import Basis, Explanation
from survlspin.factors.sets import SetTable
from survlspin.factors.shapley import shapley
from survlspin.factors.table import FactorTable
from survlspin.tables import read_csv

__all__ = ["Basis", "Explanation", "FactorTable", "SetTable", "read_csv", "shapley"]
