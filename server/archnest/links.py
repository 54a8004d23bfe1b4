"""Hosts that both an agent and an engine speak for: one host, the richest data first.

While the engine answers, its picture is the one that is shown, since it hears
of every change at once; an agent's report, gathered some seconds before it
arrives, would turn the page back. When the engine falls silent the agent's
reports are shown again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from archnest.errors import Conflict
from archnest.picture import AGENT, Picture

FRESH_S = 45.0
"""An engine is asked every 15 seconds; after three misses its agent is believed."""


def elapsed_clock() -> float:
    """Seconds on a clock that counts sleep and is never set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class Link:
    """One host's agent and engine."""

    agents_engine: str | None
    """The engine id that the agent reported last; None when it reports none."""
    heard_at: float | None = None

    def check(self, picture: Picture) -> None:
        """Note which engine a report names; raises Conflict when an engine is not the agent's."""
        engine = picture.engine.id if picture.engine else None
        if picture.source == AGENT:
            self.agents_engine = engine or self.agents_engine
        elif engine != self.agents_engine:
            self.heard_at = None
            raise Conflict(
                f"this engine's id is {engine}, and the agent of {picture.host_id} reports"
                f" {self.agents_engine}: they are not one host"
            )

    def joined(
        self, picture: Picture, shown: Picture | None, clock: Callable[[], float] = elapsed_clock
    ) -> Picture:
        """What to show after `picture`, when `shown` was shown before it."""
        if picture.source != AGENT:
            self.heard_at = clock()
            return _as_agents(picture, shown)
        if shown is None or self.heard_at is None or clock() - self.heard_at > FRESH_S:
            return picture
        return replace(
            shown,
            hostname=picture.hostname,
            reported_at=picture.reported_at,
            agent_version=picture.agent_version,
            marks=picture.marks,
            address=picture.address,
            clock_skew_s=picture.clock_skew_s,
        )


def _as_agents(picture: Picture, shown: Picture | None) -> Picture:
    """The engine's picture with what only the agent tells."""
    if shown is None:
        return replace(picture, source=AGENT, reported_at=None, agent_version=None)
    return replace(
        picture,
        source=AGENT,
        hostname=shown.hostname,
        reported_at=shown.reported_at,
        agent_version=shown.agent_version,
        marks=shown.marks,
        address=shown.address,
        clock_skew_s=shown.clock_skew_s,
    )
