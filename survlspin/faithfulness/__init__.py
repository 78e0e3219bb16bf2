"""Whether the factors that a model lists for a patient are what its answer rests on, for every export and report."""

from ..metrics.interpretability import Leakage, leakage
from .alike import ALIKE, alike
from .card import Card, as_text, card
from .masked import listed_risk, masked_refit
from .over_folds import over_folds
from .sampled import moved_rows, sampled_card, unmeasured

__all__ = [
    "ALIKE", "Card", "Leakage", "alike", "as_text", "card", "leakage", "listed_risk", "masked_refit", "moved_rows",
    "over_folds", "sampled_card", "unmeasured",
]  # fmt: skip
