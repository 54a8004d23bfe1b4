"""The services on a real database, without a server around them."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from archnest.auth.access_tokens import AccessTokens
from archnest.auth.agent_tokens import AgentTokens
from archnest.auth.passwords import Passwords
from archnest.auth.sessions import Sessions
from archnest.config import Config
from archnest.errors import StoreUnavailable
from archnest.store.database import DATABASE_NAME, Database
from archnest.store.users import UserRow, insert_user
from tests.factories import QUICK

NOW = 1_800_000_000.0
PASSWORD = "correct horse battery"


@pytest.fixture
async def database(config: Config) -> AsyncIterator[Database]:
    """A migrated database."""
    async with Database.open(config.data_dir / DATABASE_NAME) as opened:
        yield opened


@contextlib.asynccontextmanager
async def given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The write inside is given up, and not done before this is left."""
    go_on = threading.Event()
    write = database.write
    busy = asyncio.create_task(write(lambda connection: go_on.wait(30)))
    await asyncio.sleep(0)
    try:
        with monkeypatch.context() as patched:

            def impatiently(*arguments: Any, **options: Any) -> Awaitable[Any]:
                # Reads before it are not to be given up.
                patched.setattr("archnest.store.database.CALL_TIMEOUT_S", 0.01)
                return write(*arguments, **options)

            patched.setattr(database, "write", impatiently)
            with pytest.raises(StoreUnavailable):
                yield
    finally:
        go_on.set()
        await busy


@contextlib.asynccontextmanager
async def locked(database: Database, config: Config) -> AsyncIterator[None]:
    """Another program holds the database, so that writes inside are refused."""

    def impatient(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    await database.write(impatient)
    other = sqlite3.connect(config.data_dir / DATABASE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def all_written(database: Database) -> None:
    """Return once every write that was asked for has been done, or was refused."""
    await database.write(lambda connection: None)


@pytest.fixture
def sessions(config: Config, database: Database) -> Sessions:
    """Sessions of an hour, signed with the secret of the data folder."""
    assert config.jwt_secret is not None
    return Sessions(config.jwt_secret, 3600, database)


@pytest.fixture
async def access_tokens(database: Database) -> AsyncIterator[AccessTokens]:
    """No access token yet."""
    async with AccessTokens.open(database, NOW) as opened:
        yield opened


@pytest.fixture
async def agent_tokens(database: Database) -> AsyncIterator[AgentTokens]:
    """No agent's token yet."""
    async with AgentTokens.open(database, NOW) as opened:
        yield opened


@pytest.fixture
async def ada(database: Database) -> UserRow:
    """An admin."""
    return await insert_user(database, "ada", "admin", QUICK.hash(PASSWORD), NOW)


@pytest.fixture
async def mel(database: Database) -> UserRow:
    """A member."""
    return await insert_user(database, "mel", "member", QUICK.hash(PASSWORD), NOW)


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    """Hashes that cost next to nothing."""
    quick = Passwords(QUICK)
    yield quick
    quick.close()
