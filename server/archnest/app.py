"""The server: what it is made of, and its life from start to stop."""

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import resource
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from aiohttp import web

from archnest import __version__, keys, logs, openapi
from archnest.api.endpoint import is_declared
from archnest.api.page import asset_routes, slash_route
from archnest.api.policy import finish
from archnest.api.protocol import Runner
from archnest.api.routes import COMMAND_PATHS, ROUTES
from archnest.api.sending import BATCHES_A_ROUND
from archnest.assets import agent_version, asset_dir
from archnest.audit import Audit
from archnest.auth.access import Gate
from archnest.auth.accounts import Accounts
from archnest.auth.agent_tokens import AgentTokens
from archnest.bodies import Bodies
from archnest.config import Config, with_secrets
from archnest.errors import StartRefused
from archnest.feed import Encoded, Feed
from archnest.fleet import Fleet
from archnest.ingest import Ingest
from archnest.pollers import Pollers
from archnest.refusals import Refusals
from archnest.scrapes import Scrapes
from archnest.store.database import DATABASE_NAME, Database
from archnest.store.lock import DataFolderLock
from archnest.store.migrate import migrate
from archnest.store.readiness import Readiness
from archnest.streams import Streams
from archnest.terminals import Terminals
from archnest.turns import Turns
from archnest.vitals import Vitals

log = logging.getLogger(__name__)

SHUTDOWN_S = 3.0
LOCK_PATIENCE_S = 2.0
"""A command holds the folder for a moment; another server holds it for good."""
MAX_OPEN_FILES = 65_536
HELD_OF_REPORTS_BYTES = 256 * 1024 * 1024
"""Of reports that are on their way in, all together."""
HELD_BYTES = 32 * 1024 * 1024
"""Of all other bodies."""
KEEPALIVE_S = 75.0
SOCKET_NAME = "archnest.sock"

SERVER_OPTIONS: dict[str, Any] = {
    # Left on, aiohttp inflates bodies before anyone asked who sends them.
    "auto_decompress": False,
    "keepalive_timeout": KEEPALIVE_S,
    "access_log": None,
}


def make_app(config: Config) -> web.Application:
    """Build the whole server over a migrated data folder; nothing is opened yet.

    `config` must come from `with_secrets`. Raises StartRefused when a route
    does not declare who may call it.
    """
    app = web.Application()
    app[keys.CONFIG] = config
    described = openapi.document(ROUTES, config.base_path)
    app[keys.DESCRIPTION] = Encoded(msgspec.json.encode(described))
    app[keys.AGENT_VERSION] = agent_version()
    app[keys.STREAMS] = Streams()
    app[keys.SENDING] = Turns(BATCHES_A_ROUND)
    app[keys.BODIES], app[keys.REPORT_BODIES] = Bodies(HELD_BYTES), Bodies(HELD_OF_REPORTS_BYTES)
    app.cleanup_ctx.extend([_store, _fleet, _accounts, _ingest, _pollers, _terminals, _vitals])
    app.on_shutdown.extend([_close_terminals, _end_streams])
    app.on_response_prepare.append(finish)
    routes = [*ROUTES, *asset_routes(asset_dir("web"), asset_dir("agent"))]
    if config.base_path != "/":
        routes.append(slash_route(config.base_path))
    for route in routes:
        app.router.add_routes([route.as_aiohttp(config.base_path)])
    refuse_undeclared(app)
    return app


def make_control_app(app: web.Application) -> web.Application:
    """The commands' routes over a running server's state, for the control socket.

    A command knows the data folder, but not the base path that the server was
    started with.
    """
    control = web.Application()
    control[keys.CONFIG] = app[keys.CONFIG]
    control[keys.ACCOUNTS] = app[keys.ACCOUNTS]
    control[keys.AGENT_TOKENS] = app[keys.AGENT_TOKENS]
    control[keys.GATE] = app[keys.GATE]
    control[keys.AUDIT] = app[keys.AUDIT]
    control[keys.BODIES] = app[keys.BODIES]
    mine = [route for route in ROUTES if route.path in COMMAND_PATHS]
    control.add_routes([route.as_aiohttp("/", local=True) for route in mine])
    return control


def refuse_undeclared(app: web.Application) -> None:
    """Raise StartRefused when any route does not declare who may call it."""
    for route in app.router.routes():
        if not is_declared(route.handler):
            raise StartRefused(f"{route.method} {route.resource} does not declare who may call it")


def serve(config: Config) -> None:
    """Run the server until SIGINT or SIGTERM; raises StartRefused."""
    config = prepared(config)
    logs.configure(config)
    _allow_many_connections()
    with DataFolderLock(config.data_dir, LOCK_PATIENCE_S):
        applied = migrate(config.data_dir / DATABASE_NAME, asset_dir("migrations"))
        for name in applied:
            log.info("applied migration %s", name)
        # A report's structs live for a moment or as long as its host; looking for cycles
        # among them every 700 allocations is a fifth of the work and finds none.
        gc.set_threshold(20_000, 20, 20)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(config))


def prepared(config: Config) -> Config:
    """The settings with the data folder made and its secrets; raises StartRefused."""
    os.umask(0o077)
    try:
        return with_secrets(config)
    except OSError as error:
        raise StartRefused(
            f"the data folder {config.data_dir} cannot be used: {error.strerror}"
        ) from None


