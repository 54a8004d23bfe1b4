"""Tokens for one's programs; admins see and revoke everyone's."""

import time

import msgspec
from aiohttp import web

from archnest import keys
from archnest.api.client import act
from archnest.auth.access import Identity
from archnest.errors import NotFound
from archnest.model.access_token import (
    AccessToken,
    AccessTokenList,
    CreatedAccessToken,
    NewAccessToken,
)
from archnest.store.access_tokens import TokenRow
from archnest.timestamps import rfc3339


async def list_access_tokens(request: web.Request, identity: Identity) -> AccessTokenList:
    """List one's own access tokens, or as an admin everyone's."""
    tokens = request.app[keys.ACCOUNTS].access_tokens.all()
    return AccessTokenList([_shown(one) for one in tokens if _may_see(identity, one)])


async def create_access_token(
    request: web.Request, body: NewAccessToken, identity: Identity
) -> CreatedAccessToken:
    """Make an access token; its text is in this answer and never again."""
    token, row = await request.app[keys.ACCOUNTS].create_access_token(
        identity, body, request[keys.CLIENT_ADDRESS], time.time()
    )
    await request.app[keys.AUDIT].record(
        act(request, identity, "access-token.create", None, _called(row)),
        detail=f"role {row.role}, until {rfc3339(row.expires_at)}",
    )
    return CreatedAccessToken(token=token, **msgspec.structs.asdict(_shown(row)))


async def revoke_access_token(request: web.Request, identity: Identity, token_id: str) -> None:
    """Revoke an access token of one's own, or as an admin anyone's; it ends at once."""
    tokens = request.app[keys.ACCOUNTS].access_tokens
    row = tokens.get(token_id)
    if not _may_see(identity, row):
        raise NotFound("no access token has this id")
    await tokens.revoke(token_id)
    await request.app[keys.AUDIT].record(
        act(request, identity, "access-token.revoke", None, _called(row))
    )


def _may_see(identity: Identity, token: TokenRow) -> bool:
    return identity.role == "admin" or token.username == identity.username


def _called(token: TokenRow) -> str:
    """What the record calls it; names may be given twice."""
    return f"{token.name} ({token.id}) of {token.username}"


def _shown(row: TokenRow) -> AccessToken:
    used_at = row.last_used_at
    return AccessToken(
        row.id,
        row.name,
        row.username,
        row.role,
        rfc3339(row.created_at),
        rfc3339(row.expires_at),
        rfc3339(used_at) if used_at is not None else None,
        row.last_address,
    )
