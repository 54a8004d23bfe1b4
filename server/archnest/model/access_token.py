"""Access tokens, with which programs use the API for a person."""

from typing import Annotated

from msgspec import Meta, Struct

from archnest.model.account import AnyPassword, Role

TokenName = Annotated[
    str,
    Meta(
        pattern=r"^\S([^\x00-\x1f\x7f]{0,62}\S)?\Z",
        description="1 to 64 characters, no space at either end, no control characters",
    ),
]
MAX_DAYS = 3_650


class AccessToken(Struct, rename="camel", frozen=True):
    """A token without its secret; `last_used_at` and `last_address` are null until it is used."""

    id: str
    name: str
    username: str
    """Whose it is."""
    role: Role
    created_at: str
    expires_at: str
    last_used_at: str | None
    last_address: str | None


class AccessTokenList(Struct, frozen=True):
    """The caller's tokens, for an admin everyone's, the newest first."""

    tokens: list[AccessToken]


class NewAccessToken(Struct, rename="camel", frozen=True):
    """A token to make; `password` is the caller's own."""

    name: TokenName
    password: AnyPassword
    role: Role = "member"
    expires_in_days: Annotated[int, Meta(ge=1, le=MAX_DAYS)] = 90


class CreatedAccessToken(AccessToken, rename="camel", frozen=True, kw_only=True):
    """A fresh token; `token` is shown this once and goes into `Authorization: Bearer`."""

    token: str
