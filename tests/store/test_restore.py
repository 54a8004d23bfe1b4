"""A restore is checked, whole, and loses nothing of what was there."""

import sqlite3
import subprocess
from pathlib import Path

import pytest

from archnest.assets import asset_dir
from archnest.config import Config
from archnest.errors import StartRefused
from archnest.store.backup import backup, restore
from archnest.store.database import DATABASE_NAME
from archnest.store.lock import DataFolderLock
from archnest.store.migrate import KEPT_COPIES, migrate, migrations
from tests.store.test_backup import names
from tests.web.site import ARCHNEST

NEWEST = len(migrations(asset_dir("migrations")))


@pytest.fixture(autouse=True)
def _event_loop_never_blocked() -> None:
    """`archnest restore` runs beside no event loop of its own."""


@pytest.fixture
def database(config: Config) -> Path:
    return config.data_dir / DATABASE_NAME


def add(database: Path, name: str) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute(
        "INSERT INTO users (username, role, password_hash, created_at) VALUES (?, 'admin', '', '')",
        (name,),
    )
    connection.close()


def test_what_was_copied_is_back_and_what_was_there_is_kept(database: Path, tmp_path: Path) -> None:
    add(database, "ada")
    backup(database, tmp_path / "copy.db")
    add(database, "mel")
    kept = restore(tmp_path / "copy.db", database, NEWEST)
    assert names(database) == ["ada"]
    assert kept is not None
    assert names(kept) == ["ada", "mel"]
    assert {path.stat().st_mode & 0o777 for path in (database, kept)} == {0o600}


def test_what_is_only_in_the_log_is_kept_and_never_reaches_the_restored_one(
    database: Path, tmp_path: Path
) -> None:
    add(database, "ada")
    backup(database, tmp_path / "copy.db")
    # Killed, so that the log stays: what it holds belongs to the old database.
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        ' c.execute("INSERT INTO users (username, role, password_hash, created_at)'
        " VALUES ('mel', 'admin', '', '')\"); os.kill(os.getpid(), 9)"
    )
    subprocess.run([str(Path(ARCHNEST).with_name("python")), "-c", script, str(database)])
    assert database.with_name(f"{database.name}-wal").stat().st_size > 0
    kept = restore(tmp_path / "copy.db", database, NEWEST)
    assert names(database) == ["ada"]
    assert kept is not None
    assert names(kept) == ["ada", "mel"]


def test_two_within_a_second_keep_both_that_were_there(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda *_: "20260620-193000")
    backup(database, tmp_path / "copy.db")
    kept = []
    for name in ("ada", "mel", "eve"):
        add(database, name)
        kept.append(restore(tmp_path / "copy.db", database, NEWEST))
    assert [names(one) for one in kept if one] == [["ada"], ["mel"], ["eve"]]


@pytest.mark.parametrize("how", ["missing", "text", "cut", "foreign", "newer", "itself"])
def test_what_is_no_backup_is_refused_and_changes_nothing(
    database: Path, tmp_path: Path, how: str
) -> None:
    add(database, "ada")
    copy = tmp_path / "copy.db"
    if how == "text":
        copy.write_text("not a database")
    elif how == "foreign":
        sqlite3.connect(copy).execute("CREATE TABLE other (x)").connection.close()
    elif how == "itself":
        copy = database
    elif how != "missing":
        backup(database, copy)
        if how == "cut":
            copy.write_bytes(copy.read_bytes()[:8192])
        else:
            connection = sqlite3.connect(copy)
            connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
            connection.close()
    before = sorted(path.name for path in database.parent.glob("*[!lm]"))  # not -wal, -shm
    with pytest.raises(StartRefused):
        restore(copy, database, NEWEST)
    assert names(database) == ["ada"]
    assert sorted(path.name for path in database.parent.glob("*[!lm]")) == before


def test_the_command_restores_and_refuses_while_the_folder_is_in_use(
    database: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    backup(database, copy)
    command = [ARCHNEST, "restore", str(copy), "--data-dir", str(database.parent)]
    with DataFolderLock(database.parent):
        done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "another archnest already uses" in done.stderr
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"restored {copy}\nwhat was there is kept as ")


def test_a_copy_is_kept_before_each_change_of_form(tmp_path: Path) -> None:
    folder, database = tmp_path / "migrations", tmp_path / "archnest.db"
    folder.mkdir()
    for number in range(1, KEPT_COPIES + 4):
        (folder / f"{number:04}_more.sql").write_text(f"CREATE TABLE t{number} (x);\n")
        migrate(database, folder)
    copies = sorted(path.name for path in tmp_path.glob("archnest-before-*.db"))
    last = KEPT_COPIES + 3
    assert copies == [f"archnest-before-{n:04}.db" for n in range(last - 2, last + 1)]
    connection = sqlite3.connect(tmp_path / copies[-1])
    assert connection.execute("PRAGMA user_version").fetchone() == (last - 1,)
    connection.close()
