"""Contract checks for anyone who writes a head or a net: each raises an AssertionError that says what does not hold."""

from .common import cohort
from .heads import check_head
from .nets import check_net

__all__ = ["check_head", "check_net", "cohort"]
