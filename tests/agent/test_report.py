"""What the shipped agent reports, field by field, against the engine's own answers."""

import re
import shlex
from typing import Any

import msgspec
import pytest

from archnest.masking import mask_container
from archnest.model.report import Container
from tests.agent.script import by_name, printed
from tests.engine.awkward import HOSTILE, MULTI_LINE, SECRET
from tests.engine.dockerd import IMAGE, Engine

MASK = "********"
NEVER = "0001-01-01T00:00:00Z"
STATS = {"cpuPercent", "memUsage", "memLimit", "netRxBytes", "netTxBytes"}
STATS |= {"blockReadBytes", "blockWriteBytes", "pids"}

Containers = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=["socket", "cli"])
def path(request: pytest.FixtureRequest) -> str:
    """How the counters are gathered."""
    return str(request.param)


@pytest.fixture(scope="module")
def pictures(
    path: str, engine: Engine, awkward_containers: dict[str, str]
) -> tuple[Containers, dict[str, Any], Containers]:
    """The engine's picture before, the report, the engine's picture after."""
    # Over TCP there is no socket to ask, so the agent falls back to the CLI.
    address = "" if path == "socket" else f"tcp://127.0.0.1:{engine.tcp_port}"
    environ = engine.environ | ({"DOCKER_HOST": address} if address else {})
    before = engine_picture(engine, awkward_containers)
    report = printed(environ)
    return before, report, engine_picture(engine, awkward_containers)


@pytest.fixture(scope="module")
def reported(pictures: tuple[Containers, dict[str, Any], Containers]) -> Containers:
    return by_name(pictures[1])


def engine_picture(engine: Engine, ids: dict[str, str]) -> Containers:
    """Each container as the report should tell it, from the API alone."""
    listed = {one["Id"]: one for one in engine.api("/containers/json?all=1")}
    return {
        name: expected(engine.api(f"/containers/{one}/json"), listed[one])
        for name, one in ids.items()
    }


def expected(one: dict[str, Any], listed: dict[str, Any]) -> dict[str, Any]:
    state, config = one["State"], one["Config"]
    ended = state["Status"] not in ("created", "running", "paused")
    policy = one["HostConfig"]["RestartPolicy"]
    retries = f":{policy['MaximumRetryCount']}" if policy["MaximumRetryCount"] else ""
    return {
        "id": one["Id"],
        "name": one["Name"].removeprefix("/"),
        "image": listed["Image"],
        "imageId": listed["ImageID"],
        "state": listed["State"],
        "createdAt": one["Created"],
        "startedAt": None if state["StartedAt"] == NEVER else state["StartedAt"],
        "finishedAt": None if state["FinishedAt"] == NEVER else state["FinishedAt"],
        "exitCode": state["ExitCode"] if ended else None,
        "oomKilled": state["OOMKilled"],
        "restartCount": one["RestartCount"],
        "restartPolicy": (policy["Name"] or "no") + retries,
        "health": state.get("Health", {"Status": "none"})["Status"],
        "ports": ordered(expected_ports(one)),
        "networks": ordered(expected_networks(one)),
        "mounts": ordered(expected_mounts(one)),
        "entrypoint": config["Entrypoint"] or [],
        "command": config["Cmd"] or [],
    }


def expected_ports(one: dict[str, Any]) -> list[dict[str, Any]]:
    ports = []
    for inner, bindings in (one["NetworkSettings"]["Ports"] or {}).items():
        number, proto = inner.split("/")
        for binding in bindings or [{"HostIp": None, "HostPort": None}]:
            host = None if binding["HostPort"] is None else int(binding["HostPort"])
            port = {"containerPort": int(number), "proto": proto}
            ports.append({**port, "hostIp": binding["HostIp"], "hostPort": host})
    return ports


def expected_networks(one: dict[str, Any]) -> list[dict[str, Any]]:
    networks = one["NetworkSettings"]["Networks"]
    return [{"name": name, "ip": net["IPAddress"] or None} for name, net in networks.items()]


