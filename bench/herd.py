"""Every host reports at the same moment, as cron makes them, while a person looks on."""

import asyncio
import gzip
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from bench.load import answered, request, take_all_files
from bench.reports import Reports
from bench.server import Server, revision_in

POLL_EVERY_S = 1.5
"""As the page does."""
_over: Any = None


@dataclass
class Herd:
    """What came of it; times in seconds."""

    hosts: int
    last_s: float
    """Until the last report was acknowledged."""
    failed: int
    polls: list[float]

    def row(self, which: str) -> str:
        """A line in Markdown."""
        polls = sorted(self.polls)
        worst = polls[min(len(polls) - 1, int(len(polls) * 0.99))]
        return (
            f"| {self.hosts:,}, {which} | {self.last_s:.1f} s | {self.failed} | {len(polls)} |"
            f" {statistics.median(polls) * 1000:,.0f} ms | {worst * 1000:,.0f} ms |"
        )


def herd(server: Server, reports: Reports, hosts: int, generation: int) -> Herd:
    """Let so many hosts report at once, each on a connection of its own."""
    take_all_files()
    person = server.signed_in()
    # What was measured before this may still be on its way to the disk.
    os.sync()
    over = multiprocessing.Event()
    # Apart from the reports, or it would measure how busy these keep their sender.
    with ProcessPoolExecutor(1, initializer=_take, initargs=(over,)) as pool:
        looking = pool.submit(_look_on, server.port, person)
        time.sleep(0.5)
        last_s, failed = asyncio.run(_report(server, reports, hosts, generation))
        over.set()
        return Herd(hosts, last_s, failed, looking.result())


def _take(over: Any) -> None:
    global _over  # noqa: PLW0603  # an Event reaches another process only when that begins
    _over = over


def _look_on(port: int, person: dict[str, str]) -> list[float]:
    """Poll as the page does until it is over; the seconds each took."""

    async def look() -> list[float]:
        polls: list[float] = []
        path = "/api/hosts"
        headers = {**person, "Accept-Encoding": "gzip"}
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        while not _over.is_set():
            begun = time.perf_counter()
            writer.write(request("GET", path, headers))
            head, body = await answered(reader)
            polls.append(time.perf_counter() - begun)
            plain = gzip.decompress(body) if b"gzip" in head else body
            path = f"/api/containers?since={revision_in(plain)}"
            if b'"more":true' not in plain[:200]:
                await asyncio.sleep(max(0.0, POLL_EVERY_S - polls[-1]))
        writer.close()
        return polls

    return asyncio.run(look())


async def _report(
    server: Server, reports: Reports, hosts: int, generation: int
) -> tuple[float, int]:
    """Let all report at once; seconds until the last was acknowledged, and how many were not."""
    failed = 0

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

    begun = time.perf_counter()
    await asyncio.gather(*(report(host) for host in range(hosts)))
    return time.perf_counter() - begun, failed
