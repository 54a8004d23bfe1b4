"""Much at once, from whoever: nobody else waits a tenth of a second, and memory has its bounds."""

import contextlib
import gzip
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archnest.app import HELD_BYTES, HELD_OF_REPORTS_BYTES
from tests.factories import AGENT_TOKEN, container
from tests.faults.suffering import Server

LASTS_S = 1.5
LONGEST_MS = 100
CHUNKS = b"1\r\nx\r\n" * 10_000
LURE = b"x\r\ncontent-length: 999999999\r\n\r\na"
"""Looks like the head of a request that says how long it is."""
LURES = (b"%x\r\n%b\r\n" % (len(LURE), LURE) + b"1\r\nx\r\n" * 1_300) * 8
GETS = b"GET /api/hosts HTTP/1.1\r\nHost: nest\r\n\r\n" * 2_000


class Ticking(Server):
    """A server that notes how long its event loop was busy with one thing."""

    @property
    def late(self) -> Path:
        return self.data_dir.with_name("late")

    def program(self) -> list[str]:
        """With a clock in its loop."""
        return [sys.executable, "-m", "tests.faults.ticking", str(self.late)]

    def most_mb(self) -> int:
        """The most memory it had since the last look."""
        assert self.process is not None
        folder = Path(f"/proc/{self.process.pid}")
        found = re.search(r"VmHWM:\s+(\d+) kB", (folder / "status").read_text())
        assert found
        (folder / "clear_refs").write_text("5")
        return int(found[1]) // 1024

    @contextlib.contextmanager
    def serving_others(self) -> Iterator[None]:
        """What happens meanwhile must keep nobody waiting."""
        self.late.write_text("")
        yield
        assert self.ask("GET", "/healthz") is not None
        *_, second, longest = sorted([0, 0, *map(int, self.late.read_text().split())])
        # One outlier may be the machine's own.
        assert second < LONGEST_MS
        assert longest < 3 * LONGEST_MS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ticking]:
    """One server for all floods, which must have said nothing of a failure at the end."""
    site = Ticking(tmp_path_factory.mktemp("floods"))
    site.add_admin()
    site.start()
    assert site.token
    yield site
    site.stop()
    assert "Traceback" not in site.output
    assert " failed" not in site.output


def flood(site: Ticking, connections: int, head: bytes, rest: bytes) -> None:
    """Send the head once and the rest without end, anew whenever the server closes."""
    until = time.monotonic() + LASTS_S

    def send() -> None:
        while time.monotonic() < until:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", site.port), timeout=LASTS_S) as one,
            ):
                one.sendall(head)
                while time.monotonic() < until:
                    one.sendall(rest)

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def head(path: str, token: str = "wrong", *headers: str, method: str = "POST") -> bytes:
    """The head of a request with a body in JSON."""
    lines = [f"{method} {path} HTTP/1.1", "Host: nest", f"Authorization: Bearer {token}"]
    return "\r\n".join([*lines, "Content-Type: application/json", *headers, "", ""]).encode()


def chunked(path: str, token: str = "wrong", method: str = "POST") -> bytes:
    return head(path, token, "Transfer-Encoding: chunked", method=method)


