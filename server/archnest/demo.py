"""What `make demo` starts: the server on a temporary folder, fed by a made-up fleet.

The reports go through the same endpoint as an agent's. Nothing is kept: the
folder is removed at the end.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from archnest import children
from archnest.children import Server
from archnest.config import Config, load
from archnest.demo_engine import DemoEngine
from archnest.demo_fleet import DemoHost, fleet
from archnest.errors import StartRefused

HOSTS = 8
ENGINE = "workshop"
CONTAINERS = 20
INTERVAL_S = 5.0
STALE_AFTER_MS = 20_000
SILENCE_S = 120.0
"""How long the last host reports, and then is silent, in turn."""
STOP_S = 4.5
ADMIN = "demo"
HEADERS = {"Content-Type": "application/json"}


def main() -> int:
    """Run until a signal or the server's end; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="archnest-demo-") as folder:
        token, password = secrets.token_urlsafe(24), secrets.token_urlsafe(9)
        environ = {
            "ARCHNEST_STALE_AFTER_MS": str(STALE_AFTER_MS),
            **os.environ,
            "ARCHNEST_DATA_DIR": folder,
            "ARCHNEST_AGENT_TOKEN": token,
        }
        try:
            config = load(environ)
            _add_admin(password, environ)
        except StartRefused as error:
            print(f"archnest: {error}", file=sys.stderr)
            return 1
        return asyncio.run(_run(config, environ, password))


def _add_admin(password: str, environ: Mapping[str, str]) -> None:
    """An admin of the demo, made as an operator would."""
    command = [sys.executable, "-m", "archnest", "user", "add", ADMIN, "--role", "admin"]
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, "--password-stdin"],
        input=password + "\n",
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StartRefused(done.stderr.strip())


async def _run(config: Config, environ: Mapping[str, str], password: str) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = await Server.start(environ)
    asked = asyncio.create_task(stopping.wait())
    ended = asyncio.create_task(server.process.wait())
    feeding = asyncio.create_task(_feed(server, config, password))
    try:
        await asyncio.wait({asked, ended, feeding}, return_when=asyncio.FIRST_COMPLETED)
        failed = not asked.done()
    finally:
        asked.cancel()
        feeding.cancel()
        await children.stop([server.process], within_s=STOP_S)
        error = (await asyncio.gather(feeding, return_exceptions=True))[0]
        if failed and isinstance(error, Exception):
            print(f"archnest: the made-up agents failed: {error}", file=sys.stderr)
    return children.exit_code(server.process) or int(failed)


async def _feed(server: Server, config: Config, password: str) -> None:
    """Post every host's report every INTERVAL_S, the last one with pauses."""
    await server.listening.wait()
    print(f"Sign in as {ADMIN} with the password {password}")
    print(
        f"{HOSTS} made-up hosts report every {INTERVAL_S:g} s; the engine of one more, {ENGINE},"
        " obeys and has logs. Ctrl-C ends it.",
        flush=True,
    )
    began = time.time()
    *hosts, asked = fleet(HOSTS + 1, CONTAINERS, now=began)
    asked = replace(asked, host_id=ENGINE)
    host = "127.0.0.1" if config.listen_host in ("0.0.0.0", "::") else config.listen_host
    host = f"[{host}]" if ":" in host else host
    address = f"{config.scheme}://{host}:{config.listen_port}{config.base_path}"
    headers = {**HEADERS, "Authorization": f"Bearer {config.agent_token}"}
    async with (
        aiohttp.ClientSession(
            address, headers=headers, connector=aiohttp.TCPConnector(ssl=False)
        ) as session,
        DemoEngine(asked).serving(socket_of(config)),
    ):
        await _furnish(session, config, password)
        while True:
            now = time.time()
            silent = int((now - began) / SILENCE_S) % 2 == 1
            await _post(session, hosts[:-1] if silent else hosts, now)
            await asyncio.sleep(INTERVAL_S)


async def _furnish(session: aiohttp.ClientSession, config: Config, password: str) -> None:
    """The rest of a household: an engine to ask, a member, a token, and acts for the record."""
    signed_in = await _ask(
        session, "POST", "api/auth/login", "", {"username": ADMIN, "password": password}
    )
    token = str(signed_in["token"])
    for path, body in (
        ("api/users", {"username": "guest", "password": password, "role": "member"}),
        ("api/auth/tokens", {"name": "prometheus", "password": password}),
        (
            "api/sources",
            {"hostId": ENGINE, "kind": "docker-socket", "address": str(socket_of(config))},
        ),
    ):
        await _ask(session, "POST", path, token, body)


async def _ask(
    session: aiohttp.ClientSession, method: str, path: str, token: str, body: object
) -> dict[str, Any]:
    """The JSON answer to a request that must succeed."""
    headers = {"Authorization": f"Bearer {token}"}
    data = msgspec.json.encode(body)
    async with session.request(method, path, data=data, headers=headers) as response:
        if response.status >= 300:
            raise RuntimeError(f"{path}: {await response.text()}")
        return dict(await response.json())


def socket_of(config: Config) -> Path:
    """Where the made-up engine listens."""
    return config.data_dir / "engine.sock"


async def _post(session: aiohttp.ClientSession, hosts: list[DemoHost], now: float) -> None:
    for host in hosts:
        body = msgspec.json.encode(host.report(now))
        async with session.post("api/agents/docker/report", data=body) as response:
            if response.status != 200:
                print(f"{host.host_id}: {await response.text()}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
