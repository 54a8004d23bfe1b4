"""The server's start, as whoever starts it sees it."""

import urllib.request
from pathlib import Path

from tests.running import PATIENCE_S, Running


def test_the_port_that_the_system_chose_is_printed(tmp_path: Path) -> None:
    listen = {"ARCHNEST_LISTEN": "127.0.0.1:0"}
    running = Running("archnest", tmp_path, listen, arguments=["serve"])
    try:
        address = running.prints(r"is at (http://127\.0\.0\.1:\d+/)\n")[1]
        running.prints(f"Make the first admin at {address}#/setup")
        with urllib.request.urlopen(f"{address}healthz", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
    finally:
        running.process.terminate()
        running.ends()
