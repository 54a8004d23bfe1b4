"""What aiohttp answers by itself, before there is a request to route.

Malformed lines, headers and chunks, and expectations that cannot be met, get
a line of plain text from it; here they are problem documents like every other
refusal. The last thing that every answer passes through is overridden, for
these come from several places.
"""

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from archnest import keys
from archnest.api.middleware import add_policy, problem_response

SAYING = {
    400: (
        "malformed-request",
        "This cannot be read as HTTP",
        "the request line, a header or the body's framing is malformed or too long",
    ),
    417: (
        "expectation-failed",
        "The expectation cannot be met",
        "of Expect only 100-continue is known",
    ),
}


class Runner(web.AppRunner):
    """Runs an application behind connections that answer everything alike."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            server.request_handler, request_factory=server.request_factory, **server._kwargs
        )


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if resp.status >= 400 and keys.PROBLEM not in resp and not resp.prepared:
            resp = await _as_problem(request, resp.status)
        return await super().finish_response(request, resp, start_time)


async def _as_problem(request: web.BaseRequest, status: int) -> web.StreamResponse:
    answer = problem_response(status, *SAYING.get(status, SAYING[400]))
    answer.force_close()
    # No route was found, so no application adds its headers.
    await add_policy(request, answer)
    return answer
