"""Who gets in, where the session is kept, and how it ends."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.factories import ADMIN, MEMBER, container
from tests.web.site import Site, row_of, sign_in

STORED = "(name) => [sessionStorage, localStorage].map((one) => name in one)"


def where_kept(page: Page) -> tuple[bool, bool]:
    in_tab, on_device = page.evaluate(STORED, "archnest.session")
    return in_tab, on_device


def test_the_setup_link_makes_the_first_admin_once(
    own_site: Site, page: Page, open_page: Callable[..., Page]
) -> None:
    own_site.start()
    page.goto(own_site.setup_link)
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password, 8 characters or more").fill("first password")
    page.get_by_label("The same password again").fill("another one")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("alert")).to_have_text("The two passwords differ.")
    page.get_by_label("The same password again").fill("first password")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("tab", name="Users")).to_be_visible()
    assert "code=" not in page.url
    again = open_page()
    again.goto(own_site.setup_link)
    again.get_by_label("Username").fill("mallory")
    again.get_by_label("Password, 8 characters or more").fill("second password")
    again.get_by_label("The same password again").fill("second password")
    again.get_by_role("button", name="Make the account").click()
    expect(again.get_by_role("alert")).not_to_be_empty()
    again.get_by_role("link", name="Sign in").click()
    expect(again.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_setup_link_leads_to_the_first_host_without_a_reload(
    own_site: Site, page: Page
) -> None:
    own_site.start()
    page.goto(own_site.setup_link)
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password, 8 characters or more").fill("first password")
    page.get_by_label("The same password again").fill("first password")
    page.get_by_role("button", name="Make the account").click()
    started = page.locator(".started")
    expect(started).to_contain_text("127.0.0.1 is this machine alone")
    started.get_by_label("Name of the host").fill("docker01")
    started.get_by_role("button", name="Make the line").click()
    expect(started).to_contain_text(f"ARCHNEST_URL={own_site.url} ")
    expect(started.get_by_role("link", name="ask its engine")).to_have_attribute(
        "href", "#/sources"
    )
    own_site.push("docker01", container("web"), container("db"))
    expect(row_of(page, "web")).to_be_visible()
    expect(page.get_by_role("status").get_by_text("docker01 reports: 2 containers")).to_be_visible()
    expect(started).to_be_hidden()


def test_a_wrong_password_says_so_and_keeps_the_name(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.get_by_label("Username").fill(ADMIN[0])
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("Username")).to_have_value(ADMIN[0])
    assert where_kept(page) == (False, False)


def test_a_session_lives_in_its_tab_unless_it_stays_on_the_device(site: Site, page: Page) -> None:
    sign_in(page, site)
    assert where_kept(page) == (True, False)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert where_kept(page) == (False, False)
    sign_in(page, site, stay=True)
    assert where_kept(page) == (False, True)
    assert page.context.cookies() == []
    other = page.context.new_page()
    other.goto(site.url)
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_session_on_the_device_is_renewed_at_half_of_its_life(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    sign_in(page, site, stay=True)
    before = page.evaluate("JSON.parse(localStorage['archnest.session'])")
    page.evaluate(
        "localStorage['archnest.session'] = JSON.stringify("
        "{...JSON.parse(localStorage['archnest.session']), startedAt: 0})"
    )
    with page.expect_response("**/api/auth/renew") as renewal:
        page.reload()
    assert renewal.value.status == 200
    page.wait_for_function("JSON.parse(localStorage['archnest.session']).startedAt > 0")
    after = page.evaluate("JSON.parse(localStorage['archnest.session'])")
    assert after["expiresAt"] >= before["expiresAt"]
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_an_ended_session_leads_to_sign_in_and_back_to_where_the_person_was(
    site: Site, page: Page
) -> None:
    site.add_member()
    site.push("nas", container("web"), container("db"))
    sign_in(page, site, MEMBER)
    page.get_by_role("searchbox").fill("name:db")
    row_of(page, "db").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="db", exact=True)).to_be_visible()
    site.ask("PATCH", f"/api/users/{MEMBER[0]}", {"password": MEMBER[1]})
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    assert where_kept(page) == (False, False)
    page.get_by_label("Username").fill(MEMBER[0])
    page.get_by_label("Password").fill(MEMBER[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="db", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Containers").click()
    expect(page.get_by_role("searchbox")).to_have_value("name:db")


def test_a_deep_link_survives_signing_in(site: Site, page: Page) -> None:
    site.push("nas", container("web"))
    sign_in(page, site, path="/#/hosts/nas/containers/web")
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
