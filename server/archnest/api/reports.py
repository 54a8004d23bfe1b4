"""Reports that agents push."""

import time

from aiohttp import web

from archnest import keys
from archnest.api.client import address_text
from archnest.api.endpoint import Undecoded
from archnest.auth.access import AgentIdentity
from archnest.errors import WrongHost
from archnest.model.report import Receipt, Report


async def create_report(
    request: web.Request, body: Undecoded[Report], agent: AgentIdentity
) -> Receipt:
    """Store a host's report; the host it names becomes visible at once."""
    ingest = request.app[keys.INGEST]
    address = address_text(request[keys.CLIENT_ADDRESS])
    picture = await body.read_in_turns(lambda unpack: ingest.read(unpack, time.time(), address))
    if agent.token_id is not None:
        # The body took its time; the host may have been forgotten meanwhile.
        request.app[keys.AGENT_TOKENS].check_live(agent.token_id)
        if picture.host_id != agent.host_id:
            raise WrongHost(f"this token reports for {agent.host_id}, not for {picture.host_id}")
    return await ingest.accept(picture)
