"""Whether the factors that a model lists for a patient are what its answer rests on, for every export and report."""

from ..metrics.interpretability import Leakage, leakage
from .card import Card, card
from .masked import listed_risk, masked_refit

__all__ = ["Card", "Leakage", "card", "leakage", "listed_risk", "masked_refit"]
