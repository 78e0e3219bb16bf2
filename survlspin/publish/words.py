"""What `survlspin factors` says on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from survlspin._messages import persons
from survlspin._text import wrapped

__all__ = ["checked", "exported", "published"]


def exported(report: Mapping[str, Any]) -> str:
    """Return where the rows are, and how far they can be believed."""
    from survlspin.faithfulness import as_text

    lines = [
        f"{report['patients']:,} row{'' if report['patients'] == 1 else 's'}. Wrote to {report['out']}:",
        *(f"  {path.rsplit('/', 1)[-1]}" for path in report["files"]),
        "LOCAL ONLY: the files hold single patients and must not leave the place where their data may be. What may be "
        "shown to others is what survlspin factors publish writes.",
    ]
    return f"{wrapped(lines)}\n\n{as_text(report['card'])}"


def checked(report: Mapping[str, Any]) -> str:
    """Return what a file is."""
    lines = [f"{report['file']}: {report['rows']:,} rows of table {report['table']}, schema {report['schema']}."]
    if report["beside"]:
        lines.append(f"With {report['beside']}: each patient's effects and baseline add up to the log-risk.")
    else:
        lines.append("The other table is not beside it: whether effects add up to log-risks was not checked.")
    return wrapped(lines)


def published(report: Mapping[str, Any]) -> str:
    """Return what was written, what is hidden in it, and how far it can be believed."""
    from survlspin.faithfulness import as_text

    card = report["card"]
    patients = "How many patients is hidden" if card["patients"] is None else persons(card["patients"])
    hidden = "1 count is" if card["hidden"] == 1 else f"{card['hidden']} counts are"
    lines = [
        f"{patients}; no count from 1 to {card['min_cell'] - 1} is shown, {hidden} hidden, "
        "rare sets are counted together.",
        f"Audit: {card['audit']}.",
        f"Wrote to {report['out']}: {', '.join(path.rsplit('/', 1)[-1] for path in report['files'])}.",
    ]
    return f"{wrapped(lines)}\n\n{as_text(card['faithfulness'])}"
