"""One host's picture and how a newer report changes it; pure."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

import msgspec
from msgspec.structs import replace

from archnest.errors import Ambiguous, NotFound
from archnest.machines import NO_MARKS, Marks
from archnest.model.report import Container, Engine
from archnest.recall import Head, Reading, encoded, encoded_one, row
from archnest.store.hosts import GoneChanges, GoneRecord, HostRecord
from archnest.timestamps import rfc3339, unix_seconds

AGENT = "agent"
"""The source of hosts whose reports are pushed."""
MAX_GONE = 100
"""Gone containers remembered per host, so that hosts full of short jobs stay bounded."""
MIN_PREFIX = 12
MAX_OVERTAKEN_S = 60.0
"""An agent's run ends before its next one, so a report is late by a minute at most."""

_encode = msgspec.json.Encoder().encode
_decode_container = msgspec.json.Decoder(Container).decode
_decode_containers = msgspec.json.Decoder(list[Container]).decode
_decode_engine = msgspec.json.Decoder(Engine).decode


class Gone(msgspec.Struct, frozen=True, gc=False):
    """A container that the latest report lacks, as last seen.

    It stays encoded as the others do: most are never looked at.
    """

    at: str
    """When a report first lacked it."""
    head: Head
    end: bytes
    """Its statistics, and what closes its object."""

    @property
    def text(self) -> bytes:
        """Its object as it is stored."""
        return self.head.text + self.end

    def container(self) -> Container:
        """All that is known of it."""
        return _decode_container(self.text)

    def row(self) -> bytes:
        """Its row for a list."""
        return b'%b,"goneAt":%b}' % (row(self.head, self.end)[:-1], _encode(self.at))


class Picture(msgspec.Struct, frozen=True):
    """A host as of its latest report, masked. The containers stay encoded:

    most reports are replaced before anyone reads them.
    """

    host_id: str
    hostname: str | None
    source: str
    received_at: float
    reported_at: str | None
    agent_version: str | None
    engine: Engine | None
    reading: Reading
    gone: tuple[Gone, ...]
    """The newest first."""
    marks: Marks = NO_MARKS
    """Of the machine whose agent sent it."""
    address: str | None = None
    """From which it was pushed."""
    clock_skew_s: float | None = None
    """By how much the agent's clock was ahead on its arrival; None where that is not known."""

    def __repr__(self) -> str:
        """Without its containers, which may be megabytes."""
        return f"Picture({self.host_id!r}, received_at={self.received_at})"

    @property
    def containers_json(self) -> bytes:
        """The containers as they are stored."""
        return self.reading.containers_json

    @property
    def names(self) -> dict[str, str]:
        """Container id to name, in the report's order."""
        return self.reading.names

    @property
    def count(self) -> int:
        """How many containers there are; a report may give an id twice, an engine never does."""
        return len(self.reading.heads)

    def containers(self) -> list[Container]:
        """The latest report's containers."""
        return _decode_containers(self.containers_json)

    def rows(self) -> list[bytes]:
        """The host's rows for a list, each encoded, the gone ones last."""
        return [*self.reading.rows(), *(one.row() for one in self.gone)]

    def find(self, reference: str) -> Container:
        """The container by full id, name or unambiguous id prefix of 12 or more.

        Raises NotFound or Ambiguous.
        """
        head, end = self.reading.some([_find(self.names, reference)])[0]
        return _decode_container(head.text + end)

    def find_gone(self, reference: str) -> Gone:
        """A gone container, by the same words; raises NotFound or Ambiguous."""
        found = _find({one.head.id: one.head.name for one in self.gone}, reference)
        return next(one for one in self.gone if one.head.id == found)

    def is_overtaken_by(self, shown: "Picture | None") -> bool:
        """Whether the same machine, in the same boot, gathered what is shown after this.

        Only by a little: a clock that was far ahead and is put right must not
        silence its host.
        """
        boot_id = self.marks[0]
        if boot_id is None or shown is None or shown.marks[0] != boot_id:
            return False
        mine, other = reported_s(self.reported_at), reported_s(shown.reported_at)
        return mine is not None and other is not None and 0 < other - mine <= MAX_OVERTAKEN_S

    def after(self, previous: "Picture | None") -> "Picture":
        """This newer picture with what it lacks of the previous one kept as gone."""
        if previous is None or previous.source != self.source:
            return self
        # Where only statistics moved, both are one.
        if previous.names is self.names:
            return replace(self, gone=previous.gone) if previous.gone else self
        missing = previous.names.keys() - self.names.keys()
        if not missing and not previous.gone:
            return self
        return replace(self, gone=self._gone_after(previous, missing))

    def _gone_after(self, previous: "Picture", missing: set[str]) -> tuple[Gone, ...]:
        at = rfc3339(self.received_at)
        newly = [Gone(at, head, end) for head, end in previous.reading.some(missing)]
        return tuple(islice(self._still_gone([*newly, *previous.gone]), MAX_GONE))

    def _still_gone(self, entries: list[Gone]) -> Iterator[Gone]:
        """Entries that nothing replaced: neither the same id, nor the same name."""
        ids, names = set(self.names), set(self.names.values())
        for one in entries:
            head = one.head
            if head.id in ids or (head.name and head.name in names):
                continue
            ids.add(head.id)
            names.add(head.name)
            yield one

    def as_record(self) -> HostRecord:
        """The row to store."""
        return HostRecord(
            host_id=self.host_id,
            hostname=self.hostname,
            source=self.source,
            report_json=self.containers_json,
            reported_at=self.reported_at,
            received_at=rfc3339(self.received_at),
            agent_version=self.agent_version,
            engine_json=_encode(self.engine) if self.engine else None,
        )

    def add_gone_changes(self, changes: GoneChanges, stored: "Picture | None") -> None:
        """Note what is to be stored of gone containers; without `stored` all that is."""
        before = {one.head.id: one for one in stored.gone} if stored else {}
        now = {one.head.id: one for one in self.gone}
        if stored is None:
            changes.anew.append(self.host_id)
        changes.back.extend((self.host_id, key) for key in before.keys() - now.keys())
        changes.newly.extend(
            GoneRecord(self.host_id, key, one.at, one.text)
            for key, one in reversed(now.items())
            if before.get(key) is not one
        )


