"""Keeps who did what, when and with what outcome, for admins to read.

An act that takes time is written before it begins: a server that dies in its
midst still shows that it was tried.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator

from archnest.errors import Problem
from archnest.model.audit import Act, AuditPage, Outcome
from archnest.store.audit import entries_before, insert_entry, update_entry
from archnest.store.database import Database
from archnest.timestamps import rfc3339

log = logging.getLogger(__name__)

MAX_DETAIL = 1_000
MAX_PAGE = 200
FAILURE_EVERY_S = 60.0
FAILURES_AT_ONCE = 60
"""Failed sign-ins kept in a burst; guessing must not push out what people did."""


class Audit:
    """Writes and reads the record; all raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failures_left = float(FAILURES_AT_ONCE)
        self._failures_at = 0.0
        self._unrecorded = 0

    async def record(self, act: Act, outcome: Outcome = "done", detail: str | None = None) -> None:
        """Keep an act that is over."""
        now = rfc3339(time.time())
        await insert_entry(self._database, act, now, now, outcome, _cut(detail))

    async def record_failure(self, act: Act, detail: str, now: float) -> None:
        """Keep a failed sign-in, or only count it when there are too many.

        One a minute is kept in the long run, so that a month of guessing fits
        in the record beside everything else; the next one kept tells the count.
        """
        earned = max(now - self._failures_at, 0.0) / FAILURE_EVERY_S
        self._failures_left = min(self._failures_left + earned, float(FAILURES_AT_ONCE))
        self._failures_at = now
        if self._failures_left < 1:
            self._unrecorded += 1
            return
        self._failures_left -= 1
        if self._unrecorded:
            detail = f"{detail}; {self._unrecorded} more failed before, not recorded"
            self._unrecorded = 0
        await self.record(act, "failed", detail)

    async def begin(self, act: Act) -> int:
        """Keep an act that now begins; its id is for `end`."""
        return await insert_entry(self._database, act, rfc3339(time.time()), None, "begun", None)

    async def end(self, entry_id: int, outcome: Outcome, detail: str | None = None) -> None:
        """Say how an act ended."""
        now = rfc3339(time.time())
        await update_entry(self._database, entry_id, now, outcome, _cut(detail))

    @contextlib.asynccontextmanager
    async def acting(self, act: Act) -> AsyncIterator[None]:
        """Record what is done inside: `done`, or `failed` with the reason of what it raises."""
        entry_id = await self.begin(act)
        try:
            yield
        except Problem as problem:
            await self.end(entry_id, "failed", problem.detail)
            raise
        except BaseException as error:
            await self.end(entry_id, "failed", type(error).__name__)
            raise
        await self.end(entry_id, "done")

    async def page(self, before: int | None, limit: int) -> AuditPage:
        """Up to `limit` entries older than the one with the id `before`, the newest first."""
        limit = min(max(limit, 1), MAX_PAGE)
        entries = await entries_before(self._database, before, limit)
        return AuditPage(entries, entries[-1].id if len(entries) == limit else None)


def _cut(detail: str | None) -> str | None:
    return detail if detail is None else detail[:MAX_DETAIL]
