"""The spreadsheet: every container of every host, sorted, searched and kept in place."""

import re

from playwright.sync_api import Page, expect

from tests.factories import container
from tests.web.site import Site, enter, row_of

STATS = {"cpuPercent": 250.0, "memUsage": 209715200, "memLimit": 419430400}
STOPPED = {"state": "exited", "exitCode": 0, "health": "none", "stats": None}


def names(page: Page) -> list[str]:
    return page.locator(".rows .name").all_inner_texts()


def cell(page: Page, name: str, column: str) -> object:
    return row_of(page, name).locator(f"[data-column={column}]")


def headings(page: Page) -> list[str]:
    return page.get_by_role("columnheader").all_inner_texts()


def test_the_first_report_appears_where_the_line_was_that_adds_a_host(
    admin_page: Page, site: Site
) -> None:
    admin_page.get_by_label("Name of the host").fill("nas")
    admin_page.get_by_role("button", name="Make the line").click()
    line = admin_page.locator("pre").first
    expect(line).to_contain_text(f"curl -fsSL {site.url}/agent/install.sh")
    site.push("nas", container("web"))
    expect(row_of(admin_page, "web")).to_be_visible()
    expect(line).to_be_hidden()


def test_every_row_says_name_host_image_state_cpu_memory_ports_and_actions(
    admin_page: Page, site: Site
) -> None:
    image = "registry.lan:5000/shop/web:1.27"
    site.push("nas", container("web", image=image, health=None, stats=STATS))
    row = row_of(admin_page, "web")
    expect(row).to_be_visible()
    assert headings(admin_page) == [
        "Name", "Host", "Image", "State", "CPU", "Memory", "Ports", "Actions",
    ]  # fmt: skip
    expect(row.locator("[data-column=host]")).to_have_text("nas")
    expect(row.locator("[data-column=image] .tag")).to_have_text("1.27")
    expect(row.locator("[data-column=image] bdi")).to_have_text("registry.lan:5000/shop/web")
    expect(row.locator("[data-column=state]")).to_contain_text("running")
    expect(row.locator("[data-column=cpu]")).to_have_text("250 % of 4 cores")
    expect(row.locator("[data-column=cpu] .meter")).to_have_attribute("title", "250 % of 4 cores, 62.5 % of the host. 100 % is one core fully used, as docker stats counts.")  # fmt: skip  # noqa: E501
    expect(row.locator("[data-column=memory]")).to_have_text("200 MiB of 400 MiB")
    bar = row.locator("[data-column=memory] .bar")
    assert bar.evaluate("(node) => node.style.backgroundSize") == "50% 100%"
    expect(row.get_by_role("link", name="8080→80")).to_have_attribute(
        "href", "http://nas.lan:8080/"
    )
    expect(row.locator("[data-column=actions]")).to_have_text("not available from this source")


def test_a_value_that_is_not_reported_is_neither_zero_nor_none(
    admin_page: Page, site: Site
) -> None:
    bare = {"id": "a" * 64, "name": "bare", "image": "x", "state": "running"}
    empty = container("empty", ports=[], stats={"cpuPercent": 0, "memUsage": 0})
    site.push("nas", bare, empty)
    for column in ("cpu", "memory", "ports"):
        expect(cell(admin_page, "bare", column)).to_have_text("—")
        title = cell(admin_page, "bare", column).locator("[title]")
        expect(title).to_have_attribute("title", "Not reported by this source")
    expect(cell(admin_page, "empty", "ports")).to_have_text("none")
    expect(cell(admin_page, "empty", "cpu")).to_have_text("0.00 % of 4 cores")
    expect(cell(admin_page, "empty", "memory")).to_have_text("0 B no limit")


def test_trouble_comes_first_and_a_click_on_a_heading_sorts_by_it(
    admin_page: Page, site: Site
) -> None:
    site.push(
        "nas",
        container("calm"),
        container("done", **STOPPED),
        container("crashed", **{**STOPPED, "exitCode": 137}),
        container("looping", state="restarting", health=None, stats=None),
        container("ill", health="unhealthy"),
    )
    expect(row_of(admin_page, "calm")).to_be_visible()
    assert names(admin_page) == ["ill", "looping", "crashed", "calm", "done"]
    admin_page.get_by_role("button", name="Name").click()
    assert names(admin_page) == ["calm", "crashed", "done", "ill", "looping"]
    admin_page.get_by_role("button", name="Name").click()
    assert names(admin_page) == ["looping", "ill", "done", "crashed", "calm"]
    heading = admin_page.get_by_role("columnheader", name="Name")
    expect(heading).to_have_attribute("aria-sort", "descending")


