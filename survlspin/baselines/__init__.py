"""Models to compare with, in one manner: Cox regression, Cox-LASSO, random survival forests and pycox's DeepSurv.

scikit-survival, lifelines and pycox are loaded when a model needs them, not before.
"""

from .cox import CoxLasso, LassoPath, LifelinesCoxPH
from .deepsurv import PycoxDeepSurv
from .foreign import Encoded, adapt
from .forest import Forest

__all__ = ["CoxLasso", "Encoded", "Forest", "LassoPath", "LifelinesCoxPH", "PycoxDeepSurv", "adapt"]
