"""Sends a long answer bit by bit, so that neither memory nor other clients pay for it."""

import contextlib
import socket
from collections.abc import Iterable, Iterator

from aiohttp import web

from archnest import keys

BATCH_BYTES = 262_144
"""Of an answer sent in one go: who never reads holds little more of the server's memory."""
BATCHES_A_ROUND = 8
"""Between two looks at the network, of all answers together: about two milliseconds."""
UNSENT_BYTES = 131_072
"""How much the system keeps beside what is under way to the client.

As much as it likes would be megabytes: a slow client would seem to take nothing
for minutes, and then all at once.
"""


async def send(request: web.Request, response: web.StreamResponse, pieces: Iterable[bytes]) -> None:
    """Answer with these pieces, whose length is told, as fast as the client takes them.

    One that leaves meanwhile is nobody's failure.
    """
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        if request.method == "HEAD":
            return
        _keep_little(request)
        turns = request.app[keys.SENDING]
        for batch in _batches(pieces):
            await turns.take()
            await response.write(batch)


def _keep_little(request: web.Request) -> None:
    sock = request.transport and request.transport.get_extra_info("socket")
    if sock:
        # It may be closed already.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _batches(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, about BATCH_BYTES at a time."""
    batch: list[memoryview] = []
    size = 0
    for piece in pieces:
        for start in range(0, len(piece), BATCH_BYTES):
            batch.append(memoryview(piece)[start : start + BATCH_BYTES])
            size += len(batch[-1])
            if size >= BATCH_BYTES:
                yield b"".join(batch)
                batch, size = [], 0
    if batch:
        yield b"".join(batch)