def test_the_search_finds_by_any_word_and_by_place(admin_page: Page, site: Site) -> None:
    site.push("nas", container("web", labels={"team": "shop"}), container("db", **STOPPED))
    site.push("pi", container("proxy", image="traefik:3", ports=[]))
    expect(row_of(admin_page, "proxy")).to_be_visible()
    box = admin_page.get_by_role("searchbox")
    finds = {
        "traefik": ["proxy"],
        "host:nas": ["web", "db"],
        "state:exited": ["db"],
        "label:team=shop": ["web"],
        "port:8080 web": ["web"],
        "state:": ["web", "proxy", "db"],
        "web state:": ["web"],
        "http:": [],
        "network:bridge host:pi": ["proxy"],
        "nothing-like-it": [],
    }
    for query, found in finds.items():
        box.fill(query)
        assert names(admin_page) == found, query
    expect(admin_page.get_by_text("No container fits")).to_be_visible()
    admin_page.get_by_role("button", name="Show all").click()
    assert len(names(admin_page)) == 3


def test_the_chips_count_and_filter_by_state(admin_page: Page, site: Site) -> None:
    site.push("nas", container("web"), container("ill", health="unhealthy"))
    chip = admin_page.get_by_role("button", name="Unhealthy 1")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    assert names(admin_page) == ["ill"]
    chip.click()
    assert len(names(admin_page)) == 2


def test_each_container_counts_under_one_chip(admin_page: Page, site: Site) -> None:
    site.push("nas", container("web"))
    expect(row_of(admin_page, "web")).to_be_visible()
    chips = admin_page.get_by_role("group", name="Filter by state").get_by_role("button")
    other = chips.filter(has_text="Other")
    expect(other).to_be_hidden()
    words = ["created", "running", "paused", "restarting", "removing", "exited", "dead", "odd", ""]
    site.push("nas", *[container(f"c-{word}", state=word, health="none") for word in words])
    site.push("pi", container("ill", health="unhealthy"))
    expect(row_of(admin_page, "ill")).to_be_visible()
    # Those of the words, the one that is gone and the one that is ill.
    kinds = chips.filter(has_not_text="In trouble")
    counts = [int(text) for text in kinds.locator(".count").all_inner_texts()]
    assert sum(counts) == len(words) + 2
    chips.filter(has_text="Paused").click()
    assert names(admin_page) == ["c-paused"]
    chips.filter(has_text="Paused").click()
    other.click()
    assert names(admin_page) == ["c-", "c-odd", "c-removing"]
    expect(admin_page).to_have_url(re.compile("show=other"))


def test_one_chip_shows_all_that_is_in_trouble(admin_page: Page, site: Site) -> None:
    site.push(
        "nas",
        container("calm"),
        container("done", **STOPPED),
        container("ill", health="unhealthy"),
        container("looping", state="restarting", health=None, stats=None),
        container("killed", **STOPPED, oomKilled=True),
        container("lost", **{**STOPPED, "state": "dead"}),
        container("crashed", **{**STOPPED, "exitCode": 137}),
    )
    expect(admin_page).to_have_title("(5) Containers · ArchNest")
    admin_page.get_by_role("button", name="In trouble 5").click()
    assert sorted(names(admin_page)) == ["crashed", "ill", "killed", "looping", "lost"]
    expect(admin_page).to_have_url(re.compile("show=trouble"))
    admin_page.get_by_role("button", name="Running 1").click()
    assert len(names(admin_page)) == 6


def test_rows_group_by_host_and_by_compose_project(admin_page: Page, site: Site) -> None:
    shop = {"com.docker.compose.project": "shop"}
    site.push("nas", container("web", labels=shop), container("lone", labels={}))
    site.push("pi", container("proxy", labels=shop))
    expect(row_of(admin_page, "proxy")).to_be_visible()
    groups = admin_page.locator(".row.group bdi")
    admin_page.get_by_label("Group").select_option("host")
    assert groups.all_inner_texts() == ["nas", "pi"]
    admin_page.get_by_label("Group").select_option("project")
    assert sorted(groups.all_inner_texts()) == ["no compose project", "shop"]
    admin_page.reload()
    expect(groups.first).to_be_visible()


def test_chosen_columns_are_remembered(admin_page: Page, site: Site) -> None:
    site.push("nas", container("web", restartCount=7))
    admin_page.get_by_text("Columns", exact=True).click()
    admin_page.get_by_label("Restarts").check()
    admin_page.get_by_label("Memory").uncheck()
    admin_page.reload()
    expect(row_of(admin_page, "web").locator("[data-column=restarts]")).to_have_text("7")
    assert "Memory" not in headings(admin_page)