def from_record(record: HostRecord, gone: Sequence[Gone] = ()) -> Picture:
    """The picture that is stored, masked again by today's rule; `gone` as the picture has them.

    Raises msgspec.DecodeError or ValueError if it is damaged.
    """
    return Picture(
        host_id=record.host_id,
        hostname=record.hostname,
        source=record.source,
        received_at=unix_seconds(record.received_at),
        reported_at=record.reported_at,
        agent_version=record.agent_version,
        engine=_decode_engine(record.engine_json) if record.engine_json else None,
        reading=encoded(_decode_containers(record.report_json)),
        gone=tuple(gone),
    )


def gone_from_record(record: GoneRecord) -> Gone:
    """A gone container that is stored, likewise; raises msgspec.DecodeError if it is damaged."""
    head, end = encoded_one(_decode_container(record.container_json))
    return Gone(record.gone_at, head, end)


# A host's last report is asked for again when its next one comes.
@lru_cache(maxsize=4096)
def reported_s(reported_at: str | None) -> float | None:
    """The agent's time in unix seconds; None where it tells none that there is."""
    if reported_at is None:
        return None
    try:
        return unix_seconds(reported_at)
    except (ValueError, OverflowError):
        return None


def _find(names: dict[str, str], reference: str) -> str:
    if reference in names:
        return reference
    fitting = [one for one, name in names.items() if name == reference and name]
    if not fitting and len(reference) >= MIN_PREFIX:
        fitting = [one for one in names if one.startswith(reference)]
    if not fitting:
        raise NotFound("no container of this host has this id or name")
    if len(fitting) > 1:
        raise Ambiguous(f"{len(fitting)} containers of this host fit; name more of the id")
    return fitting[0]
