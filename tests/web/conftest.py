"""The shipped page in a real browser on a real server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.web.site import CHROMIUM, CHROMIUM_ARGS, Site, Watch, enter

DESKTOP = {"width": 1440, "height": 900}
# A machine that also runs an engine for the test may be slow; the page need not be.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for every test of the page; gone before other tests run their loops."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def _shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.add_admin()
    site.start()
    yield site
    site.stop()


@pytest.fixture
def site(_shared_site: Site) -> Iterator[Site]:
    """A running server with one admin and no host; what a test adds is forgotten after it."""
    yield _shared_site
    _shared_site.clear()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A server that the test may configure, start, stop and leave without an admin."""
    site = Site(tmp_path)
    yield site
    site.stop()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page of its own profile; at the end nothing may have been refused or failed in it."""
    opened: list[Watch] = []

    def open_one(**options: object) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        opened.append(Watch(page))
        return page

    yield open_one
    faults = [fault for watch in opened for fault in watch.faults]
    for watch in opened:
        watch.page.context.close()
    assert not faults


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page at desktop size, not yet anywhere."""
    return open_page()


@pytest.fixture
def admin_page(page: Page, site: Site) -> Page:
    """The page with the admin signed in."""
    enter(page, site)
    return page
