"""The real application on a real database; the rest of the fixtures is in plugins."""

import io
import json
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings as hypothesis_settings

from archnest import config as settings
from archnest import keys
from archnest.api.protocol import Runner
from archnest.app import SERVER_OPTIONS, make_app
from archnest.assets import asset_dir
from archnest.auth.accounts import Accounts
from archnest.auth.passwords import Passwords
from archnest.config import Config
from archnest.store.database import DATABASE_NAME, Database
from archnest.store.migrate import migrate
from tests.factories import ADMIN, AGENT, AGENT_TOKEN, MEMBER, QUICK, bearer

pytest_plugins = ["tests.engine.dockerd", "tests.sources.transports"]

# How long an example takes says how busy the machine is.
hypothesis_settings.register_profile("archnest", hypothesis_settings(deadline=None))
hypothesis_settings.load_profile("archnest")

Client = TestClient[Any, Any]


@pytest.fixture(autouse=True)
def _event_loop_never_blocked() -> Iterator[BlockBuster]:
    """Any blocking call that our code makes inside the event loop fails the test."""
    with blockbuster_ctx("archnest") as blockbuster:
        yield blockbuster


@pytest.fixture
def environ() -> dict[str, str]:
    """The settings of the application under test; tests override this fixture."""
    return {"ARCHNEST_AGENT_TOKEN": AGENT_TOKEN}


@pytest.fixture
def config(environ: dict[str, str], tmp_path: Path) -> Config:
    """A prepared data folder with a migrated database."""
    loaded = settings.load(environ, data_dir=str(tmp_path / "data"))
    prepared = settings.with_secrets(loaded)
    migrate(prepared.data_dir / DATABASE_NAME, asset_dir("migrations"))
    return prepared


@pytest.fixture
def application(config: Config, monkeypatch: pytest.MonkeyPatch) -> web.Application:
    """The whole server, not started. Its passwords take no time, as tests/auth has them do."""
    monkeypatch.setattr("archnest.auth.accounts.Passwords", partial(Passwords, QUICK))
    return make_app(config)


class Served(TestServer):
    """Serves through the connections that production has."""

    async def _make_runner(self, **kwargs: Any) -> Runner:
        return Runner(self.app, **kwargs)


@pytest.fixture
async def client(
    aiohttp_client: Callable[..., Awaitable[Client]], application: web.Application
) -> Client:
    """A client of the running server."""
    server = Served(application)
    # The client would start the server without the options that production has.
    await server.start_server(**SERVER_OPTIONS)
    return await aiohttp_client(server)


@pytest.fixture
def accounts(client: Client, application: web.Application) -> Accounts:
    """The running server's accounts."""
    return application[keys.ACCOUNTS]


async def sign_in(client: Client, username: str, password: str) -> dict[str, str]:
    """The header of a fresh session."""
    response = await client.post(
        "/api/auth/login", json={"username": username, "password": password}
    )
    assert response.status == 200, await response.text()
    return bearer((await response.json())["token"])


@pytest.fixture
async def admin(client: Client, accounts: Accounts) -> dict[str, str]:
    """The header of an admin's session."""
    username, password = ADMIN
    await accounts.add_user(username, password, "admin")
    return await sign_in(client, username, password)


@pytest.fixture
async def member(client: Client, accounts: Accounts, admin: dict[str, str]) -> dict[str, str]:
    """The header of a member's session."""
    username, password = MEMBER
    await accounts.add_user(username, password, "member")
    return await sign_in(client, username, password)


@pytest.fixture
def database(client: Client, application: web.Application) -> Database:
    """The running server's database."""
    return application[keys.DATABASE]


@pytest.fixture
def stored_hosts(database: Database) -> Callable[[], Awaitable[dict[str, str]]]:
    """What the database itself holds: hostId to report_json."""

    async def read() -> dict[str, str]:
        rows = await database.read("SELECT host_id, report_json FROM docker_agent_reports")
        return {row["host_id"]: row["report_json"] for row in rows}

    return read


@pytest.fixture
def push(client: Client) -> Callable[..., Awaitable[ClientResponse]]:
    """Post a report as an agent does."""

    async def post(document: Any, **options: Any) -> ClientResponse:
        headers = {**AGENT, "Content-Type": "application/json", **options.pop("headers", {})}
        body = io.BytesIO(json.dumps(document).encode())
        path = "/api/agents/docker/report"
        return await client.post(path, data=body, headers=headers, **options)

    return post


async def slug(response: ClientResponse) -> str:
    """The kind of problem an answer tells; checks that it is a problem document."""
    assert response.content_type == "application/problem+json"
    problem = await response.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == response.status
    return str(problem["type"]).removeprefix("urn:archnest:problem:")
