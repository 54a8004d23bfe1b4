"""Many open pages: each polls as a page does, while the hosts report in turn."""

import asyncio
import statistics
import time
from pathlib import Path

from bench.herd import POLL_EVERY_S
from bench.load import answered, drive, request, take_all_files
from bench.reports import Reports, push_all
from bench.server import Server, revision_in

REPORT_EVERY_S = 30.0
"""As agents do."""
SECONDS = 12.0
AT_ONCE = 16
"""Connections opened at once."""


def rows(folder: Path, reports: Reports, fleets: dict[int, tuple[int, ...]]) -> list[str]:
    """Lines in Markdown: what these numbers of pages cost that look at so many hosts."""
    take_all_files()
    lines: list[str] = []
    for hosts, numbers in fleets.items():
        server = Server(folder / f"readers-{hosts}")
        with server.running():
            asyncio.run(push_all(server.port, reports, hosts, 0))
            person = server.signed_in()
            for pages in numbers:
                looked = asyncio.run(_looked_at(server, reports, hosts, pages, person))
                lines.append(f"| {hosts:,} | {pages:,} | {looked}")
    return lines


async def _looked_at(
    server: Server, reports: Reports, hosts: int, pages: int, person: dict[str, str]
) -> str:
    """What it cost, for a line in Markdown."""
    headers = {**person, "Accept-Encoding": "gzip"}
    revision = await server.revision_now(person)
    places = asyncio.Semaphore(AT_ONCE)
    looking = [_Page(server, headers, revision) for _ in range(pages)]
    await asyncio.gather(*(one.open(places) for one in looking))
    begin = time.perf_counter() + 1.0
    # A first poll tells all that came while the connections were opened.
    counted = begin + POLL_EVERY_S
    end = counted + SECONDS
    work = asyncio.gather(
        _report(server, reports, hosts, end),
        *(
            one.look(begin + POLL_EVERY_S * number / pages, counted, end)
            for number, one in enumerate(looking)
        ),
    )
    await asyncio.sleep(counted - time.perf_counter())
    before_s, since = server.cpu_s, time.perf_counter()
    await asyncio.sleep(end - time.perf_counter())
    busy = (server.cpu_s - before_s) / (time.perf_counter() - since)
    await work
    polls = sorted(wait for one in looking for wait in one.waits)
    if not polls:
        return f"| {busy:.1%} | | | |"
    received = sum(one.received for one in looking) / len(polls)
    return (
        f"{len(polls) / SECONDS:,.1f} /s | {busy:.1%} | {statistics.median(polls) * 1000:,.1f} ms |"
        f" {polls[int(len(polls) * 0.99)] * 1000:,.1f} ms | {received / 1e3:,.1f} KB |"
    )


class _Page:
    def __init__(self, server: Server, headers: dict[str, str], revision: str) -> None:
        self._server = server
        self._headers = headers
        self._revision = revision
        self.waits: list[float] = []
        """Seconds, of the polls that count."""
        self.received = 0
        """Bytes, by these."""

    async def open(self, places: asyncio.Semaphore) -> None:
        """Connect."""
        async with places:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._server.port, limit=2**24
            )

    async def look(self, due: float, counted: float, end: float) -> None:
        """Ask every so often for what changed since the last time."""
        while due < end:
            await asyncio.sleep(due - time.perf_counter())
            begun = time.perf_counter()
            path = f"/api/containers?since={self._revision}"
            self._writer.write(request("GET", path, self._headers))
            _, body = await answered(self._reader)
            if due >= counted:
                self.waits.append(time.perf_counter() - begun)
                self.received += len(body)
            self._revision = revision_in(body)
            due += POLL_EVERY_S
        self._writer.close()


async def _report(server: Server, reports: Reports, hosts: int, end: float) -> None:
    """Each host reports every so often, evenly."""
    due = time.perf_counter()
    number = 0
    while due < end:
        await asyncio.sleep(due - time.perf_counter())
        one = [reports.push(number % hosts, 1 + number // hosts)]
        await drive(server.port, one, 1, 1, expect=b" 200 ")
        number += 1
        due += REPORT_EVERY_S / hosts
