"""The page for every eye and every width: axe-core finds nothing, nothing overflows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.factories import MEMBER, container
from tests.web.conftest import DESKTOP, PHONE
from tests.web.site import Site, enter, row_of, sign_in

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async () => (await axe.run()).violations.map(
  ({id, nodes}) => ({id, nodes: nodes.map((node) => [node.target, node.failureSummary])}))"""
VIEWS = [
    "#/containers",
    "#/hosts/nas/containers/web",
    "#/hosts",
    "#/sources",
    "#/users",
    "#/record",
    "#/settings",
    "#/containers?group=host",
    "#/containers?q=nothing-like-it",
    "#/containers?host=twin",
    "#/hosts/nas/containers/leaver",
    "#/hosts/twin/containers/copy",
    "#/hosts/nas/containers/nobody",
    "#/nowhere",
]
FIRST_LOAD_BYTES = 150_000
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def check(page: Page) -> None:
    page.evaluate(AXE.read_text())
    violations = page.evaluate(RUN_AXE)
    assert not violations, json.dumps(violations, indent=1)


def fill(site: Site) -> None:
    """Containers of every standing that the list can show."""
    stopped = {"stats": None, "health": "none", "state": "exited"}
    others = [
        container("web", env=[{"key": f"K_{n}", "value": "v" * 80} for n in range(20)]),
        container("ill", health="unhealthy"),
        container("young", health="starting"),
        container("looping", state="restarting", stats=None),
        container("paused", state="paused"),
        container("made", state="created", stats=None),
        container("done", **stopped, exitCode=0),
        container("crashed", **stopped, exitCode=1),
        container("a-rather-long-name-of-a-container-that-somebody-chose", image="x/" + "y" * 90),
        {"id": "b" * 64, "name": "bare", "image": "x", "state": "running"},
    ]
    site.push("nas", container("leaver"), *others)
    site.push("nas", *others)
    for machine in ("docker01", "docker02", "docker01"):
        site.push("twin", container("copy"), hostname=machine, marks={"bootId": machine})


def check_dialogs(page: Page, site: Site) -> None:
    """What opens above a view."""
    page.goto(f"{site.url}/#/hosts")
    page.get_by_role("button", name="Add a host").click()
    check(page)
    page.keyboard.press("Escape")
    for question in ("Tokens of nas", "Forget nas"):
        page.get_by_role("button", name=question).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        check(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto(f"{site.url}/#/users")
    page.get_by_role("button", name="Set password").click()
    check(page)
    page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_in_what_newcomers_and_members_see(
    own_site: Site, open_page: Callable[..., Page], scheme: str, size: dict[str, int]
) -> None:
    own_site.start()
    page = open_page(viewport=size, color_scheme=scheme)
    page.goto(own_site.setup_link)
    expect(page.get_by_role("heading", name="Make the first admin")).to_be_visible()
    check(page)
    own_site.stop()
    own_site.add_admin()
    own_site.start()
    own_site.add_member()
    sign_in(page, own_site, MEMBER, "/#/users")
    expect(page.get_by_text("Only admins may open this page")).to_be_visible()
    check(page)
    page.get_by_role("tab", name="Containers").click()
    expect(page.get_by_text("An admin adds the first one")).to_be_visible()
    check(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_in_any_view(
    site: Site, open_page: Callable[..., Page], scheme: str, size: dict[str, int]
) -> None:
    page = open_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    enter(page, site)
    expect(page.get_by_text("No host reports yet")).to_be_visible()
    check(page)
    fill(site)
    site.add_member()
    for view in VIEWS:
        page.goto(f"{site.url}/{view}")
        expect(page.locator("[role=tabpanel]:not([hidden]) h1")).to_be_attached()
        page.wait_for_timeout(200)
        check(page)
    check_dialogs(page, site)
    # Signing out here would end the session that all tests share.
    stranger = open_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    stranger.goto(site.url)
    expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
    check(stranger)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_the_server_is_away(
    own_site: Site, open_page: Callable[..., Page], scheme: str
) -> None:
    own_site.add_admin()
    own_site.start(ARCHNEST_STALE_AFTER_MS="1000")
    fill(own_site)
    page = open_page(color_scheme=scheme)
    enter(page, own_site, "/#/hosts/nas/containers/web")
    own_site.stop()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    check(page)
    page.get_by_role("tab", name="Containers").click()
    expect(row_of(page, "web")).to_contain_text("unknown since")
    check(page)


@pytest.mark.parametrize("width", [320, 360, 768, 1440, 3840])
def test_no_view_scrolls_sideways(site: Site, open_page: Callable[..., Page], width: int) -> None:
    fill(site)
    page = open_page(viewport={"width": width, "height": 740})
    enter(page, site)
    for view in VIEWS:
        page.goto(f"{site.url}/{view}")
        panel = page.locator("[role=tabpanel]:not([hidden])")
        expect(panel.locator("h1")).to_be_attached()
        assert page.evaluate(WIDER) <= 0, view
        assert panel.evaluate("(node) => node.scrollWidth - node.clientWidth") <= 0, view


def test_the_first_load_is_small(site: Site, page: Page) -> None:
    fill(site)
    sizes: list[int] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda one: sizes.append(one["encodedDataLength"]))
    enter(page, site)
    expect(row_of(page, "web")).to_be_visible()
    assert len(sizes) > 30
    assert sum(sizes) < FIRST_LOAD_BYTES, f"{sum(sizes)} bytes in {len(sizes)} answers"


def test_a_phone_shows_each_container_as_a_card_with_what_matters(
    site: Site, open_page: Callable[..., Page]
) -> None:
    fill(site)
    page = open_page(viewport=PHONE)
    enter(page, site)
    row = row_of(page, "ill")
    expect(row).to_contain_text("unhealthy")
    expect(row.locator("[data-column=host]")).to_be_visible()
    expect(row.locator("[data-column=cpu]")).to_be_visible()
    expect(row.locator("[data-column=memory]")).to_be_visible()
    table = page.get_by_role("table", name="Containers")
    assert table.evaluate("(node) => node.scrollWidth - node.clientWidth") <= 0
    row.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="ill")).to_be_visible()
