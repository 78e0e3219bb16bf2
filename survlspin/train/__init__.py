"""Training B models at once: one step, an optimiser on rows of one buffer, early stopping model by model."""

from .fit import History, Rows, Settings, fit, predict
from .step import Batch, Data, step

__all__ = ["Batch", "Data", "History", "Rows", "Settings", "fit", "predict", "step"]
