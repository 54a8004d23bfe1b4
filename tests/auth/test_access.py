"""Who is let in, and with which words the others are refused."""

import time
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archnest.auth.access import LOCAL_OPERATOR, Access, Gate
from archnest.auth.access_tokens import AccessTokens
from archnest.auth.agent_tokens import AgentTokens
from archnest.auth.sessions import Sessions
from archnest.config import PRIVATE_NETWORKS
from archnest.errors import (
    IngestDisabled,
    NetworkNotAllowed,
    NotAllowed,
    NotSignedIn,
    WrongAgentToken,
)
from archnest.store.users import UserRow

TOKEN = "the-agents-shared-token"
RIGHT = f"Bearer {TOKEN}"
PRIVATE = [ip_network(part) for part in PRIVATE_NETWORKS.split(",")]
HERE, OUTSIDE = IPv4Address("10.1.2.3"), IPv4Address("8.8.8.8")
ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.fixture
def gate(sessions: Sessions, access_tokens: AccessTokens, agent_tokens: AgentTokens) -> Gate:
    return Gate(TOKEN, PRIVATE, sessions, access_tokens, agent_tokens)


async def authorization(sessions: Sessions, user: UserRow) -> str:
    started = await sessions.start(user, time.time())
    assert started is not None
    return f"Bearer {started[0]}"


async def test_the_right_token_from_an_allowed_network_is_let_in(gate: Gate) -> None:
    gate.admit_agent(HERE, RIGHT)


async def test_without_a_configured_token_nothing_is_let_in(
    sessions: Sessions, access_tokens: AccessTokens, agent_tokens: AgentTokens
) -> None:
    for unset in (None, ""):
        gate = Gate(unset, PRIVATE, sessions, access_tokens, agent_tokens)
        for address in (HERE, OUTSIDE, None):
            for header in (RIGHT, "Bearer ", None):
                with pytest.raises(IngestDisabled):
                    gate.admit_agent(address, header)


async def test_the_network_is_checked_before_the_token(gate: Gate) -> None:
    for header in (RIGHT, "Bearer wrong", None):
        with pytest.raises(NetworkNotAllowed):
            gate.admit_agent(OUTSIDE, header)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.255.255.255", True),
        ("172.31.0.1", True),
        ("192.168.1.1", True),
        ("100.64.0.1", True),
        ("fd12::1", True),
        ("fe80::1", True),
        ("::ffff:192.168.1.1", True),
        ("::ffff:8.8.8.8", False),
        ("172.32.0.1", False),
        ("100.128.0.1", False),
        ("169.254.1.1", False),
        ("8.8.8.8", False),
        ("2001:db8::1", False),
        ("::", False),
        ("0.0.0.0", False),
    ],
)
async def test_by_default_reports_come_from_private_networks_only(
    gate: Gate, address: str, is_allowed: bool
) -> None:
    if is_allowed:
        gate.admit_agent(ip_address(address), RIGHT)
        return
    with pytest.raises(NetworkNotAllowed):
        gate.admit_agent(ip_address(address), RIGHT)


async def test_a_report_from_an_unknown_address_is_refused(gate: Gate) -> None:
    with pytest.raises(NetworkNotAllowed):
        gate.admit_agent(None, RIGHT)


@pytest.mark.parametrize("header", ["bearer " + TOKEN, "BEARER " + TOKEN, f"Bearer  {TOKEN} "])
async def test_what_http_calls_the_same_header_is_the_same(gate: Gate, header: str) -> None:
    gate.admit_agent(HERE, header)


async def test_nothing_but_the_agent_token_is_taken_for_it(gate: Gate) -> None:
    @settings(deadline=None, max_examples=500)
    @given(ANY_TEXT)
    @example("")
    @example(TOKEN[:-1])
    @example(TOKEN + "x")
    @example(TOKEN.upper())
    @example("\udcff\udcfe")
    @example(f"{TOKEN} {TOKEN}")
    @example(f"{TOKEN}\n")
    def check(text: str) -> None:
        for header in (text, f"Bearer {text}", f"Basic {text}", f"Bearer\t{TOKEN}", TOKEN, None):
            if header is not None and header.split() == ["Bearer", TOKEN] and header.isascii():
                continue
            with pytest.raises(WrongAgentToken):
                gate.admit_agent(HERE, header)

    check()


async def test_a_session_tells_who_asks(gate: Gate, sessions: Sessions, ada: UserRow) -> None:
    header = await authorization(sessions, ada)
    for access in (Access.MEMBER, Access.ADMIN):
        identity = gate.admit_user(header, access)
        assert (identity.username, identity.role) == ("ada", "admin")
        assert identity.session_id


async def test_a_member_is_known_and_may_not(gate: Gate, sessions: Sessions, mel: UserRow) -> None:
    header = await authorization(sessions, mel)
    assert gate.admit_user(header, Access.MEMBER).role == "member"
    with pytest.raises(NotAllowed):
        gate.admit_user(header, Access.ADMIN)


async def test_an_agent_token_is_no_session(gate: Gate) -> None:
    with pytest.raises(NotSignedIn):
        gate.admit_user(RIGHT, Access.MEMBER)


async def test_no_garbage_signs_anyone_in(gate: Gate, sessions: Sessions, ada: UserRow) -> None:
    token = (await authorization(sessions, ada)).removeprefix("Bearer ")

    @settings(deadline=None, max_examples=500)
    @given(ANY_TEXT)
    @example("")
    @example("\udcff")
    @example("ünïcode")
    def check(text: str) -> None:
        headers = [None, text, f"Bearer {text}", f"Basic {token}", f"{token}", f"Bearer{token}"]
        headers += [f"Bearer {token}{text}x", f"Bearer {text} {token} {text}x", f"x{text} {token}"]
        for header in headers:
            for access in (Access.MEMBER, Access.ADMIN):
                with pytest.raises(NotSignedIn):
                    gate.admit_user(header, access)

    check()


def test_the_local_operator_is_an_admin_without_a_session() -> None:
    operator = LOCAL_OPERATOR
    assert (operator.role, operator.session_id) == ("admin", None)
