"""Actions on a real engine's containers: done, refused, recorded, and linked hosts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.conftest import Client, slug
from tests.engine.awkward import ALONE, IMAGE, SLEEP
from tests.engine.dockerd import Engine
from tests.factories import container, report
from tests.sources.test_live import add, docker, host, named, until

Headers = dict[str, str]
Push = Callable[..., Awaitable[Any]]


async def act(client: Client, who: Headers, action: str, **fields: Any) -> Any:
    body = {"action": action, **fields}
    path = "/api/hosts/nas/containers/worker/actions"
    return await client.post(path, json=body, headers=who)


async def record(client: Client, admin: Headers) -> Any:
    entries = (await (await client.get("/api/audit", headers=admin)).json())["entries"]
    return [one for one in entries if one["action"].startswith("container.")]


async def shows(client: Client, admin: Headers, state: str) -> bool:
    row = named(await host(client, admin), "worker")
    return bool(row) and (row["state"] == state or (state == "gone" and "goneAt" in row))


@pytest.fixture
async def worker(client: Client, admin: Headers, engine: Engine) -> None:
    """A container that an engine source shows."""
    await docker(engine, "run", "-d", "--name", "worker", *ALONE, IMAGE, *SLEEP)
    await add(client, admin, address=str(engine.socket))
    await until(lambda: shows(client, admin, "running"))


@pytest.mark.usefixtures("worker")
async def test_each_action_is_done_seen_and_recorded(client: Client, admin: Headers) -> None:
    steps = {
        "pause": "paused",
        "unpause": "running",
        "restart": "running",
        "kill": "exited",
        "start": "running",
    }
    for action, state in steps.items():
        response = await act(client, admin, action)
        assert response.status == 204, await response.text()
        await until(lambda state=state: shows(client, admin, state))
    assert (await act(client, admin, "start")).status == 204, "started already is no failure"
    refused = await act(client, admin, "remove")
    assert (refused.status, await slug(refused)) == (409, "engine-refused")
    assert "running container" in (await refused.json())["detail"]
    assert (await act(client, admin, "remove", force=True)).status == 204
    await until(lambda: shows(client, admin, "gone"))
    entries = await record(client, admin)
    told = [(one["action"], one["outcome"]) for one in reversed(entries)]
    expected = [*steps, "start", "remove", "remove"]
    assert [action for action, _ in told] == [f"container.{one}" for one in expected]
    assert [outcome for _, outcome in told] == ["done"] * 6 + ["failed", "done"]
    last = entries[0]
    assert (last["actor"], last["hostId"], last["target"]) == ("ada", "nas", "worker")
    assert last["address"] == "127.0.0.1"
    assert last["endedAt"] >= last["at"]
    assert "running container" in entries[1]["detail"]


@pytest.mark.parametrize("action", ["stop", "restart"])
async def test_a_container_may_take_its_own_time_to_stop(
    client: Client,
    admin: Headers,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    monkeypatch.setattr("archnest.sources.actions.ACTION_S", 5.0)
    deaf = ["--stop-timeout", "7", IMAGE, *SLEEP]
    await docker(engine, "run", "-d", "--name", "worker", *ALONE, *deaf)
    await add(client, admin, address=str(engine.socket))
    await until(lambda: shows(client, admin, "running"))
    response = await act(client, admin, action)
    await docker(engine, "rm", "-f", "worker")
    assert response.status == 204, await response.text()
    assert (await record(client, admin))[0]["outcome"] == "done"


@pytest.mark.usefixtures("worker")
async def test_a_member_changes_nothing(
    client: Client, admin: Headers, member: Headers, engine: Engine
) -> None:
    assert (await act(client, member, "kill")).status == 403
    assert (await client.get("/api/audit", headers=member)).status == 403
    assert await docker(engine, "ps", "-q", "--filter", "name=worker")
    assert await record(client, admin) == []
    await docker(engine, "rm", "-f", "worker")


async def test_an_agents_host_takes_no_action(client: Client, admin: Headers, push: Push) -> None:
    await push(report("nas", container(name="worker")))
    response = await act(client, admin, "restart")
    assert (response.status, await slug(response)) == (409, "not-available")


async def test_an_engine_that_is_away_is_told_and_recorded(
    client: Client, admin: Headers, push: Push, engine: Engine
) -> None:
    await docker(engine, "run", "-d", "--name", "worker", *ALONE, IMAGE, *SLEEP)
    await add(client, admin, address=str(engine.socket))
    await until(lambda: shows(client, admin, "running"))
    changed = {"address": "/nowhere.sock"}
    await client.patch("/api/sources/nas", json=changed, headers=admin)
    response = await act(client, admin, "restart")
    assert (response.status, await slug(response)) == (502, "source-unavailable")
    assert (await record(client, admin))[0]["outcome"] == "failed"
    await docker(engine, "rm", "-f", "worker")


async def engine_id(engine: Engine) -> str:
    return str((await asyncio.to_thread(engine.api, "/info"))["ID"])


async def test_a_linked_agent_host_is_one_host_with_actions(
    client: Client, admin: Headers, push: Push, engine: Engine
) -> None:
    await docker(engine, "run", "-d", "--name", "worker", *ALONE, IMAGE, *SLEEP)
    document = report("nas", container(name="worker"))
    document["engine"] = {"id": await engine_id(engine)}
    document["agentVersion"] = "1"
    assert (await push(document)).status == 200
    await add(client, admin, address=str(engine.socket), link=True)
    await until(lambda: linked_and_live(client, admin))
    shown = (await host(client, admin))["host"]
    assert (shown["source"], shown["linkedSource"]) == ("agent", "docker-socket")
    assert shown["agentVersion"] == "1"
    assert "actions" in shown["capabilities"]
    # The agent's report says "running" with another id; the engine knows better.
    assert (await act(client, admin, "pause")).status == 204
    await until(lambda: shows(client, admin, "paused"))
    assert (await push(document)).status == 200
    assert await shows(client, admin, "paused")
    response = await client.delete("/api/agents/docker/hosts/nas", headers=admin)
    assert (response.status, await slug(response)) == (409, "conflict")
    assert (await client.delete("/api/sources/nas", headers=admin)).status == 204
    assert (await push(document)).status == 200
    shown = (await host(client, admin))["host"]
    assert (shown["linkedSource"], shown["capabilities"]) == (None, ["stats"])
    await docker(engine, "rm", "-f", "worker")


async def linked_and_live(client: Client, admin: Headers) -> bool:
    one = await host(client, admin)
    return bool(named(one, "worker")["id"] != container(name="worker")["id"])


async def test_only_the_agents_own_engine_is_linked(
    client: Client, admin: Headers, push: Push, engine: Engine
) -> None:
    body = {"hostId": "nas", "kind": "docker-socket", "address": str(engine.socket), "link": True}

    async def refusal() -> str:
        response = await client.post("/api/sources", json=body, headers=admin)
        assert (response.status, await slug(response)) == (409, "conflict")
        return str((await response.json())["detail"])

    assert "nothing to link to" in await refusal()
    await push(report("nas", container()))
    refused = await refusal()
    assert "does not report its engine's id" in refused
    assert "podman has none" in refused
    await push({**report("nas", container()), "engine": {"id": "ANOTHER"}})
    assert "not one host" in await refusal()
