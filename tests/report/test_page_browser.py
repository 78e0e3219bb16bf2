"""The page of a report in a real browser: chromium, by playwright."""

import re

import pytest
from browsing import DESK, PHONE, colors, contrast, luminance
from reported import said

pytestmark = pytest.mark.browser

AREA = "el => { const r = el.getBoundingClientRect(); return r.width * r.height }"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    said("fit", "--model", "CoxPH", "--test", "0.25", "--out", folder / "fit")
    asked = ("--horizon", 730, "--horizon", 1825, "--thresholds", ".2,.4", "--subgroup", "menostat")
    said("report", folder / "fit", *asked, "--out", folder / "out")
    return folder / "out" / "report.html"


@pytest.mark.parametrize("width", [320, 390, 1400])
def test_the_page_fits_its_window(opened, width):
    page = opened({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wide = page.locator(".scroll").evaluate_all("all => all.filter(el => el.scrollWidth > el.clientWidth + 1).length")
    assert wide > 0 or width == 1400  # tables scroll inside their boxes


def test_the_first_tab_skips_to_the_content(opened):
    page = opened()
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the content"
    box = skip.bounding_box()
    assert box["x"] >= 0
    assert box["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_keyboard_reaches_contents_and_folded_tables(opened, viewport):
    page = opened(viewport)
    everything = page.locator("nav a, summary").count()
    reached, folded = [], None
    for _ in range(400):
        page.keyboard.press("Tab")
        tag, inside, width = page.evaluate(
            "() => { const el = document.activeElement;"
            " return [el.tagName, !!el.closest('nav'), parseFloat(getComputedStyle(el).outlineWidth)] }"
        )
        if tag == "BODY":
            break
        assert width > 0  # the focus is seen
        reached.append(tag == "SUMMARY" or (tag == "A" and inside))
        if tag == "SUMMARY" and not inside and folded is None:
            folded = page.evaluate_handle("document.activeElement.parentElement")
            page.keyboard.press("Enter")
            assert folded.evaluate("el => el.open")
            page.keyboard.press("Enter")
            assert not folded.evaluate("el => el.open")
    assert sum(reached) == everything
    assert folded is not None


def test_a_link_of_the_contents_leads_to_its_chapter(opened):
    page = opened(PHONE)
    page.locator("nav a", has_text="What this study cannot say").click()
    assert abs(page.locator("#limits").bounding_box()["y"]) < PHONE["height"] / 2


def test_light_and_dark_can_be_read(opened):
    grounds = []
    for scheme in ("light", "dark"):
        page = opened(color_scheme=scheme)
        ground = colors(page, "body", "backgroundColor")
        grounds.append(luminance(ground))
        for selector, name in (
            ("main p", "color"),
            (".note", "color"),
            ("nav a", "color"),
            ("figure svg text", "fill"),
        ):
            assert contrast(colors(page, selector, name), ground) >= 4.5, (scheme, selector)
        line = colors(page, "figure svg path[style*='stroke: var(--c0)']", "stroke")
        assert contrast(line, ground) >= 3, scheme
    assert grounds[0] > 0.9
    assert grounds[1] < 0.1


def test_print_is_black_on_white_with_every_table(opened):
    page = opened(color_scheme="dark")
    closed = page.locator("details.table:not([open]) table").first
    page.emulate_media(media="print")
    assert luminance(colors(page, "body", "backgroundColor")) > 0.99
    assert luminance(colors(page, "section > p:not(.lead)", "color")) < 0.01
    assert not page.locator("nav").is_visible()
    assert closed.evaluate(AREA) > 1000
    page.set_viewport_size({"width": 700, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") == 700
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 5


def test_figures_say_what_is_seen(opened):
    page = opened()
    names = page.locator("figure svg").evaluate_all("all => all.map(el => el.getAttribute('aria-label'))")
    assert len(names) > 3
    assert all(len(name) > 30 for name in names)
    assert len(set(names)) == len(names)
