"""The record of what people did; only so many of the newest entries are kept."""

import sqlite3

from archnest.model.audit import Act, AuditEntry
from archnest.store.database import Database

MAX_ENTRIES = 50_000


async def insert_entry(
    db: Database, act: Act, at: str, ended_at: str | None, outcome: str, detail: str | None
) -> int:
    """Add an entry and drop what is too old to keep; its id."""

    def work(connection: sqlite3.Connection) -> int:
        cursor = connection.execute(
            """
            INSERT INTO audit (at, ended_at, actor, token, address, action, host_id, target,
                               outcome, detail)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            (
                at,
                ended_at,
                act.actor,
                act.token,
                act.address,
                act.action,
                act.host_id,
                act.target,
                outcome,
                detail,
            ),
        )
        entry_id = cursor.lastrowid or 0
        connection.execute("DELETE FROM audit WHERE id <= ?", (entry_id - MAX_ENTRIES,))
        return entry_id

    return await db.write(work)


async def update_entry(
    db: Database, entry_id: int, ended_at: str | None, outcome: str, detail: str | None
) -> None:
    """Say how an act ended; `ended_at` is None for one whose end is not known."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE audit SET ended_at = ?, outcome = ?, detail = ? WHERE id = ?",
            (ended_at, outcome, detail, entry_id),
        )

    await db.write(work)


async def entries_before(db: Database, before: int | None, limit: int) -> list[AuditEntry]:
    """The newest entries with an id below `before`, the newest first."""
    rows = await db.read(
        """
        SELECT id, at, ended_at, actor, token, address, action, host_id, target, outcome, detail
          FROM audit
         WHERE id < ?
         ORDER BY id DESC
         LIMIT ?
        """,
        (before if before is not None else 2**63 - 1, limit),
    )
    return [AuditEntry(**dict(row)) for row in rows]
