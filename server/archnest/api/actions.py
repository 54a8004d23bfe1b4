"""Starting, stopping and removing containers, for admins; each act is recorded."""

import time

from aiohttp import web

from archnest import keys
from archnest.api.client import act
from archnest.auth.access import Identity
from archnest.errors import NotAvailable
from archnest.model.source import ContainerAction
from archnest.sources import actions


async def act_on_container(
    request: web.Request,
    identity: Identity,
    host_id: str,
    container_id: str,
    body: ContainerAction,
) -> None:
    """Have the engine start, stop, restart, pause, unpause, kill or remove a container."""
    container = request.app[keys.FLEET].entry(host_id).picture.find(container_id)
    name = container.name or container.id
    what = act(request, identity, f"container.{body.action}", host_id, name)
    try:
        target = request.app[keys.POLLERS].target(host_id)
    except NotAvailable as problem:
        await request.app[keys.AUDIT].record_refusal(what, problem.detail, time.time())
        raise
    async with request.app[keys.AUDIT].acting(what):
        await actions.act(target, container.id, body.action, force=body.force)
