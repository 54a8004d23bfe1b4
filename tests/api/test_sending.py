"""Long answers, to clients that are slow, leave or ask for nothing but the head."""

import asyncio
import json
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientResponse

from archnest.api.sending import BATCH_BYTES
from tests.conftest import Client
from tests.factories import container, report

Push = Callable[..., Awaitable[ClientResponse]]
Headers = dict[str, str]
MIB = 1024 * 1024


@pytest.fixture
async def asking(client: Client, admin: Headers, push: Push) -> bytes:
    """A request whose answer is longer than what the system takes at once."""
    for number in range(8):
        shown = [container(f"c-{n}", labels={"a": secrets.token_hex(8_000)}) for n in range(60)]
        assert (await push(report(f"h-{number}", *shown))).status == 200
    head = f"GET /api/containers HTTP/1.1\r\nHost: nest\r\nAuthorization: {admin['Authorization']}"
    return head.encode() + b"\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"


def asked(client: Client, asking: bytes) -> socket.socket:
    """A connection on which an answer is to come."""
    assert client.port is not None
    one = socket.create_connection(("127.0.0.1", client.port), timeout=20)
    one.sendall(asking)
    return one


async def test_who_reads_slowly_but_steadily_gets_it_whole(
    client: Client, asking: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.api.fairness.STALLED_S", 3.0)

    def read() -> bytes:
        received = bytearray()
        with asked(client, asking) as one:
            # A window of megabytes would open seldom, and nothing seem to be taken till then.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            begun = time.monotonic()
            # What is there may be less, and then it would be slower than is meant.
            while part := one.recv(20_000, socket.MSG_WAITALL):
                received += part
                if len(received) < 1_800_000:
                    time.sleep(max(0.0, begun + len(received) / 400_000 - time.monotonic()))
        return bytes(received)

    received = await asyncio.to_thread(read)
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert len(body) > 4 * MIB


async def test_who_leaves_at_any_moment_is_nobodys_failure(
    client: Client, asking: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upgrade = (
        f"GET /api/exec HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nUpgrade: websocket\r\n"
        f"Origin: http://127.0.0.1:{client.port}\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    for sent in (asking, upgrade):
        for number in range(20):
            one = asked(client, sent)
            await asyncio.sleep(number / 2_000)
            one.close()
    assert (await client.get("/healthz")).status == 200
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_it_comes_whole_in_pieces(
    client: Client, admin: Headers, push: Push, accepted: str
) -> None:
    # Of random names, so that it is long when compressed, too.
    names = [f"{name}-{secrets.token_hex(400)}" for name in "abc" for _ in range(300)]
    for host_id in "abc":
        shown = [container(name) for name in names if name.startswith(host_id)]
        assert (await push(report(host_id, *shown))).status == 200
    headers = {**admin, "Accept-Encoding": accepted}
    response = await client.get("/api/containers", headers=headers)
    assert int(response.headers["Content-Length"]) > BATCH_BYTES
    told = json.loads(await response.read())["hosts"]
    assert [one["name"] for host in told for one in host["containers"]] == names
    head = await client.head("/api/containers", headers=headers)
    assert (head.status, await head.read()) == (200, b"")
    assert head.headers["Content-Length"] == response.headers["Content-Length"]
    assert (await client.get("/healthz")).status == 200
