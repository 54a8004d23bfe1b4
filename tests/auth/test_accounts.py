"""What accounts promise also holds while several things happen at once."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import argon2
import pytest

from archnest.auth.access import LOCAL_OPERATOR, Identity
from archnest.auth.access_tokens import AccessTokens
from archnest.auth.accounts import Accounts
from archnest.auth.passwords import Passwords
from archnest.auth.sessions import Sessions
from archnest.config import Config
from archnest.errors import Conflict, NotFound, NotSignedIn, WrongCredentials
from archnest.model.access_token import NewAccessToken
from archnest.model.account import SignedIn
from archnest.store.database import Database
from archnest.store.users import UserRow, user_named
from tests.auth.conftest import NOW, PASSWORD, all_written, given_up
from tests.factories import QUICK

NEW = "battery staple horse"


class GatedHasher(argon2.PasswordHasher):
    """Once told to hold, verifies only when let go."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.arrived = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.arrived.set()
        assert self.let_go.wait(30)
        return super().verify(hash, password)


@pytest.fixture
def hasher() -> GatedHasher:
    return GatedHasher()


@pytest.fixture
async def accounts(
    database: Database, sessions: Sessions, hasher: GatedHasher, access_tokens: AccessTokens
) -> AsyncIterator[Accounts]:
    passwords = Passwords(hasher)
    yield Accounts(database, sessions, passwords, access_tokens)
    hasher.let_go.set()
    passwords.close()


async def live_sessions(database: Database) -> int:
    return len(await database.read("SELECT id FROM sessions"))


def identity_of(accounts: Accounts, signed_in: SignedIn) -> Identity:
    session = accounts.sessions.find(signed_in.token)
    assert session is not None
    return Identity(session.username, session.role, session.id, session.expires_at)


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts: accounts.change_user("mel", "admin", None),
        lambda accounts: accounts.change_user("mel", None, NEW),
        lambda accounts: accounts.remove_user("mel"),
    ],
    ids=["role", "password", "removal"],
)
async def test_a_change_of_the_account_stops_a_sign_in_under_way(
    accounts: Accounts,
    hasher: GatedHasher,
    ada: UserRow,
    mel: UserRow,
    database: Database,
    change: Callable[[Accounts], Awaitable[object]],
) -> None:
    hasher.let_go.clear()
    signing_in = asyncio.create_task(accounts.log_in("mel", PASSWORD, None, time.time()))
    await asyncio.to_thread(hasher.arrived.wait, 30)
    await change(accounts)
    hasher.let_go.set()
    with pytest.raises(WrongCredentials):
        await signing_in
    assert await live_sessions(database) == 0


async def test_a_password_reset_stops_the_owners_change_under_way(
    accounts: Accounts, hasher: GatedHasher, mel: UserRow, database: Database
) -> None:
    identity = identity_of(accounts, await accounts.log_in("mel", PASSWORD, None, time.time()))
    hasher.arrived.clear()
    hasher.let_go.clear()
    change = accounts.change_password(identity, PASSWORD, "chosen by a thief", None, time.time())
    changing = asyncio.create_task(change)
    await asyncio.to_thread(hasher.arrived.wait, 30)
    await accounts.change_user("mel", None, NEW)
    hasher.let_go.set()
    with pytest.raises(WrongCredentials):
        await changing
    user = await user_named(database, "mel")
    assert user is not None
    assert QUICK.verify(user.password_hash, NEW)


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts: accounts.change_user("eve", "member", None),
        lambda accounts: accounts.change_user("eve", None, NEW),
        lambda accounts: accounts.remove_user("eve"),
    ],
    ids=["role", "password", "removal"],
)
async def test_a_change_that_was_given_up_ends_sessions_and_tokens_when_it_is_done(
    accounts: Accounts,
    ada: UserRow,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Accounts], Awaitable[object]],
) -> None:
    await accounts.add_user("eve", PASSWORD, "admin")
    signed_in = await accounts.log_in("eve", PASSWORD, None, time.time())
    eve = identity_of(accounts, signed_in)
    new = NewAccessToken(name="script", password=PASSWORD, role="admin")
    token, _ = await accounts.create_access_token(eve, new, None, NOW)
    async with given_up(database, monkeypatch):
        await change(accounts)
    await all_written(database)
    assert await live_sessions(database) == 0
    assert accounts.sessions.find(signed_in.token) is None
    assert accounts.access_tokens.find(token, None, NOW) is None


