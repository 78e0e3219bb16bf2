"""Invented patients whose true log-hazard is known: registry-like data for tests, examples and timings."""

from survlspin.synthetic.registry import Truth, registry

__all__ = ["Truth", "registry"]
