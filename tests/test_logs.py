"""The log: one line an event, no secret, no foreign bytes as they are, not without end."""

import base64
import contextlib
import json
import re
import socket
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from archnest.logs import BURST
from tests.factories import ADMIN, AGENT_TOKEN, MEMBER, container
from tests.web.site import Site

HOSTILE = "a\nb\r\n2026-01-01T00:00:00Z info archnest: forged \x1b[31mred\x07 \u202e \ud800 \x00"
LEVELS = {"debug", "info", "warning", "error"}
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) [\w.]+: .+")


def logged(log_format: str, statements: str) -> list[str]:
    """The lines that a program logs after the server's own configuration."""
    program = (
        "import logging\nfrom archnest import logs\nfrom archnest.config import load\n"
        f"logs.configure(load({{'ARCHNEST_LOG_FORMAT': {log_format!r}}}))\n"
        f"log = logging.getLogger('archnest.some')\n{statements}"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stderr.decode("ascii").splitlines()


FAILING = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('it failed')\n"


@pytest.mark.parametrize("log_format", ["text", "json"])
class TestEitherFormat:
    def test_an_event_is_one_line_whatever_it_holds(self, log_format: str) -> None:
        [line] = logged(log_format, f"log.warning('foreign: %s', {HOSTILE!r})")
        assert line.isprintable()
        assert not line.startswith("2026-01-01")

    def test_an_exception_is_one_line_that_tells_where(self, log_format: str) -> None:
        [line] = logged(log_format, FAILING)
        assert "it failed" in line
        assert "ZeroDivisionError" in line

    def test_a_logger_writes_no_more_than_its_share_and_says_how_much_it_left_out(
        self, log_format: str
    ) -> None:
        more = "import time, archnest.logs\narchnest.logs.EVERY_S = 0.1\ntime.sleep(0.2)\n"
        lines = logged(
            log_format,
            "for n in range(1000): log.warning('n %s', n)\n"
            "logging.getLogger('archnest.other').error('seen')\n" + more + "log.warning('last')",
        )
        assert len(lines) == BURST + 2
        assert "seen" in lines[-2]
        assert f"last ({1000 - BURST} lines before were left out)" in lines[-1]


def test_in_json_each_line_is_an_object() -> None:
    [line] = logged("json", f"log.warning({HOSTILE!r})")
    entry = json.loads(line)
    assert set(entry) == {"time", "level", "logger", "message"}
    assert (entry["level"], entry["logger"]) == ("warning", "archnest.some")
    assert entry["message"] == HOSTILE


@pytest.fixture(params=["text", "json"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A server that logs all it has to say; with the form of its log."""
    site = Site(tmp_path)
    site.add_admin()
    site.start(ARCHNEST_LOG_LEVEL="debug", ARCHNEST_LOG_FORMAT=request.param)
    yield site, request.param
    site.stop()


def ask(site: Site, *question: Any, **token: str) -> Any:
    with contextlib.suppress(urllib.error.HTTPError):
        return site.ask(*question, **token)


def upgrade(site: Site, origin: bytes) -> None:
    """Ask for a WebSocket from a foreign page."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as one:
        one.sendall(
            b"GET /api/exec HTTP/1.1\r\nHost: nest\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
            + base64.b64encode(b"x" * 16)
            + b"\r\nOrigin: "
            + origin
            + b"\r\n\r\n"
        )
        assert b" 403 " in one.recv(4096)


def test_the_servers_log_holds_no_secret_and_no_foreign_bytes_and_does_not_grow_without_end(
    site: tuple[Site, str],
) -> None:
    server, log_format = site
    asked = {"name": "prometheus", "password": ADMIN[1]}
    access_token = server.ask("POST", "/api/auth/tokens", asked)["token"]
    host_token = server.ask("POST", "/api/agents/docker/tokens", {"hostId": "vm"})["token"]
    server.add_member()
    server.push("vm", container("web", env=[{"key": "DB_PASSWORD", "value": "s3cret-of-web"}]))
    for token in (access_token, host_token, server.token, server.token[:-2] + "xx"):
        ask(server, "GET", "/api/hosts", token=token)
        ask(server, "POST", "/api/agents/docker/report", {"hostId": 5}, token=token)
    ask(server, "POST", "/api/auth/login", {"username": "ada", "password": "wr0ng-one"})
    for _ in range(BURST * 4):
        upgrade(server, b"http://evil.\xff\xfe.example")
    server.stop()
    jwt_secret = (server.data_dir / "jwt-secret").read_text().strip()
    secrets = [ADMIN[1], MEMBER[1], AGENT_TOKEN, access_token, host_token, server.token]
    for secret in [*secrets, server.token.split(".")[2], jwt_secret, "s3cret-of-web", "wr0ng-one"]:
        assert secret not in server.output
    lines = [line for line in server.output.splitlines() if not line.startswith("ArchNest ")]
    assert BURST < len(lines) < BURST * 2
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        assert LINE.fullmatch(line) or log_format == "json"
        assert log_format == "text" or json.loads(line)["level"] in LEVELS
