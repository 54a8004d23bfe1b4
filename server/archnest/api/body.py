"""Reads a request's body within bounds of size and time."""

import asyncio
import zlib

from aiohttp import web

from archnest.errors import Invalid, TooLarge, UnsupportedMedia

READ_TIMEOUT_S = 30.0
MAX_BODY_BYTES = 65_536
"""For everything but reports."""


def check_media_type(request: web.Request) -> None:
    """Only JSON, as it is or gzipped; raises UnsupportedMedia."""
    if request.content_type != "application/json":
        raise UnsupportedMedia("send Content-Type: application/json")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "gzip"):
        raise UnsupportedMedia("send the body as it is or with Content-Encoding: gzip")


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """The whole body, inflated; the server itself must not inflate.

    Raises TooLarge past `max_bytes` before or after inflation and Invalid
    when the body is slow, cut or not gzip.
    """
    if (request.content_length or 0) > max_bytes:
        raise TooLarge(f"the body may have at most {max_bytes} bytes")
    try:
        # Most bodies have arrived with their headers; a timer costs more than reading them.
        if request.content.is_eof():
            raw = await _read_raw(request, max_bytes)
        else:
            async with asyncio.timeout(READ_TIMEOUT_S):
                raw = await _read_raw(request, max_bytes)
    except TimeoutError:
        raise Invalid(f"the body did not arrive within {READ_TIMEOUT_S:.0f} seconds") from None
    if request.headers.get("Content-Encoding", "").strip():
        return inflate(raw, max_bytes)
    return raw


async def _read_raw(request: web.Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge(f"the body may have at most {max_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def inflate(raw: bytes, max_bytes: int) -> bytes:
    """One gzip stream and nothing after it, at most `max_bytes` when inflated."""
    stream = zlib.decompressobj(wbits=31)
    try:
        body = stream.decompress(raw, max_bytes + 1)
    except zlib.error:
        raise Invalid("the body is not gzip, though Content-Encoding says so") from None
    if len(body) > max_bytes:
        raise TooLarge(f"the body may have at most {max_bytes} bytes when inflated")
    if not stream.eof:
        raise Invalid("the gzip body is cut short")
    if stream.unused_data:
        raise Invalid("something follows the gzip body")
    return body
