"""A container's own tab: everything the source reports, and what it does not."""

import re
import shlex
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.factories import container
from tests.web.site import Site, row_of

HEADINGS = [
    "Overview",
    "State and health",
    "Stats",
    "Ports",
    "Networks",
    "Mounts",
    "Environment",
    "Labels",
    "Entrypoint and command",
    "Compose project",
    "Logs",
    "Terminal",
]


def open_tab(page: Page, site: Site, shown: dict[str, Any], *others: dict[str, Any]) -> None:
    site.push("nas", shown, *others)
    row_of(page, shown["name"]).get_by_role("link").first.click()
    expect(page.get_by_role("heading", name=shown["name"], exact=True)).to_be_visible()


def section(page: Page, title: str) -> Locator:
    return page.locator(".card").filter(has=page.get_by_role("heading", name=title, exact=True))


def fact(page: Page, name: str) -> Locator:
    term = page.locator("dt", has=page.get_by_text(name, exact=True))
    return page.locator(".facts > div").filter(has=term).locator("dd")


def test_the_tab_shows_everything_that_is_reported(admin_page: Page, site: Site) -> None:
    shown = container(
        "web",
        ports=[
            {"hostIp": "127.0.0.1", "hostPort": 5353, "containerPort": 53, "proto": "udp"},
            {"hostIp": None, "hostPort": None, "containerPort": 9000, "proto": "tcp"},
        ],
        mounts=[{"type": "bind", "source": "/srv", "destination": "/www", "rw": False}],
        env=[{"key": "DB_PASSWORD", "value": "hunter2"}, {"key": "LINES", "value": "a=b\nc"}],
        restartCount=3,
    )
    open_tab(admin_page, site, shown)
    sections = admin_page.locator(".detail .card h2, .detail-logs h2, .detail-terminal h2")
    expect(sections).to_have_text(HEADINGS)
    says = {
        "Name": "web",
        "Image": "nginx1.27",
        "Image id": shown["imageId"],
        "Short id": shown["id"][:12],
        "Full id": shown["id"],
        "Uptime": "d",
        "Restart count": "3",
        "Restart policy": "unless-stopped",
        "State": "healthy",
        "Status": "Up 3 hours",
        "Exit code": "still up",
        "Health": "healthy",
        "CPU": "1.40 %",
        "Memory": "20.0 MiB",
        "Network received": "12.3 kB",
        "Network sent": "67.9 kB",
        "Disk read": "0 B",
        "Processes": "3",
        "Entrypoint": "/docker-entrypoint.sh",
        "Command": "nginx -g 'daemon off;'",
    }
    for name, value in says.items():
        expect(fact(admin_page, name)).to_contain_text(value)
    created = fact(admin_page, "Created").locator("time")
    expect(created).to_have_attribute("datetime", "2026-06-20T16:00:00Z")
    expect(section(admin_page, "Ports")).to_contain_text("127.0.0.1:5353→53/udp")
    expect(section(admin_page, "Ports")).to_contain_text("not published")
    expect(section(admin_page, "Networks")).to_contain_text("172.17.0.2")
    expect(section(admin_page, "Mounts")).to_contain_text("read only")
    expect(section(admin_page, "Environment")).to_contain_text("********")
    expect(section(admin_page, "Environment")).not_to_contain_text("hunter2")
    value = section(admin_page, "Environment").locator(".value").last
    assert value.inner_text() == "a=b\nc"
    expect(section(admin_page, "Labels")).to_contain_text("com.docker.compose.project")
    expect(section(admin_page, "Logs")).to_contain_text("Not available from this source")


def test_what_is_not_reported_says_so_and_what_is_empty_says_none(
    admin_page: Page, site: Site
) -> None:
    bare = {"id": "a" * 64, "name": "bare", "image": "x", "state": "running"}
    empty = container("empty", ports=[], networks=[], mounts=[], env=[], labels={}, command="")
    open_tab(admin_page, site, bare, empty)
    for name in ("Image id", "Created", "Started", "Restart count", "Restart policy", "Health"):
        expect(fact(admin_page, name)).to_have_text("— not reported by this source")
    for title in ("Stats", "Ports", "Networks", "Mounts", "Environment", "Labels"):
        expect(section(admin_page, title)).to_contain_text("not reported by this source")
    admin_page.get_by_role("tab", name="Containers").click()
    row_of(admin_page, "empty").get_by_role("link").first.click()
    panel = admin_page.locator("[role=tabpanel]:not([hidden])")
    for title in ("Ports", "Networks", "Mounts", "Environment", "Labels"):
        heading = admin_page.get_by_role("heading", name=title, exact=True)
        expect(panel.locator(".card").filter(has=heading).locator(".none")).to_have_text("none")


