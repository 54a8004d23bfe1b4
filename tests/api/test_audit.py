"""The record of what people did, as admins read it."""

import time
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientResponse, web

from archnest import keys
from archnest.audit import VAIN_AT_ONCE, VAIN_EVERY_S
from archnest.model.audit import Act
from tests.conftest import Client
from tests.factories import ADMIN, MEMBER, bearer, container, report

Headers = dict[str, str]


async def test_the_record_comes_in_pages_newest_first(
    client: Client, admin: Headers, application: web.Application
) -> None:
    for number in range(5):
        await application[keys.AUDIT].record(Act("ada", None, "test.made", None, str(number)))
    seen, path = [], "/api/audit?limit=2"
    while path:
        page = await (await client.get(path, headers=admin)).json()
        seen += [one["target"] for one in page["entries"] if one["action"] == "test.made"]
        path = f"/api/audit?limit=2&before={page['next']}" if page["next"] else ""
    assert seen == ["4", "3", "2", "1", "0"]


async def test_an_act_cut_short_stays_begun(
    client: Client, admin: Headers, application: web.Application
) -> None:
    await application[keys.AUDIT].begin(Act("ada", "192.0.2.7", "container.stop", "nas", "web"))
    page = await (await client.get("/api/audit", headers=admin)).json()
    newest = page["entries"][0]
    assert (newest["outcome"], newest["endedAt"]) == ("begun", None)


