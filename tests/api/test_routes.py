"""Every route, called as nobody, member and admin; none without a declared access."""

import pytest
from aiohttp import web

from archnest.api.routes import ROUTES
from archnest.app import make_app, refuse_undeclared
from archnest.auth.access import Access
from archnest.config import Config
from archnest.errors import StartRefused
from tests.conftest import Client, slug

Headers = dict[str, str]
GUARDED = [route for route in ROUTES if route.access in (Access.MEMBER, Access.ADMIN)]
ADMIN_ONLY = [route for route in GUARDED if route.access is Access.ADMIN]


def name(route: object) -> str:
    return f"{getattr(route, 'method', '')} {getattr(route, 'path', '')}"


def address(path: str) -> str:
    return path.replace("{", "").replace("}", "")


@pytest.mark.parametrize("route", GUARDED, ids=name)
async def test_nobody_is_refused(client: Client, route: object) -> None:
    response = await client.request(route.method, address(route.path))  # type: ignore[attr-defined]
    assert (response.status, await slug(response)) == (401, "not-signed-in")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", ADMIN_ONLY, ids=name)
async def test_a_member_is_refused_what_admins_do(
    client: Client, member: Headers, route: object
) -> None:
    path = address(route.path)  # type: ignore[attr-defined]
    response = await client.request(route.method, path, headers=member)  # type: ignore[attr-defined]
    assert (response.status, await slug(response)) == (403, "not-allowed")


async def test_an_agent_token_opens_nothing_else(client: Client) -> None:
    headers = {"Authorization": "Bearer a-shared-agent-token-for-tests"}
    for route in GUARDED:
        response = await client.request(route.method, address(route.path), headers=headers)
        assert response.status == 401


async def test_a_session_posts_no_report(client: Client, admin: Headers) -> None:
    response = await client.post("/api/agents/docker/report", json={}, headers=admin)
    assert response.status == 401


def test_a_route_without_declared_access_fails_at_start(config: Config) -> None:
    async def careless(request: web.Request) -> web.Response:
        return web.Response(text="secrets")

    app = make_app(config)
    app.router.add_get("/careless", careless)
    with pytest.raises(StartRefused, match="/careless"):
        refuse_undeclared(app)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/nothing", 404, "not-found"),
        ("GET", "/api/agents/docker/report", 405, "method-not-allowed"),
        ("PUT", "/api/hosts", 405, "method-not-allowed"),
        ("GET", "/../../etc/passwd", 404, "not-found"),
    ],
)
async def test_what_no_route_answers_is_a_problem_too(
    client: Client, method: str, path: str, status: int, kind: str
) -> None:
    response = await client.request(method, path)
    assert (response.status, await slug(response)) == (status, kind)


async def test_health_is_open_to_anyone(client: Client) -> None:
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/readyz")).status == 200


class TestUnderABasePath:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"ARCHNEST_BASE_PATH": "/nest/"}

    async def test_everything_moves_below_it(self, client: Client) -> None:
        for path in ("/nest/", "/nest/healthz", "/nest/app.js"):
            assert (await client.get(path)).status == 200
        assert (await client.get("/healthz")).status == 404
