"""The API's own description."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from archnest import openapi
from archnest.api.endpoint import Route
from archnest.auth.access import Access
from archnest.feed import Encoded

OPENAPI_PATH = "/api/openapi.json"


def documentation_route(routes: Sequence[Route]) -> Route:
    """The route that describes the others and itself."""
    encoded: list[Encoded[object]] = []

    async def show_openapi(request: web.Request) -> Encoded[object]:
        """Give the OpenAPI 3.1 document of this API."""
        return encoded[0]

    route = Route("GET", OPENAPI_PATH, show_openapi, Access.ANYONE)
    encoded.append(Encoded(msgspec.json.encode(openapi.document([*routes, route]))))
    return route
