"""Signing in and out, and one's own password."""

import time

from aiohttp import web

from archnest import keys
from archnest.api.client import act, address_text
from archnest.auth.access import Identity
from archnest.errors import WrongCredentials
from archnest.model.account import Credentials, Me, PasswordChange, Setup, SignedIn
from archnest.model.audit import Act


async def setup(request: web.Request, body: Setup) -> SignedIn:
    """Make the first admin with the code the server printed."""
    accounts, address = request.app[keys.ACCOUNTS], request[keys.CLIENT_ADDRESS]
    try:
        made = await accounts.set_up(body.code, body.username, body.password, address, time.time())
    except WrongCredentials:
        await _failed(request, act(request, None, "setup"), "wrong setup code")
        raise
    await _signed_in(request, made, "setup")
    return made


async def login(request: web.Request, body: Credentials) -> SignedIn:
    """Start a session."""
    accounts, address = request.app[keys.ACCOUNTS], request[keys.CLIENT_ADDRESS]
    try:
        made = await accounts.log_in(body.username, body.password, address, time.time())
    except WrongCredentials:
        # A name that nobody has may be a password in the wrong field.
        known = await accounts.known_name(body.username)
        what = act(request, None, "session.login", target=known)
        await _failed(request, what, "wrong password" if known else "unknown user")
        raise
    await _signed_in(request, made, "session.login")
    return made


async def renew(request: web.Request, identity: Identity) -> SignedIn:
    """Let the session end later; the old token lives no longer than before."""
    return await request.app[keys.ACCOUNTS].renew(identity, time.time())


async def logout(request: web.Request, identity: Identity) -> None:
    """End the session."""
    await request.app[keys.ACCOUNTS].log_out(identity)
    await request.app[keys.AUDIT].record(act(request, identity, "session.logout"))


async def show_me(request: web.Request, identity: Identity) -> Me:
    """Say who the caller is."""
    return request.app[keys.ACCOUNTS].me(identity)


async def change_password(request: web.Request, body: PasswordChange, identity: Identity) -> None:
    """Change one's own password, which ends one's other sessions."""
    what = act(request, identity, "user.password", target=identity.username)
    try:
        await request.app[keys.ACCOUNTS].change_password(
            identity,
            body.current_password,
            body.new_password,
            request[keys.CLIENT_ADDRESS],
            time.time(),
        )
    except WrongCredentials as problem:
        await _failed(request, what, problem.detail)
        raise
    await request.app[keys.AUDIT].record(what)


async def _signed_in(request: web.Request, made: SignedIn, action: str) -> None:
    where = address_text(request[keys.CLIENT_ADDRESS])
    await request.app[keys.AUDIT].record(Act(made.user.username, where, action))


async def _failed(request: web.Request, what: Act, why: str) -> None:
    await request.app[keys.AUDIT].record_failure(what, why, time.time())
