"""What readers of the agent API see."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from aiohttp import ClientResponse

from tests.conftest import Client, slug
from tests.factories import container, report

Push = Callable[..., Awaitable[ClientResponse]]
Stored = Callable[[], Awaitable[dict[str, str]]]
Headers = dict[str, str]
HOSTS = "/api/agents/docker/hosts"


async def test_hosts_are_listed_with_what_the_contract_names(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("b", container()))
    await push(report("a"))
    hosts = (await (await client.get(HOSTS, headers=admin)).json())["hosts"]
    assert [host["hostId"] for host in hosts] == ["a", "b"]
    assert set(hosts[0]) == {
        "hostId", "hostname", "receivedAt", "reportedAt", "containerCount", "stale",
    }  # fmt: skip
    assert hosts[1]["containerCount"] == 1
    assert hosts[1]["stale"] is False
    assert hosts[1]["receivedAt"].endswith("Z")


async def test_a_hosts_containers_are_its_latest_report(
    client: Client, admin: Headers, push: Push
) -> None:
    await push(report("vm-1", container("old")))
    await push(report("vm-1", container("new")))
    answer = await (await client.get(f"{HOSTS}/vm-1/containers", headers=admin)).json()
    assert [one["name"] for one in answer["containers"]] == ["new"]
    assert answer["stale"] is False
    response = await client.get(f"{HOSTS}/vm-1/containers/old", headers=admin)
    assert response.status == 404


async def test_a_container_answers_to_id_prefix_and_name(
    client: Client, admin: Headers, push: Push
) -> None:
    web = container("web")
    await push(report("vm-1", web))
    for reference in (web["id"], web["id"][:12], "web"):
        path = f"{HOSTS}/vm-1/containers/{reference}"
        assert (await (await client.get(path, headers=admin)).json())["id"] == web["id"]


@pytest.mark.parametrize("path", ["/nope/containers", "/nope/containers/web", "/vm-1/containers/x"])
async def test_what_is_not_there_is_404(
    client: Client, admin: Headers, push: Push, path: str
) -> None:
    await push(report("vm-1"))
    response = await client.get(HOSTS + path, headers=admin)
    assert (response.status, await slug(response)) == (404, "not-found")


async def test_a_member_cannot_forget_a_host(
    client: Client, member: Headers, push: Push, stored_hosts: Stored
) -> None:
    await push(report("vm-1"))
    response = await client.delete(f"{HOSTS}/vm-1", headers=member)
    assert (response.status, await slug(response)) == (403, "not-allowed")
    assert "vm-1" in await stored_hosts()


async def test_an_admin_forgets_a_host_and_its_next_report_brings_it_back(
    client: Client, admin: Headers, push: Push, stored_hosts: Stored
) -> None:
    await push(report("vm-1", container()))
    response = await client.delete(f"{HOSTS}/vm-1", headers=admin)
    assert (response.status, await response.read()) == (204, b"")
    assert await stored_hosts() == {}
    assert (await client.delete(f"{HOSTS}/vm-1", headers=admin)).status == 404
    await push(report("vm-1"))
    assert "vm-1" in await stored_hosts()


async def listed(client: Client, headers: Headers) -> dict[str, object]:
    """The only host, as it is listed."""
    [host] = (await (await client.get(HOSTS, headers=headers)).json())["hosts"]
    return cast("dict[str, object]", host)


class TestWithAShortPatience:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {
            "ARCHNEST_AGENT_TOKEN": "a-shared-agent-token-for-tests",
            "ARCHNEST_STALE_AFTER_MS": "1",
        }

    async def test_a_silent_host_is_stale_everywhere_and_its_containers_stay(
        self, client: Client, admin: Headers, push: Push
    ) -> None:
        await push(report("vm-1", container()))
        async with asyncio.timeout(10):
            while not (await listed(client, admin))["stale"]:
                await asyncio.sleep(0)
        answer = await (await client.get(f"{HOSTS}/vm-1/containers", headers=admin)).json()
        assert answer["stale"] is True
        assert len(answer["containers"]) == 1
