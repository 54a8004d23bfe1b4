"""Hosts and containers of every source, made for polling."""

from aiohttp import web

from archnest import keys
from archnest.api.endpoint import VARY, matches_etag
from archnest.errors import NotFound
from archnest.feed import Encoded
from archnest.model.host import Changes, ContainerDetail, HostList


async def list_hosts(request: web.Request) -> Encoded[HostList] | web.Response:
    """List the hosts of every source; 304 while nothing changed."""
    feed = request.app[keys.FEED]
    etag = feed.etag()
    if matches_etag(request, etag):
        return _not_modified(etag)
    answer = await feed.hosts()
    answer.etag = etag
    return answer


async def list_changes(
    request: web.Request, since: str | None = None
) -> Encoded[Changes] | web.Response:
    """List every host's containers, or only the hosts changed since a revision."""
    feed = request.app[keys.FEED]
    etag = feed.etag(since)
    if matches_etag(request, etag):
        return _not_modified(etag)
    answer = await feed.changes(since)
    answer.etag = etag
    return answer


async def show_container(request: web.Request, host_id: str, container_id: str) -> ContainerDetail:
    """Give one container with its host, also when a newer report lacks it."""
    entry = request.app[keys.FLEET].entry(host_id)
    try:
        container = entry.picture.find(container_id)
    except NotFound:
        gone = entry.picture.find_gone(container_id)
        return ContainerDetail(entry.host(), gone.container(), gone.at)
    request.app[keys.POLLERS].note_look(host_id, container.id)
    return ContainerDetail(entry.host(), container, None)


def _not_modified(etag: str) -> web.Response:
    return web.Response(status=304, headers={"ETag": etag, "Vary": VARY})
