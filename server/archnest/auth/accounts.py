"""Local accounts: the first admin, signing in and out, roles and passwords."""

import contextlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv6Address

from archnest.auth.access import Identity
from archnest.auth.passwords import Passwords
from archnest.auth.sessions import Session, Sessions
from archnest.auth.throttle import Throttle, subjects
from archnest.config import Config
from archnest.errors import Conflict, Invalid, NotFound, NotSignedIn, WrongCredentials
from archnest.model.account import Account, AccountList, Me, Role, SignedIn, User
from archnest.store import users as store
from archnest.store.database import Database
from archnest.timestamps import rfc3339

Address = IPv4Address | IPv6Address | None
WRONG = "the username or the password is wrong"


class Accounts:
    """Everything that is done with accounts; open it with `Accounts.open`."""

    def __init__(self, database: Database, sessions: Sessions, passwords: Passwords) -> None:
        self.sessions = sessions
        self.setup_code: str | None = None
        """Proves the first admin; None as soon as there is an account."""
        self._database = database
        self._passwords = passwords
        self._throttle = Throttle(database)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, config: Config, database: Database) -> AsyncIterator["Accounts"]:
        """Load sessions and failures; `config` must come from `with_secrets`."""
        if config.jwt_secret is None:
            raise ValueError("the signing secret is missing")
        sessions = Sessions(config.jwt_secret, config.session_ttl_s, database)
        await sessions.load(time.time())
        accounts = cls(database, sessions, Passwords())
        await accounts._throttle.load()
        if not await store.has_users(database):
            accounts.setup_code = secrets.token_urlsafe(24)
        try:
            yield accounts
        finally:
            accounts._passwords.close()

    async def set_up(
        self, code: str, username: str, password: str, address: Address, now: float
    ) -> SignedIn:
        """Make the first admin and sign them in.

        Raises WrongCredentials for a wrong code, Conflict once there is an
        account and TooManyAttempts.
        """
        if self.setup_code is None:
            raise Conflict("the first admin has been made: sign in")
        tried = subjects("", address)
        self._throttle.check(tried, now)
        if not hmac.compare_digest(code.encode("utf-8", "replace"), self.setup_code.encode()):
            await self._throttle.fail(tried, now)
            raise WrongCredentials("the setup code is wrong: the server prints it at its start")
        hashed = await self._passwords.hash(password)
        user = await store.insert_user(
            self._database, username, "admin", hashed, now, only_first=True
        )
        self.setup_code = None
        return await self._sign_in(user, now)

    async def log_in(self, username: str, password: str, address: Address, now: float) -> SignedIn:
        """Start a session; raises WrongCredentials the same for every reason."""
        tried = subjects(username, address)
        self._throttle.check(tried, now)
        user = await store.user_named(self._database, username)
        if not await self._passwords.verify(user.password_hash if user else None, password):
            user = None
        if user is None:
            await self._throttle.fail(tried, now)
            raise WrongCredentials(WRONG)
        await self._throttle.succeed(tried)
        await self._strengthen(user, password)
        return await self._sign_in(user, now)

    async def renew(self, identity: Identity, now: float) -> SignedIn:
        """Let the session end later; raises NotSignedIn when it has ended."""
        renewed = await self.sessions.renew(identity.session_id or "", now)
        if renewed is None:
            raise NotSignedIn("the session has ended")
        return _signed_in(*renewed)

    async def log_out(self, identity: Identity) -> None:
        """End the session."""
        if identity.session_id is not None:
            await self.sessions.end(identity.session_id)

    def me(self, identity: Identity) -> Me:
        """Who the caller is; raises NotFound on the control socket."""
        if identity.session_id is None:
            raise NotFound("the local operator has no account")
        return Me(identity.username, identity.role, rfc3339(identity.expires_at))

    async def change_password(
        self, identity: Identity, current: str, new: str, address: Address, now: float
    ) -> None:
        """Change one's own password and end one's other sessions."""
        tried = subjects(identity.username, address)
        self._throttle.check(tried, now)
        user = await store.user_named(self._database, identity.username)
        if user is None or not await self._passwords.verify(user.password_hash, current):
            await self._throttle.fail(tried, now)
            raise WrongCredentials("the current password is wrong")
        hashed = await self._passwords.hash(new)
        user_id = await store.set_password(
            self._database, user.username, hashed, keep_session=identity.session_id
        )
        self.sessions.drop_user(user_id, keep=identity.session_id)

    async def list_users(self) -> AccountList:
        """Every account."""
        return AccountList(await store.all_users(self._database))

    async def add_user(self, username: str, password: str, role: Role) -> Account:
        """Add an account; raises Conflict when the name is taken."""
        hashed = await self._passwords.hash(password)
        now = time.time()
        await store.insert_user(self._database, username, role, hashed, now)
        self.setup_code = None
        return Account(username, role, rfc3339(now), None)

    async def change_user(self, username: str, role: Role | None, password: str | None) -> Account:
        """Change a role or reset a password, ending the user's sessions.

        Raises NotFound, Invalid when nothing is to change, or Conflict for the
        last admin.
        """
        if role is None and password is None:
            raise Invalid("name a role or a password to change")
        if password is not None:
            hashed = await self._passwords.hash(password)
            self.sessions.drop_user(await store.set_password(self._database, username, hashed))
        if role is not None:
            await self._change_role(username, role)
        accounts = await store.all_users(self._database)
        return next(one for one in accounts if one.username.lower() == username.lower())

    async def remove_user(self, username: str) -> None:
        """Remove an account, ending its sessions; raises NotFound or Conflict."""
        self.sessions.drop_user(await store.delete_user(self._database, username))

    async def _change_role(self, username: str, role: Role) -> None:
        before = await store.user_named(self._database, username)
        user_id = await store.set_role(self._database, username, role)
        if before is not None and before.role != role:
            self.sessions.drop_user(user_id)

    async def _sign_in(self, user: store.UserRow, now: float) -> SignedIn:
        return _signed_in(*await self.sessions.start(user.id, user.username, user.role, now))

    async def _strengthen(self, user: store.UserRow, password: str) -> None:
        if self._passwords.is_outdated(user.password_hash):
            stronger = await self._passwords.hash(password)
            await store.replace_hash(self._database, user.id, user.password_hash, stronger)


def _signed_in(token: str, session: Session) -> SignedIn:
    user = User(session.username, session.role)
    return SignedIn(token, rfc3339(session.expires_at), user)
