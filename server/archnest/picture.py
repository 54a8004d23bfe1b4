"""One host's picture and how a newer report changes it; pure."""

from collections.abc import Collection, Iterator
from functools import cached_property, lru_cache

import msgspec
from msgspec.structs import replace

from archnest.errors import Ambiguous, NotFound
from archnest.machines import NO_MARKS, Marks
from archnest.model.host import ContainerRow, GoneContainer
from archnest.model.report import Container, Engine
from archnest.recall import Reading, encoded
from archnest.store.hosts import HostRecord
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
_decode_gone = msgspec.json.Decoder(list[GoneContainer]).decode
_decode_engine = msgspec.json.Decoder(Engine).decode


class Picture(msgspec.Struct, frozen=True, dict=True):
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
    gone: tuple[GoneContainer, ...]
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

    def containers(self) -> list[Container]:
        """The latest report's containers."""
        return _decode_containers(self.containers_json)

    def some(self, ids: Collection[str]) -> list[Container]:
        """Those of these ids."""
        return [_decode_container(one) for one in self.reading.texts(ids)] if ids else []

    @cached_property
    def rows_json(self) -> bytes:
        """The host's rows for a list, the gone ones last, encoded once."""
        gone = [_gone_row(entry) for entry in self.gone]
        return b"[%b]" % b",".join([*self.reading.rows(), *map(_encode, gone)])

    def find(self, reference: str) -> Container:
        """The container by full id, name or unambiguous id prefix of 12 or more.

        Raises NotFound or Ambiguous.
        """
        found = _find(self.names, reference)
        return self.some([found])[0]

    def find_gone(self, reference: str) -> GoneContainer:
        """A gone container, by the same words; raises NotFound or Ambiguous."""
        found = _find({entry.container.id: entry.container.name for entry in self.gone}, reference)
        return next(entry for entry in self.gone if entry.container.id == found)

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
        is_same = previous.names is self.names
        missing = set() if is_same else previous.names.keys() - self.names.keys()
        if not missing and not previous.gone:
            return self
        return replace(self, gone=tuple(self._gone_after(previous, missing)))

    def _gone_after(self, previous: "Picture", missing: set[str]) -> list[GoneContainer]:
        gone_at = rfc3339(self.received_at)
        newly = [GoneContainer(gone_at, one) for one in previous.some(missing)]
        return list(self._still_gone([*newly, *previous.gone]))[:MAX_GONE]

    def _still_gone(self, entries: list[GoneContainer]) -> Iterator[GoneContainer]:
        """Entries that nothing replaced: neither the same id, nor the same name."""
        ids, names = set(self.names), set(self.names.values())
        for entry in entries:
            container = entry.container
            if container.id in ids or (container.name and container.name in names):
                continue
            ids.add(container.id)
            names.add(container.name)
            yield entry

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
            gone_json=_encode(self.gone),
        )


def from_record(record: HostRecord) -> Picture:
    """The picture a row holds, masked again by today's rule.

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
        gone=tuple(_decode_gone(record.gone_json)),
    )


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


def _gone_row(entry: GoneContainer) -> ContainerRow:
    fields = {name: getattr(entry.container, name) for name in _SHARED_FIELDS}
    return ContainerRow(**fields, gone_at=entry.gone_at)


_SHARED_FIELDS = tuple(name for name in ContainerRow.__struct_fields__ if name != "gone_at")


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
