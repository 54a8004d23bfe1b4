"""What pollers get, encoded and compressed once however many ask.

Readers come at any time, so of many hosts hardly two lack the same: their
answers differ, but are put together of the same hosts.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from archnest.fleet import Fleet
from archnest.model.host import Changes, HostList
from archnest.packing import Gzip, Part, packed

T = TypeVar("T")

MIN_COMPRESSED_BYTES = 1_400
"""Below one packet's worth, compression saves nothing."""
MAX_INLINE_BYTES = 262_144
"""Above this, compression goes to a thread: it would stall other clients for more than the
two milliseconds that zlib takes for so much.
"""
TURN_S = 0.004
"""How long hosts are encoded or compressed before other clients get their turn. While many report
it waits that long for its own next turn, too.
"""
MAX_CACHED = 32
_COMMA = Part(b",")

_encode = msgspec.json.Encoder().encode


class Encoded(Generic[T]):
    """The JSON of a T with a name for its content; the compressed form is kept."""

    media_type = "application/json"

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        """The JSON, to be sent one behind the other; who reads slowly copies none of it."""
        self.etag: str | None = None
        self._compressing: asyncio.Task[Sequence[bytes]] | None = None

    async def compressed(self) -> Sequence[bytes] | None:
        """The same as gzip, or None where that gains nothing."""
        if self._compressing is None:
            if sum(map(len, self.pieces)) < MIN_COMPRESSED_BYTES:
                return None
            self._compressing = asyncio.create_task(self._compressed())
        return await asyncio.shield(self._compressing)

    async def _compressed(self) -> Sequence[bytes]:
        body = b"".join(self.pieces)
        if len(body) <= MAX_INLINE_BYTES:
            return [packed(body)]
        return [await asyncio.to_thread(packed, body)]


class Joined(Encoded[T]):
    """The same of parts that are in other answers, too."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__(*[part.text for part in parts])
        self._parts = parts

    async def _compressed(self) -> Sequence[bytes]:
        turn = _Turn()
        answer = Gzip()
        for part in self._parts:
            answer.add(part)
            await turn.ends()
        return answer.pieces()


class _Turn:
    """Lets others have theirs after a while of work."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + TURN_S

    async def ends(self) -> None:
        """Go on at once, or after them."""
        if time.perf_counter() > self._until:
            await asyncio.sleep(0)
            self._until = time.perf_counter() + TURN_S


class Feed:
    """Answers polls from the fleet; equal questions at one revision share one answer."""

    def __init__(self, fleet: Fleet, agent_version: str) -> None:
        self._fleet = fleet
        self._agent_version = agent_version
        self._revision = ""
        self._answers: dict[str, asyncio.Task[Encoded[Any]]] = {}
        self._tagged = ""
        """The revision at which the names of answers hold."""
        self._tags: dict[str | None, str] = {}

    def etag(self, since: str | None = None) -> str:
        """Names the answer to a poll without working it out."""
        revision = self._fleet.revision
        if revision != self._tagged or len(self._tags) >= MAX_CACHED:
            self._tagged, self._tags = revision, {}
        tag = self._tags.get(since)
        if tag is None:
            # What is no revision of ours may hold bytes that no header can.
            known = since if self._fleet.knows(since) else ""
            # Weak, for the same name stands for it compressed and not.
            tag = self._tags[since] = f'W/"{revision}.{known}"'
        return tag

    async def hosts(self) -> Encoded[HostList]:
        """Every host of every source."""
        return await self._answer("hosts", self._encode_hosts)

    async def changes(self, since: str | None) -> Encoded[Changes]:
        """What a reader who knows `since` lacks."""
        # What is no revision yet may be one before the answer is worked out.
        known = since if self._fleet.knows(since) else None
        return await self._answer(
            f"since {known}", lambda revision: self._encode_changes(revision, known)
        )

    async def _answer(
        self, key: str, encode: Callable[[str], Coroutine[Any, Any, Encoded[Any]]]
    ) -> Encoded[Any]:
        # Before the content, for what is newer than its name does no harm.
        revision = self._fleet.revision
        if revision != self._revision or len(self._answers) >= MAX_CACHED:
            self._revision = revision
            self._answers = {}
        if key not in self._answers:
            self._answers[key] = asyncio.create_task(encode(revision))
        return await asyncio.shield(self._answers[key])

    async def _encode_hosts(self, revision: str) -> Encoded[HostList]:
        hosts: list[msgspec.Raw] = []
        turn = _Turn()
        for entry in self._fleet.entries():
            hosts.append(entry.host_json)
            await turn.ends()
        return Encoded(_encode({**self._head(revision), "hosts": hosts}))

    async def _encode_changes(self, revision: str, since: str | None) -> Encoded[Changes]:
        changed = self._fleet.changed_since(since)
        entries = changed.entries if changed is not None else self._fleet.entries()
        told = {
            **self._head(changed.revision if changed is not None else revision),
            "full": changed is None,
            "more": changed is not None and changed.is_more,
        }
        removed = changed.removed if changed is not None else []
        parts = [Part(_encode(told)[:-1] + b',"hosts":[')]
        turn = _Turn()
        for entry in entries:
            if len(parts) > 1:
                parts.append(_COMMA)
            parts += entry.parts
            await turn.ends()
        return Joined([*parts, Part(b'],"removed":%b}' % _encode(removed))])

    def _head(self, revision: str) -> dict[str, object]:
        return {
            "revision": revision,
            "staleAfterMs": self._fleet.stale_after_ms,
            "agentVersion": self._agent_version,
        }
