"""The record of what people did, as admins read it."""

from typing import Literal

from msgspec import Struct

Outcome = Literal["begun", "done", "failed", "refused"]


class Act(Struct, rename="camel", frozen=True):
    """Who does what to what; `action` is noun.verb, as in `container.restart`.

    It is `request` for one whose sender may not make it, the `target` then its
    method and path.
    """

    actor: str | None
    """A username; None is whoever owns the data folder and used the command line."""
    address: str | None
    """Where the request came from; None on the control socket."""
    action: str
    host_id: str | None = None
    target: str | None = None
    """The container, user or token it is done to."""
    token: str | None = None
    """The name of the access token it was done with; None: a person did it."""


class AuditEntry(Act, rename="camel", frozen=True, kw_only=True):
    """One act with its outcome; `begun` goes on or was cut short, `refused` was not tried."""

    id: int
    at: str
    ended_at: str | None
    outcome: Outcome
    detail: str | None


class AuditPage(Struct, rename="camel", frozen=True):
    """Entries, the newest first; `next` is the `before` of the page that follows."""

    entries: list[AuditEntry]
    next: int | None
