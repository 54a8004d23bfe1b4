"""A real container's log on the page: followed, searched, harmless."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.engine.awkward import ALONE, FLOOD, IMAGE
from tests.engine.dockerd import Engine
from tests.factories import container
from tests.web.site import Site, enter

Talk = Callable[..., None]
# True once the end of the newest line has been inside its box for a second's frames in a row.
AT_END = """async () => {
  const log = document.querySelector("[role=tabpanel]:not([hidden]) .log");
  for (let frame = 0, seen = 0; frame < 1200; frame += 1) {
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const bottom = log.querySelector(".log-line:last-child").getBoundingClientRect().bottom;
    const below = bottom - log.getBoundingClientRect().bottom;
    seen = below < 1 && below > -20 ? seen + 1 : 0;
    if (seen === 60) return true;
  }
  return false;
}"""


@pytest.fixture
def talk(site: Site, engine: Engine) -> Iterator[Talk]:
    """Run a shell line in a container of a host whose engine is asked."""

    def run(line: str, *options: str) -> None:
        engine.docker("run", "-d", "--name", "talker", *ALONE, *options, IMAGE, "sh", "-c", line)
        how = {"hostId": "lab", "kind": "docker-socket", "address": str(engine.socket)}
        site.ask("POST", "/api/sources", how)

    yield run
    engine.docker("rm", "-f", "talker")


def opened(page: Page, site: Site) -> Page:
    page.get_by_role("link", name="talker").click()
    expect(page.get_by_role("heading", name="talker")).to_be_visible()
    return page


def test_lines_are_followed_told_apart_searched_and_downloaded(
    admin_page: Page, site: Site, talk: Talk, engine: Engine
) -> None:
    talk(
        "echo first; echo trouble >&2; until [ -e /go ]; do sleep 0.1; done; echo later; sleep 1000"
    )
    page = opened(admin_page, site)
    log = page.get_by_role("log")
    expect(log).to_contain_text("first")
    expect(log.locator("[data-stream=stderr]")).to_contain_text(["trouble"])
    expect(log).not_to_contain_text("later")
    engine.docker("exec", "talker", "touch", "/go")
    expect(log).to_contain_text("later")
    expect(page.locator("[aria-label=Lines] :checked")).to_have_text("last 200 lines")
    expect(page.locator("[aria-label=Since] :checked")).to_have_text("of any age")
    page.get_by_label("Search in the log").fill("TROUBLE")
    expect(page.get_by_text("1 line", exact=True)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert "first" in Path(download.value.path()).read_text()
    assert download.value.suggested_filename == "talker.log"


def test_only_matching_lines_are_shown_where_that_is_wanted_also_of_those_that_come(
    admin_page: Page, site: Site, talk: Talk, engine: Engine
) -> None:
    talk("seq 30; until [ -e /go ]; do sleep 0.1; done; echo 31; echo 40; sleep 1000")
    page = opened(admin_page, site)
    lines = page.get_by_role("log").locator(".log-text").filter(visible=True)
    expect(lines).to_have_count(30)
    page.get_by_label("Only matches").check()
    expect(lines).to_have_count(30)
    page.get_by_label("Search in the log").fill("3")
    expect(lines).to_have_text(["3", "13", "23", "30"])
    engine.docker("exec", "talker", "touch", "/go")
    expect(lines).to_have_text(["3", "13", "23", "30", "31"])
    page.get_by_label("Only matches").uncheck()
    expect(lines).to_have_count(32)


def test_a_download_is_the_whole_log_or_all_of_the_chosen_age(
    admin_page: Page, site: Site, talk: Talk
) -> None:
    talk("seq 1000; sleep 1000")
    page = opened(admin_page, site)
    expect(page.get_by_role("log").locator(".log-text")).to_have_count(200)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the whole log").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert [line.split()[1] for line in lines] == [str(number) for number in range(1, 1001)]
    page.get_by_label("Since", exact=True).select_option("of the last hour")
    with page.expect_request("**/logs?*format=text*") as asked:
        page.get_by_role("button", name="Download the log of the last hour").click()
    assert "tail=all" in asked.value.url
    assert "since=" in asked.value.url


def test_a_download_can_be_cancelled(admin_page: Page, site: Site, talk: Talk) -> None:
    talk("echo first; sleep 1000")
    page = opened(admin_page, site)
    # Left unanswered, as a log of many megabytes takes its time.
    page.route("**/logs?*format=text*", lambda route: None)
    page.get_by_role("button", name="Download the whole log").click()
    page.get_by_role("button", name="Cancel the download").click()
    expect(page.get_by_role("button", name="Download the whole log")).to_be_focused()
    expect(page.locator(".notice")).to_have_count(0)


def test_a_followed_log_goes_on_when_its_container_runs_again(
    admin_page: Page, site: Site, talk: Talk, engine: Engine
) -> None:
    talk("echo begun; echo begun >&2; sleep 1000")
    page = opened(admin_page, site)
    lines = page.get_by_role("log").locator(".log-text")
    note = page.locator(".logs .log-note")
    expect(lines).to_have_text(["begun"] * 2)
    expect(note).to_have_text("Following.")
    engine.docker("stop", "-t", "0", "talker")
    expect(note).to_have_text("The container is not running; waiting for it to start.")
    expect(page.get_by_label("Follow")).to_be_checked()
    engine.docker("start", "talker")
    expect(lines).to_have_text(["begun"] * 4)
    expect(note).to_have_text("Following.")
    engine.docker("restart", "-t", "0", "talker")
    expect(lines).to_have_text(["begun"] * 6)
    expect(note).to_have_text("Following.")


def test_each_run_of_a_container_that_keeps_ending_is_told_once(
    admin_page: Page, site: Site, talk: Talk, engine: Engine
) -> None:
    talk("date +%s%N; echo one; exit 1", "--restart", "always")
    page = opened(admin_page, site)
    lines = page.get_by_role("log").locator(".log-text")
    expect(lines.nth(11)).to_be_attached(timeout=60_000)
    engine.docker("update", "--restart", "no", "talker")
    expect(page.get_by_role("main")).to_contain_text("Exited (1)")
    told = engine.docker("logs", "talker").split()
    expect(lines).to_have_text(told)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_followed_log_outlives_a_proxy_that_is_away(
    admin_page: Page, site: Site, talk: Talk, status: int
) -> None:
    talk("echo first; sleep 1000")

    def fail(route: Route) -> None:
        route.fulfill(status=status, body="<html>away</html>", content_type="text/html")

    admin_page.route("**/logs?*", fail)
    page = opened(admin_page, site)
    note = page.locator(".logs .log-note")
    expect(note).to_contain_text(f"The server answered {status}.")
    page.unroute("**/logs?*")
    expect(page.get_by_role("log").locator(".log-text")).to_have_text(["first"])
    expect(note).to_have_text("Following.")


def test_what_a_container_prints_stays_inert(admin_page: Page, site: Site, talk: Talk) -> None:
    title = "\\033]0;owned\\007"
    clipboard = "\\033]52;c;b3duZWQ=\\007"
    link = "\\033]8;;http://evil.example/\\033\\\\click\\033]8;;\\033\\\\"
    markup = "<img src=x onerror=alert(1)>"
    talk(f"printf '{title}{clipboard}{link}{markup}\\033[31mred\\033[0m\\033[2Jend\\n'; sleep 1000")
    page = opened(admin_page, site)
    line = page.get_by_role("log").locator(".log-text")
    expect(line).to_have_text(f"click{markup}redend")
    expect(line.locator(".fg-1")).to_have_text("red")
    expect(line.locator("a, img")).to_have_count(0)
    assert "owned" not in page.title()


def test_times_are_local_as_everywhere_on_the_page(
    site: Site, open_page: Callable[..., Page], talk: Talk, engine: Engine
) -> None:
    talk("echo now; sleep 1000")
    page = open_page(timezone_id="Asia/Kathmandu")
    enter(page, site)
    opened(page, site)
    time = page.get_by_role("log").locator("time")
    told = engine.docker("logs", "-t", "talker").split()[0]
    at = datetime.fromisoformat(told)
    local = at.astimezone(timezone(timedelta(hours=5, minutes=45)))
    expect(time).to_have_text(local.isoformat(timespec="milliseconds")[11:23])
    expect(time).to_have_attribute("title", told)


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desktop", "phone"])
def test_the_newest_line_is_in_view_however_long_lines_are(
    site: Site, open_page: Callable[..., Page], talk: Talk, engine: Engine, size: tuple[int, int]
) -> None:
    some = "seq 40; for n in 1 2 3 4 5 6; do seq -s ' ' 300; seq -s ' ' 2000; done; seq -s '' 400"
    talk(
        f"for go in 1 2 3; do {some}; echo batch $go; until [ -e /go$go ]; do sleep 0.1; done; done"
    )
    page = open_page(viewport={"width": size[0], "height": size[1]})
    enter(page, site)
    opened(page, site)
    log = page.get_by_role("log")
    for batch in ("1", "2", "3"):
        expect(log.locator(".log-line").last).to_contain_text(f"batch {batch}")
        log.scroll_into_view_if_needed()
        assert page.evaluate(AT_END)
        expect(page.get_by_role("button", name="↓ Newest")).to_be_hidden()
        engine.docker("exec", "talker", "touch", f"/go{batch}")
    page.set_viewport_size({"width": size[1], "height": size[0]})
    assert page.evaluate(AT_END)
    log.hover()
    page.mouse.wheel(0, -300)
    page.get_by_role("button", name="↓ Newest").click()
    assert page.evaluate(AT_END)


def test_a_flood_leaves_the_page_alive_and_bounded(
    admin_page: Page, site: Site, talk: Talk
) -> None:
    talk(FLOOD)
    page = opened(admin_page, site)
    expect(page.get_by_text("older ones went")).to_be_visible(timeout=120_000)
    assert page.locator(".log-line").count() <= 5400
    # A press of a key is answered while it floods.
    page.get_by_role("tab", name="Containers").click()
    expect(page.get_by_label("Search containers")).to_be_visible()


def test_an_agents_host_says_why_it_has_no_log(admin_page: Page, site: Site) -> None:
    site.push("vm-1", container(name="pushed"))
    admin_page.get_by_role("link", name="pushed").click()
    expect(admin_page.get_by_text("an agent reports what a container is")).to_be_visible()
