"""Agents' tokens, and the reports that were refused."""

from msgspec import Struct

from archnest.model.limits import HostId


class AgentToken(Struct, rename="camel", frozen=True):
    """An agent's token without its secret; it reports for `host_id` alone.

    `last_used_at` and `last_address` are null until it is used.
    """

    id: str
    host_id: str
    created_at: str
    revoked_at: str | None
    """Set on a token that was revoked within the last 30 days."""
    last_used_at: str | None
    last_address: str | None


class AgentTokenList(Struct, frozen=True):
    """Every agent's token, by host, the newest first."""

    tokens: list[AgentToken]


class NewAgentToken(Struct, rename="camel", frozen=True):
    """A token to make, for a host that need not have reported yet."""

    host_id: HostId


class CreatedAgentToken(AgentToken, rename="camel", frozen=True, kw_only=True):
    """A fresh token; `token` is shown this once and is the agent's ARCHNEST_AGENT_TOKEN."""

    token: str


class Refusal(Struct, rename="camel", frozen=True):
    """Reports that were refused for one reason."""

    host_id: str | None
    """The host whose token was shown; null when no host's own token was."""
    address: str | None
    kind: str
    """The kind of problem that the agent was told."""
    detail: str
    count: int
    first_at: str
    last_at: str


class RefusalList(Struct, frozen=True):
    """Refused reports since the server's start, the latest first."""

    refusals: list[Refusal]
