"""Parses what arrives so that nobody waits long for it.

aiohttp parses all that has arrived at once: a quarter of a megabyte in chunks
or frames of one byte each takes a tenth of a second, for each connection that
sends so, and everybody else waits. Here long arrivals are parsed in pieces, in
turn, a few milliseconds between two looks at the network; whose parsing takes
more than any honest client's comes last. A body whose length was told is only
copied, and is taken as it comes.

Of reports so many are let in between two looks at the network, first come,
first served, and none while those that are in wait to be read: when ten
thousand hosts report in the same second they wait outside (`first_read.py`),
and a person's requests pass them.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import StreamReader
from aiohttp.http_websocket import WebSocketReader
from aiohttp.web_protocol import RequestHandler

PIECE_BYTES = 8_192
"""Parsed in one go: in the worst case in five milliseconds, else in two microseconds."""
SMALL_BYTES = 1_024
"""Looking at the clock for these costs more than they do."""
ROUND_S = 0.002
REPORTS_A_ROUND = 8
"""Each takes a tenth of a millisecond until it waits for its turn to be read."""
FRUGAL_S = 0.002
STALLED_S = 60.0
"""A client that has not taken by then what was written, a quarter of a megabyte of a long answer,
is gone.
"""


_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,12})[ \t]*\r\n")
_REPORT = re.compile(rb"POST [^ ?]{0,200}/api/agents/docker/report[ ?]")


def plain_bytes(data: bytes) -> int:
    """How long the request is that this begins with, when its body is of told length; else 0."""
    end = data.find(b"\r\n\r\n", 0, PIECE_BYTES)
    head = data[: end + 2].lower()
    length = _LENGTH.search(head)
    if end < 0 or length is None or b"transfer-encoding" in head:
        return 0
    return end + 4 + int(length[1])


class Rounds:
    """Whose turn it is to be parsed, between two looks at the network."""

    def __init__(self, is_behind: Callable[[], bool]) -> None:
        """`is_behind` tells whether reports that were let in wait to be read."""
        self._is_behind = is_behind
        self._frugal: deque[FairConnection] = deque()
        self._greedy: deque[FairConnection] = deque()
        self._reports: deque[FairConnection] = deque()
        self._room = REPORTS_A_ROUND
        """For reports, in this round."""
        self._is_planned = False

    def join(self, connection: "FairConnection") -> None:
        """Let a connection go on when it is its turn; who has had much comes last."""
        (self._frugal if connection.is_frugal() else self._greedy).append(connection)
        self._plan()

    def lets_in(self) -> bool:
        """Whether one more report may be parsed in this round."""
        if self._reports or not self._room:
            return False
        self._room -= 1
        if not self._is_planned:
            self._plan()
        return True

    def join_reports(self, connection: "FairConnection") -> None:
        """Let a connection go on when it is its report's turn."""
        self._reports.append(connection)
        self._plan()

    def _plan(self) -> None:
        if not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._is_planned = False
        until = time.perf_counter() + ROUND_S
        while waiting := self._frugal or self._greedy:
            waiting.popleft().parse_on()
            if time.perf_counter() > until:
                break
        had_room = self._room
        self._room = 0 if self._is_behind() else REPORTS_A_ROUND
        while self._reports and self._room:
            self._room -= 1
            self._reports.popleft().parse_on()
        if self._frugal or self._greedy or self._reports or self._room != had_room:
            self._plan()


