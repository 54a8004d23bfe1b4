"""Ingest over HTTP: statuses in their order, and nothing stored unless 200."""

import asyncio
import gzip
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.conftest import Client, slug
from tests.factories import AGENT, bearer, container, gzipped, report

Push = Callable[..., Awaitable[ClientResponse]]
Stored = Callable[[], Awaitable[dict[str, str]]]
PATH = "/api/agents/docker/report"
JSON = {"Content-Type": "application/json"}


async def test_a_report_is_durable_and_answered_with_a_receipt(
    push: Push, stored_hosts: Stored
) -> None:
    response = await push(report("vm-1", container("web"), container("db")))
    receipt = await response.json()
    assert response.status == 200
    assert set(receipt) == {"hostId", "receivedAt", "containerCount"}
    assert (receipt["hostId"], receipt["containerCount"]) == ("vm-1", 2)
    stored = json.loads((await stored_hosts())["vm-1"])
    assert [one["name"] for one in stored] == ["web", "db"]


async def test_a_report_comes_out_as_it_went_in(
    client: Client, admin: dict[str, str], push: Push
) -> None:
    sent = container("web", labels={"note": "ünï\u0000code"}, networks=[], mounts=None)
    await push(report("vm-1", sent))
    response = await client.get("/api/agents/docker/hosts/vm-1/containers/web", headers=admin)
    assert await response.json() == sent


@pytest.mark.parametrize(
    ("headers", "length", "status"),
    [
        (AGENT, 1_000_000, b"HTTP/1.1 100 Continue"),
        (bearer("wrong"), 1_000_000, b"HTTP/1.1 401 Unauthorized"),
        (AGENT, 100_000_000, b"HTTP/1.1 413 Request Entity Too Large"),
    ],
)
async def test_a_body_is_asked_for_once_it_would_be_taken(
    client: Client, headers: dict[str, str], length: int, status: bytes
) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    sent = {**headers, **JSON, "Host": "x", "Expect": "100-continue", "Content-Length": length}
    lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    writer.write("\r\n".join([*lines, "\r\n"]).encode())
    assert (await reader.readuntil(b"\r\n")).strip() == status
    if status.endswith(b"Continue"):
        assert await reader.readuntil(b"\r\n") == b"\r\n"
        writer.write(json.dumps(report("asked")).encode().ljust(length))
        assert (await reader.readuntil(b"\r\n")).strip() == b"HTTP/1.1 200 OK"
    else:
        assert b"Connection: close" in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_gzip_is_inflated(client: Client, stored_hosts: Stored) -> None:
    body = gzipped(report("zipped"))
    headers = {**AGENT, **JSON, "Content-Encoding": "gzip"}
    assert (await client.post(PATH, data=body, headers=headers)).status == 200
    assert "zipped" in await stored_hosts()


class TestWithoutAnAgentToken:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {}

    async def test_ingest_is_disabled_before_anything_else(self, client: Client) -> None:
        response = await client.post(PATH, data=b"x", headers={"Content-Type": "text/plain"})
        assert (response.status, await slug(response)) == (503, "ingest-disabled")


class TestFromAnotherNetwork:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"ARCHNEST_AGENT_TOKEN": "token", "ARCHNEST_INGEST_ALLOW": "10.0.0.0/8"}

    async def test_the_network_is_refused_before_the_token(
        self, client: Client, stored_hosts: Stored
    ) -> None:
        for headers in ({}, bearer("wrong"), bearer("token")):
            response = await client.post(PATH, json=report(), headers=headers)
            assert (response.status, await slug(response)) == (403, "network-not-allowed")
        assert await stored_hosts() == {}


