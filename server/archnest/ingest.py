"""The one way data comes in: masked, made durable, then shown.

Everything that changes a host passes through one task, so that what is gone
is always worked out against the picture that stands right before it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiosqlite
import msgspec

from archnest.errors import Conflict, NotFound, StoreUnavailable
from archnest.fleet import Fleet
from archnest.links import Link
from archnest.masking import mask_container
from archnest.model.report import Receipt, Report
from archnest.picture import AGENT, Picture
from archnest.store.database import Database
from archnest.store.hosts import forget_hosts, save_reports
from archnest.timestamps import rfc3339

MAX_WAITING = 20_000
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Change:
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
        self._waiting: list[_Change] = []
        self._wake = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Ingest"]:
        """Serve until left; what was accepted by then is still written."""
        task = asyncio.create_task(self._work_for_ever(), name="ingest")
        try:
            yield self
        finally:
            if self._waiting:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(3):
                        await asyncio.shield(self._waiting[-1].done)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def accept(self, report: Report, now: float, source: str = AGENT) -> Receipt:
        """Mask and store a report; returns once it is durable and visible.

        `now` is unix seconds by the server's clock. Raises StoreUnavailable, or
        Conflict when an agent and an engine would both be one host.
        """
        current = self._fleet.get(report.host_id)
        link = self._links.get(report.host_id)
        if link is None and current is not None and (current.source == AGENT) != (source == AGENT):
            raise Conflict(
                f"the host {report.host_id} is known by another source: {current.source}"
            )
        picture = masked_picture(report, now, source)
        if link is not None:
            link.check(picture)
        await self._apply(report.host_id, picture)
        return Receipt(report.host_id, rfc3339(now), len(report.containers))

    async def forget(self, host_id: str) -> None:
        """Forget a host with all its containers; raises NotFound, StoreUnavailable."""
        if self._fleet.get(host_id) is None:
            raise NotFound("no host has this id")
        if host_id in self._links:
            raise Conflict("an engine speaks for this host too: remove its source first")
        await self._apply(host_id, None)

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
        # Shielded: a caller that goes away must not undo what others share.
        await asyncio.shield(change.done)

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
            if picture and change.link:
                picture = change.link.joined(picture, previous)
            latest[change.host_id] = picture.after(previous) if picture else None
        kept = [picture for picture in latest.values() if picture is not None]
        forgotten = [host_id for host_id, picture in latest.items() if picture is None]

        async def save(connection: aiosqlite.Connection) -> None:
            if kept:
                await save_reports(connection, [picture.as_record() for picture in kept])
            if forgotten:
                await forget_hosts(connection, forgotten)

        await self._database.write(save)
        for picture in kept:
            self._fleet.replace(picture)
        for host_id in forgotten:
            self._fleet.remove(host_id)


def masked_picture(report: Report, now: float, source: str) -> Picture:
    """What is stored of a report: masked, encoded, as of `now` (unix seconds)."""
    containers = [mask_container(container) for container in report.containers]
    return Picture(
        host_id=report.host_id,
        hostname=report.hostname,
        source=source,
        received_at=now,
        reported_at=report.reported_at,
        agent_version=report.agent_version,
        engine=report.engine,
        containers_json=_encode(containers),
        names={container.id: container.name for container in containers},
        gone=(),
    )


def _settle(batch: list[_Change], error: Exception | None) -> None:
    for change in batch:
        if change.done.done():
            continue
        if error is None:
            change.done.set_result(None)
        else:
            change.done.set_exception(error)
            change.done.exception()  # its caller may be gone; then nobody is to be warned
