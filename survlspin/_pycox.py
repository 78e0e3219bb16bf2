"""pycox and torchtuples: the one place that imports them.

pycox makes a folder for its data sets when imported, beside its own code unless told otherwise; here that is the
user's cache. Python from 3.12 on warns of a spelling in pycox's source.
"""

import os
import warnings
from pathlib import Path

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("PYCOX_DATA_DIR", str(_CACHE / "survlspin" / "pycox"))

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)
    import torchtuples as tt
    from pycox.evaluation import EvalSurv
    from pycox.models import CoxPH

__all__ = ["CoxPH", "EvalSurv", "tt"]
