"""What is stored is what is shown, whatever came before."""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from archnest.assets import asset_dir
from archnest.errors import StoreUnavailable
from archnest.fleet import Fleet
from archnest.ingest import Ingest
from archnest.picture import Gone
from archnest.store.database import Database
from archnest.store.migrate import migrate
from tests.factories import container, report


def gone_of(fleet: Fleet) -> dict[str, tuple[tuple[str, str, str, bytes], ...]]:
    def told(one: Gone) -> tuple[str, str, str, bytes]:
        return one.at, one.head.id, one.head.name, one.row()

    return {
        entry.picture.host_id: tuple(told(one) for one in entry.picture.gone)
        for entry in fleet.entries()
    }


async def push(ingest: Ingest, at: float, *containers: dict[str, Any], host_id: str = "h") -> None:
    sent = msgspec.json.encode(report(host_id, *containers))
    await ingest.accept(await ingest.read(lambda: sent, at))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    migrate(path, asset_dir("migrations"))
    return path


@pytest.mark.parametrize("seed", range(5))
async def test_gone_containers_come_back_as_they_were_after_a_restart(
    seed: int, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.picture.MAX_GONE", 3)
    chance = random.Random(seed)
    fleet = Fleet(90_000)
    moment = 1_000.0

    async def push_any(ingest: Ingest) -> None:
        nonlocal moment
        # The clock may be set back.
        moment += chance.choice([1, 0.0001, -500])
        names = [f"c{number}" for number in range(6) if chance.random() < 0.5]
        ids = [f"{chance.randrange(2)}{name}" for name in names]
        containers = [container(name, id=key) for name, key in zip(names, ids, strict=True)]
        await push(ingest, moment, *containers, host_id=f"h{chance.randrange(2)}")

    async with Database.open(database) as db, Ingest(db, fleet).running() as ingest:
        for _ in range(60):
            if chance.random() < 0.1 and fleet.get("h0"):
                await ingest.forget("h0")
            # Several at once are one batch.
            await asyncio.gather(*(push_any(ingest) for _ in range(chance.randrange(1, 4))))
            again = Fleet(90_000)
            await again.load(db, moment)
            assert gone_of(again) == gone_of(fleet)


async def test_a_write_that_was_given_up_and_done_later_leaves_nothing_wrong(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(90_000)
    a, b = container("a"), container("b")

    @contextlib.asynccontextmanager
    async def late(db: Database) -> AsyncIterator[None]:
        """Writes inside are given up, and done afterwards."""
        go_on = threading.Event()
        busy = asyncio.create_task(db.write(lambda connection: go_on.wait(5)))
        await asyncio.sleep(0.01)
        with monkeypatch.context() as patched:
            patched.setattr("archnest.store.database.CALL_TIMEOUT_S", 0.01)
            with pytest.raises(StoreUnavailable):
                yield
        go_on.set()
        await busy

    async with Database.open(database) as db, Ingest(db, fleet).running() as ingest:
        for before, given_up in (([a, b], [b]), ([b], [a, b]), ([b], None)):
            await push(ingest, 1_001.0, a, b)
            await push(ingest, 1_002.0, *before)
            async with late(db):
                await (push(ingest, 1_003.0, *given_up) if given_up else ingest.forget("h"))
            await push(ingest, 1_004.0, *before)
            again = Fleet(90_000)
            await again.load(db, 1_004.0)
            assert gone_of(again) == gone_of(fleet)
            assert again.get("h") is not None


async def test_a_damaged_gone_container_costs_only_itself_and_goes(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = (container(name) for name in "abc")
    async with Database.open(database) as db:
        async with Ingest(db, Fleet(90_000)).running() as ingest:
            await push(ingest, 1_000.0, a, b, c)
            await push(ingest, 1_000.0, c)
        damage = "UPDATE gone_containers SET container_json = '[]' WHERE container_id = ?"
        await db.write(lambda connection: connection.execute(damage, [a["id"]]))
        fleet = Fleet(90_000)
        await fleet.load(db, 1_000.0)
        picture = fleet.get("h")
        assert picture is not None
        assert [one.head.name for one in picture.gone] == ["b"]
        assert "the stored container" in caplog.text
        async with Ingest(db, fleet).running() as ingest:
            await push(ingest, 1_000.0, c)
        assert len(await db.read("SELECT * FROM gone_containers")) == 1
