"""Errors of the disk: nothing acknowledged is lost, and service resumes by itself."""

import contextlib
import signal
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from archnest.store.database import MIN_LOG_BYTES
from tests.faults.suffering import PATIENCE_S, Server, stored
from tests.running import until


@contextlib.contextmanager
def failing(
    server: Server, call: str, error: str, ends: tuple[str, ...] = ("", "-wal")
) -> Iterator[None]:
    """Let a system call on the database's files fail for as long as this lasts."""
    assert server.process is not None
    pid = server.process.pid
    files = [f"-P{server.database}{end}" for end in ends]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *files, "-p", str(pid)]
    tracer = subprocess.Popen([*command, "-e", f"inject={call}:error={error}"])
    try:
        until(lambda: is_traced(pid), "strace")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(PATIENCE_S)
        assert not is_traced(pid)


def is_traced(pid: int) -> bool:
    """Whether every thread of a process is."""
    statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return all("TracerPid:\t0\n" not in status for status in statuses)


@pytest.mark.parametrize(
    ("call", "error"),
    [("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EIO"), ("pread64", "EIO")],
)
def test_a_disk_that_fails_loses_no_acknowledged_report(
    server: Server, call: str, error: str
) -> None:
    with failing(server, call, error):
        statuses = {f"h{number}": server.try_push(f"h{number}") for number in range(3)}
        acknowledged = {name for name, status in statuses.items() if status == 200}
        assert set(statuses.values()) <= {200, 503}
        # A read error is seen only where something has to be read.
        assert call == "pread64" or not acknowledged
        assert server.hosts() == {"kept"} | acknowledged
    server.until_pushed("after")
    assert server.hosts() == {"kept", "after"} | acknowledged
    assert server.process is not None
    server.process.kill()
    server.process.wait(PATIENCE_S)
    assert {"kept", "after"} | acknowledged <= stored(server.database)
    complaints = server.complaints()
    assert "Traceback" not in server.output
    if call != "pread64":
        assert ["refuses writes" in line for line in complaints] == [True, False]
        assert "takes writes again; 3 were refused" in complaints[1]


def test_reads_that_fail_are_told_and_work_again(server: Server) -> None:
    with failing(server, "pread64", "EIO"):
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError, match="503"):
                server.ask("GET", "/api/users")
        assert server.hosts() == {"kept"}
    assert len(server.ask("GET", "/api/users")["users"]) == 1
    told = [line for line in server.complaints() if "read" in line]
    assert "cannot be read" in told[0]
    assert "can be read again; 2 reads failed" in told[1]
    assert len(told) == 2
    assert "Traceback" not in server.output


def test_a_log_that_cannot_be_folded_into_the_database_is_told(server: Server) -> None:
    # The log grows meanwhile, and nothing else would show it until the disk is full.
    def push_much() -> None:
        text = "x" * 30_000
        for number in range(MIN_LOG_BYTES // len(text) + 1):
            assert server.try_push(f"h{number % 10}", command=text) == 200

    with failing(server, "pwrite64", "EIO", ends=("",)):
        push_much()
    push_much()
    assert server.process is not None
    server.process.kill()
    server.process.wait(PATIENCE_S)
    assert stored(server.database) == {"kept"} | {f"h{number}" for number in range(10)}
    begins, over = server.complaints()
    assert "file cannot be written: disk I/O error" in begins
    assert "can be written again" in over
