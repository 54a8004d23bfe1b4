"""Runs every source beside the others: one slow or dead engine delays no other.

Each source has a task of its own that asks its engine until it fails, keeps
the reason where people see it and tries again, ever more rarely.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Literal

from msgspec import UNSET

from archnest.errors import Conflict, Invalid, NotAvailable, NotFound
from archnest.fleet import Fleet
from archnest.ingest import Ingest, masked_picture
from archnest.model.report import Report
from archnest.model.source import NewSource, Source, SourceChange, SourceTest
from archnest.picture import AGENT
from archnest.sources.connect import Target, shown_host_key
from archnest.sources.engine import described, watch
from archnest.sources.failures import SourceFailure, explained
from archnest.sources.ssh_address import fingerprint
from archnest.store.database import Database
from archnest.store.sources import (
    SourceRecord,
    all_sources,
    delete_source,
    insert_source,
    update_source,
)
from archnest.tasks import ended
from archnest.timestamps import rfc3339

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
STEADY_S = 30.0
"""A source that answered for so long is tried again at once."""
TEST_S = 30.0
LOOK_S = 30.0
"""How long one look at a container counts: a page that shows it fetches it more often."""
_HOW = ("address", "ca_file", "cert_file", "key_file")

State = Literal["connecting", "connected", "failing"]


@dataclass(slots=True)
class _Poller:
    """A source and how it fares."""

    record: SourceRecord
    state: State = "connecting"
    error: str | None = None
    task: asyncio.Task[None] | None = None
    looks: dict[str, float] = field(default_factory=dict)
    """The ids of containers that someone looked at, with when that ends to count."""

    def looked_at(self) -> set[str]:
        """The ids of the containers that someone looks at now."""
        now = time.monotonic()
        self.looks = {one: until for one, until in self.looks.items() if until > now}
        return set(self.looks)


class Pollers:
    """Keeps the sources and asks their engines; run it with `Pollers.running`."""

    def __init__(self, database: Database, fleet: Fleet, ingest: Ingest) -> None:
        self._database = database
        self._fleet = fleet
        self._ingest = ingest
        self._pollers: dict[str, _Poller] = {}
        self._changing = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Pollers"]:
        """Ask every stored source's engine until left."""
        for record in await all_sources(self._database):
            self._start(record)
        try:
            yield self
        finally:
            await asyncio.gather(*(self._stop(host_id) for host_id in list(self._pollers)))

    def sources(self) -> list[Source]:
        """Every source with how it fares, by hostId."""
        return [_shown(self._pollers[host_id]) for host_id in sorted(self._pollers)]

    async def add(self, new: NewSource, now: float) -> Source:
        """Keep a source and begin to ask it.

        `now` is unix seconds. Raises Invalid, or Conflict when an agent
        reports this host, it has a source, or shows another host key.
        """
        async with self._changing:
            if new.link:
                await self._check_link(new)
            else:
                self._refuse_agents(new.host_id)
            record = await _accepting(_worded(new, rfc3339(now)), new.host_key)
            await insert_source(self._database, record)
            return _shown(self._start(record))

    async def change(self, host_id: str, changes: SourceChange) -> Source:
        """Ask a source's engine in another way; raises NotFound, Invalid or Conflict."""
        async with self._changing:
            old = self._get(host_id).record
            record = await _changed(old, changes)
            await update_source(self._database, record)
            await self._stop(host_id)
            return _shown(self._start(record))

    async def remove(self, host_id: str) -> None:
        """Forget a source, and its host unless an agent tells of it; raises NotFound."""
        async with self._changing:
            self._get(host_id)
            await delete_source(self._database, host_id)
            await self._stop(host_id)
            self._ingest.unlink(host_id)
            self._ingest.release(host_id)
            picture = self._fleet.get(host_id)
            if picture is not None and picture.source != AGENT:
                with contextlib.suppress(NotFound):
                    await self._ingest.forget(host_id)

    def note_look(self, host_id: str, container_id: str) -> None:
        """Someone looks at this container: its statistics are taken more often for a while."""
        poller = self._pollers.get(host_id)
        if poller is not None:
            poller.looks[container_id] = time.monotonic() + LOOK_S

    def target(self, host_id: str) -> Target:
        """How the host's engine is reached; raises NotAvailable when it has none."""
        if host_id not in self._pollers:
            raise NotAvailable(
                "this host's source is an agent, which only reports; link an engine source"
                " of the same host to it"
            )
        return _target(self._pollers[host_id].record)

    def has_target(self, host_id: str, target: Target) -> bool:
        """Whether the host's engine is still reached in this very way."""
        poller = self._pollers.get(host_id)
        return poller is not None and _target(poller.record) == target

    def _get(self, host_id: str) -> _Poller:
        if host_id not in self._pollers:
            raise NotFound("no source has this host id")
        return self._pollers[host_id]

    def _refuse_agents(self, host_id: str) -> None:
        picture = self._fleet.get(host_id)
        if picture is not None and picture.source == AGENT:
            raise Conflict(
                "an agent reports this host: link the source to it, or choose another id"
            )

    async def _check_link(self, new: NewSource) -> None:
        """Raise Conflict unless an agent reports this host with the very engine named."""
        picture = self._fleet.get(new.host_id)
        if picture is None or picture.source != AGENT:
            raise Conflict("no agent reports this host: there is nothing to link to")
        known = picture.engine.id if picture.engine else None
        if known is None:
            raise Conflict(
                "the agent of this host does not report its engine's id: podman has none and cannot"
                " be linked; an old agent of Docker needs an upgrade"
            )
        tested = await examined(new)
        if tested.engine is None:
            raise Conflict(f"the engine cannot be asked: {tested.detail}")
        if tested.engine.id != known:
            raise Conflict(
                f"this engine's id is {tested.engine.id}, and the agent reports {known}:"
                " they are not one host"
            )

    def _start(self, record: SourceRecord) -> _Poller:
        poller = _Poller(record)
        self._pollers[record.host_id] = poller
        if record.linked:
            self._ingest.link(record.host_id, record.kind)
        else:
            self._ingest.claim(record.host_id, record.kind)
        name = f"source {record.host_id}"
        poller.task = asyncio.create_task(self._poll_for_ever(poller), name=name)
        return poller

    async def _stop(self, host_id: str) -> None:
        poller = self._pollers.pop(host_id)
        if poller.task is not None:
            await ended(poller.task)

    async def _poll_for_ever(self, poller: _Poller) -> None:
        record = poller.record
        wait_s = FIRST_WAIT_S

        async def publish(report: Report) -> None:
            await self._ingest.accept(masked_picture(report, time.time(), record.kind))
            poller.state, poller.error = "connected", None
            self._fleet.note_error(record.host_id, None)

        while True:
            began_at = time.monotonic()
            try:
                await watch(record.host_id, _target(record), publish, poller.looked_at)
            except Exception as error:
                self._note(poller, _words(error))
            # One that answers and then fails, each time anew, is not asked without end.
            if time.monotonic() - began_at > STEADY_S:
                wait_s = FIRST_WAIT_S
            # Sources that fail together shall not all return together.
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _note(self, poller: _Poller, words: str) -> None:
        if poller.error != words:
            log.warning("the engine of %s cannot be asked: %s", poller.record.host_id, words)
        poller.state, poller.error = "failing", words
        self._fleet.note_error(poller.record.host_id, words)


