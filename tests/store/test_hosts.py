"""Hosts as they are stored and read back."""

import os
import random
from pathlib import Path

import pytest

from archnest.assets import asset_dir
from archnest.store.database import Database
from archnest.store.hosts import AT_ONCE, HostRecord, all_hosts, save_reports
from archnest.store.migrate import migrate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    migrate(path, asset_dir("migrations"))
    return path


def written() -> int:
    """Bytes that this process has written to files since its start."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


async def test_reports_of_a_large_fleet_are_not_written_twice(path: Path) -> None:
    hosts, rounds, at_once, size = 300, 5, 10, 200_000

    async def report_all(db: Database) -> None:
        for first in range(0, hosts, at_once):
            records = [
                HostRecord(
                    f"h{n}",
                    None,
                    "agent",
                    os.urandom(size // 2).hex().encode(),
                    None,
                    "now",
                    "1",
                    None,
                    b"[]",
                )
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
    stored = [
        HostRecord(f"h{n}", None, "agent", b"[]", None, random.choice(times), "1", None, b"[]")
        for n in range(2 * AT_ONCE + 50)
    ]
    async with Database.open(path) as db:
        await db.write(lambda connection: save_reports(connection, stored))
        found = [one async for one in all_hosts(db)]
    assert found == sorted(stored, key=lambda one: (one.received_at, one.host_id))
