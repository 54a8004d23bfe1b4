"""Access tokens over the API: who makes, sees, uses and ends them."""

import time
from typing import Any

import pytest

from archnest.api.routes import ROUTES
from archnest.auth.access import Access
from archnest.auth.accounts import Accounts
from archnest.store.database import Database
from tests.conftest import Client, slug
from tests.factories import ADMIN, MEMBER, bearer

Headers = dict[str, str]
TOKENS = "/api/auth/tokens"
PERSONAL = [route for route in ROUTES if route.session_only]


async def create(
    client: Client, headers: Headers, password: str = ADMIN[1], **changes: Any
) -> dict[str, Any]:
    body = {"name": "nightly script", "password": password, **changes}
    response = await client.post(TOKENS, json=body, headers=headers)
    assert response.status == 201, await response.text()
    return dict(await response.json())


async def listed(client: Client, headers: Headers) -> list[dict[str, Any]]:
    return list((await (await client.get(TOKENS, headers=headers)).json())["tokens"])


async def status(client: Client, token: str, path: str = "/api/hosts") -> int:
    return (await client.get(path, headers=bearer(token))).status


async def test_a_token_is_shown_once_and_does_what_a_session_does(
    client: Client, admin: Headers
) -> None:
    created = await create(client, admin)
    assert (created["role"], created["username"]) == ("member", ADMIN[0])
    assert await status(client, created["token"]) == 200
    me = await (await client.get("/api/auth/me", headers=bearer(created["token"]))).json()
    assert (me["username"], me["role"]) == (ADMIN[0], "member")
    assert me["expiresAt"] == created["expiresAt"]
    [shown] = await listed(client, admin)
    assert "token" not in shown
    assert shown["lastUsedAt"] is not None
    assert shown["lastAddress"] == "127.0.0.1"


async def test_a_members_token_is_refused_what_admins_do(client: Client, admin: Headers) -> None:
    reader = bearer((await create(client, admin))["token"])
    writer = bearer((await create(client, admin, role="admin"))["token"])
    assert (await client.get("/api/audit", headers=reader)).status == 403
    assert (await client.get("/api/audit", headers=writer)).status == 200


@pytest.mark.parametrize("route", PERSONAL, ids=lambda route: f"{route.method} {route.path}")
async def test_no_token_signs_in_changes_accounts_or_makes_tokens(
    client: Client, admin: Headers, route: Any
) -> None:
    token = (await create(client, admin, role="admin"))["token"]
    path = route.path.replace("{", "").replace("}", "")
    response = await client.request(route.method, path, headers=bearer(token))
    assert (response.status, await slug(response)) == (403, "not-allowed")


def test_terminals_and_everything_about_accounts_and_sessions_take_a_person() -> None:
    about = ("/api/auth/", "/api/users", "/api/tickets")
    guarded = {
        (route.method, route.path)
        for route in ROUTES
        if route.path.startswith(about) and route.access is not Access.ANYONE
    }
    assert guarded - {("GET", "/api/auth/me")} == {(r.method, r.path) for r in PERSONAL}


async def test_a_token_posts_no_report(client: Client, admin: Headers) -> None:
    token = (await create(client, admin, role="admin"))["token"]
    response = await client.post("/api/agents/docker/report", json={}, headers=bearer(token))
    assert (response.status, await slug(response)) == (401, "wrong-agent-token")


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"role": "admin"}, 403, "not-allowed"),
        ({"password": "not the password"}, 401, "wrong-credentials"),
        ({"name": ""}, 400, "invalid"),
        ({"name": "two\nlines"}, 400, "invalid"),
        ({"expiresInDays": 0}, 400, "invalid"),
        ({"expiresInDays": 3651}, 400, "invalid"),
        ({"role": "owner"}, 400, "invalid"),
    ],
)
async def test_a_token_that_may_not_be_is_not_made(
    client: Client, member: Headers, changes: dict[str, Any], status: int, kind: str
) -> None:
    body = {"name": "x", "password": MEMBER[1], **changes}
    response = await client.post(TOKENS, json=body, headers=member)
    assert (response.status, await slug(response)) == (status, kind)
    assert await listed(client, member) == []


async def test_members_see_and_revoke_their_own_and_admins_everyones(
    client: Client, admin: Headers, member: Headers
) -> None:
    of_admin = await create(client, admin)
    of_member = await create(client, member, MEMBER[1])
    assert [one["id"] for one in await listed(client, member)] == [of_member["id"]]
    assert len(await listed(client, admin)) == 2
    refused = await client.delete(f"{TOKENS}/{of_admin['id']}", headers=member)
    assert (refused.status, await slug(refused)) == (404, "not-found")
    assert await status(client, of_admin["token"]) == 200
    assert (await client.delete(f"{TOKENS}/{of_member['id']}", headers=admin)).status == 204
    assert await status(client, of_member["token"]) == 401


async def rows(database: Database) -> int:
    return len(await database.read("SELECT id FROM access_tokens"))


async def test_removal_ends_a_users_tokens(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    token = (await create(client, member, MEMBER[1]))["token"]
    await client.delete(f"/api/users/{MEMBER[0]}", headers=admin)
    assert await status(client, token) == 401
    assert await rows(database) == 0


async def test_demotion_ends_tokens_above_the_new_role(
    client: Client, admin: Headers, member: Headers, accounts: Accounts, database: Database
) -> None:
    await accounts.change_user(MEMBER[0], "admin", None)
    session = bearer((await accounts.log_in(*MEMBER, None, time.time())).token)
    above = (await create(client, session, MEMBER[1], role="admin"))["token"]
    within = (await create(client, session, MEMBER[1]))["token"]
    await client.patch(f"/api/users/{MEMBER[0]}", json={"role": "member"}, headers=admin)
    assert await status(client, above) == 401
    assert await status(client, within) == 200
    assert await rows(database) == 1


async def test_a_password_that_an_admin_sets_ends_tokens(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    token = (await create(client, member, MEMBER[1]))["token"]
    body = {"password": "another password"}
    await client.patch(f"/api/users/{MEMBER[0]}", json=body, headers=admin)
    assert await status(client, token) == 401
    assert await rows(database) == 0


async def test_the_record_tells_who_made_and_used_a_token(client: Client, admin: Headers) -> None:
    created = await create(client, admin, role="admin")
    await client.delete(f"{TOKENS}/{created['id']}", headers=admin)
    page = await (await client.get("/api/audit", headers=admin)).json()
    acts = [entry for entry in page["entries"] if entry["action"].startswith("access-token.")]
    assert [(one["action"], one["actor"]) for one in acts] == [
        ("access-token.revoke", ADMIN[0]),
        ("access-token.create", ADMIN[0]),
    ]
    assert all("nightly script" in one["target"] for one in acts)
    assert created["token"].rpartition("_")[2] not in str(page)
