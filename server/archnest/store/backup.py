"""A consistent copy of the live database, and its way back."""

import contextlib
import itertools
import os
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from archnest.errors import StartRefused


def backup(database: Path, target: Path) -> None:
    """Copy the database as of now, also while the server writes it.

    The copy is private (0600), checked, and appears under its name only when
    whole. Raises StartRefused, and never overwrites a file.
    """
    if not database.is_file():
        raise StartRefused(f"there is no database at {database}")
    if target.exists():
        raise StartRefused(f"{target} exists already; a backup never overwrites a file")
    # VACUUM INTO makes its file with the process's umask, or fills an empty one.
    folder = target.absolute().parent
    try:
        descriptor, name = tempfile.mkstemp(".part", f".{target.name}.", folder)
    except OSError as error:
        raise StartRefused(f"cannot write into {folder}: {error.strerror}") from None
    os.close(descriptor)
    part = Path(name)
    try:
        _copy(database, part)
        _publish(part, target)
    except sqlite3.Error as error:
        raise StartRefused(f"the database {database} cannot be copied: {error}") from None
    except FileExistsError:
        raise StartRefused(f"{target} exists already; a backup never overwrites a file") from None
    finally:
        part.unlink(missing_ok=True)


def restore(copy: Path, database: Path, newest: int) -> Path | None:
    """Put a checked copy in the database's place; whoever calls holds the folder's lock.

    Gives where the database that was there is kept, or None. `newest` is the
    last migration that this program knows. Raises StartRefused; then nothing
    has changed.
    """
    if not copy.is_file():
        raise StartRefused(f"there is no file {copy}")
    if database.exists() and copy.samefile(database):
        raise StartRefused(f"{copy} is the database itself")
    _check(copy, newest)
    for left in database.parent.glob(f".{database.name}.*.part*"):
        left.unlink()
    descriptor, name = tempfile.mkstemp(".part", f".{database.name}.", database.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        _copy(copy, part)
        kept = _kept(database)
        _fold(database)
        # What stood in the old one's log must not be applied to this one.
        for end in ("-wal", "-shm"):
            database.with_name(database.name + end).unlink(missing_ok=True)
        part.replace(database)
        _sync(database.parent, os.O_RDONLY | os.O_DIRECTORY)
    except sqlite3.Error as error:
        raise StartRefused(f"{copy} cannot be copied: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return kept


def _check(copy: Path, newest: int) -> None:
    """Raise StartRefused unless it is a whole database of this program."""
    connection = sqlite3.connect(copy.absolute().as_uri() + "?mode=ro", uri=True)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("SELECT count(*) FROM docker_agent_reports").fetchone()
    except sqlite3.Error as error:
        raise StartRefused(f"{copy} is not a database of archnest: {error}") from None
    finally:
        connection.close()
    if version > newest:
        raise StartRefused(f"{copy} was written by a newer archnest: upgrade this one first")


def _kept(database: Path) -> Path | None:
    """Keep what stands there, with its log, under another name."""
    if not database.exists():
        return None
    stem = f"{database.stem}-replaced-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    kept = database.with_name(f"{stem}.db")
    # Of two within a second the first one keeps the original, which must not go.
    for number in itertools.count(2):
        if not any(database.parent.glob(f"{kept.name}*")):
            break
        kept = database.with_name(f"{stem}-{number}.db")
    for end in ("-wal", ""):
        one = database.with_name(database.name + end)
        if one.exists():
            shutil.copyfile(one, kept.with_name(kept.name + end))
            kept.with_name(kept.name + end).chmod(0o600)
            _sync(kept.with_name(kept.name + end), os.O_RDONLY)
    return kept


def _fold(database: Path) -> None:
    """Bring its log into the old database, as far as it is sound.

    Else a death between the log's removal and the new one's arrival would
    leave the old one without its last writes.
    """
    if not database.exists():
        return
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(database)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _copy(database: Path, part: Path) -> None:
    source = sqlite3.connect(database.absolute().as_uri() + "?mode=ro", uri=True, timeout=30)
    try:
        source.execute("VACUUM INTO ?", (str(part),))
    finally:
        source.close()
    copy = sqlite3.connect(part.absolute().as_uri() + "?mode=ro", uri=True)
    try:
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    finally:
        copy.close()
    if verdict != "ok":
        raise StartRefused(f"the copy of {database} is damaged: {verdict}")


def _publish(part: Path, target: Path) -> None:
    """Give the finished copy its name, durably and without overwriting."""
    _sync(part, os.O_RDONLY)
    try:
        os.link(part, target)
    except PermissionError:
        # No hard links on this file system (exFAT, many shares): claim the name first.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        part.replace(target)
    _sync(target.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
