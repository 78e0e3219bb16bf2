"""Single patients, for the keeper of their data alone: a page with a picker, and text for a terminal.

Both say what the model listed for a patient and what each factor did, from the reference patient to this one; the curve
that follows beside the cohort's; and how far the list can be believed.
"""

from .page import write
from .portraits import Patient, Portraits, portraits
from .terminal import explained

__all__ = ["Patient", "Portraits", "explained", "portraits", "write"]
