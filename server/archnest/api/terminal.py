"""Terminals: a ticket for one, and the WebSocket that carries it.

Binary messages are what is typed and what is shown. Both directions are paced
by `ack`, so that neither a flood nor a paste fills anyone's memory.
"""

import asyncio
import contextlib
import time
from typing import Any, TypeVar

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from archnest import keys
from archnest.api.origin import require_own_origin
from archnest.auth.access import Identity
from archnest.errors import Invalid, Problem
from archnest.model.terminal import Opening, Said, Size, Ticket, TicketRequest
from archnest.tasks import ended
from archnest.terminals import Terminal, Terminals

FIRST_MESSAGE_S = 10.0
HEARTBEAT_S = 30.0
CLOSE_S = 1.0
MAX_MESSAGE_BYTES = 64 * 1024
WINDOW_BYTES = 512 * 1024
"""Output that is sent and not acknowledged; more waits in the engine."""
MAX_TYPED_BYTES = 256 * 1024
"""Input that the engine has not taken; a client that keeps to its window never has so much."""
PIECE_BYTES = 16 * 1024

Ending = dict[str, Any]
"""The last message: `exit`, or `error` with its `kind`; empty when the client left."""
STOPPING: Ending = {"error": "the server is stopping", "kind": "stopping"}
_OPENING = msgspec.json.Decoder(Opening)
_SAID = msgspec.json.Decoder(Said)
T = TypeVar("T")


async def create_ticket(request: web.Request, identity: Identity, body: TicketRequest) -> Ticket:
    """Give a ticket that opens one terminal in one container, once and soon."""
    container = request.app[keys.FLEET].entry(body.host_id).picture.find(body.container_id)
    terminals = request.app[keys.TERMINALS]
    return terminals.issue(identity, body.host_id, container, time.time())


async def open_terminal(request: web.Request) -> web.StreamResponse:
    """Open the terminal that a ticket is for, over a WebSocket."""
    require_own_origin(request)
    terminals = request.app[keys.TERMINALS]
    with terminals.talking():
        ws = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S,
            # Else aiohttp answers pings without end before it gives us a message.
            autoping=False,
            max_msg_size=MAX_MESSAGE_BYTES,
            compress=False,
            timeout=CLOSE_S,
        )
        try:
            await ws.prepare(request)
        except ConnectionError:
            # Whoever has left already gets any answer.
            return web.Response()
        talk = asyncio.create_task(_talk(request, ws, terminals))
        stop = asyncio.create_task(terminals.stopping.wait())
        try:
            await asyncio.wait({talk, stop}, return_when=asyncio.FIRST_COMPLETED)
            if talk.done():
                await _end(ws, talk.result(), WSCloseCode.OK)
            else:
                await _end(ws, STOPPING, WSCloseCode.GOING_AWAY)
        finally:
            await asyncio.gather(ended(talk), ended(stop))
    return ws


async def _talk(request: web.Request, ws: web.WebSocketResponse, terminals: Terminals) -> Ending:
    """Everything from the first message to the end; how it ended."""
    try:
        opening = await _opening(ws)
        address = request[keys.CLIENT_ADDRESS]
        async with terminals.opened(opening.ticket, address) as terminal:
            await terminal.shell.resize(opening.cols, opening.rows)
            try:
                ending = await _Conversation(ws, terminal).run()
            except ConnectionError:
                ending = {}
            terminal.how = f"exit code {ending['exit']}" if "exit" in ending else "left"
            return ending
    except Problem as problem:
        return {"error": problem.detail, "kind": problem.slug}


async def _opening(ws: web.WebSocketResponse) -> Opening:
    try:
        async with asyncio.timeout(FIRST_MESSAGE_S):
            message = await ws.receive()
    except TimeoutError:
        raise Invalid(f"no first message came within {FIRST_MESSAGE_S:.0f} s") from None
    if message.type is not WSMsgType.TEXT:
        raise Invalid("the first message is text: ticket, cols and rows")
    return _decoded(_OPENING, message.data)


def _decoded(decoder: msgspec.json.Decoder[T], text: str) -> T:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid(f"the message is not valid: {str(error)[:300]}") from None


async def _end(ws: web.WebSocketResponse, ending: Ending, code: int) -> None:
    with contextlib.suppress(ConnectionError):
        if ending:
            await ws.send_str(_text(ending))
        await ws.close(code=code)


def _text(message: Ending) -> str:
    return msgspec.json.encode(message).decode()


class _Conversation:
    """One client and one shell."""

    def __init__(self, ws: web.WebSocketResponse, terminal: Terminal) -> None:
        self._ws = ws
        self._terminal = terminal
        self._shell = terminal.shell
        self._typed = bytearray()
        self._has_typed = asyncio.Event()
        self._size: Size | None = None
        self._has_size = asyncio.Event()
        self._unshown = 0
        self._has_room = asyncio.Event()

    async def run(self) -> Ending:
        """Carry both ways until one side ends; raises the Problem that ends it."""
        show = asyncio.create_task(self._show())
        watch = asyncio.create_task(self._terminal.watch())
        others = [asyncio.create_task(one) for one in (self._hear(), self._type(), self._fit())]
        tasks = [show, watch, *others]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for done in (one for one in tasks if one.done()):
                done.result()
                return {"exit": await self._shell.ending()} if done in (show, watch) else {}
        finally:
            await asyncio.gather(*(ended(task) for task in tasks))
        return {}

    async def _show(self) -> None:
        """Send what the shell prints, no more ahead of the client than the window."""
        while data := await self._shell.read():
            await self._ws.send_bytes(data)
            self._unshown += len(data)
            while self._unshown >= WINDOW_BYTES:
                self._has_room.clear()
                await self._has_room.wait()

    async def _hear(self) -> None:
        """Take in what the client sends until it leaves; never waits for the engine."""
        async for message in self._ws:
            if message.type is WSMsgType.BINARY:
                self._typed += message.data
                if len(self._typed) > MAX_TYPED_BYTES:
                    raise Invalid("more was typed than the container takes")
                self._has_typed.set()
            elif message.type is WSMsgType.TEXT:
                self._heed(_decoded(_SAID, message.data))
            elif message.type is WSMsgType.PING:
                await self._ws.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                return
            # Messages that are there already are given without a pause.
            await asyncio.sleep(0)

    def _heed(self, said: Said) -> None:
        if said.ack is not None:
            self._unshown = max(0, self._unshown - said.ack)
            self._has_room.set()
        if said.resize is not None:
            self._size = said.resize
            self._has_size.set()

    async def _type(self) -> None:
        """Hand what is typed to the shell, and tell how much it has taken."""
        taken = 0
        while True:
            await self._has_typed.wait()
            self._has_typed.clear()
            while piece := bytes(self._typed[:PIECE_BYTES]):
                del self._typed[:PIECE_BYTES]
                await self._shell.write(piece)
                taken += len(piece)
                if taken >= PIECE_BYTES:
                    await self._ws.send_str(_text({"ack": taken}))
                    taken = 0

    async def _fit(self) -> None:
        """Give the terminal the size that the client said last."""
        while True:
            await self._has_size.wait()
            self._has_size.clear()
            if self._size is not None:
                await self._shell.resize(self._size.cols, self._size.rows)
