"""What every answer carries, whichever code made it: security headers, and its count."""

from aiohttp import web
from multidict import CIMultiDict

from archnest import keys

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)
_ALL = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OF_PAGES = CIMultiDict(
    {
        **_ALL,
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)
OF_OTHERS = CIMultiDict(
    {**_ALL, "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
)
"""Of what is no page; opened as one it may do nothing."""


def secure(response: web.StreamResponse) -> None:
    """Add the security headers."""
    headers = response.headers
    # With 304 those of the answer that the client has go on to count (RFC 9110, 15.4.5).
    if response.status != 304:
        is_page = headers.get("Content-Type", "").startswith("text/html")
        headers.update(OF_PAGES if is_page else OF_OTHERS)
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    headers.pop("Server", None)


async def finish(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Make an answer of the application ready to be sent, and count it."""
    secure(response)
    # To look for an abstract type or for what is not there takes longer than all the rest.
    if type(request) is web.Request:
        problem = response.get(keys.PROBLEM) if response.status >= 400 else None
        request.app[keys.VITALS].note_response(response.status, problem)
