"""Agents' tokens: what each opens, and what ends it."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archnest.auth.access import SHARED, Access, AgentIdentity, Gate
from archnest.auth.access_tokens import AccessTokens
from archnest.auth.agent_tokens import KEPT_REVOKED_S, MAX_PER_HOST, AgentTokens
from archnest.auth.sessions import Sessions
from archnest.config import Config
from archnest.errors import (
    Conflict,
    IngestDisabled,
    NotFound,
    NotSignedIn,
    RevokedAgentToken,
    StoreUnavailable,
    WrongAgentToken,
)
from archnest.store.database import Database
from archnest.timestamps import unix_seconds
from tests.auth.conftest import NOW, locked

HERE = IPv4Address("10.1.2.3")
NETWORK = [ip_network("10.0.0.0/8")]


@pytest.fixture
def gate(sessions: Sessions, access_tokens: AccessTokens, agent_tokens: AgentTokens) -> Gate:
    """Without a shared token."""
    return Gate(None, NETWORK, sessions, access_tokens, agent_tokens)


async def test_a_token_tells_the_one_host_it_reports_for(
    gate: Gate, agent_tokens: AgentTokens
) -> None:
    token, row = await agent_tokens.create("nas", NOW)
    assert token.startswith(f"ahn_{row.id}_")
    assert gate.admit_agent(HERE, f"Bearer {token}") == AgentIdentity("nas", row.id)


async def test_reports_are_taken_as_long_as_there_is_a_token_of_either_kind(
    gate: Gate, sessions: Sessions, access_tokens: AccessTokens, agent_tokens: AgentTokens
) -> None:
    with pytest.raises(IngestDisabled):
        gate.admit_agent(HERE, "Bearer shared")
    token, row = await agent_tokens.create("nas", NOW)
    with pytest.raises(WrongAgentToken):
        gate.admit_agent(HERE, "Bearer shared")
    both = Gate("shared", NETWORK, sessions, access_tokens, agent_tokens)
    assert both.admit_agent(HERE, "Bearer shared") is SHARED
    await agent_tokens.revoke(row.id, NOW)
    with pytest.raises(RevokedAgentToken):
        both.admit_agent(HERE, f"Bearer {token}")
    with pytest.raises(IngestDisabled):
        gate.admit_agent(HERE, f"Bearer {token}")


async def test_only_a_hash_is_stored(agent_tokens: AgentTokens, database: Database) -> None:
    token, _ = await agent_tokens.create("nas", NOW)
    dump = "".join(str(tuple(row)) for row in await database.read("SELECT * FROM agent_tokens"))
    assert "nas" in dump
    assert token.rpartition("_")[2] not in dump


async def test_two_tokens_of_a_host_are_valid_until_one_is_revoked(
    gate: Gate, agent_tokens: AgentTokens
) -> None:
    old, old_row = await agent_tokens.create("nas", NOW)
    new, new_row = await agent_tokens.create("nas", NOW + 1)
    for token in (old, new):
        gate.admit_agent(HERE, f"Bearer {token}")
    await agent_tokens.revoke(old_row.id, NOW)
    with pytest.raises(RevokedAgentToken, match="nas was revoked"):
        gate.admit_agent(HERE, f"Bearer {old}")
    assert gate.admit_agent(HERE, f"Bearer {new}").token_id == new_row.id
    with pytest.raises(NotFound):
        await agent_tokens.revoke(old_row.id, NOW)


async def test_a_restart_keeps_tokens_revocations_and_last_uses(database: Database) -> None:
    async with AgentTokens.open(database, NOW) as tokens:
        live, live_row = await tokens.create("nas", NOW)
        ended, ended_row = await tokens.create("nas", NOW + 1)
        tokens.admit(live, "10.0.0.9", NOW + 5)
        await tokens.revoke(ended_row.id, NOW + 9)
    async with AgentTokens.open(database, NOW + 10) as tokens:
        assert tokens.admit(live, None, NOW + 10).id == live_row.id
        with pytest.raises(RevokedAgentToken):
            tokens.admit(ended, None, NOW + 10)
    async with AgentTokens.open(database, NOW + 20) as tokens:
        newest, oldest = tokens.listed()
        assert (newest.id, oldest.id) == (ended_row.id, live_row.id)
        assert unix_seconds(oldest.last_used_at or "") == NOW + 10
    async with AgentTokens.open(database, NOW + 10 + KEPT_REVOKED_S) as tokens:
        assert [one.id for one in tokens.listed()] == [live_row.id]
        with pytest.raises(WrongAgentToken) as caught:
            tokens.admit(ended, None, NOW)
        assert not isinstance(caught.value, RevokedAgentToken)


@pytest.mark.parametrize(
    "revoke",
    [
        lambda tokens: tokens.revoke(tokens.listed()[0].id, NOW + 1),
        lambda tokens: tokens.revoke_host("nas", NOW + 1),
    ],
    ids=["token", "host"],
)
async def test_a_revocation_that_was_refused_lets_no_one_in_and_is_written_by_the_next_try(
    config: Config, database: Database, revoke: Callable[[AgentTokens], Awaitable[object]]
) -> None:
    async with AgentTokens.open(database, NOW) as tokens:
        token, _ = await tokens.create("nas", NOW)
        async with locked(database, config):
            with pytest.raises(StoreUnavailable):
                await revoke(tokens)
        with pytest.raises(RevokedAgentToken):
            tokens.admit(token, None, NOW + 2)
        # What is listed as revoked is so after a restart, too.
        assert [one.revoked_at for one in tokens.listed()] == [None]
        await revoke(tokens)
        assert None not in [one.revoked_at for one in tokens.listed()]
    async with AgentTokens.open(database, NOW + 3) as restarted:
        with pytest.raises(RevokedAgentToken):
            restarted.admit(token, None, NOW + 3)


async def test_a_host_has_room_for_so_many_live_tokens(agent_tokens: AgentTokens) -> None:
    for _ in range(MAX_PER_HOST):
        await agent_tokens.create("nas", NOW)
    with pytest.raises(Conflict):
        await agent_tokens.create("nas", NOW)
    await agent_tokens.create("other", NOW)
    await agent_tokens.revoke_host("nas", NOW)
    await agent_tokens.create("nas", NOW)


async def test_nothing_but_a_token_is_taken_for_one(gate: Gate, agent_tokens: AgentTokens) -> None:
    token, _ = await agent_tokens.create("nas", NOW)
    head, _, secret = token.rpartition("_")

    @settings(deadline=None, max_examples=300)
    @given(st.text(st.characters(exclude_categories=())))
    def check(text: str) -> None:
        for wrong in (text, f"{head}_{text}", f"{head}_{secret}{text}x", f"ahn_{text}_{secret}"):
            with pytest.raises(WrongAgentToken):
                gate.admit_agent(HERE, f"Bearer {wrong}")

    check()


async def test_it_opens_nothing_for_people(gate: Gate, agent_tokens: AgentTokens) -> None:
    token, _ = await agent_tokens.create("nas", NOW)
    with pytest.raises(NotSignedIn):
        gate.admit_user(f"Bearer {token}", Access.MEMBER, HERE)
