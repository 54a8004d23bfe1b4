"""A backup is whole, private and never in the place of anything else."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from archnest.config import Config
from archnest.errors import StartRefused
from archnest.store.backup import backup
from archnest.store.database import DATABASE_NAME, Database
from archnest.store.users import insert_user


@pytest.fixture
def database(config: Config) -> Path:
    return config.data_dir / DATABASE_NAME


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where to, in a folder with nothing else in it."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "archnest.db"


@pytest.fixture(autouse=True)
def _event_loop_never_blocked() -> None:
    """`archnest backup` runs beside no event loop of its own."""


def names(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT username FROM users ORDER BY id")]
    finally:
        connection.close()


async def test_holds_what_the_running_server_has_committed(database: Path, target: Path) -> None:
    async with Database.open(database) as live:
        await insert_user(live, "ada", "admin", "hash", 1.0)
        backup(database, target)
        await insert_user(live, "mel", "member", "hash", 2.0)
    assert names(target) == ["ada"]
    assert names(database) == ["ada", "mel"]


async def test_leaves_out_what_is_not_committed(database: Path, target: Path) -> None:
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO users VALUES (1, 'ada', 'admin', 'hash', 'now', NULL)")
    backup(database, target)
    writer.close()
    assert names(target) == []


def test_works_while_no_server_runs(database: Path, target: Path) -> None:
    assert not database.with_name(DATABASE_NAME + "-shm").exists()
    backup(database, target)
    assert names(target) == []


async def test_holds_what_only_the_log_of_a_killed_server_holds(
    database: Path, target: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed" / DATABASE_NAME
    killed.parent.mkdir()
    async with Database.open(database) as live:
        await insert_user(live, "ada", "admin", "hash", 1.0)
        for suffix in ("", "-wal"):
            path = killed.with_name(DATABASE_NAME + suffix)
            path.write_bytes(database.with_name(path.name).read_bytes())
    backup(killed, target)
    assert names(target) == ["ada"]


def test_is_private_and_leaves_nothing_beside_it(database: Path, target: Path) -> None:
    umask = os.umask(0)
    try:
        backup(database, target)
    finally:
        os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["archnest.db"]


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_overwrites_nothing(database: Path, target: Path, kind: str) -> None:
    if kind == "file":
        target.write_text("precious")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(target.parent / "nothing")
    with pytest.raises(StartRefused, match="never overwrites"):
        backup(database, target)
    assert [path.name for path in target.parent.iterdir()] == ["archnest.db"]
    assert kind != "file" or target.read_text() == "precious"


def test_touches_no_file_of_a_similar_name(database: Path, target: Path) -> None:
    precious = target.with_name("archnest.db.part")
    precious.write_text("precious")
    backup(database, target)
    assert precious.read_text() == "precious"


class TestWithoutHardLinks:
    @pytest.fixture(autouse=True)
    def _no_links(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def link(source: Path, target: Path) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(source))

        monkeypatch.setattr(os, "link", link)

    def test_it_is_whole_all_the_same(self, database: Path, target: Path) -> None:
        backup(database, target)
        assert names(target) == []
        assert [path.name for path in target.parent.iterdir()] == ["archnest.db"]

    def test_it_overwrites_nothing_either(
        self, database: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Path, "exists", lambda path: False)
        target.write_text("made a moment ago")
        with pytest.raises(StartRefused, match="never overwrites"):
            backup(database, target)
        assert target.read_text() == "made a moment ago"


def test_of_a_damaged_database_is_refused(database: Path, target: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    database.write_bytes(content)
    with pytest.raises(StartRefused, match=DATABASE_NAME):
        backup(database, target)
    assert list(target.parent.iterdir()) == []


def test_of_nothing_or_into_nowhere_is_refused(database: Path, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="there is no database"):
        backup(tmp_path / "nothing.db", tmp_path / "copy.db")
    with pytest.raises(StartRefused, match="cannot write into"):
        backup(database, tmp_path / "nowhere" / "copy.db")
