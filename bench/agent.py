"""What one run of the agent costs its host, beside the commands it cannot do without.

The shipped script reports real containers of a private Docker Engine to a
receiver that takes everything. The baseline is `docker ps`, `docker inspect` and
`docker stats --no-stream` of the same containers, run by themselves in turn with it.
"""

import contextlib
import os
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.containers import fill
from bench.reports import Reports
from tests.agent.fakes import engine_socket, synthetic
from tests.agent.script import SCRIPT, environ_of, started
from tests.engine.dockerd import Engine, private_engine

SCALES = (1, 20, 100)
FAKED = 1_000
"""So many processes of containers would be a benchmark of the machine."""
ROUNDS = 9


class _Handler(BaseHTTPRequestHandler):
    server: "Receiver"

    def do_POST(self) -> None:
        self.server.received = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        receipt = b'{"receivedAt": "2026-06-20T19:30:00Z"}'
        self.send_header("Content-Length", str(len(receipt)))
        self.end_headers()
        self.wfile.write(receipt)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Receiver(ThreadingHTTPServer):
    """Takes reports and remembers the size of the last one."""

    received = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    @contextlib.contextmanager
    def running(self) -> Iterator["Receiver"]:
        """Serve until left."""
        with self:
            thread = threading.Thread(target=self.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                self.shutdown()
                thread.join()

    @property
    def settings(self) -> dict[str, str]:
        """What makes an agent report here."""
        return {
            "ARCHNEST_URL": f"http://127.0.0.1:{self.server_address[1]}",
            "ARCHNEST_AGENT_TOKEN": "the-agent-token",
            "ARCHNEST_TIMEOUT_S": "25",
        }


@dataclass(frozen=True)
class Cost:
    """Milliseconds of CPU."""

    own: float
    """Of the commands with all the processes they started."""
    engines: float
    """Of the engine meanwhile."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.own + other.own, self.engines + other.engines)

    @property
    def whole(self) -> float:
        """Of both."""
        return self.own + self.engines


def measured(engine: Engine, command: list[str], environ: dict[str, str]) -> Cost:
    """Run a command to its end; raises CalledProcessError when it fails."""
    before = _engine_ms(engine)
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost((usage.ru_utime + usage.ru_stime) * 1000, _engine_ms(engine) - before)


def _engine_ms(engine: Engine) -> float:
    """CPU of dockerd, its containerd and their shims since their start."""
    folder = str(engine.socket.parent).encode()
    total_ns = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder in (process / "cmdline").read_bytes():
                for thread in (process / "task").iterdir():
                    total_ns += int((thread / "schedstat").read_text().split()[0])
    return total_ns / 1e6


def _row(engine: Engine, receiver: Receiver, containers: int, folder: Path) -> str:
    """A line of the table: the median pair of ROUNDS."""
    environ = environ_of(engine.environ, receiver.settings)
    ids = engine.docker("ps", "-aq", "--no-trunc").split()
    commands = (["docker", "ps"], ["docker", "inspect", *ids], ["docker", "stats", "--no-stream"])
    pairs = [
        (
            measured(engine, ["bash", str(SCRIPT)], environ),
            sum((measured(engine, one, environ) for one in commands), Cost(0, 0)),
        )
        for _ in range(ROUNDS)
    ]
    settings = engine.environ | receiver.settings
    processes, _ = started(environ=settings, trace=folder / "trace")
    return (
        f"| {containers:,} | {_compared(pairs, lambda cost: cost.own)}"
        f" | {_compared(pairs, lambda cost: cost.whole)}"
        f" | {processes} | {_sizes(receiver, containers)} |"
    )


def _compared(pairs: list[tuple[Cost, Cost]], of: Callable[[Cost], float]) -> str:
    ours = statistics.median(of(agent) for agent, _ in pairs)
    least = statistics.median(of(commands) for _, commands in pairs)
    ratio = statistics.median(of(agent) / of(commands) for agent, commands in pairs)
    return f"{ours:,.0f} ms | {least:,.0f} ms | {ratio:.2f} ×"


def _sizes(receiver: Receiver, containers: int) -> str:
    each = f"{receiver.received * 20 / containers:,.0f} B" if containers >= 20 else ""
    return f"{receiver.received:,} B | {each}"


def _faked_row(receiver: Receiver, folder: Path) -> str:
    """How many processes it takes where there are too many to run them."""
    with engine_socket(folder / "s") as environ:
        fake = synthetic(folder / "bin", FAKED) | environ | receiver.settings
        processes, _ = started(environ=fake, trace=folder / "trace")
    return f"| {FAKED:,} | | | | | | | {processes} | | |"


def rows() -> list[str]:
    """The table's lines in Markdown, its head first."""
    lines = [
        "| containers | agent | commands | ratio | agent and engine | commands and engine"
        " | ratio | processes | sent | per 20 containers |",
        "| --- " * 10 + "|",
    ]
    reports = Reports()
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="an-", dir="/tmp") as name,  # sockets: 107 bytes
            Receiver().running() as receiver,
        ):
            with private_engine() as engine:
                running = 0
                for scale in SCALES:
                    fill(engine, reports, range(running, scale))
                    running = scale
                    lines.append(_row(engine, receiver, scale, Path(name)))
            lines.append(_faked_row(receiver, Path(name)))
    finally:
        os.sched_setaffinity(0, mine)
    return lines


def main() -> None:
    """Measure and print."""
    print("\n".join(rows()))


if __name__ == "__main__":
    main()