async def test_a_password_change_that_was_given_up_ends_the_other_sessions_when_it_is_done(
    accounts: Accounts, mel: UserRow, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = [await accounts.log_in("mel", PASSWORD, None, time.time()) for _ in "ab"]
    async with given_up(database, monkeypatch):
        await accounts.change_password(
            identity_of(accounts, here), PASSWORD, NEW, None, time.time()
        )
    await all_written(database)
    assert await live_sessions(database) == 1
    assert accounts.sessions.find(there.token) is None
    assert accounts.sessions.find(here.token) is not None


async def test_a_change_that_is_refused_ends_nothing(
    accounts: Accounts, ada: UserRow, database: Database
) -> None:
    signed_in = await accounts.log_in("ada", PASSWORD, None, time.time())
    with pytest.raises(Conflict):
        await accounts.change_user("ada", "member", None)
    with pytest.raises(Conflict):
        await accounts.remove_user("ada")
    assert accounts.sessions.find(signed_in.token) is not None


async def test_two_admins_who_remove_each_other_at_once_leave_one(
    accounts: Accounts, database: Database
) -> None:
    for name in ("ada", "eve"):
        await accounts.add_user(name, PASSWORD, "admin")
    outcomes = await asyncio.gather(
        accounts.remove_user("ada"), accounts.remove_user("eve"), return_exceptions=True
    )
    assert [type(one) for one in outcomes if isinstance(one, Exception)] == [Conflict]
    assert len((await accounts.list_users()).users) == 1


async def test_two_admins_who_demote_each_other_at_once_leave_one(accounts: Accounts) -> None:
    for name in ("ada", "eve"):
        await accounts.add_user(name, PASSWORD, "admin")
    outcomes = await asyncio.gather(
        accounts.change_user("ada", "member", None),
        accounts.change_user("eve", "member", None),
        return_exceptions=True,
    )
    assert [type(one) for one in outcomes if isinstance(one, Exception)] == [Conflict]
    roles = [account.role for account in (await accounts.list_users()).users]
    assert sorted(roles) == ["admin", "member"]


async def test_two_set_ups_at_once_make_one_admin(accounts: Accounts) -> None:
    accounts.setup_code = "the code"
    outcomes = await asyncio.gather(
        accounts.set_up("the code", "ada", PASSWORD, None, time.time()),
        accounts.set_up("the code", "eve", PASSWORD, None, time.time()),
        return_exceptions=True,
    )
    # Whose password was hashed first comes first.
    (winner,) = [one for one in outcomes if isinstance(one, SignedIn)]
    (loser,) = [one for one in outcomes if not isinstance(one, SignedIn)]
    assert isinstance(loser, Conflict)
    names = [one.username for one in (await accounts.list_users()).users]
    assert names == [winner.user.username]


async def test_the_setup_code_is_new_with_each_start_and_gone_with_the_first_admin(
    config: Config, database: Database
) -> None:
    codes = set()
    for _ in range(2):
        async with Accounts.open(config, database) as started:
            assert started.setup_code is not None
            assert len(started.setup_code) >= 32
            codes.add(started.setup_code)
    assert len(codes) == 2
    async with Accounts.open(config, database) as started:
        await started.add_user("ada", PASSWORD, "admin")
        assert started.setup_code is None
    async with Accounts.open(config, database) as started:
        assert started.setup_code is None


@pytest.mark.parametrize("how", ["set up", "promoted"])
async def test_the_setup_code_is_good_until_there_is_an_admin(
    config: Config, database: Database, how: str
) -> None:
    async with Accounts.open(config, database) as started:
        await started.add_user("mel", PASSWORD, "member")
        assert started.setup_code is not None
    async with Accounts.open(config, database) as started:
        code = started.setup_code
        assert code is not None
        await started.change_user("mel", None, NEW)
        assert started.setup_code == code
        if how == "set up":
            with pytest.raises(Conflict, match="taken"):
                await started.set_up(code, "mel", PASSWORD, None, time.time())
            made = await started.set_up(code, "ada", PASSWORD, None, time.time())
            assert made.user.role == "admin"
        else:
            await started.change_user("mel", "admin", None)
        assert started.setup_code is None
        with pytest.raises(Conflict, match="has been made"):
            await started.set_up(code, "eve", PASSWORD, None, time.time())


async def test_a_hash_of_other_parameters_is_replaced_at_the_next_sign_in(
    accounts: Accounts, database: Database, mel: UserRow
) -> None:
    other = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)

    def put(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE users SET password_hash = ?", (other,))

    await database.write(put)
    for _ in range(2):
        signed_in = await accounts.log_in("mel", PASSWORD, None, time.time())
        assert accounts.sessions.find(signed_in.token) is not None
    user = await user_named(database, "mel")
    assert user is not None
    assert argon2.extract_parameters(user.password_hash).time_cost == 1
    assert QUICK.verify(user.password_hash, PASSWORD)


async def test_the_same_role_again_ends_no_session(
    accounts: Accounts, mel: UserRow, database: Database
) -> None:
    signed_in = await accounts.log_in("mel", PASSWORD, None, time.time())
    await accounts.change_user("mel", "member", None)
    assert accounts.sessions.find(signed_in.token) is not None
    assert await live_sessions(database) == 1


async def test_a_session_that_ended_meanwhile_is_not_renewed(
    accounts: Accounts, mel: UserRow
) -> None:
    identity = identity_of(accounts, await accounts.log_in("mel", PASSWORD, None, time.time()))
    await accounts.log_out(identity)
    with pytest.raises(NotSignedIn):
        await accounts.renew(identity, time.time())


async def test_the_local_operator_has_no_password_of_its_own(
    accounts: Accounts, ada: UserRow
) -> None:
    operator = LOCAL_OPERATOR
    with pytest.raises(NotFound):
        accounts.me(operator)
    with pytest.raises(NotFound):
        await accounts.change_password(operator, PASSWORD, NEW, None, NOW)
    await accounts.log_out(operator)
