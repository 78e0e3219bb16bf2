"""Settings found by Optuna on training and validation rows alone, with a ledger of which rows every trial saw."""

from .ledger import Ledger
from .rows import Rows, Sight, sight_of
from .search import Search, search, tuned
from .settings import Tuning
from .spaces import space_of
from .storage import trials_done

__all__ = ["Ledger", "Rows", "Search", "Sight", "Tuning", "search", "sight_of", "space_of", "trials_done", "tuned"]