def test_what_a_port_a_mount_or_a_variable_does_not_tell_is_not_made_up(
    admin_page: Page, site: Site
) -> None:
    port = {"hostIp": "0.0.0.0", "hostPort": 8080, "containerPort": 80, "proto": None}
    shown = container(
        "web", ports=[port], mounts=[{"destination": "/data"}], env=[{"key": "TZ"}], labels={}
    )
    open_tab(admin_page, site, shown)
    for title, cells in {
        "Ports": ["80", "0.0.0.0", "8080", "8080→80"],
        "Mounts": ["—", "—", "/data", "—"],
        "Environment": ["TZ", "—"],
    }.items():
        row = section(admin_page, title).locator("tbody tr").first
        expect(row.locator("td")).to_have_text(cells)


def test_a_stopped_container_shows_its_exit_code_and_no_stats(admin_page: Page, site: Site) -> None:
    ended = {"state": "exited", "exitCode": 137, "stats": None, "health": "none"}
    shown = container("web", **ended, finishedAt="2026-06-20T17:00:00Z")
    open_tab(admin_page, site, shown)
    expect(fact(admin_page, "Exit code")).to_have_text("137")
    expect(fact(admin_page, "Uptime")).to_have_text("not running")
    expect(section(admin_page, "Stats")).to_contain_text("Only a running container has stats")


def test_tabs_open_close_and_are_there_after_a_reload(admin_page: Page, site: Site) -> None:
    open_tab(admin_page, site, container("web"), container("db"))
    assert "/#/hosts/nas/containers/web" in admin_page.url
    admin_page.get_by_role("tab", name="Containers").click()
    row_of(admin_page, "db").get_by_role("link").first.click()
    admin_page.reload()
    expect(admin_page.get_by_role("tab", name="db")).to_have_attribute("aria-selected", "true")
    expect(admin_page.get_by_role("tab", name="web")).to_be_visible()
    admin_page.get_by_title("Close db").click()
    expect(admin_page.get_by_role("tab", name="db")).to_have_count(0)
    expect(admin_page.get_by_role("tab", name="web")).to_have_attribute("aria-selected", "true")
    admin_page.go_back()
    expect(admin_page.get_by_role("heading", name="db", exact=True)).to_be_visible()


def test_tabs_are_used_with_the_keyboard(admin_page: Page, site: Site) -> None:
    open_tab(admin_page, site, container("web"))
    admin_page.get_by_role("tab", name="web").focus()
    admin_page.keyboard.press("ArrowLeft")
    settings = admin_page.get_by_role("tab", name="Settings")
    expect(settings).to_be_focused()
    expect(settings).to_have_attribute("aria-selected", "true")
    admin_page.keyboard.press("ArrowRight")
    admin_page.keyboard.press("Delete")
    expect(admin_page.get_by_role("tab", name="web")).to_have_count(0)
    expect(admin_page.get_by_role("tab", name="Containers")).to_be_focused()


def test_the_tab_follows_a_container_that_is_recreated_under_its_name(
    admin_page: Page, site: Site
) -> None:
    open_tab(admin_page, site, container("web"))
    site.push("nas", container("web", id="e" * 64, image="nginx:1.28"))
    expect(fact(admin_page, "Full id")).to_contain_text("e" * 64)
    expect(fact(admin_page, "Image")).to_contain_text("1.28")


def test_an_update_keeps_the_focus_and_what_is_typed_in_a_filter(
    admin_page: Page, site: Site
) -> None:
    env = [{"key": f"NAME_{number}", "value": str(number)} for number in range(20)]
    open_tab(admin_page, site, container("web", env=env))
    admin_page.get_by_label("Copy the full id").focus()
    site.push("nas", container("web", env=env, restartCount=1))
    expect(fact(admin_page, "Restart count")).to_contain_text("1 was 0")
    expect(admin_page.get_by_label("Copy the full id")).to_be_focused()
    admin_page.get_by_label("Filter Environment").fill("name_7")
    expect(section(admin_page, "Environment").locator("tbody tr")).to_have_count(1)
    site.push("nas", container("web", env=env, restartCount=2))
    expect(fact(admin_page, "Restart count")).to_contain_text("2 was 0")
    expect(admin_page.get_by_label("Filter Environment")).to_be_focused()
    expect(section(admin_page, "Environment").locator("tbody tr")).to_have_count(1)


