"""One-time tickets for WebSockets, which cannot carry an Authorization header.

A ticket opens one thing once, within TTL_S, as long as the session lives that
asked for it. Only its hash is kept, in memory alone.
"""

import hashlib
import secrets
from dataclasses import dataclass

TTL_S = 30.0
MAX_PER_SESSION = 10
"""Tickets that one session may hold; a further one makes the oldest worthless."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a ticket opens, and for whom."""

    username: str
    session_id: str
    host_id: str
    container_id: str
    container_name: str


class Tickets:
    """The tickets that are not used yet."""

    def __init__(self) -> None:
        # In the order of their expiry, since all live equally long.
        self._open: dict[bytes, tuple[Grant, float]] = {}

    def issue(self, grant: Grant, now: float) -> str:
        """A new ticket that is good until `now` + TTL_S; unix seconds."""
        self._drop_expired(now)
        own = [key for key, (one, _) in self._open.items() if one.session_id == grant.session_id]
        for key in own[: max(0, len(own) - MAX_PER_SESSION + 1)]:
            del self._open[key]
        ticket = secrets.token_urlsafe(32)
        self._open[_hash(ticket)] = (grant, now + TTL_S)
        return ticket

    def redeem(self, ticket: str, now: float) -> Grant | None:
        """What the ticket opens, which it does only once; None for any other text."""
        self._drop_expired(now)
        grant, _ = self._open.pop(_hash(ticket), (None, 0.0))
        return grant

    def _drop_expired(self, now: float) -> None:
        for key in [key for key, (_, expires_at) in self._open.items() if expires_at <= now]:
            del self._open[key]


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()
