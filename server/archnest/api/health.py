"""Whether the server lives, and whether it can do its work."""

from aiohttp import web
from msgspec import Struct

from archnest import keys


class Health(Struct, frozen=True):
    """The answer when all is well; anything else is a problem document."""

    status: str


async def show_alive(request: web.Request) -> Health:
    """Say that the server answers."""
    return Health("alive")


async def show_ready(request: web.Request) -> Health:
    """Say that the store can be read and written; 503 when not."""
    await request.app[keys.READINESS].prove()
    return Health("ready")