def test_no_card_moves_while_one_types_in_a_filter(admin_page: Page, site: Site) -> None:
    env = [{"key": f"NAME_{number}", "value": str(number)} for number in range(30)]
    labels = {f"label.{number}": str(number) for number in range(20)}
    open_tab(admin_page, site, container("web", env=env, labels=labels))
    expect(admin_page.get_by_role("img", name="CPU since")).to_be_visible()
    places = "(all) => all.map((one) => [one.offsetLeft, one.offsetTop])"
    cards = admin_page.locator(".detail > .card")
    before = cards.evaluate_all(places)
    filters = admin_page.get_by_label("Filter Environment")
    rows = section(admin_page, "Environment").locator("tbody tr")
    for text, found in {"name_1": 11, "name_17": 1, "nothing": 0, "": 30}.items():
        filters.fill(text)
        expect(rows).to_have_count(found)
        assert cards.evaluate_all(places) == before, text
    # Nor when a report replaces what was filtered.
    filters.fill("name_17")
    admin_page.get_by_label("Copy the full id").focus()
    site.push("nas", container("web", env=env[:29], labels=labels, restartPolicy="no"))
    expect(fact(admin_page, "Restart policy")).to_contain_text("no")
    assert [x for x, _ in cards.evaluate_all(places)] == [x for x, _ in before]


def test_a_container_that_nobody_knows_leads_back(admin_page: Page, site: Site) -> None:
    site.push("nas", container("web"))
    admin_page.goto(f"{site.url}/#/hosts/nas/containers/nobody")
    expect(admin_page.get_by_text("nas knows no container of this name")).to_be_visible()
    admin_page.get_by_role("link", name="All containers").click()
    expect(row_of(admin_page, "web")).to_be_visible()


def test_ids_are_copied(admin_page: Page, site: Site) -> None:
    admin_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_tab(admin_page, site, container("web"))
    admin_page.get_by_label("Copy the full id").click()
    expect(admin_page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    copied = admin_page.evaluate("navigator.clipboard.readText()")
    assert copied == container("web")["id"]


def test_what_changed_since_the_tab_was_opened_is_listed_and_marked(
    admin_page: Page, site: Site
) -> None:
    open_tab(admin_page, site, container("web", labels={"team": "shop"}))
    changes = admin_page.locator(".changes")
    expect(fact(admin_page, "Restart count")).to_have_text("0")
    expect(changes).to_be_hidden()
    site.push("nas", container("web", restartCount=2, labels={"owner": "ada"}))
    expect(changes).to_contain_text("Restart count 0 → 2")
    expect(changes).to_contain_text("Label team gone, was: shop")
    expect(changes).to_contain_text("Label owner new: ada")
    expect(fact(admin_page, "Restart count")).to_have_text("2 was 0")
    expect(section(admin_page, "Labels").locator("tr[data-changed]")).to_contain_text("new")
    changes.get_by_role("button", name="Mark as seen").click()
    expect(changes).to_be_hidden()
    expect(fact(admin_page, "Restart count")).to_have_text("2")
    site.push("nas", container("web", id="e" * 64, restartCount=2, labels={"owner": "ada"}))
    expect(changes.get_by_role("heading")).to_contain_text("Recreated since")


def test_the_figures_since_the_tab_was_opened_are_drawn(admin_page: Page, site: Site) -> None:
    open_tab(admin_page, site, container("web"))
    chart = admin_page.get_by_role("img", name="CPU since the tab was opened")
    expect(chart).to_have_attribute("aria-label", re.compile("now 1.40 %, at most 1.40 %"))
    stats = {**container("web")["stats"], "cpuPercent": 300, "netRxBytes": 5_000_000}
    site.push("nas", container("web", stats=stats))
    expect(chart).to_have_attribute("aria-label", re.compile("now 300 %, at most 300 %"))
    network = admin_page.get_by_role("img", name="Network since the tab was opened")
    expect(network).to_have_attribute("aria-label", re.compile(r"received [\d.]+ [kM]B/s"))
    drawn = "(node) => new Set(node.querySelector('canvas').getContext('2d').getImageData(0, 0, 400, 100).data).size"  # noqa: E501
    assert chart.evaluate(drawn) > 2


def test_a_container_is_copied_as_docker_run(admin_page: Page, site: Site) -> None:
    admin_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    env = {"TZ": "UTC", "MOTD": "it's", "DB_PASSWORD": "x"}
    shown = container(
        "web",
        env=[{"key": key, "value": value} for key, value in env.items()],
        labels={"com.docker.compose.project": "myapp", "team": "shop"},
        networks=[{"name": "front", "ip": "172.20.0.2"}],
    )
    open_tab(admin_page, site, shown)
    admin_page.get_by_label("Copy as docker run").click()
    expect(admin_page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    copied = admin_page.evaluate("navigator.clipboard.readText()")
    assert shlex.split(copied.replace("\\\n", "")) == [
        "docker", "run", "-d", "--name", "web", "--restart", "unless-stopped", "--network", "front",
        "-p", "8080:80", "-v", "data:/data", "-e", "TZ=UTC", "-e", "MOTD=it's", "-e", "DB_PASSWORD",
        "--label", "team=shop", "--entrypoint", "/docker-entrypoint.sh", "nginx:1.27",
        "nginx", "-g", "daemon off;",
    ]  # fmt: skip
