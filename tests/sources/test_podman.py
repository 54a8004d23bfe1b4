"""Podman's own Engine API as a source: the same picture, logs of its quirks included."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.test_podman import Podman, processes_of
from tests.conftest import Client
from tests.engine.awkward import SLEEP
from tests.engine.dockerd import image, remove
from tests.running import until as wait_until
from tests.sources.test_live import add, host, named, until

IMAGE = "archnest-test:1"
Headers = dict[str, str]


@pytest.fixture
def service() -> Iterator[tuple[Podman, Path]]:
    """A podman of its own that answers on a socket."""
    folder = Path(tempfile.mkdtemp(prefix="anp-", dir="/tmp"))
    podman = Podman(folder)
    socket = folder / "podman.sock"
    process = subprocess.Popen(
        [podman.wrapper, "system", "service", "--time=0", f"unix://{socket}"],
        stderr=subprocess.DEVNULL,
    )
    try:
        podman("import", "-", IMAGE, stdin=image())
        wait_until(socket.exists, "podman's socket")
        yield podman, socket
    finally:
        podman("rm", "-f", "-t", "0", "--all")
        process.terminate()
        process.wait(10)
        wait_until(lambda: not processes_of(folder), "end of podman's processes")
        remove(folder)


async def test_podman_shows_and_does_the_same(
    client: Client,
    admin: Headers,
    service: tuple[Podman, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archnest.sources.engine.STATS_S", 1.0)
    monkeypatch.setattr("archnest.sources.engine.LOOKED_AT_S", 1.0)
    podman, socket = service
    burn = ["sh", "-c", "while :; do :; done"]
    await asyncio.to_thread(podman.run, "worker", "--env", "DB_PASSWORD=x", IMAGE, *SLEEP)
    await asyncio.to_thread(podman.run, "burner", IMAGE, *burn)
    await add(client, admin, address=str(socket))

    async def row(name: str) -> Any:
        return named(await host(client, admin), name) or {}

    async def burns() -> Any:
        return ((await row("burner")).get("stats") or {}).get("cpuPercent")

    share = await until(burns)
    # One busy loop uses one core at most; podman's own counter would give many times that.
    assert 1 < share < 150
    path = "/api/hosts/nas/containers/worker"
    detail = await (await client.get(path, headers=admin)).json()
    assert {"key": "DB_PASSWORD", "value": "********"} in detail["container"]["env"]
    response = await client.post(f"{path}/actions", json={"action": "kill"}, headers=admin)
    assert response.status == 204, await response.text()

    async def is_down() -> bool:
        return (await row("worker")).get("state") == "exited"

    await until(is_down)
