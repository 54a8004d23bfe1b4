"""`make bench`: each figure beside its baseline, measured in the same run.

The servers run on one core and the load on the other. Pairs of runs take
turns, and the median pair is quoted, so that a machine whose speed drifts
still gives a true ratio.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archnest import __version__
from bench import agent, page, readers, soak
from bench.herd import herd
from bench.load import CONNECTIONS, drive, request
from bench.reports import AGENT, CONTAINERS, Reports, push_all
from bench.server import Server, process
from tests.engine.dockerd import EngineError
from tests.ports import free_port

ROUNDS = 41
PARTS = 5
INGEST_HOSTS = 200
SCALES = (10, 100, 1_000, 10_000)
HERDS = (100, 1_000, 10_000)
PAGES = (10, 100, 1_000)
LARGE_HOSTS = 10
LARGE = (10, 100, 1_000, 3_000)
READERS = {100: (0, 1, 10, 100, 1_000, 10_000), 1_000: (0, 1, 10, 100, 1_000)}


@dataclass(frozen=True)
class Figure:
    """One line of the first table; both in requests per second."""

    name: str
    ours: float
    baseline_name: str
    baseline: float

    def row(self) -> str:
        """The line in Markdown; the ratio is time per request over the baseline's."""
        return (
            f"| {self.name} | {self.ours:,.0f} /s | {self.baseline_name} | {self.baseline:,.0f} /s"
            f" | {self.ours / self.baseline:.0%} | {self.baseline / self.ours:.2f} × |"
        )


def rate(port: int, requests: list[bytes], total: int, expect: bytes = b" 200 ") -> float:
    """Requests per second."""
    begun = time.perf_counter()
    asyncio.run(drive(port, requests, total, CONNECTIONS, expect=expect))
    return total / (time.perf_counter() - begun)


