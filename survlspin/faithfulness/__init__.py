"""Whether the factors that a model lists for a patient are what its answer rests on, for every export and report."""

from ..metrics.interpretability import Leakage, leakage
from .card import Card, as_text, card
from .masked import listed_risk, masked_refit
from .sampled import moved_rows, sampled_card

__all__ = ["Card", "Leakage", "as_text", "card", "leakage", "listed_risk", "masked_refit", "moved_rows", "sampled_card"]
