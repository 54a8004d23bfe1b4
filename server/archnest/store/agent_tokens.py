"""Agents' tokens, each for one host; a revoked one stays for a while."""

import sqlite3
from dataclasses import dataclass

from archnest.store.database import Database, Then
from archnest.timestamps import rfc3339, unix_seconds


@dataclass(frozen=True, slots=True)
class AgentTokenRow:
    """One token with the host it reports for; times are unix seconds."""

    id: str
    host_id: str
    token_hash: str
    created_at: float
    revoked_at: float | None = None
    last_used_at: float | None = None
    last_address: str | None = None


async def all_agent_tokens(db: Database) -> list[AgentTokenRow]:
    """Every token, the oldest first."""
    rows = await db.read(
        """
        SELECT id, host_id, token_hash, created_at, revoked_at, last_used_at, last_address
          FROM agent_tokens ORDER BY created_at, id
        """
    )
    return [_token(row) for row in rows]


async def insert_agent_token(db: Database, token: AgentTokenRow, then: Then[None]) -> None:
    """Store a new token."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO agent_tokens (id, host_id, token_hash, created_at) VALUES (?, ?, ?, ?)",
            (token.id, token.host_id, token.token_hash, rfc3339(token.created_at)),
        )

    await db.write(work, then=then)


async def note_revoked(db: Database, token_ids: list[str], at: float, then: Then[None]) -> None:
    """Revoke these tokens as of unix seconds `at`."""

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "UPDATE agent_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
            [(rfc3339(at), token_id) for token_id in token_ids],
        )

    await db.write(work, then=then)


async def delete_revoked_before(db: Database, moment: float) -> None:
    """Delete tokens that were revoked before this moment."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM agent_tokens WHERE revoked_at < ?", (rfc3339(moment),))

    await db.write(work)


def _token(row: sqlite3.Row) -> AgentTokenRow:
    return AgentTokenRow(
        row["id"],
        row["host_id"],
        row["token_hash"],
        unix_seconds(row["created_at"]),
        _seconds_or_none(row["revoked_at"]),
        _seconds_or_none(row["last_used_at"]),
        row["last_address"],
    )


def _seconds_or_none(text: str | None) -> float | None:
    return unix_seconds(text) if text is not None else None
