"""Accounts and roles over HTTP: what an admin changes takes effect at once."""

import pytest
from yarl import URL

from archnest.store.database import Database
from tests.conftest import Client, sign_in, slug
from tests.factories import ADMIN, MEMBER

Headers = dict[str, str]
USERS = "/api/users"
NAME, PASSWORD = MEMBER
NEW = "another good password"


async def roles(database: Database) -> dict[str, str]:
    rows = await database.read("SELECT username, role FROM users")
    return {row["username"]: row["role"] for row in rows}


async def status_of(client: Client, headers: Headers) -> int:
    return (await client.get("/api/auth/me", headers=headers)).status


async def can_sign_in(client: Client, username: str, password: str) -> bool:
    body = {"username": username, "password": password}
    return (await client.post("/api/auth/login", json=body)).status == 200


async def test_accounts_are_listed_by_name_without_their_hashes(
    client: Client, admin: Headers, member: Headers
) -> None:
    response = await client.get(USERS, headers=admin)
    listed = (await response.json())["users"]
    assert [(one["username"], one["role"]) for one in listed] == [
        ("ada", "admin"),
        ("mel", "member"),
    ]
    assert {frozenset(one) for one in listed} == {
        frozenset({"username", "role", "createdAt", "lastLoginAt"})
    }
    assert "argon2" not in await response.text()


async def test_an_added_user_is_a_member_unless_told_otherwise(
    client: Client, admin: Headers, database: Database
) -> None:
    for name, extra, role in (("mel", {}, "member"), ("eve", {"role": "admin"}, "admin")):
        body = {"username": name, "password": PASSWORD, **extra}
        response = await client.post(USERS, json=body, headers=admin)
        answer = await response.json()
        assert response.status == 201
        assert (answer["username"], answer["role"]) == (name, role)
        assert answer["lastLoginAt"] is None
        assert await can_sign_in(client, name, PASSWORD)
    assert await roles(database) == {"ada": "admin", "mel": "member", "eve": "admin"}


async def test_a_name_is_given_once_whatever_its_case(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    for name in (NAME, NAME.upper()):
        body = {"username": name, "password": NEW, "role": "admin"}
        response = await client.post(USERS, json=body, headers=admin)
        assert (response.status, await slug(response)) == (409, "conflict")
    assert await roles(database) == {"ada": "admin", NAME: "member"}
    assert await can_sign_in(client, NAME, PASSWORD)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "a/b"),
        ("username", ".hidden"),
        ("username", "x" * 65),
        ("password", "seven77"),
        ("password", "x" * 1025),
        ("role", "owner"),
        ("role", None),
    ],
)
async def test_no_account_is_added_against_the_rules(
    client: Client, admin: Headers, database: Database, field: str, value: object
) -> None:
    body = {"username": NAME, "password": PASSWORD, field: value}
    response = await client.post(USERS, json=body, headers=admin)
    assert (response.status, await slug(response)) == (400, "invalid")
    assert f"$.{field}" in (await response.json())["detail"]
    assert await roles(database) == {"ada": "admin"}


async def test_a_role_change_ends_the_users_sessions(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    response = await client.patch(f"{USERS}/{NAME}", json={"role": "admin"}, headers=admin)
    assert (response.status, (await response.json())["role"]) == (200, "admin")
    assert await status_of(client, member) == 401
    assert await status_of(client, admin) == 200
    promoted = await sign_in(client, NAME, PASSWORD)
    assert (await client.get(USERS, headers=promoted)).status == 200
    await client.patch(f"{USERS}/{NAME}", json={"role": "member"}, headers=admin)
    assert (await client.get(USERS, headers=promoted)).status == 401
    assert await roles(database) == {"ada": "admin", NAME: "member"}


async def test_a_password_reset_ends_the_users_sessions(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    response = await client.patch(f"{USERS}/{NAME}", json={"password": NEW}, headers=admin)
    assert (response.status, (await response.json())["username"]) == (200, NAME)
    assert await status_of(client, member) == 401
    assert not await can_sign_in(client, NAME, PASSWORD)
    assert await can_sign_in(client, NAME, NEW)


async def test_an_admin_sets_no_own_password_without_the_current_one(
    client: Client, admin: Headers
) -> None:
    for name in (ADMIN[0], ADMIN[0].upper()):
        response = await client.patch(f"{USERS}/{name}", json={"password": NEW}, headers=admin)
        assert (response.status, await slug(response)) == (403, "not-allowed")
    assert await can_sign_in(client, *ADMIN)


async def test_a_removal_ends_the_users_sessions(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    response = await client.delete(f"{USERS}/{NAME}", headers=admin)
    assert (response.status, await response.read()) == (204, b"")
    assert await status_of(client, member) == 401
    assert not await can_sign_in(client, NAME, PASSWORD)
    assert await roles(database) == {"ada": "admin"}
    assert await database.read("SELECT id FROM sessions WHERE user_id <> 1") == []


async def test_a_new_user_of_an_old_name_inherits_no_session(
    client: Client, admin: Headers, member: Headers
) -> None:
    await client.delete(f"{USERS}/{NAME}", headers=admin)
    body = {"username": NAME, "password": NEW, "role": "admin"}
    await client.post(USERS, json=body, headers=admin)
    assert await status_of(client, member) == 401


async def test_the_last_admin_is_neither_removed_nor_demoted(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    address = f"{USERS}/{ADMIN[0]}"
    removal = await client.delete(address, headers=admin)
    demotion = await client.patch(address, json={"role": "member"}, headers=admin)
    for response in (removal, demotion):
        assert (response.status, await slug(response)) == (409, "conflict")
    assert await status_of(client, admin) == 200
    assert await roles(database) == {"ada": "admin", NAME: "member"}


async def test_a_refused_change_changes_nothing_at_all(client: Client, admin: Headers) -> None:
    body = {"role": "member", "password": NEW}
    response = await client.patch(f"{USERS}/{ADMIN[0]}", json=body, headers=admin)
    assert response.status == 403
    assert await can_sign_in(client, *ADMIN)
    assert await status_of(client, admin) == 200


async def test_an_admin_among_others_may_step_down(
    client: Client, admin: Headers, member: Headers, database: Database
) -> None:
    await client.patch(f"{USERS}/{NAME}", json={"role": "admin"}, headers=admin)
    assert (await client.delete(f"{USERS}/{ADMIN[0]}", headers=admin)).status == 204
    assert await status_of(client, admin) == 401
    assert await roles(database) == {NAME: "admin"}


@pytest.mark.parametrize("name", ["nobody", "%ff", "%ed%a0%80", "a%00b", "a%2Fb", "%2e%2e%2fada"])
async def test_an_unknown_user_is_not_found(
    client: Client, admin: Headers, database: Database, name: str
) -> None:
    address = URL(str(client.make_url("/")) + f"api/users/{name}", encoded=True)
    for method, body in (("PATCH", {"role": "admin"}), ("DELETE", None)):
        response = await client.session.request(method, address, json=body, headers=admin)
        assert (response.status, await slug(response)) == (404, "not-found")
    assert await roles(database) == {"ada": "admin"}


@pytest.mark.parametrize("body", [{}, {"role": None, "password": None}, {"rank": "admin"}])
async def test_a_change_of_nothing_is_refused(
    client: Client, admin: Headers, body: dict[str, object]
) -> None:
    response = await client.patch(f"{USERS}/{ADMIN[0]}", json=body, headers=admin)
    assert (response.status, await slug(response)) == (400, "invalid")
