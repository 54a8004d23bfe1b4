"""Accounts and roles, for admins."""

from aiohttp import web

from archnest import keys
from archnest.model.account import Account, AccountChange, AccountList, NewAccount


async def list_users(request: web.Request) -> AccountList:
    """List the accounts."""
    return await request.app[keys.ACCOUNTS].list_users()


async def add_user(request: web.Request, body: NewAccount) -> Account:
    """Add an account."""
    return await request.app[keys.ACCOUNTS].add_user(body.username, body.password, body.role)


async def change_user(request: web.Request, username: str, body: AccountChange) -> Account:
    """Change an account's role or password, which ends its sessions."""
    return await request.app[keys.ACCOUNTS].change_user(username, body.role, body.password)


async def remove_user(request: web.Request, username: str) -> None:
    """Remove an account, which ends its sessions."""
    await request.app[keys.ACCOUNTS].remove_user(username)
