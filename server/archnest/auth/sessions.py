"""Sessions: signed tokens that a logout or a change of the account really ends.

A token is a JWT (HS256) that names a session; the session itself is a row,
held in memory too, so that checking one costs a signature and a look-up.

A session that is signed out is over from that moment, whatever the database
says: nobody can ask for its end a second time. Where that cannot be written,
it is tried again until it is; only a server that dies first has the session
again.
"""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from archnest.auth.hmac_jwt import InvalidTokenError, PyJWT
from archnest.errors import StoreUnavailable
from archnest.store import sessions as store
from archnest.store.database import Database
from archnest.store.sessions import Session
from archnest.store.users import UserRow
from archnest.tasks import repeated

ALGORITHM = "HS256"
MAX_PER_USER = 50
"""Sessions one account may have at once; a further one ends the oldest."""
LONGEST_S = 90 * 86_400.0
"""No renewal reaches further from the sign-in, or a stolen session could be kept for ever."""
END_AGAIN_S = 10.0
MAX_TOKEN_CHARACTERS = 2_048
MAX_VERIFIED = 10_000
"""Tokens whose signature is remembered as checked; a page polls with the same one."""


class Sessions:
    """Every live session of the server."""

    def __init__(self, secret: bytes, ttl_s: int, database: Database) -> None:
        self._jwt = PyJWT(options={"enforce_minimum_key_length": True})
        self._secret = secret
        self._ttl_s = ttl_s
        self._database = database
        self._live: dict[str, Session] = {}
        self._ending: set[str] = set()
        """Sessions that are over, but whose rows are still there."""
        self._verified: dict[str, tuple[str, float]] = {}

    async def load(self, now: float) -> None:
        """Take up the sessions that were live when the server stopped."""
        await store.delete_expired(self._database, now)
        self._live = {one.id: one for one in await store.all_sessions(self._database)}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Try again to write ends that could not be written, until left and then a last time."""
        async with repeated(self._end_again, END_AGAIN_S, "ends of sessions"):
            yield

    async def start(self, user: UserRow, now: float) -> tuple[str, Session] | None:
        """A new session with its token; None if the account was changed meanwhile."""
        session = Session(
            secrets.token_urlsafe(18), user.id, user.username, user.role, now, now + self._ttl_s
        )
        ended = self._expired(now) + self._surplus(user.id)

        def begin(saved: bool) -> None:
            # A change of the account that is written later drops it later, too.
            if saved:
                for session_id in ended:
                    self._live.pop(session_id, None)
                self._live[session.id] = session

        if not await store.save_session(self._database, session, user.password_hash, ended, begin):
            return None
        return self._sign(session, now), session

    async def renew(self, session_id: str, now: float) -> tuple[str, Session] | None:
        """The same session with a new token and an end that is later, as far as LONGEST_S

        allows; None if it has ended.
        """
        session = self._live.get(session_id)
        if session is None:
            return None
        latest = max(session.created_at + LONGEST_S, session.expires_at)
        renewed = replace(session, expires_at=min(now + self._ttl_s, latest))
        await store.extend_session(self._database, session_id, renewed.expires_at)
        if session_id not in self._live:
            return None
        self._live[session_id] = renewed
        return self._sign(renewed, now), renewed

    async def end(self, session_id: str) -> None:
        """End one session for good; raises StoreUnavailable while that does not outlast a death."""
        self._live.pop(session_id, None)
        self._ending.add(session_id)
        await self._delete([session_id])

    def drop_user(self, user_id: int, *, keep: str | None = None) -> None:
        """Forget a user's sessions whose rows a change of the account has deleted."""
        for session_id in [one.id for one in self._live.values() if one.user_id == user_id]:
            if session_id != keep:
                self._live.pop(session_id, None)

    def find(self, token: str) -> Session | None:
        """The live session a token names; None for anything else at all."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            return None
        known = self._verified.get(token)
        if known is None:
            known = self._verify(token)
            if known is None:
                return None
            if len(self._verified) >= MAX_VERIFIED:
                self._verified.clear()
            self._verified[token] = known
        session_id, expires_at = known
        if expires_at <= time.time():
            return None
        return self._live.get(session_id)

    def live(self, session_id: str, now: float) -> Session | None:
        """The session as it is now, or None when it has ended."""
        session = self._live.get(session_id)
        return session if session is not None and session.expires_at > now else None

    async def _end_again(self) -> None:
        if self._ending:
            with contextlib.suppress(StoreUnavailable):
                await self._delete(list(self._ending))

    async def _delete(self, ended: list[str]) -> None:
        await store.delete_sessions(
            self._database, ended, lambda _: self._ending.difference_update(ended)
        )

    def _verify(self, token: str) -> tuple[str, float] | None:
        """The session a token names and its expiry, if the signature is ours."""
        try:
            claims = self._jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                # A clock set back after the sign-in must not end the session.
                options={"require": ["exp", "iat", "sub", "jti"], "verify_iat": False},
            )
        except (InvalidTokenError, ValueError, RecursionError):
            return None
        session = self._live.get(str(claims["jti"]))
        if session is None or str(session.user_id) != claims["sub"]:
            return None
        return session.id, float(claims["exp"])

    def _sign(self, session: Session, now: float) -> str:
        claims = {
            "sub": str(session.user_id),
            "jti": session.id,
            "iat": int(now),
            "exp": int(session.expires_at),
        }
        return self._jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def _expired(self, now: float) -> list[str]:
        return [one.id for one in self._live.values() if one.expires_at <= now]

    def _surplus(self, user_id: int) -> list[str]:
        own = sorted(
            (one for one in self._live.values() if one.user_id == user_id),
            key=lambda one: one.created_at,
        )
        return [one.id for one in own[: max(0, len(own) - MAX_PER_USER + 1)]]