class TestBehindATrustedProxy:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {
            "ARCHNEST_AGENT_TOKEN": "token",
            "ARCHNEST_INGEST_ALLOW": "10.0.0.0/8",
            "ARCHNEST_TRUSTED_PROXIES": "127.0.0.0/8",
        }

    @pytest.mark.parametrize(
        ("forwarded", "status"),
        [("10.1.2.3", 200), ("8.8.8.8", 403), ("10.1.2.3, 8.8.8.8", 403), ("nonsense", 403)],
    )
    async def test_the_address_it_appended_decides(
        self, client: Client, forwarded: str, status: int
    ) -> None:
        headers = {**bearer("token"), "X-Forwarded-For": forwarded}
        assert (await client.post(PATH, json=report(), headers=headers)).status == status


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "bearer\tx", "Bearer \udcff"],
)
async def test_a_missing_or_wrong_token_is_401_before_the_body_is_looked_at(
    client: Client, stored_hosts: Stored, authorization: str | None
) -> None:
    headers = {"Content-Type": "text/plain"}
    if authorization is not None:
        headers["Authorization"] = authorization
    response = await client.post(PATH, data=b"no json", headers=headers)
    assert (response.status, await slug(response)) == (401, "wrong-agent-token")
    assert await stored_hosts() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/json", "Content-Encoding": "br"},
        {"Content-Type": "application/json", "Content-Encoding": "deflate"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip, gzip"},
    ],
)
async def test_another_media_type_or_encoding_is_415(
    client: Client, headers: dict[str, str]
) -> None:
    response = await client.post(PATH, data=b"{}", headers={**AGENT, **headers})
    assert (response.status, await slug(response)) == (415, "unsupported-media")


class TestWithASmallLimit:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"ARCHNEST_AGENT_TOKEN": "token", "ARCHNEST_MAX_REPORT_BYTES": "5000"}

    async def test_the_limit_counts_inflated_bytes(
        self, client: Client, stored_hosts: Stored
    ) -> None:
        small = json.dumps(report()).encode().ljust(5000)
        headers = {**bearer("token"), **JSON}
        zipped = {**headers, "Content-Encoding": "gzip"}
        assert (await client.post(PATH, data=small, headers=headers)).status == 200
        assert (await client.post(PATH, data=gzip.compress(small), headers=zipped)).status == 200
        large = small + b" "
        for body, sent in ((large, headers), (gzip.compress(large), zipped)):
            response = await client.post(PATH, data=body, headers=sent)
            assert (response.status, await slug(response)) == (413, "too-large")

    async def test_a_bomb_is_refused_without_being_inflated(self, client: Client) -> None:
        bomb = gzip.compress(bytes(3_000_000))
        assert len(bomb) < 5000
        zipped = {**bearer("token"), **JSON, "Content-Encoding": "gzip"}
        response = await client.post(PATH, data=bomb, headers=zipped)
        assert response.status == 413


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"more", b""],
    ids=["plain", "cut", "trailing", "empty"],
)
async def test_a_broken_gzip_body_is_400(client: Client, body: bytes) -> None:
    headers = {**AGENT, **JSON, "Content-Encoding": "gzip"}
    response = await client.post(PATH, data=body, headers=headers)
    assert (response.status, await slug(response)) == (400, "invalid")


async def test_two_containers_of_one_id_are_counted_as_they_are_listed(
    push: Push, client: Client, member: dict[str, str]
) -> None:
    twins = [container("web", id="1" * 64), container("db", id="1" * 64)]
    receipt = await (await push(report("a", *twins))).json()
    (host,) = (await (await client.get("/api/hosts", headers=member)).json())["hosts"]
    listed = await client.get("/api/agents/docker/hosts/a/containers", headers=member)
    assert len((await listed.json())["containers"]) == 2
    assert (receipt["containerCount"], host["containerCount"]) == (2, 2)


PORT = {"containerPort": 80, "proto": "tcp"}


