"""Accounts from the command line: through the running server, else by itself.

One process writes the database, so while a server holds the data folder the
change is asked of it over its control socket.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from archnest.app import SOCKET_NAME
from archnest.assets import asset_dir
from archnest.auth.accounts import Accounts
from archnest.config import Config
from archnest.errors import Invalid, StartRefused
from archnest.model.account import (
    Account,
    AccountChange,
    AccountList,
    NewAccount,
    Role,
    Username,
)
from archnest.store.database import DATABASE_NAME, Database
from archnest.store.lock import DataFolderLock
from archnest.store.migrate import migrate

T = TypeVar("T", bound=msgspec.Struct)
FORMS = {
    "username": "a username is 1 to 64 of A-Z a-z 0-9 . _ @ - and begins with a letter or digit",
    "password": "a password has 8 to 1024 characters",
}
TIMEOUT = aiohttp.ClientTimeout(total=30)
PATIENCE_S = 10.0
"""How long a server may hold the folder without answering: it starts or stops."""
UNANSWERED = "another archnest holds the data folder but does not answer on its socket"


def check_username(name: str) -> None:
    """Raise Invalid for what cannot be a username."""
    try:
        msgspec.convert(name, Username)
    except msgspec.ValidationError:
        raise Invalid(FORMS["username"]) from None


class AccountsAdmin:
    """What `archnest user` does; every failure is a StartRefused or a Problem."""

    def __init__(self, config: Config) -> None:
        self._config = config

    async def add(self, username: str, password: str, role: Role) -> Account:
        """Add an account."""
        new = _checked(NewAccount, username=username, password=password, role=role)
        async with self._accounts() as accounts:
            if accounts is not None:
                return await accounts.add_user(new.username, new.password, new.role)
        return _account(await self._ask("POST", "/api/users", new))

    async def list(self) -> list[Account]:
        """Every account by name."""
        async with self._accounts() as accounts:
            if accounts is not None:
                return (await accounts.list_users()).users
        return msgspec.json.decode(await self._ask("GET", "/api/users"), type=AccountList).users

    async def set_password(self, username: str, password: str) -> Account:
        """Set a password, ending the account's sessions."""
        change = _checked(AccountChange, password=password)
        async with self._accounts() as accounts:
            if accounts is not None:
                return await accounts.change_user(username, None, change.password)
        return _account(await self._ask("PATCH", f"/api/users/{quote(username, safe='')}", change))

    async def remove(self, username: str) -> None:
        """Remove an account."""
        async with self._accounts() as accounts:
            if accounts is not None:
                return await accounts.remove_user(username)
        await self._ask("DELETE", f"/api/users/{quote(username, safe='')}")
        return None

    @contextlib.asynccontextmanager
    async def _accounts(self) -> AsyncIterator[Accounts | None]:
        """The accounts in the database itself, or None while a server runs."""
        with contextlib.ExitStack() as stack:
            if not await self._take_folder(stack):
                yield None
                return
            path = self._config.data_dir / DATABASE_NAME
            migrate(path, asset_dir("migrations"))
            async with (
                Database.open(path) as database,
                Accounts.open(self._config, database) as accounts,
            ):
                yield accounts

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

    async def _ask(self, method: str, path: str, body: msgspec.Struct | None = None) -> bytes:
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


def _checked(kind: type[T], **fields: Any) -> T:
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("$.")[2].rstrip("`")
        raise Invalid(FORMS.get(field, str(error))) from None


def _account(content: bytes) -> Account:
    return msgspec.json.decode(content, type=Account)


def _reason(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "the running server refused"
