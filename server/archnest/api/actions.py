"""Starting, stopping and removing containers, for admins; each act is recorded."""

from aiohttp import web

from archnest import keys
from archnest.api.client import act
from archnest.auth.access import Identity
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
    picture = request.app[keys.FLEET].entry(host_id).picture
    target = request.app[keys.POLLERS].target(host_id)
    container = picture.find(container_id)
    name = container.name or container.id
    what = act(request, identity, f"container.{body.action}", host_id, name)
    async with request.app[keys.AUDIT].acting(what):
        await actions.act(target, container.id, body.action, force=body.force)
