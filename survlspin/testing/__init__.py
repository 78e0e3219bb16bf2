"""Contract checks for who writes a head, a net or an estimator: an AssertionError says what does not hold."""

from .common import classes, cohort, numbers
from .estimators import check_estimator
from .heads import check_head
from .nets import check_net

__all__ = ["check_estimator", "check_head", "check_net", "classes", "cohort", "numbers"]
