"""The one writer: durable, shared commits, failures that cost only themselves."""

import asyncio
import random
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from archnest.errors import Conflict, StartRefused, StoreUnavailable
from archnest.store.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    connection.close()
    return path


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Database]:
    async with Database.open(path) as database:
        yield database


def insert(n: int, *, then: Exception | None = None):  # type: ignore[no-untyped-def]
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (n,))
        if then is not None:
            raise then
        return n

    return work


async def numbers(db: Database) -> list[int]:
    return [row["n"] for row in await db.read("SELECT n FROM numbers ORDER BY n")]


async def test_what_write_returned_is_seen_by_other_connections(db: Database, path: Path) -> None:
    assert await db.write(insert(7)) == 7
    other = sqlite3.connect(path)
    assert other.execute("SELECT n FROM numbers").fetchall() == [(7,)]
    other.close()


async def test_writes_that_wait_together_share_one_commit(db: Database) -> None:
    await asyncio.gather(*(db.write(insert(n)) for n in range(200)))
    assert len(await numbers(db)) == 200
    assert db.commits <= 3


async def test_a_write_that_fails_costs_only_itself(db: Database) -> None:
    outcomes = await asyncio.gather(
        db.write(insert(1)),
        db.write(insert(2, then=Conflict("no"))),
        db.write(insert(3)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [int, Conflict, int]
    assert await numbers(db) == [1, 3]


async def test_a_failure_alone_in_its_transaction_is_undone(db: Database) -> None:
    with pytest.raises(Conflict):
        await db.write(insert(1, then=Conflict("no")))
    assert await numbers(db) == []
    assert await db.write(insert(1)) == 1


async def test_callers_that_are_cancelled_leave_no_open_transaction(db: Database) -> None:
    chance = random.Random(1)

    async def cancelled(n: int) -> None:
        task = asyncio.create_task(db.write(insert(n)))
        await asyncio.sleep(chance.random() / 500)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*(cancelled(n) for n in range(300)))
    with pytest.raises(Conflict):
        await db.write(insert(1_000, then=Conflict("no")))
    await db.write(insert(2_000))
    assert 1_000 not in await numbers(db)
    assert 2_000 in await numbers(db)


async def test_what_follows_a_write_follows_in_the_order_of_writes_also_when_it_was_given_up(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[int] = []
    go_on = threading.Event()
    busy = asyncio.create_task(db.write(lambda connection: go_on.wait(30)))
    await asyncio.sleep(0)
    with monkeypatch.context() as patched:
        patched.setattr("archnest.store.database.CALL_TIMEOUT_S", 0.01)
        for n in (1, 2):
            with pytest.raises(StoreUnavailable):
                await db.write(insert(n), then=followed.append)
        with pytest.raises(StoreUnavailable):
            await db.write(insert(9, then=Conflict("no")), then=followed.append)
    assert followed == []
    go_on.set()
    await busy
    assert await db.write(insert(3), then=followed.append) == 3
    assert followed == [1, 2, 3]


async def test_readers_cannot_write(db: Database) -> None:
    with pytest.raises(StoreUnavailable):
        await db.read("INSERT INTO numbers VALUES (1)")


async def test_a_locked_database_is_told_and_then_works_again(
    db: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    await db.write(impatient)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await db.write(insert(1))
    other.execute("ROLLBACK")
    other.close()
    assert await db.write(insert(1)) == 1


async def test_what_is_queued_at_the_end_is_written(path: Path) -> None:
    async with Database.open(path) as database:
        tasks = [asyncio.create_task(database.write(insert(n))) for n in range(50)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == list(range(50))
    other = sqlite3.connect(path)
    assert other.execute("SELECT count(*) FROM numbers").fetchone() == (50,)
    other.close()


async def test_a_file_that_is_no_database_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"not a database, for sure" * 100)
    with pytest.raises(StartRefused, match=r"bad\.db"):
        async with Database.open(tmp_path / "bad.db"):
            pass
