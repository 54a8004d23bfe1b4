"""Failures as RFC 9457 problem documents; docs/api.md lists the slugs."""

from collections.abc import Mapping

import msgspec
from aiohttp import web

from archnest import keys
from archnest.errors import Problem

SAYING = {
    400: (
        "malformed-request",
        "This cannot be read as HTTP",
        "the request line, a header or the body's framing is malformed or too long",
    ),
    404: ("not-found", "Not found", "there is nothing at this address"),
    405: ("method-not-allowed", "Method not allowed", "this address takes other methods"),
    413: ("too-large", "The body is too large", "the body is larger than the server takes"),
    417: (
        "expectation-failed",
        "The expectation cannot be met",
        "of Expect only 100-continue is known",
    ),
}
"""What aiohttp refuses by itself, by its status."""


def told(problem: Problem) -> web.Response:
    """The answer to a request that failed so."""
    response = problem_response(problem.status, problem.slug, problem.title, problem.detail)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status in (401, 403, 413, 415, 503):
        # The body may be unread: what follows on this connection is not a request.
        response.force_close()
    return response


def refused(status: int, headers: Mapping[str, str]) -> web.Response:
    """The answer in place of one that aiohttp made by itself."""
    slug, title, detail = SAYING.get(status, SAYING[400])
    response = problem_response(status, slug, title, detail)
    if "Allow" in headers:
        response.headers["Allow"] = headers["Allow"]
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
