"""The one way data comes in: masked, made durable, then shown.

Everything that changes a host passes through one task, so that what is gone
is always worked out against the picture that stands right before it.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct

from archnest import recall
from archnest.errors import Conflict, NotFound, StoreUnavailable
from archnest.fleet import Fleet, elapsed_clock
from archnest.links import Link
from archnest.machines import NO_MARKS, Sightings, marks_of
from archnest.model.report import Receipt, Report
from archnest.picture import AGENT, Picture, reported_s
from archnest.store.database import Database
from archnest.store.hosts import GoneChanges, forget_hosts, save_gone, save_reports
from archnest.timestamps import rfc3339
from archnest.turns import Turns

log = logging.getLogger(__name__)

MAX_WAITING = 20_000
AT_ONCE = 8
"""Slices of reports read between two looks at the network: a millisecond each, or a tenth of it
where only statistics moved.
"""


class _Change(Struct, eq=False):
    host_id: str
    picture: Picture | None
    """None forgets the host."""
    link: Link | None
    done: asyncio.Future[None]


class Ingest:
    """Accepts reports and forgets hosts; run it with `Ingest.running`."""

    def __init__(self, database: Database, fleet: Fleet) -> None:
        self._database = database
        self._fleet = fleet
        self._links: dict[str, Link] = {}
        self._claimed: dict[str, str] = {}
        """Hosts of which an engine alone speaks, with how it is asked."""
        self._sightings: dict[str, Sightings] = {}
        self._as_shown: set[str] = set()
        """Hosts of which what is stored is known to be what is shown, gone containers too."""
        self._waiting: list[_Change] = []
        self._wake = asyncio.Event()
        self.turns = Turns(AT_ONCE)
        """Taken before a slice of a report is read."""
        self.accepted = 0
        """Reports made durable since the start."""

    @property
    def waiting(self) -> int:
        """Changes that wait to be written."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Ingest"]:
        """Serve until left; what was accepted by then is still written."""
        task = asyncio.create_task(self._work_for_ever(), name="ingest")
        try:
            yield self
        finally:
            if self._waiting:
                await asyncio.wait([self._waiting[-1].done], timeout=3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def read(
        self, unpack: Callable[[], bytes], now: float, address: str | None = None
    ) -> Picture:
        """The picture that a report pushed from there gives.

        Takes a turn, and another one for each further slice of a long report.
        `unpack` gives the report when the first turn has come; raises what it
        and msgspec raise.

        `now` is unix seconds by the server's clock.
        """
        await self.turns.take()
        sent = recall.Sent(unpack())
        current = self._fleet.get(sent.report.host_id)
        before = current.reading if current else recall.Reading()
        reading = await sent.read(before, self.turns.take)
        told_s = reported_s(sent.report.reported_at)
        return _picture(
            sent.report,
            reading,
            now,
            AGENT,
            marks=marks_of(sent.report),
            address=address,
            clock_skew_s=None if told_s is None else round(told_s - now, 1),
        )

    async def accept(self, picture: Picture) -> Receipt:
        """Store a masked picture; returns once it is durable and visible.

        Raises StoreUnavailable, or Conflict when an agent and an engine would
        both be one host, also one that its engine has not told of yet.
        """
        host_id = picture.host_id
        link = self._links.get(host_id)
        current = self._fleet.get(host_id)
        known = current.source if current else self._claimed.get(host_id, picture.source)
        if link is not None:
            link.check(picture)
        elif (known == AGENT) != (picture.source == AGENT):
            raise Conflict(f"the host {host_id} is known by another source: {known}")
        await self._apply(picture.host_id, picture)
        self.accepted += 1
        return Receipt(picture.host_id, rfc3339(picture.received_at), picture.count)

    async def forget(self, host_id: str) -> None:
        """Forget a host with all its containers.

        Raises StoreUnavailable and what `check_forgettable` does.
        """
        self.check_forgettable(host_id)
        await self._apply(host_id, None)

    def check_forgettable(self, host_id: str) -> None:
        """Raise NotFound, or Conflict while an engine speaks for the host too."""
        if self._fleet.get(host_id) is None:
            raise NotFound("no host has this id")
        if host_id in self._links:
            raise Conflict("an engine speaks for this host too: remove its source first")

    def claim(self, host_id: str, kind: str) -> None:
        """Let an engine, asked in this way, alone speak for a host."""
        self._claimed[host_id] = kind

    def release(self, host_id: str) -> None:
        """Leave the host to whoever tells of it."""
        self._claimed.pop(host_id, None)

    def link(self, host_id: str, kind: str) -> None:
        """Let an engine, asked in this way, speak for the host of an agent too."""
        current = self._fleet.get(host_id)
        engine = current.engine.id if current and current.engine else None
        self._links[host_id] = Link(engine)
        self._fleet.note_link(host_id, kind)

    def unlink(self, host_id: str) -> None:
        """Leave the host to its agent alone."""
        if self._links.pop(host_id, None) is not None:
            self._fleet.note_link(host_id, None)

    async def _apply(self, host_id: str, picture: Picture | None) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise StoreUnavailable("too many reports are waiting to be written")
        link = self._links.get(host_id)
        change = _Change(host_id, picture, link, asyncio.get_running_loop().create_future())
        self._waiting.append(change)
        self._wake.set()
        # A caller that goes away cancels this future alone; what it sent is still written.
        await change.done

    async def _work_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            try:
                await self._write(batch)
            except Exception as error:
                _settle(batch, error)
            else:
                _settle(batch, None)

    async def _write(self, batch: list[_Change]) -> None:
        latest: dict[str, Picture | None] = {}
        for change in batch:
            previous = latest.get(change.host_id, self._fleet.get(change.host_id))
            picture = change.picture
            if picture and picture.is_overtaken_by(previous):
                continue
            if picture and change.link:
                picture = change.link.joined(picture, previous)
            latest[change.host_id] = picture.after(previous) if picture else None
        kept = [picture for picture in latest.values() if picture is not None]
        forgotten = [host_id for host_id, picture in latest.items() if picture is None]

        gone = self._gone_changes(kept)

        def save(connection: sqlite3.Connection) -> None:
            # One after the other: all their texts at once would fill the memory.
            save_reports(connection, (picture.as_record() for picture in kept))
            forget_hosts(connection, forgotten)
            if gone:
                save_gone(connection, gone)

        if latest:
            size = sum(len(one.container_json) for one in gone.newly)
            # Whether a write that fails was done is not always known.
            self._as_shown.difference_update(latest)
            await self._database.write(save, size + sum(one.reading.size for one in kept))
            self._as_shown.update(picture.host_id for picture in kept)
        self._note_machines(batch)
        for picture in kept:
            sightings = self._sightings.get(picture.host_id)
            self._fleet.replace(picture, conflict=sightings.machines() if sightings else None)
        for host_id in forgotten:
            self._fleet.remove(host_id)

    def _gone_changes(self, pictures: list[Picture]) -> GoneChanges:
        """What is to be stored of gone containers with these pictures."""
        changes = GoneChanges()
        for picture in pictures:
            host_id = picture.host_id
            stored = self._fleet.get(host_id) if host_id in self._as_shown else None
            if stored is None or picture.gone is not stored.gone:
                picture.add_gone_changes(changes, stored)
        return changes

    def _note_machines(self, batch: list[_Change]) -> None:
        elapsed = elapsed_clock()
        for change in batch:
            picture = change.picture
            if picture is None:
                self._sightings.pop(change.host_id, None)
            elif picture.source == AGENT and picture.marks != NO_MARKS:
                sightings = self._sightings.get(change.host_id)
                if sightings is None:
                    sightings = self._sightings[change.host_id] = Sightings()
                if sightings.note(picture.marks, picture.address, picture.received_at, elapsed):
                    _tell(change.host_id, sightings)


def masked_picture(report: Report, now: float, source: str) -> Picture:
    """What is stored of a report that did not come as JSON, as of `now` (unix seconds)."""
    return _picture(report, recall.encoded(report.containers), now, source)


def _picture(head: Any, reading: recall.Reading, now: float, source: str, **more: Any) -> Picture:
    """`head` has a report's fields beside its containers; `more` are a picture's own."""
    return Picture(
        host_id=head.host_id,
        hostname=head.hostname,
        source=source,
        received_at=now,
        reported_at=head.reported_at,
        agent_version=head.agent_version,
        engine=head.engine,
        reading=reading,
        gone=(),
        **more,
    )


def _tell(host_id: str, sightings: Sightings) -> None:
    machines = sightings.machines()
    if machines is None:
        log.info("one machine alone reports as %s now", host_id)
        return
    names = ", ".join(f"{one.hostname} at {one.address}" for one in machines)
    log.warning("several machines report as %s: %s", host_id, names)


def _settle(batch: list[_Change], error: Exception | None) -> None:
    for change in batch:
        if change.done.done():
            continue
        if error is None:
            change.done.set_result(None)
        else:
            change.done.set_exception(error)
            change.done.exception()  # its caller may be gone; then nobody is to be warned