def upgrade(site: Ticking) -> bytes:
    """Opens a WebSocket as the page itself would."""
    return (
        f"GET /api/exec HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nOrigin: {site.url}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def frames(first: int, data: bytes) -> bytes:
    """Many frames of a client."""
    return (bytes([first, 0x80 | len(data)]) + bytes(4) + data) * 40_000


REPORT = "/api/agents/docker/report"
FLOODS: dict[str, tuple[int, Callable[[Ticking], bytes], bytes]] = {
    "a report in chunks of one byte": (8, lambda site: chunked(REPORT, AGENT_TOKEN), CHUNKS),
    "the same with a wrong token": (8, lambda site: chunked(REPORT), CHUNKS),
    "a sign-in in such chunks": (20, lambda site: chunked("/api/auth/login"), CHUNKS),
    "a body that nobody wants": (20, lambda site: chunked("/healthz", method="GET"), CHUNKS),
    "chunks that look like heads": (6, lambda site: chunked("/nowhere"), LURES),
    "requests without waiting for answers": (20, lambda site: b"", GETS),
    "no HTTP": (20, lambda site: b"", b"a" * 250_000),
    "messages of one byte": (20, upgrade, frames(0x81, b"x")),
    "pings": (20, upgrade, frames(0x89, b"")),
}


@pytest.mark.parametrize(("connections", "opening", "rest"), FLOODS.values(), ids=FLOODS)
def test_a_flood_keeps_nobody_waiting(
    site: Ticking, connections: int, opening: Callable[[Ticking], bytes], rest: bytes
) -> None:
    with site.serving_others():
        flood(site, connections, opening(site), rest)


MIB = 1024 * 1024
FILLER = b'{"hostId":"a","containers":[],"x":"' + b"a" * (8 * MIB - 100) + b'"}'


def answers(connections: list[socket.socket]) -> list[int]:
    """The status that each connection got; 0 for one that was closed."""
    statuses = []
    for one in connections:
        received = b""
        with contextlib.suppress(OSError), one:
            received = one.recv(4096)
        statuses.append(int(received.split()[1]) if received else 0)
    return statuses


def opened(site: Ticking, number: int, sent: bytes) -> list[socket.socket]:
    """So many connections on which this was sent."""
    connections = []
    for _ in range(number):
        one = socket.create_connection(("127.0.0.1", site.port), timeout=30)
        connections.append(one)
        with contextlib.suppress(ConnectionError):  # refused before it was all sent
            one.sendall(sent)
    return connections


@pytest.mark.parametrize(
    ("path", "token", "size", "number", "bound"),
    [
        (REPORT, AGENT_TOKEN, 8 * MIB, 60, HELD_OF_REPORTS_BYTES),
        ("/api/auth/login", "none", 65_536, 1200, HELD_BYTES),
    ],
    ids=["reports", "sign-ins"],
)
def test_bodies_that_never_end_fill_no_memory_and_let_others_pass(
    site: Ticking, path: str, token: str, size: int, number: int, bound: int
) -> None:
    site.most_mb()
    before_mb = site.most_mb()
    half = head(path, token, f"Content-Length: {size}") + b"x" * (size - 1)
    with site.serving_others():
        connections = opened(site, number, half)
        assert number * size > 1.5 * bound
        assert site.most_mb() - before_mb < bound / MIB + 60
        assert site.try_push("honest") == 200
    given_up = [one for one in connections if not _is_silent(one)]
    assert set(answers(given_up)) <= {503, 0}
    assert number / 4 < len(given_up) < number
    for one in connections:
        one.close()


def _is_silent(one: socket.socket) -> bool:
    one.settimeout(0.001)
    try:
        one.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    except OSError:
        pass
    return False


def test_packed_reports_at_once_fill_no_memory_and_keep_nobody_waiting(site: Ticking) -> None:
    site.most_mb()
    before_mb = site.most_mb()
    packed = gzip.compress(FILLER, 9)
    assert len(packed) < 10_000
    whole = head(REPORT, AGENT_TOKEN, f"Content-Length: {len(packed)}", "Content-Encoding: gzip")
    with site.serving_others():
        connections = opened(site, 100, whole + packed[:-1])
        for one in connections:
            one.sendall(packed[-1:])
        assert set(answers(connections)) == {200}
        assert site.most_mb() - before_mb < 100


def test_answers_that_nobody_reads_fill_no_memory_and_keep_nobody_waiting(site: Ticking) -> None:
    shown = [container(f"c-{number}", labels={"a": "x" * 4_000}) for number in range(500)]
    for number in range(4):
        site.push(f"long-{number}", *shown)
    asking = head("/api/containers", site.token, "Accept-Encoding: identity", method="GET")
    site.most_mb()
    before_mb = site.most_mb()
    with site.serving_others():
        connections = opened(site, 60, asking)
        lengths = [int(_length_told(one)) for one in connections]
        for one in connections[::2]:
            one.close()
        assert site.try_push("honest") == 200
        assert sum(lengths) > 400 * MIB
        assert site.most_mb() - before_mb < 60
    for one in connections:
        one.close()


def _length_told(one: socket.socket) -> bytes:
    """Of the answer that comes, of which no more is read."""
    found = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", one.recv(1_000))
    assert found
    return found[1]
