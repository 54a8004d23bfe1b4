"""Where a request really comes from."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web

from archnest import keys
from archnest.auth.access import Identity
from archnest.config import IPNetwork
from archnest.model.audit import Act

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: web.Request, trusted: Sequence[IPNetwork]) -> Address | None:
    """The peer, or behind trusted proxies the nearest address they do not vouch for.

    X-Forwarded-For is read from its right end, since only what a trusted
    proxy appended is believed. None on the control socket, or when the
    connection is already gone.
    """
    peer = parse_address(request.remote or "")
    if peer is None or not trusted:
        return peer
    hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    while is_in(peer, trusted) and hops:
        hop = parse_address(hops.pop().strip())
        if hop is None:
            break
        peer = hop
    return peer


# A report's sender is written down each time.
@lru_cache(maxsize=4096)
def address_text(address: Address | None) -> str | None:
    """As it is written down; None where it is not known."""
    return str(address) if address is not None else None


def act(
    request: web.Request,
    identity: Identity | None,
    action: str,
    host_id: str | None = None,
    target: str | None = None,
) -> Act:
    """Who does what from where, for the record; without an identity nobody proved who."""
    return Act(
        (identity.username or None) if identity else None,
        address_text(request[keys.CLIENT_ADDRESS]),
        action,
        host_id,
        target,
        identity.token_name if identity else None,
    )


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """An address, IPv4-mapped ones unwrapped, ports and brackets dropped; else None."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def is_in(address: Address, networks: Sequence[IPNetwork]) -> bool:
    """Whether one of the networks, of either version, holds the address."""
    return any(address.version == network.version and address in network for network in networks)
