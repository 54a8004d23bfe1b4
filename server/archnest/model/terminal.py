"""Terminals in containers: tickets, and the messages of their WebSocket."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from archnest.model.limits import HostId

Reference = Annotated[str, Meta(min_length=1, max_length=1024)]
"""A container's id, an unambiguous prefix of 12 or more characters, or its name."""
Extent = Annotated[int, Meta(ge=1, le=1000)]
"""Columns or rows of a terminal."""


class TicketRequest(Struct, rename="camel", frozen=True):
    """What a WebSocket is to be opened for."""

    kind: Literal["exec"]
    host_id: HostId
    container_id: Reference


class Ticket(Struct, rename="camel", frozen=True):
    """Opens one WebSocket, once, until it expires."""

    ticket: str
    expires_at: str


class Size(Struct, rename="camel", frozen=True):
    """A terminal's size in characters."""

    cols: Extent
    rows: Extent


class Opening(Size, rename="camel", frozen=True):
    """A terminal's first message."""

    ticket: Annotated[str, Meta(max_length=100)]


class Said(Struct, rename="camel", frozen=True):
    """What a client says beside what is typed."""

    resize: Size | None = None
    ack: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    """So many further bytes of output have been shown."""
