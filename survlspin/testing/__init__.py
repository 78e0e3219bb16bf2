"""Contract checks for who writes a head, net, estimator or data source: an AssertionError says what does not hold."""

from .common import classes, cohort, numbers
from .estimators import check_estimator
from .heads import check_head
from .nets import check_net
from .sources import check_source

__all__ = ["check_estimator", "check_head", "check_net", "check_source", "classes", "cohort", "numbers"]
