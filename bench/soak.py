"""`python -m bench.soak`: an hour of reports at speed, and whether anything grows.

Hosts report as fast as the server takes it, from the other core: far more in an
hour than in days of ordinary use. Meanwhile containers are made anew, machines
restart, hosts are forgotten and return, others come once and never again, pages
are open, people sign in and out, and reports are refused.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from bench.churn import Host
from bench.load import answered, request
from bench.reports import AGENT, CONTAINERS, Reports
from bench.server import ARCHNEST, Server, revision_in

HOSTS = 50
AGENTS = 16
PAGES = 4
LINES = 12
SAMPLE_EVERY_S = 1.0
WARM_UP = 1 / 3
"""The part of the time in which caches, gone containers and the heap reach their size."""
LEAST_S = 600.0
REPORTS_A_DAY = 2_880
ADMIN = ("soak", "soak-soak-soak")
JSON = {"Content-Type": "application/json"}
REPORT = "/api/agents/docker/report"
HOST = "/api/agents/docker/hosts/"


@dataclass(frozen=True)
class Sample:
    """What the system says of the server at a moment."""

    at_s: float
    reports: int
    resident_mb: float
    descriptors: int
    threads: int
    database_mb: float
    wal_mb: float


MEASURES: dict[str, Callable[[Sample], float]] = {
    "memory, MB": lambda one: one.resident_mb,
    "open files": lambda one: one.descriptors,
    "threads": lambda one: one.threads,
    "database, MB": lambda one: one.database_mb,
    "WAL, MB": lambda one: one.wal_mb,
}


@dataclass
class Soak:
    """The load on one server and what was seen of it."""

    server: Server
    hosts: list[Host]
    ends_at: float
    chance: random.Random
    admin: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    reports: int = 0
    polls: int = 0
    sign_ins: int = 0
    forgotten: int = 0
    refused: int = 0

    async def run(self) -> None:
        """Load the server until the end; raises what any part of it does."""
        self.admin = await self._signed_in()
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(AGENTS):
                group.create_task(self._agents(number))
            for number in range(PAGES):
                group.create_task(self._page(number))
            group.create_task(self._every(2.0, self._forget))
            group.create_task(self._every(3.0, self._guest))
            group.create_task(self._every(5.0, self._look_around))
            group.create_task(self._every(10.0, self._come_and_go))
            group.create_task(self._every(1.0, self._be_refused))
            group.create_task(self._every(SAMPLE_EVERY_S, lambda: self._sample(began)))

    async def _agents(self, number: int) -> None:
        """Some of the hosts, every other on a connection of its own for each report."""
        mine = self.hosts[number::AGENTS]
        keeps = number % 2 == 0
        while mine and time.monotonic() < self.ends_at:
            async with _connection(self.server.port) as connection:
                for host in mine * 50 if keeps else mine[:1]:
                    await _told(connection, host.push(time.time()), b" 200 ")
                    self.reports += 1
            if not keeps:
                mine.append(mine.pop(0))

    async def _page(self, number: int) -> None:
        """A page that polls for what changed; every other takes gzip."""
        packed = {"Accept-Encoding": "gzip"} if number % 2 else {}
        async with _connection(self.server.port) as connection:
            path = "/api/hosts"
            while time.monotonic() < self.ends_at:
                body = await _told(connection, request("GET", path, {**self.admin, **packed}))
                path = f"/api/containers?since={revision_in(body)}"
                self.polls += 1
                await asyncio.sleep(1.5)
                if self.chance.random() < 0.02:
                    path = "/api/containers"  # it was reloaded

    async def _every(self, seconds: float, act: Callable[[], Coroutine[None, None, None]]) -> None:
        while time.monotonic() < self.ends_at:
            await act()
            await asyncio.sleep(seconds)

    async def _ask(self, sent: bytes, *expected: bytes) -> bytes:
        async with _connection(self.server.port) as connection:
            return await _told(connection, sent, *expected)

    async def _signed_in(self) -> dict[str, str]:
        body = json.dumps({"username": ADMIN[0], "password": ADMIN[1]}).encode()
        answer = await self._ask(request("POST", "/api/auth/login", JSON, body))
        return {"Authorization": f"Bearer {json.loads(answer)['token']}"}

    async def _forget(self) -> None:
        """A host is forgotten and comes back with its next report."""
        host_id = self.chance.choice(self.hosts).host_id
        await self._ask(request("DELETE", HOST + host_id, self.admin), b" 204", b" 404")
        self.forgotten += 1

    async def _guest(self) -> None:
        """A host that is never seen again."""
        host_id = f"guest-{self.chance.getrandbits(64):x}"
        guest = Host(host_id, self._reports, self.chance.randrange(100), self.chance)
        for _ in range(3):
            await self._ask(guest.push(time.time()))
            self.reports += 1
        await self._ask(request("DELETE", HOST + host_id, self.admin))
        self.forgotten += 1

    _reports: Reports = field(default_factory=Reports)

    async def _look_around(self) -> None:
        """What people and programs read beside the list."""
        host_id = self.hosts[0].host_id
        for path in ("/metrics", "/api/audit", "/api/agents/docker/refusals", "/api/auth/me"):
            await self._ask(request("GET", path, self.admin))
        with contextlib.suppress(RuntimeError):  # it may just have been forgotten
            await self._ask(request("GET", HOST + host_id + "/containers", self.admin))

    async def _come_and_go(self) -> None:
        """Someone signs in, and out; someone else knows no password."""
        person = await self._signed_in()
        await self._ask(request("POST", "/api/auth/logout", person))
        wrong = {"username": f"nobody-{self.chance.getrandbits(64):x}", "password": "let me in"}
        body = json.dumps(wrong).encode()
        await self._ask(request("POST", "/api/auth/login", JSON, body), b" 4")
        self.sign_ins += 1

    async def _be_refused(self) -> None:
        """A wrong token, JSON that ends too early and a container without a name."""
        stranger = {**AGENT, "Authorization": f"Bearer {self.chance.getrandbits(128):x}"}
        for headers, body in (
            (stranger, b"{}"),
            (AGENT, b'{"hostId":"broken","containers":['),
            (AGENT, b'{"hostId":"broken","containers":[{"id":"%d"}]}' % self.refused),
        ):
            await self._ask(request("POST", REPORT, headers, body), b" 40")
            self.refused += 1

    async def _sample(self, began: float) -> None:
        folder, pid = self.server.data_dir, self.server.pid
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        wal = folder / "archnest.db-wal"
        self.samples.append(
            Sample(
                time.monotonic() - began,
                self.reports,
                int(status["VmRSS"].split()[0]) * 1024 / 1e6,
                len(list(Path(f"/proc/{pid}/fd").iterdir())),
                int(status["Threads"]),
                (folder / "archnest.db").stat().st_size / 1e6,
                wal.stat().st_size / 1e6 if wal.exists() else 0.0,
            )
        )


@contextlib.asynccontextmanager
async def _connection(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _told(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], sent: bytes, *expected: bytes
) -> bytes:
    """The answer's body; raises RuntimeError when its status does not begin as expected."""
    reader, writer = connection
    writer.write(sent)
    head, body = await answered(reader)
    if not head[8:].startswith(expected or b" 2"):
        raise RuntimeError(f"the server answered {head[:40]!r} to {sent[:60]!r}: {body[:200]!r}")
    return body


