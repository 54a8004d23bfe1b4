"""A client of `/api/exec`, as the page is one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType

from tests.conftest import Client

Headers = dict[str, str]
PATIENCE_S = 20
ACK_BYTES = 65_536


class Terminal:
    """An open WebSocket, everything it showed, and how it ended."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws
        self.shown = b""
        self.received = 0
        self.ending: dict[str, Any] | None = None

    async def type(self, text: str) -> None:
        await self.ws.send_bytes(text.encode())

    async def say(self, **message: Any) -> None:
        await self.ws.send_json(message)

    async def take(self, *, ack: bool = True) -> bool:
        """Take one message; False at the end."""
        message = await self.ws.receive(PATIENCE_S)
        if message.type is WSMsgType.BINARY:
            self.shown = (self.shown + message.data)[-ACK_BYTES:]
            self.received += len(message.data)
            if ack:
                await self.say(ack=len(message.data))
        elif message.type is WSMsgType.TEXT:
            said = json.loads(message.data)
            if "ack" not in said:
                self.ending = said
        else:
            return False
        return True

    async def shows(self, text: str) -> str:
        """Wait until this is shown; what was shown up to then."""
        async with asyncio.timeout(PATIENCE_S):
            while text.encode() not in self.shown:
                assert await self.take(), f"it ended: {self.ending}\n{self.shown!r}"
        before, _, self.shown = self.shown.partition(text.encode())
        return before.decode()

    async def listens(self, seconds: float) -> None:
        """Take what comes for so long, acknowledging nothing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.take(ack=False):
                    pass

    async def ends(self) -> dict[str, Any]:
        """Wait for the end; what the server said last."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.take():
                pass
        assert self.ending is not None, self.ws.close_code
        return self.ending


async def ticket(client: Client, who: Headers, container: str, host_id: str = "nas") -> Any:
    """The answer to asking for a ticket."""
    body = {"kind": "exec", "hostId": host_id, "containerId": container}
    return await client.post("/api/tickets", json=body, headers=who)


def origin(client: Client) -> str:
    return str(client.make_url("/")).rstrip("/")


@contextlib.asynccontextmanager
async def connection(client: Client, **headers: str) -> AsyncIterator[Terminal]:
    """A WebSocket from the page's own origin that has said nothing yet."""
    headers = {"Origin": origin(client), **headers}
    async with client.ws_connect("/api/exec", headers=headers, max_msg_size=0) as ws:
        yield Terminal(ws)


@contextlib.asynccontextmanager
async def terminal(
    client: Client, who: Headers, container: str, cols: int = 80, rows: int = 24
) -> AsyncIterator[Terminal]:
    """A terminal in the container."""
    response = await ticket(client, who, container)
    assert response.status == 201, await response.text()
    secret = (await response.json())["ticket"]
    async with connection(client) as one:
        await one.say(ticket=secret, cols=cols, rows=rows)
        yield one
