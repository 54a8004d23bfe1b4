"""The latest report of each host."""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple

from archnest.store.database import Database


class HostRecord(NamedTuple):
    """One row, in the order of its columns: texts as stored, JSON not decoded."""

    host_id: str
    hostname: str | None
    source: str
    report_json: bytes
    reported_at: str | None
    received_at: str
    agent_version: str | None
    engine_json: bytes | None
    gone_json: bytes


AT_ONCE = 100
"""Hosts read in one go, for thousands of reports would fill the memory."""


async def all_hosts(db: Database) -> AsyncIterator[HostRecord]:
    """Every host, the one heard from longest ago first."""
    named = await db.read("SELECT host_id FROM docker_agent_reports ORDER BY received_at, host_id")
    for first in range(0, len(named), AT_ONCE):
        host_ids = [row["host_id"] for row in named[first : first + AT_ONCE]]
        rows = await db.read(
            f"""
            SELECT host_id, hostname, source, CAST(report_json AS BLOB) AS report_json, reported_at,
                   received_at, agent_version, CAST(engine_json AS BLOB) AS engine_json,
                   CAST(gone_json AS BLOB) AS gone_json
              FROM docker_agent_reports
             WHERE host_id IN ({", ".join("?" * len(host_ids))})
             ORDER BY received_at, host_id
            """,  # noqa: S608  # nothing but question marks
            host_ids,
        )
        for row in rows:
            yield HostRecord(**dict(row))


def save_reports(connection: sqlite3.Connection, records: Iterable[HostRecord]) -> None:
    """Keep only the newest report of each host; all rows or none."""
    connection.executemany(
        """
        INSERT INTO docker_agent_reports (host_id, hostname, source, report_json, reported_at,
                                          received_at, agent_version, engine_json, gone_json)
        VALUES (?, ?, ?, CAST(? AS TEXT), ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT))
        ON CONFLICT (host_id) DO UPDATE
           SET hostname = excluded.hostname, source = excluded.source,
               report_json = excluded.report_json, reported_at = excluded.reported_at,
               received_at = excluded.received_at, agent_version = excluded.agent_version,
               engine_json = excluded.engine_json, gone_json = excluded.gone_json
        """,
        records,
    )


def forget_hosts(connection: sqlite3.Connection, host_ids: Sequence[str]) -> None:
    """Delete hosts with everything known about them."""
    connection.executemany(
        "DELETE FROM docker_agent_reports WHERE host_id = ?", [(name,) for name in host_ids]
    )
