"""What the output of a net means: the likelihood it is trained on."""

from .base import Head, Quadratic, Target
from .cox import Cox
from .glm import Bernoulli, Gaussian, Multinomial
from .risks import CauseSpecificCox

__all__ = ["Bernoulli", "CauseSpecificCox", "Cox", "Gaussian", "Head", "Multinomial", "Quadratic", "Target"]
