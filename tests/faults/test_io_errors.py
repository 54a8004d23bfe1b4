"""Errors of the disk: nothing acknowledged is lost, and service resumes by itself."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.test_storage import PATIENCE_S, Server, stored
from tests.running import until


@contextlib.contextmanager
def failing(server: Server, call: str, error: str) -> Iterator[None]:
    """Let a system call on the database's files fail for as long as this lasts."""
    assert server.process is not None
    pid = server.process.pid
    files = [f"-P{server.database}{end}" for end in ("", "-wal")]
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
    tmp_path: Path, call: str, error: str
) -> None:
    server = Server(tmp_path)
    server.add_admin()
    server.start()
    try:
        assert server.try_push("kept") == 200
        assert server.token
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
    finally:
        server.stop()
    complaints = server.complaints()
    assert "Traceback" not in server.output
    if call != "pread64":
        assert ["refuses writes" in line for line in complaints] == [True, False]
        assert "takes writes again; 3 were refused" in complaints[1]
