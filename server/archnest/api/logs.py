"""A container's log, streamed as its engine gives it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from urllib.parse import quote

import msgspec
from aiohttp import web

from archnest import keys
from archnest.api.endpoint import Streamed
from archnest.auth.access import Access, Identity
from archnest.errors import Invalid, Problem
from archnest.sources import logs
from archnest.sources.loglines import LogLine
from archnest.sources.logs import LogQuery
from archnest.tasks import ended
from archnest.timestamps import unix_nanoseconds

USUAL_TAIL = 200
MAX_TAIL = 100_000
CHECK_S = 2.0
"""How often a quiet stream looks whether its reader and its session are still there."""
KEEPALIVE_S = 15.0

_encode = msgspec.json.Encoder().encode
Batch = list[LogLine]


async def read_logs(
    request: web.Request,
    identity: Identity,
    host_id: str,
    container_id: str,
    tail: str | None = None,
    since: str | None = None,
    follow: str | None = None,
    format: str | None = None,
    timestamps: str | None = None,
) -> Streamed[LogLine]:
    """Stream a container's log, one JSON object a line, or as text with `format=text`."""
    picture = request.app[keys.FLEET].entry(host_id).picture
    target = request.app[keys.POLLERS].target(host_id)
    container = picture.find(container_id)
    query = LogQuery(_tail(tail), _since(since), _flag("follow", follow))
    writer: _Json | _Text = _Json()
    if format == "text":
        writer = _Text(container.name or container.id, with_times=_flag("timestamps", timestamps))
    elif format not in (None, "json"):
        raise Invalid("format: json or text is expected")
    if request.method == "HEAD":
        return Streamed[LogLine](headers=writer.headers)
    with request.app[keys.STREAMS].one(identity.username):
        async with logs.opened(target, container.id, query) as batches:
            response = Streamed[LogLine](headers=writer.headers)
            await response.prepare(request)
            is_reached = partial(request.app[keys.POLLERS].has_target, host_id, target)
            await _serve(request, response, batches, writer, is_reached)
        return response


async def _serve(
    request: web.Request,
    response: web.StreamResponse,
    batches: AsyncIterator[Batch],
    writer: "_Json | _Text",
    is_reached: Callable[[], bool],
) -> None:
    """Write what comes until the log, its reader, the session or the source ends."""
    # One batch ahead and no more: who reads slowly makes the engine wait.
    queue: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)
    ending = "complete"

    async def fill() -> None:
        nonlocal ending
        try:
            async for batch in batches:
                await queue.put(batch)
        except Exception as error:
            ending = error.detail if isinstance(error, Problem) else "the engine's stream broke"
        await queue.put(None)

    filling = asyncio.create_task(fill(), name="log")
    try:
        spoke_at = time.monotonic()
        while (batch := await _next(queue)) is not None:
            if not _is_wanted(request):
                return
            if not is_reached():
                ending = "the host's source was changed or removed"
                break
            if batch:
                await response.write(writer.lines(batch))
                spoke_at = time.monotonic()
            elif time.monotonic() - spoke_at > KEEPALIVE_S:
                await response.write(b"\n")
                spoke_at = time.monotonic()
        await response.write(writer.end(ending))
    except ConnectionError:
        return
    finally:
        await ended(filling)


async def _next(queue: asyncio.Queue[Batch | None]) -> Batch | None:
    """The next batch, an empty one when none came for a while, None at the end."""
    try:
        return await asyncio.wait_for(queue.get(), CHECK_S)
    except TimeoutError:
        return []


def _is_wanted(request: web.Request) -> bool:
    """Whether the reader is still there and still signed in."""
    if request.transport is None or request.transport.is_closing():
        return False
    try:
        request.app[keys.GATE].admit_user(request.headers.get("Authorization"), Access.MEMBER)
    except Problem:
        return False
    return True


class _Json:
    """One object a line; the last one says why the stream ends."""

    def __init__(self) -> None:
        # A proxy that buffers would hold a quiet log's lines back.
        self.headers = {"Content-Type": Streamed.media_type, "X-Accel-Buffering": "no"}

    def lines(self, batch: Batch) -> bytes:
        return b"".join(_encode(line) + b"\n" for line in batch)

    def end(self, reason: str) -> bytes:
        return _encode({"end": reason}) + b"\n"


class _Text:
    """The lines as they were, for a file."""

    def __init__(self, name: str, *, with_times: bool) -> None:
        self._with_times = with_times
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        self.headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{plain}.log";'
            f" filename*=UTF-8''{quote(name, safe='')}.log",
        }

    def lines(self, batch: Batch) -> bytes:
        texts = (
            f"{line.at} {line.text}\n" if self._with_times and line.at else f"{line.text}\n"
            for line in batch
        )
        return "".join(texts).encode("utf-8", "replace")

    def end(self, reason: str) -> bytes:
        return b"" if reason == "complete" else f"[{reason}]\n".encode()


def _tail(text: str | None) -> int | None:
    if text == "all":
        return None
    if text is None:
        return USUAL_TAIL
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= MAX_TAIL):
        raise Invalid(f"tail: `all` or a number up to {MAX_TAIL} is expected")
    return int(text)


def _since(text: str | None) -> int | None:
    try:
        return unix_nanoseconds(text) if text is not None else None
    except ValueError:
        raise Invalid("since: a time in RFC 3339 is expected") from None


def _flag(name: str, text: str | None) -> bool:
    if text in (None, "0", "false"):
        return False
    if text in ("1", "true"):
        return True
    raise Invalid(f"{name}: 1 or 0 is expected")
