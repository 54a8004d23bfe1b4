"""Signing in and out, and one's own password."""

import time

from aiohttp import web

from archnest import keys
from archnest.auth.access import Identity
from archnest.model.account import Credentials, Me, PasswordChange, Setup, SignedIn


async def setup(request: web.Request, body: Setup) -> SignedIn:
    """Make the first admin with the code the server printed."""
    accounts, address = request.app[keys.ACCOUNTS], request[keys.CLIENT_ADDRESS]
    return await accounts.set_up(body.code, body.username, body.password, address, time.time())


async def login(request: web.Request, body: Credentials) -> SignedIn:
    """Start a session."""
    accounts, address = request.app[keys.ACCOUNTS], request[keys.CLIENT_ADDRESS]
    return await accounts.log_in(body.username, body.password, address, time.time())


async def renew(request: web.Request, identity: Identity) -> SignedIn:
    """Let the session end later; the old token lives no longer than before."""
    return await request.app[keys.ACCOUNTS].renew(identity, time.time())


async def logout(request: web.Request, identity: Identity) -> None:
    """End the session."""
    await request.app[keys.ACCOUNTS].log_out(identity)


async def show_me(request: web.Request, identity: Identity) -> Me:
    """Say who the caller is."""
    return request.app[keys.ACCOUNTS].me(identity)


async def change_password(request: web.Request, body: PasswordChange, identity: Identity) -> None:
    """Change one's own password, which ends one's other sessions."""
    await request.app[keys.ACCOUNTS].change_password(
        identity,
        body.current_password,
        body.new_password,
        request[keys.CLIENT_ADDRESS],
        time.time(),
    )
