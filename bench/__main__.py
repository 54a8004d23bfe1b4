"""`make bench`: each figure beside its baseline, measured in the same run.

The servers run on one core and the load on the other. Pairs of runs take
turns, and the median pair is quoted, so that a machine whose speed drifts
still gives a true ratio.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from archnest import __version__
from archnest.demo_fleet import fleet
from archnest.model.report import EnvEntry
from bench.load import drive, request
from tests.ports import free_port, wait_until_listening

TOKEN = "the-agent-token-of-the-benchmark"
HOSTS = 200
CONTAINERS = 20
ROUNDS = 5
CONNECTIONS = 32


@dataclass(frozen=True)
class Figure:
    """One line of the table; both in requests per second."""

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


def reports() -> list[bytes]:
    """Reports of 20 containers, masked as an agent sends them, about 43 KB each."""
    extra = [EnvEntry(f"SETTING_{n}", f"a value of usual length, {n}") for n in range(16)]
    bodies = []
    for host in fleet(HOSTS, CONTAINERS, now=time.time()):
        report = host.report(time.time())
        containers = [
            msgspec.structs.replace(
                one,
                env=[*extra, EnvEntry("DB_PASSWORD", "********")],
                labels={**(one.labels or {}), **{f"org.example.{n}": "x" * 20 for n in range(6)}},
            )
            for one in report.containers
        ]
        bodies.append(msgspec.json.encode(msgspec.structs.replace(report, containers=containers)))
    return bodies


@contextlib.contextmanager
def process(*command: str, port: int, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the first core, ended afterwards."""
    pinned = ["taskset", "-c", "0", *command]
    running = subprocess.Popen(pinned, env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
    try:
        wait_until_listening(port)
        yield running
    finally:
        running.terminate()
        running.wait()


def rate(port: int, requests: list[bytes], total: int, expect: bytes = b" 200 ") -> float:
    """Requests per second."""
    started = time.perf_counter()
    asyncio.run(drive(port, requests, total, CONNECTIONS, expect=expect))
    return total / (time.perf_counter() - started)


def paired(
    name: str,
    ours: tuple[int, list[bytes], bytes],
    baseline_name: str,
    baseline: tuple[int, list[bytes]],
    total: int,
) -> Figure:
    """The median of paired runs."""
    pairs = []
    for _ in range(ROUNDS):
        port, requests, expect = ours
        pairs.append((rate(port, requests, total, expect), rate(*baseline, total)))
    pairs.sort(key=lambda pair: pair[0] / pair[1])
    return Figure(name, pairs[ROUNDS // 2][0], baseline_name, pairs[ROUNDS // 2][1])


def measure(data_dir: str) -> tuple[list[Figure], list[str]]:
    """Every figure, and what was seen beside them."""
    port, base_port = free_port(), free_port()
    archnest = str(Path(sys.executable).with_name("archnest"))
    serve = [archnest, "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", data_dir]
    add = [archnest, "user", "add", "bench", "--password-stdin", "--data-dir", data_dir]
    subprocess.run(add, input=b"bench-bench\n", check=True, stdout=subprocess.DEVNULL)
    bodies = reports()
    agent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    pushes = [request("POST", "/api/agents/docker/report", agent, body) for body in bodies]
    reads = [request("POST", "/read", agent, body) for body in bodies]
    noop = [request("GET", "/answer", agent)]
    with (
        process(*serve, port=port, ARCHNEST_AGENT_TOKEN=TOKEN) as server,
        process(sys.executable, "-m", "bench.baseline", str(base_port), port=base_port),
    ):
        idle = resident(server.pid)
        ingest = paired(
            "ingest, durable",
            (port, pushes, b" 200 "),
            "read the same body",
            (base_port, reads),
            1_000,
        )
        polls = [poll_request(port)]
        poll = paired(
            "poll, nothing changed", (port, polls, b" 304 "), "no-op GET", (base_port, noop), 4_000
        )
        size = statistics.mean(map(len, bodies))
        full = resident(server.pid)
        notes = [
            f"One report: {size:,.0f} bytes of JSON, {CONTAINERS} containers.",
            f"Resident memory: {idle:.0f} MB idle, {full:.0f} MB with {HOSTS} hosts.",
        ]
    return [ingest, poll], notes


def poll_request(port: int) -> bytes:
    """A signed-in page's poll that will find nothing new."""
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"username": "bench", "password": "bench-bench"}).encode()
    login = asyncio.run(exchange(port, request("POST", "/api/auth/login", headers, body)))
    token = json.loads(login.partition(b"\r\n\r\n")[2])["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answer = asyncio.run(exchange(port, request("GET", "/api/hosts", bearer)))
    etag = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"etag:"))
    return request("GET", "/api/hosts", {**bearer, "If-None-Match": etag[5:].strip().decode()})


async def exchange(port: int, sent: bytes) -> bytes:
    """The whole answer to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent.replace(b"Host: bench", b"Host: bench\r\nConnection: close"))
    answer = await reader.read()
    writer.close()
    return answer


def resident(pid: int) -> float:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def machine() -> str:
    """What the figures were measured on."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    name = models[0] if models else platform.machine()
    return f"{len(models)} × {name}, Linux {platform.release()}, Python {platform.python_version()}"


HEAD = """# Performance

Measured by `make bench` on {today} with ArchNest {version}: {machine}.

The server runs on one core and the load on another; the median of paired runs
is shown. The ratios count, not the absolute figures: machines differ and drift.

| what | ArchNest | baseline | baseline's rate | of its rate | time per request |
| --- | --- | --- | --- | --- | --- |
"""


def document(figures: list[Figure], notes: list[str]) -> str:
    """docs/performance.md."""
    head = HEAD.format(today=time.strftime("%Y-%m-%d"), version=__version__, machine=machine())
    rows = "\n".join(figure.row() for figure in figures)
    return f"{head}{rows}\n\n" + "\n".join(f"- {note}" for note in notes) + "\n"


def main() -> None:
    """Measure, print, and write docs/performance.md with --write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as data_dir:
        text = document(*measure(data_dir))
    print(text)
    if options.write:
        Path("docs/performance.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