async def test_what_a_port_a_mount_or_a_variable_does_not_tell_is_null(
    push: Push, client: Client, member: dict[str, str]
) -> None:
    told = {
        "ports": [{"containerPort": 80, "proto": None}, {"containerPort": 81}],
        "networks": [{"name": "bridge", "ip": None}],
        "mounts": [{"destination": "/a", "type": None, "source": None, "rw": None}],
        "env": [{"key": "A_TOKEN", "value": None}, {"key": "B"}],
    }
    assert (await push(report("a", container(**told)))).status == 200
    response = await client.get("/api/agents/docker/hosts/a/containers", headers=member)
    (shown,) = (await response.json())["containers"]
    assert {name: shown[name] for name in told} == {
        "ports": [
            {"containerPort": number, "proto": None, "hostIp": None, "hostPort": None}
            for number in (80, 81)
        ],
        "networks": [{"name": "bridge", "ip": None}],
        "mounts": [{"type": None, "destination": "/a", "source": None, "rw": None}],
        "env": [{"key": "A_TOKEN", "value": None}, {"key": "B", "value": None}],
    }


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (report(".."), "$.hostId"),
        (report("a\n"), "$.hostId"),
        (report("ä"), "$.hostId"),
        (report("x" * 129), "$.hostId"),
        ({"containers": []}, "hostId"),
        ({"hostId": "a"}, "containers"),
        (report("a", {"id": "1", "name": "n", "image": "i"}), "$.containers[0]"),
        (report("a", container(state=5)), "$.containers[0].state"),
        (report("a", container(), container(restartCount=-1)), "$.containers[1].restartCount"),
        (report("a", container(restartCount=2**63)), "$.containers[0].restartCount"),
        (report("a", container(exitCode=-(2**63) - 1)), "$.containers[0].exitCode"),
        (report("a", container(stats={"cpuPercent": -0.1})), "$.containers[0].stats.cpuPercent"),
        (report("a", container(name="x" * 32_769)), "$.containers[0].name"),
        (report("a", container(ports=[PORT] * 1_001)), "$.containers[0].ports"),
        (report("a", container(labels={str(n): "" for n in range(1_001)})), "labels"),
        (report("a", container(labels={"x" * 32_769: ""})), "$.containers[0].labels: of a key"),
        (
            report("a", container(ports=[PORT] * 3 + [{"hostPort": "x"}])),
            "$.containers[0].ports[3]",
        ),
        (report("a", container(createdAt="yesterday")), "$.containers[0].createdAt"),
        ([], "$"),
    ],
)
async def test_an_invalid_report_is_400_naming_the_field(
    push: Push, stored_hosts: Stored, document: Any, field: str
) -> None:
    response = await push(document)
    assert (response.status, await slug(response)) == (400, "invalid")
    assert field in (await response.json())["detail"]
    assert await stored_hosts() == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"hostId": "a", "containers": []} x',
        b'{"hostId": "a", "containers": [], "x": ' + b"[" * 100_000,
        b'{"hostId": "\xff", "containers": []}',
        b'{"hostId": "a", "hostname": "\\ud800", "containers": []}',
        b'{"hostId": "a", "containers": [], "engine": {"cpus": 1e400}}',
        b'{"hostId": "a", "containers": [], "engine": {"cpus": NaN}}',
    ],
)
async def test_what_is_not_json_is_400(client: Client, body: bytes) -> None:
    response = await client.post(PATH, data=body, headers={**AGENT, **JSON})
    assert (response.status, await slug(response)) == (400, "invalid")


async def test_what_is_at_the_edge_of_the_schema_is_taken(push: Push) -> None:
    edge = container(
        name="x" * 32_768,
        exitCode=-(2**63),
        restartCount=2**63 - 1,
        ports=[PORT] * 1_000,
        stats={"cpuPercent": 1e308, "pids": 0},
        state="some-future-word",
        health="some-future-word",
        unknown={"deep": [1, 2, {}]},
    )
    assert (await push(report("x" * 128, edge))).status == 200
    assert (await push(report("a", *[container(str(n)) for n in range(5_000)]))).status == 200
    response = await push(report("a", *[container(str(n)) for n in range(5_001)]))
    assert response.status == 400


async def test_secrets_an_agent_forgot_to_mask_are_never_stored(
    push: Push, stored_hosts: Stored
) -> None:
    await push(
        report(
            "vm-1",
            container(
                env=[{"key": "db_Password", "value": "hunter2"}],
                labels={"api-token": "hunter2", "url": "redis://:hunter2@cache/0"},
                command="serve --db-password=hunter2 --token hunter2",
                entrypoint="sh -c 'psql postgres://u:hunter2@db'",
            ),
        )
    )
    assert "hunter2" not in (await stored_hosts())["vm-1"]
    assert "********" in (await stored_hosts())["vm-1"]


async def test_many_hosts_at_once_are_all_kept(push: Push, stored_hosts: Stored) -> None:
    answers = await asyncio.gather(*(push(report(f"h{n}", container())) for n in range(100)))
    assert {answer.status for answer in answers} == {200}
    assert len(await stored_hosts()) == 100


async def test_a_client_that_goes_away_mid_body_disturbs_no_one(client: Client, push: Push) -> None:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: {AGENT['Authorization']}\r\nContent-Length: 500\r\n\r\n"
    )
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(head.encode() + b'{"hostId"')
    await writer.drain()
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
    )
    writer.close()
    assert (await push(report())).status == 200
