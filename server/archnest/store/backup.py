"""A consistent copy of the live database."""

import os
import sqlite3
import tempfile
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
