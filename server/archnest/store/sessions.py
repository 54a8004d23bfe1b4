"""Sessions; the row is deleted when the session ends."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from archnest.model.account import Role
from archnest.store.database import Database, Then
from archnest.timestamps import rfc3339, unix_seconds


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in with the account it belongs to; times are unix seconds."""

    id: str
    user_id: int
    username: str
    role: Role
    created_at: float
    expires_at: float


async def all_sessions(db: Database) -> list[Session]:
    """Every session."""
    rows = await db.read(
        """
        SELECT sessions.id, user_id, username, role, sessions.created_at, expires_at
          FROM sessions JOIN users ON users.id = sessions.user_id
        """
    )
    return [
        Session(
            row["id"],
            row["user_id"],
            row["username"],
            row["role"],
            unix_seconds(row["created_at"]),
            unix_seconds(row["expires_at"]),
        )
        for row in rows
    ]


async def save_session(
    db: Database,
    session: Session,
    password_hash: str,
    ended: Sequence[str],
    then: Then[bool],
) -> bool:
    """Store a new session, note the sign-in and delete those it ends.

    Does nothing and gives False when the account's role or password is no
    longer what was checked, or the account is gone.
    """

    def work(connection: sqlite3.Connection) -> bool:
        cursor = connection.execute(
            """
            INSERT INTO sessions (id, user_id, created_at, expires_at)
            SELECT ?, id, ?, ? FROM users WHERE id = ? AND role = ? AND password_hash = ?
            """,
            (
                session.id,
                rfc3339(session.created_at),
                rfc3339(session.expires_at),
                session.user_id,
                session.role,
                password_hash,
            ),
        )
        if cursor.rowcount != 1:
            return False
        _delete(connection, ended)
        connection.execute(
            "UPDATE users SET last_login_at = ? WHERE id = ?",
            (rfc3339(session.created_at), session.user_id),
        )
        return True

    return await db.write(work, then=then)


async def extend_session(db: Database, session_id: str, expires_at: float) -> None:
    """Let a session end later."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE sessions SET expires_at = ? WHERE id = ?", (rfc3339(expires_at), session_id)
        )

    await db.write(work)


async def delete_sessions(db: Database, session_ids: Sequence[str], then: Then[None]) -> None:
    """End sessions."""

    def work(connection: sqlite3.Connection) -> None:
        _delete(connection, session_ids)

    await db.write(work, then=then)


async def delete_expired(db: Database, now: float) -> None:
    """Delete sessions that ended by their age."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM sessions WHERE expires_at <= ?", (rfc3339(now),))

    await db.write(work)


def _delete(connection: sqlite3.Connection, session_ids: Sequence[str]) -> None:
    connection.executemany(
        "DELETE FROM sessions WHERE id = ?", [(session_id,) for session_id in session_ids]
    )
