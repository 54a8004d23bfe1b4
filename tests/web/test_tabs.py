"""Tabs of containers: opened, moved, closed and found again, by pointer, keys and address."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.factories import container
from tests.web.site import Site, enter, row_of

NAMES = ("web", "db", "cache")


def open_all(page: Page, site: Site) -> None:
    site.push("nas", *map(container, NAMES))
    for name in NAMES:
        page.get_by_role("tab", name="Containers").click()
        row_of(page, name).get_by_role("link").first.click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def tab(page: Page, name: str) -> Locator:
    return page.get_by_role("tab", name=name, exact=True)


def opened(page: Page) -> list[str]:
    titles = page.get_by_role("tab").all_inner_texts()
    return [title for title in titles if title in NAMES]


def test_a_tab_is_closed_by_its_cross_a_middle_click_or_a_key(admin_page: Page, site: Site) -> None:
    open_all(admin_page, site)
    tab(admin_page, "db").click(button="middle")
    expect(tab(admin_page, "db")).to_have_count(0)
    # Another tab was shown, and still is.
    expect(tab(admin_page, "cache")).to_have_attribute("aria-selected", "true")
    admin_page.get_by_title("Close cache").click()
    expect(tab(admin_page, "web")).to_have_attribute("aria-selected", "true")
    tab(admin_page, "web").focus()
    admin_page.keyboard.press("Delete")
    expect(tab(admin_page, "Containers")).to_be_focused()
    assert opened(admin_page) == []
    tab(admin_page, "Containers").click(button="middle")
    admin_page.keyboard.press("Delete")
    expect(tab(admin_page, "Containers")).to_be_visible()


def test_a_tab_is_closed_however_its_address_is_written(admin_page: Page, site: Site) -> None:
    site.push("nas", container("web"))
    admin_page.goto(f"{site.url}/#/hosts/nas/containers/%77eb")
    expect(admin_page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    admin_page.get_by_title("Close web").click()
    expect(tab(admin_page, "Containers")).to_have_attribute("aria-selected", "true")
    assert opened(admin_page) == []


def test_tabs_are_moved_by_dragging_and_by_keys_and_stay_so(admin_page: Page, site: Site) -> None:
    open_all(admin_page, site)
    tab(admin_page, "cache").drag_to(tab(admin_page, "web"))
    assert opened(admin_page) == ["cache", "web", "db"]
    tab(admin_page, "cache").focus()
    admin_page.keyboard.press("Control+Shift+ArrowRight")
    assert opened(admin_page) == ["web", "cache", "db"]
    expect(tab(admin_page, "cache")).to_be_focused()
    for _ in range(3):
        admin_page.keyboard.press("Control+Shift+ArrowLeft")
    assert opened(admin_page) == ["cache", "web", "db"]
    admin_page.reload()
    expect(tab(admin_page, "cache")).to_have_attribute("aria-selected", "true")
    assert opened(admin_page) == ["cache", "web", "db"]


def test_the_strip_is_the_aria_tabs_pattern(admin_page: Page, site: Site) -> None:
    open_all(admin_page, site)
    tabs = admin_page.get_by_role("tablist", name="Views").get_by_role("tab")
    count = tabs.count()
    focusable = [tabs.nth(n).get_attribute("tabindex") for n in range(count)]
    assert focusable.count("0") == 1
    selected = tab(admin_page, "cache")
    assert selected.get_attribute("tabindex") == "0"
    panel = admin_page.locator(f"#{selected.get_attribute('aria-controls')}".replace("%", r"\%"))
    expect(panel).to_have_role("tabpanel")
    assert panel.get_attribute("aria-labelledby") == selected.get_attribute("id")
    selected.focus()
    admin_page.keyboard.press("Home")
    expect(tab(admin_page, "Containers")).to_be_focused()
    admin_page.keyboard.press("ArrowLeft")
    expect(tabs.last).to_be_focused()
    admin_page.keyboard.press("End")
    admin_page.keyboard.press("ArrowRight")
    expect(tab(admin_page, "Containers")).to_be_focused()


HIDDEN = """(all) => all.filter((one) => {
  const { left, right } = one.getBoundingClientRect(), strip = one.closest(".strip").getBoundingClientRect();
  return left < strip.left || right > strip.right || strip.right > innerWidth;
}).map((one) => one.textContent)"""  # noqa: E501


def test_no_number_of_opened_tabs_hides_those_that_are_always_there(
    admin_page: Page, site: Site
) -> None:
    names = [f"a-container-of-some-length-{number}" for number in range(10)]
    site.push("nas", *map(container, names))
    for name in names:
        admin_page.goto(f"{site.url}/#/hosts/nas/containers/{name}")
        expect(tab(admin_page, name)).to_have_attribute("aria-selected", "true")
    always = admin_page.get_by_role("tab").filter(has_not_text=re.compile("container-of"))
    for width in (1440, 1024, 820, 390):
        admin_page.set_viewport_size({"width": width, "height": 800})
        expect(always).to_have_count(6)
        assert always.evaluate_all(HIDDEN) == [], width
    tab(admin_page, names[0]).scroll_into_view_if_needed()
    tab(admin_page, names[0]).click()
    expect(tab(admin_page, names[0])).to_be_in_viewport()


def test_back_leads_through_what_was_seen(admin_page: Page, site: Site) -> None:
    open_all(admin_page, site)
    admin_page.go_back()
    expect(tab(admin_page, "Containers")).to_have_attribute("aria-selected", "true")
    admin_page.go_back()
    expect(admin_page.get_by_role("heading", name="db", exact=True)).to_be_visible()
    admin_page.go_forward()
    admin_page.go_forward()
    expect(admin_page.get_by_role("heading", name="cache", exact=True)).to_be_visible()
    assert admin_page.url.endswith("#/hosts/nas/containers/cache")


def test_two_tabs_of_the_browser_keep_their_own(admin_page: Page, site: Site) -> None:
    site.push("nas", *map(container, NAMES))
    other = admin_page.context.new_page()
    enter(other, site, "/#/hosts/nas/containers/db")
    admin_page.goto(f"{site.url}/#/hosts/nas/containers/web")
    for page, name in ((admin_page, "web"), (other, "db")):
        expect(tab(page, name)).to_be_visible()
        page.reload()
        expect(tab(page, name)).to_have_attribute("aria-selected", "true")
        assert opened(page) == [name]
    third = admin_page.context.new_page()
    enter(third, site)
    expect(third.get_by_role("tab", name=re.compile("web|db"))).to_have_count(1)


def test_an_address_that_leads_nowhere_says_so(admin_page: Page, site: Site) -> None:
    site.push("nas.home.lan", container("a.b"))
    says = {
        "#/nonsense/%zz": "Nothing is at this address",
        "#/hosts/nope/containers/web": "No host nope is known here",
        "#/hosts/nas.home.lan/containers/web": "nas.home.lan knows no container of this name",
        "#/hosts/nas.home.lan/containers/a.b": "As reported",
    }
    for address, words in says.items():
        admin_page.goto(f"{site.url}/{address}")
        panel = admin_page.locator("[role=tabpanel]:not([hidden])")
        expect(panel).to_contain_text(words)
        expect(panel.get_by_role("heading", level=1)).to_have_count(1)
    admin_page.goto(f"{site.url}/#/hosts/nas.home.lan/containers/web")
    admin_page.get_by_role("link", name="Containers of nas.home.lan").click()
    expect(row_of(admin_page, "a.b")).to_be_visible()
    admin_page.goto(f"{site.url}/#/containers?host=nope")
    expect(admin_page.get_by_text("No host nope is known here. All hosts")).to_be_visible()
    expect(row_of(admin_page, "a.b")).to_be_visible()
    expect(admin_page).to_have_url(re.compile("#/containers$"))
