"""The documented proxies, real ones, in front of a real server, over TLS and under a path."""

import asyncio
import io
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.engine.awkward import ALONE, IMAGE
from tests.engine.dockerd import Engine
from tests.factories import ADMIN, container, report
from tests.ports import free_port
from tests.running import PATIENCE_S, Running, until
from tests.sources.terminal import Terminal
from tests.sources.transports import Certificates
from tests.test_docs import DOCS, blocks

PATH = "/archnest"
VISITOR = "127.0.0.2"
CLAIMED = "203.0.113.9"
NGINX = """
user root; daemon off; pid nginx.pid; error_log stderr; events {}
http {
    access_log off; client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {
        listen 127.0.0.1:PORT ssl; ssl_certificate CERT; ssl_certificate_key KEY;
        EXAMPLE
    }
}
"""
CADDY = "{\n admin off\n auto_https off\n skip_install_trust\n}\nEXAMPLE"


def nginx(folder: Path, port: int, server: str, cert: str, key: str) -> list[str]:
    """The command of an nginx with the documented example."""
    example = blocks(DOCS / "reverse-proxy.md", "nginx").replace("http://127.0.0.1:4000", server)
    text = NGINX.replace("PORT", str(port)).replace("CERT", cert).replace("KEY", key)
    (folder / "nginx.conf").write_text(text.replace("EXAMPLE", example))
    return ["nginx", "-p", str(folder), "-c", "nginx.conf"]


def caddy(folder: Path, port: int, server: str, cert: str, key: str) -> list[str]:
    """The command of a Caddy with the documented example."""
    example = blocks(DOCS / "reverse-proxy.md", "caddy")
    assert "nest.example.org {" in example
    opening = f"https://127.0.0.1:{port} {{\n tls {cert} {key}"
    example = example.replace("nest.example.org {", opening)
    example = example.replace("127.0.0.1:4000", server.removeprefix("http://"))
    (folder / "Caddyfile").write_text(CADDY.replace("EXAMPLE", example))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    environ = {"ARCHNEST_BASE_PATH": f"{PATH}/", "ARCHNEST_TRUSTED_PROXIES": "127.0.0.1/32"}
    started = Running("archnest", tmp_path, environ, arguments=["serve"])
    started.prints("listening|setup")
    yield started
    started.process.terminate()
    started.ends()


@pytest.fixture(params=[nginx, caddy])
def proxy(
    request: pytest.FixtureRequest, server: Running, certificates: Certificates, tmp_path: Path
) -> Iterator[str]:
    """The address that visitors see."""
    make: Callable[..., list[str]] = request.param
    port, files = free_port(), [certificates.path(f"server.{end}") for end in ("pem", "key")]
    command = make(tmp_path, port, server.address, *files)
    environ = {"HOME": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with (tmp_path / "proxy.log").open("wb") as said:
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=said, stderr=said)
    origin = f"https://127.0.0.1:{port}"
    probe = ["curl", "-fsS", "--cacert", certificates.path("ca.pem"), f"{origin}{PATH}/healthz"]
    until(lambda: subprocess.run(probe, capture_output=True).returncode == 0, origin)
    yield origin
    process.terminate()
    process.wait(PATIENCE_S)


class Visitor:
    """Someone who sees the proxy alone, and claims to come from elsewhere."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self.session = session
        self.origin = origin
        self.token = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Forwarded-For": CLAIMED, "Authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        headers = {**self.headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        headers["Content-Type"] = "application/json"
        url, data = f"{self.origin}{PATH}{path}", io.BytesIO(json.dumps(body).encode())
        sent = {"data": data} if body is not None else {}
        async with self.session.request(method, url, headers=headers, **sent) as response:
            assert response.status < 300, await response.text()
            return await response.json()


@pytest.fixture
async def visitor(
    proxy: str, server: Running, certificates: Certificates
) -> AsyncIterator[Visitor]:
    """Signed in as the first admin."""
    context = ssl.create_default_context(cafile=certificates.path("ca.pem"))
    connector = TCPConnector(ssl=context, local_addr=(VISITOR, 0))
    async with ClientSession(connector=connector) as session:
        made = Visitor(session, proxy)
        code = server.prints(r"setup\?code=(\S+)")[1]
        body = {"code": code, "username": ADMIN[0], "password": ADMIN[1]}
        made.token = (await made.ask("POST", "/api/auth/setup", body))["token"]
        yield made


async def test_page_reports_logs_and_terminals_pass(visitor: Visitor, engine: Engine) -> None:
    for path in (PATH, f"{PATH}/"):
        async with visitor.session.get(f"{visitor.origin}{path}") as response:
            assert "<title>ArchNest" in await response.text()
            assert str(response.url) == f"{visitor.origin}{PATH}/"
    made = await visitor.ask("POST", "/api/agents/docker/tokens", {"hostId": "vm-1"})
    many = report("vm-1", *(container(f"c{number}") for number in range(3000)))
    await visitor.ask("POST", "/api/agents/docker/report", many, made["token"])
    entries = (await visitor.ask("GET", "/api/audit"))["entries"]
    assert {entry["address"] for entry in entries} == {VISITOR}
    line = "echo once; while :; do sleep 60; done"
    name = ["--name", "proxied", *ALONE]
    await asyncio.to_thread(engine.docker, "run", "-d", *name, IMAGE, "sh", "-c", line)
    try:
        source = {"hostId": "nas", "kind": "docker-socket", "address": str(engine.socket)}
        await visitor.ask("POST", "/api/sources", source)
        await is_shown(visitor, "proxied")
        await a_quiet_log_is_not_held_back(visitor)
        await a_terminal_echoes(visitor)
    finally:
        await asyncio.to_thread(engine.docker, "rm", "-f", "proxied")


async def is_shown(visitor: Visitor, name: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while name not in str(await visitor.ask("GET", "/api/containers")):
            await asyncio.sleep(0.1)


async def a_quiet_log_is_not_held_back(visitor: Visitor) -> None:
    url = f"{visitor.origin}{PATH}/api/hosts/nas/containers/proxied/logs?follow=1"
    async with visitor.session.get(url, headers=visitor.headers) as response:
        async with asyncio.timeout(PATIENCE_S):
            assert b"once" in await response.content.readline()


async def a_terminal_echoes(visitor: Visitor) -> None:
    wanted = {"kind": "exec", "hostId": "nas", "containerId": "proxied"}
    ticket = (await visitor.ask("POST", "/api/tickets", wanted))["ticket"]
    url = f"{visitor.origin}{PATH}/api/exec"
    async with visitor.session.ws_connect(url, headers={"Origin": visitor.origin}) as ws:
        terminal = Terminal(ws)
        await terminal.say(ticket=ticket, cols=80, rows=24)
        await terminal.type("echo $((6 * 7)) && exit\n")
        await terminal.shows("42")
