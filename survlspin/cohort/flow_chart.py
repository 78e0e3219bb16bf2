"""The flow of exclusions as a chart: one self-contained SVG, light and dark, readable on a phone."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from survlspin.cohort.flow import Count, Flow, Step

__all__ = ["svg"]

WIDTH, MARGIN, GAP = 400, 10, 34
MAIN, SIDE, SIDE_AT = 136, 228, 162  # the width of the boxes, and where those at the side begin
LINE, PAD, LETTERS = 17, 9, 26  # the height of a line, around it, and how many letters fit at the side
SPINE = MARGIN + MAIN / 2
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
STYLE = """
svg { max-width: 640px; font: 13px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
.paper { fill: #ffffff; } .box { fill: #f3f6fa; stroke: #5b6b7f; } .side { fill: #ffffff; stroke: #9aa7b5; }
.line { stroke: #5b6b7f; stroke-width: 1.5; fill: none; } .tip { fill: #5b6b7f; }
text { fill: #17212b; } .rule { font-weight: 600; } .small { fill: #55616d; font-size: 12px; }
@media (prefers-color-scheme: dark) {
.paper { fill: #14181d; } .box { fill: #232b34; stroke: #93a3b5; } .side { fill: #14181d; stroke: #667585; }
.line { stroke: #93a3b5; } .tip { fill: #93a3b5; } text { fill: #edf1f5; } .small { fill: #b3bec9; }
}
"""


def svg(flow: Flow, title: str = "Flow of exclusions") -> str:
    """Return the chart of a flow: what was read, what each rule excluded (at the side), and what is left.

    Parameters
    ----------
    flow : Flow
        Mask it before it is published.
    title : str
        What the chart shows, for those who hear it read; not drawn.

    Returns
    -------
    str
        SVG that loads nothing from elsewhere.
    """
    same = all(
        count.rows == count.patients for step in flow.steps for count in (step.before, step.excluded, step.fails)
    )
    parts = [] if same and flow.start.rows == flow.start.patients else ["rows"]
    parts += ["patients", "events"]
    main = (1 + len(parts)) * LINE + 2 * PAD
    top, shapes = MARGIN + main, _box(MARGIN, "Read", flow.start, parts)
    for step in flow.steps:
        side = _side(step, parts)
        height = len(side) * LINE + 2 * PAD
        gap = max(GAP, height - main + 8)
        middle, bottom = top + gap / 2, top + gap
        left = "Left for analysis" if step is flow.steps[-1] else "Left"
        shapes += _arrows(top, middle, bottom) + _rectangle("side", SIDE_AT, middle - height / 2, SIDE, side)
        shapes += _box(bottom, left, step.after, parts)
        top = bottom + main
    notes = _notes(flow)
    shapes += [_text(MARGIN, top + LINE * (i + 1.2), "small", line) for i, line in enumerate(notes)]
    return _document(title, top + LINE * len(notes) + 2 * MARGIN, shapes)


def _document(title: str, height: float, shapes: list[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="100%"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="t">',
            f'<title id="t">{_plain(title)}</title>',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def _box(top: float, head: str, count: Count, parts: list[str]) -> list[str]:
    """Return a box of the main line."""
    return _rectangle("box", MARGIN, top, MAIN, [("rule", head), *(("", line) for line in _numbers(count, parts))])


def _side(step: Step, parts: list[str]) -> list[tuple[str, str]]:
    """Return the lines of the box beside the main line: the rule, what it excluded, and how many fail it at all."""
    lines = [("small", "Excluded unless:"), *(("rule", line) for line in _wrapped(step.text))]
    lines += [("", line) for line in _numbers(step.excluded, parts)]
    fails = getattr(step.fails, parts[0])
    return lines if fails is None else [*lines, ("small", f"fail this at all: {fails:,} {parts[0]}")]


def _numbers(count: Count, parts: list[str]) -> list[str]:
    values = [(part, getattr(count, part)) for part in parts]
    return [f"{part}: hidden" if value is None else f"{value:,} {part}" for part, value in values]


def _rectangle(kind: str, x: float, y: float, width: float, lines: list[tuple[str, str]]) -> list[str]:
    height = len(lines) * LINE + 2 * PAD
    frame = f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"/>'
    base = y + PAD + LINE * 0.75
    return [frame, *(_text(x + PAD, base + i * LINE, style, line) for i, (style, line) in enumerate(lines))]


def _arrows(top: float, middle: float, bottom: float) -> list[str]:
    """Return the arrow down the main line, and the one to the box at its side."""
    return [
        f'<path class="line" d="M{SPINE:g} {top:g}V{bottom - 7:g}M{SPINE:g} {middle:g}H{SIDE_AT - 7:g}"/>',
        f'<path class="tip" d="M{SPINE:g} {bottom:g}l-4-8h8zM{SIDE_AT:g} {middle:g}l-8-4v8z"/>',
    ]


def _notes(flow: Flow) -> list[str]:
    if flow.min_cell in (None, 1):
        return []
    note = (
        f"Rules are pooled and numbers hidden so that none from 1 to {flow.min_cell - 1} is given or can be computed."
    )
    return textwrap.wrap(note, 58)


def _wrapped(text: str) -> list[str]:
    wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return textwrap.wrap(text, LETTERS // 2 if wide else LETTERS)


def _text(x: float, y: float, style: str, text: str) -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{kind}>{_plain(text)}</text>'


def _plain(text: str) -> str:
    return escape(ILLEGAL.sub("\ufffd", text))
