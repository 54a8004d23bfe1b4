"""Reads a request's body within bounds of size and time."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import HttpVersion11, web

from archnest.bodies import Bodies, Held
from archnest.errors import Invalid, TooLarge, UnsupportedMedia

READ_TIMEOUT_S = 30.0
MAX_BODY_BYTES = 65_536
"""For everything but reports."""
LONG_BYTES = 262_144
"""Shorter ones are inflated and read in about a millisecond."""
STEP_BYTES = 1_048_576
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


def check_media_type(request: web.Request) -> None:
    """Only JSON, as it is or gzipped; raises UnsupportedMedia."""
    if request.content_type != "application/json":
        raise UnsupportedMedia("send Content-Type: application/json")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "gzip"):
        raise UnsupportedMedia("send the body as it is or with Content-Encoding: gzip")


async def check_expectation(request: web.Request) -> None:
    """Refuse what is not known; who waits to be told to go on is told when the body is read."""
    if request.version >= HttpVersion11 and not _waits(request):
        raise web.HTTPExpectationFailed


def _waits(request: web.Request) -> bool:
    return request.headers.get("Expect", "").lower() == "100-continue"


class Body:
    """One request's body, which holds memory from its first byte to the answer.

    What came packed is unpacked only when it is looked at; the server itself
    must not inflate.
    """

    def __init__(self, request: web.Request, bodies: Bodies, held: Held, max_bytes: int) -> None:
        self._request = request
        self._bodies = bodies
        self._held = held
        self._max_bytes = max_bytes
        self._is_packed = bool(request.headers.get("Content-Encoding", "").strip())
        self._raw = b""

    async def receive(self) -> None:
        """Take all of it in.

        Raises TooLarge, Overloaded, or Invalid when it is slow or cut.
        """
        if (self._request.content_length or 0) > self._max_bytes:
            raise TooLarge(f"the body may have at most {self._max_bytes} bytes")
        # Most bodies have arrived with their headers; a timer costs more than reading them.
        if self._request.content.is_eof():
            self._raw = self._request.content.read_nowait()
            self._take(len(self._raw), len(self._raw))
            return
        if self._request.version >= HttpVersion11 and _waits(self._request):
            await self._request.writer.write(GO_ON)
            # It is no part of the answer, whose size is counted from here.
            self._request.writer.output_size = 0
        try:
            async with self._bodies.waiting(self._held, READ_TIMEOUT_S):
                self._raw = await self._read()
        except TimeoutError:
            raise Invalid(f"the body did not arrive within {READ_TIMEOUT_S:.0f} seconds") from None

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in self._request.content.iter_any():
            size += len(chunk)
            self._take(len(chunk), size)
            chunks.append(chunk)
        return b"".join(chunks)

    def _take(self, more: int, size: int) -> None:
        if size > self._max_bytes:
            raise TooLarge(f"the body may have at most {self._max_bytes} bytes")
        self._bodies.grow(self._held, more)

    def unpacked(self) -> bytes:
        """The body, inflated in one go; raises TooLarge, Overloaded, or Invalid."""
        return self._unpack(self._max_bytes)

    def _unpack(self, max_bytes: int) -> bytes:
        if not self._is_packed:
            return self._raw
        body = inflate(self._raw, max_bytes)
        self._bodies.grow(self._held, len(body))
        return body

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Callable[[], bytes]]:
        """What gives a long body.

        It waits for its place, is inflated bit by bit and keeps the place until
        left: a thousand of them, a few KB each when packed, would fill the
        memory and keep everyone waiting.
        """
        async with self._bodies.place(self._held):
            body = await self._inflated() if self._is_packed else self._raw
            yield lambda: body

    @property
    def is_short(self) -> bool:
        """Whether it takes no longer than others may wait."""
        if len(self._raw) > LONG_BYTES:
            return False
        # A gzip ends with the length of what is in it, which may be a lie.
        return not self._is_packed or int.from_bytes(self._raw[-4:], "little") <= LONG_BYTES

    def unpacked_short(self) -> bytes:
        """A short body, inflated in one go; raises Overloaded, or Invalid."""
        try:
            return self._unpack(min(self._max_bytes, LONG_BYTES))
        except TooLarge:
            if self._max_bytes <= LONG_BYTES:
                raise
            raise Invalid("the gzip body holds more than it says") from None

    async def _inflated(self) -> bytes:
        stream = zlib.decompressobj(wbits=31)
        parts: list[bytes] = []
        size = 0
        rest = self._raw
        while not stream.eof:
            part = _step(stream, rest, STEP_BYTES)
            rest = stream.unconsumed_tail
            if not part and not rest:
                break
            size += len(part)
            if size > self._max_bytes:
                raise TooLarge(_too_long(self._max_bytes))
            self._bodies.grow(self._held, len(part))
            parts.append(part)
            await asyncio.sleep(0)
        _check_end(stream)
        return b"".join(parts)


def inflate(raw: bytes, max_bytes: int) -> bytes:
    """One gzip stream and nothing after it, at most `max_bytes` when inflated."""
    stream = zlib.decompressobj(wbits=31)
    body = _step(stream, raw, max_bytes + 1)
    if len(body) > max_bytes:
        raise TooLarge(_too_long(max_bytes))
    _check_end(stream)
    return body


def _too_long(max_bytes: int) -> str:
    return f"the body may have at most {max_bytes} bytes when inflated"


def _step(stream: Any, raw: bytes, max_bytes: int) -> bytes:
    try:
        part: bytes = stream.decompress(raw, max_bytes)
    except zlib.error:
        raise Invalid("the body is not gzip, though Content-Encoding says so") from None
    return part


def _check_end(stream: Any) -> None:
    if not stream.eof:
        raise Invalid("the gzip body is cut short")
    if stream.unused_data:
        raise Invalid("something follows the gzip body")
