"""A real shell in a real container, on the page."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.engine.awkward import ALONE, IMAGE, SLEEP
from tests.engine.dockerd import Engine
from tests.factories import MEMBER, container
from tests.web.site import Site, sign_in


@pytest.fixture
def box(site: Site, engine: Engine) -> Iterator[str]:
    """The name of a running container of a host whose engine is asked."""
    engine.docker("run", "-d", "--name", "box", *ALONE, IMAGE, *SLEEP)
    how = {"hostId": "lab", "kind": "docker-socket", "address": str(engine.socket)}
    site.ask("POST", "/api/sources", how)
    yield "box"
    engine.docker("rm", "-f", "box")


def opened(page: Page, name: str) -> Locator:
    """The screen of a terminal in this container."""
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("button", name="Open terminal").click()
    expect(page.get_by_text("Connected.")).to_be_visible()
    screen = page.locator(".xterm-rows")
    expect(screen).to_contain_text("#")
    return screen


def enter(page: Page, line: str) -> None:
    page.keyboard.type(line)
    page.keyboard.press("Enter")


def test_it_carries_keys_fits_the_window_and_ends_both_ways(
    admin_page: Page, site: Site, engine: Engine, box: str
) -> None:
    page = admin_page
    page.set_viewport_size({"width": 1200, "height": 800})
    screen = opened(page, box)
    enter(page, "echo sum$((40+2))")
    expect(screen).to_contain_text("sum42")
    enter(page, "echo wide$(($(stty size | cut -d' ' -f2) > 100))")
    expect(screen).to_contain_text("wide1")
    page.set_viewport_size({"width": 600, "height": 800})
    enter(
        page, "clear; while [ $(stty size | cut -d' ' -f2) -gt 90 ]; do :; done; echo narrow$((1))"
    )
    expect(screen).to_contain_text("narrow1")
    # Another tab of the page does not end it.
    page.get_by_role("tab", name="Containers").click()
    page.get_by_role("tab", name="box").click()
    page.locator(".xterm-helper-textarea").focus()
    enter(page, "exit 3")
    expect(page.get_by_text("The shell ended with exit code 3.")).to_be_visible()
    page.get_by_role("button", name="Open it again").click()
    expect(page.get_by_text("Connected.")).to_be_visible()
    page.keyboard.press("Shift+F6")
    expect(page.get_by_role("button", name="Close terminal")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You closed the terminal.")).to_be_visible()


def test_what_a_container_prints_stays_inert(
    admin_page: Page, site: Site, engine: Engine, box: str
) -> None:
    page = admin_page
    screen = opened(page, box)
    title = r"\033]0;owned\007\033]2;owned\007"
    clipboard = r"\033]52;c;b3duZWQ=\007"
    link = r"\033]8;;http://evil.example/\033\\click\033]8;;\033\\"
    colour = r"\033[38;2;250;10;10mtrue\033[0m"
    enter(page, rf"printf '{title}{clipboard}{link}{colour}a\xe2\x80\xaeb<img src=x>end\n'")
    expect(screen).to_contain_text("clicktruea\ufffdb<img src=x>end")
    expect(screen.locator("a, img")).to_have_count(0)
    assert "owned" not in page.title()
    shown = screen.locator("span", has_text=re.compile("^true$")).last
    expect(shown).to_have_css("color", "rgb(250, 10, 10)")
    expect(shown).not_to_have_css("text-decoration-line", "underline")


def test_who_cannot_have_one_reads_why(
    admin_page: Page, site: Site, engine: Engine, box: str
) -> None:
    page = admin_page
    site.push("vm-1", container(name="pushed"))
    page.get_by_role("link", name="pushed").click()
    expect(
        page.get_by_text("Not available from this source: an agent only reports.", exact=True)
    ).to_be_visible()
    page.get_by_role("tab", name="Containers").click()
    engine.docker("kill", box)
    page.get_by_role("link", name=box, exact=True).click()
    expect(page.get_by_text("Only a running container has a terminal.")).to_be_visible()


def test_a_member_is_offered_none(page: Page, site: Site, box: str) -> None:
    site.add_member()
    sign_in(page, site, MEMBER)
    page.get_by_role("link", name=box, exact=True).click()
    expect(page.get_by_text("Only an admin may open a terminal.")).to_be_visible()
    expect(page.get_by_role("button", name="Open terminal")).to_have_count(0)
