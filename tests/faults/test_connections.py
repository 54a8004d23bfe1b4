"""More connections than a shell allows by default, or than the system allows at all."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.suffering import Server
from tests.ports import free_port, wait_until_listening
from tests.running import until
from tests.web.site import ARCHNEST

SHELLS_LIMIT = 100
CONNECTIONS = 300


@contextlib.contextmanager
def serving(data_dir: Path, limit: str) -> Iterator[tuple[int, Path]]:
    """A server behind `ulimit`: its port, and what it says."""
    port = free_port()
    said = data_dir / "said"
    serve = f"{ARCHNEST} serve --listen 127.0.0.1:{port} --data-dir {data_dir}"
    with said.open("wb") as output:
        command = ["sh", "-c", f"ulimit {limit}; exec {serve}"]
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until_listening(port)
        yield port, said
    finally:
        server.terminate()
        assert server.wait(10) == 0


def is_alive(port: int) -> bool:
    """Whether it answers on a new connection."""
    with (
        # Without a free descriptor the server closes what it cannot take.
        contextlib.suppress(ConnectionResetError),
        socket.create_connection(("127.0.0.1", port), timeout=10) as one,
    ):
        one.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        return one.recv(100).startswith(b"HTTP/1.1 200")
    return False


def test_the_server_takes_the_open_files_that_the_system_grants(tmp_path: Path) -> None:
    with serving(tmp_path, f"-Sn {SHELLS_LIMIT}") as (port, _), contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        assert is_alive(port)


def test_more_connections_than_open_files_are_survived_without_filling_the_log(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, f"-n {SHELLS_LIMIT}") as (port, said):
        with contextlib.ExitStack() as stack:
            kept = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            for _ in range(CONNECTIONS):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            time.sleep(1)
            kept.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert kept.recv(100).startswith(b"HTTP/1.1 200")
        until(lambda: is_alive(port), "answer once there is room")
        assert len(said.read_text().splitlines()) < 20


def test_a_server_that_stood_still_goes_on(server: Server) -> None:
    """As when its machine was suspended."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    waiting = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(3)]
    for one in waiting:
        one.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(3)
    server.process.send_signal(signal.SIGCONT)
    for one in waiting:
        with one:
            assert one.recv(100).startswith(b"HTTP/1.1 200")
    assert server.try_push("after") == 200
    assert server.hosts() == {"kept", "after"}
    assert server.complaints() == []
