"""SIGTERM with everything open at once: logs, terminals, half bodies, readers that do not read."""

import asyncio
import contextlib
import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.engine.awkward import ALONE, FLOOD, IMAGE
from tests.engine.dockerd import Engine
from tests.factories import AGENT_TOKEN, bearer
from tests.faults.suffering import Server
from tests.running import until

TICK = "while :; do echo tick; sleep 0.1; done"
ENDS_WITHIN_S = 8


@pytest.fixture
def engine_with_talkers(engine: Engine) -> Iterator[Engine]:
    """A real engine with a container that talks and one that never stops to."""
    for name, line in (("talker", TICK), ("flooder", FLOOD)):
        engine.docker("run", "-d", "--name", name, *ALONE, IMAGE, "sh", "-c", line)
    yield engine
    engine.docker("rm", "-f", "talker", "flooder")


def logs(name: str) -> str:
    return f"/api/hosts/nas/containers/{name}/logs?follow=1"


async def open_log(session: aiohttp.ClientSession, server: Server) -> aiohttp.ClientResponse:
    """A log that is followed."""
    response = await session.get(server.url + logs("talker"), headers=bearer(server.token))
    assert response.status == 200
    assert b"tick" in await response.content.readline()
    return response


async def open_terminal(
    session: aiohttp.ClientSession, server: Server
) -> aiohttp.ClientWebSocketResponse:
    """A shell in which a command runs."""
    asked = {"kind": "exec", "hostId": "nas", "containerId": "talker"}
    ticket = await asyncio.to_thread(server.ask, "POST", "/api/tickets", asked)
    ws = await session.ws_connect(f"{server.url}/api/exec", headers={"Origin": server.url})
    await ws.send_json({"ticket": ticket["ticket"], "cols": 80, "rows": 24})
    await ws.send_bytes(b"echo $((6*7)); sleep 1000\r")
    while b"42" not in (await ws.receive_bytes()):
        pass
    return ws


def raw(server: Server, sent: str) -> socket.socket:
    """A connection that sends this and reads nothing."""
    one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    one.sendall(sent.encode())
    return one


def half_open(server: Server) -> list[socket.socket]:
    """Idle, half a head, half a report, and a log of a flood that nobody reads."""
    login = f"Host: nest\r\nAuthorization: Bearer {server.token}\r\n"
    report = f"Host: nest\r\nAuthorization: Bearer {AGENT_TOKEN}\r\n"
    body = "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    return [
        raw(server, ""),
        raw(server, "GET / HTTP/1.1\r\nHost:"),
        raw(server, f"POST /api/agents/docker/report HTTP/1.1\r\n{report}{body}"),
        raw(server, f"GET {logs('flooder')} HTTP/1.1\r\n{login}\r\n"),
    ]


async def last_words(terminal: aiohttp.ClientWebSocketResponse) -> str:
    """The last message of a terminal before it was closed."""
    said = [str(one.data) async for one in terminal if one.type is aiohttp.WSMsgType.TEXT]
    return said[-1]


async def ends_of_log(response: aiohttp.ClientResponse) -> None:
    """Read to the end, which is not in the middle of a line."""
    rest = b""
    with contextlib.suppress(aiohttp.ClientPayloadError):
        rest = await response.content.read()
    response.close()
    assert all(json.loads(line) for line in rest.splitlines() if line)


@pytest.fixture
def watching(tmp_path: Path, engine_with_talkers: Engine) -> Iterator[Server]:
    """A server that asks the engine and shows both containers."""
    server = Server(tmp_path)
    server.add_admin()
    server.start()
    source = {"hostId": "nas", "kind": "docker-socket", "address": str(engine_with_talkers.socket)}
    server.ask("POST", "/api/sources", source)

    def shown() -> bool:
        hosts = server.ask("GET", "/api/containers")["hosts"]
        return {one["name"] for host in hosts for one in host["containers"]} >= {
            "talker",
            "flooder",
        }

    until(shown, "both containers")
    yield server
    server.stop()


async def test_everything_open_ends_cleanly(watching: Server, engine_with_talkers: Engine) -> None:
    async with aiohttp.ClientSession() as session:
        log = await open_log(session, watching)
        terminal = await open_terminal(session, watching)
        open_ones = await asyncio.to_thread(half_open, watching)
        await asyncio.sleep(1)
        process = watching.process
        assert process is not None
        heard = asyncio.create_task(last_words(terminal))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 30)
        assert time.monotonic() - began < ENDS_WITHIN_S
        assert code == 0
        assert json.loads(await heard)["kind"] == "stopping"
        assert terminal.close_code == aiohttp.WSCloseCode.GOING_AWAY
        await terminal.close()
        await ends_of_log(log)
        for one in open_ones:
            one.close()
    assert watching.complaints() == []
    assert "Traceback" not in watching.output

    def has_ended() -> bool:
        return "sleep 1000" not in engine_with_talkers.docker("top", "talker", "-o", "pid,args")

    await asyncio.to_thread(until, has_ended, "end of what ran in the terminal")


async def test_an_action_cut_short_by_the_servers_stop_is_not_said_to_have_failed(
    watching: Server,
) -> None:
    # What its shell runs does not hear the signal: the engine waits before it kills.
    path, body = "/api/hosts/nas/containers/talker/actions", {"action": "stop"}

    async def record() -> Any:
        return (await asyncio.to_thread(watching.ask, "GET", "/api/audit"))["entries"][0]

    asking = asyncio.create_task(asyncio.to_thread(watching.ask, "POST", path, body))
    while (await record())["action"] != "container.stop":
        await asyncio.sleep(0.05)
    await asyncio.to_thread(watching.stop)
    with pytest.raises((OSError, http.client.HTTPException)):
        await asking
    await asyncio.to_thread(watching.start)
    entries = (await asyncio.to_thread(watching.ask, "GET", "/api/audit"))["entries"]
    told = next(one for one in entries if one["action"] == "container.stop")
    assert (told["outcome"], told["endedAt"]) == ("begun", None)
    assert "the server stopped" in told["detail"]
