"""The page of single patients in a real browser: chromium, by playwright."""

import re

import pytest
from browsing import DESK, PHONE, colors, contrast, luminance
from reported import COLUMNS, LABELS, said, written

SHOWN = LABELS[100:130]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patients")
    how = ("--model", "CoxLLSPIN", "--members", 3, "--context", "age", "--lam", 0.001, "--set", "epochs=5")
    said("fit", "--data", written(folder), *COLUMNS, *how, "--out", folder / "fit")
    named = [word for label in SHOWN for word in ("--patient", label)]
    said("factors", "page", folder / "fit", "--id", "id", *named, "--out", folder / "local")
    return folder / "local" / "LOCAL-ONLY-patients.html"


def shown(page):
    return page.locator("article:visible h2").all_inner_texts()


def test_a_click_picks_a_patient(opened):
    page = opened()
    assert shown(page) == [f"Patient {SHOWN[0]}"]
    page.locator("#list li").nth(5).click()
    assert shown(page) == [f"Patient {SHOWN[5]}"]
    assert page.locator("#list li[aria-selected=true]").count() == 1


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_keyboard_finds_a_patient(opened, viewport):
    page = opened(viewport)
    page.keyboard.press("Tab")  # the link that skips to the content
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("-12")
    assert page.locator("#count").inner_text() == "10 of 30 patients"
    assert shown(page) == [f"Patient {LABELS[120]}"]
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    assert shown(page) == [f"Patient {LABELS[122]}"]
    active = page.locator("#find").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").inner_text().startswith(LABELS[122])
    page.keyboard.press("End")
    assert shown(page) == [f"Patient {LABELS[129]}"]
    page.keyboard.type("nobody")
    assert page.locator("#count").inner_text() == "0 of 30 patients"
    assert shown(page) == [f"Patient {LABELS[129]}"]
    page.locator("#find").fill("")
    assert page.locator("#count").inner_text() == "30 of 30 patients"


@pytest.mark.parametrize("width", [320, 390, 1400])
def test_the_page_fits_its_window(opened, width):
    page = opened({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    bar = page.locator("article:visible td.bar svg").nth(1).bounding_box()
    assert bar["width"] > 60
    assert bar["x"] + bar["width"] <= width


def test_bars_lead_from_the_reference_to_the_patient(opened):
    page = opened()
    bars = page.locator("article:visible .box").evaluate_all(
        "all => all.map(el => { const r = el.getBoundingClientRect(); return [r.left, r.right, r.top] })"
    )
    start, end = page.locator("article:visible td.bar i").evaluate_all(
        "all => all.map(el => { const r = el.getBoundingClientRect(); return (r.left + r.right) / 2 })"
    )
    worse = page.locator("article:visible .box").evaluate_all("all => all.map(el => el.matches('.worse'))")
    at = start
    for (left, right, _), up in zip(bars, worse, strict=True):
        assert (left if up else right) == pytest.approx(at, abs=3)
        at = right if up else left
    assert at == pytest.approx(end, abs=3)
    tops = [top for *_, top in bars]
    assert tops == sorted(tops)


def test_light_and_dark_can_be_read(opened):
    grounds = []
    for scheme in ("light", "dark"):
        page = opened(color_scheme=scheme)
        ground = colors(page, "body", "backgroundColor")
        grounds.append(luminance(ground))
        for selector in ("article .lead", "article .note", ".cause", "small.value", ".curve span", "#count"):
            assert contrast(colors(page, selector, "color"), ground) >= 4.5, (scheme, selector)
        chosen = "#list li[aria-selected=true]"
        assert contrast(colors(page, chosen, "color"), colors(page, chosen, "backgroundColor")) >= 4.5, scheme
        for selector, name in ((".box", "backgroundColor"), ("path.own", "stroke"), ("path.cohort", "stroke")):
            assert contrast(colors(page, selector, name), ground) >= 3, (scheme, selector)
    assert grounds[0] > 0.9
    assert grounds[1] < 0.1


def test_print_gives_each_patient_a_page_that_says_it_is_local(opened):
    page = opened(color_scheme="dark")
    assert pages(page) == 1
    page.emulate_media(media="print")
    assert luminance(colors(page, "body", "backgroundColor")) > 0.99
    assert not page.locator("#picker").is_visible()
    assert page.locator("article:visible .paper").inner_text().startswith("LOCAL ONLY")
    printed = "window.print = () => { window.printed = document.querySelectorAll('article:not([hidden])').length }"
    page.emulate_media(media="screen")
    page.evaluate(printed)
    page.locator("#all").click()
    assert page.evaluate("window.printed") == len(SHOWN)
    assert len(shown(page)) == 1  # and back to the one that was picked
    page.evaluate("[...document.querySelectorAll('article')].slice(0, 3).forEach((each) => { each.hidden = false })")
    page.emulate_media(media="print")
    assert pages(page) == 3


def pages(page):
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))


def test_without_its_script_the_page_shows_all_patients(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("article:visible").count() == len(SHOWN)
    assert not page.locator("#picker").is_visible()
