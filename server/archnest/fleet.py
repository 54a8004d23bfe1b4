"""The current picture of every host in memory, with a revision; what readers read.

The revision rises with every change a reader could see: a report, a host
forgotten, a host turning stale. Ages are measured on a clock that never
jumps, so that setting the machine's time neither hides nor invents silence.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from archnest.errors import NotFound
from archnest.model.host import Host, Machine
from archnest.packing import Part
from archnest.picture import Gone, Picture, from_record, gone_from_record
from archnest.store.database import Database
from archnest.store.hosts import GoneRecord, all_hosts
from archnest.timestamps import rfc3339

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode

MAX_TOMBSTONES = 1_000
MAX_ROWS = 5_000
"""About how many containers one answer of changes tells: to encode and compress these
takes a twentieth of a second.
"""
LEAST_PART = 10
"""But at least this part of all that is to be told: who reads slowly would else never
hear of hosts that report again before it is their turn. Every 30 s, as agents do, these
come to be told to who asks again, as `more` says, within 3 s.
"""
PART_BYTES = 131_072
"""Compressed in one go: in half a millisecond, without ISA-L in two."""
CAPABILITIES = {
    "agent": ["stats"],
    "docker-tcp": ["stats", "logs", "actions", "exec"],
    "docker-socket": ["stats", "logs", "actions", "exec"],
    "docker-ssh": ["stats", "logs", "actions", "exec"],
}


def elapsed_clock() -> float:
    """Seconds on a clock that counts sleep and is never set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Entry(msgspec.Struct, frozen=True, dict=True, eq=False):
    """A host's picture with the revision it last changed at."""

    picture: Picture
    stale: bool
    revision: int
    error: str | None = None
    """Why its engine cannot be asked now."""
    linked: str | None = None
    """The kind of source that speaks for it beside its agent."""
    conflict: list[Machine] | None = None
    """The machines that report as this host in turn."""

    @property
    def rows(self) -> int:
        """How much it is to tell: the host and its containers."""
        return 1 + self.picture.count + len(self.picture.gone)

    def host(self) -> Host:
        """The host without its containers."""
        picture = self.picture
        return Host(
            host_id=picture.host_id,
            hostname=picture.hostname,
            source=picture.source,
            received_at=rfc3339(picture.received_at),
            reported_at=picture.reported_at,
            stale=self.stale,
            container_count=picture.count,
            gone_count=len(picture.gone),
            agent_version=picture.agent_version,
            engine=picture.engine,
            capabilities=CAPABILITIES.get(self.linked or picture.source, []),
            linked_source=self.linked,
            error=self.error,
            clock_skew_s=picture.clock_skew_s,
            conflict=self.conflict,
        )

    @cached_property
    def host_json(self) -> msgspec.Raw:
        """The same, encoded once."""
        return msgspec.Raw(_encode(self.host()))

    @cached_property
    def parts(self) -> list[Part]:
        """The host with its rows in answers of changes, encoded and compressed once."""
        rows = b",".join(self.picture.rows())
        text = b'{"host":%b,"containers":[%b]}' % (self.host_json, rows)
        return [Part(text[start : start + PART_BYTES]) for start in range(0, len(text), PART_BYTES)]


@dataclass(frozen=True)
class Changed:
    """What a reader lacks, or as much of it as one answer takes, the oldest first."""

    entries: list[Entry]
    removed: list[str]
    revision: str
    """The one that the reader knows then."""
    is_more: bool
    """Whether there is more than this."""


