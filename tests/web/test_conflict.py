"""Two machines that report as one host, and an agent's clock that is off, on the page."""

import time
from typing import Any

from playwright.sync_api import Page, expect

from archnest.timestamps import rfc3339
from tests.factories import container
from tests.web.site import Site, row_of


def push(site: Site, hostname: str, *names: str, ahead_s: float = 0, **changes: Any) -> None:
    """Report as `nas` from the machine of this name."""
    site.push(
        "nas",
        *map(container, names),
        hostname=hostname,
        reportedAt=rfc3339(time.time() + ahead_s),
        marks={"bootId": f"boot-of-{hostname}"},
        **changes,
    )


def test_two_machines_with_one_name_are_shown_and_named(admin_page: Page, site: Site) -> None:
    for hostname in ("docker01", "docker02", "docker01"):
        push(site, hostname, "web", "db")
    site.push("pi", container("proxy"))
    expect(row_of(admin_page, "proxy")).to_be_visible()
    banner = admin_page.locator(".conflict")
    expect(banner).to_contain_text("2 machines report as nas")
    expect(banner).to_contain_text("docker01\u2069 at 127.0.0.1")
    expect(banner).to_contain_text("docker02\u2069 at 127.0.0.1")
    hosts = admin_page.get_by_role("combobox", name="Host")
    assert "nas · agent · conflict" in hosts.locator("option").all_text_contents()
    admin_page.get_by_role("combobox", name="Group").select_option("host")
    heading = admin_page.locator(".row.group").filter(has_text="nas")
    expect(heading).to_contain_text("2 machines with this name")
    for width in (1440, 360):
        admin_page.set_viewport_size({"width": width, "height": 800})
        expect(banner).to_be_visible()
        assert admin_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    hosts.select_option("pi")
    expect(banner).to_be_hidden()
    hosts.select_option("nas")
    expect(banner).to_be_visible()
    admin_page.get_by_role("tab", name="Hosts", exact=True).click()
    listed = admin_page.get_by_role("table").get_by_role("row").filter(has_text="docker01")
    expect(listed).to_contain_text("2 machines report as nas")
    admin_page.get_by_role("tab", name="Containers", exact=True).click()
    row_of(admin_page, "web").get_by_role("link").first.click()
    expect(admin_page.locator(".standing-note")).to_contain_text("2 machines report as nas")


def test_a_clock_that_is_off_is_told_and_a_right_one_is_not(admin_page: Page, site: Site) -> None:
    push(site, "docker01", "web", ahead_s=3 * 3600 + 60)
    hosts = admin_page.get_by_role("combobox", name="Host")
    expect(row_of(admin_page, "web")).to_be_visible()
    hosts.select_option("nas")
    note = admin_page.locator(".host-note").filter(has_text="reported")
    expect(note).to_contain_text("Its clock is 3 h ahead.")
    push(site, "docker01", "web", ahead_s=-7300)
    expect(note).to_contain_text("Its clock is 2 h behind.")
    push(site, "docker01", "web")
    expect(note).not_to_contain_text("clock")
    expect(note).to_contain_text("reported")
