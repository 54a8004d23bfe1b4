"""States that never lie: stopped, gone and unknown look different, without a reload."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.factories import container
from tests.web.site import Site, enter, row_of

STALE_AFTER_MS = 4000


@pytest.fixture
def impatient(own_site: Site, page: Page) -> Site:
    """A site whose hosts turn stale after four seconds, with the page open."""
    own_site.add_admin()
    own_site.start(ARCHNEST_STALE_AFTER_MS=str(STALE_AFTER_MS))
    enter(page, own_site)
    return own_site


def test_a_stopped_a_crashed_and_a_gone_container_differ_in_word_and_icon(
    admin_page: Page, site: Site
) -> None:
    stopped = {"state": "exited", "stats": None, "health": "none"}
    done = container("done", **stopped, exitCode=0)
    crashed = container("crashed", **stopped, exitCode=137)
    killed = container("killed", **stopped, exitCode=137, oomKilled=True)
    site.push("nas", container("web"), container("leaver"), done, crashed, killed)
    site.push("nas", container("web"), done, crashed, killed)
    says = {
        "web": "healthy",
        "done": "exited (0)",
        "crashed": "exited (137)",
        "killed": "out of memory",
        "leaver": "gone since",
    }
    icons = set()
    for name, words in says.items():
        expect(row_of(admin_page, name).locator("[data-column=state]")).to_contain_text(words)
        icons.add(row_of(admin_page, name).locator(".badge path").get_attribute("d"))
    assert len(icons) == 4  # crashed and killed are both failures
    expect(row_of(admin_page, "leaver")).to_contain_text("last seen running")


def test_a_gone_container_says_so_in_its_tab_and_is_back_when_it_returns(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"), container("leaver"))
    row_of(admin_page, "leaver").get_by_role("link").first.click()
    note = admin_page.get_by_role("tabpanel").locator(".standing-note")
    expect(note).to_contain_text("As reported")
    site.push("nas", container("web"))
    expect(note).to_contain_text("This container is gone since")
    expect(admin_page.get_by_role("heading", name="leaver")).to_be_visible()
    site.push("nas", container("web"), container("leaver", id="f" * 64))
    expect(admin_page.get_by_text("f" * 64).first).to_be_visible()
    expect(note).to_contain_text("As reported")


def test_a_silent_host_turns_its_containers_unknown_without_a_reload_and_back(
    impatient: Site, page: Page
) -> None:
    page.evaluate("window.sameDocument = true")
    impatient.push("nas", container("web"))
    row = row_of(page, "web")
    expect(row).to_contain_text("healthy")
    state = row.locator("[data-column=state]")
    expect(state).to_contain_text("unknown since", timeout=15_000)
    expect(state).to_contain_text("last seen running")
    expect(row.locator("[data-column=cpu]")).to_have_text("1.40 % of 4 cores")
    colour = "(node) => getComputedStyle(node).color"
    figure = row.locator("[data-column=cpu] .figure")
    assert figure.evaluate(colour) != row.evaluate(colour)
    expect(page.get_by_text("Stale: nas (last report")).to_be_visible()
    expect(page.get_by_role("combobox", name="Host").locator("option").nth(1)).to_have_text(
        "nas · agent · stale"
    )
    row.get_by_role("link").first.click()
    expect(page.get_by_text("state unknown since")).to_be_visible()
    impatient.push("nas", container("web"))
    expect(page.get_by_text("As reported")).to_be_visible()
    assert page.evaluate("window.sameDocument")


def test_without_the_server_a_banner_says_how_old_everything_is_until_it_answers_again(
    impatient: Site, page: Page
) -> None:
    impatient.push("nas", container("web"))
    expect(row_of(page, "web")).to_be_visible()
    impatient.stop()
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("cannot be reached")
    expect(banner).to_contain_text("What is shown is as of")
    expect(row_of(page, "web")).to_contain_text("unknown since", timeout=15_000)
    impatient.start(ARCHNEST_STALE_AFTER_MS=str(STALE_AFTER_MS))
    impatient.push("nas", container("web"))
    page.get_by_role("button", name="Try now").click()
    expect(banner).to_be_hidden()
    expect(row_of(page, "web")).to_contain_text("healthy")


def test_ages_follow_the_servers_clock_not_the_browsers(site: Site, page: Page) -> None:
    site.push("nas", container("web"))
    page.clock.install(time=time.time() + 86_400)
    page.clock.resume()
    enter(page, site)
    page.get_by_role("combobox", name="Host").select_option("nas")
    expect(page.locator(".host-note")).to_contain_text(re.compile(r"reported \d+ s ago"))