class Fleet:
    """Every host's latest picture; reads are plain memory."""

    def __init__(self, stale_after_ms: int, clock: Callable[[], float] = elapsed_clock) -> None:
        self.stale_after_ms = stale_after_ms
        self.boot_id = secrets.token_hex(4)
        self._clock = clock
        self._number = 0
        # Both are kept in the order of their values, so that the newest
        # changes and the next host to turn stale are found without a search.
        self._entries: dict[str, Entry] = {}
        self._stale_at: dict[str, float] = {}
        self._links: dict[str, str] = {}
        self._removed: dict[str, int] = {}
        self._forgotten_removals = 0

    async def load(self, database: Database, now: float) -> None:
        """Show the last known state of every stored host, with its true age."""
        async for record, gone in all_hosts(database):
            try:
                picture = from_record(record, _readable(gone))
            except (msgspec.DecodeError, ValueError) as error:
                log.error("the stored report of %s is damaged: %s", record.host_id, error)
                continue
            self.replace(picture, age_s=max(0.0, now - picture.received_at))

    @property
    def revision(self) -> str:
        """Names the present state; another start of the server never repeats it."""
        self._notice_silence()
        return f"{self.boot_id}-{self._number}"

    def get(self, host_id: str) -> Picture | None:
        """The host's picture, or None."""
        entry = self._entries.get(host_id)
        return entry.picture if entry else None

    def entry(self, host_id: str) -> Entry:
        """The host with its staleness; raises NotFound."""
        self._notice_silence()
        entry = self._entries.get(host_id)
        if entry is None:
            raise NotFound("no host has this id")
        return entry

    def entries(self) -> list[Entry]:
        """Every host by hostId."""
        self._notice_silence()
        return sorted(self._entries.values(), key=lambda entry: entry.picture.host_id)

    def knows(self, revision: str | None) -> bool:
        """Whether it can be said what changed since then."""
        return self._number_of(revision) is not None

    def changed_since(self, revision: str | None) -> Changed | None:
        """What changed since then, or None: everything may have."""
        self._notice_silence()
        number = self._number_of(revision)
        if number is None:
            return None
        newer = list(self._newer_than(number))
        entries: list[Entry] = []
        most = max(MAX_ROWS, sum(entry.rows for entry in newer) // LEAST_PART)
        rows = 0
        while newer and rows < most:
            entry = newer.pop()
            entries.append(entry)
            rows += entry.rows
        last = entries[-1].revision if newer else self._number
        removed = [host_id for host_id, at in self._removed.items() if number < at <= last]
        return Changed(entries, removed, f"{self.boot_id}-{last}", bool(newer))

    def replace(
        self, picture: Picture, age_s: float = 0.0, conflict: list[Machine] | None = None
    ) -> None:
        """Show a newer picture of a host, heard from `age_s` seconds ago."""
        host_id = picture.host_id
        self._stale_at.pop(host_id, None)
        stale_in_s = self.stale_after_ms / 1000 - age_s
        if stale_in_s >= 0:
            self._stale_at[host_id] = self._clock() + stale_in_s
        self._removed.pop(host_id, None)
        shown = self._entries.get(host_id)
        error = shown.error if shown else None
        self._show(picture, stale=stale_in_s < 0, error=error, conflict=conflict)

    def note_error(self, host_id: str, error: str | None) -> None:
        """Say why a host's engine cannot be asked, or None when it can."""
        entry = self._entries.get(host_id)
        if entry is not None and entry.error != error:
            self._show(entry.picture, stale=entry.stale, error=error, conflict=entry.conflict)

    def note_link(self, host_id: str, kind: str | None) -> None:
        """Say which kind of source speaks for an agent's host too, or None for none."""
        if kind is None:
            self._links.pop(host_id, None)
        else:
            self._links[host_id] = kind
        entry = self._entries.get(host_id)
        if entry is not None:
            error = entry.error if kind else None
            self._show(entry.picture, stale=entry.stale, error=error, conflict=entry.conflict)

    def remove(self, host_id: str) -> None:
        """Drop a host; readers that know it are told."""
        if self._entries.pop(host_id, None) is None:
            return
        self._stale_at.pop(host_id, None)
        self._number += 1
        self._removed[host_id] = self._number
        while len(self._removed) > MAX_TOMBSTONES:
            self._forgotten_removals = self._removed.pop(next(iter(self._removed)))

    def _show(
        self,
        picture: Picture,
        *,
        stale: bool,
        error: str | None,
        conflict: list[Machine] | None,
    ) -> None:
        self._number += 1
        self._entries.pop(picture.host_id, None)
        self._entries[picture.host_id] = Entry(
            picture, stale, self._number, error, self._links.get(picture.host_id), conflict
        )

    def _notice_silence(self) -> None:
        now = self._clock()
        while self._stale_at:
            host_id, stale_at = next(iter(self._stale_at.items()))
            if stale_at >= now:
                return
            del self._stale_at[host_id]
            silent = self._entries[host_id]
            self._show(silent.picture, stale=True, error=silent.error, conflict=silent.conflict)

    def _newer_than(self, number: int) -> Iterator[Entry]:
        """The newest first."""
        for entry in reversed(self._entries.values()):
            if entry.revision <= number:
                return
            yield entry

    def _number_of(self, revision: str | None) -> int | None:
        """The number in a revision of this start that is not too old, else None."""
        boot_id, _, digits = (revision or "").partition("-")
        if boot_id != self.boot_id or not (digits.isascii() and digits.isdigit()):
            return None
        number = int(digits[:20])
        is_named_so = digits == str(number)
        is_known = self._forgotten_removals <= number <= self._number
        return number if is_named_so and is_known else None


def _readable(records: list[GoneRecord]) -> list[Gone]:
    """Gone containers as they are stored, the newest first, without damaged ones."""
    gone: list[Gone] = []
    for record in reversed(records):
        try:
            gone.append(gone_from_record(record))
        except msgspec.DecodeError as error:
            log.error(
                "the stored container %s of %s is damaged: %s",
                record.container_id,
                record.host_id,
                error,
            )
    return gone
