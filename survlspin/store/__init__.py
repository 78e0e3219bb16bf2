"""Where a study is kept while it runs: a folder of sealed files, one study and one writer at a time."""

from .files import FORMAT
from .fingerprint import fingerprint, versions
from .folder import StoreFolder
from .lock import Holder
from .settings import settings_of
from .store import Store

__all__ = ["FORMAT", "Holder", "Store", "StoreFolder", "fingerprint", "settings_of", "versions"]
