"""Measures of explanations, after Yang, Lindenbaum and Kluger: each a function of arrays, and all of them for a model.

None of them shows that a factor matters for the patient: they measure what a model uses, and how it behaves.
"""

from .explained import Explained, explained
from .faithfulness import Faithfulness, faithfulness, row_correlations
from .gates import Diversity, counts_per_patient, diversity, gate_statistics, set_sizes
from .generalizability import generalizability
from .leakage import Leakage, leakage
from .lipschitz import lipschitz
from .overview import interpretability

__all__ = [
    "Diversity",
    "Explained",
    "Faithfulness",
    "Leakage",
    "counts_per_patient",
    "diversity",
    "explained",
    "faithfulness",
    "gate_statistics",
    "generalizability",
    "interpretability",
    "leakage",
    "lipschitz",
    "row_correlations",
    "set_sizes",
]
