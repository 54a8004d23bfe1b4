"""Accounts, roles, passwords and the look of the page."""

from playwright.sync_api import Locator, Page, expect

from tests.factories import ADMIN, MEMBER
from tests.web.site import Site, sign_in


def account(page: Page, name: str) -> Locator:
    header = page.get_by_role("rowheader", name=name)
    return page.get_by_role("row").filter(has=header)


def roles(site: Site) -> dict[str, str]:
    users = site.ask("GET", "/api/users")["users"]
    return {user["username"]: user["role"] for user in users}


def test_an_admin_adds_an_account_changes_its_role_and_removes_it(
    admin_page: Page, site: Site
) -> None:
    admin_page.get_by_role("tab", name="Users").click()
    admin_page.get_by_label("Username").fill("newcomer")
    admin_page.get_by_label("Password, 8 characters or more").fill("a fresh password")
    admin_page.get_by_role("button", name="Add user").click()
    expect(account(admin_page, "newcomer")).to_contain_text("never")
    assert roles(site)["newcomer"] == "member"
    admin_page.get_by_label("Role of newcomer").select_option("admin")
    admin_page.get_by_role("dialog").get_by_role("button", name="Make admin").click()
    expect(admin_page.get_by_text("Changed newcomer")).to_be_visible()
    assert roles(site)["newcomer"] == "admin"
    account(admin_page, "newcomer").get_by_role("button", name="Remove").click()
    admin_page.get_by_role("dialog", name="Remove newcomer?").wait_for()
    admin_page.get_by_role("button", name="Remove account").click()
    expect(account(admin_page, "newcomer")).to_have_count(0)
    assert "newcomer" not in roles(site)


def test_an_admin_sets_the_password_of_another(admin_page: Page, site: Site) -> None:
    site.add_member()
    admin_page.get_by_role("tab", name="Users").click()
    account(admin_page, MEMBER[0]).get_by_role("button", name="Set password").click()
    dialog = admin_page.get_by_role("dialog")
    dialog.get_by_label(f"New password for {MEMBER[0]}").fill("quite another one")
    dialog.get_by_role("button", name="Set password").click()
    expect(dialog).to_have_count(0)
    body = {"username": MEMBER[0], "password": "quite another one"}
    assert site.ask("POST", "/api/auth/login", body)["user"]["role"] == "member"


def test_a_role_is_changed_by_no_key_alone_and_the_focus_stays(
    admin_page: Page, site: Site
) -> None:
    site.add_member()
    admin_page.get_by_role("tab", name="Users").click()
    role = admin_page.get_by_label(f"Role of {MEMBER[0]}")
    role.focus()
    role.press("ArrowDown")
    dialog = admin_page.get_by_role("dialog", name=f"Make {MEMBER[0]} an admin?")
    expect(dialog).to_contain_text("Admins change everything")
    admin_page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(role).to_have_value("member")
    expect(role).to_be_focused()
    assert roles(site)[MEMBER[0]] == "member"
    role.press("ArrowDown")
    dialog.get_by_role("button", name="Make admin").press("Enter")
    expect(admin_page.get_by_text(f"Changed {MEMBER[0]}")).to_be_visible()
    expect(role).to_have_value("admin")
    expect(role).to_be_focused()
    assert roles(site)[MEMBER[0]] == "admin"


def test_the_last_admin_stays_admin_and_the_page_says_why(admin_page: Page, site: Site) -> None:
    admin_page.get_by_role("tab", name="Users").click()
    admin_page.get_by_label(f"Role of {ADMIN[0]}").select_option("member")
    dialog = admin_page.get_by_role("dialog", name=f"Make {ADMIN[0]} a member?")
    expect(dialog).to_contain_text("You are signed out at once")
    dialog.get_by_role("button", name="Make member").click()
    expect(admin_page.locator(".notice[data-kind=failed]")).to_contain_text("last admin")
    expect(admin_page.get_by_label(f"Role of {ADMIN[0]}")).to_have_value("admin")
    assert roles(site) == {ADMIN[0]: "admin"}


def test_a_taken_or_impossible_name_is_refused_next_to_the_form(
    admin_page: Page, site: Site
) -> None:
    admin_page.get_by_role("tab", name="Users").click()
    error = admin_page.locator(".panel-users .form-error")
    for name in (ADMIN[0], "not a name"):
        admin_page.get_by_label("Username").fill(name)
        admin_page.get_by_label("Password, 8 characters or more").fill("a fresh password")
        admin_page.get_by_role("button", name="Add user").click()
        expect(error).not_to_be_empty()
    assert roles(site) == {ADMIN[0]: "admin"}


def test_a_member_who_follows_a_link_to_the_users_reads_why_it_is_closed(
    site: Site, page: Page
) -> None:
    site.add_member()
    sign_in(page, site, MEMBER, "/#/users")
    panel = page.locator("[role=tabpanel]:not([hidden])")
    expect(panel).to_contain_text("Only admins may open this page")
    expect(panel).to_contain_text(f"signed in as {MEMBER[0]} with the role member")
    expect(panel.get_by_role("button")).to_have_count(0)
    panel.get_by_role("link", name="All containers").click()
    expect(page.get_by_role("tab", name="Containers")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", name="Users")).to_have_count(0)
    for name in ("Sources", "Record"):
        expect(page.get_by_role("tab", name=name)).to_have_count(0)


def test_one_changes_ones_own_password_and_stays_signed_in(site: Site, page: Page) -> None:
    site.add_member()
    sign_in(page, site, MEMBER)
    page.get_by_role("tab", name="Settings").click()
    page.get_by_label("Current password").fill("not it")
    page.get_by_label("New password, 8 characters or more").fill("one more password")
    page.get_by_label("New password again").fill("one more password")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator(".panel-settings .form-error").first).not_to_be_empty()
    page.get_by_label("Current password").fill(MEMBER[1])
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Changed the password")).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    body = {"username": MEMBER[0], "password": "one more password"}
    assert site.ask("POST", "/api/auth/login", body)["user"]["username"] == MEMBER[0]


def test_a_chosen_theme_is_kept_and_the_system_decides_otherwise(
    admin_page: Page, site: Site
) -> None:
    dark = "getComputedStyle(document.body).backgroundColor"
    admin_page.emulate_media(color_scheme="dark")
    by_system = admin_page.evaluate(dark)
    admin_page.get_by_role("tab", name="Settings").click()
    admin_page.get_by_label("Light").check()
    chosen = admin_page.evaluate(dark)
    assert chosen != by_system
    admin_page.reload()
    assert admin_page.evaluate(dark) == chosen
    admin_page.get_by_label("Follow the system").check()
    assert admin_page.evaluate(dark) == by_system
