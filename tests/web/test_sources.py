"""Adding an engine, seeing how it fares, and removing it."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.engine.dockerd import Engine
from tests.sources.transports import Sshd
from tests.web.site import Site


def add(page: Page, host_id: str, kind: str, address: str, key_file: str = "") -> None:
    page.get_by_role("tab", name="Sources").click()
    page.get_by_label("Host id").fill(host_id)
    page.get_by_label("Kind").select_option(kind)
    page.get_by_label("Address").fill(address)
    if key_file:
        page.get_by_label("Private key file").fill(key_file)
    page.get_by_role("button", name="Test and add").click()


def row_of(page: Page, host_id: str) -> Locator:
    """A source's row; rows of the containers stand behind it until the view has changed."""
    return page.get_by_role("region", name="Sources").get_by_role("row", name=host_id)


def test_a_socket_is_added_seen_and_removed(admin_page: Page, engine: Engine) -> None:
    add(admin_page, "nas", "docker-socket", str(engine.socket))
    row = row_of(admin_page, "nas")
    expect(row).to_contain_text("connected")
    admin_page.get_by_role("tab", name="Containers").click()
    expect(admin_page.get_by_role("option", name="nas")).to_be_attached()
    admin_page.get_by_role("tab", name="Sources").click()
    row.get_by_role("button", name="Remove").click()
    admin_page.get_by_role("button", name="Remove source").click()
    expect(row).to_have_count(0)


def test_what_does_not_work_is_said_and_not_added(admin_page: Page, tmp_path: Path) -> None:
    add(admin_page, "nas", "docker-socket", str(tmp_path / "none.sock"))
    expect(admin_page.get_by_role("alert")).to_contain_text("not-found")
    expect(row_of(admin_page, "nas")).to_have_count(0)


def test_an_ssh_hosts_key_is_accepted_by_its_fingerprint(admin_page: Page, sshd: Sshd) -> None:
    add(admin_page, "lab", "docker-ssh", sshd.address, sshd.key_file)
    admin_page.get_by_role("button", name="Accept SHA256:").click()
    row = row_of(admin_page, "lab")
    expect(row).to_contain_text("connected")
    row.get_by_role("button", name="Remove").click()
    admin_page.get_by_role("button", name="Remove source").click()
    expect(row).to_have_count(0)


def test_a_source_that_cannot_be_asked_is_edited_until_it_can(
    admin_page: Page, site: Site, engine: Engine, tmp_path: Path
) -> None:
    how = {"hostId": "nas", "kind": "docker-socket", "address": str(tmp_path / "none.sock")}
    site.ask("POST", "/api/sources", how)
    admin_page.get_by_role("tab", name="Sources").click()
    row = row_of(admin_page, "nas")
    expect(row).to_contain_text("there is no such file")
    row.get_by_role("button", name="Edit").click()
    dialog = admin_page.get_by_role("dialog")
    dialog.get_by_label("Address").fill(str(engine.socket))
    dialog.get_by_role("button", name="Save and connect").click()
    expect(row).to_contain_text("connected")
