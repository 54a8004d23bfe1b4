"""What is stored is what is shown, whatever came before."""

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from archnest.assets import asset_dir
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

    async def push(ingest: Ingest) -> None:
        nonlocal moment
        moment += 1
        names = [f"c{number}" for number in range(6) if chance.random() < 0.5]
        ids = [f"{chance.randrange(2)}{name}" for name in names]
        containers = [container(name, id=key) for name, key in zip(names, ids, strict=True)]
        sent = msgspec.json.encode(report(f"h{chance.randrange(2)}", *containers))
        await ingest.accept(await ingest.read(lambda: sent, moment))

    async with Database.open(database) as db, Ingest(db, fleet).running() as ingest:
        for _ in range(60):
            if chance.random() < 0.1 and fleet.get("h0"):
                await ingest.forget("h0")
            # Several at once are one batch.
            await asyncio.gather(*(push(ingest) for _ in range(chance.randrange(1, 4))))
            again = Fleet(90_000)
            await again.load(db, moment)
            assert gone_of(again) == gone_of(fleet)
