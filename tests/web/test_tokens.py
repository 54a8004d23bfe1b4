"""Access tokens on the settings page."""

from playwright.sync_api import Page, expect

from tests.factories import ADMIN, MEMBER
from tests.web.site import Site, sign_in


def make(page: Page, name: str, password: str) -> None:
    page.get_by_label("What is it for?").fill(name)
    page.get_by_label("Your password").fill(password)
    page.get_by_role("button", name="Make token").click()


def test_a_token_is_made_shown_once_works_and_is_revoked(admin_page: Page, site: Site) -> None:
    admin_page.get_by_role("tab", name="Settings").click()
    make(admin_page, "inventory", "not the password")
    expect(admin_page.locator(".form-error").last).to_contain_text("password is wrong")
    make(admin_page, "inventory", ADMIN[1])
    shown = admin_page.locator("code", has_text="anp_").inner_text()
    assert site.ask("GET", "/api/auth/me", token=shown)["role"] == "member"
    admin_page.reload()
    row = admin_page.get_by_role("row").filter(has_text="inventory")
    expect(row).to_contain_text("127.0.0.1")
    expect(admin_page.get_by_text(shown)).to_have_count(0)
    row.get_by_role("button", name="Revoke inventory").click()
    admin_page.get_by_role("button", name="Revoke token").click()
    expect(row).to_have_count(0)
    assert site.ask("GET", "/api/auth/tokens")["tokens"] == []


def test_a_member_makes_no_token_above_their_role(site: Site, page: Page) -> None:
    site.add_member()
    sign_in(page, site, MEMBER, "/#/settings")
    section = page.locator("section").filter(has_text="Access tokens")
    expect(section.get_by_label("Role")).to_have_value("member")
    expect(section.get_by_role("option", name="admin")).to_have_count(0)
    make(page, "<b>script</b>", MEMBER[1])
    expect(section.get_by_role("rowheader", name="<b>script</b>")).to_be_visible()
