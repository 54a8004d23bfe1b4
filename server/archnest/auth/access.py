"""Who may do what; decides from memory, without a database or a thread."""

import enum
import hmac
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from archnest.auth.access_tokens import AccessTokens, is_access_token
from archnest.auth.agent_tokens import WRONG, AgentTokens
from archnest.auth.sessions import Sessions
from archnest.config import IPNetwork
from archnest.errors import (
    IngestDisabled,
    NetworkNotAllowed,
    NotAllowed,
    NotSignedIn,
    WrongAgentToken,
)
from archnest.model.account import Role

Address = IPv4Address | IPv6Address


class Access(enum.Enum):
    """Who may call a route."""

    ANYONE = "anyone"
    TICKET = "ticket"
    """Whoever shows a one-time ticket in the first message of a WebSocket."""
    AGENT = "agent"
    MEMBER = "member"
    ADMIN = "admin"


class Identity(Struct, frozen=True):
    """Who asks. Neither a program with an access token nor the local operator, on
    the control socket, has a session.
    """

    username: str
    role: Role
    session_id: str | None
    expires_at: float
    """Unix seconds."""
    token_name: str | None = None
    """Of the access token that was shown in place of a session."""


LOCAL_OPERATOR = Identity("", "admin", None, float("inf"))
"""Whoever can open the data folder's socket owns the data anyway."""


class AgentIdentity(Struct, frozen=True):
    """Which agent reports."""

    host_id: str | None
    """The one host it may report for; None with the shared token, which may for any."""
    token_id: str | None


SHARED = AgentIdentity(None, None)


class Gate:
    """Lets requests in or raises the problem that says why not."""

    def __init__(
        self,
        agent_token: str | None,
        ingest_allow: Sequence[IPNetwork],
        sessions: Sessions,
        access_tokens: AccessTokens,
        agent_tokens: AgentTokens,
    ) -> None:
        self._agent_token = agent_token.encode() if agent_token else None
        # Agents come from few addresses, again and again.
        self._is_allowed = lru_cache(maxsize=4096)(partial(_is_in_one, tuple(ingest_allow)))
        self._sessions = sessions
        self._access_tokens = access_tokens
        self._agent_tokens = agent_tokens

    def admit_agent(self, address: Address | None, authorization: str | None) -> AgentIdentity:
        """Which agent reports.

        Raises IngestDisabled, NetworkNotAllowed or WrongAgentToken, in that order.
        """
        if self._agent_token is None and not self._agent_tokens:
            raise IngestDisabled(
                "there is no agent token: add a host on the page, or set ARCHNEST_AGENT_TOKEN"
            )
        if address is None or not self._is_allowed(address):
            where = address or "an unknown address"
            raise NetworkNotAllowed(
                f"reports are not taken from {where}: see ARCHNEST_INGEST_ALLOW"
            )
        token = bearer_token(authorization)
        if token is None:
            raise WrongAgentToken(WRONG)
        if self._agent_token and hmac.compare_digest(token.encode(), self._agent_token):
            return SHARED
        own = self._agent_tokens.admit(token, str(address), time.time())
        return AgentIdentity(own.host_id, own.id)

    def admit_user(
        self,
        authorization: str | None,
        access: Access,
        address: Address | None = None,
        *,
        session_only: bool = False,
    ) -> Identity:
        """Who asks, with a session or an access token.

        Raises NotSignedIn, or NotAllowed when that role may not or when it
        takes a session.
        """
        identity = self.identify(authorization, address)
        if session_only and identity.session_id is None:
            raise NotAllowed("this takes a session, not an access token: sign in")
        if access is Access.ADMIN and identity.role != "admin":
            raise NotAllowed("only an admin may do this")
        return identity

    def identify(self, authorization: str | None, address: Address | None = None) -> Identity:
        """Who asks, whatever they may do; raises NotSignedIn."""
        token = bearer_token(authorization)
        if token is not None and is_access_token(token):
            return self._program(token, address)
        return self._person(token)

    def _person(self, token: str | None) -> Identity:
        session = self._sessions.find(token) if token is not None else None
        if session is None:
            raise NotSignedIn("sign in: the session is missing, not valid or has ended")
        return Identity(session.username, session.role, session.id, session.expires_at)

    def _program(self, token: str, address: Address | None) -> Identity:
        where = str(address) if address is not None else None
        found = self._access_tokens.find(token, where, time.time())
        if found is None:
            raise NotSignedIn("the access token is wrong, was revoked or has expired")
        return Identity(found.username, found.role, None, found.expires_at, found.name)


def _is_in_one(networks: Sequence[IPNetwork], address: Address) -> bool:
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return any(address.version == network.version and address in network for network in networks)


def bearer_token(authorization: str | None) -> str | None:
    """The token of an Authorization header, or None for anything malformed.

    Header bytes that are not ASCII arrive as lone surrogates, on which
    encoding and comparing raise.
    """
    if authorization is None or not authorization.isascii():
        return None
    scheme, _, token = authorization.partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token or " " in token:
        return None
    return token