def _allow_many_connections() -> None:
    """Take all the open files that the system grants: each host's report is one.

    What a shell or a service manager sets by default, 1024, is for programs
    that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is installed, else asyncio's own (None)."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(config: Config) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        app = make_app(config)
        port = await _listen(await _running(app, stack), config)
        control = await _running(make_control_app(app), stack)
        await web.SockSite(control, _control_socket(config)).start()
        _announce(config, port, app[keys.ACCOUNTS])
        if config.agent_token is None and not app[keys.AGENT_TOKENS]:
            log.warning("there is no agent token yet: add a host on the page")
        await stopping.wait()
        log.info("stopping")


async def _running(app: web.Application, stack: contextlib.AsyncExitStack) -> Runner:
    """A set-up runner that the stack tears down, also when the set-up fails half-way.

    Else the database's threads would hold the process up for ever.
    """
    runner = Runner(app, shutdown_timeout=SHUTDOWN_S, **SERVER_OPTIONS)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    return runner


async def _listen(runner: Runner, config: Config) -> int:
    """The port, which the system chooses where 0 is asked for; raises StartRefused."""
    site = web.TCPSite(
        runner, config.listen_host, config.listen_port, ssl_context=_tls(config), backlog=4096
    )
    try:
        await site.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if isinstance(error, socket.gaierror):
            # The resolver's errors have numbers of their own.
            reason = f"the name does not resolve: {error.strerror}"
        raise StartRefused(
            f"cannot listen on {config.listen_host}:{config.listen_port}: {reason};"
            " set ARCHNEST_LISTEN or --listen to another address"
        ) from None
    port: int = runner.addresses[0][1]
    return port


def _control_socket(config: Config) -> socket.socket:
    """The socket for `archnest user …`, reachable only through the 0700 folder.

    It is bound through the folder's descriptor, because a socket's path may
    have only 107 bytes.
    """
    path = config.data_dir / SOCKET_NAME
    path.unlink(missing_ok=True)
    folder = os.open(config.data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
    finally:
        os.close(folder)
    path.chmod(0o600)
    return listener


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, password=_refuse_passphrase)
    except (ssl.SSLError, OSError) as error:
        raise StartRefused(
            f"ARCHNEST_TLS_CERT and ARCHNEST_TLS_KEY are wrong: they must be a PEM certificate"
            f" and its key ({error})"
        ) from None
    return context


def _refuse_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal, or hang without one.
    raise StartRefused(
        "ARCHNEST_TLS_KEY is wrong: it must be a key without a passphrase, and it is encrypted"
    )


def _announce(config: Config, port: int, accounts: Accounts) -> None:
    host = f"[{config.listen_host}]" if ":" in config.listen_host else config.listen_host
    if config.listen_host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    address = f"{config.scheme}://{host}:{port}{config.base_path}"
    lines = [f"ArchNest {__version__} is at {address}"]
    if accounts.setup_code is not None:
        lines.append(f"Make the first admin at {address}#/setup?code={accounts.setup_code}")
    # In one write, so that who reads the first line through a pipe has them all.
    print("\n".join(lines), flush=True)


async def _end_streams(app: web.Application) -> None:
    app[keys.STREAMS].end()


async def _store(app: web.Application) -> AsyncIterator[None]:
    async with Database.open(app[keys.CONFIG].data_dir / DATABASE_NAME) as database:
        app[keys.DATABASE] = database
        app[keys.READINESS] = Readiness(database)
        app[keys.AUDIT] = Audit(database)
        yield


async def _fleet(app: web.Application) -> AsyncIterator[None]:
    fleet = Fleet(app[keys.CONFIG].stale_after_ms)
    await fleet.load(app[keys.DATABASE], now=time.time())
    app[keys.FLEET] = fleet
    app[keys.FEED] = Feed(fleet, app[keys.AGENT_VERSION])
    yield


async def _accounts(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    database = app[keys.DATABASE]
    async with (
        Accounts.open(config, database) as accounts,
        AgentTokens.open(database, time.time()) as agent_tokens,
    ):
        app[keys.ACCOUNTS] = accounts
        app[keys.AGENT_TOKENS] = agent_tokens
        app[keys.REFUSALS] = Refusals()
        app[keys.GATE] = Gate(
            config.agent_token,
            config.ingest_allow,
            accounts.sessions,
            accounts.access_tokens,
            agent_tokens,
        )
        yield


async def _ingest(app: web.Application) -> AsyncIterator[None]:
    async with Ingest(app[keys.DATABASE], app[keys.FLEET]).running() as ingest:
        app[keys.INGEST] = ingest
        yield


async def _pollers(app: web.Application) -> AsyncIterator[None]:
    async with Pollers(app[keys.DATABASE], app[keys.FLEET], app[keys.INGEST]).running() as pollers:
        app[keys.POLLERS] = pollers
        yield


async def _terminals(app: web.Application) -> AsyncIterator[None]:
    sessions = app[keys.ACCOUNTS].sessions
    app[keys.TERMINALS] = Terminals(sessions, app[keys.POLLERS], app[keys.AUDIT], app[keys.STREAMS])
    yield


async def _vitals(app: web.Application) -> AsyncIterator[None]:
    app[keys.VITALS] = Vitals(
        app[keys.CONFIG].data_dir,
        app[keys.DATABASE],
        app[keys.FLEET],
        app[keys.INGEST],
        app[keys.STREAMS],
    )
    app[keys.SCRAPES] = Scrapes(app[keys.FLEET], app[keys.VITALS])
    yield


async def _close_terminals(app: web.Application) -> None:
    """End them before aiohttp waits for their connections, twice SHUTDOWN_S."""
    await app[keys.TERMINALS].close()