def expected_mounts(one: dict[str, Any]) -> list[dict[str, Any]]:
    mounts = [
        {
            "type": mount["Type"],
            "source": mount.get("Name") or mount["Source"] or None,
            "destination": mount["Destination"],
            "rw": mount["RW"],
        }
        for mount in one["Mounts"]
    ]
    for target, options in (one["HostConfig"].get("Tmpfs") or {}).items():
        rw = "ro" not in options.split(",")
        mounts.append({"type": "tmpfs", "source": None, "destination": target, "rw": rw})
    return mounts


def ordered(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(entries, key=repr_of)


def repr_of(entry: dict[str, Any]) -> str:
    return repr(sorted(entry.items()))


def as_told(one: dict[str, Any]) -> dict[str, Any]:
    """A reported container with lists in a fixed order and words apart."""
    told: dict[str, Any] = {key: ordered(one[key]) for key in ("ports", "networks", "mounts")}
    told |= {key: shlex.split(one[key] or "") for key in ("entrypoint", "command")}
    return one | told


def test_every_container_is_reported_once(
    pictures: tuple[Containers, dict[str, Any], Containers], awkward_containers: dict[str, str]
) -> None:
    ids = [one["id"] for one in pictures[1]["containers"]]
    assert len(ids) == len(set(ids))
    assert set(ids) >= set(awkward_containers.values())


def test_fields_are_what_the_engine_holds(
    pictures: tuple[Containers, dict[str, Any], Containers],
) -> None:
    before, report, after = pictures
    wrong = {}
    for name, one in by_name(report).items():
        if name not in before or name in ("restarting", "secrets"):
            continue
        told = as_told(one)
        for field, value in before[name].items():
            if told[field] not in (value, after[name][field]):
                wrong[f"{name}.{field}"] = (told[field], value)
    assert wrong == {}


def test_a_restart_loop_is_told(
    pictures: tuple[Containers, dict[str, Any], Containers],
) -> None:
    before, report, after = (
        one["restarting"] for one in (pictures[0], by_name(pictures[1]), pictures[2])
    )
    assert report["state"] in ("restarting", "running")
    assert before["restartCount"] <= report["restartCount"] <= after["restartCount"]
    assert report["restartPolicy"] == "always"
    assert report["startedAt"] in (before["startedAt"], after["startedAt"])
    if report["state"] == "restarting":
        assert report["exitCode"] == 1
        assert report["stats"] is None


@pytest.mark.parametrize(
    ("name", "state", "health", "status"),
    [
        ("healthy", "running", "healthy", r"Up .*\(healthy\)"),
        ("unhealthy", "running", "unhealthy", r"Up .*\(unhealthy\)"),
        ("starting", "running", "starting", r"Up .*\(health: starting\)"),
        ("paused", "paused", "none", r"Up .*\(Paused\)"),
        ("exited-3", "exited", "none", r"Exited \(3\) .*"),
        ("created", "created", "none", "Created"),
    ],
)
def test_states(reported: Containers, name: str, state: str, health: str, status: str) -> None:
    one = reported[name]
    assert (one["state"], one["health"]) == (state, health)
    assert re.fullmatch(status, one["status"])


def test_env_and_labels_are_the_engines_to_the_byte(
    reported: Containers, engine: Engine, awkward_containers: dict[str, str]
) -> None:
    for name, identity in awkward_containers.items():
        config = engine.api(f"/containers/{identity}/json")["Config"]
        if name == "secrets":
            continue
        told = [f"{one['key']}={one['value']}" for one in reported[name]["env"]]
        assert told == sorted(config["Env"] or [], key=lambda one: one.partition("=")[0])
        assert reported[name]["labels"] == (config["Labels"] or {})
    env = {one["key"]: one["value"] for one in reported["environment"]["env"]}
    assert env["MULTI"] == MULTI_LINE
    assert env["EQUALS"] == "a=b==c"
    assert env["EMPTY"] == ""
    assert reported["hostile"]["labels"]["title"] == HOSTILE


def test_long_texts_are_the_engines_to_the_byte(engine: Engine) -> None:
    # Eleven bytes, so that whatever reads in blocks cuts characters of every length.
    text = "aü€🐳b" * 5000
    named = ["--name", "long", "--label", f"title={text}"]
    engine.docker("create", "--network", "none", *named, IMAGE, "echo", text)
    try:
        one = by_name(printed(engine.environ))["long"]
    finally:
        engine.docker("rm", "long")
    assert one["labels"] == {"title": text}
    assert shlex.split(one["command"]) == ["echo", text]


def test_secrets_never_leave(
    pictures: tuple[Containers, dict[str, Any], Containers], reported: Containers
) -> None:
    assert SECRET not in repr(pictures[1])
    one = reported["secrets"]
    env = {entry["key"]: entry["value"] for entry in one["env"]}
    assert env["DB_PASSWORD"] == env["MULTI_SECRET"] == MASK
    assert env["DATABASE_URL"] == f"postgres://app:{MASK}@db/app"
    assert env["OPTS"] == f"-x --db-password={MASK}"
    assert one["labels"] == {"api.token": MASK, "link": f"https://me:{MASK}@example.org/"}
    assert one["command"] == f"sh -c 'sleep 99999 # --token {MASK}'"


def test_the_server_takes_it_and_has_nothing_left_to_mask(reported: Containers) -> None:
    for one in reported.values():
        decoded = msgspec.convert(one, Container)
        assert mask_container(decoded) == decoded


def test_it_comes_in_the_order_in_which_the_server_stores_it(reported: Containers) -> None:
    for one in reported.values():
        sent = msgspec.json.encode(one).rpartition(b'"stats":')[0]
        assert sent
        assert msgspec.json.encode(msgspec.convert(one, Container)).startswith(sent)


def test_stats_are_there_only_while_running(reported: Containers) -> None:
    for one in reported.values():
        if one["state"] == "running" and one["name"] != "restarting":
            assert set(one["stats"]) == STATS
        elif one["state"] != "running":
            assert one["stats"] is None


def test_stats_are_plausible_and_limits_exact(
    reported: Containers, pictures: tuple[Containers, dict[str, Any], Containers]
) -> None:
    mib = 2**20
    for name in ("limited", "networks", "mounts"):
        stats = reported[name]["stats"]
        assert 0 <= stats["cpuPercent"] < 100
        assert 100_000 < stats["memUsage"] < 20 * mib
        assert stats["pids"] == 1
        assert stats["blockReadBytes"] >= 0
    assert reported["limited"]["stats"]["memLimit"] == 64 * mib
    assert reported["mounts"]["stats"]["memLimit"] == pictures[1]["engine"]["memTotal"]


def test_network_counters(
    reported: Containers, engine: Engine, awkward_containers: dict[str, str]
) -> None:
    identity = awkward_containers["networks"]
    now = engine.api(f"/containers/{identity}/stats?stream=false")["networks"]
    assert len(now) == 2
    total = sum(one["rx_bytes"] for one in now.values())
    told = reported["networks"]["stats"]["netRxBytes"]
    assert 0 < told <= total * 1.005  # the CLI tells three digits
    # Without a network of its own there is no counter, and "no value" is not 0.
    for name in ("limited", "sidecar"):
        assert reported[name]["stats"]["netRxBytes"] is None
        assert reported[name]["stats"]["netTxBytes"] is None


def test_memory_is_that_of_docker_stats(reported: Containers, engine: Engine) -> None:
    text = engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "quoted")
    number, unit = re.match(r"([0-9.]+)(KiB|MiB)", text).groups()  # type: ignore[union-attr]
    shown = float(number) * {"KiB": 2**10, "MiB": 2**20}[unit]
    assert abs(reported["quoted"]["stats"]["memUsage"] - shown) < 64 * 2**10


def test_engine_and_head(
    pictures: tuple[Containers, dict[str, Any], Containers], engine: Engine
) -> None:
    report = pictures[1]
    info, version = engine.api("/info"), engine.api("/version")
    assert report["engine"] == {
        "version": version["Version"],
        "apiVersion": version["ApiVersion"],
        "os": info["OperatingSystem"],
        "kernel": info["KernelVersion"],
        "arch": info["Architecture"],
        "cpus": info["NCPU"],
        "memTotal": info["MemTotal"],
        "id": info["ID"],
    }
    assert report["hostId"] == report["hostname"] == "test-host"
    assert report["agentVersion"] == "1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["reportedAt"])
