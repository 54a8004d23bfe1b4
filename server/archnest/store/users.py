"""Local accounts. Names differ by more than their case."""

import sqlite3
from dataclasses import dataclass

from archnest.errors import Conflict, NotFound
from archnest.model.account import Account, Role
from archnest.store.database import Database, Then
from archnest.timestamps import rfc3339

HAS_ADMIN = "the first admin has been made: sign in"


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account with what proves its password."""

    id: int
    username: str
    role: Role
    password_hash: str


async def user_named(db: Database, username: str) -> UserRow | None:
    """The account of this name, or None."""
    rows = await db.read(
        "SELECT id, username, role, password_hash FROM users WHERE username = ?", (username,)
    )
    return UserRow(**dict(rows[0])) if rows else None


async def all_users(db: Database) -> list[Account]:
    """Every account by name."""
    rows = await db.read(
        "SELECT username, role, created_at, last_login_at FROM users ORDER BY username"
    )
    return [Account(**dict(row)) for row in rows]


async def has_admin(db: Database) -> bool:
    """Whether there is any admin."""
    return bool(await db.read("SELECT 1 FROM users WHERE role = 'admin' LIMIT 1"))


async def insert_user(
    db: Database,
    username: str,
    role: Role,
    password_hash: str,
    now: float,
    *,
    only_first: bool = False,
    then: Then[UserRow] | None = None,
) -> UserRow:
    """Add an account; raises Conflict when the name is taken.

    With `only_first` it also raises Conflict when there is any admin.
    """

    def work(connection: sqlite3.Connection) -> UserRow:
        if only_first and _count(connection, "SELECT count(*) FROM users WHERE role = 'admin'"):
            raise Conflict(HAS_ADMIN)
        cursor = connection.execute(
            """
            INSERT INTO users (username, role, password_hash, created_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (username) DO NOTHING
            """,
            (username, role, password_hash, rfc3339(now)),
        )
        if cursor.rowcount != 1:
            raise Conflict("this username is taken")
        return UserRow(int(cursor.lastrowid or 0), username, role, password_hash)

    return await db.write(work, then=then)


async def change_user(
    db: Database,
    username: str,
    role: Role | None,
    password_hash: str | None,
    then: Then[tuple[int, Account, bool]] | None = None,
) -> tuple[int, Account, bool]:
    """Change what is given, all or nothing.

    Gives the user's id, the account, and whether its sessions were ended:
    always by a password, by a role only if it differs. A password ends its
    access tokens too, a role those above it. Raises NotFound, or Conflict for
    the last admin.
    """

    def work(connection: sqlite3.Connection) -> tuple[int, Account, bool]:
        user_id, _, current = _required(connection, username)
        ended = password_hash is not None or role not in (None, current)
        if role not in (None, "admin") and current == "admin":
            _keep_one_admin(connection, user_id)
        connection.execute(
            """
            UPDATE users
               SET role = coalesce(?, role), password_hash = coalesce(?, password_hash)
             WHERE id = ?
            """,
            (role, password_hash, user_id),
        )
        if ended:
            connection.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
        if password_hash is not None:
            connection.execute("DELETE FROM access_tokens WHERE user_id = ?", (user_id,))
        elif role == "member":
            connection.execute(
                "DELETE FROM access_tokens WHERE user_id = ? AND role = 'admin'", (user_id,)
            )
        return user_id, _account(connection, user_id), ended

    return await db.write(work, then=then)


async def replace_password(
    db: Database, user: UserRow, new: str, keep_session: str, then: Then[bool]
) -> bool:
    """Change a password, ending all sessions but one.

    Does nothing and gives False when the old one was changed meanwhile.
    """

    def work(connection: sqlite3.Connection) -> bool:
        if not _replace_hash(connection, user, new):
            return False
        connection.execute(
            "DELETE FROM sessions WHERE user_id = ? AND id <> ?", (user.id, keep_session)
        )
        return True

    return await db.write(work, then=then)


async def replace_hash(db: Database, user: UserRow, new: str) -> bool:
    """Store a stronger hash of the same password; False if it was changed meanwhile."""

    def work(connection: sqlite3.Connection) -> bool:
        return _replace_hash(connection, user, new)

    return await db.write(work)


async def delete_user(
    db: Database, username: str, then: Then[tuple[int, str]] | None = None
) -> tuple[int, str]:
    """Remove an account and its sessions; gives the user's id and the name as it was written.

    Raises NotFound, or Conflict for the last admin.
    """

    def work(connection: sqlite3.Connection) -> tuple[int, str]:
        user_id, name, role = _required(connection, username)
        if role == "admin":
            _keep_one_admin(connection, user_id)
        connection.execute("DELETE FROM users WHERE id = ?", (user_id,))
        return user_id, name

    return await db.write(work, then=then)


def _required(connection: sqlite3.Connection, username: str) -> tuple[int, str, str]:
    """Id, name and role."""
    cursor = connection.execute(
        "SELECT id, username, role FROM users WHERE username = ?", (username,)
    )
    row = cursor.fetchone()
    cursor.close()
    if row is None:
        raise NotFound("no user has this name")
    return int(row[0]), str(row[1]), str(row[2])


def _replace_hash(connection: sqlite3.Connection, user: UserRow, new: str) -> bool:
    cursor = connection.execute(
        "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?",
        (new, user.id, user.password_hash),
    )
    return cursor.rowcount == 1


def _account(connection: sqlite3.Connection, user_id: int) -> Account:
    cursor = connection.execute(
        "SELECT username, role, created_at, last_login_at FROM users WHERE id = ?", (user_id,)
    )
    row = cursor.fetchone()
    cursor.close()
    if row is None:
        raise NotFound("no user has this name")
    return Account(*row)


def _keep_one_admin(connection: sqlite3.Connection, user_id: int) -> None:
    others = "SELECT count(*) FROM users WHERE role = 'admin' AND id <> ?"
    if not _count(connection, others, user_id):
        raise Conflict("the last admin cannot be removed or demoted")


def _count(connection: sqlite3.Connection, sql: str, *params: int) -> int:
    cursor = connection.execute(sql, params)
    row = cursor.fetchone()
    cursor.close()
    return int(row[0]) if row else 0
