"""Local accounts: the first admin, signing in and out, roles and passwords.

A change of an account ends sessions and tokens in the moment in which it is
written: not before, since it may be refused, and not only when its caller
hears of it, since a write that was given up may yet be done. So whoever is let
in is what the database says, whatever the caller was answered.
"""

import contextlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from archnest.auth.access import Identity
from archnest.auth.access_tokens import AccessTokens, expiry
from archnest.auth.passwords import Passwords
from archnest.auth.sessions import Sessions
from archnest.auth.throttle import Throttle, subjects
from archnest.config import Config
from archnest.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, WrongCredentials
from archnest.model.access_token import NewAccessToken
from archnest.model.account import Account, AccountList, Me, Role, SignedIn, User
from archnest.store import users as store
from archnest.store.access_tokens import TokenRow
from archnest.store.database import Database
from archnest.store.sessions import Session
from archnest.timestamps import rfc3339

Address = IPv4Address | IPv6Address | None
WRONG = "the username or the password is wrong"


class Accounts:
    """Everything that is done with accounts; open it with `Accounts.open`."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        passwords: Passwords,
        access_tokens: AccessTokens,
    ) -> None:
        self.sessions = sessions
        self.access_tokens = access_tokens
        self.setup_code: str | None = None
        """Proves the first admin; None as soon as there is one."""
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
        now = time.time()
        await sessions.load(now)
        async with sessions.running(), AccessTokens.open(database, now) as access_tokens:
            accounts = cls(database, sessions, Passwords(), access_tokens)
            await accounts._throttle.load(now)
            if not await store.has_admin(database):
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
        admin or when the name is taken, and TooManyAttempts.
        """
        if self.setup_code is None:
            raise Conflict(store.HAS_ADMIN)
        async with self._throttle.attempt(subjects(None, address), now):
            if not hmac.compare_digest(code.encode("utf-8", "replace"), self.setup_code.encode()):
                raise WrongCredentials("the setup code is wrong: the server prints it at its start")
        hashed = await self._passwords.hash(password)
        user = await store.insert_user(
            self._database, username, "admin", hashed, now, only_first=True, then=self._close_setup
        )
        return await self._sign_in(user, now)

    async def log_in(self, username: str, password: str, address: Address, now: float) -> SignedIn:
        """Start a session; raises WrongCredentials the same for every reason."""
        async with self._throttle.attempt(subjects(username, address), now):
            user = await self._proven(username, password)
            if user is None:
                raise WrongCredentials(WRONG)
            return await self._sign_in(await self._strengthen(user, password), now)

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
        if not identity.username:
            raise NotFound("the local operator has no account")
        return Me(identity.username, identity.role, rfc3339(identity.expires_at))

    async def change_password(
        self, identity: Identity, current: str, new: str, address: Address, now: float
    ) -> None:
        """Change one's own password and end one's other sessions.

        Raises WrongCredentials, TooManyAttempts, and NotFound on the control socket.
        """
        if identity.session_id is None:
            raise NotFound("the local operator has no account")
        async with self._throttle.attempt(subjects(identity.username, address), now):
            user = await self._proven_anew(identity, current)
            hashed = await self._passwords.hash(new)
            kept = identity.session_id

            def end(replaced: bool) -> None:
                if replaced:
                    self.sessions.drop_user(user.id, keep=kept)

            if not await store.replace_password(self._database, user, hashed, kept, end):
                raise WrongCredentials("the password was changed meanwhile")

    async def create_access_token(
        self, identity: Identity, new: NewAccessToken, address: Address, now: float
    ) -> tuple[str, TokenRow]:
        """Make a token for the caller's programs; its text is shown only now.

        The password is asked again, or who finds an open session could make
        one that outlives it. Raises NotAllowed for a role above one's own,
        WrongCredentials, TooManyAttempts, Conflict for too many tokens, and
        NotFound on the control socket.
        """
        if not identity.username:
            raise NotFound("the local operator has no account")
        if new.role == "admin" and identity.role != "admin":
            raise NotAllowed("a token may not do more than you")
        async with self._throttle.attempt(subjects(identity.username, address), now):
            user = await self._proven_anew(identity, new.password)
            expires_at = expiry(new.expires_in_days, now)
            made = await self.access_tokens.create(user, new.name, new.role, expires_at, now)
            if made is None:
                raise WrongCredentials("the account was changed meanwhile")
            return made

    async def known_name(self, username: str) -> str | None:
        """The account's name as it is written, or None when there is none."""
        user = await store.user_named(self._database, username)
        return user.username if user is not None else None

    async def list_users(self) -> AccountList:
        """Every account."""
        return AccountList(await store.all_users(self._database))

    async def add_user(self, username: str, password: str, role: Role) -> Account:
        """Add an account; raises Conflict when the name is taken."""
        hashed = await self._passwords.hash(password)
        now = time.time()
        await store.insert_user(self._database, username, role, hashed, now, then=self._close_setup)
        return Account(username, role, rfc3339(now), None)

    async def change_user(self, username: str, role: Role | None, password: str | None) -> Account:
        """Change a role or reset a password, ending the user's sessions.

        A new password also ends the account's access tokens, and the wait after
        failed attempts at the old one; another role ends tokens above it.

        Raises NotFound, Invalid when nothing is to change, or Conflict for the
        last admin.
        """
        if role is None and password is None:
            raise Invalid("name a role or a password to change")
        hashed = await self._passwords.hash(password) if password is not None else None

        def end(changed: tuple[int, Account, bool]) -> None:
            user_id, account, ended = changed
            self._close_setup(account)
            if ended:
                self.sessions.drop_user(user_id)
                left = None if password is not None else account.role
                self.access_tokens.drop_user(user_id, left)

        _, account, _ = await store.change_user(self._database, username, role, hashed, end)
        if password is not None:
            await self._throttle.forgive(username)
        return account

    async def remove_user(self, username: str) -> str:
        """Remove an account, its sessions and tokens; gives its name as it was written.

        Raises NotFound or Conflict.
        """

        def end(removed: tuple[int, str]) -> None:
            self.sessions.drop_user(removed[0])
            self.access_tokens.drop_user(removed[0])

        _, name = await store.delete_user(self._database, username, end)
        return name

    def _close_setup(self, account: store.UserRow | Account) -> None:
        """Whoever is no admin leaves the way to the first one open."""
        if account.role == "admin":
            self.setup_code = None

    async def _proven(self, username: str, password: str) -> store.UserRow | None:
        """The account, if there is one and the password is right; both cost the same."""
        user = await store.user_named(self._database, username)
        stored = user.password_hash if user is not None else None
        return user if await self._passwords.verify(stored, password) else None

    async def _proven_anew(self, identity: Identity, password: str) -> store.UserRow:
        """The caller's account; raises WrongCredentials unless this is its password."""
        user = await self._proven(identity.username, password)
        if user is None:
            raise WrongCredentials("the current password is wrong")
        return user

    async def _sign_in(self, user: store.UserRow, now: float) -> SignedIn:
        started = await self.sessions.start(user, now)
        if started is None:
            raise WrongCredentials(WRONG)
        return _signed_in(*started)

    async def _strengthen(self, user: store.UserRow, password: str) -> store.UserRow:
        """Hash a password anew that was hashed with weaker parameters."""
        if not self._passwords.is_outdated(user.password_hash):
            return user
        stronger = await self._passwords.hash(password)
        if not await store.replace_hash(self._database, user, stronger):
            return user
        return replace(user, password_hash=stronger)


def _signed_in(token: str, session: Session) -> SignedIn:
    user = User(session.username, session.role)
    return SignedIn(token, rfc3339(session.expires_at), user)