def course(samples: list[Sample], spans: int) -> list[list[float]]:
    """Minute, reports and the medians of every measure for each of so many spans.

    Medians, for whoever signs in takes 64 MiB for a tenth of a second.
    """
    size = max(1, len(samples) // spans)
    found = []
    for begin in range(0, len(samples) - size + 1, size):
        span = samples[begin : begin + size]
        figures = [statistics.median(map(one, span)) for one in MEASURES.values()]
        found.append([span[-1].at_s / 60, span[-1].reports, *figures])
    return found


def table(samples: list[Sample]) -> list[str]:
    """The course of it in Markdown, and the growth after the warm-up by least squares.

    A short run has no growth: what fills up in the first minutes is not over.
    """
    lines = [f"| minute | reports | {' | '.join(MEASURES)} |", "| --- " * 7 + "|"]
    for minute, reports, *figures in course(samples, LINES):
        cells = " | ".join(f"{figure:,.1f}" for figure in figures)
        lines.append(f"| {minute:.1f} | {reports:,} | {cells} |")
    if samples[-1].at_s - samples[0].at_s < LEAST_S:
        return lines
    warm = course(samples[int(len(samples) * WARM_UP) :], 40)
    hours = [span[0] / 60 for span in warm]
    slopes = [
        statistics.linear_regression(hours, [span[2 + number] for span in warm]).slope
        for number in range(len(MEASURES))
    ]
    lines.append(f"| growth per hour | | {' | '.join(f'{one:+,.2f}' for one in slopes)} |")
    return lines


def _load(folder: Path, minutes: float, hosts: int) -> Soak:
    server = Server(folder / "soak")
    add = [ARCHNEST, "user", "add", ADMIN[0], "--role", "admin", "--password-stdin"]
    subprocess.run(
        [*add, "--data-dir", str(server.data_dir)],
        input=f"{ADMIN[1]}\n".encode(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    chance, reports = random.Random(1), Reports()
    fleet = [Host(f"host-{one:05d}", reports, one, chance) for one in range(hosts)]
    with server.running():
        ends_at = time.monotonic() + 60 * minutes
        soak = Soak(server, fleet, ends_at, chance, _reports=reports)
        asyncio.run(soak.run())
    return soak


def rows(minutes: float, hosts: int = HOSTS) -> list[str]:
    """Soak a server so long; the section's lines in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        soak = _load(Path(folder), minutes, hosts)
    days = soak.reports / REPORTS_A_DAY
    each = days / hosts
    return [
        f"In {minutes:g} minutes {hosts} hosts of {CONTAINERS} containers sent {soak.reports:,}"
        f" reports: {days:,.0f} days of one host, {each:,.1f} of each. Meanwhile: {soak.polls:,}"
        f" polls of {PAGES} pages, {soak.sign_ins:,} people who signed in and out and as many who"
        f" could not, {soak.forgotten:,} hosts forgotten, {soak.refused:,} reports refused.",
        "",
        *table(soak.samples),
    ]


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.stdout.write("\n".join(rows(options.minutes, options.hosts)) + "\n")


if __name__ == "__main__":
    main()
