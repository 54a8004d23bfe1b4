"""Every route, called as nobody, member and admin; none without a declared access."""

import pytest
from aiohttp import web

from archnest.api.endpoint import Route
from archnest.api.routes import ROUTES
from archnest.app import make_app, refuse_undeclared
from archnest.auth.access import Access
from archnest.config import Config
from archnest.errors import StartRefused
from tests.conftest import Client, slug
from tests.factories import ADMIN, bearer

Headers = dict[str, str]
GUARDED = [route for route in ROUTES if route.access in (Access.MEMBER, Access.ADMIN)]
ADMIN_ONLY = [route for route in GUARDED if route.access is Access.ADMIN]
PERSONAL = [route for route in GUARDED if route.session_only]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def address(path: str) -> str:
    return path.replace("{", "").replace("}", "")


@pytest.mark.parametrize("route", GUARDED, ids=name)
async def test_nobody_is_refused(client: Client, route: Route) -> None:
    response = await client.request(route.method, address(route.path))
    assert (response.status, await slug(response)) == (401, "not-signed-in")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", ADMIN_ONLY, ids=name)
async def test_a_member_is_refused_what_admins_do(
    client: Client, member: Headers, route: Route
) -> None:
    response = await client.request(route.method, address(route.path), headers=member)
    assert (response.status, await slug(response)) == (403, "not-allowed")


@pytest.mark.parametrize("route", GUARDED, ids=name)
async def test_whoever_may_is_let_in(
    client: Client, admin: Headers, member: Headers, route: Route
) -> None:
    for who in (admin,) if route.access is Access.ADMIN else (member, admin):
        response = await client.request(route.method, address(route.path), headers=who)
        # Nothing is there and nothing was sent, which is told only to who may ask.
        assert response.status in (200, 204, 400, 404, 409, 415)


@pytest.mark.parametrize("route", PERSONAL, ids=name)
async def test_what_is_a_persons_no_program_does(
    client: Client, admin: Headers, route: Route
) -> None:
    asked = {"name": "program", "role": "admin", "password": ADMIN[1]}
    made = await (await client.post("/api/auth/tokens", json=asked, headers=admin)).json()
    response = await client.request(
        route.method, address(route.path), headers=bearer(made["token"])
    )
    assert (response.status, await slug(response)) == (403, "not-allowed")


def test_open_to_anyone_is_only_what_has_to_be() -> None:
    found = {name(route) for route in ROUTES if route not in GUARDED}
    assert found == {
        "GET /healthz",
        "GET /readyz",
        "GET /api/openapi.json",
        "POST /api/agents/docker/report",
        "POST /api/auth/setup",
        "POST /api/auth/login",
        "GET /api/exec",
    }


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

    async def test_without_its_last_slash_it_leads_there(self, client: Client) -> None:
        response = await client.get("/nest", allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (302, "/nest/")

    async def test_the_document_says_so(self, client: Client) -> None:
        described = await (await client.get("/nest/api/openapi.json")).json()
        assert described["servers"] == [{"url": "/nest"}]
        assert "/healthz" in described["paths"]
