"""Agents' own tokens: each reports for one host and nothing else.

All are held in memory, so that checking one costs a hash and a look-up.

A revoked token is let in no more from that moment, but is listed as revoked
only when that is written: where the database refuses it, it can be revoked
again, for the next start would let it in.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from archnest.auth.last_uses import LastUses
from archnest.auth.secret_tokens import hash_of, id_of, is_right, mint
from archnest.errors import Conflict, NotFound, RevokedAgentToken, WrongAgentToken
from archnest.model.agent_token import AgentToken
from archnest.store import agent_tokens as store
from archnest.store.agent_tokens import AgentTokenRow
from archnest.store.database import Database
from archnest.timestamps import rfc3339

PREFIX = "ahn"
MAX_PER_HOST = 10
KEPT_REVOKED_S = 30 * 86_400
"""So long an agent with a revoked token is told that it was revoked."""
WRONG = "send an agent token as Authorization: Bearer TOKEN"


class AgentTokens:
    """Every agent's token; open it with `AgentTokens.open`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens: dict[str, AgentTokenRow] = {}
        self._live: set[str] = set()
        self._uses = LastUses(database, "agent_tokens")

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, database: Database, now: float) -> AsyncIterator["AgentTokens"]:
        """Load them and note their uses until left."""
        await store.delete_revoked_before(database, now - KEPT_REVOKED_S)
        tokens = cls(database)
        tokens._tokens = {one.id: one for one in await store.all_agent_tokens(database)}
        tokens._live = {one.id for one in tokens._tokens.values() if one.revoked_at is None}
        async with tokens._uses.running():
            yield tokens

    def __bool__(self) -> bool:
        """Whether any of them opens anything."""
        return bool(self._live)

    async def create(self, host_id: str, now: float) -> tuple[str, AgentTokenRow]:
        """A new token, shown only now, and its row; raises Conflict when a host has too many."""
        if len(self._of_host(host_id)) >= MAX_PER_HOST:
            raise Conflict(f"one host may have {MAX_PER_HOST} tokens: revoke one first")
        token_id, token = mint(PREFIX)
        row = AgentTokenRow(token_id, host_id, hash_of(token), now)

        def begin(_: None) -> None:
            self._tokens[token_id] = row
            self._live.add(token_id)

        await store.insert_agent_token(self._database, row, begin)
        return token, row

    def listed(self) -> list[AgentToken]:
        """Every token with its last use, by host, the newest first."""
        newest_first = [shown(self._used(one)) for one in reversed(self._tokens.values())]
        return sorted(newest_first, key=lambda one: one.host_id)

    async def revoke(self, token_id: str, now: float) -> AgentTokenRow:
        """End a token with its host's next report; raises NotFound for none to be revoked,

        and StoreUnavailable while the end does not outlast a restart.
        """
        row = self._tokens.get(token_id)
        if row is None or row.revoked_at is not None:
            raise NotFound("no agent token that is not revoked has this id")
        await self._revoke([row], now)
        return self._tokens[token_id]

    async def revoke_host(self, host_id: str, now: float) -> None:
        """End all tokens of a host, as `revoke` does."""
        await self._revoke(self._of_host(host_id), now)

    def admit(self, token: str, address: str | None, now: float) -> AgentTokenRow:
        """The live token that this is; raises WrongAgentToken, or RevokedAgentToken."""
        found = self._tokens.get(id_of(token, PREFIX) or "")
        if found is None or not is_right(token, found.token_hash):
            raise WrongAgentToken(WRONG)
        if found.id not in self._live:
            raise RevokedAgentToken(found.host_id)
        self._uses.note(found.id, now, address)
        return found

    def check_live(self, token_id: str) -> None:
        """Raise RevokedAgentToken for a token that was revoked since it was admitted."""
        if token_id not in self._live:
            raise RevokedAgentToken(self._tokens[token_id].host_id)

    async def _revoke(self, rows: list[AgentTokenRow], now: float) -> None:
        # In memory first: a database that cannot be written keeps no one in.
        self._live.difference_update(row.id for row in rows)

        def end(_: None) -> None:
            for row in rows:
                if self._tokens[row.id].revoked_at is None:
                    self._tokens[row.id] = replace(row, revoked_at=now)

        await store.note_revoked(self._database, [row.id for row in rows], now, end)

    def _of_host(self, host_id: str) -> list[AgentTokenRow]:
        """Its tokens that are not revoked for good."""
        return [
            one
            for one in self._tokens.values()
            if one.host_id == host_id and one.revoked_at is None
        ]

    def _used(self, token: AgentTokenRow) -> AgentTokenRow:
        used = self._uses.of(token)
        return replace(token, last_used_at=used[0], last_address=used[1]) if used else token


def shown(row: AgentTokenRow) -> AgentToken:
    """A token as people see it."""
    return AgentToken(
        row.id,
        row.host_id,
        rfc3339(row.created_at),
        _time_or_none(row.revoked_at),
        _time_or_none(row.last_used_at),
        row.last_address,
    )


def _time_or_none(at: float | None) -> str | None:
    return rfc3339(at) if at is not None else None
