"""Hosts whose Docker Engine the server asks itself, as admins name and see them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from archnest.model.limits import HostId
from archnest.model.report import Engine

Kind = Literal["docker-tcp", "docker-socket", "docker-ssh"]
Address = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        description="host:port for docker-tcp, an absolute path for docker-socket,"
        " user@host or user@host:port for docker-ssh",
    ),
]
File = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^/")]
"""Absolute path of a file that the server's user can read; contents are never kept."""
Action = Literal["start", "stop", "restart", "pause", "unpause", "kill", "remove"]
"""Docker's own words."""
Fingerprint = Annotated[str, Meta(pattern=r"^SHA256:[A-Za-z0-9+/]{43}\Z")]


class NewSource(Struct, rename="camel", frozen=True):
    """An engine to ask, and how."""

    host_id: HostId
    kind: Kind
    address: Address
    ca_file: File | None = None
    """PEM; given, docker-tcp speaks TLS and trusts only this authority."""
    cert_file: File | None = None
    key_file: File | None = None
    """The client's certificate and its key; the private key of docker-ssh."""
    host_key: Fingerprint | None = None
    """The fingerprint of the SSH host key to accept; compared with what the host shows."""
    link: bool = False
    """Speak for the host of this id that an agent reports; both must name one engine id."""


class SourceChange(Struct, rename="camel", frozen=True):
    """What to change of a source; what is absent stays."""

    address: Address | UnsetType = UNSET
    ca_file: File | UnsetType | None = UNSET
    cert_file: File | UnsetType | None = UNSET
    key_file: File | UnsetType | None = UNSET
    host_key: Fingerprint | UnsetType | None = UNSET


class Source(Struct, rename="camel", frozen=True):
    """A source with how it fares; files are named, never read out."""

    host_id: str
    kind: str
    address: str
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    host_key: str | None
    created_at: str
    linked: bool
    """Whether an agent reports the same host."""
    state: Literal["connecting", "connected", "failing"]
    error: str | None
    warning: str | None


class ContainerAction(Struct, frozen=True):
    """What to do with a container."""

    action: Action
    force: bool = False
    """Remove it although it runs."""


class SourceList(Struct, frozen=True):
    """Every source, by hostId."""

    sources: list[Source]


class SourceTest(Struct, rename="camel", frozen=True):
    """What asking an engine once came to."""

    ok: bool
    problem: str | None
    """A word for the kind of failure, as in `host-key-unknown`; None when it worked."""
    detail: str | None
    host_key: str | None
    """The fingerprint that the host shows, where that is what is wrong."""
    engine: Engine | None
    warning: str | None
