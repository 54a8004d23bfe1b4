"""Hosts as they are stored and read back."""

import os
import random
import sqlite3
from pathlib import Path

import pytest

from archnest.assets import asset_dir
from archnest.store.database import Database
from archnest.store.hosts import (
    AT_ONCE,
    GoneChanges,
    GoneRecord,
    HostRecord,
    all_hosts,
    forget_hosts,
    save_gone,
    save_reports,
)
from archnest.store.migrate import migrate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    migrate(path, asset_dir("migrations"))
    return path


def host(host_id: str, report_json: bytes = b"[]", received_at: str = "now") -> HostRecord:
    return HostRecord(host_id, None, "agent", report_json, None, received_at, "1", None)


def gone(host_id: str, container_id: str, gone_at: str, container: bytes = b"{}") -> GoneRecord:
    return GoneRecord(host_id, container_id, gone_at, container)


def written() -> int:
    """Bytes that this process has written to files since its start."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


async def test_reports_of_a_large_fleet_are_not_written_twice(path: Path) -> None:
    hosts, rounds, at_once, size = 300, 5, 10, 200_000

    async def report_all(db: Database) -> None:
        for first in range(0, hosts, at_once):
            records = [
                host(f"h{n}", report_json=os.urandom(size // 2).hex().encode())
                for n in range(first, first + at_once)
            ]
            await db.write(
                lambda connection, records=records: save_reports(connection, records),
                at_once * size,
            )

    async with Database.open(path) as db:
        await report_all(db)
        before = written()
        for _ in range(rounds):
            await report_all(db)
        assert written() - before < 1.6 * rounds * hosts * size


async def test_all_come_back_the_longest_silent_first(path: Path) -> None:
    times = [f"2026-06-20T19:30:{second:02}.000Z" for second in range(60)]
    stored = [host(f"h{n}", received_at=random.choice(times)) for n in range(2 * AT_ONCE + 50)]
    async with Database.open(path) as db:
        await db.write(lambda connection: save_reports(connection, stored))
        found = [record async for record, _ in all_hosts(db)]
    assert found == sorted(stored, key=lambda one: (one.received_at, one.host_id))


async def test_gone_containers_come_back_with_their_host_in_their_order(path: Path) -> None:
    def save(connection: sqlite3.Connection) -> None:
        save_reports(connection, [host("a"), host("b")])
        newly = [gone("a", name, "1") for name in ("old", "web", "db")]
        save_gone(connection, GoneChanges(newly=[*newly, gone("b", "job", "1")]))

    def change(connection: sqlite3.Connection) -> None:
        # The time may be set back between two.
        newly = [gone("a", "db", "3"), gone("a", "new", "2", b'{"x":1}')]
        save_gone(connection, GoneChanges([], [("a", "old"), ("b", "none")], newly))

    def begin_anew(connection: sqlite3.Connection) -> None:
        save_gone(connection, GoneChanges(["a"], [], [gone("a", "last", "4")]))

    async with Database.open(path) as db:
        await db.write(save)
        assert [[one.container_id for one in kept] async for _, kept in all_hosts(db)] == [
            ["old", "web", "db"],
            ["job"],
        ]
        await db.write(change)
        found = {record.host_id: kept async for record, kept in all_hosts(db)}
        newest = gone("a", "new", "2", b'{"x":1}')
        assert found["a"] == [gone("a", "web", "1"), gone("a", "db", "3"), newest]
        await db.write(begin_anew)
        found = {record.host_id: kept async for record, kept in all_hosts(db)}
        assert found == {"a": [gone("a", "last", "4")], "b": [gone("b", "job", "1")]}
        await db.write(lambda connection: forget_hosts(connection, ["a"]))
        assert [row["host_id"] for row in await db.read("SELECT * FROM gone_containers")] == ["b"]
