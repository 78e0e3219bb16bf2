"""What the output of a net means: the likelihood it is trained on."""

from .base import Head, Quadratic, Target
from .cox import Cox

__all__ = ["Cox", "Head", "Quadratic", "Target"]
