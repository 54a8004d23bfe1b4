"""What Prometheus gets: the fleet and the server itself, worked out in a thread."""

import asyncio

from archnest.exposition import Fleetwide
from archnest.feed import Encoded
from archnest.fleet import Entry, Fleet
from archnest.vitals import Vitals


class Exposition(Encoded[str]):
    """Metrics in Prometheus' text format."""

    media_type = "text/plain; version=0.0.4; charset=utf-8"


class Scrapes:
    """Answers scrapes; those that come while one is worked out share it."""

    def __init__(self, fleet: Fleet, vitals: Vitals) -> None:
        self._fleet = fleet
        self._vitals = vitals
        self._under_way: asyncio.Task[Exposition] | None = None

    async def exposition(self) -> Exposition:
        """Every metric as of now."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._work_out(), name="scrape")
        return await asyncio.shield(self._under_way)

    async def _work_out(self) -> Exposition:
        counted = self._vitals.counted()
        return await asyncio.to_thread(self._write, self._fleet.entries(), counted)

    def _write(self, entries: list[Entry], counted: str) -> Exposition:
        """In a thread: thousands of containers would keep everyone else waiting."""
        fleetwide = Fleetwide()
        for entry in entries:
            fleetwide.add(entry.picture, stale=entry.stale)
        text = "".join([*fleetwide.text(), counted, self._vitals.measured()])
        return Exposition(text.encode())
