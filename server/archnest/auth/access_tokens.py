"""Access tokens: what programs show in place of a person's session.

A token may never more than its role, its role is never above its owner's, and
it ends with its owner. All are held in memory, so that checking one costs a
hash and a look-up; when it was last used is written once in a while.

A revoked token is let in no more from that moment, but stays listed until its
end is written: where the database refuses that, it can be revoked again, for
the next start would let it in.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from archnest.auth.last_uses import LastUses
from archnest.auth.secret_tokens import hash_of, id_of, is_right, mint
from archnest.errors import NotFound
from archnest.model.account import Role
from archnest.store import access_tokens as store
from archnest.store.access_tokens import TokenRow
from archnest.store.database import Database
from archnest.store.users import UserRow

PREFIX = "anp"
KEPT_EXPIRED_S = 30 * 86_400
"""So long an expired token stays listed, so that its owner sees why a program stopped."""


class AccessTokens:
    """Every access token; open it with `AccessTokens.open`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens: dict[str, TokenRow] = {}
        self._ending: set[str] = set()
        """Revoked ones whose rows are still there."""
        self._uses = LastUses(database, "access_tokens")

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, database: Database, now: float) -> AsyncIterator["AccessTokens"]:
        """Load them and note their uses until left."""
        await store.delete_expired_before(database, now - KEPT_EXPIRED_S)
        tokens = cls(database)
        tokens._tokens = {one.id: one for one in await store.all_tokens(database)}
        async with tokens._uses.running():
            yield tokens

    async def create(
        self, user: UserRow, name: str, role: Role, expires_at: float, now: float
    ) -> tuple[str, TokenRow] | None:
        """A new token, shown only now, and its row; None if the account was changed meanwhile.

        Raises Conflict when the account has too many.
        """
        token_id, token = mint(PREFIX)
        row = TokenRow(
            token_id, user.id, user.username, name, role, hash_of(token), now, expires_at
        )

        def begin(stored: bool) -> None:
            # A demotion that is written later drops it later, too.
            if stored:
                self._tokens[token_id] = row

        if not await store.insert_token(self._database, row, user.password_hash, begin):
            return None
        return token, row

    def all(self) -> list[TokenRow]:
        """Every token with its last use, the newest first."""
        return [self._used(one) for one in reversed(self._tokens.values())]

    def get(self, token_id: str) -> TokenRow:
        """The token with this id; raises NotFound."""
        found = self._tokens.get(token_id)
        if found is None:
            raise NotFound("no access token has this id")
        return found

    async def revoke(self, token_id: str) -> None:
        """End a token at once; raises StoreUnavailable while that does not outlast a restart."""
        self._ending.add(token_id)
        await store.delete_token(self._database, token_id, lambda _: self._forget(token_id))

    def drop_user(self, user_id: int, role: Role | None = None) -> None:
        """Forget tokens whose rows a change of the account has deleted.

        All when the account is gone, else those above its role.
        """
        for one in [one for one in self._tokens.values() if one.user_id == user_id]:
            if role is None or (one.role == "admin" and role != "admin"):
                self._forget(one.id)

    def find(self, token: str, address: str | None, now: float) -> TokenRow | None:
        """The live token that this is; None for anything else at all."""
        found = self._tokens.get(id_of(token, PREFIX) or "")
        if found is None or not is_right(token, found.token_hash):
            return None
        if found.id in self._ending or found.expires_at <= now:
            return None
        self._uses.note(found.id, now, address)
        return found

    def _forget(self, token_id: str) -> None:
        """Its row is gone."""
        self._tokens.pop(token_id, None)
        self._ending.discard(token_id)
        self._uses.forget(token_id)

    def _used(self, token: TokenRow) -> TokenRow:
        used = self._uses.of(token)
        return replace(token, last_used_at=used[0], last_address=used[1]) if used else token


def is_access_token(token: str) -> bool:
    """Whether a bearer token is of this kind, and so is no session."""
    return token.startswith(f"{PREFIX}_")


def expiry(days: int, now: float | None = None) -> float:
    """When a token made now expires, unix seconds."""
    return (time.time() if now is None else now) + days * 86_400
