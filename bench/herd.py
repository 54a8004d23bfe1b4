"""Every host reports at the same moment, as cron makes them, while a person looks on."""

import asyncio
import resource
import statistics
import time
from dataclasses import dataclass

from bench.load import answered, request
from bench.reports import Reports
from bench.server import Server, revision_in

POLL_EVERY_S = 1.5
"""As the page does."""


@dataclass
class Herd:
    """What came of it; times in seconds."""

    hosts: int
    last_s: float
    """Until the last report was acknowledged."""
    failed: int
    polls: list[float]

    def row(self) -> str:
        """A line in Markdown."""
        polls = sorted(self.polls)
        worst = polls[min(len(polls) - 1, int(len(polls) * 0.99))]
        return (
            f"| {self.hosts:,} | {self.last_s:.1f} s | {self.failed} |"
            f" {statistics.median(polls) * 1000:,.0f} ms | {worst * 1000:,.0f} ms |"
        )


def herd(server: Server, reports: Reports, hosts: int, generation: int) -> Herd:
    """Let so many hosts report at once, each on a connection of its own."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    person = server.signed_in()
    return asyncio.run(_herd(server, person, reports, hosts, generation))


async def _herd(
    server: Server, person: dict[str, str], reports: Reports, hosts: int, generation: int
) -> Herd:
    polls: list[float] = []
    failed = 0
    over = asyncio.Event()

    async def report(host: int) -> None:
        nonlocal failed
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(reports.push(host, generation))
            head, _ = await answered(reader)
            failed += b" 200 " not in head[:20]
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            failed += 1

    async def look_on() -> None:
        path = "/api/hosts"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**24)
        while not over.is_set():
            begun = time.perf_counter()
            writer.write(request("GET", path, person))
            _, body = await answered(reader)
            polls.append(time.perf_counter() - begun)
            path = f"/api/containers?since={revision_in(body)}"
            await asyncio.sleep(max(0.0, POLL_EVERY_S - polls[-1]))
        writer.close()

    looking = asyncio.create_task(look_on())
    await asyncio.sleep(0.5)
    begun = time.perf_counter()
    await asyncio.gather(*(report(host) for host in range(hosts)))
    last_s = time.perf_counter() - begun
    over.set()
    await looking
    return Herd(hosts, last_s, failed, polls)
