"""Reports that agents push."""

import time

from aiohttp import web

from archnest import keys
from archnest.model.report import Receipt, Report


async def create_report(request: web.Request, body: Report) -> Receipt:
    """Store a host's report; the host it names becomes visible at once."""
    return await request.app[keys.INGEST].accept(body, now=time.time())
