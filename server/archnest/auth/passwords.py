"""Passwords as argon2id hashes, computed beside the event loop.

One hash takes 64 MiB and tens of milliseconds (RFC 9106's second
recommended option, argon2-cffi's default), so at most two are computed at
once and a bounded number may wait.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

from archnest.errors import TooManyAttempts

AT_ONCE = 2
MAX_WAITING = 20

T = TypeVar("T")


class Passwords:
    """Hashes and verifies; close it when done."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._waiting = 0
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store; raises TooManyAttempts when too many wait."""
        return await self._run(lambda: self._hasher.hash(password.encode("utf-8", "replace")))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password fits; an unknown user (None) costs the same time."""
        return await self._run(lambda: self._verify(stored, password))

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Stop the threads; what they compute is no longer wanted."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        secret = password.encode("utf-8", "replace")
        if self._dummy is None:
            self._dummy = self._hasher.hash("nobody has this password")
        try:
            self._hasher.verify(stored if stored is not None else self._dummy, secret)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return stored is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= AT_ONCE + MAX_WAITING:
            raise TooManyAttempts("too many sign-ins at once", retry_after_s=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