def paired(
    name: str, ours: Callable[[int], float], baseline_name: str, baseline: Callable[[], float]
) -> Figure:
    """The median of paired runs; `ours` is told which run it is."""
    pairs = sorted(
        ((ours(number), baseline()) for number in range(ROUNDS)),
        key=lambda pair: pair[0] / pair[1],
    )
    return Figure(name, pairs[ROUNDS // 2][0], baseline_name, pairs[ROUNDS // 2][1])


def compared(data_dir: Path, calm: Reports, busy: Reports) -> tuple[list[str], list[str]]:
    """The rows of the first table, and what was seen beside them."""
    base_port = free_port()
    server = Server(data_dir)
    baseline = process(sys.executable, "-m", "bench.baseline", str(base_port), port=base_port)
    with server.running(), baseline:
        idle_mb, start_s = server.resident_mb, server.start_s
        figures = [
            _ingest("ingest, durable: statistics move", server, base_port, calm),
            _ingest(
                "ingest, durable: one or two containers of each host change, too",
                server,
                base_port,
                busy,
            ),
        ]
        noop = [request("GET", "/answer", AGENT)]
        poll = [server.idle_poll(server.signed_in())]
        figures.append(
            paired(
                "the page's poll, nothing changed",
                lambda _: rate(server.port, poll, 2_000, b" 304 "),
                "no-op GET",
                lambda: rate(base_port, noop, 2_000),
            )
        )
    notes = [
        f"One report: {calm.size:,} bytes of JSON, {CONTAINERS} containers, not compressed;"
        f" {INGEST_HOSTS} hosts report in turn.",
        f"An empty server: {idle_mb:.1f} MB resident, {start_s:.2f} s to the first answer.",
    ]
    return [figure.row() for figure in figures], notes


def _ingest(name: str, server: Server, base_port: int, reports: Reports) -> Figure:
    """Reports taken beside bodies read."""
    reads = [reports.push(host, 0, "/read") for host in range(INGEST_HOSTS)]
    generations = [
        [reports.push(host, number) for host in range(INGEST_HOSTS)] for number in range(3)
    ]
    rate(server.port, generations[-1], INGEST_HOSTS)

    def ours(number: int) -> float:
        requests = generations[number % 3] + generations[(number + 1) % 3]
        return rate(server.port, requests, 3 * INGEST_HOSTS)

    return paired(
        name,
        ours,
        "read the same body",
        lambda: rate(base_port, reads, 6 * INGEST_HOSTS),
    )


def grown(data_dir: Path, reports: Reports, hosts: int, name: int) -> str:
    """One row of a table of what so many hosts cost; its name is how many of what grows."""
    server = Server(data_dir)
    with server.running():
        first = asyncio.run(push_all(server.port, reports, hosts, 0))
        again = asyncio.run(push_all(server.port, reports, hosts, 1))
        person = server.signed_in()
        whole_ms, whole_bytes = server.poll_ms(person, "none")
        polls = rate(server.port, [server.idle_poll(person)], 2_000, b" 304 ")
        parts = [_part(server, person, reports, max(1, hosts // 100), 2 + n) for n in range(PARTS)]
        part_ms, part_bytes = statistics.median(ms for ms, _ in parts), parts[0][1]
        written = _written(server, reports, hosts)
        resident_mb, stored_mb = server.resident_mb, server.stored_mb
    with server.running():
        start_s = server.start_s
    return (
        f"| {name:,} | {first:,.0f} /s | {again:,.0f} /s | {resident_mb:,.0f} MB |"
        f" {stored_mb:,.1f} MB | {written:.2f} × | {start_s:.2f} s | {1e6 / polls:,.0f} µs |"
        f" {part_ms:.1f} ms, {part_bytes / 1e3:,.0f} KB |"
        f" {whole_ms:,.0f} ms, {whole_bytes / 1e6:,.1f} MB |"
    )


def _large(folder: Path, containers: int) -> str:
    """One row of the third table: what hosts of so many containers cost."""
    reports = Reports(calm=True, containers=containers, templates=LARGE_HOSTS)
    return grown(folder / f"large-{containers}", reports, LARGE_HOSTS, containers)


def _part(
    server: Server, person: dict[str, str], reports: Reports, hosts: int, generation: int
) -> tuple[float, int]:
    """Milliseconds and bytes of the poll after so many hosts have reported."""
    revision = server.revision(person)
    asyncio.run(push_all(server.port, reports, hosts, generation))
    return server.poll_ms({**person, "Accept-Encoding": "gzip"}, revision)


def _written(server: Server, reports: Reports, hosts: int) -> float:
    """Bytes handed to the disk for each byte of reports, over some foldings of the log."""
    rounds = max(6, 40_000 // (hosts * reports.containers))
    before = server.written
    for number in range(rounds):
        asyncio.run(push_all(server.port, reports, hosts, number))
    return (server.written - before) / (rounds * hosts * reports.size)


def machine() -> str:
    """What the figures were measured on."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    name = models[0] if models else platform.machine()
    return f"{len(models)} × {name}, Linux {platform.release()}, Python {platform.python_version()}"


DOCUMENT = """# Performance

Measured by `make bench` on {today} with ArchNest {version}: {machine}.

The server runs on one core and the load on another; the median of paired runs
is shown. The ratios count, not the absolute figures: machines differ and drift.

## Beside the least that a server could do

| what | ArchNest | baseline | baseline's rate | of its rate | time per request |
| --- | --- | --- | --- | --- | --- |
{compared}

{notes}

## As the fleet grows

Each host has {containers} containers. Its *first* report is read in full; of *later* ones only
what changes. *Unchanged* is the page's poll when nothing did, *changed* when one host in
a hundred has reported, with gzip and compressed for it, *all* its first poll, not compressed.
Each report came on a connection of its own. *Stored* is the database with its log, which is folded
into it from time to time, and *written* what was handed to the disk for each report, beside its
size.

| hosts | first | later | memory | stored | written | start | unchanged | changed | all |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{grown}

The same for {large_hosts} hosts that have so many containers each. Of one host 5,000 are taken at
most, and by default 8 MB of JSON. What changes is one host.

| containers | first | later | memory | stored | written | start | unchanged | changed | all |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{large}

## Everyone at once

All hosts report in the same moment, as cron makes them, and one person's page polls every
1.5 seconds for whatever changed, and at once where there is more, with gzip, from a process of its
own. *First* is an empty server, to which every report is new. Of fewer than a hundred polls
the 99th percentile is the longest.

| hosts | last report acknowledged | refused or lost | polls | poll, median | poll, 99 % |
| --- | --- | --- | --- | --- | --- |
{herds}

## Many who look

So many open pages poll every 1.5 seconds, each at its own time and with gzip, while the hosts
report every 30 seconds, one after the other: of a hundred hosts five are new to each poll, of a
thousand fifty. *Processor* is the server's part of one core, with what the reports take; *poll* is
how long an answer took, and *received* how long it was.

| hosts | pages | polls | processor | poll, median | poll, 99 % | received |
| --- | --- | --- | --- | --- | --- | --- |
{readers}

## At the page

In a real Chromium without a graphics processor, 1440 × 900, that shares both cores with the
server: milliseconds until what was asked for stood on the screen, as median / 95 % / longest. The
first line is the least that this browser can do: a search box and a button that do nothing. *Key*
is each letter of five searches, typed and deleted; *sort* a click on each of five columns;
*scroll* the time between frames while the wheel runs through {wheels} turns of {wheel_px} px, and
how often a frame lacked rows. *Unchanged* and *changed* are polls in which nothing, and one host
in a hundred, had changed: time of the page's thread, and what came over the wire.

| containers | first row | key | sort | scroll | unchanged | changed | heap |
| --- | --- | --- | --- | --- | --- | --- | --- |
{pages}

## The agent

One run of the script against a real Docker Engine, beside `docker ps`, `docker inspect` of all and
`docker stats --no-stream` by themselves: CPU of the commands with all that they start, then that
of the engine too. The containers have the environment and labels of the reports above; *sent* is
what goes over the wire, gzip. A thousand containers are faked, and only the processes counted.

{agent}

## Over time

{soak}
"""
SOAK_MINUTES = 5.0


def main() -> None:
    """Measure, print, and write docs/performance.md with --write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--soak-minutes", type=float, default=SOAK_MINUTES, metavar="N")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    reports = Reports(calm=True)
    with tempfile.TemporaryDirectory() as folder:
        rows, notes = compared(Path(folder) / "compared", reports, Reports())
        sizes = [grown(Path(folder) / f"grown-{hosts}", reports, hosts, hosts) for hosts in SCALES]
        large = [_large(Path(folder), containers) for containers in LARGE]
        herds = []
        for hosts in HERDS:
            server = Server(Path(folder) / f"herd-{hosts}")
            with server.running():
                herds.append(herd(server, reports, hosts, 0).row("first"))
                herds.append(herd(server, reports, hosts, 1).row("later"))
        looking = readers.rows(Path(folder), reports, READERS)
        pages = page.rows(Path(folder), reports, PAGES)
    try:
        agent_rows = agent.rows()
    except EngineError as error:
        agent_rows = [f"Not measured: {error}."]
    text = DOCUMENT.format(
        today=time.strftime("%Y-%m-%d"),
        version=__version__,
        machine=machine(),
        containers=CONTAINERS,
        compared="\n".join(rows),
        notes="\n".join(f"- {note}" for note in notes),
        grown="\n".join(sizes),
        large_hosts=LARGE_HOSTS,
        large="\n".join(large),
        herds="\n".join(herds),
        readers="\n".join(looking),
        pages="\n".join(pages),
        wheels=page.WHEELS,
        wheel_px=page.WHEEL_PX,
        agent="\n".join(agent_rows),
        soak="\n".join(soak.rows(options.soak_minutes)),
    )
    print(text)
    if options.write:
        Path("docs/performance.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
