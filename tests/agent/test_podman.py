"""The shipped agent under real podman."""

import contextlib
import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.agent.script import by_name, printed, run
from tests.engine.dockerd import image, remove
from tests.running import until, words_of

IMAGE = "archnest-test:1"
WRAPPER = """#!/bin/sh
exec {podman} --root {folder}/g --runroot {folder}/r --tmpdir {folder}/t --storage-driver vfs "$@"
"""


class Podman:
    """Podman with a store of its own, under its own name first on PATH."""

    def __init__(self, folder: Path) -> None:
        self.wrapper = folder / "bin/podman"
        self.wrapper.parent.mkdir()
        self.wrapper.write_text(WRAPPER.format(podman=shutil.which("podman"), folder=folder))
        self.wrapper.chmod(0o755)
        path = f"{self.wrapper.parent}:{os.environ['PATH']}"
        self.environ = {"PATH": path, "ARCHNEST_DOCKER_CLI": "podman"}

    def __call__(self, *args: str, stdin: bytes | None = None) -> str:
        done = subprocess.run([self.wrapper, *args], input=stdin, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def run(self, name: str, *args: str, verb: Sequence[str] = ("run", "-d")) -> str:
        """A container on no network, within the limits that this process may set."""
        limits = [("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)]
        hard = [(word, min(resource.getrlimit(one)[1] % 2**63, 1024)) for word, one in limits]
        ulimits = [part for word, most in hard for part in ("--ulimit", f"{word}={most}:{most}")]
        return self(*verb, "--name", name, "--network", "none", *ulimits, *args)


def processes_of(folder: Path) -> list[int]:
    """The processes that name the folder on their command line."""
    pids = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
    return [pid for pid in pids if any(str(folder) in word for word in words_of(pid))]


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    folder = Path(tempfile.mkdtemp(prefix="anp-", dir="/tmp"))
    podman = Podman(folder)
    try:
        podman("import", "-", IMAGE, stdin=image())
        yield podman
    finally:
        with contextlib.suppress(AssertionError):
            podman("rm", "-f", "-t", "0", "-v", "--all")
        # Each container's own cleanup still runs and would make the folder again.
        until(lambda: not processes_of(folder), "end of podman's processes")
        remove(folder)


@pytest.fixture(scope="module")
def containers(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    bind = tmp_path_factory.mktemp("bind")
    rich = ["--env", "MULTI=a\nb=c", "--env", "DB_PASSWORD=hunter2", "--label", "x=y z"]
    rich += ["-v", "named:/named", "-v", f"{bind}:/ro:ro", "--tmpfs", "/t:ro", "-m", "64m"]
    ids = {
        "rich": podman.run("rich", *rich, IMAGE, "sleep", "100000"),
        "exited": podman.run("exited", IMAGE, "sh", "-c", "exit 3"),
        "busy": podman.run("busy", IMAGE, "sh", "-c", "while :; do :; done"),
        "paused": podman.run("paused", IMAGE, "sleep", "100000"),
        "created": podman("create", "--name", "created", "--network", "none", IMAGE, "true"),
    }
    podman("pause", "paused")
    podman("wait", "exited")
    return ids


@pytest.fixture(scope="module")
def report(podman: Podman, containers: dict[str, str]) -> dict[str, Any]:
    return printed(podman.environ)


@pytest.fixture
def reported(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return by_name(report)


def test_every_container_and_its_state(
    reported: dict[str, dict[str, Any]], containers: dict[str, str]
) -> None:
    assert {name: one["id"] for name, one in reported.items()} == containers
    assert {name: one["state"] for name, one in reported.items()} == {
        "rich": "running",
        "exited": "exited",
        "busy": "running",
        "paused": "paused",
        "created": "created",
    }
    assert reported["exited"]["exitCode"] == 3
    assert reported["rich"]["exitCode"] is None
    assert reported["created"]["startedAt"] is None
    assert reported["rich"]["image"] == f"localhost/{IMAGE}"
    assert re.fullmatch("sha256:[0-9a-f]{64}", reported["rich"]["imageId"])


def test_what_has_not_ended_has_no_exit_code(podman: Podman) -> None:
    stubborn = ["sh", "-c", "trap : TERM; while :; do sleep 1; done"]
    podman.run("ready", IMAGE, *stubborn, verb=["create"])
    podman("init", "ready")
    podman.run("ending", IMAGE, *stubborn)
    stop = subprocess.Popen(
        [podman.wrapper, "stop", "-t", "60", "ending"], stdout=subprocess.DEVNULL
    )
    try:
        state = "{{.State.Status}}"
        until(lambda: podman("inspect", "--format", state, "ending") == "stopping", "its stop")
        reported = by_name(printed(podman.environ))
    finally:
        podman("kill", "ending")
        stop.wait(60)
        podman("rm", "-f", "-t", "0", "ready", "ending")
    told = {
        name: (reported[name]["state"], reported[name]["exitCode"]) for name in ("ready", "ending")
    }
    assert told == {"ready": ("initialized", None), "ending": ("stopping", None)}


def test_details(reported: dict[str, dict[str, Any]]) -> None:
    rich = reported["rich"]
    env = {one["key"]: one["value"] for one in rich["env"]}
    assert env["MULTI"] == "a\nb=c"
    assert env["DB_PASSWORD"] == "********"
    assert rich["labels"] == {"x": "y z"}
    assert rich["command"] == "sleep 100000"
    mounts = {one["destination"]: one for one in rich["mounts"]}
    assert {path: (one["type"], one["rw"]) for path, one in mounts.items()} == {
        "/named": ("volume", True),
        "/ro": ("bind", False),
        "/t": ("tmpfs", False),
    }
    assert mounts["/named"]["source"] == "named"
    assert rich["health"] == "none"
    assert rich["restartPolicy"] == "no"


def test_stats_are_of_the_present(reported: dict[str, dict[str, Any]]) -> None:
    for name in ("exited", "paused", "created"):
        assert reported[name]["stats"] is None
    stats = reported["rich"]["stats"]
    assert stats["cpuPercent"] < 10
    assert 10_000 < stats["memUsage"] < 20_000_000
    assert stats["memLimit"] == 64 * 2**20
    assert stats["pids"] == 1
    assert stats["netRxBytes"] is None
    # As much of a core as others leave it.
    assert reported["busy"]["stats"]["cpuPercent"] > 1


def test_engine(report: dict[str, Any], podman: Podman) -> None:
    engine = report["engine"]
    assert engine["version"] == podman("version", "--format", "{{.Client.Version}}")
    # Podman has no id for an engine.
    assert [name for name, value in engine.items() if value is None] == ["id"]


def test_under_dockers_name_it_tells_the_same(
    podman: Podman, containers: dict[str, str], report: dict[str, Any], tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\nexec {podman.wrapper} "$@"\n')
    docker.chmod(0o755)
    # Without a socket to ask.
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DOCKER_HOST": "tcp://127.0.0.1:1"}
    told = printed(environ)
    assert told["engine"] == report["engine"]
    assert {name: one["id"] for name, one in by_name(told).items()} == containers
    stats = by_name(told)["rich"]["stats"]
    assert (stats["pids"], stats["memLimit"]) == (1, 64 * 2**20)
    assert by_name(told)["busy"]["stats"]["cpuPercent"] > 1


def test_a_first_sample_alone_tells_no_cpu(
    podman: Podman, containers: dict[str, str], tmp_path: Path
) -> None:
    # An older podman knows no --interval.
    old = tmp_path / "podman"
    refuse = 'case " $* " in *" --interval "*) exit 125 ;; esac'
    old.write_text(f'#!/bin/sh\n{refuse}\nexec {podman.wrapper} "$@"\n')
    old.chmod(0o755)
    reported = by_name(printed(podman.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}))
    assert reported["busy"]["stats"]["cpuPercent"] is None
    assert reported["busy"]["stats"]["pids"] == 1


def test_check_says_what_it_found(podman: Podman, containers: dict[str, str]) -> None:
    done = run("--check", environ=podman.environ)
    assert "ok: engine answers, 5 containers, 2 running" in done.stdout
    assert "rounded counters from podman stats" in done.stdout
    assert done.returncode == 3  # no server was named


def test_the_docker_cli_on_podmans_socket_tells_all_but_cpu(
    podman: Podman, containers: dict[str, str]
) -> None:
    socket = podman.wrapper.parent / "s"
    service = subprocess.Popen(
        [podman.wrapper, "system", "service", "--time", "0", f"unix://{socket}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(socket.exists, str(socket))
        reported = by_name(printed({"DOCKER_HOST": f"unix://{socket}"}))
    finally:
        service.terminate()
        service.wait(30)
    assert {name: one["id"] for name, one in reported.items()} == containers
    stats = reported["rich"]["stats"]
    # Podman gives no first sample here, and one sample alone tells no CPU.
    assert (stats["cpuPercent"], stats["pids"]) == (None, 1)
    assert stats["memLimit"] == 64 * 2**20
