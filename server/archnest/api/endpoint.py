"""Turns a plain function into an HTTP handler: admit, decode, call, encode.

The function's annotations say everything: `body` is decoded into its struct,
`identity` is who asks, `agent` which agent reports, a parameter named in the
path comes from the path and any other `str | None` one from the query.
"""

import contextlib
import inspect
import logging
import re
import time
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web
from multidict import MultiMapping
from yarl import URL

from archnest import keys
from archnest.api.body import MAX_BODY_BYTES, Body, check_expectation, check_media_type
from archnest.api.client import Address, act, address_text, client_address
from archnest.api.problems import problem_response, told
from archnest.api.sending import BATCH_BYTES, send
from archnest.auth.access import LOCAL_OPERATOR, Access, Gate
from archnest.errors import Invalid, NotAllowed, Problem, RevokedAgentToken
from archnest.feed import Encoded

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Any]]
T = TypeVar("T")
R = TypeVar("R")
_encode = msgspec.json.Encoder().encode

JSON = "application/json"
VARY = "Accept-Encoding, Authorization"
"""What decides what is answered, beside the address."""
MAX_RECORDED_PATH = 256
MAX_REMEMBERED_QUERY = 256
"""Characters of a query up to which it is kept in mind what it says."""


class Streamed(web.StreamResponse, Generic[T]):
    """An answer that a handler writes as it comes, the JSON of one T a line."""

    media_type = "application/x-ndjson"


_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding raises; a ValidationError is a DecodeError, too."""


def _invalid(error: Exception) -> Invalid:
    if isinstance(error, msgspec.ValidationError):
        return Invalid(_named(error))
    return Invalid(f"the body is not valid JSON: {_plain(error)}")


class Undecoded(Generic[T]):
    """A body that its handler decodes, the JSON of a T."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def read(self, decode: Callable[[bytes], R]) -> R:
        """What `decode` makes of it; what msgspec raises becomes Invalid, naming the field."""
        try:
            return decode(self._body.unpacked())
        except _UNDECODABLE as error:
            raise _invalid(error) from None

    async def read_in_turns(self, decode: Callable[[Callable[[], bytes]], Awaitable[R]]) -> R:
        """The same for a body that may be long: `decode` is given what unpacks it."""
        try:
            if self._body.is_short:
                return await decode(self._body.unpacked_short)
            async with self._body.opened() as unpack:
                return await decode(unpack)
        except _UNDECODABLE as error:
            raise _invalid(error) from None


