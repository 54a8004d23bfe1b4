"""A server that is away, slow or failing, and a browser that keeps nothing."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.factories import ADMIN, container
from tests.web.site import Site, enter, row_of, sign_in

HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
# A browser that refuses storage throws at the mere mention of it; a full one, when it is written.
REFUSED = """for (const name of ["localStorage", "sessionStorage"]) {
  const get = () => { throw new DOMException("denied", "SecurityError"); };
  Object.defineProperty(window, name, { get });
}"""
FULL = """Storage.prototype.setItem = () => {
  throw new DOMException("full", "QuotaExceededError");
};"""
POLL = "**/api/containers*"


@pytest.fixture
def asked(admin_page: Page, site: Site) -> list[Request]:
    """The page's polls as they come, with one container known."""
    site.push("nas", container("web"))
    expect(row_of(admin_page, "web")).to_be_visible()
    requests: list[Request] = []
    admin_page.on("request", lambda one: "/api/containers" in one.url and requests.append(one))
    return requests


def test_a_hidden_tab_asks_for_nothing_and_catches_up_at_once(
    admin_page: Page, site: Site, asked: list[Request]
) -> None:
    admin_page.evaluate(HIDE, True)
    admin_page.wait_for_timeout(1_000)
    asked.clear()
    site.push("nas", container("web"), container("db"))
    admin_page.wait_for_timeout(4_000)
    assert asked == []
    expect(row_of(admin_page, "db")).to_have_count(0)
    admin_page.evaluate(HIDE, False)
    expect(row_of(admin_page, "db")).to_be_visible(timeout=1_400)


def test_a_poll_asks_only_for_what_changed(
    admin_page: Page, site: Site, asked: list[Request]
) -> None:
    for number in range(20):
        site.push(f"pi-{number}", container("dns"))
    expect(admin_page.get_by_text("21 of 21 containers on 21 hosts")).to_be_visible()
    admin_page.wait_for_timeout(2_000)
    asked.clear()
    site.push("pi-3", container("dns", health="unhealthy"))
    expect(admin_page.get_by_role("button", name="Unhealthy 1")).to_be_visible()
    answers = [one.response() for one in asked]
    bodies = [one.json() for one in answers if one is not None and one.status == 200]
    assert [[host["host"]["hostId"] for host in body["hosts"]] for body in bodies] == [["pi-3"]]
    assert all("since=" in one.url for one in asked)
    admin_page.wait_for_timeout(4_000)
    last = asked[-1].response()
    assert last is not None
    assert last.status == 304
    assert "if-none-match" in asked[-1].headers


def test_what_one_answer_could_not_hold_is_asked_for_at_once(
    admin_page: Page, site: Site, asked: list[Request]
) -> None:
    times: list[float] = []

    def hold_back(route: Route) -> None:
        """Say once that there is more, and note when that was and when the page asked then."""
        answer = route.fetch()
        if times:
            times.append(time.monotonic())
        if answer.status == 200 and not times:
            route.fulfill(response=answer, json={**answer.json(), "more": True})
            times.append(time.monotonic())
        else:
            route.fulfill(response=answer)

    admin_page.route(POLL, hold_back)
    site.push("nas", container("db"))
    expect(row_of(admin_page, "db")).to_be_visible()
    admin_page.wait_for_timeout(3_500)
    told, at_once, later = times[:3]
    assert at_once - told < 1.0
    assert later - at_once > 1.2


def test_a_server_that_is_away_is_asked_ever_less_but_at_once_when_somebody_comes(
    admin_page: Page, site: Site, asked: list[Request]
) -> None:
    admin_page.route(POLL, lambda route: route.abort())
    banner = admin_page.get_by_role("alert")
    expect(banner).to_contain_text("cannot be reached")
    asked.clear()
    admin_page.wait_for_timeout(8_000)
    assert len(asked) <= 3
    admin_page.unroute(POLL)
    admin_page.mouse.click(5, 400)
    expect(banner).to_be_hidden(timeout=1_400)
    expect(row_of(admin_page, "web")).to_be_visible()


def test_a_failing_server_is_told_and_what_is_shown_says_its_age(
    admin_page: Page, site: Site, asked: list[Request]
) -> None:
    def fail(route: Route) -> None:
        route.fulfill(status=500, body="oops")

    admin_page.route("**/api/hosts/nas/containers/*", fail)
    row_of(admin_page, "web").get_by_role("link").first.click()
    panel = admin_page.locator("[role=tabpanel]:not([hidden])")
    expect(panel).to_contain_text("The server answered 500. The page goes on asking.")
    admin_page.unroute("**/api/hosts/nas/containers/*")
    expect(panel.get_by_role("heading", name="Mounts")).to_be_visible()
    admin_page.route("**/api/hosts/nas/containers/*", fail)
    site.push("nas", container("web", restartCount=5))
    note = panel.locator(".standing-note")
    expect(note).to_contain_text("It could not be brought up to date: The server answered 500.")
    expect(panel.get_by_role("heading", name="Mounts")).to_be_visible()
    admin_page.unroute("**/api/hosts/nas/containers/*")
    expect(panel.locator(".facts")).not_to_have_count(0)
    expect(note).to_contain_text("As reported")
    admin_page.route(POLL, fail)
    expect(admin_page.get_by_role("alert")).to_contain_text("The server answered 500.")


