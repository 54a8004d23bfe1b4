"""The API's own description."""

from aiohttp import web

from archnest import keys
from archnest.feed import Encoded
from archnest.openapi import Description


async def show_openapi(request: web.Request) -> Encoded[Description]:
    """Give the OpenAPI 3.1 document of this API."""
    return request.app[keys.DESCRIPTION]
