"""Accounts and roles, for admins."""

from aiohttp import web

from archnest import keys
from archnest.api.client import act
from archnest.auth.access import Identity
from archnest.errors import NotAllowed
from archnest.model.account import Account, AccountChange, AccountList, NewAccount


async def list_users(request: web.Request) -> AccountList:
    """List the accounts."""
    return await request.app[keys.ACCOUNTS].list_users()


async def add_user(request: web.Request, body: NewAccount, identity: Identity) -> Account:
    """Add an account."""
    account = await request.app[keys.ACCOUNTS].add_user(body.username, body.password, body.role)
    what = act(request, identity, "user.add", target=account.username)
    await request.app[keys.AUDIT].record(what, detail=f"role {account.role}")
    return account


async def change_user(
    request: web.Request, username: str, body: AccountChange, identity: Identity
) -> Account:
    """Change an account's role or another's password, which ends its sessions."""
    if body.password is not None and username.lower() == identity.username.lower():
        # Or who finds an open session could shut its owner out.
        raise NotAllowed("your own password is changed in Settings, with the current one")
    account = await request.app[keys.ACCOUNTS].change_user(username, body.role, body.password)
    what = act(request, identity, "user.change", target=account.username)
    changes = [f"role {body.role}"] if body.role is not None else []
    changes += ["password"] if body.password is not None else []
    await request.app[keys.AUDIT].record(what, detail=", ".join(changes))
    return account


async def remove_user(request: web.Request, username: str, identity: Identity) -> None:
    """Remove an account, which ends its sessions."""
    name = await request.app[keys.ACCOUNTS].remove_user(username)
    await request.app[keys.AUDIT].record(act(request, identity, "user.remove", target=name))
