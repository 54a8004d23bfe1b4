"""Keeps who did what, when and with what outcome, for admins to read.

An act that takes time is written before it begins: a server that dies in its
midst still shows that it was tried.
"""

import asyncio
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
VAIN_EVERY_S = 60.0
VAIN_AT_ONCE = 60
"""Failed sign-ins, and refused requests, kept in a burst: guessing and trying must not push out
what people did.
"""


CUT_SHORT = "the server stopped meanwhile; what became of it is not known"


class Audit:
    """Writes and reads the record; all raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failures = _Ration()
        self._refusals = _Ration()

    async def record(self, act: Act, outcome: Outcome = "done", detail: str | None = None) -> None:
        """Keep an act that is over."""
        now = rfc3339(time.time())
        await insert_entry(self._database, act, now, now, outcome, _cut(detail))

    async def record_failure(self, act: Act, detail: str, now: float) -> None:
        """Keep a failed sign-in, or only count it when there are too many.

        One a minute is kept in the long run, so that a month of guessing fits
        in the record beside everything else; the next one kept tells the count.
        """
        await self._record_vain(self._failures, act, "failed", detail, now)

    async def record_refusal(self, act: Act, detail: str, now: float) -> None:
        """Likewise what someone who is known wanted to do and may not, or cannot be done."""
        await self._record_vain(self._refusals, act, "refused", detail, now)

    async def _record_vain(
        self, ration: "_Ration", act: Act, outcome: Outcome, detail: str, now: float
    ) -> None:
        left_out = ration.take(now)
        if left_out is None:
            return
        if left_out:
            detail = f"{detail}; {left_out} more {outcome} before, not recorded"
        await self.record(act, outcome, detail)

    async def begin(self, act: Act) -> int:
        """Keep an act that now begins; its id is for `end`."""
        return await insert_entry(self._database, act, rfc3339(time.time()), None, "begun", None)

    async def end(self, entry_id: int, outcome: Outcome, detail: str | None = None) -> None:
        """Say how an act ended."""
        now = rfc3339(time.time())
        await update_entry(self._database, entry_id, now, outcome, _cut(detail))

    @contextlib.asynccontextmanager
    async def acting(self, act: Act) -> AsyncIterator[None]:
        """Record what is done inside: `done`, or `failed` with the reason of what it raises.

        What the server's own end cuts short may be done nevertheless: it stays `begun`.
        """
        entry_id = await self.begin(act)
        try:
            yield
        except Problem as problem:
            await self.end(entry_id, "failed", problem.detail)
            raise
        except asyncio.CancelledError:
            await update_entry(self._database, entry_id, None, "begun", CUT_SHORT)
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


class _Ration:
    """VAIN_AT_ONCE at once, then one every VAIN_EVERY_S; the others are counted."""

    def __init__(self) -> None:
        self._left = float(VAIN_AT_ONCE)
        self._at = 0.0
        self._left_out = 0

    def take(self, now: float) -> int | None:
        """How many were left out since the last one that was kept; None leaves this one out."""
        earned = max(now - self._at, 0.0) / VAIN_EVERY_S
        self._left = min(self._left + earned, float(VAIN_AT_ONCE))
        self._at = now
        if self._left < 1:
            self._left_out += 1
            return None
        self._left -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out


def _cut(detail: str | None) -> str | None:
    return detail if detail is None else detail[:MAX_DETAIL]
