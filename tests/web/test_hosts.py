"""The host selector, and forgetting a host."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.factories import MEMBER, container
from tests.web.site import Site, enter, row_of, sign_in

SILENT = {"ARCHNEST_STALE_AFTER_MS": "1500"}


def selector(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Host")


def test_the_selector_lists_all_hosts_then_each_with_its_source(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"))
    site.push("pi", container("proxy"))
    expect(row_of(admin_page, "proxy")).to_be_visible()
    options = selector(admin_page).locator("option").all_text_contents()
    assert options == ["All hosts (2)", "nas · agent", "pi · agent"]


def test_one_host_shows_its_containers_without_the_host_column(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"))
    site.push("pi", container("proxy"))
    expect(row_of(admin_page, "proxy")).to_be_visible()
    selector(admin_page).select_option("nas")
    expect(row_of(admin_page, "web")).to_be_visible()
    expect(row_of(admin_page, "proxy")).to_have_count(0)
    expect(admin_page.get_by_role("columnheader", name="Host")).to_have_count(0)
    expect(admin_page.locator(".host-note")).to_contain_text("engine")
    admin_page.reload()
    expect(selector(admin_page)).to_have_value("nas")
    expect(row_of(admin_page, "proxy")).to_have_count(0)


def test_an_admin_forgets_a_silent_host_after_a_question_that_names_it(
    own_site: Site, page: Page
) -> None:
    own_site.add_admin()
    own_site.start(**SILENT)
    own_site.push("nas", container("web"))
    own_site.push("pi", container("proxy"))
    enter(page, own_site)
    selector(page).select_option("nas")
    forget = page.get_by_role("button", name="Forget this host")
    forget.click()
    dialog = page.get_by_role("dialog", name="Forget nas?")
    expect(dialog).to_contain_text("1 container")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(row_of(page, "web")).to_be_visible()
    forget.click()
    page.get_by_role("button", name="Forget host").click()
    expect(row_of(page, "web")).to_have_count(0)
    expect(row_of(page, "proxy")).to_be_visible()
    expect(selector(page)).to_have_value("")
    hosts = own_site.ask("GET", "/api/agents/docker/hosts")["hosts"]
    assert [host["hostId"] for host in hosts] == ["pi"]


def test_a_member_is_not_offered_to_forget_a_host(own_site: Site, page: Page) -> None:
    own_site.add_admin()
    own_site.start(**SILENT)
    own_site.add_member()
    own_site.push("nas", container("web"))
    sign_in(page, own_site, MEMBER)
    selector(page).select_option("nas")
    expect(page.locator(".host-note")).to_contain_text("is stale")
    expect(page.get_by_role("button", name="Forget this host")).to_be_hidden()


def test_the_page_works_below_a_base_path(own_site: Site, open_page: Callable[..., Page]) -> None:
    own_site.add_admin()
    own_site.start(ARCHNEST_BASE_PATH="/nest/")
    own_site.url += "/nest"
    own_site.push("nas", container("web"))
    page = open_page()
    sign_in(page, own_site)
    row_of(page, "web").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Hosts").click()
    page.get_by_role("button", name="Add a host").click()
    page.get_by_role("textbox", name="Name of the host").fill("attic")
    page.get_by_role("button", name="Make the line").click()
    expect(page.locator("dialog pre").first).to_contain_text(f"ARCHNEST_URL={own_site.url} ")


def test_a_host_shows_what_it_runs_on_as_far_as_it_is_told(admin_page: Page, site: Site) -> None:
    engine = {"version": "28.2.2", "apiVersion": "1.50", "os": "Debian GNU/Linux 12"}
    machine = {"kernel": "6.1.0", "arch": "x86_64", "cpus": 1, "memTotal": 16 * 2**30}
    site.push("nas", container("web"), engine=engine | machine)
    site.push("old", container("db"), engine=None)
    admin_page.get_by_role("tab", name="Hosts").click()
    for name, told in {
        "nas": [
            "Debian GNU/Linux 12",
            "1 core · 16.0 GiB · x86_64 · 6.1.0 · engine 28.2.2 · API 1.50",
        ],
        "old": ["—"],
    }.items():
        row = admin_page.get_by_role("row").filter(has=admin_page.get_by_role("link", name=name))
        assert row.locator("[data-title=System]").inner_text().split("\n") == told
