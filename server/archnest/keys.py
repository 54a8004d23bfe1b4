"""Every place where the application and a request keep something, with its type."""

from ipaddress import IPv4Address, IPv6Address

from aiohttp import web

from archnest.audit import Audit
from archnest.auth.access import AgentIdentity, Gate
from archnest.auth.accounts import Accounts
from archnest.auth.agent_tokens import AgentTokens
from archnest.bodies import Bodies
from archnest.config import Config
from archnest.feed import Encoded, Feed
from archnest.fleet import Fleet
from archnest.ingest import Ingest
from archnest.openapi import Description
from archnest.pollers import Pollers
from archnest.refusals import Refusals
from archnest.scrapes import Scrapes
from archnest.store.database import Database
from archnest.store.readiness import Readiness
from archnest.streams import Streams
from archnest.terminals import Terminals
from archnest.turns import Turns
from archnest.vitals import Vitals

CONFIG = web.AppKey("CONFIG", Config)
DESCRIPTION: web.AppKey[Encoded[Description]] = web.AppKey("DESCRIPTION", Encoded)
AGENT_VERSION = web.AppKey("AGENT_VERSION", str)
DATABASE = web.AppKey("DATABASE", Database)
READINESS = web.AppKey("READINESS", Readiness)
FLEET = web.AppKey("FLEET", Fleet)
FEED = web.AppKey("FEED", Feed)
AUDIT = web.AppKey("AUDIT", Audit)
BODIES = web.AppKey("BODIES", Bodies)
REPORT_BODIES = web.AppKey("REPORT_BODIES", Bodies)
"""Those of agents apart from all others, which anyone may send."""
SENDING = web.AppKey("SENDING", Turns)
"""Taken before a part of a long answer is sent."""
INGEST = web.AppKey("INGEST", Ingest)
ACCOUNTS = web.AppKey("ACCOUNTS", Accounts)
AGENT_TOKENS = web.AppKey("AGENT_TOKENS", AgentTokens)
REFUSALS = web.AppKey("REFUSALS", Refusals)
POLLERS = web.AppKey("POLLERS", Pollers)
STREAMS = web.AppKey("STREAMS", Streams)
TERMINALS = web.AppKey("TERMINALS", Terminals)
VITALS = web.AppKey("VITALS", Vitals)
SCRAPES = web.AppKey("SCRAPES", Scrapes)
GATE = web.AppKey("GATE", Gate)

CLIENT_ADDRESS: web.RequestKey[IPv4Address | IPv6Address | None] = web.RequestKey(
    "CLIENT_ADDRESS",
    IPv4Address | IPv6Address | None,  # type: ignore[arg-type]
)
"""The client's address after trusted proxies; None on the control socket."""

AGENT: web.RequestKey[AgentIdentity] = web.RequestKey("AGENT", AgentIdentity)
"""Which agent reports, once its token is right."""

PROBLEM = web.ResponseKey("PROBLEM", str)
"""The kind of problem that an answer tells."""