@dataclass(frozen=True)
class Route:
    """One row of the API: who may call it and what answers."""

    method: str
    path: str
    handler: Handler
    access: Access
    status: int = 200
    max_bytes: Callable[[web.Application], int] = field(default=lambda app: MAX_BODY_BYTES)
    session_only: bool = False
    """Whether it takes a person: an access token of whatever role is refused."""

    def as_aiohttp(self, prefix: str, *, local: bool = False) -> web.RouteDef:
        """The route for aiohttp's router, under the base path.

        A `local` one answers whoever can open the data folder, as an admin.
        """
        # By itself a name in braces would not match values that hold braces.
        path = prefix.rstrip("/") + re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", self.path)
        # aiohttp would ask for the body before anyone looked at who sends it.
        options = {"expect_handler": check_expectation}
        return web.RouteDef(self.method, path, _Endpoint(self, local).handle, options)

    @property
    def hints(self) -> dict[str, Any]:
        """The handler's resolved annotations."""
        return typing.get_type_hints(self.handler)

    @property
    def body_type(self) -> Any:
        """What the body's JSON is; None for a route without a body."""
        body = self.hints.get("body")
        return typing.get_args(body)[0] if self.decodes_itself else body

    @property
    def decodes_itself(self) -> bool:
        """Whether the handler decodes the body."""
        return typing.get_origin(self.hints.get("body")) is Undecoded

    @property
    def path_names(self) -> list[str]:
        """The names in braces, in the path's order."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def query_names(self) -> list[str]:
        """The parameters that come from the query."""
        known = {"request", "body", "identity", "agent", *self.path_names}
        return [name for name in inspect.signature(self.handler).parameters if name not in known]


class _Endpoint:
    """A route's work for one request, with what can be prepared prepared."""

    def __init__(self, route: Route, is_local: bool) -> None:
        self.route = route
        self._is_local = is_local
        hints = route.hints
        self._takes_identity = "identity" in hints
        self._has_body = "body" in hints
        own = None if route.decodes_itself else msgspec.json.Decoder(route.body_type)
        self._decode = own.decode if own is not None else None
        of_agents = route.access is Access.AGENT
        self._bodies = keys.REPORT_BODIES if of_agents else keys.BODIES
        self._query_names = route.query_names
        self._path_names = route.path_names

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; every failure becomes a problem document.

        An unexpected one is logged once.
        """
        app = request.app
        trusted = app[keys.CONFIG].trusted_proxies
        address = None if self._is_local else client_address(request, trusted)
        request[keys.CLIENT_ADDRESS] = address
        try:
            return await self._answer(request, app, address)
        except Problem as problem:
            if self.route.access is Access.AGENT and problem.status < 500:
                _note_refusal(request, problem)
            if isinstance(problem, NotAllowed):
                await self._record_refusal(request, problem, address)
            return told(problem)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path.encode("unicode_escape"))
            return problem_response(
                500, "internal", "The server failed", "look into the server's log"
            )

    async def _answer(
        self, request: web.Request, app: web.Application, address: Address | None
    ) -> web.StreamResponse:
        arguments = self._admit(request, app[keys.GATE], address)
        for name in self._path_names:
            arguments[name] = request.match_info[name]
        if self._query_names:
            raw = request.rel_url.raw_query_string
            # Longer ones would let anyone fill the memory.
            query = _query(raw) if len(raw) <= MAX_REMEMBERED_QUERY else request.query
            for name in self._query_names:
                arguments[name] = query.get(name)
        if not self._has_body:
            answer = await self.route.handler(request, **arguments)
            return await _respond(request, answer, self.route.status)
        check_media_type(request)
        bodies = app[self._bodies]
        with bodies.holding() as held:
            body = Body(request, bodies, held, self.route.max_bytes(app))
            await body.receive()
            undecoded: Undecoded[Any] = Undecoded(body)
            decode = self._decode
            arguments["body"] = undecoded if decode is None else undecoded.read(decode)
            answer = await self.route.handler(request, **arguments)
            return await _respond(request, answer, self.route.status)

    def _admit(self, request: web.Request, gate: Gate, address: Address | None) -> dict[str, Any]:
        access = self.route.access
        if access in (Access.ANYONE, Access.TICKET):
            return {}
        authorization = _authorization(request)
        if access is Access.AGENT:
            agent = gate.admit_agent(address, authorization)
            request[keys.AGENT] = agent
            return {"agent": agent}
        identity = (
            LOCAL_OPERATOR
            if self._is_local
            else gate.admit_user(
                authorization, access, address, session_only=self.route.session_only
            )
        )
        return {"identity": identity} if self._takes_identity else {}

    async def _record_refusal(
        self, request: web.Request, problem: Problem, address: Address | None
    ) -> None:
        """Keep who wanted to change what they may not; its body may be unread."""
        if self.route.method == "GET" or self.route.access not in (Access.MEMBER, Access.ADMIN):
            return
        # Whoever is unknown is answered 401, and leaves nothing here.
        with contextlib.suppress(Problem):
            who = request.app[keys.GATE].identify(_authorization(request), address)
            wanted = f"{request.method} {request.rel_url.raw_path}"
            what = act(request, who, "request", target=wanted[:MAX_RECORDED_PATH])
            await request.app[keys.AUDIT].record_refusal(what, problem.detail, time.time())


def _authorization(request: web.Request) -> str | None:
    # Of two nobody knows which a proxy before us looked at.
    sent = request.headers.getall("Authorization", ())
    return sent[0] if len(sent) == 1 else None


# A page asks the same until something changes.
@lru_cache(maxsize=1024)
def _query(raw: str) -> MultiMapping[str]:
    return URL.build(query_string=raw, encoded=True).query


def _note_refusal(request: web.Request, problem: Problem) -> None:
    agent = request.get(keys.AGENT)
    host_id = problem.host_id if isinstance(problem, RevokedAgentToken) else None
    if agent is not None:
        host_id = agent.host_id
    request.app[keys.REFUSALS].note(
        host_id,
        address_text(request[keys.CLIENT_ADDRESS]),
        problem.slug,
        problem.detail,
        time.time(),
    )


def is_declared(handler: object) -> bool:
    """Whether a handler came from a Route, and so has its access declared."""
    return isinstance(getattr(handler, "__self__", None), _Endpoint)


def _named(error: msgspec.ValidationError) -> str:
    """The message with the field's path first: `$.containers[3].name: …`."""
    message, _, path = str(error).rpartition(" - at `")
    if not message:
        return f"$: {_short(str(error))}"
    path = path.rstrip("`")
    if path.startswith("key` in `"):
        path, message = path.removeprefix("key` in `"), f"of a key: {message}"
    return f"{path}: {_short(message)}"


def _short(text: str) -> str:
    # Messages of enum errors echo the input, which is the sender's and may be long.
    return text if len(text) <= 300 else text[:300] + "…"


def _plain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeError):
        return "it is not UTF-8"
    return _short(str(error))


async def _respond(request: web.Request, answer: Any, status: int) -> web.StreamResponse:
    if type(answer) is web.Response or isinstance(answer, web.StreamResponse):
        return answer
    if answer is None:
        return web.Response(status=204)
    if not isinstance(answer, Encoded):
        return web.Response(body=_encode(answer), status=status, content_type=JSON)
    headers = {"Vary": VARY, "Content-Type": answer.media_type}
    if answer.etag:
        headers["ETag"] = answer.etag
    packed = await answer.compressed() if accepts_gzip(request) else None
    if packed is not None:
        headers["Content-Encoding"] = "gzip"
    pieces = answer.pieces if packed is None else packed
    size = sum(map(len, pieces))
    if size <= BATCH_BYTES:
        return web.Response(body=b"".join(pieces), status=status, headers=headers)
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = size
    await send(request, response, pieces)
    return response


def accepts_gzip(request: web.Request) -> bool:
    """Whether the client takes gzip; with a weight of 0 it does not (RFC 9110, 12.4.2)."""
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, *parameters = part.split(";")
        if coding.strip() == "gzip":
            for name, _, value in (one.partition("=") for one in parameters):
                if name.strip() == "q":
                    return value.strip().strip("0.") != ""
            return True
    return False


def matches_etag(request: web.Request, etag: str) -> bool:
    """Whether If-None-Match holds this tag; the comparison is weak, as RFC 9110 says."""
    sent = request.headers.get("If-None-Match", "")
    if sent in (etag, "*"):
        return True
    opaque = etag.removeprefix("W/")
    return any(tag.strip().removeprefix("W/") == opaque for tag in sent.split(","))
