"""What wraps every request: who the client is, problems, policy headers."""

import logging

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from archnest import keys
from archnest.api.client import client_address
from archnest.api.endpoint import on_control_socket
from archnest.errors import Problem

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
TITLES = {
    404: ("not-found", "Not found", "there is nothing at this address"),
    405: ("method-not-allowed", "Method not allowed", "this address takes other methods"),
    413: ("too-large", "The body is too large", "the body is larger than the server takes"),
}


async def add_policy(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Security headers on every answer, whichever code made it."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if "Server" in response.headers:
        del response.headers["Server"]


async def count_response(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Count every answer, whichever code made it."""
    if isinstance(request, web.Request):
        request.app[keys.VITALS].note_response(response.status, response.get(keys.PROBLEM))


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure becomes a problem document; an unexpected one is logged once."""
    config = request.app[keys.CONFIG]
    local = on_control_socket(request)
    request[keys.CLIENT_ADDRESS] = (
        None if local else client_address(request, config.trusted_proxies)
    )
    try:
        return await handler(request)
    except Problem as problem:
        return _problem_response(problem)
    except web.HTTPException as error:
        return _http_response(error)
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path.encode("unicode_escape"))
        return problem_response(500, "internal", "The server failed", "look into the server's log")


def _problem_response(problem: Problem) -> web.Response:
    response = problem_response(problem.status, problem.slug, problem.title, problem.detail)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status in (401, 403, 413, 415, 503):
        # The body may be unread: what follows on this connection is not a request.
        response.force_close()
    return response


def _http_response(error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    slug, title, detail = TITLES.get(error.status, ("invalid", error.reason, error.reason))
    response = problem_response(error.status, slug, title, detail)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def problem_response(status: int, slug: str, title: str, detail: str) -> web.Response:
    """An RFC 9457 problem document; docs/api.md lists the slugs."""
    document = {
        "type": f"urn:archnest:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    response = web.Response(
        body=msgspec.json.encode(document), status=status, content_type="application/problem+json"
    )
    response[keys.PROBLEM] = slug
    return response
