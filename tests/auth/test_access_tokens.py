"""Access tokens: what they open, for how long, and what ends them."""

import asyncio
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archnest.auth import last_uses
from archnest.auth.access import Access, Gate
from archnest.auth.access_tokens import AccessTokens, expiry
from archnest.auth.agent_tokens import AgentTokens
from archnest.auth.secret_tokens import hash_of, id_of, is_right, mint
from archnest.auth.sessions import Sessions
from archnest.config import Config
from archnest.errors import Conflict, NotAllowed, NotSignedIn, StoreUnavailable
from archnest.model.account import Role
from archnest.store import users
from archnest.store.access_tokens import MAX_PER_USER, all_tokens
from archnest.store.database import Database
from archnest.store.users import UserRow
from tests.auth.conftest import NOW, locked

WEEK_S = 7 * 86_400


async def made(
    tokens: AccessTokens, user: UserRow, role: Role = "member", name: str = "script"
) -> str:
    created = await tokens.create(user, name, role, NOW + WEEK_S, NOW)
    assert created is not None
    return created[0]


async def test_only_a_hash_is_stored(
    access_tokens: AccessTokens, ada: UserRow, database: Database
) -> None:
    token = await made(access_tokens, ada)
    assert token.startswith("anp_")
    dump = "".join(str(tuple(row)) for row in await database.read("SELECT * FROM access_tokens"))
    assert token.rpartition("_")[2] not in dump
    assert hash_of(token) in dump


async def test_a_token_ends_at_its_expiry(access_tokens: AccessTokens, ada: UserRow) -> None:
    token = await made(access_tokens, ada)
    assert access_tokens.find(token, None, NOW + WEEK_S - 1) is not None
    assert access_tokens.find(token, None, NOW + WEEK_S) is None


async def test_a_wrong_secret_with_a_right_id_opens_nothing(
    access_tokens: AccessTokens, ada: UserRow
) -> None:
    token = await made(access_tokens, ada)
    head, _, secret = token.rpartition("_")
    for wrong in (f"{head}_{secret[:-1]}", f"{head}_{secret}x", f"{head}_", head, "anp__", "anp_"):
        assert access_tokens.find(wrong, None, NOW) is None


@given(st.text())
def test_no_other_text_has_an_id_or_is_right(text: str) -> None:
    _, token = mint("anp")
    assert id_of(text, "anp") is None or text.startswith("anp_")
    assert is_right(token, hash_of(token))
    assert not is_right(text, hash_of(token))


async def test_a_revoked_token_ends_at_once_and_for_good(
    access_tokens: AccessTokens, ada: UserRow, database: Database
) -> None:
    token = await made(access_tokens, ada)
    await access_tokens.revoke(access_tokens.all()[0].id)
    assert access_tokens.find(token, None, NOW) is None
    async with AccessTokens.open(database, NOW) as restarted:
        assert restarted.find(token, None, NOW) is None


async def test_a_revocation_that_was_refused_lets_no_one_in_and_is_written_by_the_next_try(
    access_tokens: AccessTokens, ada: UserRow, config: Config, database: Database
) -> None:
    token = await made(access_tokens, ada)
    [row] = access_tokens.all()
    async with locked(database, config):
        with pytest.raises(StoreUnavailable):
            await access_tokens.revoke(row.id)
    assert access_tokens.find(token, None, NOW) is None
    assert access_tokens.get(row.id) == row
    await access_tokens.revoke(row.id)
    assert access_tokens.all() == []
    async with AccessTokens.open(database, NOW) as restarted:
        assert restarted.find(token, None, NOW) is None


async def test_tokens_and_their_last_use_survive_a_restart(
    database: Database, ada: UserRow
) -> None:
    async with AccessTokens.open(database, NOW) as tokens:
        token = await made(tokens, ada)
        tokens.find(token, "192.0.2.7", NOW + 60)
    async with AccessTokens.open(database, NOW) as restarted:
        [row] = restarted.all()
        assert (row.last_used_at, row.last_address) == (NOW + 60, "192.0.2.7")
        assert restarted.find(token, None, NOW) is not None


async def test_the_last_use_is_written_while_the_server_runs(
    database: Database, ada: UserRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_uses, "NOTE_S", 0.01)
    async with AccessTokens.open(database, NOW) as tokens:
        tokens.find(await made(tokens, ada), "192.0.2.7", NOW + 60)
        async with asyncio.timeout(10):
            while (await all_tokens(database))[0].last_address != "192.0.2.7":
                await asyncio.sleep(0.01)


async def test_expired_tokens_are_listed_for_a_while_and_then_deleted(
    database: Database, ada: UserRow
) -> None:
    async with AccessTokens.open(database, NOW) as tokens:
        await made(tokens, ada)
    async with AccessTokens.open(database, NOW + WEEK_S + 86_400) as tokens:
        assert len(tokens.all()) == 1
    async with AccessTokens.open(database, NOW + WEEK_S + 31 * 86_400) as tokens:
        assert tokens.all() == []


async def test_a_demoted_users_token_is_not_made(
    access_tokens: AccessTokens, ada: UserRow, mel: UserRow, database: Database
) -> None:
    await users.change_user(database, "mel", "admin", None)
    await users.change_user(database, "ada", "member", None)
    assert await access_tokens.create(ada, "late", "admin", expiry(1, NOW), NOW) is None
    assert await access_tokens.create(ada, "mine", "member", expiry(1, NOW), NOW) is not None


async def test_an_account_has_only_so_many(access_tokens: AccessTokens, ada: UserRow) -> None:
    for _ in range(MAX_PER_USER):
        await made(access_tokens, ada)
    with pytest.raises(Conflict):
        await made(access_tokens, ada)


async def test_the_gate_knows_a_programs_role_and_where_a_session_is_needed(
    access_tokens: AccessTokens, agent_tokens: AgentTokens, sessions: Sessions, ada: UserRow
) -> None:
    gate = Gate(None, [], sessions, access_tokens, agent_tokens)
    created = await access_tokens.create(ada, "reader", "member", expiry(1), NOW)
    assert created is not None
    header = f"Bearer {created[0]}"
    identity = gate.admit_user(header, Access.MEMBER, IPv4Address("192.0.2.7"))
    assert (identity.username, identity.role) == ("ada", "member")
    assert (identity.session_id, identity.token_name) == (None, "reader")
    assert access_tokens.all()[0].last_address == "192.0.2.7"
    with pytest.raises(NotAllowed):
        gate.admit_user(header, Access.ADMIN)
    with pytest.raises(NotAllowed, match="session"):
        gate.admit_user(header, Access.MEMBER, session_only=True)
    with pytest.raises(NotSignedIn):
        gate.admit_user(header + "x", Access.MEMBER, session_only=True)
