"""The feed that pages poll."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse
from yarl import URL

from tests.conftest import Client
from tests.factories import container, report

Push = Callable[..., Awaitable[ClientResponse]]
Headers = dict[str, str]


async def get(client: Client, path: str, headers: Headers) -> Any:
    response = await client.get(path, headers=headers)
    assert response.status == 200
    return await response.json()


async def test_a_poll_carries_only_what_changed(client: Client, admin: Headers, push: Push) -> None:
    await push(report("a", container("web")))
    await push(report("b", container("db")))
    first = await get(client, "/api/containers", admin)
    assert first["full"] is True
    assert [entry["host"]["hostId"] for entry in first["hosts"]] == ["a", "b"]
    await push(report("b", container("db2")))
    second = await get(client, f"/api/containers?since={first['revision']}", admin)
    assert second["full"] is False
    (changed,) = second["hosts"]
    assert changed["host"]["hostId"] == "b"
    assert changed["host"]["goneCount"] == 1
    assert [(row["name"], "goneAt" in row) for row in changed["containers"]] == [
        ("db2", False),
        ("db", True),
    ]


async def test_what_is_too_much_for_one_answer_comes_in_several(
    client: Client, admin: Headers, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.fleet.MAX_ROWS", 4)
    revision = (await get(client, "/api/containers", admin))["revision"]
    for name in ("a", "b", "c"):
        await push(report(name, container()))
    answers = [await get(client, f"/api/containers?since={revision}", admin)]
    answers.append(await get(client, f"/api/containers?since={answers[0]['revision']}", admin))
    told = [
        ([one["host"]["hostId"] for one in answer["hosts"]], answer["more"]) for answer in answers
    ]
    assert told == [(["a", "b"], True), (["c"], False)]
    everything = await get(client, "/api/containers", admin)
    assert (len(everything["hosts"]), everything["more"]) == (3, False)
    assert everything["revision"] == answers[1]["revision"]


async def test_a_forgotten_host_is_told_to_pollers(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("a"))
    revision = (await get(client, "/api/containers", admin))["revision"]
    await client.delete("/api/agents/docker/hosts/a", headers=admin)
    answer = await get(client, f"/api/containers?since={revision}", admin)
    assert (answer["hosts"], answer["removed"]) == ([], ["a"])


async def test_nothing_changed_is_304_without_a_body(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("a", container()))
    for path in ("/api/containers", "/api/hosts"):
        first = await client.get(path, headers=admin)
        tagged = {**admin, "If-None-Match": first.headers["ETag"]}
        for sent in (tagged["If-None-Match"], '"other", ' + first.headers["ETag"], "*"):
            again = await client.get(path, headers={**admin, "If-None-Match": sent})
            assert (again.status, await again.read()) == (304, b"")
            assert again.headers["Vary"] == first.headers["Vary"]
        await push(report("a", container()))
        assert (await client.get(path, headers=tagged)).status == 200


async def test_a_revision_of_another_start_gives_everything(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("a"))
    answer = await get(client, "/api/containers?since=deadbeef-1", admin)
    assert answer["full"] is True
    assert len(answer["hosts"]) == 1


@pytest.mark.parametrize("since", ["%00%0d%0a", "%ff", "a-1", "-", "x" * 4000])
async def test_what_is_no_revision_gives_everything(
    client: Client, admin: Headers, push: Push, since: str
) -> None:
    await push(report("nas"))
    response = await client.get(URL(f"/api/containers?since={since}", encoded=True), headers=admin)
    assert response.status == 200
    assert (await response.json())["full"] is True


async def test_hosts_are_listed_with_source_and_capabilities(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("a", container()))
    (host,) = (await get(client, "/api/hosts", admin))["hosts"]
    assert (host["source"], host["capabilities"]) == ("agent", ["stats"])
    assert host["engine"]["cpus"] == 4


async def test_a_gone_container_keeps_its_detail(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("a", container("web", command="run me")))
    assert (await get(client, "/api/hosts/a/containers/web", admin))["goneAt"] is None
    await push(report("a"))
    detail = await get(client, "/api/hosts/a/containers/web", admin)
    assert detail["goneAt"] is not None
    assert detail["container"]["command"] == "run me"


async def test_large_answers_are_compressed_for_those_who_take_it(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("a", *[container(f"c{n}") for n in range(200)]))
    zipped = await client.get("/api/containers", headers={**admin, "Accept-Encoding": "gzip"})
    plain = await client.get("/api/containers", headers={**admin, "Accept-Encoding": "identity"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert await zipped.json() == await plain.json()


@pytest.mark.parametrize(
    ("accepted", "is_zipped"),
    [
        ("gzip", True),
        ("br, GZIP ; Q=0.5", True),
        ("gzip;x=0", True),
        ("gzip;q=0", False),
        ("gzip;\tq=0.000", False),
        ("gzip;q=0;x=1", False),
        ("gzip;q=", False),
        ("br, *;q=0", False),
    ],
)
async def test_gzip_is_for_those_who_accept_it(
    client: Client, admin: Headers, push: Push, accepted: str, is_zipped: bool
) -> None:
    await push(report("a", *[container(f"c{n}") for n in range(20)]))
    response = await client.get("/api/containers", headers={**admin, "Accept-Encoding": accepted})
    assert ("Content-Encoding" in response.headers) == is_zipped
