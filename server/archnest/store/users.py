"""Local accounts. Names differ by more than their case."""

from dataclasses import dataclass

import aiosqlite

from archnest.errors import Conflict, NotFound
from archnest.model.account import Account, Role
from archnest.store.database import Database
from archnest.timestamps import rfc3339


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


async def has_users(db: Database) -> bool:
    """Whether there is any account."""
    return bool(await db.read("SELECT 1 FROM users LIMIT 1"))


async def insert_user(
    db: Database,
    username: str,
    role: Role,
    password_hash: str,
    now: float,
    *,
    only_first: bool = False,
) -> UserRow:
    """Add an account; raises Conflict when the name is taken.

    With `only_first` it also raises Conflict when there is any account.
    """

    async def work(connection: aiosqlite.Connection) -> UserRow:
        if only_first and await _count(connection, "SELECT count(*) FROM users"):
            raise Conflict("there is an account already: sign in")
        cursor = await connection.execute(
            """
            INSERT INTO users (username, role, password_hash, created_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (username) DO NOTHING
            """,
            (username, role, password_hash, rfc3339(now)),
        )
        if cursor.rowcount != 1:
            raise Conflict("this username is taken")
        return UserRow(int(cursor.lastrowid or 0), username, role, password_hash)

    return await db.write(work)


async def change_user(
    db: Database, username: str, role: Role | None, password_hash: str | None
) -> tuple[int, Account, bool]:
    """Change what is given, all or nothing.

    Gives the user's id, the account, and whether its sessions were ended:
    always by a password, by a role only if it differs. A password ends its
    access tokens too, a role those above it. Raises NotFound, or Conflict for
    the last admin.
    """

    async def work(connection: aiosqlite.Connection) -> tuple[int, Account, bool]:
        user_id, current = await _required(connection, username)
        ended = password_hash is not None or role not in (None, current)
        if role not in (None, "admin") and current == "admin":
            await _keep_one_admin(connection, user_id)
        await connection.execute(
            """
            UPDATE users
               SET role = coalesce(?, role), password_hash = coalesce(?, password_hash)
             WHERE id = ?
            """,
            (role, password_hash, user_id),
        )
        if ended:
            await connection.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
        if password_hash is not None:
            await connection.execute("DELETE FROM access_tokens WHERE user_id = ?", (user_id,))
        elif role == "member":
            await connection.execute(
                "DELETE FROM access_tokens WHERE user_id = ? AND role = 'admin'", (user_id,)
            )
        return user_id, await _account(connection, user_id), ended

    return await db.write(work)


async def replace_password(db: Database, user: UserRow, new: str, keep_session: str) -> bool:
    """Change a password, ending all sessions but one.

    Does nothing and gives False when the old one was changed meanwhile.
    """

    async def work(connection: aiosqlite.Connection) -> bool:
        if not await _replace_hash(connection, user, new):
            return False
        await connection.execute(
            "DELETE FROM sessions WHERE user_id = ? AND id <> ?", (user.id, keep_session)
        )
        return True

    return await db.write(work)


async def replace_hash(db: Database, user: UserRow, new: str) -> bool:
    """Store a stronger hash of the same password; False if it was changed meanwhile."""

    async def work(connection: aiosqlite.Connection) -> bool:
        return await _replace_hash(connection, user, new)

    return await db.write(work)


async def delete_user(db: Database, username: str) -> int:
    """Remove an account and its sessions; gives the user's id.

    Raises NotFound, or Conflict for the last admin.
    """

    async def work(connection: aiosqlite.Connection) -> int:
        user_id, role = await _required(connection, username)
        if role == "admin":
            await _keep_one_admin(connection, user_id)
        await connection.execute("DELETE FROM users WHERE id = ?", (user_id,))
        return user_id

    return await db.write(work)


async def _required(connection: aiosqlite.Connection, username: str) -> tuple[int, str]:
    cursor = await connection.execute("SELECT id, role FROM users WHERE username = ?", (username,))
    row = await cursor.fetchone()
    await cursor.close()
    if row is None:
        raise NotFound("no user has this name")
    return int(row[0]), str(row[1])


async def _replace_hash(connection: aiosqlite.Connection, user: UserRow, new: str) -> bool:
    cursor = await connection.execute(
        "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?",
        (new, user.id, user.password_hash),
    )
    return cursor.rowcount == 1


async def _account(connection: aiosqlite.Connection, user_id: int) -> Account:
    cursor = await connection.execute(
        "SELECT username, role, created_at, last_login_at FROM users WHERE id = ?", (user_id,)
    )
    row = await cursor.fetchone()
    await cursor.close()
    if row is None:
        raise NotFound("no user has this name")
    return Account(*row)


async def _keep_one_admin(connection: aiosqlite.Connection, user_id: int) -> None:
    others = "SELECT count(*) FROM users WHERE role = 'admin' AND id <> ?"
    if not await _count(connection, others, user_id):
        raise Conflict("the last admin cannot be removed or demoted")


async def _count(connection: aiosqlite.Connection, sql: str, *params: int) -> int:
    cursor = await connection.execute(sql, params)
    row = await cursor.fetchone()
    await cursor.close()
    return int(row[0]) if row else 0