async def examined(new: NewSource) -> SourceTest:
    """Ask an engine once and say exactly what came of it; raises Invalid for wrong words."""
    record = _worded(new)
    warning = _target(record).warning
    try:
        async with asyncio.timeout(TEST_S):
            target = _target(await _with_host_key(record, new.host_key))
            engine = await described(target)
    except Exception as error:
        why = explained(error)
        return SourceTest(False, why.kind, why.detail, why.host_key, None, warning)
    return SourceTest(True, None, None, None, engine, warning)


def _worded(new: NewSource, created_at: str = "") -> SourceRecord:
    """The row of a new source, its words checked, no host key accepted yet."""
    fields = {name: getattr(new, name) for name in _HOW}
    record = SourceRecord(
        new.host_id, new.kind, host_key=None, created_at=created_at, linked=new.link, **fields
    )
    return _checked(record)


async def _changed(old: SourceRecord, changes: SourceChange) -> SourceRecord:
    """The row with what is given changed; another address needs its own host key."""
    given = {name: getattr(changes, name) for name in _HOW}
    given = {name: value for name, value in given.items() if value is not UNSET}
    if given.get("address", old.address) != old.address:
        given["host_key"] = None
    record = _checked(replace(old, **given))
    if changes.host_key is UNSET:
        return record
    return await _accepting(replace(record, host_key=None), changes.host_key)


async def _accepting(record: SourceRecord, fingerprint: str | None) -> SourceRecord:
    """The row with the host key of this fingerprint; raises Conflict when it is not shown."""
    try:
        return await _with_host_key(record, fingerprint)
    except SourceFailure as failure:
        raise Conflict(f"the host key was not accepted: {failure.detail}") from None


async def _with_host_key(record: SourceRecord, accepted: str | None) -> SourceRecord:
    if accepted is None or record.kind != "docker-ssh":
        return record
    key = await shown_host_key(record.address)
    shown = fingerprint(key)
    if shown != accepted:
        detail = f"the SSH host shows the key {shown}, and {accepted} was to be accepted"
        raise SourceFailure("host-key-changed", detail, shown)
    return replace(record, host_key=key)


def _checked(record: SourceRecord) -> SourceRecord:
    try:
        _target(record).check()
    except ValueError as error:
        raise Invalid(f"$.{error}") from None
    return record


def _target(record: SourceRecord) -> Target:
    fields = {name: getattr(record, name) for name in _HOW}
    return Target(record.kind, host_key=record.host_key, **fields)


def _shown(poller: _Poller) -> Source:
    record = poller.record
    return Source(
        host_id=record.host_id,
        kind=record.kind,
        **{name: getattr(record, name) for name in _HOW},
        host_key=fingerprint(record.host_key) if record.host_key else None,
        created_at=record.created_at,
        linked=record.linked,
        state=poller.state,
        error=poller.error,
        warning=_target(record).warning,
    )


def _words(error: Exception) -> str:
    """What to tell people; an unexpected error is logged whole."""
    failure = explained(error)
    if failure.kind == "failed":
        log.error("a source failed unexpectedly", exc_info=error)
    return failure.detail
