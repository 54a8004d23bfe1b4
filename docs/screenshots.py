"""Make docs/screenshots/ from the real page, empty and over the demo's fleet.

    .venv/bin/python -m docs.screenshots

Needs the test extras and Chromium, both there after `make test`.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from archnest.demo_fleet import fleet
from tests.running import Running, until

PICTURES = Path(__file__).parent / "screenshots"
WIDE: ViewportSize = {"width": 1280, "height": 800}
LOW: ViewportSize = {"width": 1280, "height": 520}
NAME, PASSWORD = "ada", "correct horse battery"
NOW = 1_780_000_000.0


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or sys.exit("Chromium is missing: bash tests/setup.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        # Without an engine, so that nothing of this machine gets into a picture.
        _with("archnest.quickstart", "/nonexistent", lambda one: _first_run(one, browser))
        _with("archnest.demo", os.environ["PATH"], lambda one: _tour(one, browser))
        browser.close()


def _with(module: str, path: str, take: Callable[[Running], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        running = Running(module, Path(folder), {"PATH": path, "TMPDIR": folder})
        try:
            take(running)
        finally:
            running.process.send_signal(signal.SIGINT)
            running.ends()


def _first_run(running: Running, browser: Browser) -> None:
    """From the printed link to the first host."""
    page = _page(browser, LOW)
    page.goto(running.prints(r"(http\S+/#/setup\?code=\S+)")[1])
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Password, 8 characters or more").fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    _take(page, "setup")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_label("Name of the host").fill("docker01")
    page.get_by_label("URL of this server").fill("http://nest.lan:4000")
    page.get_by_role("button", name="Make the line").click()
    expect(page.locator(".waits")).to_contain_text("Waiting for the first report")
    _take(page, "started")
    (host,) = fleet(1, 6, now=NOW)
    report = msgspec.to_builtins(host.report(NOW))
    token = running.prints(r"ARCHNEST_AGENT_TOKEN=(\S+)")[1]
    running.ask("POST", "/api/agents/docker/report", {**report, "hostId": "docker01"}, token)
    expect(page.get_by_text("docker01 reports:")).to_be_visible()
    _take(page, "first-host")
    page.close()


def _tour(demo: Running, browser: Browser) -> None:
    """What there is to see once hosts report."""
    name, password = demo.prints(r"Sign in as (\S+) with the password (\S+)").groups()
    body = {"username": name, "password": password}
    token = demo.ask("POST", "/api/auth/login", body)["token"]
    until(lambda: len(demo.ask("GET", "/api/hosts", token=token)["hosts"]) == 9, "nine hosts")
    page = _page(browser, WIDE)
    page.goto(demo.address)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="immich-server-1").first.wait_for()
    # Two reports later the rates have values too.
    page.wait_for_timeout(11_000)
    _take(page, "containers")
    _container(page, _healthy(demo, token))
    page.set_viewport_size(LOW)
    for tab, awaited in (
        ("Hosts", "workshop"),
        ("Sources", "workshop"),
        ("Record", "container.restart"),
    ):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.get_by_text(awaited).last.wait_for()
        _take(page, tab.lower())
    page.get_by_role("tab", name="Settings", exact=True).click()
    page.get_by_role("rowheader", name="prometheus").wait_for()
    page.get_by_role("heading", name="Access tokens").evaluate("(one) => one.scrollIntoView()")
    _take(page, "tokens")
    page.close()


def _container(page: Page, name: str) -> None:
    """One container with its log, restarted for the record."""
    page.get_by_role("searchbox", name="Search containers").fill(f"host:workshop {name}")
    page.get_by_role("button", name=f"Restart {name}").click()
    expect(page.get_by_text(f"{name} on workshop: restarted")).to_be_visible()
    page.get_by_role("link", name=name).first.click()
    # Some lines are in by then, and figures twice.
    page.wait_for_timeout(12_000)
    _take(page, "container")
    page.get_by_role("heading", name="Overview").evaluate("(one) => one.scrollIntoView()")
    _take(page, "details")


def _healthy(demo: Running, token: str) -> str:
    """A container of the host whose engine is asked."""
    parts = demo.ask("GET", "/api/containers", token=token)["hosts"]
    (part,) = [part for part in parts if part["host"]["hostId"] == "workshop"]
    return next(str(one["name"]) for one in part["containers"] if one["health"] == "healthy")


def _page(browser: Browser, size: ViewportSize) -> Page:
    return browser.new_page(viewport=size, device_scale_factor=1, color_scheme="light")


def _take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
