"""What pollers get, encoded and compressed once per revision however many ask."""

import asyncio
import gzip
import importlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from archnest.fleet import Fleet
from archnest.model.host import Changes, HostList

T = TypeVar("T")

MIN_COMPRESSED_BYTES = 1_400
"""Below one packet's worth, compression saves nothing."""
MAX_INLINE_BYTES = 262_144
"""Above this, compression goes to a thread: it would stall other clients for more than the
two milliseconds that zlib takes for so much.
"""
LONG_BYTES = 65_536
HOSTS_PER_TURN = 200
CONTAINERS_PER_TURN = 60
"""Hosts encoded, without and with their containers, before other clients get their turn:
two milliseconds. While many report it waits that long for its own next turn, too.
"""
MAX_CACHED = 32

_encode = msgspec.json.Encoder().encode


class Encoded(Generic[T]):
    """The JSON of a T with a name for its content; the compressed form is kept."""

    media_type = "application/json"

    def __init__(self, body: bytes, etag: str | None = None) -> None:
        self.body = body
        self.etag = etag
        self._compressing: asyncio.Future[bytes] | None = None

    async def compressed(self) -> bytes | None:
        """The body as gzip, or None where that gains nothing."""
        if len(self.body) < MIN_COMPRESSED_BYTES:
            return None
        if len(self.body) <= MAX_INLINE_BYTES and self._compressing is None:
            self._compressing = asyncio.get_running_loop().create_future()
            self._compressing.set_result(_gzip(self.body))
        elif self._compressing is None:
            self._compressing = asyncio.ensure_future(asyncio.to_thread(_gzip, self.body))
        return await asyncio.shield(self._compressing)


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
            tag = self._tags[since] = f'"{revision}.{known}"'
        return tag

    async def hosts(self) -> Encoded[HostList]:
        """Every host of every source."""
        return await self._answer("hosts", self._encode_hosts)

    async def changes(self, since: str | None) -> Encoded[Changes]:
        """What a reader who knows `since` lacks."""
        key = f"since {since}" if self._fleet.knows(since) else "all"
        return await self._answer(key, lambda revision: self._encode_changes(revision, since))

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
        for number, entry in enumerate(self._fleet.entries(), start=1):
            hosts.append(entry.host_json)
            if number % HOSTS_PER_TURN == 0:
                await asyncio.sleep(0)
        return Encoded(_encode({**self._head(revision), "hosts": hosts}))

    async def _encode_changes(self, revision: str, since: str | None) -> Encoded[Changes]:
        changed = self._fleet.changed_since(since)
        entries = changed.entries if changed is not None else self._fleet.entries()
        parts: list[dict[str, msgspec.Raw]] = []
        for number, entry in enumerate(entries, start=1):
            rows = msgspec.Raw(entry.picture.rows_json)
            parts.append({"host": entry.host_json, "containers": rows})
            if number % CONTAINERS_PER_TURN == 0:
                await asyncio.sleep(0)
        told = {
            **self._head(changed.revision if changed is not None else revision),
            "full": changed is None,
            "more": changed is not None and changed.is_more,
            "hosts": parts,
            "removed": changed.removed if changed is not None else [],
        }
        return Encoded(_encode(told))

    def _head(self, revision: str) -> dict[str, object]:
        return {
            "revision": revision,
            "staleAfterMs": self._fleet.stale_after_ms,
            "agentVersion": self._agent_version,
        }


def fast_gzip() -> Callable[[bytes], bytes] | None:
    """ISA-L's compression where it is installed: six times as fast, and as small."""
    try:
        igzip = importlib.import_module("isal.igzip")
    except ImportError:
        return None
    return partial(igzip.compress, compresslevel=2, mtime=0)


def plain_gzip(body: bytes) -> bytes:
    """The standard library's."""
    # Of long bodies the first level leaves a third more, in half the time.
    level = 6 if len(body) <= LONG_BYTES else 1
    return gzip.compress(body, compresslevel=level, mtime=0)


_gzip = fast_gzip() or plain_gzip
