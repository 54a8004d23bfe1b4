"""What people did, for admins."""

import re

from aiohttp import web

from archnest import keys
from archnest.errors import Invalid
from archnest.model.audit import AuditPage

USUAL_LIMIT = 100


async def list_audit(
    request: web.Request, before: str | None = None, limit: str | None = None
) -> AuditPage:
    """List what was done, the newest first; `before` is the `next` of the page before."""
    return await request.app[keys.AUDIT].page(
        _number("before", before), _number("limit", limit) or USUAL_LIMIT
    )


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (re.fullmatch("[0-9]{1,19}", text) and 0 < int(text) < 2**63):
        raise Invalid(f"{name}: a positive whole number is expected")
    return int(text)
