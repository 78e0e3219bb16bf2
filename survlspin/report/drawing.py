"""Figures as SVG: text as text, the same bytes every time, and on the page in the colours of light or dark."""

from __future__ import annotations

import re
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from survlspin.curve import COLORS

if TYPE_CHECKING:
    from .parts import Figure

__all__ = ["COLORS", "GREY", "INK", "PALE", "inlined", "svg"]

INK, GREY, PALE = "#000000", "#767676", "#d9d9d9"  # text and axes; what is beside the point; grids and grounds
FONTS = ["system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "DejaVu Sans", "sans-serif"]
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],  # whose widths are known everywhere; the file names the fonts of the page
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
PROLOG = re.compile(r"\A.*?(?=<svg)", re.S)
METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.S)
SHEET = re.compile(r"\s*<style type=\"text/css\">.*?</style>", re.S)
FONT = re.compile(r" font-family: [^;\"]*;")
LABEL = re.compile(r' id="[A-Za-z.]+(?:2d)?_\d+"')  # of groups, which nothing refers to
NAME = re.compile(r'(\bid="|url\(#|xlink:href="#)')
VARIABLES = {INK: "--ink", GREY: "--grey", PALE: "--pale", "#ffffff": "--paper"}
VARIABLES |= {color.lower(): f"--c{i}" for i, color in enumerate(COLORS) if color.lower() != INK}


def svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file, black on white."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    with rc_context({**STYLE, "svg.hashsalt": figure.name}):
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        canvas.get_layout_engine().execute(canvas)
        canvas.set_layout_engine("none")  # else all is drawn once more, to lay it out again
        text = StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": figure.title})
    fonts = ", ".join(f"'{name}'" if " " in name else name for name in FONTS)
    return METADATA.sub("", text.getvalue()).replace("'DejaVu Sans'", fonts)


def inlined(text: str, name: str, alt: str) -> str:
    """Return the text of an SVG file as an element of a page: names of its own, colours of the page, and words.

    Parameters
    ----------
    text : str
        From `svg`.
    name : str
        What no other figure of the page is called.
    alt : str
    """
    body = SHEET.sub("", PROLOG.sub("", text))
    body = NAME.sub(rf"\g<1>{name}-", LABEL.sub("", FONT.sub("", body)))
    for color, variable in VARIABLES.items():
        body = re.sub(rf"{color}\b", f"var({variable})", body, flags=re.I)
    head, rest = body.split(">", 1)
    head = re.sub(r' (?:width|height|version|xmlns(?::xlink)?)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(alt)}">{rest}'.strip()
