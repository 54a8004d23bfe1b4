"""Local accounts, sessions and what people send about them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Role = Literal["admin", "member"]
Username = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z",
        description="1 to 64 of A-Z a-z 0-9 . _ @ - beginning with a letter or digit",
    ),
]
NewPassword = Annotated[str, Meta(min_length=8, max_length=1024)]
AnyPassword = Annotated[str, Meta(max_length=1024)]


class Setup(Struct, frozen=True):
    """The first admin, proven by the code the server printed."""

    code: Annotated[str, Meta(max_length=256)]
    username: Username
    password: NewPassword


class Credentials(Struct, frozen=True):
    """What a person types to sign in; any text, so that all failures look alike."""

    username: Annotated[str, Meta(max_length=256)]
    password: AnyPassword


class User(Struct, rename="camel", frozen=True):
    """An account as others may see it."""

    username: str
    role: Role


class SignedIn(Struct, rename="camel", frozen=True):
    """A fresh session; `token` goes into `Authorization: Bearer`."""

    token: str
    expires_at: str
    user: User


class Me(Struct, rename="camel", frozen=True):
    """Who the bearer of the token is, and until when."""

    username: str
    role: Role
    expires_at: str


class PasswordChange(Struct, rename="camel", frozen=True):
    """A change of one's own password."""

    current_password: AnyPassword
    new_password: NewPassword


class Account(Struct, rename="camel", frozen=True):
    """An account in the admin's list."""

    username: str
    role: Role
    created_at: str
    last_login_at: str | None


class AccountList(Struct, frozen=True):
    """Every account, by username."""

    users: list[Account]


class NewAccount(Struct, frozen=True):
    """An account to make."""

    username: Username
    password: NewPassword
    role: Role = "member"


class AccountChange(Struct, frozen=True):
    """What to change of an account; what is absent stays."""

    role: Role | None = None
    password: NewPassword | None = None
