"""What Prometheus scrapes."""

from aiohttp import web

from archnest import keys
from archnest.scrapes import Exposition


async def show_metrics(request: web.Request) -> Exposition:
    """Give every container, every host and the server itself in Prometheus' text format."""
    return await request.app[keys.SCRAPES].exposition()
