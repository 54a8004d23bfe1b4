"""The page's files, the agent and its installer, held in memory as they go out.

Only files present at start with a known ending are served, so neither
dotfiles nor anything placed beside them later can be asked for.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from archnest.api.endpoint import Route, accepts_gzip, matches_etag
from archnest.api.policy import POLICY, page_policy
from archnest.auth.access import Access

TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".sh": "text/x-shellscript",
    # What install.sh puts beside the agent.
    ".service": "text/plain",
    ".timer": "text/plain",
    ".example": "text/plain",
}
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True)
class Asset:
    """One file as it goes out."""

    compressed: bytes
    content_type: str
    headers: dict[str, str]


def asset_routes(web_dir: Path, agent_dir: Path) -> list[Route]:
    """A route for each file of the page, for `/` and for the agent's files."""
    found = {
        f"/{path.relative_to(web_dir).as_posix()}": _load(path)
        for path in sorted(web_dir.rglob("*"))
        if path.suffix in TYPES and _is_public(path.relative_to(web_dir))
    }
    found |= {
        f"/agent/{path.name}": _load(path)
        for path in sorted(agent_dir.iterdir())
        if path.suffix in TYPES and _is_public(path.relative_to(agent_dir))
    }
    if "/index.html" in found:
        found["/"] = found.pop("/index.html")
    if "/docs.html" in found:
        found["/api/docs"] = found.pop("/docs.html")
    return [_route(path, asset) for path, asset in found.items()]


def slash_route(base_path: str) -> Route:
    """The base path without its last slash, below which the page's files would not be found."""

    async def lead_on(request: web.Request) -> web.Response:
        """Lead to the page."""
        return web.Response(status=302, headers={"Location": base_path})

    return Route("GET", "", lead_on, Access.ANYONE)


def _is_public(relative: Path) -> bool:
    return not any(part.startswith(".") or part == "node_modules" for part in relative.parts)


def _load(path: Path) -> Asset:
    body = path.read_bytes()
    headers = {
        # Weak, for it names the compressed form, too.
        "ETag": f'W/"{hashlib.sha256(body).hexdigest()[:20]}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
    }
    if path.suffix == ".html":
        # It names the other files; an old copy of it must never live on.
        headers["Cache-Control"] = "no-store"
        headers[POLICY] = page_policy(*_SCRIPT.findall(body))
    return Asset(gzip.compress(body, compresslevel=9, mtime=0), TYPES[path.suffix], headers)


def _route(path: str, asset: Asset) -> Route:
    async def serve(request: web.Request) -> web.Response:
        """Give a file of the page."""
        headers = dict(asset.headers)
        if matches_etag(request, headers["ETag"]):
            return web.Response(status=304, headers=headers)
        body = asset.compressed
        if accepts_gzip(request):
            headers["Content-Encoding"] = "gzip"
        else:
            # Browsers take gzip; what curl asks for are scripts of some KB.
            body = gzip.decompress(body)
        return web.Response(
            body=body, headers=headers, content_type=asset.content_type, charset="utf-8"
        )

    return Route("GET", path, serve, Access.ANYONE)