async def test_only_so_many_entries_are_kept(
    client: Client,
    admin: Headers,
    application: web.Application,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archnest.store.audit.MAX_ENTRIES", 3)
    for number in range(5):
        await application[keys.AUDIT].record(Act("ada", None, "test.made", None, str(number)))
    page = await (await client.get("/api/audit", headers=admin)).json()
    assert [one["target"] for one in page["entries"]] == ["4", "3", "2"]


@pytest.mark.parametrize(
    "query",
    [
        "before=x",
        "before=-1",
        "before=" + "0" * 19 + "1" + "9" * 19,
        "before=" + "0" * 19 + "1" + "9" * 5_000,
        f"before={2**63}",
        "limit=0",
        "limit=1e3",
    ],
)
async def test_words_that_are_no_number_are_refused(
    client: Client, admin: Headers, query: str
) -> None:
    assert (await client.get(f"/api/audit?{query}", headers=admin)).status == 400


async def acts(client: Client, admin: Headers) -> list[tuple[str | None, str, str | None, str]]:
    """What is recorded, the oldest first."""
    page = await (await client.get("/api/audit?limit=200", headers=admin)).json()
    told = [(one["actor"], one["action"], one["target"], one["outcome"]) for one in page["entries"]]
    return told[::-1]


async def test_sign_ins_are_recorded_without_names_that_nobody_has(
    client: Client, admin: Headers
) -> None:
    for username in (ADMIN[0], "my secret password"):
        body = {"username": username, "password": "wrong password"}
        assert (await client.post("/api/auth/login", json=body)).status == 401
    assert await acts(client, admin) == [
        (ADMIN[0], "session.login", None, "done"),
        (None, "session.login", ADMIN[0], "failed"),
        (None, "session.login", None, "failed"),
    ]


async def test_changes_of_accounts_are_recorded_without_passwords(
    client: Client, admin: Headers
) -> None:
    new = {"username": "grace", "password": "a password of hers", "role": "member"}
    assert (await client.post("/api/users", json=new, headers=admin)).status == 201
    change = {"password": "another of hers", "role": "admin"}
    await client.patch("/api/users/grace", json=change, headers=admin)
    await client.delete("/api/users/grace", headers=admin)
    assert (await acts(client, admin))[1:] == [
        (ADMIN[0], f"user.{verb}", "grace", "done") for verb in ("add", "change", "remove")
    ]
    text = await (await client.get("/api/audit", headers=admin)).text()
    assert "of hers" not in text


async def test_an_account_stands_in_the_record_as_it_is_written(
    client: Client, admin: Headers, member: Headers
) -> None:
    spelled = f"/api/users/{MEMBER[0].upper()}"
    assert (await client.patch(spelled, json={"role": "admin"}, headers=admin)).status == 200
    assert (await client.delete(spelled, headers=admin)).status == 204
    assert (await acts(client, admin))[-2:] == [
        (ADMIN[0], f"user.{verb}", MEMBER[0], "done") for verb in ("change", "remove")
    ]


async def test_a_forgotten_host_is_recorded(
    client: Client, admin: Headers, push: Callable[..., Awaitable[ClientResponse]]
) -> None:
    await push(report("vm-1"))
    await client.delete("/api/agents/docker/hosts/vm-1", headers=admin)
    newest = (await (await client.get("/api/audit", headers=admin)).json())["entries"][0]
    assert (newest["action"], newest["hostId"]) == ("host.forget", "vm-1")


async def test_guessing_does_not_fill_the_record(
    client: Client, admin: Headers, application: web.Application
) -> None:
    audit, guess = application[keys.AUDIT], Act(None, "192.0.2.7", "session.login")
    for _ in range(VAIN_AT_ONCE + 30):
        await audit.record_failure(guess, "unknown user", now=1000.0)
    assert len(await acts(client, admin)) == VAIN_AT_ONCE + 1
    await audit.record_failure(guess, "unknown user", now=1000.0 + VAIN_EVERY_S)
    newest = (await (await client.get("/api/audit", headers=admin)).json())["entries"][0]
    assert newest["detail"] == "unknown user; 30 more failed before, not recorded"


async def test_what_is_refused_to_someone_known_is_recorded(
    client: Client, admin: Headers, member: Headers
) -> None:
    path = "/api/hosts/nas/containers/web/actions"
    assert (await client.post(path, json={"action": "kill"}, headers=member)).status == 403
    asked = {"name": "script", "role": "admin", "password": ADMIN[1]}
    made = await (await client.post("/api/auth/tokens", json=asked, headers=admin)).json()
    program = bearer(made["token"])
    assert (await client.delete("/api/users/mel", headers=program)).status == 403
    own = {"password": "another of hers"}
    assert (await client.patch("/api/users/ada", json=own, headers=admin)).status == 403
    # Neither is who is not known, nor who only wanted to read.
    assert (await client.post(path, json={"action": "kill"})).status == 401
    assert (await client.get("/api/users", headers=member)).status == 403
    page = await (await client.get("/api/audit", headers=admin)).json()
    refused = [one for one in page["entries"] if one["outcome"] == "refused"]
    assert [
        (one["actor"], one["token"], one["action"], one["target"]) for one in reversed(refused)
    ] == [
        (MEMBER[0], None, "request", f"POST {path}"),
        (ADMIN[0], "script", "request", "DELETE /api/users/mel"),
        (ADMIN[0], None, "request", "PATCH /api/users/ada"),
    ]
    assert refused[-1]["detail"] == "only an admin may do this"


async def test_an_action_that_the_hosts_source_cannot_do_is_recorded(
    client: Client, admin: Headers, push: Callable[..., Awaitable[ClientResponse]]
) -> None:
    await push(report("nas", container("web")))
    path = "/api/hosts/nas/containers/web/actions"
    assert (await client.post(path, json={"action": "kill"}, headers=admin)).status == 409
    newest = (await (await client.get("/api/audit", headers=admin)).json())["entries"][0]
    told = (newest["action"], newest["hostId"], newest["target"], newest["outcome"])
    assert told == ("container.kill", "nas", "web", "refused")


async def test_refusals_fill_neither_the_record_nor_the_room_for_failed_sign_ins(
    client: Client, admin: Headers, member: Headers, application: web.Application
) -> None:
    path = f"/api/users/{'x' * 300}"
    assert (await client.delete(path, headers=member)).status == 403
    assert (await acts(client, admin))[-1][2] == f"DELETE {path}"[:256]
    audit, wanted = application[keys.AUDIT], Act(MEMBER[0], "192.0.2.7", "request")
    later = time.time() + VAIN_AT_ONCE * VAIN_EVERY_S
    for _ in range(VAIN_AT_ONCE + 5):
        await audit.record_refusal(wanted, "only an admin may do this", later)
    outcomes = [one[3] for one in await acts(client, admin)]
    assert outcomes.count("refused") == 1 + VAIN_AT_ONCE
    await audit.record_failure(Act(None, "192.0.2.7", "session.login"), "unknown user", later)
    await audit.record_refusal(wanted, "only an admin may do this", later + VAIN_EVERY_S)
    page = await (await client.get("/api/audit?limit=2", headers=admin)).json()
    assert [one["detail"] for one in page["entries"]] == [
        "only an admin may do this; 5 more refused before, not recorded",
        "unknown user",
    ]


async def test_the_first_admins_doings_are_recorded(
    client: Client, application: web.Application
) -> None:
    first = {"username": "ada", "password": "first of hers"}
    wrong = await client.post("/api/auth/setup", json={**first, "code": "wrong"})
    assert wrong.status in (400, 401, 403)
    code = application[keys.ACCOUNTS].setup_code
    made = await client.post("/api/auth/setup", json={**first, "code": code})
    ada = {"Authorization": f"Bearer {(await made.json())['token']}"}
    change = {"currentPassword": first["password"], "newPassword": "second of hers"}
    assert (await client.post("/api/auth/password", json=change, headers=ada)).status == 204
    assert (await client.post("/api/auth/logout", headers=ada)).status == 204
    again = {"username": "ada", "password": "second of hers"}
    answer = await (await client.post("/api/auth/login", json=again)).json()
    assert await acts(client, {"Authorization": f"Bearer {answer['token']}"}) == [
        (None, "setup", None, "failed"),
        ("ada", "setup", None, "done"),
        ("ada", "user.password", "ada", "done"),
        ("ada", "session.logout", None, "done"),
        ("ada", "session.login", None, "done"),
    ]


async def test_changes_of_sources_are_recorded(client: Client, admin: Headers) -> None:
    source = {"hostId": "nas", "kind": "docker-socket", "address": "/nowhere.sock"}
    assert (await client.post("/api/sources", json=source, headers=admin)).status == 201
    change = {"address": "/elsewhere.sock"}
    assert (await client.patch("/api/sources/nas", json=change, headers=admin)).status == 200
    assert (await client.delete("/api/sources/nas", headers=admin)).status == 204
    page = await (await client.get("/api/audit?limit=3", headers=admin)).json()
    assert [(one["action"], one["hostId"]) for one in page["entries"]] == [
        (f"source.{verb}", "nas") for verb in ("remove", "change", "add")
    ]
