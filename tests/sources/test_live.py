"""Sources through the API: live, apart from each other, and back after a failure."""

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client, slug
from tests.engine.awkward import ALONE, IMAGE, SLEEP
from tests.engine.dockerd import Engine, image, remove, start, stop, wait_until_ready
from tests.factories import container, report
from tests.ports import free_port
from tests.sources.transports import Sshd

Headers = dict[str, str]
PATIENCE_S = 20


async def until(holds: Callable[[], Awaitable[Any]], patience_s: float = PATIENCE_S) -> Any:
    """What it gives once that is not false."""
    deadline = time.monotonic() + patience_s
    while not (found := await holds()):
        assert time.monotonic() < deadline, f"not within {patience_s} s"
        await asyncio.sleep(0.05)
    return found


async def add(client: Client, admin: Headers, **fields: Any) -> Any:
    body = {"hostId": "nas", "kind": "docker-socket", **fields}
    response = await client.post("/api/sources", json=body, headers=admin)
    assert response.status == 201, await response.text()
    return await response.json()


async def source(client: Client, admin: Headers, host_id: str = "nas") -> Any:
    answer = await (await client.get("/api/sources", headers=admin)).json()
    return next((one for one in answer["sources"] if one["hostId"] == host_id), None)


async def host(client: Client, admin: Headers, host_id: str = "nas") -> Any:
    answer = await (await client.get("/api/containers", headers=admin)).json()
    return next((one for one in answer["hosts"] if one["host"]["hostId"] == host_id), None)


def named(one: Any, name: str) -> Any:
    return next((row for row in (one or {}).get("containers", []) if row["name"] == name), None)


async def docker(engine: Engine, *args: str) -> str:
    return await asyncio.to_thread(engine.docker, *args)


@pytest.fixture
def own_engine() -> Iterator["OwnEngine"]:
    """An engine that a test may stop."""
    made = OwnEngine()
    made.start()
    made.engine.docker("import", "-", IMAGE, stdin=image())
    yield made
    made.stop()
    remove(made.folder)


