"""The nets in pycox's manner: true subclasses of its models, fitted by torchtuples' own loop with its callbacks."""

from .callbacks import EarlyStopping, LRScheduler
from .cox import CoxLLSPIN, CoxLSPIN, DeepSurv
from .evaluation import SurvEval

__all__ = ["CoxLLSPIN", "CoxLSPIN", "DeepSurv", "EarlyStopping", "LRScheduler", "SurvEval"]
