"""How sparsity acts: one paper, one file."""

from .base import Net
from .dense import Dense
from .lspin import LLSPIN, LSPIN

__all__ = ["LLSPIN", "LSPIN", "Dense", "Net"]
