"""Killed at any write, a change of the database's form or its restore leaves it old or new."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archnest.store.migrate import migrate

MIGRATIONS = Path(__file__).parents[2] / "migrations"
NEWEST = len(list(MIGRATIONS.glob("*.sql")))
OLDEST = Path(__file__).parents[1] / "store" / "databases" / "0001.sql"
MIGRATE = """
import sys
from pathlib import Path
from archnest.store.migrate import migrate
migrate(Path(sys.argv[1]), Path(sys.argv[2]))
"""
RESTORE = """
import sys
from pathlib import Path
from archnest.store.backup import restore
restore(Path(sys.argv[2]), Path(sys.argv[1]), 99)
"""
CALLS = [("pwrite64", 3), ("fdatasync", 1), ("fsync", 1), ("ftruncate", 1)]
CALLS += [("unlink", 1), ("link", 1), ("rename", 1)]
"""System calls that change files, and of how many one is tried."""
MOST = 300


def killed(folder: Path, program: str, *arguments: Path) -> Iterator[Path]:
    """The folder after each death of the program, and at last after its success."""
    fresh = folder.with_name("fresh")
    folder.rename(fresh)
    for call, step in CALLS:
        for number in range(1, MOST, step):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(fresh, folder)
            inject = f"inject={call}:signal=SIGKILL:when={number}"
            command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, sys.executable, "-c"]
            done = subprocess.run([*command, program, *map(str, arguments)], timeout=60)
            yield folder
            if done.returncode == 0:
                break
            assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def state(database: Path) -> tuple[int, set[str]]:
    """The version and hosts of a database, which must be sound."""
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    hosts = {row[0] for row in connection.execute("SELECT host_id FROM docker_agent_reports")}
    connection.close()
    return version, hosts


def report(database: Path, host_id: str) -> sqlite3.Connection:
    """Store a host's report; it stands in the write-ahead log until the connection is closed."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "INSERT INTO docker_agent_reports (host_id, report_json) VALUES (?, '[]')", (host_id,)
    )
    connection.commit()
    return connection


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a database of the oldest form."""
    folder = tmp_path / "data"
    folder.mkdir()
    connection = sqlite3.connect(folder / "archnest.db")
    connection.executescript(OLDEST.read_text())
    connection.close()
    return folder


def test_a_migration_that_is_killed_at_a_write_is_taken_up_by_the_next_start(
    data_dir: Path,
) -> None:
    database = data_dir / "archnest.db"
    connection = report(database, "kept")
    _, hosts = state(database)
    assert "kept" in hosts
    deaths = 0
    for folder in killed(data_dir, MIGRATE, database, MIGRATIONS):
        version, found = state(database)
        assert 1 <= version <= NEWEST
        assert found == hosts
        deaths += version < NEWEST
        migrate(database, MIGRATIONS)
        assert state(database) == (NEWEST, hosts)
        copies = {path.name for path in folder.glob("archnest-before-*.db")}
        assert not {path.name for path in folder.glob(".*.part*")}
        assert copies
        assert state(folder / min(copies))[1] == hosts
    connection.close()
    assert deaths > 20


def test_a_restore_that_is_killed_at_a_write_leaves_the_old_or_the_new(data_dir: Path) -> None:
    database = data_dir / "archnest.db"
    copy = data_dir.parent / "copy.db"
    shutil.copyfile(database, copy)
    report(copy, "new").close()
    connection = report(database, "old")
    old, new = state(database), state(copy)
    seen = set()
    for _ in killed(data_dir, RESTORE, database, copy):
        found = state(database)
        assert found in (old, new)
        seen.add("old" in found[1])
    connection.close()
    assert seen == {True, False}
