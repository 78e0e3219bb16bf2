"""Invented patients whose true log-hazard is known: registry-like data for tests, examples and timings."""

from survlspin.synthetic.causes import CompetingTruth, competing
from survlspin.synthetic.registry import Truth, registry
from survlspin.synthetic.seer_export import SeerExport, seer_export
from survlspin.synthetic.seer_patients import seer_patients

__all__ = ["CompetingTruth", "SeerExport", "Truth", "competing", "registry", "seer_export", "seer_patients"]
