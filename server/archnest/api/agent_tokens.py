"""Agents' tokens, each for one host, and the reports that were refused."""

import time

import msgspec
from aiohttp import web

from archnest import keys
from archnest.api.client import act
from archnest.auth.access import Identity
from archnest.auth.agent_tokens import shown
from archnest.model.agent_token import (
    AgentTokenList,
    CreatedAgentToken,
    NewAgentToken,
    RefusalList,
)


async def list_agent_tokens(request: web.Request) -> AgentTokenList:
    """List the tokens of agents, those revoked lately too."""
    return AgentTokenList(request.app[keys.AGENT_TOKENS].listed())


async def create_agent_token(
    request: web.Request, body: NewAgentToken, identity: Identity
) -> CreatedAgentToken:
    """Make a token that reports for one host; its text is in this answer and never again."""
    token, row = await request.app[keys.AGENT_TOKENS].create(body.host_id, time.time())
    await request.app[keys.AUDIT].record(
        act(request, identity, "agent-token.create", row.host_id, row.id)
    )
    return CreatedAgentToken(token=token, **msgspec.structs.asdict(shown(row)))


async def revoke_agent_token(request: web.Request, identity: Identity, token_id: str) -> None:
    """Revoke an agent's token; its next report is refused."""
    row = await request.app[keys.AGENT_TOKENS].revoke(token_id, time.time())
    await request.app[keys.AUDIT].record(
        act(request, identity, "agent-token.revoke", row.host_id, row.id)
    )


async def list_refusals(request: web.Request) -> RefusalList:
    """List reports that were refused since the server's start."""
    return RefusalList(request.app[keys.REFUSALS].all())
