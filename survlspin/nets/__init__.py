"""How sparsity acts: one paper, one file."""

from .base import Net
from .dense import Dense
from .gradient import GradientLasso
from .lassonet import LassoNet
from .lspin import LLSPIN, LSPIN
from .stg import STG

__all__ = ["LLSPIN", "LSPIN", "STG", "Dense", "GradientLasso", "LassoNet", "Net"]
