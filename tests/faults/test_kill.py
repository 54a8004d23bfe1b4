"""A report that was answered 200 survives kill -9 of the server."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.factories import AGENT, AGENT_TOKEN, container, report
from tests.ports import free_port, wait_until_alive

HOSTS = 40


def start(data_dir: Path, port: int) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("archnest")), "serve"]
    command += ["--listen", f"127.0.0.1:{port}", "--data-dir", str(data_dir)]
    return subprocess.Popen(command, env={**os.environ, "ARCHNEST_AGENT_TOKEN": AGENT_TOKEN})


async def push_for_ever(
    session: aiohttp.ClientSession, url: str, host_id: str, acknowledged: dict[str, int]
) -> None:
    number = 0
    while True:
        number += 1
        document = report(host_id, container("web", restartCount=number))
        async with session.post(url, json=document, headers=AGENT) as response:
            assert response.status == 200
            acknowledged[host_id] = number


def stored_counts(data_dir: Path) -> dict[str, int]:
    connection = sqlite3.connect(data_dir / "archnest.db")
    rows = connection.execute(
        "SELECT host_id, json_extract(report_json, '$[0].restartCount') FROM docker_agent_reports"
    ).fetchall()
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return dict(rows)


@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.5])
async def test_no_acknowledged_report_is_lost(tmp_path: Path, after_s: float) -> None:
    port = free_port()
    server = await asyncio.to_thread(start, tmp_path, port)
    acknowledged: dict[str, int] = {}
    try:
        await wait_until_alive(f"http://127.0.0.1:{port}")
        url = f"http://127.0.0.1:{port}/api/agents/docker/report"
        async with aiohttp.ClientSession() as session:
            pushing = [
                asyncio.create_task(push_for_ever(session, url, f"h{n}", acknowledged))
                for n in range(HOSTS)
            ]
            while not acknowledged:
                await asyncio.sleep(0.01)
            await asyncio.sleep(after_s)
            server.send_signal(signal.SIGKILL)
            for task in pushing:
                with contextlib.suppress(aiohttp.ClientError):
                    await task
    finally:
        server.kill()
        await asyncio.to_thread(server.wait)
    assert acknowledged
    stored = await asyncio.to_thread(stored_counts, tmp_path)
    lost = {host: n for host, n in acknowledged.items() if stored.get(host, 0) < n}
    assert lost == {}
