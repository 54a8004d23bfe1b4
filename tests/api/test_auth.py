"""Signing in and out over HTTP, from the first admin on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestServer

from archnest import keys
from archnest.api import auth as api
from archnest.app import SERVER_OPTIONS, make_app
from archnest.auth.accounts import Accounts
from archnest.config import Config
from archnest.store.database import Database
from archnest.timestamps import unix_seconds
from tests.conftest import Client, sign_in, slug
from tests.factories import ADMIN, MEMBER, bearer

Headers = dict[str, str]
SETUP, LOGIN, ME = "/api/auth/setup", "/api/auth/login", "/api/auth/me"
NAME, PASSWORD = ADMIN
NEW = "another good password"


def credentials(password: str = PASSWORD, username: str = NAME) -> dict[str, str]:
    return {"username": username, "password": password}


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait ends by itself while a test runs, however slow the machine is."""
    now = time.time()
    monkeypatch.setattr(api, "time", SimpleNamespace(time=lambda: now))


async def log_in(
    client: Client, password: str = PASSWORD, username: str = NAME, *, source: str = "192.0.2.1"
) -> ClientResponse:
    """Try to sign in as if from this address, where proxies are trusted."""
    headers = {"X-Forwarded-For": source}
    return await client.post(LOGIN, json=credentials(password, username), headers=headers)


async def status_of(client: Client, headers: Headers) -> int:
    return (await client.get(ME, headers=headers)).status


async def names(database: Database) -> list[str]:
    return [row["username"] for row in await database.read("SELECT username FROM users")]


async def sessions_in(database: Database) -> int:
    return len(await database.read("SELECT id FROM sessions"))


def setup_code(accounts: Accounts) -> str:
    assert accounts.setup_code is not None
    return accounts.setup_code


class TestTheFirstAdmin:
    async def test_is_made_with_the_code_and_signed_in(
        self, client: Client, accounts: Accounts, database: Database
    ) -> None:
        body = {"code": setup_code(accounts), **credentials()}
        response = await client.post(SETUP, json=body)
        answer = await response.json()
        assert response.status == 201
        assert answer["user"] == {"username": NAME, "role": "admin"}
        assert await status_of(client, bearer(answer["token"])) == 200
        assert await names(database) == [NAME]

    async def test_is_made_once(
        self, client: Client, accounts: Accounts, database: Database
    ) -> None:
        code = setup_code(accounts)
        await client.post(SETUP, json={"code": code, **credentials()})
        response = await client.post(SETUP, json={"code": code, **credentials(username="eve")})
        assert (response.status, await slug(response)) == (409, "conflict")
        assert await names(database) == [NAME]

    @pytest.mark.parametrize("wrong", ["", "guess", "ünïcode", "x" * 256])
    async def test_is_not_made_with_another_code(
        self, client: Client, database: Database, wrong: str
    ) -> None:
        response = await client.post(SETUP, json={"code": wrong, **credentials()})
        assert (response.status, await slug(response)) == (401, "wrong-credentials")
        assert await names(database) == []

    @pytest.mark.usefixtures("still_clock")
    async def test_is_not_guessed_quickly(self, client: Client, accounts: Accounts) -> None:
        for _ in range(20):
            response = await client.post(SETUP, json={"code": "guess", **credentials()})
            assert response.status == 401
        body = {"code": setup_code(accounts), **credentials()}
        response = await client.post(SETUP, json=body)
        assert (response.status, await slug(response)) == (429, "too-many-attempts")
        assert int(response.headers["Retry-After"]) >= 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("password", "seven77"),
            ("password", "x" * 1025),
            ("username", ""),
            ("username", "-ada"),
            ("username", "a b"),
            ("username", "ada\n"),
            ("username", "ädä"),
            ("username", "a" * 65),
            ("username", "../etc"),
        ],
    )
    async def test_has_an_acceptable_name_and_password(
        self, client: Client, accounts: Accounts, database: Database, field: str, value: str
    ) -> None:
        body = {"code": setup_code(accounts), **credentials(), field: value}
        response = await client.post(SETUP, json=body)
        assert (response.status, await slug(response)) == (400, "invalid")
        assert f"$.{field}" in (await response.json())["detail"]
        assert await names(database) == []


