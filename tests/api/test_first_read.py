"""The first bytes of a connection reach the server whole, however they come."""

import asyncio
import json
import ssl
from collections.abc import Callable

import pytest
from aiohttp import web

from archnest.api.first_read import FIRST_BYTES
from archnest.api.protocol import Runner
from archnest.app import SERVER_OPTIONS, loop_factory
from tests.factories import AGENT_TOKEN, container, report
from tests.ports import free_port
from tests.sources.transports import Certificates

Loop = Callable[[], asyncio.AbstractEventLoop]
PIECES = [1, 700, FIRST_BYTES - 1, FIRST_BYTES, FIRST_BYTES + 1, 100_000]


def pushed(host_id: str, length: int) -> bytes:
    """A request whose body is at least so long, and not the same all along."""
    command = " ".join(map(str, range(length // 5)))
    body = json.dumps(report(host_id, container(command=command))).encode()
    head = (
        "POST /api/agents/docker/report HTTP/1.1\r\nHost: nest\r\n"
        f"Authorization: Bearer {AGENT_TOKEN}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answer(port: int, tls: ssl.SSLContext | None, sent: bytes, piece: int) -> bytes:
    """The status line that comes when a new connection sends so, piece by piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        for start in range(0, len(sent), piece):
            writer.write(sent[start : start + piece])
            await writer.drain()
            # Others arrive several at a time.
            if piece == 1 and start < 20:
                await asyncio.sleep(0.001)
        return await asyncio.wait_for(reader.readline(), 20)
    finally:
        writer.close()


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, loop_factory()], ids=["asyncio", "uvloop"]
)
def test_a_report_in_pieces_of_any_size_is_taken(
    application: web.Application, certificates: Certificates, loop: Loop, secured: bool
) -> None:
    assert loop is not None, "uvloop is installed with the tests"
    served = client = None
    if secured:
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        served.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))
        client = ssl.create_default_context(cafile=certificates.path("ca.pem"))

    async def run() -> set[bytes]:
        runner, port = Runner(application, **SERVER_OPTIONS), free_port()
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port, ssl_context=served).start()
            asked = [
                answer(port, client, pushed(f"h{piece}-{length}", length), piece)
                for piece in PIECES
                for length in (10, 20_000)
                if length < 1_000 * piece
            ]
            return set(await asyncio.gather(*asked))
        finally:
            await runner.cleanup()

    with asyncio.Runner(loop_factory=loop) as running:
        assert running.run(run()) == {b"HTTP/1.1 200 OK\r\n"}
