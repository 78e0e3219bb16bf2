"""What `survlspin factors` says on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from survlspin._text import wrapped

__all__ = ["checked", "exported"]


def exported(report: Mapping[str, Any]) -> str:
    """Return where the rows are."""
    lines = [
        f"{report['patients']:,} patients. Wrote to {report['out']}:",
        *(f"  {path.rsplit('/', 1)[-1]}" for path in report["files"]),
        "LOCAL ONLY: the files hold single patients and must not leave the place where their data may be. What may be "
        "shown to others is what survlspin factors publish writes.",
    ]
    return wrapped(lines)


def checked(report: Mapping[str, Any]) -> str:
    """Return what a file is."""
    return wrapped(
        [f"{report['file']}: {report['rows']:,} rows of table {report['table']}, schema {report['schema']}."]
    )
