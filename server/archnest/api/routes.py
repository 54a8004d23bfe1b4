"""The whole API on one screen: what answers where, and who may ask."""

from functools import partial

from aiohttp import web

from archnest import keys
from archnest.api import (
    access_tokens,
    actions,
    agent_hosts,
    agent_tokens,
    audit,
    auth,
    documentation,
    health,
    hosts,
    logs,
    metrics,
    reports,
    sources,
    terminal,
    users,
)
from archnest.api.endpoint import Route
from archnest.auth.access import Access


def _report_bytes(app: web.Application) -> int:
    return app[keys.CONFIG].max_report_bytes


REPORT = "/api/agents/docker/report"
AGENT_HOSTS = "/api/agents/docker/hosts"
AGENT_HOST = AGENT_HOSTS + "/{host_id}"
AGENT_CONTAINER = AGENT_HOST + "/containers/{container_id}"
AGENT_TOKENS = "/api/agents/docker/tokens"
AGENT_TOKEN = AGENT_TOKENS + "/{token_id}"
REFUSALS = "/api/agents/docker/refusals"
CONTAINER = "/api/hosts/{host_id}/containers/{container_id}"
SOURCES = "/api/sources"
SOURCE = SOURCES + "/{host_id}"
ACCESS_TOKENS = "/api/auth/tokens"
ACCESS_TOKEN = ACCESS_TOKENS + "/{token_id}"
USERS = "/api/users"
USER = USERS + "/{username}"
COMMAND_PATHS = (USERS, USER, AGENT_TOKENS, AGENT_TOKEN)
"""What `archnest user` and `archnest token` ask of a running server."""

_Personal = partial(Route, session_only=True)
"""Terminals, and what a person does about accounts: no program does it with a token."""

ROUTES = [
    Route("GET", "/healthz", health.show_alive, Access.ANYONE),
    Route("GET", "/readyz", health.show_ready, Access.ANYONE),
    Route("GET", "/api/openapi.json", documentation.show_openapi, Access.ANYONE),
    Route("POST", REPORT, reports.create_report, Access.AGENT, max_bytes=_report_bytes),
    Route("GET", AGENT_HOSTS, agent_hosts.list_agent_hosts, Access.MEMBER),
    Route("DELETE", AGENT_HOST, agent_hosts.forget_agent_host, Access.ADMIN, status=204),
    Route("GET", AGENT_HOST + "/containers", agent_hosts.show_agent_host, Access.MEMBER),
    Route("GET", AGENT_CONTAINER, agent_hosts.show_agent_container, Access.MEMBER),
    Route("GET", AGENT_TOKENS, agent_tokens.list_agent_tokens, Access.MEMBER),
    Route("POST", AGENT_TOKENS, agent_tokens.create_agent_token, Access.ADMIN, status=201),
    Route("DELETE", AGENT_TOKEN, agent_tokens.revoke_agent_token, Access.ADMIN, status=204),
    Route("GET", REFUSALS, agent_tokens.list_refusals, Access.MEMBER),
    Route("GET", "/api/hosts", hosts.list_hosts, Access.MEMBER),
    Route("GET", "/api/containers", hosts.list_changes, Access.MEMBER),
    Route("GET", CONTAINER, hosts.show_container, Access.MEMBER),
    Route("GET", CONTAINER + "/logs", logs.read_logs, Access.MEMBER),
    Route("POST", CONTAINER + "/actions", actions.act_on_container, Access.ADMIN, status=204),
    _Personal("POST", "/api/tickets", terminal.create_ticket, Access.ADMIN, status=201),
    Route("GET", "/api/exec", terminal.open_terminal, Access.TICKET, status=101),
    Route("GET", SOURCES, sources.list_sources, Access.ADMIN),
    Route("POST", SOURCES, sources.add_source, Access.ADMIN, status=201),
    Route("POST", SOURCES + "/test", sources.test_source, Access.ADMIN),
    Route("PATCH", SOURCE, sources.change_source, Access.ADMIN),
    Route("DELETE", SOURCE, sources.remove_source, Access.ADMIN, status=204),
    Route("GET", "/metrics", metrics.show_metrics, Access.MEMBER),
    Route("GET", "/api/audit", audit.list_audit, Access.ADMIN),
    Route("POST", "/api/auth/setup", auth.setup, Access.ANYONE, status=201),
    Route("POST", "/api/auth/login", auth.login, Access.ANYONE),
    Route("GET", "/api/auth/me", auth.show_me, Access.MEMBER),
    _Personal("POST", "/api/auth/logout", auth.logout, Access.MEMBER, status=204),
    _Personal("POST", "/api/auth/renew", auth.renew, Access.MEMBER),
    _Personal("POST", "/api/auth/password", auth.change_password, Access.MEMBER, status=204),
    _Personal("GET", ACCESS_TOKENS, access_tokens.list_access_tokens, Access.MEMBER),
    _Personal("POST", ACCESS_TOKENS, access_tokens.create_access_token, Access.MEMBER, status=201),
    _Personal("DELETE", ACCESS_TOKEN, access_tokens.revoke_access_token, Access.MEMBER, status=204),
    _Personal("GET", USERS, users.list_users, Access.ADMIN),
    _Personal("POST", USERS, users.add_user, Access.ADMIN, status=201),
    _Personal("PATCH", USER, users.change_user, Access.ADMIN),
    _Personal("DELETE", USER, users.remove_user, Access.ADMIN, status=204),
]
