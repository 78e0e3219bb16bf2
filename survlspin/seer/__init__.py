"""Reading the files that SEER*Stat writes and NCI ships."""

from .reader import Export, Source, open_export, read_export

__all__ = ["Export", "Source", "open_export", "read_export"]
