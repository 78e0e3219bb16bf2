"""What tests of pages in a browser share: windows, and whether what is seen can be read."""

import re

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1400, "height": 900}


def colors(page, selector, name):
    found = page.locator(selector).first.evaluate("(el, name) => getComputedStyle(el)[name]", name)
    return [int(part) for part in re.findall(r"\d+", found)[:3]]


def luminance(color):
    parts = [c / 255 for c in color]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
