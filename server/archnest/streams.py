"""How many streams may be open at once, and their end when the server stops."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

from archnest.errors import TooManyStreams

MAX_OF_USER = 12
MAX_OPEN = 120


class Streams:
    """Counts open streams, each with the task that serves it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._of_user: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._tasks)

    @contextlib.contextmanager
    def one(self, username: str) -> Iterator[None]:
        """Serve one in the current task; raises TooManyStreams."""
        if len(self._tasks) >= MAX_OPEN or self._of_user[username] >= MAX_OF_USER:
            raise TooManyStreams(
                f"{self._of_user[username]} logs and terminals of yours are open; close one first"
            )
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._of_user[username] += 1
        try:
            yield
        finally:
            self._tasks.discard(task)
            self._of_user -= Counter([username])

    def end(self) -> None:
        """Cancel all that are open: the server stops."""
        for task in self._tasks:
            task.cancel()
