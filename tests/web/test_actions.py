"""Acting on a real engine's containers from the page, and reading the record."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.engine.awkward import ALONE, IMAGE, SLEEP
from tests.engine.dockerd import Engine
from tests.factories import MEMBER, container
from tests.web.site import Site, row_of, sign_in


@pytest.fixture
def worker(site: Site, engine: Engine) -> Iterator[str]:
    """A running container of a host whose engine is asked."""
    engine.docker("run", "-d", "--name", "worker", "--stop-timeout", "1", *ALONE, IMAGE, *SLEEP)
    how = {"hostId": "lab", "kind": "docker-socket", "address": str(engine.socket)}
    site.ask("POST", "/api/sources", how)
    yield "worker"
    engine.docker("rm", "-f", "worker")


def more(page: Page, action: str) -> None:
    page.get_by_role("button", name="More actions for worker").click()
    page.get_by_role("menuitem", name=action).click()


def test_a_container_is_restarted_stopped_and_removed_from_its_row(
    admin_page: Page, site: Site, worker: str
) -> None:
    # More than a screen: the row that is worked on moves out of view when it is gone.
    site.push("vm-1", *[container(f"other-{number}") for number in range(60)])
    row = row_of(admin_page, worker)
    row.get_by_role("button", name="Restart worker").click()
    expect(row.get_by_role("status")).to_have_text("restarted")
    fits = (
        "(node) => node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight"
    )
    for width in (1440, 1280, 900):
        admin_page.set_viewport_size({"width": width, "height": 900})
        assert row.locator(".actions").evaluate(fits), width
        assert row.get_by_role("status").evaluate(fits), width
    admin_page.set_viewport_size({"width": 1440, "height": 900})
    more(admin_page, "Kill")
    expect(row).to_contain_text("exited")
    row.get_by_role("button", name="Start worker").click()
    expect(row).to_contain_text("running")
    more(admin_page, "Remove")
    dialog = admin_page.get_by_role("dialog")
    expect(dialog).to_contain_text("worker on lab is removed for good, killed first")
    dialog.get_by_role("button", name="Remove container").click()
    expect(row).to_contain_text("gone")
    admin_page.get_by_role("tab", name="Record").click()
    first = admin_page.get_by_role("row").nth(1)
    expect(first).to_contain_text("container.remove")
    expect(first).to_contain_text("worker on lab")
    expect(first).to_contain_text("done")


def test_the_keyboard_keeps_its_place_in_a_row_and_walks_along_the_menu(
    admin_page: Page, worker: str
) -> None:
    row = row_of(admin_page, worker)
    row.get_by_role("button", name="Restart worker").focus()
    admin_page.keyboard.press("Shift+Tab")
    admin_page.keyboard.press("Tab")
    asked: list[Route] = []
    admin_page.route("**/actions", lambda route: asked.append(route))
    admin_page.keyboard.press("Enter")
    expect(row.locator(":focus")).to_have_text("restarting …")
    while not asked:
        admin_page.wait_for_timeout(50)
    asked[0].continue_()
    expect(row.get_by_role("status")).to_have_text("restarted")
    more = row.get_by_role("button", name="More actions for worker")
    expect(more).to_be_focused()
    admin_page.keyboard.press("Enter")
    items = admin_page.get_by_role("menuitem")
    expect(items).to_have_text(["Restart", "Stop", "Pause", "Kill", "Remove"])
    expect(items.first).to_be_focused()
    for key, name in {"ArrowDown": "Stop", "End": "Remove", "Home": "Restart"}.items():
        admin_page.keyboard.press(key)
        expect(items.filter(has_text=name)).to_be_focused()
    admin_page.keyboard.press("ArrowUp")
    expect(items.last).to_be_focused()
    admin_page.keyboard.press("Escape")
    expect(items).to_have_count(0)
    expect(more).to_be_focused()


def test_what_the_engine_says_reaches_the_person(
    admin_page: Page, worker: str, engine: Engine
) -> None:
    row = row_of(admin_page, worker)
    expect(row.get_by_role("button", name="Restart worker")).to_be_visible()
    # The page's picture lags behind on purpose: the action is on what was seen.
    admin_page.route("**/api/containers*", lambda route: route.abort())
    asked: list[Route] = []
    admin_page.route("**/actions", lambda route: asked.append(route))
    engine.docker("pause", "worker")
    more(admin_page, "Pause")
    expect(row.get_by_role("status")).to_have_text("pausing …")
    # Whoever leaves the row is told, too, while nothing else of it changes.
    row.hover()
    admin_page.get_by_label("Search containers").hover()
    while not asked:
        admin_page.wait_for_timeout(50)
    asked[0].continue_()
    expect(row.get_by_role("status")).to_have_text("could not pause")
    expect(admin_page.locator("#notices")).to_contain_text("already paused")
    admin_page.unroute("**/actions")
    admin_page.unroute("**/api/containers*")


def test_a_member_is_offered_nothing_and_an_agents_host_says_why(
    page: Page, admin_page: Page, site: Site, worker: str, open_page: Callable[..., Page]
) -> None:
    site.push("vm-1", container(name="pushed"))
    expect(row_of(admin_page, "pushed")).to_contain_text("not available")
    site.add_member()
    other = open_page()
    sign_in(other, site, MEMBER)
    row = row_of(other, worker)
    expect(row).to_contain_text("running")
    expect(row.get_by_role("button")).to_have_count(0)
    expect(other.get_by_role("tab", name="Record")).to_have_count(0)
    expect(row_of(other, "pushed")).to_be_visible()
    # A column in which nothing ever stands takes no room.
    expect(other.get_by_role("columnheader", name="Actions")).to_have_count(0)
    other.get_by_text("Columns", exact=True).click()
    expect(other.get_by_label("Memory")).to_be_visible()
    expect(other.get_by_label("Actions")).to_have_count(0)
