"""Reports of any number of hosts, as agents send them; each is a little newer than the last."""

import asyncio
import time
from typing import Any

import msgspec

from archnest.demo_fleet import fleet
from archnest.model.report import EnvEntry
from bench.load import CONNECTIONS, drive, request

TOKEN = "the-agent-token-of-the-benchmark"
CONTAINERS = 20
TEMPLATES = 100
GENERATIONS = 3
AGENT = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Reports:
    """Masked as an agent sends them, about 46 KB of JSON for 20 containers.

    Many hosts share their containers' texts, but not their names. From one
    generation to the next the statistics move, and unless they are `calm` a
    container or two of each host: crash loops, jobs that come and go.
    """

    def __init__(
        self, *, calm: bool = False, containers: int = CONTAINERS, templates: int = TEMPLATES
    ) -> None:
        self.containers = containers
        self._templates = templates
        now = time.time()
        hosts = fleet(templates, containers, now=now)
        generations = [
            [_document(host.report(now + 30 * generation)) for host in hosts]
            for generation in range(GENERATIONS)
        ]
        if calm:
            generations = [
                [_with_stats_of(*pair) for pair in zip(generations[0], later, strict=True)]
                for later in generations
            ]
        self._bodies = [[msgspec.json.encode(one) for one in later] for later in generations]

    def body(self, host: int, generation: int) -> bytes:
        """One host's report."""
        template = self._bodies[generation % GENERATIONS][host % self._templates]
        return template.replace(b"@HOST@", b"host-%05d" % host, 1)

    def push(self, host: int, generation: int, path: str = "/api/agents/docker/report") -> bytes:
        """The request that pushes it."""
        return request("POST", path, AGENT, self.body(host, generation))

    @property
    def size(self) -> int:
        """Bytes of a typical one."""
        return len(self.body(0, 0))


def _document(report: object) -> dict[str, Any]:
    extra = [EnvEntry(f"SETTING_{n}", f"a value of usual length, {n}") for n in range(16)]
    document: dict[str, Any] = msgspec.to_builtins(report)
    for container in document["containers"]:
        container["env"] = [
            *({"key": one.key, "value": one.value} for one in extra),
            {"key": "DB_PASSWORD", "value": "********"},
        ]
        labels = {f"org.example.{n}": "x" * 20 for n in range(6)}
        container["labels"] = {**(container["labels"] or {}), **labels}
    document["hostId"] = "@HOST@"
    document["containers"] = document.pop("containers")
    return document


def _with_stats_of(first: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """The first report of a host with the statistics of a later one."""
    stats = {one["id"]: one["stats"] for one in later["containers"]}
    containers = [
        {**one, "stats": stats.get(one["id"], one["stats"]) if one["stats"] else None}
        for one in first["containers"]
    ]
    return {**later, "containers": containers}


async def push_all(port: int, reports: Reports, hosts: int, generation: int) -> float:
    """Reports per second when each host reports once, on a connection of its own."""
    waiting = iter(range(hosts))

    async def work() -> None:
        for host in waiting:
            one = [reports.push(host, generation)]
            await drive(port, one, 1, 1, expect=b" 200 ")

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return hosts / (time.perf_counter() - begun)
