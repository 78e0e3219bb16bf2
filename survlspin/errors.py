"""Errors that carry a stable code and say what was found and what to do.

Codes: SL-1xx the outcome, SL-2xx the predictors, SL-3xx rows, folds and the protocol, SL-4xx model settings and
prediction, SL-5xx files and the command line.
"""

__all__ = ["InputError", "InputTypeError", "InputWarning"]


class _Coded:
    """A message ``CODE found remedy`` with the code at hand for programs and tests."""

    def __init__(self, code: str, found: str, remedy: str = ""):
        super().__init__(" ".join(part for part in (code, found, remedy) if part))
        self.code, self.found, self.remedy = code, found, remedy

    def __reduce__(self):  # exceptions cross process borders when folds run in parallel
        return type(self), (self.code, self.found, self.remedy)


class InputError(_Coded, ValueError):
    """A value that cannot be used: what was found, and what to do."""


class InputTypeError(_Coded, TypeError):
    """A value of the wrong type: what was found, and what to do."""


class InputWarning(_Coded, UserWarning):
    """Something that looks wrong but does not stop the work."""
