"""The agent when the engine hangs, vanishes, lies or holds very much."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.fakes import engine_socket, identity, synthetic, wrapper
from tests.agent.fakes import printed as stats_line
from tests.agent.script import by_name, printed, run, started
from tests.engine.dockerd import IMAGE, Engine

HANG = "exec sleep 60"
SHORT = {"ARCHNEST_TIMEOUT_S": "2"}


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="an-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def cli(engine: Engine) -> dict[str, str]:
    """The real engine, over TCP, where only the CLI can be asked."""
    return engine.environ | {"DOCKER_HOST": f"tcp://127.0.0.1:{engine.tcp_port}"}


@pytest.mark.parametrize("command", ["ps", "inspect"])
def test_a_hung_engine_ends_in_time(
    cli: dict[str, str], awkward_containers: dict[str, str], tmp_path: Path, command: str
) -> None:
    environ = cli | wrapper(tmp_path, f"{command}) {HANG} ;;") | SHORT
    began = time.monotonic()
    done = run("--print", environ=environ)
    assert time.monotonic() - began < 6
    assert done.returncode == 4
    assert done.stderr == (
        f"archnest-agent: the engine did not answer 'docker {command}' within 2 s\n"
    )
    assert done.stdout == ""


def test_no_engine_is_said_in_its_own_words(tmp_path: Path) -> None:
    done = run("--print", environ={"DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert done.returncode == 4
    assert "the engine cannot be reached: " in done.stderr
    assert "Cannot connect to the Docker daemon" in done.stderr
    assert done.stderr.count("\n") == 1


def test_hung_stats_cost_only_the_stats(
    cli: dict[str, str], awkward_containers: dict[str, str], tmp_path: Path
) -> None:
    environ = cli | wrapper(tmp_path, f"stats) {HANG} ;;")
    report = printed(environ | {"ARCHNEST_TIMEOUT_S": "5"})
    assert {one["id"] for one in report["containers"]} >= set(awkward_containers.values())
    assert all(one["stats"] is None for one in report["containers"])
    assert by_name(report)["networks"]["networks"]
    assert report["engine"]["version"]


def test_odd_figures(tmp_path: Path) -> None:
    environ = synthetic(tmp_path / "bin", 4)
    blank = dict.fromkeys(("CPUPerc", "MemUsage", "NetIO", "BlockIO", "PIDs"), "--")
    zeros = {"CPUPerc": "0.00%", "MemUsage": "0B / 0B", "PIDs": "0"}
    zeros |= {"NetIO": "0B / 0B", "BlockIO": "0B / 0B"}
    lines = [
        stats_line(identity(0)) | blank,
        stats_line(identity(1)) | {"NetIO": "1e+03kB / 1.02MB", "MemUsage": "-- / --"},
        stats_line(identity(2)) | zeros,
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"ID": "cut of'
    (tmp_path / "bin/stats").write_text(text)
    reported = by_name(printed(environ))
    assert set(reported["c0"]["stats"].values()) == {None}
    one = reported["c1"]["stats"]
    assert (one["netRxBytes"], one["netTxBytes"]) == (1_000_000, 1_020_000)
    assert (one["memUsage"], one["memLimit"]) == (None, None)
    assert one["cpuPercent"] == 1.5
    assert set(reported["c2"]["stats"].values()) == {None}
    assert reported["c3"]["stats"] is None


def test_a_container_that_vanishes_costs_only_itself(
    engine: Engine, cli: dict[str, str], awkward_containers: dict[str, str], tmp_path: Path
) -> None:
    args = ["run", "-d", "--network", "none", "--name", "vanishing", IMAGE, "sleep", "100000"]
    gone = engine.docker(*args)
    case = f"inspect) $real rm -f {gone} >/dev/null ;;"
    report = printed(cli | wrapper(tmp_path, case))
    ids = {one["id"] for one in report["containers"]}
    assert gone not in ids
    assert ids >= set(awkward_containers.values())
    assert by_name(report)["healthy"]["stats"] is not None


def test_a_container_that_cannot_be_inspected_costs_only_itself(
    cli: dict[str, str], awkward_containers: dict[str, str], tmp_path: Path
) -> None:
    broken = awkward_containers["shop-db-1"]
    case = f"""inspect) kept=()
      for one in "$@"; do [[ $one == {broken} ]] || kept+=("$one"); done
      $real "${{kept[@]}}"
      echo 'Error response from daemon: layer does not exist' >&2
      exit 1 ;;"""
    report = printed(cli | wrapper(tmp_path, case))
    one = by_name(report)["shop-db-1"]
    assert one == {
        "id": broken,
        "name": "shop-db-1",
        "image": IMAGE,
        "state": "running",
        "status": one["status"],
    }
    assert by_name(report)["healthy"]["health"] == "healthy"


def test_garbage_from_the_cli_is_said(tmp_path: Path) -> None:
    environ = synthetic(tmp_path / "bin", 1)
    (tmp_path / "bin/inspect").write_text("[{")
    done = run("--print", environ=environ)
    assert done.returncode == 4
    assert "the answer to 'docker inspect' cannot be read: " in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "change",
    [{"Config": None}, {"State": "?"}, {"Mounts": 7}, {"NetworkSettings": []}],
)
def test_an_inspection_of_another_shape_costs_only_itself(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    environ = synthetic(tmp_path / "bin", 2)
    inspected = json.loads((tmp_path / "bin/inspect").read_text())
    inspected[0] |= change
    (tmp_path / "bin/inspect").write_text(json.dumps(inspected))
    reported = by_name(printed(environ))
    assert (reported["c0"]["id"], reported["c0"]["state"]) == (identity(0), "running")
    assert reported["c1"]["restartPolicy"] == "always"


@pytest.mark.parametrize("name", ["", "/", "/a b", "/ünï\u2028", "/'\"$(id)`id`", "/" + "n" * 300])
def test_odd_names(tmp_path: Path, name: str) -> None:
    environ = synthetic(tmp_path / "bin", 1, Name=name)
    told = printed(environ)["containers"]
    assert [one["name"] for one in told] == [name.removeprefix("/")]


def test_mounts_come_in_one_order(tmp_path: Path) -> None:
    paths = ["/z", "/ä", "/a b", "/Z", "/\U0001f433", "/a", "/\uffee"]
    mounts = [{"Type": "bind", "Source": "/s", "Destination": path, "RW": True} for path in paths]
    host = {"Tmpfs": {"/y": "", "/b": ""}}
    one = printed(synthetic(tmp_path / "bin", 1, Mounts=mounts, HostConfig=host))["containers"][0]
    assert [mount["destination"] for mount in one["mounts"]] == sorted([*paths, "/y", "/b"])


def test_exact_integers_and_values_cut(tmp_path: Path) -> None:
    big = {"Image": "i", "Env": [f"N{n}=v" for n in range(1200)], "Cmd": ["x" * 40_000]}
    one = printed(synthetic(tmp_path / "bin", 1, Config=big, RestartCount=2**53))["containers"][0]
    assert one["restartCount"] == 2**53
    assert len(one["env"]) == 1000
    assert len(one["command"]) == 32768
    assert one["command"].endswith("…")


def test_as_many_processes_for_a_thousand_as_for_one(tmp_path: Path) -> None:
    counts = []
    for count in (1, 1000):
        folder = tmp_path / f"bin{count}"
        environ = synthetic(folder, count)
        counts.append(started("--print", environ=environ, trace=tmp_path / "trace"))
        assert len((folder / "calls").read_text().split()) == 5
    assert counts[0] == counts[1]
    assert sum(counts[0]) < 50


def test_as_many_processes_on_the_socket(tmp_path: Path, short: Path) -> None:
    counts = []
    for count in (1, 200):
        with engine_socket(short / f"s{count}") as environ:
            fake = synthetic(tmp_path / f"bin{count}", count) | environ
            counts.append(started("--print", environ=fake, trace=tmp_path / "trace"))
    assert counts[0] == counts[1]
    assert sum(counts[0]) < 50


def test_a_thousand_on_the_socket_are_exact(tmp_path: Path, short: Path) -> None:
    with engine_socket(short / "s") as environ:
        report = printed(synthetic(tmp_path / "bin", 1000) | environ)
    assert len(report["containers"]) == 1000
    assert {one["stats"]["netRxBytes"] for one in report["containers"]} == {123456789}
    assert report["containers"][0]["stats"] == {
        "cpuPercent": 0.8,
        "memUsage": 4000,
        "memLimit": 9000,
        "netRxBytes": 123456789,
        "netTxBytes": 1,
        "blockReadBytes": 4096,
        "blockWriteBytes": 0,
        "pids": 7,
    }


def test_one_whose_stats_hang_on_the_socket_costs_only_them(tmp_path: Path, short: Path) -> None:
    with engine_socket(short / "s", hanging=[f"{identity(1)}/stats"]) as environ:
        report = printed(synthetic(tmp_path / "bin", 3) | environ | SHORT)
    stats = {one["name"]: one["stats"] for one in report["containers"]}
    assert stats["c1"] is None
    assert stats["c0"]["pids"] == stats["c2"]["pids"] == 7


def test_one_that_hangs_on_the_socket_costs_only_itself(tmp_path: Path, short: Path) -> None:
    with engine_socket(short / "s", hanging=[f"{identity(1)}/json"]) as environ:
        report = printed(synthetic(tmp_path / "bin", 3) | environ | SHORT)
    reported = by_name(report)
    assert set(reported["c1"]) == {"id", "name", "image", "state", "status"}
    assert reported["c0"]["stats"]["pids"] == reported["c2"]["stats"]["pids"] == 7


def test_one_the_socket_does_not_know_is_gone_and_one_it_cannot_read_is_told(
    tmp_path: Path, short: Path
) -> None:
    failing = {
        f"{identity(0)}/json": f"No such container: {identity(0)}",
        f"{identity(1)}/json": "layer does not exist",
    }
    with engine_socket(short / "s", failing=failing) as environ:
        report = printed(synthetic(tmp_path / "bin", 3) | environ)
    reported = by_name(report)
    assert set(reported) == {"c1", "c2"}
    assert reported["c1"]["state"] == "running"
    assert reported["c2"]["restartPolicy"] == "always"


def test_where_the_socket_hangs_the_cli_is_asked(tmp_path: Path, short: Path) -> None:
    with engine_socket(short / "s", hanging="*") as environ:
        report = printed(synthetic(tmp_path / "bin", 2) | environ | SHORT)
    assert report["engine"]["version"] == "28.2.2"
    assert [one["stats"]["cpuPercent"] for one in report["containers"]] == [1.5, 1.5]


def test_five_thousand_overflow_nothing_and_more_are_cut(tmp_path: Path) -> None:
    environ = synthetic(tmp_path / "bin", 5001, Config={"Image": "image:1"})
    inspected = json.loads((tmp_path / "bin/inspect").read_text())
    (tmp_path / "bin/inspect").write_text(json.dumps(inspected[:5000]))
    done = run("--print", environ=environ | {"ARCHNEST_TIMEOUT_S": "25"})
    assert done.returncode == 0, done.stderr
    assert "only the first 5000 containers are reported" in done.stderr
    assert len(json.loads(done.stdout)["containers"]) == 5000
