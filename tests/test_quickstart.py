"""`make run` and `make demo`: what is printed is true, and everything ends together."""

import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.dockerd import IMAGE, Engine
from tests.ports import free_port
from tests.running import PATIENCE_S, Running, until, words_of


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a module of ours in tmp_path; whatever still runs is ended."""
    started: list[Running] = []

    def run(module: str = "archnest.quickstart", **environ: str) -> Running:
        # Without a PATH there is no engine.
        started.append(Running(module, tmp_path, {"PATH": "/nonexistent", **environ}))
        return started[-1]

    yield run
    for one in started:
        one.process.kill()
        one.ends()
    for lock in Path("/run/archnest-agent").glob(f"*-{os.getpid()}[-.]*"):
        lock.unlink()


@pytest.fixture
def on_engine(start: Callable[..., Running], tmp_path: Path) -> Running:
    """Running on a machine whose podman answers, as a host that no other test is."""
    name = f"local-{os.getpid()}-{tmp_path.name}"
    environ = {"PATH": os.environ["PATH"], "ARCHNEST_DOCKER_CLI": "podman"}
    return start(ARCHNEST_HOST_ID=name, **environ)


def test_without_an_engine_it_says_so_and_serves(start: Callable[..., Running]) -> None:
    running = start()
    running.prints(rf"is at {running.address}/\n")
    running.prints(r"containers are not shown: no docker or podman on this machine\.")
    assert running.ask("GET", "/healthz") == {"status": "alive"}


def test_the_link_for_the_first_admin_comes_before_the_line_for_another_host(
    start: Callable[..., Running],
) -> None:
    start().prints(r"(?s)is at .*/#/setup\?code=.*Add another host")


def test_what_it_keeps_in_the_data_folder_is_private(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    start().prints("Ctrl-C stops everything")
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    files = [path for path in data.iterdir() if path.is_file()]
    assert {"agent-token", "archnest.db"} <= {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(start: Callable[..., Running], number: signal.Signals) -> None:
    running = start()
    running.prints("Ctrl-C stops everything")
    running.process.send_signal(number)
    assert running.ends() == 0
    assert "Traceback" not in running.output


def test_the_second_start_keeps_token_and_users(start: Callable[..., Running]) -> None:
    first = start()
    first.sign_in_first()
    token = first.prints(r"ARCHNEST_AGENT_TOKEN=(\S+)")[1]
    first.process.terminate()
    first.ends()
    second = start()
    second.prints("Ctrl-C stops everything")
    assert f"ARCHNEST_AGENT_TOKEN={token} " in second.output
    assert "setup" not in second.output


def test_a_named_data_folder_and_token_are_used(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    settings = tmp_path / "archnest.env"
    settings.write_text(f"ARCHNEST_DATA_DIR={tmp_path}/own\nARCHNEST_AGENT_TOKEN=chosen-token\n")
    start(ARCHNEST_CONFIG=str(settings)).prints("ARCHNEST_AGENT_TOKEN=chosen-token ")
    assert (tmp_path / "own" / "archnest.db").is_file()
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_one_plain_line(start: Callable[..., Running]) -> None:
    first = start()
    first.prints("Ctrl-C stops everything")
    second = start(ARCHNEST_LISTEN=f"127.0.0.1:{first.port}", ARCHNEST_DATA_DIR="other")
    assert second.ends() == 1
    said = [line for line in second.output.splitlines() if " info " not in line]
    assert len(said) == 1
    assert said[0].startswith(f"archnest: cannot listen on 127.0.0.1:{first.port}")


def test_a_wrong_setting_is_one_plain_line(start: Callable[..., Running]) -> None:
    running = start(ARCHNEST_STALE_AFTER_MS="soon")
    assert running.ends() == 1
    assert running.output.startswith("archnest: ARCHNEST_STALE_AFTER_MS is wrong")
    assert running.output.count("\n") == 1


def test_listening_everywhere_prints_an_address_others_reach(start: Callable[..., Running]) -> None:
    port = free_port()
    running = start(ARCHNEST_LISTEN=f"0.0.0.0:{port}")
    running.prints("Ctrl-C stops everything")
    assert re.search(rf"ARCHNEST_URL=http://(?!127\.|0\.)\S+:{port} ", running.output)
    assert "from this machine only" not in running.output


def test_with_an_engine_this_machine_is_shown(on_engine: Running) -> None:
    token = on_engine.sign_in_first()
    name = on_engine.prints(r"containers are shown as host (\S+): podman")[1]
    host = until(lambda: on_engine.hosts(token).get(name), f"host {name}")
    assert host["stale"] is False


def test_with_docker_its_containers_are_there_without_any_setting(
    start: Callable[..., Running], engine: Engine
) -> None:
    made = engine.docker("run", "--detach", "--net", "none", IMAGE, "sleep", "600").strip()
    try:
        environ = {"PATH": os.environ["PATH"], **engine.environ}
        running = start(ARCHNEST_HOST_ID=f"dock-{os.getpid()}", **environ)
        token = running.sign_in_first()
        name = running.prints(r"containers are shown as host (\S+): docker")[1]
        until(lambda: name in running.hosts(token), f"host {name}")
        path = f"/api/agents/docker/hosts/{name}/containers/{made}"
        assert running.ask("GET", path, token=token)["state"] == "running"
    finally:
        engine.docker("rm", "--force", made)


def test_the_printed_line_adds_a_host(on_engine: Running, tmp_path: Path) -> None:
    token = on_engine.sign_in_first()
    line = on_engine.prints(r"\n  (curl -fsS .*)\n")[1].replace("$(hostname)", f"new-{os.getpid()}")
    environ = {**os.environ, "ARCHNEST_DOCKER_CLI": "podman"}
    agent = subprocess.Popen(["bash", "-c", line], cwd=tmp_path, env=environ, process_group=0)
    try:
        until(lambda: on_engine.hosts(token).get(f"new-{os.getpid()}"), "added host")
    finally:
        os.killpg(agent.pid, signal.SIGTERM)
        agent.wait(PATIENCE_S)


def test_no_secret_stands_in_a_command_line(on_engine: Running) -> None:
    token = on_engine.prints(r"ARCHNEST_AGENT_TOKEN=(\S+)")[1]
    on_engine.child("archnest-docker-agent.sh")
    for entry in Path("/proc").glob("[0-9]*"):
        assert token not in " ".join(words_of(int(entry.name)))


def test_the_agent_ends_with_it(on_engine: Running) -> None:
    agent = on_engine.child("archnest-docker-agent.sh")
    on_engine.process.send_signal(signal.SIGINT)
    assert on_engine.ends() == 0
    assert words_of(agent) == []


def test_when_the_agent_dies_the_server_goes_on(on_engine: Running) -> None:
    os.kill(on_engine.child("archnest-docker-agent.sh"), signal.SIGKILL)
    on_engine.prints(r"This machine's agent ended \(exit code -9\); the server goes on\.")
    assert on_engine.ask("GET", "/healthz") == {"status": "alive"}


def test_when_the_server_dies_the_agent_ends_and_the_exit_code_tells(on_engine: Running) -> None:
    agent = on_engine.child("archnest-docker-agent.sh")
    os.kill(on_engine.child("serve"), signal.SIGKILL)
    assert on_engine.ends() == 128 + signal.SIGKILL
    assert words_of(agent) == []


def test_killed_itself_it_leaves_nothing_behind(on_engine: Running) -> None:
    pids = [on_engine.child("archnest-docker-agent.sh"), on_engine.child("serve")]
    on_engine.process.kill()
    until(lambda: not any(words_of(pid) for pid in pids), f"end of {pids}")


def test_the_demo_shows_a_fleet_and_keeps_nothing(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    running = start("archnest.demo", TMPDIR=str(tmp_path))
    name, password = running.prints(r"Sign in as (\S+) with the password (\S+)").groups()
    body = {"username": name, "password": password}
    token = running.ask("POST", "/api/auth/login", body)["token"]
    until(lambda: len(running.hosts(token)) == 8, "eight hosts")
    running.process.send_signal(signal.SIGINT)
    assert running.ends() == 0
    assert list(tmp_path.glob("archnest-demo-*")) == []
