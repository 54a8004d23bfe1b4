"""Tokens that people carry away: `<prefix>_<id>_<secret>`; pure but for chance.

The prefix says what a found token opens, the id names it in lists and records,
and only the secret proves it. A word of letters and digits is selected whole
by a double click.
"""

import hashlib
import hmac
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_ID_CHARACTERS = 10
_SECRET_CHARACTERS = 40
"""238 bits: nobody guesses them, so a fast hash without salt keeps them."""


def mint(prefix: str) -> tuple[str, str]:
    """A new token's id and the whole token."""
    token_id, secret = _random(_ID_CHARACTERS), _random(_SECRET_CHARACTERS)
    return token_id, f"{prefix}_{token_id}_{secret}"


def id_of(token: str, prefix: str) -> str | None:
    """The id of a token of this kind; None for any other text."""
    parts = token.split("_")
    if len(parts) != 3 or parts[0] != prefix:
        return None
    return parts[1]


def hash_of(token: str) -> str:
    """What is kept of a token: SHA-256 in hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def is_right(token: str, kept_hash: str) -> bool:
    """Whether it is the token of this hash, in constant time."""
    return hmac.compare_digest(hash_of(token), kept_hash)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
