"""What two plans of a study differ in, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["FREE", "differences"]

FREE = ("models", "units")  # these may change: every unit has a key of its own
HASH, LONGEST = re.compile(r"[0-9a-f]{32,}"), 40
ABSENT = object()


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Return every field that differs, as ``"versions torch: 2.13.0, here 2.12.1"``; models and units may differ."""
    stored, asked = ({name: part for name, part in plan.items() if name not in FREE} for plan in (stored, asked))
    return list(_differences("", stored, asked))


def _differences(name: str, stored: Any, asked: Any) -> Iterator[str]:
    if isinstance(stored, Mapping) and isinstance(asked, Mapping):
        for key in dict.fromkeys([*stored, *asked]):
            yield from _differences(f"{name} {key}".strip(), stored.get(key, ABSENT), asked.get(key, ABSENT))
    elif isinstance(stored, list) and isinstance(asked, list):
        if len(stored) != len(asked):
            yield f"{name}: {len(stored)} entries, here {len(asked)}"
        else:
            for i, pair in enumerate(zip(stored, asked, strict=True), 1):
                yield from _differences(f"{name} {i}", *pair)
    elif (texts := (_text(stored), _text(asked)))[0] != texts[1]:
        a, b = _short(*texts)
        yield f"{name}: {a}, here {b}"


def _text(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _short(*texts: str) -> list[str]:
    """Return two different texts cut such that they still differ."""
    same = next((i for i, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), min(map(len, texts)))
    cuts = [8 if HASH.fullmatch(text) else LONGEST for text in texts]
    start = 0 if same < min(cuts) else same - 4
    return [
        ("..." if start else "") + text[start : start + cut] + ("..." if len(text) > start + cut else "")
        for text, cut in zip(texts, cuts, strict=True)
    ]
