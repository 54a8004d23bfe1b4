"""Accounts from the command line: through the running server, else by itself.

Either way it is in the record, as what the owner of the data folder did.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from archnest.audit import Audit
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
from archnest.model.audit import Act

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
        async with self._opened() as own:
            if own is not None:
                accounts, audit = own
                account = await accounts.add_user(new.username, new.password, new.role)
                await audit.record(_act("user.add", account.username), detail=f"role {new.role}")
                return account
        return _account(await self._folder.ask("POST", "/api/users", new))

    async def list(self) -> list[Account]:
        """Every account by name."""
        async with self._opened() as own:
            if own is not None:
                return (await own[0].list_users()).users
        return msgspec.json.decode(
            await self._folder.ask("GET", "/api/users"), type=AccountList
        ).users

    async def set_password(self, username: str, password: str) -> Account:
        """Set a password, ending the account's sessions."""
        change = _checked(AccountChange, password=password)
        async with self._opened() as own:
            if own is not None:
                accounts, audit = own
                account = await accounts.change_user(username, None, change.password)
                await audit.record(_act("user.change", account.username), detail="password")
                return account
        return _account(
            await self._folder.ask("PATCH", f"/api/users/{quote(username, safe='')}", change)
        )

    async def remove(self, username: str) -> None:
        """Remove an account."""
        async with self._opened() as own:
            if own is not None:
                accounts, audit = own
                name = await accounts.remove_user(username)
                await audit.record(_act("user.remove", name))
                return
        await self._folder.ask("DELETE", f"/api/users/{quote(username, safe='')}")

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[Accounts, Audit] | None]:
        """The accounts and the record in the database itself, or None while a server runs."""
        async with self._folder.database() as database:
            if database is None:
                yield None
                return
            async with Accounts.open(self._config, database) as accounts:
                yield accounts, Audit(database)


def _act(action: str, username: str) -> Act:
    return Act(None, None, action, target=username)


def _checked(kind: type[T], **fields: Any) -> T:
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("$.")[2].rstrip("`")
        raise Invalid(FORMS.get(field, str(error))) from None


def _account(content: bytes) -> Account:
    return msgspec.json.decode(content, type=Account)
