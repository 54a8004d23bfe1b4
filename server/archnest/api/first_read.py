"""Reads little of a new connection, until it is known who it is.

Ten thousand reports that come in the same second are 400 MB. To take them all
in only to let them wait keeps a processor busy for more than a second, mostly
with finding memory; in the system's buffers they lie already.
"""

import asyncio

from aiohttp.web_protocol import RequestHandler

FIRST_BYTES = 2_048
"""The head of a report is a tenth of that."""
# Whoever is given it fills and empties it before anyone else in the process's one loop can
# ask for it. A view, for asyncio's TLS slices it to go on filling, and slices of a
# bytearray are copies.
_buffer = memoryview(bytearray(FIRST_BYTES))


class FirstRead(asyncio.BufferedProtocol):
    """Gives a connection its first bytes, and then leaves it alone with its transport."""

    __slots__ = ("_connection", "_transport")

    def __init__(self, connection: RequestHandler) -> None:
        self._connection = connection
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin both."""
        self._transport = transport
        self._connection.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Room for the first bytes."""
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.set_protocol(self._connection)
        self._connection.data_received(bytes(_buffer[:nbytes]))

    def eof_received(self) -> None:
        """Nothing ever came."""
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End it before it began."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._connection.resume_writing()
