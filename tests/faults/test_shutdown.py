"""SIGTERM: what is in flight is answered and durable, and everything ends soon."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import AGENT_TOKEN, container, report
from tests.ports import free_port, wait_until_listening

HEAD = (
    b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Authorization: Bearer %s\r\nContent-Length: %%d\r\n\r\n"
)
REPORT = HEAD % (b"/api/agents/docker/report", AGENT_TOKEN.encode())
LOGIN = HEAD % (b"/api/auth/login", b"none")
ENDS_WITHIN_S = 5


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(port: int, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(Path(sys.executable).with_name("archnest")), "serve"]
    command += ["--listen", f"127.0.0.1:{port}", "--data-dir", str(tmp_path)]
    process = subprocess.Popen(command, env={**os.environ, "ARCHNEST_AGENT_TOKEN": AGENT_TOKEN})
    wait_until_listening(port)
    yield process
    process.kill()
    process.wait()


async def test_requests_in_flight_are_answered(server: subprocess.Popen[bytes], port: int) -> None:
    # Two passwords are checked at a time, so that some are waiting when the first is answered.
    body = json.dumps({"username": "nobody", "password": "wrong"}).encode()
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    for _, writer in connections:
        writer.write(LOGIN % len(body) + body)
    answers = [asyncio.create_task(reader.read()) for reader, _ in connections]
    await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
    server.send_signal(signal.SIGTERM)
    for answer in answers:
        assert (await asyncio.wait_for(answer, ENDS_WITHIN_S)).startswith(b"HTTP/1.1 401 ")
    for _, writer in connections:
        writer.close()
    assert await asyncio.to_thread(server.wait, ENDS_WITHIN_S) == 0


async def push(port: int, number: int) -> bool:
    """Whether the server acknowledged this host's report."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(report(f"h{number}", container())).encode()
    writer.write(REPORT % len(body) + body)
    try:
        return (await reader.read()).startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False
    finally:
        writer.close()


async def test_what_was_acknowledged_around_the_signal_is_stored(
    server: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    pushes = [asyncio.create_task(push(port, number)) for number in range(300)]
    while sum(task.done() for task in pushes) < 20:
        await asyncio.sleep(0.005)
    server.send_signal(signal.SIGTERM)
    acknowledged = await asyncio.gather(*pushes, return_exceptions=True)
    assert await asyncio.to_thread(server.wait, ENDS_WITHIN_S) == 0
    database = sqlite3.connect(tmp_path / "archnest.db")
    stored = {name for (name,) in database.execute("SELECT host_id FROM docker_agent_reports")}
    database.close()
    told = {f"h{number}" for number, answer in enumerate(acknowledged) if answer is True}
    assert told
    assert told <= stored


async def test_half_a_body_and_idle_connections_do_not_hold_it_up(
    server: subprocess.Popen[bytes], port: int
) -> None:
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
    for _, writer in connections[:5]:
        writer.write(REPORT % 500 + b'{"hostId":')
        await writer.drain()
    await asyncio.sleep(0.3)
    started = time.monotonic()
    server.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.wait, 8) == 0
    assert time.monotonic() - started < ENDS_WITHIN_S
    for _, writer in connections:
        writer.close()
