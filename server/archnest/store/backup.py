"""A consistent copy of the live database."""

import os
import sqlite3
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
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    # VACUUM INTO makes its file with the process's umask, and needs it empty.
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _copy(database, part)
        _link(part, target)
    except sqlite3.Error as error:
        raise StartRefused(f"the database {database} cannot be copied: {error}") from None
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


def _link(part: Path, target: Path) -> None:
    """Give the finished copy its name, durably and without overwriting."""
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.link(part, target)
    folder = os.open(target.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
