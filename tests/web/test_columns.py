"""What the columns say, how they say it is computed, and the order each of them gives."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.factories import container
from tests.web.site import Site, row_of

GIB = 1 << 30
FIRST = container(
    "a-2",
    id="a" * 64,
    image="app:2",
    createdAt="2026-06-01T00:00:00Z",
    startedAt="2026-06-20T00:00:00Z",
    health="unhealthy",
    restartCount=1,
    ports=[{"hostIp": "0.0.0.0", "hostPort": 80, "containerPort": 80, "proto": "tcp"}],
    networks=[{"name": "back", "ip": None}],
    labels={"com.docker.compose.project": "alpha"},
    stats={"cpuPercent": 50, "memUsage": GIB, "memLimit": 16 * GIB},
)
SECOND = container(
    "A-10",
    id="b" * 64,
    image="app:10",
    createdAt="2026-06-02T00:00:00Z",
    startedAt="2026-06-10T00:00:00Z",
    restartCount=12,
    ports=[{"hostIp": "0.0.0.0", "hostPort": 443, "containerPort": 443, "proto": "tcp"}],
    networks=[{"name": "front", "ip": None}],
    labels={"com.docker.compose.project": "beta"},
    stats={"cpuPercent": 120, "memUsage": 2 * GIB, "memLimit": 4 * GIB},
)
# Which of the two comes first with the first click on a heading.
ORDERS = {
    "Name": "a-2",
    "Host": "A-10",
    "Image": "a-2",
    "Health": "A-10",
    "CPU": "A-10",
    "CPU of host": "A-10",
    "Memory": "A-10",
    "Uptime": "a-2",  # the shortest
    "Restarts": "A-10",
    "Networks": "a-2",
    "Created": "a-2",
    "Project": "a-2",
    "Id": "a-2",
    "Ports": "a-2",
}


@pytest.fixture
def full(admin_page: Page, site: Site) -> Page:
    """The list with every column, over two containers that differ in each."""
    engine = {"version": "28.2.2", "cpus": 4, "memTotal": 16 * GIB}
    site.push("nas-10", FIRST, engine=engine)
    site.push("nas-2", SECOND, engine={**engine, "cpus": 1})
    admin_page.set_viewport_size({"width": 2200, "height": 700})
    admin_page.get_by_text("Columns", exact=True).click()
    for box in admin_page.locator(".menu-body input").all():
        box.check()
    admin_page.get_by_role("searchbox").click()
    expect(row_of(admin_page, "A-10")).to_be_visible()
    return admin_page


def first_row(page: Page) -> str:
    return page.locator(".rows .name").first.inner_text()


def cell(page: Page, name: str, column: str) -> Locator:
    return row_of(page, name).locator(f"[data-column={column}]")


def test_every_column_sorts_both_ways(full: Page) -> None:
    headings = full.get_by_role("columnheader")
    for title, first in ORDERS.items():
        heading = headings.filter(has=full.get_by_role("button", name=title, exact=True))
        column = heading.get_attribute("data-column")
        sort = full.locator(f"[role=columnheader][data-column={column}]")
        sort.get_by_role("button").click()
        assert first_row(full) == first, title
        one_way = sort.get_attribute("aria-sort")
        sort.get_by_role("button").click()
        assert first_row(full) != first, title
        assert {one_way, sort.get_attribute("aria-sort")} == {"ascending", "descending"}


def test_health_outranks_running_in_order_and_colour(full: Page) -> None:
    full.get_by_role("columnheader", name="State").get_by_role("button").click()
    shown = full.locator(".rows .badge")
    expect(shown.first).to_be_visible()
    badges = {one.inner_text(): one for one in shown.all()}
    assert set(badges) == {"unhealthy", "healthy"}
    ground = "(node) => getComputedStyle(node).backgroundColor"
    assert badges["unhealthy"].evaluate(ground) != badges["healthy"].evaluate(ground)
    icons = {one.locator("path").get_attribute("d") for one in badges.values()}
    assert len(icons) == 2


def test_figures_say_what_they_are_of_and_how_they_are_computed(full: Page) -> None:
    says = {
        ("a-2", "cpu"): ("50.0 % of 4 cores", "12.5 % of the host. 100 % is one core fully used"),
        ("A-10", "cpu"): ("120 % of 1 core", "120.0 % of the host"),
        ("a-2", "hostshare"): ("12.5 % of the host", "50.0 % of 4 cores"),
        ("a-2", "memory"): ("1.00 GiB no limit", "no limit, host has 16.0 GiB. Page cache is"),
        ("A-10", "memory"): ("2.00 GiB of 4.00 GiB", "limit 4.00 GiB. Page cache is left out"),
    }
    for (name, column), (text, title) in says.items():
        expect(cell(full, name, column)).to_have_text(text)
        tip = cell(full, name, column).locator(".meter").get_attribute("title") or ""
        assert title in tip, tip


def test_an_id_is_short_and_copied_in_full(full: Page) -> None:
    full.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(cell(full, "a-2", "id").locator("code")).to_have_text("a" * 12)
    cell(full, "a-2", "id").get_by_role("button", name="Copy the full id of a-2").click()
    expect(full.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert full.evaluate("navigator.clipboard.readText()") == "a" * 64


def test_rows_group_by_image_and_say_how_many_are_in_trouble(full: Page, site: Site) -> None:
    site.push("pi", container("b", image="app:2"))
    expect(row_of(full, "b")).to_be_visible()
    full.get_by_label("Group").select_option("image")
    groups = {one.locator("bdi").inner_text(): one for one in full.locator(".row.group").all()}
    assert set(groups) == {"app:10", "app:2"}
    expect(groups["app:2"].locator(".count")).to_have_text("2")
    expect(groups["app:2"].locator(".trouble")).to_have_text("1 in trouble")
    expect(groups["app:10"].locator(".trouble")).to_have_count(0)


def test_long_names_leave_room_for_what_tells_them_apart(admin_page: Page, site: Site) -> None:
    ports = [
        {"hostIp": "0.0.0.0", "hostPort": 3000 + n, "containerPort": 3000 + n, "proto": "tcp"}
        for n in range(400)
    ]
    image = f"registry.example.org:5000/{'path/' * 20}app:2026-06-20-build-4711@sha256:{'a' * 64}"
    site.push("nas", container("n" * 300, image=image, ports=ports, state="a state of the future"))
    row = admin_page.locator(".rows .row").first
    expect(row).to_be_visible()
    width = "(node) => node.getBoundingClientRect().width"
    assert row.locator(".image bdi").evaluate(width) > 50
    assert row.locator(".image .tag").first.evaluate(width) > 50
    expect(row.locator(".port").first).to_have_text("3000→3000")
    fits = "(node) => node.scrollWidth <= node.clientWidth"
    assert row.locator(".port").first.evaluate(fits)
    expect(row.locator(".more")).to_have_text("+398")
    assert row.locator("[data-column=ports]").evaluate(fits)
    expect(row.locator(".name")).to_have_attribute("title", "n" * 300)
