"""Make docs/screenshots/ from the real page over the demo's fleet.

    .venv/bin/python -m docs.screenshots

Needs the test extras and Chromium, both there after `make test`.
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.running import Running, until

PICTURES = Path(__file__).parent / "screenshots"
WIDE = {"width": 1280, "height": 800}


def main() -> None:
    """Start the demo, sign in as a person does and take the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo = Running("archnest.demo", Path(folder), {"PATH": os.environ["PATH"]})
        try:
            _take(demo)
        finally:
            demo.process.send_signal(signal.SIGINT)
            demo.ends()


def _take(demo: Running) -> None:
    name, password = demo.prints(r"Sign in as (\S+) with the password (\S+)").groups()
    body = {"username": name, "password": password}
    token = demo.ask("POST", "/api/auth/login", body)["token"]
    until(lambda: len(demo.hosts(token)) == 8, "eight hosts")
    chromium = shutil.which("chromium") or sys.exit("Chromium is missing: bash tests/setup.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=WIDE, device_scale_factor=1, color_scheme="light")
        _sign_in(page, demo.address, name, password)
        page.mouse.move(0, 0)
        # Two reports later the rates have values too.
        page.wait_for_timeout(11_000)
        page.screenshot(path=PICTURES / "containers.png")
        browser.close()


def _sign_in(page: Page, address: str, name: str, password: str) -> None:
    page.goto(address)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="immich-server-1").first.wait_for()


if __name__ == "__main__":
    main()
