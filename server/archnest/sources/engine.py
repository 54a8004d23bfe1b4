"""One engine, watched: its containers as reports, at once when their state changes.

Frugal: containers are inspected anew only when an event names them, the list
shows another state or a while has passed; statistics are taken on an
interval, a bounded number at a time, of running containers alone.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiodocker
import aiohttp
import msgspec

from archnest.model.limits import MAX_CONTAINERS, MAX_TEXT
from archnest.model.report import Container, Engine, Report, Stats
from archnest.sources.connect import AnswerTooLarge, Client, Target, as_object, connected
from archnest.sources.containers import Inspected, Listed, container_of, engine_of, unreadable
from archnest.sources.failures import DISCONNECTED, SourceFailure
from archnest.sources.stats import Sample, stats_of

POLL_S = 15.0
RENEW_S = 15.0
"""How long an inspection holds: not every change has an event."""
STATS_S = 15.0
LOOKED_AT_S = 4.0
"""How often statistics are taken of what someone looks at."""
SETTLE_S = 0.2
"""Events come in bursts; those of so short a time share one look."""
AT_ONCE = 10
MAX_LIST_BYTES = 32 * 1024 * 1024
MAX_INSPECT_BYTES = 2 * 1024 * 1024
MAX_STATS_BYTES = 1024 * 1024
MAX_INSPECTED_BYTES = 128 * 1024 * 1024
"""Of all inspections together; a hostile engine could fill the memory with thousands."""
ONE_SHOT_API = (1, 44)
"""Before Docker 25 the quick reading is unreliable; those take two a second apart themselves."""
EVENTS = [
    *("create", "start", "restart", "die", "stop", "kill", "oom", "pause", "unpause"),
    *("destroy", "rename", "update", "health_status"),
    *("connect", "disconnect"),
]
"""The last two are a network's, of a container."""
RESETTING = ("start", "die", "restart")
"""What begins the counters anew."""
ODD = (
    msgspec.MsgspecError,
    aiohttp.ClientPayloadError,
    AnswerTooLarge,
    TimeoutError,
    UnicodeError,
    RecursionError,
)
"""How an answer about one container fails that is odd, empty or cut short, or does not come."""

Publish = Callable[[Report], Awaitable[object]]
LookedAt = Callable[[], set[str]]
"""The ids of the containers that someone looks at now."""


async def watch(host_id: str, target: Target, publish: Publish, looked_at: LookedAt = set) -> None:
    """Publish the engine's reports for as long as it answers; raises when it does not.

    A quiet engine is reported every POLL_S. What `publish` raises ends it too.
    """
    async with connected(target) as client:
        watched = _Watched(host_id, client, publish, looked_at)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watched.hear())
            tasks.create_task(watched.measure())
            tasks.create_task(watched.report())


async def described(target: Target) -> Engine:
    """What the engine says of itself, asked once; raises SourceFailure and what clients raise."""
    async with connected(target) as client:
        info = as_object(await client.get("info"))
        await client.get("containers/json", limit="1")
        return engine_of(client.version, info)


