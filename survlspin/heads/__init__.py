"""What the output of a net means: the likelihood it is trained on."""

from .base import Head, Quadratic, Target
from .cox import Cox
from .glm import Bernoulli, Gaussian, Multinomial

__all__ = ["Bernoulli", "Cox", "Gaussian", "Head", "Multinomial", "Quadratic", "Target"]
