"""Agents' tokens from the command line: through the running server, else by itself.

Either way it is in the record, as what the owner of the data folder did.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec

from archnest.audit import Audit
from archnest.auth.agent_tokens import AgentTokens
from archnest.config import Config
from archnest.data_folder import DataFolder
from archnest.errors import Invalid
from archnest.model.agent_token import (
    AgentToken,
    AgentTokenList,
    CreatedAgentToken,
    NewAgentToken,
)
from archnest.model.audit import Act
from archnest.store.agent_tokens import AgentTokenRow

PATH = "/api/agents/docker/tokens"


def check_host_id(host_id: str) -> None:
    """Raise Invalid for what cannot be a hostId."""
    try:
        msgspec.convert({"hostId": host_id}, NewAgentToken)
    except msgspec.ValidationError:
        raise Invalid("a host id is 1 to 128 of A-Z a-z 0-9 . _ - and neither . nor ..") from None


class TokensAdmin:
    """What `archnest token` does; every failure is a StartRefused or a Problem."""

    def __init__(self, config: Config) -> None:
        self._folder = DataFolder(config)

    async def create(self, host_id: str) -> str:
        """A new token of a host."""
        async with self._opened() as own:
            if own is not None:
                tokens, audit = own
                token, row = await tokens.create(host_id, time.time())
                await audit.record(_act("agent-token.create", row))
                return token
        content = await self._folder.ask("POST", PATH, NewAgentToken(host_id))
        return msgspec.json.decode(content, type=CreatedAgentToken).token

    async def list(self) -> list[AgentToken]:
        """Every token by host, those revoked lately too."""
        async with self._opened() as own:
            if own is not None:
                return own[0].listed()
        content = await self._folder.ask("GET", PATH)
        return msgspec.json.decode(content, type=AgentTokenList).tokens

    async def revoke(self, token_id: str) -> None:
        """End a token."""
        async with self._opened() as own:
            if own is not None:
                tokens, audit = own
                row = await tokens.revoke(token_id, time.time())
                await audit.record(_act("agent-token.revoke", row))
                return
        await self._folder.ask("DELETE", f"{PATH}/{quote(token_id, safe='')}")

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[AgentTokens, Audit] | None]:
        """The tokens and the record in the database itself, or None while a server runs."""
        async with self._folder.database() as database:
            if database is None:
                yield None
                return
            async with AgentTokens.open(database, time.time()) as tokens:
                yield tokens, Audit(database)


def _act(action: str, row: AgentTokenRow) -> Act:
    return Act(None, None, action, row.host_id, row.id)
