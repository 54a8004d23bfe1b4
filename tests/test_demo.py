"""The made-up fleet: it shows what a real one can, and the server takes it."""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from archnest.demo_engine import DemoEngine
from archnest.demo_fleet import FLEETING_S, fleet
from archnest.demo_services import FATES
from archnest.model.report import Report
from tests.factories import AGENT, bearer
from tests.running import Running, until

NOW = 1_780_000_000.0


def test_a_fleet_shows_every_state_there_is() -> None:
    reports = [host.report(NOW) for host in fleet(8, 20, now=NOW)]
    shown = {container.state for report in reports for container in report.containers}
    assert shown == {state for state, *_ in FATES.values()}


def test_the_same_seed_makes_the_same_fleet() -> None:
    first, second = ([h.report(NOW) for h in fleet(3, 20, now=NOW, seed=5)] for _ in range(2))
    assert first == second
    assert first != [h.report(NOW) for h in fleet(3, 20, now=NOW, seed=6)]


def test_names_and_ids_are_unique_on_each_of_many_hosts() -> None:
    hosts = fleet(50, 120, now=NOW)
    assert len({host.host_id for host in hosts}) == 50
    for host in hosts:
        assert len({one.name for one in host.containers}) == 120


def test_counters_never_run_backwards() -> None:
    (host,) = fleet(1, 40, now=NOW)
    before = {c.id: c.stats for c in host.report(NOW).containers}
    after = {c.id: c.stats for c in host.report(NOW + 5).containers}
    pairs = [(before[one], after[one]) for one in before if before[one] and after.get(one)]
    assert pairs
    for old, new in pairs:
        assert old is not None
        assert new is not None
        assert (new.net_rx_bytes or 0) >= (old.net_rx_bytes or 0)
        assert (new.block_write_bytes or 0) >= (old.block_write_bytes or 0)


def test_a_fleeting_container_goes_and_comes_back() -> None:
    hosts = fleet(8, 20, now=NOW)

    def there(now: float) -> set[str]:
        return {c.id for host in hosts for c in host.report(now).containers}

    assert there(NOW) != there(NOW + FLEETING_S)
    assert there(NOW) == there(NOW + 2 * FLEETING_S)


async def test_the_server_takes_every_report(client) -> None:
    for host in fleet(8, 20, now=NOW):
        body = msgspec.json.encode(host.report(NOW))
        headers = {**AGENT, "Content-Type": "application/json"}
        answer = await client.post("/api/agents/docker/report", data=body, headers=headers)
        assert answer.status == 200, await answer.text()


def test_a_report_is_what_the_decoder_reads() -> None:
    (host,) = fleet(1, 20, now=NOW)
    report = host.report(NOW)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """What `make demo` starts."""
    folder = tmp_path_factory.mktemp("demo")
    started = Running("archnest.demo", folder, {"PATH": os.environ["PATH"], "TMPDIR": str(folder)})
    yield started
    started.process.send_signal(signal.SIGINT)
    assert started.ends() == 0


@pytest.fixture(scope="module")
def session(demo: Running) -> str:
    name, password = demo.prints(r"Sign in as (\S+) with the password (\S+)").groups()
    body = {"username": name, "password": password}
    return str(demo.ask("POST", "/api/auth/login", body)["token"])


def workshop(demo: Running, session: str) -> dict[str, dict[str, Any]]:
    """The containers of the host whose engine is asked, by name."""
    parts = demo.ask("GET", "/api/containers", token=session)["hosts"]
    found = [part["containers"] for part in parts if part["host"]["hostId"] == "workshop"]
    return {one["name"]: one for one in (found[0] if found else [])}


def test_the_demos_engine_is_watched_like_a_real_one(demo: Running, session: str) -> None:
    until(lambda: len(workshop(demo, session)) == 20, "20 containers")
    until(
        lambda: any(
            (one.get("stats") or {}).get("cpuPercent") for one in workshop(demo, session).values()
        ),
        "figures",
    )
    (source,) = demo.ask("GET", "/api/sources", token=session)["sources"]
    assert source["error"] is None


def test_the_demos_engine_obeys(demo: Running, session: str) -> None:
    shown = until(lambda: workshop(demo, session), "containers")
    name = next(name for name, one in shown.items() if one["health"] == "healthy")
    path = f"/api/hosts/workshop/containers/{name}"
    for action, state in (("stop", "exited"), ("start", "running"), ("pause", "paused")):
        act(demo, session, f"{path}/actions", action)
        until(lambda state=state: workshop(demo, session)[name]["state"] == state, state)
    with pytest.raises(urllib.error.HTTPError, match="409") as refusal:
        act(demo, session, f"{path}/actions", "remove")
    refused = json.load(refusal.value)
    assert refused["detail"].startswith(f"cannot remove container '{name}'")
    entries = demo.ask("GET", "/api/audit", token=session)["entries"]
    assert [one["outcome"] for one in entries[:2]] == ["failed", "done"]


async def test_the_demos_engine_answers_as_docker_does(tmp_path: Path) -> None:
    (host,) = fleet(1, 1, now=NOW)
    async with (
        DemoEngine(host).serving(tmp_path / "s"),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "s"))) as session,
    ):
        for path in ("/version", "/v1.44/containers/none/json"):
            async with session.get(f"http://localhost{path}") as answer:
                assert answer.headers["Content-Type"] == "application/json"


def test_the_demos_containers_log(demo: Running, session: str) -> None:
    shown = until(lambda: workshop(demo, session), "containers")
    name = next(name for name, one in shown.items() if one["health"] == "healthy")
    address = f"{demo.address}/api/hosts/workshop/containers/{name}/logs?tail=5&follow=1"
    request = urllib.request.Request(address, headers=bearer(session))
    with urllib.request.urlopen(request, timeout=30) as answer:
        lines = [json.loads(answer.readline()) for _ in range(7)]
    moments = [line["at"] for line in lines if "at" in line]
    assert moments == sorted(moments)
    assert all(line["text"] for line in lines)


def act(demo: Running, session: str, path: str, action: str) -> None:
    body = json.dumps({"action": action}).encode()
    headers = {**bearer(session), "Content-Type": "application/json"}
    request = urllib.request.Request(demo.address + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 204
