"""Whether a WebSocket comes from the page itself: browsers let any page open one."""

import logging

from aiohttp import web

from archnest import keys
from archnest.api.client import is_in, parse_address
from archnest.errors import NotAllowed

log = logging.getLogger(__name__)

USUAL_PORTS = {"http": ":80", "https": ":443"}


def require_own_origin(request: web.Request) -> None:
    """Raise NotAllowed unless the one Origin is the page's own, as its visitors see it."""
    own = own_origin(request)
    given = request.headers.getall("Origin", [])
    if len(given) != 1 or _normal(given[0]) != own:
        shown = ", ".join(given).encode("unicode_escape").decode()[:200] or "none"
        log.warning("a WebSocket was refused: its Origin is %s, the page's own is %s", shown, own)
        raise NotAllowed(
            f"the Origin is not {own}, the page's own; behind a reverse proxy it has to pass"
            " Host and X-Forwarded-Proto, and be trusted"
        )


def own_origin(request: web.Request) -> str:
    """Scheme, host and port in the browser's address bar; trusted proxies are believed."""
    scheme, host = request.scheme, request.headers.get("Host", "")
    peer = parse_address(request.remote or "")
    if peer is not None and is_in(peer, request.app[keys.CONFIG].trusted_proxies):
        scheme = _forwarded(request, "X-Forwarded-Proto") or scheme
        host = _forwarded(request, "X-Forwarded-Host") or host
    return _normal(f"{scheme}://{host}")


def _forwarded(request: web.Request, name: str) -> str:
    """The value that the nearest proxy gave."""
    return ",".join(request.headers.getall(name, [])).rpartition(",")[2].strip()


def _normal(origin: str) -> str:
    """In small letters and without the port that goes without saying."""
    scheme, colon, rest = origin.lower().partition(":")
    return scheme + colon + rest.removesuffix(USUAL_PORTS.get(scheme, " "))
