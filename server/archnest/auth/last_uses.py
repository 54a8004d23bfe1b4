"""Last uses of tokens: kept in memory, written once in a while.

A program may show its token many times a second; each time costs no write.
"""

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from archnest.errors import StoreUnavailable
from archnest.store.database import Database
from archnest.store.last_uses import TokenTable, Use, note_uses
from archnest.tasks import repeated

log = logging.getLogger(__name__)

NOTE_S = 60.0


class Used(Protocol):
    """A token's row as it was read."""

    @property
    def id(self) -> str:
        """Its public part."""

    @property
    def last_used_at(self) -> float | None:
        """Unix seconds."""

    @property
    def last_address(self) -> str | None:
        """Where it came from then."""


T = TypeVar("T", bound=Used)


class LastUses:
    """The uses of one table's tokens."""

    def __init__(self, database: Database, table: TokenTable) -> None:
        self._database = database
        self._table = table
        self._known: dict[str, Use] = {}
        self._unwritten: set[str] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write them once in a while until left, and then a last time."""
        async with repeated(self.write, NOTE_S, f"uses of {self._table}"):
            yield

    def note(self, token_id: str, now: float, address: str | None) -> None:
        """It was shown now, unix seconds, from this address."""
        self._known[token_id] = (now, address)
        self._unwritten.add(token_id)

    def forget(self, token_id: str) -> None:
        """Its row is gone."""
        self._known.pop(token_id, None)
        self._unwritten.discard(token_id)

    def of(self, token: T) -> Use | None:
        """When and from where it was used last; None for never."""
        known = self._known.get(token.id)
        if known is not None or token.last_used_at is None:
            return known
        return token.last_used_at, token.last_address

    async def write(self) -> None:
        """Write what is not written yet."""
        if not self._unwritten:
            return
        writing, self._unwritten = self._unwritten, set()
        try:
            uses = {token_id: self._known[token_id] for token_id in writing}
            await note_uses(self._database, self._table, uses)
        except StoreUnavailable as error:
            self._unwritten |= writing & self._known.keys()
            log.warning("last uses of tokens were not noted: %s", error)
