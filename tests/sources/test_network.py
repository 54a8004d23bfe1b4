"""An engine whose network goes away without a word, and comes back."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import Client
from tests.engine.dockerd import Engine
from tests.ports import free_port
from tests.sources.test_live import add, host, source, until

Headers = dict[str, str]
RELAY = """
import asyncio, sys
async def copy(reader, writer):
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
    writer.close()
async def relay(reader, writer):
    inner_reader, inner_writer = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
async def main():
    server = await asyncio.start_server(relay, "0.0.0.0", int(sys.argv[2]))
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass
class Network:
    """A network namespace of the test's own, with an engine's port in it."""

    link: str
    address: str

    def cut(self) -> None:
        """Packets go nowhere from now on; nobody is told."""
        ip("link", "set", self.link, "down")

    def mend(self) -> None:
        ip("link", "set", self.link, "up")


@pytest.fixture
def network(engine: Engine) -> Iterator[Network]:
    port = free_port()
    name = f"an{port}"
    ip("netns", "add", name)
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "inner", "netns", name)
        ip("addr", "add", "198.18.77.1/30", "dev", name)
        ip("link", "set", name, "up")
        for words in ("addr add 198.18.77.2/30 dev inner", "link set inner up", "link set lo up"):
            ip("-n", name, *words.split())
        command = ["ip", "netns", "exec", name, sys.executable, "-c", RELAY, str(engine.socket)]
        relay = subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE, text=True)
        assert relay.stdout is not None
        assert relay.stdout.readline() == "ready\n"
        yield Network(name, f"198.18.77.2:{port}")
        relay.kill()
        relay.communicate()
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "delete", name)
        ip("netns", "delete", name)


async def test_a_network_that_falls_silent_is_noticed_and_comes_back(
    client: Client,
    admin: Headers,
    engine: Engine,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archnest.sources.connect.REQUEST_S", 1.0)
    monkeypatch.setattr("archnest.sources.connect.CONNECT_S", 1.0)
    monkeypatch.setattr("archnest.sources.engine.POLL_S", 0.5)
    monkeypatch.setattr("archnest.pollers.LONGEST_WAIT_S", 1.0)
    await add(client, admin, hostId="other", address=str(engine.socket))
    await add(client, admin, kind="docker-tcp", address=network.address)
    await until(lambda: host(client, admin))
    await asyncio.to_thread(network.cut)

    async def is_noticed() -> bool:
        return bool((await source(client, admin))["state"] == "failing")

    await until(is_noticed)
    assert (await host(client, admin))["host"]["error"]
    assert (await source(client, admin, "other"))["state"] == "connected"
    await asyncio.to_thread(network.mend)

    async def is_back() -> bool:
        return (await host(client, admin))["host"]["error"] is None

    await until(is_back)
