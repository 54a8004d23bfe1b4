"""What a command changes: the database itself, or the running server that owns it.

One process writes the database, so while a server holds the data folder the
change is asked of it over its control socket.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import msgspec

from archnest.app import SOCKET_NAME
from archnest.assets import asset_dir
from archnest.config import Config
from archnest.errors import StartRefused
from archnest.store.database import DATABASE_NAME, Database
from archnest.store.lock import DataFolderLock
from archnest.store.migrate import migrate

TIMEOUT = aiohttp.ClientTimeout(total=30)
PATIENCE_S = 10.0
"""How long a server may hold the folder without answering: it starts or stops."""
UNANSWERED = "another archnest holds the data folder but does not answer on its socket"


class DataFolder:
    """A prepared data folder; what fails is a StartRefused."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[Database | None]:
        """The migrated database, held alone, or None while a server runs."""
        with contextlib.ExitStack() as stack:
            if not await self._take_folder(stack):
                yield None
                return
            path = self._config.data_dir / DATABASE_NAME
            migrate(path, asset_dir("migrations"))
            async with Database.open(path) as database:
                yield database

    async def _take_folder(self, stack: contextlib.ExitStack) -> bool:
        """Lock the folder until the stack ends; False where a server answers instead."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                stack.enter_context(DataFolderLock(self._config.data_dir))
            except StartRefused:
                if self._is_answered():
                    return False
            else:
                return True
            if time.monotonic() > deadline:
                raise StartRefused(UNANSWERED)
            await asyncio.sleep(0.05)

    def _is_answered(self) -> bool:
        with self._socket_path() as path, socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except OSError:
                return False
        return True

    @contextlib.contextmanager
    def _socket_path(self) -> Iterator[str]:
        """Through the folder's descriptor: a socket's path may have only 107 bytes."""
        folder = os.open(self._config.data_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
        finally:
            os.close(folder)

    async def ask(self, method: str, path: str, body: msgspec.Struct | None = None) -> bytes:
        """The answer of the running server."""
        url = f"http://localhost{path}"
        data = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": "application/json"}
        with self._socket_path() as socket_path:
            try:
                async with (
                    aiohttp.UnixConnector(socket_path) as connector,
                    aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session,
                    session.request(method, url, data=data, headers=headers) as response,
                ):
                    content = await response.read()
            except (aiohttp.ClientError, TimeoutError):
                raise StartRefused(UNANSWERED) from None
        if response.status >= 400:
            raise StartRefused(_reason(content))
        return content


def _reason(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "the running server refused"
