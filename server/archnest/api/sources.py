"""Hosts whose Docker Engine the server asks itself, for admins."""

import time

from aiohttp import web

from archnest import keys
from archnest.api.client import act
from archnest.auth.access import Identity
from archnest.model.source import NewSource, Source, SourceChange, SourceList, SourceTest
from archnest.pollers import examined


async def list_sources(request: web.Request) -> SourceList:
    """List the sources and how each fares."""
    return SourceList(request.app[keys.POLLERS].sources())


async def add_source(request: web.Request, body: NewSource, identity: Identity) -> Source:
    """Add a source; its host appears once its engine answers."""
    source = await request.app[keys.POLLERS].add(body, now=time.time())
    await request.app[keys.AUDIT].record(act(request, identity, "source.add", source.host_id))
    return source


async def test_source(request: web.Request, body: NewSource) -> SourceTest:
    """Ask an engine once, keep nothing, and say what is wrong."""
    return await examined(body)


async def change_source(
    request: web.Request, host_id: str, body: SourceChange, identity: Identity
) -> Source:
    """Change how a source is reached, or accept its new host key."""
    source = await request.app[keys.POLLERS].change(host_id, body)
    await request.app[keys.AUDIT].record(act(request, identity, "source.change", host_id))
    return source


async def remove_source(request: web.Request, host_id: str, identity: Identity) -> None:
    """Forget a source and its host."""
    await request.app[keys.POLLERS].remove(host_id)
    await request.app[keys.AUDIT].record(act(request, identity, "source.remove", host_id))
