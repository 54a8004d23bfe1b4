"""Terminals in containers: who may open one, what ends it, and its place in the record.

A terminal lives as long as its user's session, its source and its container;
there is no limit on its idleness. Nothing that is typed or shown is kept.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address, IPv6Address

from archnest.audit import Audit
from archnest.auth.access import Identity
from archnest.auth.sessions import Sessions
from archnest.auth.tickets import TTL_S, Grant, Tickets
from archnest.errors import NotAllowed, NotAvailable, NotSignedIn, Problem, TooManyStreams
from archnest.model.audit import Act
from archnest.model.report import Container
from archnest.model.terminal import Ticket
from archnest.pollers import Pollers
from archnest.sources.connect import Target
from archnest.sources.shell import Shell, opened
from archnest.streams import Streams
from archnest.timestamps import rfc3339

MAX_TALKS = 150
"""Open WebSockets, those too that have not shown a ticket yet."""
CHECK_S = 1.0
"""How soon a session's end is noticed."""
PROBE_S = 15.0
"""How often an engine is asked whether the shell still runs; one may vanish without a word."""
STOP_S = 2.5


class Terminals:
    """Every open terminal of the server."""

    def __init__(
        self, sessions: Sessions, pollers: Pollers, audit: Audit, streams: Streams
    ) -> None:
        self.stopping = asyncio.Event()
        self._sessions = sessions
        self._pollers = pollers
        self._audit = audit
        self._streams = streams
        self._tickets = Tickets()
        self._talks = 0
        self._silent = asyncio.Event()

    def issue(self, identity: Identity, host_id: str, container: Container, now: float) -> Ticket:
        """A ticket for a terminal; `now` is unix seconds.

        Raises NotAvailable when the host's source has no engine to ask.
        """
        self._pollers.target(host_id)
        if identity.session_id is None:
            raise NotAllowed("a terminal belongs to a session: sign in with a password")
        name = container.name or container.id
        grant = Grant(identity.username, identity.session_id, host_id, container.id, name)
        return Ticket(self._tickets.issue(grant, now), rfc3339(now + TTL_S))

    @contextlib.contextmanager
    def talking(self) -> Iterator[None]:
        """Count a WebSocket while it is open; raises TooManyStreams."""
        if self._talks >= MAX_TALKS or self.stopping.is_set():
            raise TooManyStreams("too many terminals are open on this server", retry_after_s=10)
        self._talks += 1
        self._silent.clear()
        try:
            yield
        finally:
            self._talks -= 1
            if not self._talks:
                self._silent.set()

    @contextlib.asynccontextmanager
    async def opened(
        self, ticket: str, address: IPv4Address | IPv6Address | None
    ) -> AsyncIterator["Terminal"]:
        """The terminal that a ticket opens, recorded from its beginning to its end.

        Raises NotSignedIn, NotAllowed, TooManyStreams, and what opening a shell raises.
        """
        grant = self._tickets.redeem(ticket, time.time())
        if grant is None:
            raise NotSignedIn("the ticket is unknown, used or expired")
        self.check(grant)
        target = self._pollers.target(grant.host_id)
        act = Act(
            grant.username,
            str(address) if address is not None else None,
            "container.exec",
            grant.host_id,
            grant.container_name,
        )
        with self._streams.one(grant.username):
            entry_id = await self._audit.begin(act)
            terminal = None
            began_at = time.monotonic()
            how = "cut short"
            try:
                async with opened(target, grant.container_id) as shell:
                    terminal = Terminal(self, grant, target, shell)
                    yield terminal
                how = terminal.how
            except Problem as problem:
                how = problem.detail
                raise
            except asyncio.CancelledError:
                how = "the server stopped" if self.stopping.is_set() else "left"
                raise
            finally:
                if terminal is None:
                    await self._audit.end(entry_id, "failed", how)
                else:
                    lasted_s = round(time.monotonic() - began_at)
                    await self._audit.end(entry_id, "done", f"{lasted_s} s, {how}")

    def check(self, grant: Grant, target: Target | None = None) -> None:
        """Raise NotSignedIn, NotAllowed or NotAvailable when the grant is no longer good."""
        session = self._sessions.live(grant.session_id, time.time())
        if session is None:
            raise NotSignedIn("your session has ended")
        if session.role != "admin":
            raise NotAllowed("only an admin may have a terminal")
        if target is not None and not self._pollers.has_target(grant.host_id, target):
            raise NotAvailable("the host's source was changed or removed")

    async def close(self) -> None:
        """Have every terminal end; returns once all have, or after STOP_S."""
        self.stopping.set()
        if self._talks:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._silent.wait(), STOP_S)


class Terminal:
    """An open terminal."""

    def __init__(self, terminals: Terminals, grant: Grant, target: Target, shell: Shell) -> None:
        self.shell = shell
        self.how = "left"
        """How it ended, for the record."""
        self._terminals = terminals
        self._grant = grant
        self._target = target

    async def watch(self) -> None:
        """Return when the shell has ended; raise the Problem that ends it from outside."""
        probe_at = time.monotonic() + PROBE_S
        while True:
            await asyncio.sleep(CHECK_S)
            self._terminals.check(self._grant, self._target)
            if time.monotonic() > probe_at:
                if await self.shell.exit_code() is not None:
                    return
                probe_at = time.monotonic() + PROBE_S
