"""A server process for the page's tests, and what people do on the page."""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.factories import ADMIN, AGENT_TOKEN, MEMBER, report
from tests.ports import free_port, wait_until_listening
from tests.running import until

ARCHNEST = str(Path(sys.executable).with_name("archnest"))
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
STOP_S = 8


class Site:
    """A server on its own port and data folder."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None
        self.output = ""
        self._token = ""
        self._reader = threading.Thread(target=self._read, daemon=True)

    def program(self) -> list[str]:
        """The words that start it, before its own."""
        return [ARCHNEST]

    def start(self, **settings: str) -> None:
        """Start the server; returns once it listens."""
        command = [*self.program(), "serve", "--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(self.data_dir)],
            env={**os.environ, "ARCHNEST_AGENT_TOKEN": AGENT_TOKEN, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until_listening(self.port)

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.output += line

    def stop(self) -> None:
        """End the server if it runs."""
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        self.process = None

    def add_admin(self) -> None:
        """Make the admin from the command line; the server need not run."""
        add = [ARCHNEST, "user", "add", ADMIN[0], "--role", "admin", "--password-stdin"]
        subprocess.run(
            [*add, "--data-dir", str(self.data_dir)],
            input=f"{ADMIN[1]}\n",
            text=True,
            check=True,
            capture_output=True,
        )

    def add_member(self) -> None:
        """Make the member as an admin does."""
        body = {"username": MEMBER[0], "password": MEMBER[1], "role": "member"}
        self.ask("POST", "/api/users", body)

    @property
    def setup_link(self) -> str:
        """The link that the server printed for the first admin."""
        # It listens before it says so.
        until(lambda: "setup?code=" in self.output, "setup link")
        found = re.search(r"\S+/#/setup\?code=\S+", self.output)
        assert found, self.output
        return found[0]

    def push(self, host_id: str, *containers: dict[str, Any], **changes: Any) -> None:
        """Report these containers as the host's agent does."""
        document = report(host_id, *containers, **changes)
        self.ask("POST", "/api/agents/docker/report", document, token=AGENT_TOKEN)

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """The JSON answer to a request, by default as the admin."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Authorization": f"Bearer {token or self.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    @property
    def token(self) -> str:
        """The admin's own session, which the tests of the page do not touch."""
        if not self._token:
            self._token = "none"
            body = {"username": ADMIN[0], "password": ADMIN[1]}
            self._token = self.ask("POST", "/api/auth/login", body)["token"]
        return self._token

    def clear(self) -> None:
        """Forget every source, host and agent's token, and every account but the admin."""
        for source in self.ask("GET", "/api/sources")["sources"]:
            self.ask("DELETE", f"/api/sources/{source['hostId']}")
        for token in self.ask("GET", "/api/agents/docker/tokens")["tokens"]:
            if token["revokedAt"] is None:
                self.ask("DELETE", f"/api/agents/docker/tokens/{token['id']}")
        for host in self.ask("GET", "/api/agents/docker/hosts")["hosts"]:
            self.ask("DELETE", f"/api/agents/docker/hosts/{host['hostId']}")
        for user in self.ask("GET", "/api/users")["users"]:
            if user["username"] != ADMIN[0]:
                self.ask("DELETE", f"/api/users/{user['username']}")


class Watch:
    """What went wrong in a page: refused by its policy, or thrown."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        # Chromium itself logs each answer of 4xx, which tests provoke on purpose.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)


def sign_in(
    page: Page, site: Site, account: tuple[str, str] = ADMIN, path: str = "/", *, stay: bool = False
) -> None:
    """Sign in as a person does; returns once the page behind is there."""
    page.goto(site.url + path)
    page.get_by_label("Username").fill(account[0])
    page.get_by_label("Password").fill(account[1])
    page.get_by_label("Stay signed in on this device").set_checked(stay)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def enter(page: Page, site: Site, path: str = "/") -> None:
    """Come with the admin's session that all tests share: signing out would end it for all."""
    session = {
        "token": site.token,
        "expiresAt": "2099-01-01T00:00:00Z",
        "startedAt": 0,
        "user": {"username": ADMIN[0], "role": "admin"},
    }
    stored = json.dumps(json.dumps(session))
    page.add_init_script(f"sessionStorage['archnest.session'] ??= {stored}")
    page.goto(site.url + path)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def row_of(page: Page, name: str) -> Any:
    """The row of the container with this name."""
    link = page.get_by_role("link", name=name, exact=True)
    return page.get_by_role("table", name="Containers").get_by_role("row").filter(has=link)
