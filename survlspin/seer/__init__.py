"""Reading the files that SEER*Stat writes and NCI ships."""

from .export import Export
from .matrix import read_matrix
from .reader import Source, open_export, read_export

__all__ = ["Export", "Source", "open_export", "read_export", "read_matrix"]
