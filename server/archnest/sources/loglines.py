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
PIECE_BYTES = 16_384
"""Of a longer line the engine makes messages of so many bytes, each with its time in front."""
MAX_TIME_BYTES = 36
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
        self.goes_on = False
        """Whether its last message was a full piece, so that the next one belongs to it."""

    def add(self, message: bytes) -> None:
        """Append what one message has of the line, its time in front."""
        match = _TIME.match(message)
        self.begin(match)
        part = message[match.end() :] if match else message
        self.goes_on = len(part) >= PIECE_BYTES
        self.append(part)

    def begin(self, time: re.Match[bytes] | None) -> None:
        """Note the time of a message; that of the line is its first one's."""
        if time is not None:
            self.at = self.at or time[1].decode()

    def append(self, part: bytes) -> None:
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
    """Takes the bytes as they come and gives the lines that they end.

    `in_pieces` says that messages which end neither with a line nor full were
    a program's last words, as Docker has them; podman's may go on in the next.
    """

    def __init__(self, *, has_terminal: bool, in_pieces: bool = True) -> None:
        self._has_terminal = has_terminal
        self._in_pieces = in_pieces
        self._raw = b""
        self._piece_left = 0
        """What may still come of a terminal's message; at 0 a time stands next."""
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
        if self._has_terminal:
            self._pending["stdout"].add(self._raw)
        for stream, pending in self._pending.items():
            if pending.size:
                yield pending.taken(stream)

    def _of_frame(self, stream: str, payload: bytes) -> Iterator[LogLine]:
        pending = self._pending[stream]
        if self._in_pieces and pending.size and not pending.goes_on:
            yield pending.taken(stream)
        *whole, rest = payload.split(b"\n")
        for part in whole:
            pending.add(part)
            yield pending.taken(stream)
        if rest:
            pending.add(rest)

    def _of_terminal(self, data: bytes) -> Iterator[LogLine]:
        data = self._raw + data
        pending = self._pending["stdout"]
        start = 0
        while start < len(data):
            if not self._piece_left:
                ahead = data[start : start + MAX_TIME_BYTES]
                if len(ahead) < MAX_TIME_BYTES and b"\n" not in ahead:
                    break
                time = _TIME.match(ahead)
                pending.begin(time)
                start += time.end() if time else 0
                self._piece_left = PIECE_BYTES
            end = data.find(b"\n", start, start + self._piece_left)
            part = data[start : end if end >= 0 else start + self._piece_left]
            pending.append(part)
            start += len(part)
            self._piece_left -= len(part)
            if end >= 0:
                yield pending.taken("stdout")
                start += 1
                self._piece_left = 0
        self._raw = data[start:]
