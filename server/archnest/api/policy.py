"""What every answer carries, whichever code made it: security headers, and its count."""

import base64
import hashlib

from aiohttp import web
from multidict import CIMultiDict

from archnest import keys

POLICY = "Content-Security-Policy"
_ALL = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OF_PAGES = CIMultiDict(
    {
        **_ALL,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)
OF_OTHERS = CIMultiDict({**_ALL, POLICY: "default-src 'none'; frame-ancestors 'none'"})
"""Of what is no page; opened as one it may do nothing."""


def page_policy(*scripts: bytes) -> str:
    """What a page may do that holds these scripts: run them, by their hashes, and files."""
    hashes = "".join(
        f" 'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in scripts
    )
    return (
        f"default-src 'none'; script-src 'self'{hashes}; style-src 'self'; img-src 'self' data:;"
        " font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none';"
        " form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script';"
        " trusted-types 'none'"
    )


def secure(response: web.StreamResponse) -> None:
    """Add the security headers."""
    headers = response.headers
    # With 304 those of the answer that the client has go on to count (RFC 9110, 15.4.5).
    if response.status != 304:
        if headers.get("Content-Type", "").startswith("text/html"):
            headers.update(OF_PAGES)
            headers.setdefault(POLICY, page_policy())
        else:
            headers.update(OF_OTHERS)
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
