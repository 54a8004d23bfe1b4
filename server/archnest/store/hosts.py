"""The latest report of each host, and the containers that it lacks."""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archnest.store.database import Database


class HostRecord(NamedTuple):
    """One host, in the order of its columns: texts as stored, JSON not decoded."""

    host_id: str
    hostname: str | None
    source: str
    report_json: bytes
    reported_at: str | None
    received_at: str
    agent_version: str | None
    engine_json: bytes | None


class GoneRecord(NamedTuple):
    """One gone container, likewise."""

    host_id: str
    container_id: str
    gone_at: str
    container_json: bytes


@dataclass(frozen=True, slots=True)
class GoneChanges:
    """What is to be stored of gone containers."""

    anew: list[str] = field(default_factory=list)
    """Hosts of which nothing that was stored counts any more."""
    back: list[tuple[str, str]] = field(default_factory=list)
    """Host and id of containers that are no longer gone."""
    newly: list[GoneRecord] = field(default_factory=list)
    """Of each host the one that went first before the others."""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.anew or self.back or self.newly)


AT_ONCE = 100
"""Hosts read in one go, for thousands of reports would fill the memory."""


async def all_hosts(db: Database) -> AsyncIterator[tuple[HostRecord, list[GoneRecord]]]:
    """Every host, the one heard from longest ago first, each with its gone containers.

    These come in the order in which they were saved.
    """
    named = await db.read("SELECT host_id FROM docker_agent_reports ORDER BY received_at, host_id")
    for first in range(0, len(named), AT_ONCE):
        host_ids = [row["host_id"] for row in named[first : first + AT_ONCE]]
        marks = ", ".join("?" * len(host_ids))
        rows = await db.read(
            f"""
            SELECT host_id, hostname, source, CAST(report_json AS BLOB) AS report_json, reported_at,
                   received_at, agent_version, CAST(engine_json AS BLOB) AS engine_json
              FROM docker_agent_reports
             WHERE host_id IN ({marks})
             ORDER BY received_at, host_id
            """,  # noqa: S608  # nothing but question marks
            host_ids,
        )
        gone = await db.read(
            f"""
            SELECT host_id, container_id, gone_at, CAST(container_json AS BLOB) AS container_json
              FROM gone_containers
             WHERE host_id IN ({marks})
             ORDER BY number
            """,  # noqa: S608  # nothing but question marks
            host_ids,
        )
        gone_of = defaultdict[str, list[GoneRecord]](list)
        for row in gone:
            gone_of[row["host_id"]].append(GoneRecord(**dict(row)))
        for row in rows:
            yield HostRecord(**dict(row)), gone_of[row["host_id"]]


def save_reports(connection: sqlite3.Connection, records: Iterable[HostRecord]) -> None:
    """Keep only the newest report of each host; all rows or none."""
    connection.executemany(
        """
        INSERT INTO docker_agent_reports (host_id, hostname, source, report_json, reported_at,
                                          received_at, agent_version, engine_json)
        VALUES (?, ?, ?, CAST(? AS TEXT), ?, ?, ?, CAST(? AS TEXT))
        ON CONFLICT (host_id) DO UPDATE
           SET hostname = excluded.hostname, source = excluded.source,
               report_json = excluded.report_json, reported_at = excluded.reported_at,
               received_at = excluded.received_at, agent_version = excluded.agent_version,
               engine_json = excluded.engine_json
        """,
        records,
    )


def save_gone(connection: sqlite3.Connection, changes: GoneChanges) -> None:
    """Keep which containers of stored hosts are gone."""
    connection.executemany(
        "DELETE FROM gone_containers WHERE host_id = ?", [(name,) for name in changes.anew]
    )
    connection.executemany(
        "DELETE FROM gone_containers WHERE host_id = ? AND container_id = ?", changes.back
    )
    connection.executemany(
        """
        INSERT OR REPLACE INTO gone_containers (host_id, container_id, gone_at, container_json)
        VALUES (?, ?, ?, CAST(? AS TEXT))
        """,
        changes.newly,
    )


def forget_hosts(connection: sqlite3.Connection, host_ids: Sequence[str]) -> None:
    """Delete hosts with everything known about them."""
    connection.executemany(
        "DELETE FROM docker_agent_reports WHERE host_id = ?", [(name,) for name in host_ids]
    )
