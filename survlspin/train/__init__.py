"""Training B models at once: one step, an optimiser on rows of one buffer, early stopping model by model."""

from .evaluate import predict
from .fit import fit
from .rows import Rows
from .settings import Settings
from .step import Batch, Data, step
from .training import History

__all__ = ["Batch", "Data", "History", "Rows", "Settings", "fit", "predict", "step"]
