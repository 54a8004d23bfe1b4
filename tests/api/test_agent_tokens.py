"""Agents' tokens over the API: made, bound to a host, revoked; refusals are remembered."""

from typing import Any

import pytest

from archnest.refusals import MAX_OF_STRANGERS, Refusals
from tests.conftest import Client, slug
from tests.factories import AGENT, bearer, container, report

Headers = dict[str, str]
TOKENS = "/api/agents/docker/tokens"
REFUSALS = "/api/agents/docker/refusals"


@pytest.fixture
def environ() -> dict[str, str]:
    """No shared token."""
    return {}


async def create(client: Client, admin: Headers, host_id: str = "nas") -> dict[str, Any]:
    response = await client.post(TOKENS, json={"hostId": host_id}, headers=admin)
    assert response.status == 201, await response.text()
    return dict(await response.json())


async def refusals(client: Client, headers: Headers) -> list[dict[str, Any]]:
    return list((await (await client.get(REFUSALS, headers=headers)).json())["refusals"])


async def test_a_token_reports_for_its_host_and_for_no_other(
    client: Client, admin: Headers, push: Any
) -> None:
    assert (await push(report("nas"))).status == 503
    created = await create(client, admin)
    agent = bearer(created["token"])
    assert (await push(report("nas", container("web")), headers=agent)).status == 200
    response = await push(report("other"), headers=agent)
    assert (response.status, await slug(response)) == (403, "wrong-host")
    hosts = await (await client.get("/api/hosts", headers=admin)).json()
    assert [host["hostId"] for host in hosts["hosts"]] == ["nas"]
    [shown] = (await (await client.get(TOKENS, headers=admin)).json())["tokens"]
    assert "token" not in shown
    assert (shown["id"], shown["hostId"]) == (created["id"], "nas")
    assert (shown["lastAddress"], shown["revokedAt"]) == ("127.0.0.1", None)


async def test_a_revoked_token_is_refused_with_the_next_report(
    client: Client, admin: Headers, push: Any
) -> None:
    old, new = await create(client, admin), await create(client, admin)
    assert (await push(report("nas"), headers=bearer(old["token"]))).status == 200
    assert (await client.delete(f"{TOKENS}/{old['id']}", headers=admin)).status == 204
    response = await push(report("nas"), headers=bearer(old["token"]))
    assert (response.status, await slug(response)) == (401, "revoked-agent-token")
    assert (await push(report("nas"), headers=bearer(new["token"]))).status == 200
    again = await client.delete(f"{TOKENS}/{old['id']}", headers=admin)
    assert (again.status, await slug(again)) == (404, "not-found")


async def test_forgetting_a_host_revokes_its_tokens_and_a_new_one_works(
    client: Client, admin: Headers, push: Any
) -> None:
    old = await create(client, admin)
    other = await create(client, admin, "other")
    await push(report("nas"), headers=bearer(old["token"]))
    path = "/api/agents/docker/hosts/nas"
    assert (await client.delete(path, headers=admin)).status == 204
    assert (await push(report("nas"), headers=bearer(old["token"]))).status == 401
    assert (await push(report("other"), headers=bearer(other["token"]))).status == 200
    new = await create(client, admin)
    assert (await push(report("nas"), headers=bearer(new["token"]))).status == 200


async def test_refused_reports_are_remembered_with_their_reason(
    client: Client, admin: Headers, member: Headers, push: Any
) -> None:
    created = await create(client, admin)
    agent = bearer(created["token"])
    await push(report("nas"), headers=AGENT)
    await push(report("nas"), headers=AGENT)
    await push(report("other"), headers=agent)
    await push({"hostId": "nas", "containers": [{"id": 7}]}, headers=agent)
    await client.delete(f"{TOKENS}/{created['id']}", headers=admin)
    kept = await create(client, admin, "kept")
    await push(report("nas"), headers=agent)
    told = {(one["hostId"], one["kind"]): one for one in await refusals(client, member)}
    assert set(told) == {
        (None, "wrong-agent-token"),
        ("nas", "wrong-host"),
        ("nas", "invalid"),
        ("nas", "revoked-agent-token"),
    }
    assert told[None, "wrong-agent-token"]["count"] == 2
    assert told["nas", "wrong-host"]["detail"].endswith("not for other")
    assert told["nas", "invalid"]["detail"].startswith("$.containers[0].id")
    assert {one["address"] for one in told.values()} == {"127.0.0.1"}
    assert kept["token"] not in str(told)


async def test_the_record_tells_who_made_and_revoked_a_token(
    client: Client, admin: Headers
) -> None:
    created = await create(client, admin)
    await client.delete(f"{TOKENS}/{created['id']}", headers=admin)
    page = await (await client.get("/api/audit", headers=admin)).json()
    acts = [entry for entry in page["entries"] if entry["action"].startswith("agent-token.")]
    assert [(one["action"], one["hostId"], one["target"]) for one in acts] == [
        ("agent-token.revoke", "nas", created["id"]),
        ("agent-token.create", "nas", created["id"]),
    ]


async def test_a_name_that_no_host_may_have_gets_no_token(client: Client, admin: Headers) -> None:
    for host_id in ("", "..", "a b", "x" * 129, None):
        response = await client.post(TOKENS, json={"hostId": host_id}, headers=admin)
        assert (response.status, await slug(response)) == (400, "invalid")


def test_strangers_cannot_push_out_what_a_host_did_nor_fill_the_memory() -> None:
    refusals = Refusals()
    refusals.note("nas", "10.0.0.1", "wrong-host", "x" * 10_000, 1.0)
    for number in range(3 * MAX_OF_STRANGERS):
        refusals.note(None, f"10.1.{number // 256}.{number % 256}", "wrong-agent-token", "no", 2.0)
    kept = refusals.all()
    assert len(kept) == MAX_OF_STRANGERS + 1
    assert kept[-1].host_id == "nas"
    assert len(kept[-1].detail) < 1_000
    refusals.forget("nas")
    assert all(one.host_id is None for one in refusals.all())
