"""How much the bodies of requests may hold of the memory, all together.

Each has a bound of its own, but whoever may send one could send thousands at
once. Where all would hold more than their bound, the largest that are not yet
being worked on are given up, so that the many small ones of honest senders
pass through such a crowd.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from archnest.errors import Overloaded

SPARE = 8
"""Who needs room gets this part of it all freed, so that the next ones need not ask."""


class Held:
    """What one body holds, from entering until leaving it."""

    __slots__ = ("_bodies", "is_given_up", "size", "waiting")

    def __init__(self, bodies: "Bodies") -> None:
        self._bodies = bodies
        self.size = 0
        self.waiting: asyncio.Timeout | None = None
        """Ends its waiting for more of it, or for its place; None while it is worked on."""
        self.is_given_up = False

    def __enter__(self) -> "Held":
        self._bodies.take(self)
        return self

    def __exit__(self, *failure: object) -> None:
        self._bodies.drop(self)


class Bodies:
    """Counts what all bodies hold, in bytes, and lets long ones be worked on one by one."""

    def __init__(self, most_bytes: int) -> None:
        self.total = 0
        self._most_bytes = most_bytes
        self._held: set[Held] = set()
        self._place = asyncio.Lock()

    def holding(self) -> Held:
        """Account for one body until left."""
        return Held(self)

    def take(self, held: Held) -> None:
        """Begin to account for a body."""
        self._held.add(held)

    def grow(self, held: Held, size: int) -> None:
        """So much more is held; raises Overloaded when there is no room for it."""
        held.size += size
        self.total += size
        if self.total > self._most_bytes:
            self._make_room()
            if held.is_given_up or self.total > self._most_bytes:
                raise Overloaded("more is being sent than the server holds at once")

    @contextlib.asynccontextmanager
    async def waiting(self, held: Held, for_s: float | None = None) -> AsyncIterator[None]:
        """Wait inside for what may take long.

        Raises TimeoutError, or Overloaded when others needed the room.
        """
        try:
            async with asyncio.timeout(for_s) as held.waiting:
                yield
        except TimeoutError:
            if held.is_given_up:
                raise Overloaded("more is being sent than the server holds at once") from None
            raise
        finally:
            held.waiting = None

    @contextlib.asynccontextmanager
    async def place(self, held: Held) -> AsyncIterator[None]:
        """The one place for a long body; first come, first served."""
        async with self.waiting(held):
            await self._place.acquire()
        try:
            yield
        finally:
            self._place.release()

    def _make_room(self) -> None:
        wanted = self._most_bytes - self._most_bytes // SPARE
        idle = (one for one in self._held if one.waiting is not None)
        for largest in sorted(idle, key=lambda one: one.size, reverse=True):
            if self.total <= wanted:
                return
            largest.is_given_up = True
            assert largest.waiting is not None
            largest.waiting.reschedule(asyncio.get_running_loop().time())
            self.drop(largest)

    def drop(self, held: Held) -> None:
        """It holds nothing any more."""
        if held in self._held:
            self._held.discard(held)
            self.total -= held.size
