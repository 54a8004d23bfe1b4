"""One real report all the way: engine, agent, server, database, API and page."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from archnest.assets import asset_dir
from tests.engine.dockerd import Engine
from tests.factories import ADMIN, AGENT_TOKEN
from tests.ports import free_port, wait_until_listening

ARCHNEST = str(Path(sys.executable).with_name("archnest"))
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
HOST = "end-to-end"
AGENT = asset_dir("agent") / "archnest-docker-agent.sh"


@dataclass(frozen=True)
class Server:
    """A server process that can be stopped and started again on its data."""

    port: int
    data_dir: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> subprocess.Popen[bytes]:
        command = [ARCHNEST, "serve", "--listen", f"127.0.0.1:{self.port}"]
        environ = {**os.environ, "ARCHNEST_AGENT_TOKEN": AGENT_TOKEN}
        process = subprocess.Popen([*command, "--data-dir", str(self.data_dir)], env=environ)
        wait_until_listening(self.port)
        return process


@pytest.fixture
def server(tmp_path: Path) -> Server:
    server = Server(free_port(), tmp_path / "data")
    add = [ARCHNEST, "user", "add", ADMIN[0], "--role", "admin", "--password-stdin"]
    add += ["--data-dir", str(server.data_dir)]
    subprocess.run(add, input=f"{ADMIN[1]}\n".encode(), check=True)
    return server


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGS
        )
        yield browser.new_page()
        browser.close()


def run_agent(engine: Engine, server: Server) -> None:
    environ = {
        **os.environ,
        **engine.environ,
        "ARCHNEST_URL": server.url,
        "ARCHNEST_AGENT_TOKEN": AGENT_TOKEN,
        "ARCHNEST_HOST_ID": HOST,
    }
    subprocess.run(["bash", str(AGENT)], env=environ, check=True, timeout=60)


def sign_in(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.fill("[name=username]", ADMIN[0])
    page.fill("[name=password]", ADMIN[1])
    page.click("text=Sign in >> nth=-1")


def stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    return process.wait(8)


def test_an_engines_containers_reach_the_page_and_survive_a_restart(
    engine: Engine, awkward_containers: object, server: Server, page: Page
) -> None:
    names = engine.docker("ps", "-a", "--format", "{{.Names}}").split()
    running = engine.docker("ps", "--format", "{{.Names}}", "--filter", "status=running").split()
    process = server.start()
    try:
        run_agent(engine, server)
        sign_in(page, server)
        for name in names:
            expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
        page.get_by_role("link", name=running[0], exact=True).click()
        expect(page.get_by_role("heading", name=running[0], exact=True)).to_be_visible()
        full_id = engine.docker("inspect", "--format", "{{.Id}}", running[0])
        expect(page.get_by_text(full_id, exact=True).first).to_be_visible()
        assert stop(process) == 0
        process = server.start()
        page.reload()
        expect(page.get_by_text(full_id, exact=True).first).to_be_visible()
    finally:
        process.kill()
        process.wait()


def test_a_removed_container_stays_on_the_page_as_gone(
    engine: Engine, server: Server, page: Page
) -> None:
    engine.docker(
        "run", "-d", "--name", "leaver", "--network", "none", "archnest-test:1", "sleep", "900"
    )
    process = server.start()
    try:
        run_agent(engine, server)
        engine.docker("rm", "-f", "leaver")
        run_agent(engine, server)
        sign_in(page, server)
        row = page.get_by_role("row").filter(
            has=page.get_by_role("link", name="leaver", exact=True)
        )
        expect(row).to_contain_text("gone since")
        expect(row).to_contain_text("last seen running")
    finally:
        process.kill()
        process.wait()
