"""A page of another site: what its browser may send unasked does nothing, and it reads nothing."""

import pytest

from archnest.api.routes import ROUTES
from tests.conftest import Client
from tests.factories import ADMIN, bearer

FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
UNASKED = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
"""What a browser sends to other sites without asking them first."""
WITH_BODY = [route for route in ROUTES if route.body_type is not None]
PATHS = sorted({route.path.replace("{", "").replace("}", "") for route in ROUTES})


@pytest.mark.parametrize("media_type", UNASKED)
async def test_no_form_of_another_site_signs_in_or_changes_anything(
    client: Client, admin: dict[str, str], media_type: str
) -> None:
    headers = {**FOREIGN, "Content-Type": media_type}
    username, password = ADMIN
    body = f'{{"username": "{username}", "password": "{password}"}}'
    response = await client.post("/api/auth/login", data=body, headers=headers)
    assert response.status == 415
    for route in WITH_BODY:
        path = route.path.replace("{", "").replace("}", "")
        response = await client.request(route.method, path, data=body, headers=headers)
        assert response.status in (401, 415), route


async def test_no_answer_lets_another_site_read_or_ask(
    client: Client, admin: dict[str, str]
) -> None:
    asking = {"Access-Control-Request-Method": "POST"}
    asking["Access-Control-Request-Headers"] = "authorization"
    for path in (*PATHS, "/", "/api/openapi.json"):
        for method, headers in (("GET", {**FOREIGN, **admin}), ("OPTIONS", FOREIGN | asking)):
            response = await client.request(method, path, headers=headers)
            assert not [name for name in response.headers if name.startswith("Access-Control")]
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert method == "GET" or response.status >= 400


async def test_nothing_that_a_browser_sends_by_itself_signs_in(
    client: Client, admin: dict[str, str]
) -> None:
    token = admin["Authorization"].removeprefix("Bearer ")
    signed_in = await client.get("/api/auth/me", headers=bearer(token))
    assert signed_in.status == 200
    assert "Set-Cookie" not in signed_in.headers
    for headers in ({"Cookie": f"token={token}; session={token}"}, {"Authorization": "Basic eDp5"}):
        assert (await client.get("/api/auth/me", headers=headers)).status == 401
    assert (await client.get(f"/api/auth/me?token={token}&access_token={token}")).status == 401
