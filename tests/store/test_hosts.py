"""Hosts as they are stored and read back."""

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
