"""Accounts from the command line: through the running server, else by itself."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from archnest.auth.accounts import Accounts
from archnest.config import Config
from archnest.data_folder import DataFolder
from archnest.errors import Invalid
from archnest.model.account import (
    Account,
    AccountChange,
    AccountList,
    NewAccount,
    Role,
    Username,
)

T = TypeVar("T", bound=msgspec.Struct)
FORMS = {
    "username": "a username is 1 to 64 of A-Z a-z 0-9 . _ @ - and begins with a letter or digit",
    "password": "a password has 8 to 1024 characters",
}


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
        self._folder = DataFolder(config)

    async def add(self, username: str, password: str, role: Role) -> Account:
        """Add an account."""
        new = _checked(NewAccount, username=username, password=password, role=role)
        async with self._accounts() as accounts:
            if accounts is not None:
                return await accounts.add_user(new.username, new.password, new.role)
        return _account(await self._folder.ask("POST", "/api/users", new))

    async def list(self) -> list[Account]:
        """Every account by name."""
        async with self._accounts() as accounts:
            if accounts is not None:
                return (await accounts.list_users()).users
        return msgspec.json.decode(
            await self._folder.ask("GET", "/api/users"), type=AccountList
        ).users

    async def set_password(self, username: str, password: str) -> Account:
        """Set a password, ending the account's sessions."""
        change = _checked(AccountChange, password=password)
        async with self._accounts() as accounts:
            if accounts is not None:
                return await accounts.change_user(username, None, change.password)
        return _account(
            await self._folder.ask("PATCH", f"/api/users/{quote(username, safe='')}", change)
        )

    async def remove(self, username: str) -> None:
        """Remove an account."""
        async with self._accounts() as accounts:
            if accounts is not None:
                await accounts.remove_user(username)
                return
        await self._folder.ask("DELETE", f"/api/users/{quote(username, safe='')}")

    @contextlib.asynccontextmanager
    async def _accounts(self) -> AsyncIterator[Accounts | None]:
        """The accounts in the database itself, or None while a server runs."""
        async with self._folder.database() as database:
            if database is None:
                yield None
                return
            async with Accounts.open(self._config, database) as accounts:
                yield accounts


def _checked(kind: type[T], **fields: Any) -> T:
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("$.")[2].rstrip("`")
        raise Invalid(FORMS.get(field, str(error))) from None


def _account(content: bytes) -> Account:
    return msgspec.json.decode(content, type=Account)
