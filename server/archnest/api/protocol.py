"""What aiohttp answers by itself, before there is a request to route.

Malformed lines, headers and chunks, and expectations that cannot be met, get
a line of plain text from it; here they are problem documents like every other
refusal. The last thing that every answer passes through is overridden, for
these come from several places.
"""

from typing import Any

from aiohttp import web

from archnest import keys
from archnest.api.fairness import FairConnection, Rounds
from archnest.api.first_read import FirstRead
from archnest.api.policy import secure
from archnest.api.problems import refused


class Runner(web.AppRunner):
    """Runs an application behind connections that answer everything alike."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        ingest = self.app.get(keys.INGEST)
        return _Server(
            Rounds(lambda: ingest is not None and ingest.turns.is_behind),
            server.request_handler,
            request_factory=server.request_factory,
            **server._kwargs,
        )


class _Server(web.Server):
    def __init__(self, rounds: Rounds, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._rounds = rounds

    def __call__(self) -> FirstRead:  # type: ignore[override]
        return FirstRead(_Connection(self._rounds, self, loop=self._loop, **self._kwargs))


class _Connection(FairConnection):
    __slots__ = ()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if resp.status >= 400 and keys.PROBLEM not in resp and not resp.prepared:
            resp = _as_problem(resp)
        return await super().finish_response(request, resp, start_time)


def _as_problem(resp: web.StreamResponse) -> web.StreamResponse:
    answer = refused(resp.status, resp.headers)
    if resp.status not in (404, 405):
        # What follows on this connection may be no request.
        answer.force_close()
    # Where no route was looked for, there is no application to add its headers.
    secure(answer)
    return answer
