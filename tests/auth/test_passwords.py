"""Hashing costs what it should, beside the event loop, and no more than the machine has."""

import asyncio
import threading
from collections.abc import AsyncIterator

import argon2
import pytest

from archnest.auth.passwords import AT_ONCE, MAX_WAITING, Passwords
from archnest.errors import TooManyAttempts
from tests.auth.conftest import PASSWORD
from tests.factories import QUICK


class HeldHasher(argon2.PasswordHasher):
    """Verifies nothing before it is let go, and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.let_go = threading.Event()
        self.running = 0
        self.most = 0
        self.verified: list[argon2.Parameters] = []
        self._counting = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        with self._counting:
            self.running += 1
            self.most = max(self.most, self.running)
            self.verified.append(argon2.extract_parameters(str(hash)))
        try:
            assert self.let_go.wait(30)
            return super().verify(hash, password)
        finally:
            with self._counting:
                self.running -= 1


@pytest.fixture
def hasher() -> HeldHasher:
    return HeldHasher()


@pytest.fixture
async def held(hasher: HeldHasher) -> AsyncIterator[Passwords]:
    passwords = Passwords(hasher)
    yield passwords
    hasher.let_go.set()
    passwords.close()


async def test_a_password_is_stored_as_a_salted_argon2id_hash() -> None:
    passwords = Passwords()
    first, second = await asyncio.gather(passwords.hash(PASSWORD), passwords.hash(PASSWORD))
    parameters = argon2.extract_parameters(first)
    assert (parameters.type, parameters.memory_cost) == (argon2.Type.ID, 65_536)
    assert first != second
    assert PASSWORD not in first
    passwords.close()


async def test_only_the_right_password_fits(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)
    assert await passwords.verify(stored, PASSWORD)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), stored):
        assert not await passwords.verify(stored, wrong)


async def test_no_password_fits_an_unknown_user(passwords: Passwords) -> None:
    for guess in ("", PASSWORD, "nobody has this password"):
        assert not await passwords.verify(None, guess)


async def test_an_unknown_user_costs_the_same_as_a_known_one(
    held: Passwords, hasher: HeldHasher
) -> None:
    hasher.let_go.set()
    await held.verify(await held.hash(PASSWORD), "wrong")
    await held.verify(None, "wrong")
    known, unknown = hasher.verified
    assert known == unknown


async def test_a_damaged_hash_fits_nothing(passwords: Passwords) -> None:
    for damaged in ("", "plain text", "$argon2id$v=19$m=8,t=1,p=1$AAAA", "$argon2id$" * 50):
        assert not await passwords.verify(damaged, PASSWORD)


async def test_the_longest_password_counts_to_its_last_character(passwords: Passwords) -> None:
    longest = "𝕡" * 1024
    stored = await passwords.hash(longest)
    assert await passwords.verify(stored, longest)
    assert not await passwords.verify(stored, longest[:-1] + "𝕢")


async def test_hashing_leaves_the_event_loop_free(held: Passwords, hasher: HeldHasher) -> None:
    verified = asyncio.create_task(held.verify(QUICK.hash(PASSWORD), PASSWORD))
    while not hasher.running:
        await asyncio.sleep(0)
    assert not verified.done()
    hasher.let_go.set()
    assert await verified


async def test_two_are_computed_at_once_and_only_so_many_may_wait(
    held: Passwords, hasher: HeldHasher
) -> None:
    stored = QUICK.hash(PASSWORD)
    tasks = [
        asyncio.create_task(held.verify(stored, PASSWORD)) for _ in range(AT_ONCE + MAX_WAITING)
    ]
    # One thread could do it all before the other has begun.
    while hasher.running < AT_ONCE:
        await asyncio.sleep(0)
    with pytest.raises(TooManyAttempts) as refusal:
        await held.verify(stored, PASSWORD)
    assert refusal.value.retry_after_s
    hasher.let_go.set()
    assert all(await asyncio.gather(*tasks))
    assert hasher.most == AT_ONCE
    assert await held.verify(stored, PASSWORD)


async def test_a_hash_with_other_parameters_is_outdated(passwords: Passwords) -> None:
    assert not passwords.is_outdated(await passwords.hash(PASSWORD))
    assert passwords.is_outdated(
        argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    )