class OwnEngine:
    """A dockerd that stops and starts again over the same folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="an-", dir="/tmp"))
        self.engine = Engine(self.folder / "s", free_port())

    def start(self) -> None:
        self.daemon = start(self.folder, self.engine)
        wait_until_ready(self.engine, self.daemon, self.folder)

    def stop(self) -> None:
        stop(self.engine, self.daemon, self.folder)


async def test_a_change_of_state_is_seen_within_two_seconds(
    client: Client, admin: Headers, engine: Engine
) -> None:
    await add(client, admin, address=str(engine.socket))
    await until(lambda: host(client, admin))
    await docker(engine, "run", "-d", "--name", "live", *ALONE, IMAGE, *SLEEP)
    for command, state in [("pause", "paused"), ("unpause", "running"), ("kill", "exited")]:
        await docker(engine, command, "live")

        async def shows(state: str = state) -> bool:
            row = named(await host(client, admin), "live")
            return bool(row) and row["state"] == state

        await until(shows, patience_s=2)
    await docker(engine, "rm", "live")

    async def is_gone() -> bool:
        return "goneAt" in (named(await host(client, admin), "live") or {})

    await until(is_gone, patience_s=2)


async def test_a_network_that_is_joined_and_left_is_seen_while_someone_looks(
    client: Client, admin: Headers, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.sources.engine.RENEW_S", 3600.0)
    for name in ("first", "second"):
        await docker(engine, "network", "create", "--driver", "bridge", name)
    await docker(engine, "run", "-d", "--name", "joiner", "--network", "first", IMAGE, *SLEEP)
    await add(client, admin, address=str(engine.socket))
    await until(lambda: host(client, admin))

    async def has(expected: list[str]) -> bool:
        response = await client.get("/api/hosts/nas/containers/joiner", headers=admin)
        networks = (await response.json())["container"]["networks"]
        return sorted(one["name"] for one in networks) == expected

    await until(lambda: has(["first"]))
    await docker(engine, "network", "connect", "second", "joiner")
    await until(lambda: has(["first", "second"]))
    await docker(engine, "network", "disconnect", "first", "joiner")
    await until(lambda: has(["second"]))
    await docker(engine, "rm", "-f", "joiner")
    await docker(engine, "network", "rm", "first", "second")


async def test_a_dead_engine_shows_why_delays_nobody_and_comes_back(
    client: Client, admin: Headers, engine: Engine, own_engine: OwnEngine
) -> None:
    await add(client, admin, hostId="other", address=str(engine.socket))
    await add(client, admin, address=str(own_engine.engine.socket))
    await until(lambda: host(client, admin))
    await asyncio.to_thread(own_engine.stop)

    async def fails() -> bool:
        one = await source(client, admin)
        return bool(one["state"] == "failing" and one["error"])

    await until(fails)
    shown = (await host(client, admin))["host"]
    assert shown["error"] == (await source(client, admin))["error"]
    assert (await source(client, admin, "other"))["state"] == "connected"
    await asyncio.to_thread(own_engine.start)

    async def works() -> bool:
        return bool((await source(client, admin))["state"] == "connected")

    await until(works)
    assert (await host(client, admin))["host"]["error"] is None


async def test_ssh_accept_poll_and_recover(client: Client, admin: Headers, sshd: Sshd) -> None:
    how = {"kind": "docker-ssh", "address": sshd.address, "keyFile": sshd.key_file}
    await add(client, admin, **how)

    async def has_failed() -> Any:
        return (await source(client, admin))["error"]

    assert "accept it" in await until(has_failed)
    body = {"hostId": "nas", **how}
    result = await (await client.post("/api/sources/test", json=body, headers=admin)).json()
    accepted = {"hostKey": result["hostKey"]}
    response = await client.patch("/api/sources/nas", json=accepted, headers=admin)
    assert (response.status, (await response.json())["hostKey"]) == (200, result["hostKey"])
    await until(lambda: host(client, admin))
    sshd.stop()
    sshd.make_key("host")
    sshd.start()

    async def is_refused() -> bool:
        return "refused" in ((await source(client, admin))["error"] or "")

    response = await client.patch("/api/sources/nas", json={}, headers=admin)
    assert response.status == 200
    await until(is_refused)


async def test_a_removed_source_takes_its_host_along(
    client: Client, admin: Headers, engine: Engine
) -> None:
    await add(client, admin, address=str(engine.socket))
    await until(lambda: host(client, admin))
    assert (await client.delete("/api/sources/nas", headers=admin)).status == 204
    assert await source(client, admin) is None
    assert await host(client, admin) is None
    assert (await client.delete("/api/sources/nas", headers=admin)).status == 404


async def test_one_host_is_not_an_agents_and_an_engines(
    client: Client, admin: Headers, engine: Engine, push: Callable[..., Awaitable[Any]]
) -> None:
    assert (await push(report("nas", container()))).status == 200
    body = {"hostId": "nas", "kind": "docker-socket", "address": str(engine.socket)}
    response = await client.post("/api/sources", json=body, headers=admin)
    assert (response.status, await slug(response)) == (409, "conflict")
    await add(client, admin, hostId="other", address=str(engine.socket))
    await until(lambda: host(client, admin, "other"))
    response = await push(report("other", container()))
    assert (response.status, await slug(response)) == (409, "conflict")


async def test_a_host_is_its_engines_before_that_ever_answered(
    client: Client, admin: Headers, push: Callable[..., Awaitable[Any]], tmp_path: Path
) -> None:
    await add(client, admin, address=str(tmp_path / "nobody.sock"))
    response = await push(report("nas", container()))
    assert (response.status, await slug(response)) == (409, "conflict")
    assert "docker-socket" in (await response.json())["detail"]
    assert await host(client, admin) is None
    assert (await client.delete("/api/sources/nas", headers=admin)).status == 204
    assert (await push(report("nas", container()))).status == 200


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "docker-socket", "address": "relative"}, "address"),
        ({"kind": "docker-tcp", "address": "nas"}, "address"),
        ({"kind": "docker-ssh", "address": "nas", "keyFile": "/k"}, "address"),
        ({"kind": "docker-ssh", "address": "root@nas"}, "keyFile"),
        ({"kind": "docker-tcp", "address": "nas:1", "certFile": "/c", "keyFile": "/k"}, "caFile"),
        ({"kind": "docker-tcp", "address": "nas:1", "certFile": "/c"}, "keyFile"),
        ({"kind": "docker-tcp", "address": "nas:1", "keyFile": "/k"}, "certFile"),
        ({"kind": "docker-tcp", "address": "nas:1", "caFile": "relative"}, "caFile"),
        ({"kind": "docker-http", "address": "nas:1"}, "kind"),
    ],
)
async def test_words_that_are_wrong_are_refused_by_name(
    client: Client, admin: Headers, fields: dict[str, str], wrong: str
) -> None:
    for path in ("/api/sources", "/api/sources/test"):
        response = await client.post(path, json={"hostId": "nas", **fields}, headers=admin)
        assert (response.status, await slug(response)) == (400, "invalid")
        assert (await response.json())["detail"].startswith(f"$.{wrong}: ")


async def test_plain_tcp_over_a_network_is_warned_of(client: Client, admin: Headers) -> None:
    added = await add(client, admin, kind="docker-tcp", address="192.0.2.1:2375")
    assert "Without TLS" in added["warning"]


async def test_what_someone_looks_at_is_measured_more_often(
    client: Client, admin: Headers, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.sources.engine.STATS_S", 3600.0)
    monkeypatch.setattr("archnest.sources.engine.LOOKED_AT_S", 0.2)
    names = ("watched", "other")
    for name in names:
        await docker(engine, "run", "-d", "--name", name, *ALONE, IMAGE, *SLEEP)
    await add(client, admin, address=str(engine.socket))

    async def processes(name: str) -> Any:
        stats = (named(await host(client, admin), name) or {}).get("stats") or {}
        return stats.get("pids")

    for name in names:
        before = await until(lambda name=name: processes(name))
        await docker(engine, "exec", "-d", name, *SLEEP)
    await client.get("/api/hosts/nas/containers/watched", headers=admin)

    async def is_counted() -> bool:
        return bool(await processes("watched") == before + 1)

    await until(is_counted)
    assert await processes("other") == before
    await docker(engine, "rm", "-f", *names)


async def test_cpu_and_memory_are_those_of_docker_stats(
    client: Client, admin: Headers, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.sources.engine.STATS_S", 0.5)
    monkeypatch.setattr("archnest.sources.engine.LOOKED_AT_S", 0.5)
    # Half a core, so that other work on the machine does not take it away.
    burn = ["sh", "-c", "while :; do :; done"]
    await docker(engine, "run", "-d", "--name", "burner", "--cpus", "0.5", *ALONE, IMAGE, *burn)
    await docker(engine, "run", "-d", "--name", "idle", *ALONE, IMAGE, *SLEEP)
    await add(client, admin, address=str(engine.socket))

    async def equal_to_the_cli() -> bool:
        line = '{"name": "{{.Name}}", "cpu": "{{.CPUPerc}}", "memory": "{{.MemUsage}}"}'
        said = await docker(engine, "stats", "--no-stream", "--format", line, "burner", "idle")
        cli = {one["name"]: one for one in map(json.loads, said.splitlines())}
        shown = await host(client, admin)
        return all(_is_close(named(shown, name)["stats"], cli[name]) for name in cli)

    async def is_measured() -> bool:
        shown = await host(client, admin)
        rows = [named(shown, name) for name in ("burner", "idle")]
        return all(row and row["stats"] and row["stats"]["cpuPercent"] for row in rows[:1])

    await until(is_measured)
    await until(equal_to_the_cli, patience_s=60)
    await docker(engine, "rm", "-f", "burner", "idle")


def _is_close(stats: Any, cli: dict[str, str]) -> bool:
    """Whether two looks at one container, not at the same moment, tell the same."""
    cpu = float(cli["cpu"].rstrip("%"))
    memory = cli["memory"].partition(" / ")[0]
    number, unit = re.fullmatch(r"([0-9.]+)([KMG]i)?B", memory).groups()  # type: ignore[union-attr]
    size = float(number) * 1024 ** " KMG".index((unit or " ")[0])
    return abs(stats["cpuPercent"] - cpu) <= max(1, cpu * 0.2) and abs(
        stats["memUsage"] - size
    ) <= max(64 * 1024, size * 0.05)


@pytest.mark.usefixtures("awkward_containers")
async def test_more_containers_than_an_sshd_takes_sessions(
    client: Client, admin: Headers, sshd: Sshd
) -> None:
    how = {"kind": "docker-ssh", "address": sshd.address, "keyFile": sshd.key_file}
    body = {"hostId": "nas", **how}
    shown = await (await client.post("/api/sources/test", json=body, headers=admin)).json()
    await add(client, admin, **how, hostKey=shown["hostKey"])

    async def all_are_measured() -> bool:
        rows = (await host(client, admin) or {}).get("containers", [])
        running = [row for row in rows if row["state"] == "running"]
        return len(rows) > 10 and all(
            row["stats"] for row in running if row["name"] != "restarting"
        )

    await until(all_are_measured, patience_s=60)
    assert (await source(client, admin))["error"] is None
