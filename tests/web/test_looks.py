"""On paper, on a phone, without motion, and while it changes: what is seen stays readable."""

import itertools
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.factories import container
from tests.web.conftest import PHONE
from tests.web.site import Site, enter, row_of

MOVING = """() => [...document.querySelectorAll("*")].flatMap((node) => ["", "::before", "::after"]
  .map((part) => getComputedStyle(node, part || null)))
  .filter((style) => style.animationName !== "none" || style.transitionDuration !== "0s").length"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def names(page: Page) -> list[str]:
    return page.locator(".rows .name").all_inner_texts()


FEWEST_ROWS = """() => {
  const rows = document.querySelector(".rows");
  window.fewestRows = rows.children.length;
  new MutationObserver(() => {
    window.fewestRows = Math.min(window.fewestRows, rows.children.length);
  }).observe(rows, { childList: true });
}"""


def assert_columns_stand_under_their_names(page: Page) -> None:
    heads, cells = (
        page.locator(which).evaluate_all("all => all.map((one) => one.getBoundingClientRect().x)")
        for which in (".row.head > *", ".rows .row:first-child > *")
    )
    assert heads == pytest.approx(cells, abs=1)


def test_a_list_prints_in_full_and_without_what_only_a_screen_needs(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.push("nas", *[container(f"c-{number}") for number in range(300)])
    page = open_page(color_scheme="dark")
    enter(page, site)
    expect(row_of(page, "c-0")).to_be_visible()
    on_screen = page.locator(".rows .row").count()
    paper = page.pdf(format="A4")
    assert paper.count(b"/Type /Page\n") >= 5
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".rows .row").count() == 300
    # Nor does what comes meanwhile take any away, even for a moment.
    page.evaluate(FEWEST_ROWS)
    site.push("nas", *[container(f"c-{number}", state="paused") for number in range(300)])
    expect(row_of(page, "c-0")).to_contain_text("paused")
    assert page.evaluate("fewestRows") == 300
    expect(page.get_by_role("columnheader", name="Memory")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.get_by_role("tablist")).to_be_hidden()
    assert page.evaluate(WIDER) <= 0
    white = "getComputedStyle(document.querySelector('.table')).backgroundColor"
    assert page.evaluate(white) == "rgb(255, 255, 255)"
    boxes = page.locator(".rows .row").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map(({top, bottom}) => [top, bottom])"  # noqa: E501
    )
    assert all(above[1] <= below[0] + 1 for above, below in itertools.pairwise(boxes))
    assert_columns_stand_under_their_names(page)
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".rows .row").count() <= on_screen


def test_a_list_longer_than_paper_bears_says_what_is_left_out(admin_page: Page, site: Site) -> None:
    site.push("big", *[container(f"c-{number}") for number in range(3000)])
    expect(row_of(admin_page, "c-0")).to_be_visible()
    admin_page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = admin_page.locator(".rows .row").count()
    left = admin_page.get_by_role("table").get_attribute("data-left-out")
    assert printed + int(left or 0) == 3000
    assert printed >= 2000
    # What comes in between is left out, too.
    site.push("big", *[container(f"c-{number}") for number in range(3100)])
    table = admin_page.locator(f".table[data-left-out='{3100 - printed}']")
    expect(table).to_be_attached(timeout=60_000)
    admin_page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert admin_page.locator(".rows .row").count() < 100


def test_a_phone_has_one_page_to_scroll(site: Site, open_page: Callable[..., Page]) -> None:
    site.push("nas", *[container(f"c-{number}") for number in range(200)])
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    enter(page, site)
    expect(row_of(page, "c-0")).to_be_visible()
    inner = "(node) => [...node.querySelectorAll('.table, .scroll')].filter((one) => getComputedStyle(one).overflowY !== 'visible' && one.scrollHeight > one.clientHeight + 1).length"  # noqa: E501
    panel = page.locator("[role=tabpanel]:not([hidden])")
    assert panel.evaluate(inner) == 0
    page.locator(".panel-containers").evaluate("(node) => { node.scrollTop = 9000 }")
    expect(page.get_by_role("searchbox")).not_to_be_in_viewport()
    expect(row_of(page, "c-110")).to_be_in_viewport()
    row_of(page, "c-110").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="c-110")).to_be_visible()
    assert panel.evaluate(inner) == 0
    page.get_by_role("tab", name="Containers").click()
    expect(row_of(page, "c-110")).to_be_in_viewport()
    # What was touched last does not keep the list as it was.
    site.push("nas", container("c-9", health="unhealthy"), container("c-110"))
    expect(page.get_by_role("button", name="Unhealthy 1")).to_be_attached()
    page.locator(".panel-containers").evaluate("(node) => { node.scrollTop = 0 }")
    expect(page.locator(".rows .name").first).to_have_text("c-9")


def test_a_phone_shows_the_whole_tag_of_a_short_image(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.push("nas", container("web", image="nginx:1.27-alpine"))
    page = open_page(viewport=PHONE)
    enter(page, site)
    tag = row_of(page, "web").locator(".tag")
    expect(tag).to_be_visible()
    assert tag.evaluate("(node) => node.scrollWidth <= node.clientWidth")


def test_a_phone_sorts_both_ways(site: Site, open_page: Callable[..., Page]) -> None:
    site.push("nas", container("a"), container("b"))
    page = open_page(viewport=PHONE)
    enter(page, site)
    expect(row_of(page, "b")).to_be_visible()
    page.get_by_label("Sort", exact=True).select_option("name")
    assert names(page) == ["a", "b"]
    page.get_by_role("button", name="Ascending: sort descending").click()
    assert names(page) == ["b", "a"]


def test_a_tablet_chooses_among_the_columns_that_its_two_lines_hold(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("web"))
    admin_page.set_viewport_size({"width": 820, "height": 1180})
    admin_page.get_by_text("Columns", exact=True).click()
    expect(admin_page.get_by_label("Restarts")).to_be_hidden()
    row = row_of(admin_page, "web")
    expect(row.locator("[data-column=memory]")).to_be_visible()
    admin_page.get_by_label("Memory").uncheck()
    expect(row.locator("[data-column=memory]")).to_have_count(0)


def test_nothing_moves_for_those_who_ask_for_less_motion(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.push("nas", container("web"))
    page = open_page(reduced_motion="reduce")
    for view in ("containers", "hosts/nas/containers/web", "hosts", "settings"):
        enter(page, site, f"/#/{view}")
        expect(page.locator("[role=tabpanel]:not([hidden]) h1")).to_be_attached()
        busy = "const node = document.createElement('span'); node.className = 'progress'; node.dataset.kind = 'busy'; document.body.append(node)"  # noqa: E501
        page.evaluate(f"() => {{ {busy} }}")
        assert page.evaluate(MOVING) == 0, view
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(MOVING) > 0  # the sign that something is under way


def test_an_update_keeps_what_is_selected_and_where_one_has_scrolled(
    admin_page: Page, site: Site
) -> None:
    rows = [container(f"c-{number}") for number in range(100)]
    site.push("nas", *rows)
    expect(row_of(admin_page, "c-0")).to_be_visible()
    table = admin_page.get_by_role("table", name="Containers")
    table.evaluate("(node) => { node.scrollTop = 1500 }")
    expect(row_of(admin_page, "c-45")).to_be_in_viewport()
    admin_page.get_by_role("searchbox").hover()
    image = row_of(admin_page, "c-45").locator("[data-column=image] bdi")
    image.evaluate("(node) => getSelection().selectAllChildren(node)")
    ill = [{**row, "health": "unhealthy"} for row in rows]
    site.push("nas", *rows[:60], *ill[60:63], *rows[63:])
    expect(admin_page.get_by_role("button", name="Unhealthy 3")).to_be_visible()
    assert admin_page.evaluate("String(getSelection())") == "nginx"
    assert table.evaluate("(node) => node.scrollTop") == 1500
    expect(row_of(admin_page, "c-45")).to_be_in_viewport()
    expect(admin_page.get_by_text("Sorted anew when you leave the rows")).to_be_visible()
    admin_page.evaluate("getSelection().removeAllRanges()")
    site.push("nas", *rows[:60], *ill[60:64], *rows[64:])
    expect(admin_page.get_by_role("button", name="Unhealthy 4")).to_be_visible()
    assert table.evaluate("(node) => node.scrollTop") == 1500
    expect(admin_page.get_by_text("Sorted anew when you leave the rows")).to_be_hidden()


def test_an_update_of_a_container_moves_nothing_and_keeps_what_is_selected(
    admin_page: Page, site: Site
) -> None:
    env = [{"key": f"NAME_{number}", "value": str(number)} for number in range(60)]
    site.push("nas", container("web", env=env))
    admin_page.goto(f"{site.url}/#/hosts/nas/containers/web")
    panel = admin_page.locator("[role=tabpanel]:not([hidden])")
    image = panel.locator(".facts > div", has_text="Image id").locator("code")
    image.evaluate("(node) => getSelection().selectAllChildren(node)")
    chosen = admin_page.evaluate("String(getSelection())")
    expect(panel.get_by_role("img", name="CPU since")).to_be_visible()
    panel.evaluate("(node) => { node.scrollTop = 300 }")
    site.push("nas", container("web", env=env, status="Up 4 hours"))
    expect(panel.locator(".facts")).not_to_have_count(0)
    expect(panel).to_contain_text("Up 4 hours")
    assert admin_page.evaluate("String(getSelection())") == chosen
    assert panel.evaluate("(node) => node.scrollTop") == 300


def test_nothing_jumps_while_the_page_comes_up(site: Site, page: Page) -> None:
    site.push("nas", *[container(f"c-{number}") for number in range(50)])
    page.add_init_script(
        "window.jumps = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) window.jumps += one.value; })"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    enter(page, site)
    expect(row_of(page, "c-0")).to_be_visible()
    site.push("nas", *[container(f"c-{number}", restartCount=1) for number in range(50)])
    page.wait_for_timeout(2_500)
    assert page.evaluate("window.jumps") < 0.05


@pytest.mark.parametrize("width", [900, 1000, 1280, 1440, 1920])
def test_each_column_stands_under_its_name(admin_page: Page, site: Site, width: int) -> None:
    page = admin_page
    page.set_viewport_size({"width": width, "height": 800})
    long = "a-name-that-is-far-longer-than-its-column-will-ever-be"
    site.push("a-host-of-some-length", container(long, image=f"registry.example.com/{long}:1.2.3"))
    expect(row_of(page, long)).to_be_visible()
    assert_columns_stand_under_their_names(page)


CUT = """() => {
  const table = document.querySelector(".table");
  table.scrollLeft = table.scrollWidth;
  const view = table.getBoundingClientRect(), row = document.querySelector(".rows .row");
  const cut = [...row.children].filter((cell) => cell.getBoundingClientRect().right > row.getBoundingClientRect().right);
  const [last] = [...row.children].slice(-1);
  return { cut: cut.length, inView: last.getBoundingClientRect().right <= view.right, scrolls: table.scrollWidth > table.clientWidth };
}"""  # noqa: E501


@pytest.mark.parametrize(("width", "every"), [(861, False), (1024, False), (1280, True)])
def test_no_column_is_cut_off(admin_page: Page, site: Site, width: int, every: bool) -> None:
    site.push("nas", container("web"))
    expect(row_of(admin_page, "web")).to_be_visible()
    admin_page.get_by_text("Columns", exact=True).click()
    for box in admin_page.locator(".menu-body input").all() if every else []:
        box.check()
    admin_page.get_by_role("searchbox").click()
    admin_page.set_viewport_size({"width": width, "height": 800})
    assert admin_page.evaluate(CUT) == {"cut": 0, "inView": True, "scrolls": every}


def test_since_when_a_state_is_old_is_read_in_full_or_ends_in_dots(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.push("nas", container("web"), container("leaver"))
    site.push("nas", container("web"))
    page = open_page(locale="en-US")
    enter(page, site)
    age = row_of(page, "leaver").locator(".age")
    expect(age).to_contain_text("last seen running")
    assert age.evaluate("(node) => node.scrollHeight <= node.clientHeight")
    for width in (1440, 1280, 1024, 900, 820, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert age.evaluate(
            "(node) => node.getBoundingClientRect().right <= node.closest('.cell').getBoundingClientRect().right"  # noqa: E501
        ), width
