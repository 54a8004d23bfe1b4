"""Ending a task for certain, and doing something once in a while."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

AGAIN_S = 0.1


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel the task until it is over, whatever came of it.

    One cancellation is not enough: asyncio.TaskGroup raises the failures of its
    tasks instead of a cancellation that comes while they fail, and in Python
    3.11 asyncio.wait_for returns its result instead (python/cpython#86296).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
    if not task.cancelled():
        task.exception()  # asked for, so that it is not reported as forgotten


@contextlib.asynccontextmanager
async def repeated(
    work: Callable[[], Awaitable[None]], every_s: float, name: str
) -> AsyncIterator[None]:
    """Do some work once in a while until left, and then a last time; it must not raise."""

    async def go_on() -> None:
        while True:
            await asyncio.sleep(every_s)
            await work()

    task = asyncio.create_task(go_on(), name=name)
    try:
        yield
    finally:
        await ended(task)
        await work()
