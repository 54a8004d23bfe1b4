"""Access tokens; the row is deleted when the token is revoked."""

import sqlite3
from dataclasses import dataclass

from archnest.errors import Conflict
from archnest.model.account import Role
from archnest.store.database import Database, Then
from archnest.timestamps import rfc3339, unix_seconds

MAX_PER_USER = 100


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token with the account it stands for; times are unix seconds."""

    id: str
    user_id: int
    username: str
    name: str
    role: Role
    token_hash: str
    created_at: float
    expires_at: float
    last_used_at: float | None = None
    last_address: str | None = None


async def all_tokens(db: Database) -> list[TokenRow]:
    """Every token, the oldest first."""
    rows = await db.read(
        """
        SELECT t.id, t.user_id, u.username, t.name, t.role, t.token_hash, t.created_at,
               t.expires_at, t.last_used_at, t.last_address
          FROM access_tokens AS t JOIN users AS u ON u.id = t.user_id
         ORDER BY t.created_at, t.id
        """
    )
    return [_token(row) for row in rows]


async def insert_token(db: Database, token: TokenRow, password_hash: str, then: Then[bool]) -> bool:
    """Store a new token; raises Conflict when the account has MAX_PER_USER.

    Does nothing and gives False when the account's password is no longer what
    was checked, its role is below the token's, or the account is gone.
    """

    def work(connection: sqlite3.Connection) -> bool:
        cursor = connection.execute(
            "SELECT count(*) FROM access_tokens WHERE user_id = ?", (token.user_id,)
        )
        row = cursor.fetchone()
        cursor.close()
        if row and row[0] >= MAX_PER_USER:
            raise Conflict(f"one account may have {MAX_PER_USER} access tokens: revoke one first")
        cursor = connection.execute(
            """
            INSERT INTO access_tokens (id, user_id, name, role, token_hash, created_at, expires_at)
            SELECT ?, id, ?, ?, ?, ?, ?
              FROM users WHERE id = ? AND password_hash = ? AND role IN ('admin', ?)
            """,
            (
                token.id,
                token.name,
                token.role,
                token.token_hash,
                rfc3339(token.created_at),
                rfc3339(token.expires_at),
                token.user_id,
                password_hash,
                token.role,
            ),
        )
        return cursor.rowcount == 1

    return await db.write(work, then=then)


async def delete_token(db: Database, token_id: str, then: Then[None]) -> None:
    """Revoke a token."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM access_tokens WHERE id = ?", (token_id,))

    await db.write(work, then=then)


async def delete_expired_before(db: Database, moment: float) -> None:
    """Delete tokens that expired before this moment."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM access_tokens WHERE expires_at < ?", (rfc3339(moment),))

    await db.write(work)


def _token(row: sqlite3.Row) -> TokenRow:
    used_at = row["last_used_at"]
    return TokenRow(
        row["id"],
        row["user_id"],
        row["username"],
        row["name"],
        row["role"],
        row["token_hash"],
        unix_seconds(row["created_at"]),
        unix_seconds(row["expires_at"]),
        unix_seconds(used_at) if used_at is not None else None,
        row["last_address"],
    )
