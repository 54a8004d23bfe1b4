"""Ending a task for certain."""

import asyncio
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
