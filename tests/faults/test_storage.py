"""What the disk does to the database: nothing is lost, and service comes back by itself."""

import contextlib
import os
import sqlite3
import subprocess
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.factories import ADMIN, report
from tests.faults.suffering import PATIENCE_S, Server, stored
from tests.web.site import ARCHNEST

TOKENS = "/api/agents/docker/tokens"


def refused_start(data_dir: Path) -> str:
    """The one line with which `serve` ends on this folder."""
    command = [ARCHNEST, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1, done.stdout + done.stderr
    [line] = done.stderr.splitlines()
    return line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_reports_keeps_readers_and_recovers_by_itself(small_disk: Path) -> None:
    server = Server(small_disk)
    server.add_admin()
    server.start()
    try:
        assert server.try_push("before") == 200
        assert server.token  # signing in writes, too
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        long = [{"key": f"K{number}", "value": "v" * 8_000} for number in range(40)]
        answers = [server.try_push(f"h{number}", env=long) for number in range(12)]
        assert answers[-1] == 503
        assert "before" in server.hosts()
        assert server.ask("GET", "/healthz") is not None
        ballast.unlink()
        server.until_pushed("after")
        acknowledged = {f"h{number}" for number, status in enumerate(answers) if status == 200}
        assert {"before", "after"} | acknowledged <= server.hosts()
    finally:
        server.stop()
    assert "disk is full" in server.output
    assert "Traceback" not in server.output
    assert {"before", "after"} | acknowledged <= stored(server.database)


def test_a_locked_database_refuses_reports_and_recovers_by_itself(server: Server) -> None:
    other = sqlite3.connect(server.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert server.try_push("locked") == 503
        assert server.retry_after == "5"
        assert server.hosts() == {"kept"}
    finally:
        other.execute("ROLLBACK")
        other.close()
    server.until_pushed("after")
    assert any("locked" in line for line in server.complaints())
    assert "Traceback" not in server.output


def test_what_is_ended_while_writes_are_refused_is_over_and_stays_so(server: Server) -> None:
    agents = {name: server.ask("POST", TOKENS, {"hostId": name}) for name in ("nas", "old")}
    for name, made in agents.items():
        server.ask("POST", "/api/agents/docker/report", report(name), made["token"])
    new = {"name": "script", "password": ADMIN[1]}
    program = server.ask("POST", "/api/auth/tokens", new)
    credentials = {"username": ADMIN[0], "password": ADMIN[1]}
    session = server.ask("POST", "/api/auth/login", credentials)["token"]
    logout = ("POST", "/api/auth/logout", session)
    ends = [
        ("DELETE", f"{TOKENS}/{agents['nas']['id']}", ""),
        ("DELETE", f"/api/auth/tokens/{program['id']}", ""),
        ("DELETE", "/api/agents/docker/hosts/old", ""),
    ]

    def status(method: str, path: str, token: str, body: Any = None) -> int:
        try:
            server.ask(method, path, body, token)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    def over() -> list[int]:
        pushes = [
            status("POST", "/api/agents/docker/report", made["token"], report(name))
            for name, made in agents.items()
        ]
        return [*pushes, *(status("GET", "/api/auth/me", t) for t in (program["token"], session))]

    with contextlib.closing(sqlite3.connect(server.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor() as pool:
            told = list(pool.map(lambda one: status(*one), [*ends, logout]))
        assert told == [503] * 4
        assert over() == [401] * 4
        assert {one["revokedAt"] for one in server.ask("GET", TOKENS)["tokens"]} == {None}
    assert [status(*one) for one in ends] == [200] * 3
    server.stop()
    server.start()
    assert over() == [401] * 4


def test_a_database_that_is_deleted_while_it_serves_is_told(server: Server) -> None:
    for path in server.data_dir.glob("archnest.db*"):
        path.unlink()
    assert server.try_push("lost") == 503
    assert server.try_push("lost") == 503
    assert server.hosts() == {"kept"}
    [line] = server.complaints()
    assert "deleted or replaced" in line
    assert "Traceback" not in server.output


def test_a_database_that_is_moved_away_and_back_serves_on(server: Server) -> None:
    files = list(server.data_dir.glob("archnest.db*"))
    for path in files:
        path.rename(path.with_name(f"away-{path.name}"))
    assert server.try_push("refused") == 503
    for path in files:
        path.with_name(f"away-{path.name}").rename(path)
    server.until_pushed("after")
    assert server.hosts() == {"kept", "after"}
    assert "takes writes again; 1 were refused" in server.complaints()[-1]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"not a database, but long enough" * 300, "not a database"),
        (lambda data: data[:100] + os.urandom(4000) + data[4100:], "malformed"),
        (lambda data: data[: len(data) // 2], "malformed"),
    ],
    ids=["overwritten", "damaged", "truncated"],
)
def test_a_database_that_is_not_sound_stops_the_start_with_one_line(
    server: Server, damage: Any, words: str
) -> None:
    server.stop()
    sound = server.database.read_bytes()
    server.database.write_bytes(damage(sound))
    line = refused_start(server.data_dir)
    assert words in line
    assert "archnest restore" in line
    server.database.write_bytes(sound)
    server.start()
    assert server.hosts() == {"kept"}


def test_an_empty_file_becomes_a_fresh_database(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.data_dir.mkdir()
    server.database.touch()
    server.start()
    try:
        assert server.setup_link
        assert server.try_push("first") == 200
    finally:
        server.stop()


def test_a_second_server_on_one_folder_ends_with_one_line(server: Server) -> None:
    assert "already uses the data folder" in refused_start(server.data_dir)
    assert server.try_push("still") == 200