class TestSigningIn:
    async def test_answers_a_token_its_end_and_the_user(
        self, client: Client, admin: Headers
    ) -> None:
        response = await log_in(client)
        answer = await response.json()
        assert response.status == 200
        assert set(answer) == {"token", "expiresAt", "user"}
        assert answer["user"] == {"username": NAME, "role": "admin"}
        assert answer["expiresAt"].endswith("Z")
        me = await (await client.get(ME, headers=bearer(answer["token"]))).json()
        assert me == {"username": NAME, "role": "admin", "expiresAt": answer["expiresAt"]}

    async def test_takes_the_name_in_any_case(self, client: Client, admin: Headers) -> None:
        answer = await (await log_in(client, username=NAME.upper())).json()
        assert answer["user"]["username"] == NAME

    async def test_fails_the_same_for_an_unknown_user_and_a_wrong_password(
        self, client: Client, admin: Headers
    ) -> None:
        answers = [
            await log_in(client, "wrong password"),
            await log_in(client, username="nobody"),
            await log_in(client, username="no such name\x00'; --"),
            await log_in(client, ""),
        ]
        assert {response.status for response in answers} == {401}
        assert len({await response.text() for response in answers}) == 1
        assert len({tuple(sorted(response.headers)) for response in answers}) == 1
        assert await slug(answers[0]) == "wrong-credentials"

    async def test_is_noted_in_the_account(
        self, client: Client, admin: Headers, database: Database
    ) -> None:
        rows = await database.read("SELECT created_at, last_login_at FROM users")
        assert unix_seconds(rows[0]["last_login_at"]) >= unix_seconds(rows[0]["created_at"])

    async def test_stores_and_logs_neither_password_nor_token(
        self, client: Client, config: Config, caplog: pytest.LogCaptureFixture, admin: Headers
    ) -> None:
        with caplog.at_level("DEBUG"):
            await log_in(client, "a wrong password")
            token = (await (await log_in(client)).json())["token"]
        written = b"".join(path.read_bytes() for path in config.data_dir.glob("archnest.db*"))
        for secret in (PASSWORD, "a wrong password", token, token.rpartition(".")[2]):
            assert secret not in caplog.text
            assert secret.encode() not in written

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b'{"username": "ada"}', b'{"username": 1, "password": "x"}']
    )
    async def test_needs_both_words(self, client: Client, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        response = await client.post(LOGIN, data=body, headers=headers)
        assert (response.status, await slug(response)) == (400, "invalid")

    async def test_takes_no_endless_password(self, client: Client, admin: Headers) -> None:
        assert (await log_in(client, "x" * 1025)).status == 400
        assert (await log_in(client, "x" * 70_000)).status == 413


@pytest.mark.usefixtures("still_clock")
class TestGuessing:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"ARCHNEST_TRUSTED_PROXIES": "127.0.0.0/8"}

    async def test_has_to_wait_even_with_the_right_password(
        self, client: Client, admin: Headers, application: web.Application
    ) -> None:
        for _ in range(5):
            assert (await log_in(client, "guess")).status == 401
        response = await log_in(client)
        assert (response.status, await slug(response)) == (429, "too-many-attempts")
        assert int(response.headers["Retry-After"]) >= 1

    async def test_costs_no_hash_while_it_has_to_wait(
        self, client: Client, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        verify, hashed = accounts._passwords.verify, []

        async def counted(stored: str | None, password: str) -> bool:
            hashed.append(password)
            return await verify(stored, password)

        monkeypatch.setattr(accounts._passwords, "verify", counted)
        statuses = [(await log_in(client, f"guess {number}")).status for number in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        assert len(hashed) == 5

    async def test_in_parallel_is_no_faster(self, client: Client, admin: Headers) -> None:
        tries = [log_in(client, f"guess {number}") for number in range(15)]
        statuses = [response.status for response in await asyncio.gather(*tries)]
        assert statuses.count(401) <= 5
        assert set(statuses) == {401, 429}

    async def test_elsewhere_keeps_no_owner_out(self, client: Client, admin: Headers) -> None:
        for _ in range(5):
            await log_in(client, "guess", source="198.51.100.7")
        assert (await log_in(client, source="198.51.100.7")).status == 429
        assert (await log_in(client, source="192.0.2.1")).status == 200

    async def test_does_not_outlast_a_password_that_an_admin_sets(
        self, client: Client, admin: Headers, member: Headers
    ) -> None:
        for _ in range(5):
            await log_in(client, "guess", MEMBER[0])
        assert (await log_in(client, "guess", MEMBER[0])).status == 429
        await client.patch(f"/api/users/{MEMBER[0]}", json={"password": NEW}, headers=admin)
        assert (await log_in(client, NEW, MEMBER[0])).status == 200

    async def test_a_current_password_has_to_wait_too(self, client: Client, admin: Headers) -> None:
        body = {"currentPassword": "guess", "newPassword": NEW}
        statuses = [
            (await client.post("/api/auth/password", json=body, headers=admin)).status
            for _ in range(7)
        ]
        assert statuses == [401] * 5 + [429] * 2


class TestSigningOut:
    async def test_ends_this_session_and_no_other(
        self, client: Client, admin: Headers, database: Database
    ) -> None:
        other = await sign_in(client, NAME, PASSWORD)
        response = await client.post("/api/auth/logout", headers=admin)
        assert (response.status, await response.read()) == (204, b"")
        assert await status_of(client, admin) == 401
        assert await status_of(client, other) == 200
        assert await sessions_in(database) == 1

    async def test_twice_says_that_it_has_ended(self, client: Client, admin: Headers) -> None:
        await client.post("/api/auth/logout", headers=admin)
        response = await client.post("/api/auth/logout", headers=admin)
        assert (response.status, await slug(response)) == (401, "not-signed-in")


class TestChangingTheOwnPassword:
    async def change(self, client: Client, headers: Headers, current: str, new: str) -> int:
        body = {"currentPassword": current, "newPassword": new}
        return (await client.post("/api/auth/password", json=body, headers=headers)).status

    async def test_ends_the_other_sessions_and_keeps_this_one(
        self, client: Client, admin: Headers, member: Headers, database: Database
    ) -> None:
        other = await sign_in(client, NAME, PASSWORD)
        assert await self.change(client, admin, PASSWORD, NEW) == 204
        assert await status_of(client, admin) == 200
        assert await status_of(client, other) == 401
        assert await status_of(client, member) == 200
        assert await sessions_in(database) == 2

    async def test_makes_only_the_new_one_right(self, client: Client, admin: Headers) -> None:
        await self.change(client, admin, PASSWORD, NEW)
        assert (await log_in(client, PASSWORD)).status == 401
        assert (await log_in(client, NEW)).status == 200

    async def test_needs_the_current_one(self, client: Client, admin: Headers) -> None:
        assert await self.change(client, admin, "not the current one", NEW) == 401
        assert await status_of(client, admin) == 200
        assert (await log_in(client, PASSWORD)).status == 200

    async def test_takes_no_short_one(self, client: Client, admin: Headers) -> None:
        assert await self.change(client, admin, PASSWORD, "seven77") == 400
        assert (await log_in(client, PASSWORD)).status == 200


class TestRenewing:
    async def test_answers_a_token_for_the_same_session(
        self, client: Client, admin: Headers, database: Database
    ) -> None:
        before = (await (await client.get(ME, headers=admin)).json())["expiresAt"]
        response = await client.post("/api/auth/renew", headers=admin)
        answer = await response.json()
        assert response.status == 200
        assert answer["expiresAt"] > before
        assert await status_of(client, bearer(answer["token"])) == 200
        assert await sessions_in(database) == 1

    async def test_and_logging_out_end_every_token_of_the_session(
        self, client: Client, admin: Headers
    ) -> None:
        answer = await (await client.post("/api/auth/renew", headers=admin)).json()
        renewed = bearer(answer["token"])
        await client.post("/api/auth/logout", headers=renewed)
        assert await status_of(client, renewed) == 401
        assert await status_of(client, admin) == 401


@pytest.mark.usefixtures("still_clock")
async def test_sessions_and_failures_survive_a_restart_of_the_server(
    client: Client,
    admin: Headers,
    config: Config,
    aiohttp_client: Callable[..., Awaitable[Client]],
) -> None:
    ended = await sign_in(client, NAME, PASSWORD)
    await client.post("/api/auth/logout", headers=ended)
    for _ in range(5):
        await log_in(client, "guess", MEMBER[0])
    await client.close()
    application = await asyncio.to_thread(make_app, config)
    server = TestServer(application)
    await server.start_server(**SERVER_OPTIONS)
    restarted = await aiohttp_client(server)
    assert await status_of(restarted, admin) == 200
    assert await status_of(restarted, ended) == 401
    assert (await log_in(restarted, "guess", MEMBER[0])).status == 429
    assert application[keys.ACCOUNTS].setup_code is None


RAW_HEADERS = [
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Bearer \xc3\xa4",
    b"Authorization: \x80",
    b"Authorization: Bearer",
    b"Authorization:",
    b"Authorization: Bearer a.b.c",
    b"Authorization: Bearer a b",
    b"Authorization: Basic YWRhOnB3",
    b"Authorization: Bearer x\r\nAuthorization: Bearer y",
    b"Authorization: Bearer " + b"." * 7_000,
    b"X-Other: 1",
]


@pytest.mark.parametrize("header", RAW_HEADERS, ids=lambda header: repr(header[:40]))
async def test_no_bytes_in_the_header_do_more_than_not_sign_in(
    client: Client, header: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"GET /api/auth/me HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
    status_line = await reader.readline()
    writer.close()
    assert status_line.split()[1] == b"401"
