"""How sparsity acts: one paper, one file."""

from .base import Net
from .contextual import ContextualLasso
from .dense import Dense
from .gradient import GradientLasso
from .lassonet import LassoNet
from .lspin import LLSPIN, LSPIN
from .nimo import NIMO
from .stg import STG

__all__ = ["LLSPIN", "LSPIN", "NIMO", "STG", "ContextualLasso", "Dense", "GradientLasso", "LassoNet", "Net"]
