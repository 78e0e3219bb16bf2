"""A browser, for the tests that ask for one: chromium, by playwright; and what a busy machine may do to properties."""

import os
import shutil

import pytest
from browsing import DESK
from hypothesis import HealthCheck, settings

settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, file):
    """Open the page in the fixture `file`; what it asks for and complains of is kept, and must be nothing."""
    contexts, requests, complaints = [], [], []

    def open_(viewport=DESK, **how):
        context = chromium.new_context(viewport=viewport, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
    assert requests == [file.as_uri()] * len(contexts)
