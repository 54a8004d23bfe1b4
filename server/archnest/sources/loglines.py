"""The engine's log stream as lines; pure.

Without a terminal the engine sends frames, each a message of stdout or stderr
with its time in front; with one it sends what the terminal got, line by line.
Frames: https://docs.docker.com/reference/api/engine/ ("Stream format").
"""

import re
from collections.abc import Iterator

from msgspec import Struct

MAX_LINE = 32_768
"""Characters kept of one line."""
MAX_FRAME_BYTES = 1_048_576
"""The engine cuts messages at 16 KiB; a frame far beyond is not one."""
HEADER_BYTES = 8
STREAMS = {0: "stdout", 1: "stdout", 2: "stderr", 3: "stderr"}
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?")


class LogLine(Struct, frozen=True):
    """One line of a container's log."""

    stream: str
    """stdout or stderr; a container with a terminal has stdout alone."""
    at: str | None
    """When the engine got it, RFC 3339; None where it does not say."""
    text: str


class _Pending:
    """The beginning of a line whose end has not come yet."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.at: str | None = None
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, part: bytes) -> None:
        """Append to the line."""
        # What goes beyond the bound is dropped here already: memory stays bounded.
        if self.size < MAX_LINE * 4:
            self.parts.append(part[: MAX_LINE * 4 - self.size])
            self.size += len(self.parts[-1])

    def taken(self, stream: str) -> LogLine:
        """The line; the next one begins."""
        text = b"".join(self.parts).removesuffix(b"\r").decode("utf-8", "replace")
        line = LogLine(stream, self.at, text if len(text) <= MAX_LINE else text[:MAX_LINE] + "…")
        self._clear()
        return line


class LogLines:
    """Takes the bytes as they come and gives the lines that they end."""

    def __init__(self, *, has_terminal: bool) -> None:
        self._has_terminal = has_terminal
        self._raw = b""
        self._pending = {"stdout": _Pending(), "stderr": _Pending()}

    def feed(self, data: bytes) -> Iterator[LogLine]:
        """The lines that this data ends; raises ValueError for what is no log stream."""
        if self._has_terminal:
            yield from self._of_terminal(data)
            return
        data = self._raw + data
        start = 0
        while len(data) - start >= HEADER_BYTES:
            kind, padding = data[start], data[start + 1 : start + 4]
            size = int.from_bytes(data[start + 4 : start + HEADER_BYTES])
            if kind not in STREAMS or any(padding) or size > MAX_FRAME_BYTES:
                raise ValueError("the engine's log stream has no frames")
            end = start + HEADER_BYTES + size
            if end > len(data):
                break
            yield from self._of_frame(STREAMS[kind], data[start + HEADER_BYTES : end])
            start = end
        self._raw = data[start:]

    def rest(self) -> Iterator[LogLine]:
        """What stands without an end of line when the stream has ended."""
        for stream, pending in self._pending.items():
            if pending.parts:
                yield pending.taken(stream)

    def _of_frame(self, stream: str, payload: bytes) -> Iterator[LogLine]:
        pending = self._pending[stream]
        *whole, rest = payload.split(b"\n")
        for part in whole:
            _add_timed(pending, part)
            yield pending.taken(stream)
        if rest:
            _add_timed(pending, rest)

    def _of_terminal(self, data: bytes) -> Iterator[LogLine]:
        *whole, rest = data.split(b"\n")
        pending = self._pending["stdout"]
        for part in whole:
            pending.add(part)
            yield self._timed(pending.taken("stdout"))
        if rest:
            pending.add(rest)

    def _timed(self, line: LogLine) -> LogLine:
        match = _TIME.match(line.text.encode())
        if match is None:
            return line
        return LogLine(line.stream, match[1].decode(), line.text[match.end() :])


def _add_timed(pending: _Pending, part: bytes) -> None:
    """Each message has its time in front, also those that make up one long line."""
    match = _TIME.match(part)
    if match:
        pending.at = pending.at or match[1].decode()
        part = part[match.end() :]
    pending.add(part)
