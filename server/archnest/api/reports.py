"""Reports that agents push."""

import time

from aiohttp import web

from archnest import keys
from archnest.api.endpoint import Undecoded
from archnest.model.report import Receipt, Report


async def create_report(request: web.Request, body: Undecoded[Report]) -> Receipt:
    """Store a host's report; the host it names becomes visible at once."""
    ingest = request.app[keys.INGEST]
    await ingest.turns.take()
    return await ingest.accept(body.read(lambda data: ingest.read(data, time.time())))
