"""Plain numbered SQL files, applied in order, each once and as a whole.

Runs synchronously before the server serves. The number of the last file
applied is SQLite's `user_version`; each file runs inside one explicit
transaction with it, because Python's default isolation and `executescript`
commit on their own and leave a killed migration half done.
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archnest.errors import StartRefused
from archnest.store.backup import backup
from archnest.store.database import PAGE_BYTES

KEPT_COPIES = 3


@dataclass(frozen=True)
class Migration:
    """One file of migrations/: its number, name and statements."""

    number: int
    name: str
    sql: str


def migrations(folder: Path) -> list[Migration]:
    """Every migration by number; raises StartRefused when numbers are not 1, 2, 3 …"""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.match(r"([0-9]{4})_[a-z0-9_]+\.sql\Z", path.name)
        if match is None:
            raise StartRefused(f"{path} is not named like 0001_what_it_does.sql")
        found.append(Migration(int(match[1]), path.name, path.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise StartRefused(f"the migrations in {folder} are not numbered without gaps from 1")
    return found


def migrate(database: Path, folder: Path) -> list[str]:
    """Bring the database to the newest version, making it if it is missing.

    Returns the names of the files applied. Raises StartRefused when the
    database is newer than this program, damaged or cannot be written.
    """
    known = migrations(folder)
    try:
        with _connection(database) as connection:
            return _apply(connection, known, database)
    except sqlite3.Error as error:
        raise StartRefused(
            f"the database {database} cannot be used: {error}; if it is damaged, put a backup in"
            " its place with `archnest restore FILE`"
        ) from None


def statements(sql: str) -> Iterator[str]:
    """The statements of a script one by one, so that none commits by itself."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending


@contextlib.contextmanager
def _connection(database: Path) -> Iterator[sqlite3.Connection]:
    # SQLite makes new files 0644; the folder's lock holder makes them 0600.
    if not database.exists():
        os.close(os.open(database, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    connection = sqlite3.connect(database, isolation_level=None, timeout=5)
    try:
        # Of a new file alone. A report of 20 containers is 45 KB: in SQLite's own 4 KB pages
        # storing it takes half as long again.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        yield connection
    finally:
        connection.close()


def _apply(connection: sqlite3.Connection, known: list[Migration], database: Path) -> list[str]:
    (current,) = connection.execute("PRAGMA user_version").fetchone()
    if current > len(known):
        raise StartRefused(
            f"the database {database} was written by a newer archnest (version {current},"
            f" this program knows {len(known)}); upgrade archnest"
        )
    if 0 < current < len(known):
        _keep_copy(database, current)
    applied = []
    for migration in known[current:]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements(migration.sql):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {migration.number:d}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        applied.append(migration.name)
    return applied


def _keep_copy(database: Path, version: int) -> None:
    """Copy the database as it is before it is changed; the last KEPT_COPIES stay.

    Raises StartRefused when it cannot be copied: then nothing is changed.
    """
    copy = database.with_name(f"{database.stem}-before-{version + 1:04}.db")
    copy.unlink(missing_ok=True)
    # Of a start that was killed; the folder's lock is held, so nobody writes them.
    for part in database.parent.glob(f".{database.stem}*.part*"):
        part.unlink()
    backup(database, copy)
    copies = sorted(database.parent.glob(f"{database.stem}-before-[0-9][0-9][0-9][0-9].db"))
    for old in copies[:-KEPT_COPIES]:
        old.unlink()
