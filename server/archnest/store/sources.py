"""The engines that the server asks itself."""

import sqlite3
from dataclasses import dataclass

from archnest.errors import Conflict, NotFound
from archnest.store.database import Database


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One row; files are paths, and the host key is a line of OpenSSH's form."""

    host_id: str
    kind: str
    address: str
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    host_key: str | None
    created_at: str
    linked: bool = False
    """Whether an agent reports the same host."""


async def all_sources(db: Database) -> list[SourceRecord]:
    """Every source by hostId."""
    rows = await db.read(
        """
        SELECT host_id, kind, address, ca_file, cert_file, key_file, host_key, created_at, linked
          FROM sources
         ORDER BY host_id
        """
    )
    return [SourceRecord(**{**dict(row), "linked": bool(row["linked"])}) for row in rows]


async def insert_source(db: Database, record: SourceRecord) -> None:
    """Add a source; raises Conflict when the host has one."""

    def work(connection: sqlite3.Connection) -> None:
        cursor = connection.execute(
            """
            INSERT INTO sources (host_id, kind, address, ca_file, cert_file, key_file, host_key,
                                 created_at, linked)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (host_id) DO NOTHING
            """,
            (record.host_id, record.kind, *_how(record), record.created_at, record.linked),
        )
        if cursor.rowcount != 1:
            raise Conflict("this host has a source already")

    await db.write(work)


async def update_source(db: Database, record: SourceRecord) -> None:
    """Change how a source is reached; raises NotFound."""

    def work(connection: sqlite3.Connection) -> None:
        cursor = connection.execute(
            """
            UPDATE sources
               SET address = ?, ca_file = ?, cert_file = ?, key_file = ?, host_key = ?
             WHERE host_id = ?
            """,
            (*_how(record), record.host_id),
        )
        if cursor.rowcount != 1:
            raise NotFound("no source has this host id")

    await db.write(work)


async def delete_source(db: Database, host_id: str) -> None:
    """Remove a source; raises NotFound."""

    def work(connection: sqlite3.Connection) -> None:
        cursor = connection.execute("DELETE FROM sources WHERE host_id = ?", (host_id,))
        if cursor.rowcount != 1:
            raise NotFound("no source has this host id")

    await db.write(work)


def _how(record: SourceRecord) -> tuple[str | None, ...]:
    return record.address, record.ca_file, record.cert_file, record.key_file, record.host_key
