"""Hosts that push reports, and their latest ones, as the report schema has them."""

import time

import msgspec
from aiohttp import web

from archnest import keys
from archnest.api.client import act
from archnest.auth.access import Identity
from archnest.errors import NotFound
from archnest.feed import Encoded
from archnest.fleet import Entry, Fleet
from archnest.model.host import AgentHost, AgentHostContainers, AgentHostList
from archnest.model.report import Container
from archnest.timestamps import rfc3339

SOURCE = "agent"


async def list_agent_hosts(request: web.Request) -> AgentHostList:
    """List the hosts that push reports."""
    entries = request.app[keys.FLEET].entries()
    return AgentHostList([_agent_host(entry) for entry in entries if _is_agent(entry)])


async def show_agent_host(request: web.Request, host_id: str) -> Encoded[AgentHostContainers]:
    """Give a host's latest report; `stale` says whether it is still current."""
    entry = _entry(request.app[keys.FLEET], host_id)
    picture = entry.picture
    document = {
        "hostId": picture.host_id,
        "hostname": picture.hostname,
        "receivedAt": rfc3339(picture.received_at),
        "stale": entry.stale,
        "containers": msgspec.Raw(picture.containers_json),
    }
    return Encoded(msgspec.json.encode(document))


async def show_agent_container(request: web.Request, host_id: str, container_id: str) -> Container:
    """Give one container of a host's latest report, by id, id prefix or name."""
    return _entry(request.app[keys.FLEET], host_id).picture.find(container_id)


async def forget_agent_host(request: web.Request, host_id: str, identity: Identity) -> None:
    """Forget a host that is gone, and revoke its tokens.

    A report with the shared token would bring it back.
    """
    _entry(request.app[keys.FLEET], host_id)
    ingest = request.app[keys.INGEST]
    ingest.check_forgettable(host_id)
    # First, so that no report of its slips in between.
    await request.app[keys.AGENT_TOKENS].revoke_host(host_id, time.time())
    await ingest.forget(host_id)
    request.app[keys.REFUSALS].forget(host_id)
    await request.app[keys.AUDIT].record(act(request, identity, "host.forget", host_id))


def _entry(fleet: Fleet, host_id: str) -> Entry:
    entry = fleet.entry(host_id)
    if not _is_agent(entry):
        raise NotFound("no host that pushes reports has this id")
    return entry


def _is_agent(entry: Entry) -> bool:
    return entry.picture.source == SOURCE


def _agent_host(entry: Entry) -> AgentHost:
    picture = entry.picture
    return AgentHost(
        host_id=picture.host_id,
        hostname=picture.hostname,
        received_at=rfc3339(picture.received_at),
        reported_at=picture.reported_at,
        container_count=picture.count,
        stale=entry.stale,
    )
