"""Whether the store can be read and written, found out by doing it."""

import sqlite3
import time

from archnest.errors import StoreUnavailable
from archnest.store.database import Database

TRUSTED_FOR_S = 1.0


class Readiness:
    """Remembers success for a second: anyone may ask, and each check is an fsync."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._proven_at = float("-inf")

    async def prove(self) -> None:
        """Write a row and read it back; raises StoreUnavailable."""
        now = time.monotonic()
        if now - self._proven_at < TRUSTED_FOR_S:
            return
        written = await self._database.write(_beat)
        rows = await self._database.read("SELECT beats FROM heartbeat")
        if not rows or rows[0]["beats"] < written:
            raise StoreUnavailable("the database does not give back what was written")
        self._proven_at = now


def _beat(connection: sqlite3.Connection) -> int:
    cursor = connection.execute("UPDATE heartbeat SET beats = beats + 1 RETURNING beats")
    row = cursor.fetchone()
    cursor.close()
    return int(row[0]) if row else 0
