"""When and from where tokens were last used, in whichever table they stand."""

import sqlite3
from collections.abc import Mapping
from typing import Literal

from archnest.store.database import Database
from archnest.timestamps import rfc3339

TokenTable = Literal["access_tokens", "agent_tokens"]
_UPDATES = {
    "access_tokens": "UPDATE access_tokens SET last_used_at = ?, last_address = ? WHERE id = ?",
    "agent_tokens": "UPDATE agent_tokens SET last_used_at = ?, last_address = ? WHERE id = ?",
}
Use = tuple[float, str | None]
"""Unix seconds and an address."""


async def note_uses(db: Database, table: TokenTable, uses: Mapping[str, Use]) -> None:
    """Keep the last uses of tokens, by id."""

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(
            _UPDATES[table],
            [(rfc3339(at), address, token_id) for token_id, (at, address) in uses.items()],
        )

    await db.write(work)