class FairConnection(RequestHandler):
    """A connection whose bytes are parsed bit by bit."""

    __slots__ = (
        *("_body", "_body_length", "_is_between", "_is_kept_back", "_is_parser_paused"),
        *("_held", "_is_waiting", "_parsed_at", "_rounds", "_spent_s", "_stalled", "_taken"),
    )

    def __init__(self, rounds: Rounds, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._rounds = rounds
        self._held: bytes | None = None
        """What has arrived and waits to be parsed; b"" when only the parser's own rest does."""
        self._taken = 0
        """How much of it is parsed."""
        self._is_waiting = False
        self._is_kept_back = False
        """Whether nothing more is to arrive until what waits is parsed."""
        self._body: StreamReader | None = None
        """The last body that had not ended with its head, when its length was told."""
        self._body_length = 0
        self._is_between = True
        """Whether what comes next is sure to begin a request."""
        self._is_parser_paused = False
        self._spent_s = 0.0
        self._parsed_at = 0.0
        self._stalled: asyncio.TimerHandle | None = None

    def is_frugal(self) -> bool:
        """Whether its parsing has taken no more than a request of people and agents does."""
        return self._spent_s < FRUGAL_S

    def data_received(self, data: bytes) -> None:
        """Parse at once what is little, and let the rest wait."""
        if self._held is not None:
            self._keep(self._held[self._taken :] + data)
            return
        rest = self._rest_of_body()
        if not rest and _REPORT.match(data) and not self._rounds.lets_in():
            # Behind a whole one nothing comes until it is answered.
            self._keep(data, is_whole=len(data) == plain_bytes(data))
            self._rounds.join_reports(self)
        elif not self.is_frugal():
            self._hold(data)
        elif len(data) <= SMALL_BYTES and not rest:
            self._parse(data)
            self._is_between = False
        else:
            piece, copied = self._piece(data, 0, rest)
            self._parse_piece(piece, copied)
            if len(piece) < len(data):
                self._hold(data[len(piece) :])

    def parse_on(self) -> None:
        """Take a turn: parse one piece of what waits."""
        self._is_waiting = False
        if self.transport is None:
            self._held = None
        elif self._held is not None and not self._reading_paused and not self._buffer_paused:
            piece, copied = self._piece(self._held, self._taken, self._rest_of_body())
            self._taken += len(piece)
            if self._taken >= len(self._held):
                self._held = None
            self._parse_piece(piece, copied)
            is_to_go_on = self._held is not None or self._is_kept_back
            if is_to_go_on and not self._reading_paused and not self._buffer_paused:
                self._resume_transport_reading()

    def pause_reading(self) -> None:
        """Take no more of a body for now."""
        self._is_parser_paused = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on; asked for twice with each body, though hardly any was too long at once."""
        if self._is_parser_paused:
            self._is_parser_paused = not resume_parser
            super().resume_reading(resume_parser)

    def pause_writing(self) -> None:
        """Wait for the client to take what was written, but not for ever."""
        super().pause_writing()
        self._begin_stall()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._end_stall()
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let whoever waits to write go on, to find that nobody is there.

        What aiohttp raises in that place holds the frames that it passes, and is held by
        one of them: the answer stayed in memory until such circles are looked for.
        """
        self._end_stall()
        waiter, self._drain_waiter = self._drain_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        super().connection_lost(exc)

    def force_close(self) -> None:
        """Close it when the client has taken the rest, or does not."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self._begin_stall()
        super().force_close()

    def _begin_stall(self) -> None:
        if self._stalled is None and self.transport is not None:
            self._stalled = self._loop.call_later(STALLED_S, self.transport.abort)

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def set_parser(
        self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None
    ) -> None:
        """Leave HTTP; what came right behind the request is not parsed in one go either."""
        early, self._message_tail = self._message_tail, b""
        super().set_parser(parser, data_received_cb)
        if early:
            self._hold(early + (self._held or b"")[self._taken :])

    def _hold(self, data: bytes) -> None:
        self._keep(data)
        self._wait()

    def _keep(self, data: bytes, *, is_whole: bool = False) -> None:
        self._held, self._taken = data, 0
        # To stop and begin again takes several calls of the system.
        if not is_whole:
            self._is_kept_back = True
            self._pause_transport_reading()

    def _piece(self, data: bytes, taken: int, rest: int) -> tuple[bytes, int]:
        """What to parse next, and how much from there on is sure to be copied only.

        What looks like a head may be a client's trick, unless a request begins with it.
        """
        plain = 0 if taken or not self.is_frugal() else rest or plain_bytes(data)
        piece = data[taken : taken + max(PIECE_BYTES, plain)]
        return piece, rest or (plain if self._is_between else 0)

    def _parse_piece(self, piece: bytes, copied: int) -> None:
        if len(piece) <= copied:
            self._parse(piece)
            self._is_between = len(piece) == copied
        else:
            self._parse_measured(piece)
            self._is_between = False

    def _parse(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            self._note_body(*self._messages[-1])

    def _parse_measured(self, data: bytes) -> None:
        # Of this thread: where the machine is busy with others it is not the client's fault.
        began = time.thread_time()
        self._parse(data)
        spent_s = time.thread_time() - began
        # A hundredth of the time is free, so that no long life makes a greedy one.
        now = time.perf_counter()
        self._spent_s = max(0.0, self._spent_s - (now - self._parsed_at) / 100) + spent_s
        self._parsed_at = now

    def _note_body(self, message: Any, body: StreamReader) -> None:
        self._body = None
        # What could not be read as a request has no headers, and no body either.
        if not body.is_eof() and not message.chunked:
            length = message.headers.get("Content-Length", "")
            if length.isascii() and length.isdigit():
                self._body, self._body_length = body, int(length)

    def _rest_of_body(self) -> int:
        """How many bytes are still to come of a body whose length was told."""
        if self._body is None or self._body.is_eof():
            return 0
        return self._body_length - self._body.total_bytes

    def _wait(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._rounds.join(self)

    def _resume_transport_reading(self) -> None:
        # Whoever resumes, what has arrived comes before what will.
        if self._held is None:
            self._is_kept_back = False
            super()._resume_transport_reading()
        else:
            self._wait()
