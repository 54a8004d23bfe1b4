"""A task that is to end does, even where its cancellation gets lost."""

import asyncio
from pathlib import Path

import pytest

from archnest.sources.engine import Publish
from archnest.tasks import ended
from tests.conftest import Client
from tests.sources.test_live import add, source, until

Headers = dict[str, str]


async def lose_a_cancellation() -> None:
    """Fail in one task while the group is cancelled: Python raises the failure alone."""

    async def fail() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OSError("the connection broke") from None

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail())


async def test_a_task_that_loses_its_cancellation_ends_all_the_same() -> None:
    async def forever() -> None:
        while True:
            try:
                await lose_a_cancellation()
            except ExceptionGroup:
                await asyncio.sleep(60)

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended(task)
    assert task.cancelled()


async def test_what_a_task_failed_with_is_nobodys_business_any_more() -> None:
    async def fail() -> None:
        raise OSError("gone")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await ended(task)
    assert task.done()


async def test_a_source_that_fails_while_it_is_removed_is_removed(
    client: Client, admin: Headers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def watch(host_id: str, target: object, publish: Publish, looked_at: object) -> None:
        asked.set()
        await lose_a_cancellation()

    monkeypatch.setattr("archnest.pollers.watch", watch)
    await add(client, admin, address=str(tmp_path / "engine.sock"))
    await asked.wait()
    async with asyncio.timeout(5):
        response = await client.delete("/api/sources/nas", headers=admin)
    assert response.status == 204

    async def is_gone() -> bool:
        return await source(client, admin) is None

    await until(is_gone)