class _Watched:
    """The state of one watch."""

    def __init__(self, host_id: str, client: Client, publish: Publish, looked_at: LookedAt) -> None:
        self._host_id = host_id
        self._client = client
        self._publish = publish
        self._looked_at = looked_at
        self._listed: dict[str, Listed] = {}
        self._inspected: dict[str, Inspected] = {}
        self._sizes: dict[str, int] = {}
        """Bytes of each inspection, and of all."""
        self._held_bytes = 0
        self._samples: dict[str, Sample] = {}
        self._stats: dict[str, Stats] = {}
        self._named: set[str] = set()
        self._wake = asyncio.Event()
        self._seen = asyncio.Event()

    async def hear(self) -> None:
        """Note what events name; raises SourceFailure when the stream ends."""
        events = self._client.docker.events
        subscriber = events.subscribe(create_task=False)  # type: ignore[no-untyped-call]
        filters = json.dumps({"type": ["container", "network"], "event": EVENTS})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(events.run(filters=filters))
            while (event := await subscriber.get()) is not None:
                self._note(as_object(event))
        raise SourceFailure("disconnected", DISCONNECTED)

    def _note(self, event: dict[str, Any]) -> None:
        # Newer engines leave out the short forms at the top.
        actor = as_object(event.get("Actor") or {})
        if event.get("Type") == "network":
            actor = {"ID": as_object(actor.get("Attributes") or {}).get("container")}
        container_id = str(actor.get("ID") or event.get("id") or "")
        # What is not listed is inspected anyway; an engine could invent names without end.
        if container_id in self._listed:
            self._named.add(container_id)
        if (event.get("Action") or event.get("status")) in RESETTING:
            self._samples.pop(container_id, None)
            self._stats.pop(container_id, None)
        self._wake.set()

    async def report(self) -> None:
        """Look and publish, at the latest every POLL_S."""
        info = as_object(await self._client.get("info"))
        engine = engine_of(self._client.version, info)
        hostname = str(info.get("Name") or "")[:MAX_TEXT] or None
        renew_at = time.monotonic() + RENEW_S
        while True:
            await self._look()
            self._seen.set()
            await self._publish(
                Report(self._host_id, self._containers(), hostname=hostname, engine=engine)
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
                await asyncio.sleep(SETTLE_S)
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + RENEW_S
                self._inspected.clear()
                self._sizes.clear()
                self._held_bytes = 0
            self._wake.clear()

    async def measure(self) -> None:
        """Take statistics every STATS_S, more often where someone looks, and have them shown."""
        await self._seen.wait()
        due_at = 0.0
        while True:
            wanted = [one.id for one in self._listed.values() if one.state == "running"]
            if time.monotonic() < due_at:
                looked_at = self._looked_at()
                wanted = [one for one in wanted if one in looked_at]
            else:
                due_at = time.monotonic() + STATS_S
            await self._each(wanted, self._sample)
            for gone in self._samples.keys() - self._listed.keys():
                self._samples.pop(gone, None)
                self._stats.pop(gone, None)
            if wanted:
                self._wake.set()
            await asyncio.sleep(LOOKED_AT_S)

    async def _look(self) -> None:
        """List all containers and inspect those that may have changed."""
        named, self._named = self._named, set()
        answer = await self._client.read("containers/json", MAX_LIST_BYTES, all="1")
        found = msgspec.json.decode(answer, type=list[Listed])
        listed = {one.id: one for one in found[:MAX_CONTAINERS]}
        for known, one in list(self._inspected.items()):
            if known in named or known not in listed or one.state.status != listed[known].state:
                del self._inspected[known]
                self._held_bytes -= self._sizes.pop(known)
        self._listed = listed
        await self._each([one for one in listed if one not in self._inspected], self._inspect)

    def _containers(self) -> list[Container]:
        return [self._container(one) for one in self._listed.values()]

    def _container(self, listed: Listed) -> Container:
        inspected = self._inspected.get(listed.id)
        if inspected is None:
            return unreadable(listed)
        return container_of(inspected, listed, self._stats.get(listed.id))

    async def _inspect(self, container_id: str) -> None:
        """Inspect one; what vanished meanwhile is not listed, what is odd stays unread."""
        try:
            answer = await self._client.read(f"containers/{container_id}/json", MAX_INSPECT_BYTES)
            if self._held_bytes + len(answer) <= MAX_INSPECTED_BYTES:
                self._inspected[container_id] = msgspec.json.decode(answer, type=Inspected)
                self._sizes[container_id] = len(answer)
                self._held_bytes += len(answer)
        except aiodocker.DockerError as error:
            if error.status == 404:
                self._listed.pop(container_id, None)
            elif error.status >= 900:
                raise
        except ODD:
            return

    async def _sample(self, container_id: str) -> None:
        """Take one container's statistics; one that hangs or is odd has none."""
        one_shot = {"one-shot": "1"} if self._client.api >= ONE_SHOT_API else {}
        stats: Stats | None = None
        sample: Sample | None = None
        try:
            answer = await self._client.read(
                f"containers/{container_id}/stats", MAX_STATS_BYTES, stream="0", **one_shot
            )
            sample = msgspec.json.decode(answer, type=Sample)
            before = self._samples.get(container_id)
            stats = stats_of(sample, before, wall_clock=self._client.is_podman)
        except aiodocker.DockerError as error:
            if error.status >= 900:
                raise
        except ODD:
            pass
        _keep(self._samples, container_id, sample)
        _keep(self._stats, container_id, stats)

    async def _each(self, ids: list[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Work on each, AT_ONCE at a time; the first failure ends all."""

        # One for each round: slow statistics must not hold up a change of state.
        at_once = asyncio.Semaphore(AT_ONCE)

        async def bounded(one: str) -> None:
            async with at_once:
                await work(one)

        async with asyncio.TaskGroup() as tasks:
            for one in ids:
                tasks.create_task(bounded(one))


def _keep(where: dict[str, Any], key: str, value: object | None) -> None:
    if value is None:
        where.pop(key, None)
    else:
        where[key] = value
