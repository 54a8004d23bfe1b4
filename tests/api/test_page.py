"""The page's files and the headers that guard them."""

import pytest

from archnest.api.routes import ROUTES
from archnest.assets import asset_dir
from archnest.openapi import document
from tests.conftest import Client

FILES = {
    "/": (asset_dir("web") / "index.html").read_bytes(),
    "/app.js": (asset_dir("web") / "app.js").read_bytes(),
    "/agent/archnest-docker-agent.sh": (
        asset_dir("agent") / "archnest-docker-agent.sh"
    ).read_bytes(),
}


@pytest.mark.parametrize("path", FILES)
async def test_the_page_and_the_agent_script_are_served_as_they_are(
    client: Client, path: str
) -> None:
    response = await client.get(path)
    assert response.status == 200
    assert await response.read() == FILES[path]


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/hosts", "/nothing", "/healthz"])
async def test_every_answer_carries_the_policy(client: Client, path: str) -> None:
    response = await client.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "Server" not in response.headers


async def test_what_is_no_page_can_never_act_as_one(client: Client) -> None:
    page, data = await client.get("/"), await client.get("/api/hosts")
    assert "frame-ancestors 'none'" in data.headers["Content-Security-Policy"]
    assert "'self'" not in data.headers["Content-Security-Policy"]
    for name in ("Cross-Origin-Opener-Policy", "Permissions-Policy"):
        assert name in page.headers
        assert name not in data.headers


async def test_html_and_the_api_are_not_stored_and_files_are_revalidated(client: Client) -> None:
    assert (await client.get("/")).headers["Cache-Control"] == "no-store"
    assert (await client.get("/api/hosts")).headers["Cache-Control"] == "no-store"
    script = await client.get("/app.js")
    assert script.headers["Cache-Control"] == "no-cache"
    again = await client.get("/app.js", headers={"If-None-Match": script.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(
    "path",
    ["/.gitignore", "/package.json", "/agent/__init__.py", "/%2e%2e/setup.cfg", "/vendor/"],
)
async def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 404


async def test_the_documentation_is_readable_without_signing_in(client: Client) -> None:
    assert (await client.get("/api/docs")).content_type == "text/html"
    assert await (await client.get("/api/openapi.json")).json() == document(ROUTES)
