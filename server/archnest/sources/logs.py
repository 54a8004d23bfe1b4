"""A container's log from its engine: as fast as it is read, and no faster."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from archnest.errors import EngineRefused, NotAvailable
from archnest.sources.connect import CONNECT_S, Client, Target, as_object, connected
from archnest.sources.failures import as_problem
from archnest.sources.loglines import LogLine, LogLines

LINES_PER_S = 20_000
"""A container that floods its log shall not take the server's whole time."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which part of a log."""

    tail: int | None = 200
    """How many of the last lines; None means all."""
    since_ns: int | None = None
    """Unix nanoseconds, as exact as the engine's: a float would lose the line it names."""
    follow: bool = False

    def params(self) -> dict[str, str]:
        """As the engine takes it; times are asked for always, they come with each line."""
        found = {"stdout": "1", "stderr": "1", "timestamps": "1"}
        found["tail"] = "all" if self.tail is None else str(self.tail)
        if self.since_ns is not None:
            found["since"] = "{}.{:09}".format(*divmod(max(0, self.since_ns), 10**9))
        if self.follow:
            found["follow"] = "1"
        return found


@contextlib.asynccontextmanager
async def opened(
    target: Target, container_id: str, query: LogQuery
) -> AsyncIterator[AsyncIterator[list[LogLine]]]:
    """The log's lines in batches, on a connection of its own that ends with this.

    Raises NotFound, NotAvailable when the logging driver cannot be read, and
    SourceUnavailable.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(connected(target))
            response = await stack.enter_async_context(_asked(client, container_id, query))
            has_terminal = await _has_terminal(client, container_id)
        except Exception as error:
            problem = as_problem(error)
            if isinstance(problem, EngineRefused):
                problem = NotAvailable(problem.detail)
            raise problem from error
        lines = LogLines(has_terminal=has_terminal, in_pieces=not client.is_podman)
        yield _batches(response, lines)


@contextlib.asynccontextmanager
async def _asked(
    client: Client, container_id: str, query: LogQuery
) -> AsyncIterator[aiohttp.ClientResponse]:
    path = f"containers/{container_id}/logs"
    # However long it takes: who follows a log does so for ever.
    timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_S)
    asked = client.docker._query(path, params=query.params(), timeout=timeout)
    async with asked as response, response:
        yield response


async def _has_terminal(client: Client, container_id: str) -> bool:
    inspected = as_object(await client.get(f"containers/{container_id}/json"))
    return bool(as_object(inspected.get("Config") or {}).get("Tty"))


async def _batches(
    response: aiohttp.ClientResponse, lines: LogLines
) -> AsyncIterator[list[LogLine]]:
    async for data in response.content.iter_any():
        if batch := list(lines.feed(data)):
            yield batch
            await asyncio.sleep(len(batch) / LINES_PER_S)
    if batch := list(lines.rest()):
        yield batch