def test_a_slow_server_is_waited_for_and_does_not_keep_anybody(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.push("nas", container("web"))
    page = open_page()

    held: list[Route] = []
    page.route(POLL, lambda route: held.append(route))
    enter(page, site)
    expect(page.get_by_text("Waiting for the first answer")).to_be_visible()
    page.wait_for_timeout(5_000)
    expect(page.get_by_role("alert")).to_be_hidden()
    assert len(held) == 1
    held[0].continue_()
    page.unroute(POLL)
    expect(row_of(page, "web")).to_be_visible()
    # Left unanswered: who leaves is let go.
    page.route("**/api/auth/logout", lambda route: None)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=6_000)


@pytest.mark.parametrize("storage", [REFUSED, FULL], ids=["refused", "full"])
def test_without_storage_the_page_works_until_it_is_closed(
    site: Site, open_page: Callable[..., Page], storage: str
) -> None:
    page = open_page()
    page.add_init_script(storage)
    site.push("nas", container("web"))
    sign_in(page, site, ADMIN, stay=True)
    row_of(page, "web").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Settings").click()
    page.get_by_label("Dark").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("tab", name="Containers").click()
    page.get_by_label("Group").select_option("host")
    expect(page.locator(".row.group")).to_have_count(1)
    # Its own session, not the one that other tests share.
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("lost", ["**/parts/table.js", "**/app.js", "**/*.*s"])
def test_a_part_of_the_page_that_does_not_arrive_is_asked_for_again_and_then_told(
    site: Site, page: Page, lost: str
) -> None:
    tried: list[str] = []

    def lose(route: Route) -> None:
        tried.append(route.request.url)
        route.abort()

    page.route(lost, lose)
    page.goto(site.url)
    expect(page.get_by_role("alert")).to_contain_text("A part of the page did not arrive")
    assert max(tried.count(url) for url in tried) == 4
    page.unroute(lost)
    page.get_by_role("button", name="Load it again").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_hosts_and_sources_say_once_that_the_server_is_away(admin_page: Page, site: Site) -> None:
    admin_page.goto(f"{site.url}/#/sources")
    expect(admin_page.get_by_text("none yet")).to_be_visible()
    admin_page.route("**/api/**", lambda route: route.abort())
    expect(admin_page.get_by_role("alert")).to_contain_text("cannot be reached")
    admin_page.wait_for_timeout(3_000)
    expect(admin_page.locator(".notice")).to_have_count(0)


@pytest.mark.parametrize("view", ["users", "record"])
def test_a_view_that_is_opened_while_the_server_is_away_fills_by_itself(
    admin_page: Page, site: Site, view: str
) -> None:
    admin_page.route("**/api/**", lambda route: route.abort())
    admin_page.goto(f"{site.url}/#/{view}")
    expect(admin_page.get_by_role("alert").first).to_contain_text("cannot be reached")
    panel = admin_page.locator("[role=tabpanel]:not([hidden])")
    expect(panel).to_contain_text("Loading")
    admin_page.unroute("**/api/**")
    expect(panel.locator("tbody tr").first).to_contain_text(ADMIN[0])
    expect(panel).not_to_contain_text("Loading")
    expect(panel).not_to_contain_text("cannot be reached")


def test_an_open_record_shows_what_is_done_meanwhile_beside_what_is_older(
    admin_page: Page, site: Site
) -> None:
    for number in range(130):
        site.ask("POST", "/api/agents/docker/tokens", {"hostId": f"host-{number}"})
    admin_page.goto(f"{site.url}/#/record")
    rows = admin_page.locator(".panel-record tbody tr")
    expect(rows).to_have_count(100)
    expect(rows.first).to_contain_text("host-129")
    admin_page.get_by_role("button", name="Show older").click()
    expect(rows.nth(129)).to_contain_text("host-0")
    # A row that stays keeps what is selected in it.
    rows.first.evaluate("(node) => { node.dataset.kept = 'yes'; }")
    site.ask("POST", "/api/agents/docker/tokens", {"hostId": "newcomer"})
    expect(rows.first).to_contain_text("newcomer")
    expect(rows.nth(1)).to_have_attribute("data-kept", "yes")
    expect(rows.nth(130)).to_contain_text("host-0")


def test_a_view_that_is_not_shown_asks_for_nothing(admin_page: Page, site: Site) -> None:
    for view in ("sources", "hosts", "users", "record", "containers"):
        admin_page.goto(f"{site.url}/#/{view}")
        admin_page.wait_for_timeout(500)
    seen: list[str] = []
    admin_page.on("request", lambda one: seen.append(one.url))
    admin_page.wait_for_timeout(6_000)
    assert {url.partition("/api/")[2].partition("?")[0] for url in seen} == {"containers"}