def test_two_tabs_of_the_browser_choose_columns_without_undoing_each_other(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"))
    other = admin_page.context.new_page()
    enter(other, site)
    for page in (admin_page, other):
        expect(row_of(page, "web")).to_be_visible()
    admin_page.get_by_text("Columns", exact=True).click()
    admin_page.get_by_label("Memory").uncheck()
    heading = other.get_by_role("columnheader", name="Memory")
    expect(heading).to_have_count(0)
    other.get_by_role("button", name="CPU").click()
    other.get_by_text("Columns", exact=True).click()
    expect(other.get_by_label("Memory")).not_to_be_checked()
    other.get_by_label("Restarts").check()
    expect(admin_page.get_by_role("columnheader", name="Restarts")).to_be_visible()
    expect_order(admin_page, "state")
    admin_page.reload()
    expect(row_of(admin_page, "web")).to_be_visible()
    assert headings(admin_page) == headings(other)
    assert "Memory" not in headings(other)
    assert "Restarts" in headings(other)


def test_the_theme_is_that_of_every_tab_of_the_browser(admin_page: Page, site: Site) -> None:
    other = admin_page.context.new_page()
    enter(other, site, "/#/settings")
    other.get_by_label("Dark").check()
    expect(admin_page.locator("html")).to_have_attribute("data-theme", "dark")
    other.get_by_label("Follow the system").check()
    expect(admin_page.locator("html")).not_to_have_attribute("data-theme", re.compile(""))


def test_five_thousand_rows_are_all_there_but_few_are_drawn(admin_page: Page, site: Site) -> None:
    site.push("big", *[container(f"c-{number:04}") for number in range(5000)])
    table = admin_page.get_by_role("table", name="Containers")
    expect(table).to_have_attribute("aria-rowcount", "5001")
    assert admin_page.locator(".rows .row").count() < 100
    table.evaluate("(node) => { node.scrollTop = node.scrollHeight }")
    expect(row_of(admin_page, "c-4999")).to_be_in_viewport()


def test_what_is_looked_for_has_an_address_and_back_leads_to_it(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"), container("ill", health="unhealthy"))
    site.push("pi", container("proxy"))
    admin_page.goto(f"{site.url}/#/containers?q=name%3Aw&host=nas&sort=name&descending=1")
    expect(row_of(admin_page, "web")).to_be_visible()
    assert names(admin_page) == ["web"]
    expect(admin_page.get_by_role("searchbox")).to_have_value("name:w")
    heading = admin_page.get_by_role("columnheader", name="Name")
    expect(heading).to_have_attribute("aria-sort", "descending")
    admin_page.get_by_role("searchbox").fill("")
    admin_page.get_by_role("button", name="Unhealthy 1").click()
    row_of(admin_page, "ill").get_by_role("link").first.click()
    expect(admin_page.get_by_role("heading", name="ill")).to_be_visible()
    admin_page.go_back()
    expect(row_of(admin_page, "ill")).to_be_visible()
    assert names(admin_page) == ["ill"]
    assert "host=nas&show=unhealthy" in admin_page.url
    admin_page.get_by_role("tab", name="ill").click()
    admin_page.get_by_role("tab", name="Containers").click()
    assert names(admin_page) == ["ill"]
    admin_page.get_by_role("link", name="ArchNest").click()
    expect(row_of(admin_page, "proxy")).to_be_visible()


def expect_order(page: Page, column: str, group: str = "none") -> None:
    heading = page.locator("[aria-sort=ascending], [aria-sort=descending]")
    expect(heading).to_have_attribute("data-column", column)
    expect(page.get_by_label("Group")).to_have_value(group)


def test_an_address_says_the_order_and_what_it_leaves_out_is_the_usual(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"))
    row_of(admin_page, "web").get_by_role("link").first.click()
    admin_page.get_by_role("tab", name="Containers").click()
    admin_page.get_by_role("button", name="CPU").click()
    admin_page.get_by_label("Group").select_option("host")
    expect(admin_page).to_have_url(re.compile(r"\?sort=cpu&descending=1&group=host$"))
    admin_page.go_back()
    admin_page.go_back()
    expect(admin_page).to_have_url(re.compile("#/containers$"))
    expect_order(admin_page, "state")
    admin_page.go_forward()
    admin_page.go_forward()
    expect_order(admin_page, "cpu", "host")
    admin_page.goto(f"{site.url}/#/containers?q=web")
    expect_order(admin_page, "state")
    admin_page.goto(f"{site.url}/#/containers?sort=name&group=image")
    expect_order(admin_page, "name", "image")
    admin_page.get_by_role("link", name="ArchNest").click()
    expect_order(admin_page, "state")


def test_a_new_tab_of_the_browser_begins_in_the_order_last_chosen_and_says_so(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"))
    admin_page.get_by_role("button", name="Name").click()
    other = admin_page.context.new_page()
    enter(other, site)
    expect_order(other, "name")
    expect(other).to_have_url(re.compile(r"#/containers\?sort=name$"))
    other.get_by_role("link", name="ArchNest").click()
    expect_order(other, "state")
    other.reload()
    expect_order(other, "state")


def test_a_slash_leads_to_the_search_box(admin_page: Page, site: Site) -> None:
    site.push("nas", container("web"))
    expect(row_of(admin_page, "web")).to_be_visible()
    admin_page.keyboard.press("/")
    admin_page.keyboard.type("a/b")
    expect(admin_page.get_by_role("searchbox")).to_have_value("a/b")


def test_what_no_longer_fits_stays_under_the_pointer_until_it_leaves(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("a"), container("b"), container("c"))
    admin_page.get_by_role("searchbox").fill("state:healthy")
    expect(row_of(admin_page, "c")).to_be_visible()
    row_of(admin_page, "c").hover()
    site.push("nas", container("a", health="unhealthy"), container("b"), container("c"))
    expect(row_of(admin_page, "a")).to_contain_text("unhealthy")
    assert names(admin_page) == ["a", "b", "c"]
    expect(admin_page.get_by_text("Sorted anew when you leave the rows")).to_be_visible()
    expect(admin_page).to_have_title("(1) Containers · ArchNest")
    admin_page.get_by_role("searchbox").hover()
    expect(row_of(admin_page, "a")).to_have_count(0)
    assert names(admin_page) == ["b", "c"]


def test_an_update_moves_no_row_under_the_pointer_and_keeps_the_focus(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("a"), container("b"), container("c"))
    link = row_of(admin_page, "c").get_by_role("link").first
    link.focus()
    node = link.element_handle()
    site.push("nas", container("a"), container("b"), container("c", health="unhealthy"))
    expect(row_of(admin_page, "c")).to_contain_text("unhealthy")
    assert names(admin_page) == ["a", "b", "c"]
    assert admin_page.evaluate("(node) => document.activeElement === node", node)
    admin_page.get_by_role("searchbox").focus()
    site.push("nas", container("a"), container("b"), container("c", health="unhealthy", image="y"))
    expect(row_of(admin_page, "c")).to_contain_text("y")
    rows = admin_page.locator(".rows .row")
    expect(rows.filter(has_text="unhealthy")).to_have_attribute("aria-rowindex", "2")


def test_containers_that_share_a_name_are_all_shown(admin_page: Page, site: Site) -> None:
    twins = [container("", id=letter * 64) for letter in "ab"]
    site.push("nas", *twins, container("web", id="c" * 64), container("web", id="d" * 64))
    expect(admin_page.get_by_text("4 of 4 containers")).to_be_visible()
    expect(row_of(admin_page, "web")).to_have_count(2)
    expect(row_of(admin_page, "a" * 12)).to_be_visible()


def test_a_row_that_served_another_container_says_nothing_of_it(
    admin_page: Page, site: Site
) -> None:
    # Cloned machines: the same id and ports on both hosts.
    twin = container("web", id="c" * 64, image="nginx@sha256:" + "a" * 64)
    site.push("nas", twin, hostname=None)
    site.push("pi", {**twin, "image": "nginx:1.28", "stats": None, "health": None}, hostname=None)
    search = admin_page.get_by_role("searchbox")
    says = {
        "nas": ("nginx sha256:", "1.40 %", "healthy"),
        "pi": ("nginx 1.28", "—", "running"),
    }
    for host in ("nas", "pi", "nas", "pi"):
        search.fill(f"host:{host}")
        row = row_of(admin_page, "web")
        expect(row.locator("[data-column=host]")).to_have_text(host)
        image, cpu, state = says[host]
        assert (
            row.locator(".image")
            .evaluate("(node) => [...node.children].map((one) => one.textContent).join(' ')")
            .startswith(image)
        )
        expect(row.locator("[data-column=cpu]")).to_contain_text(cpu)
        expect(row.locator("[data-column=state]")).to_have_text(state)
        link = row.get_by_role("link", name="8080→80")
        expect(link).to_have_attribute("href", f"http://{host}:8080/")
        name = row.get_by_role("link", name="web")
        expect(name).to_have_attribute("href", f"#/hosts/{host}/containers/web")
