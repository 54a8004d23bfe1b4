"""Failed sign-ins, so that a restart forgets no attacker."""

import sqlite3
from collections.abc import Mapping, Sequence

from archnest.store.database import Database


async def all_failures(db: Database) -> dict[str, tuple[int, float]]:
    """Failures and the last one's unix seconds by subject, longest ago first."""
    rows = await db.read("SELECT subject, failures, last_at FROM login_failures ORDER BY last_at")
    return {row["subject"]: (row["failures"], row["last_at"]) for row in rows}


async def save_failures(
    db: Database, counts: Mapping[str, tuple[int, float]], forgotten: Sequence[str]
) -> None:
    """Store these counts and delete those subjects."""

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "DELETE FROM login_failures WHERE subject = ?", [(subject,) for subject in forgotten]
        )
        connection.executemany(
            """
            INSERT INTO login_failures (subject, failures, last_at) VALUES (?, ?, ?)
            ON CONFLICT (subject) DO UPDATE
               SET failures = excluded.failures, last_at = excluded.last_at
            """,
            [(subject, failures, last_at) for subject, (failures, last_at) in counts.items()],
        )

    await db.write(work)
