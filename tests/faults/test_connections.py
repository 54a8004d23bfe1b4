"""More connections than a shell allows by default."""

import contextlib
import socket
import subprocess
from pathlib import Path

from tests.ports import free_port, wait_until_listening
from tests.web.site import ARCHNEST

SHELLS_LIMIT = 100
CONNECTIONS = 300


def test_the_server_takes_the_open_files_that_the_system_grants(tmp_path: Path) -> None:
    port = free_port()
    serve = f"{ARCHNEST} serve --listen 127.0.0.1:{port} --data-dir {tmp_path}"
    server = subprocess.Popen(["sh", "-c", f"ulimit -Sn {SHELLS_LIMIT}; exec {serve}"])
    try:
        wait_until_listening(port)
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            last = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            last.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert last.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        server.terminate()
        server.wait(10)
