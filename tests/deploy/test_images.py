"""The images of deploy/, built and run as its compose files say, on a real engine."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import bases
from tests.engine.dockerd import Engine, EngineError
from tests.factories import AGENT_TOKEN
from tests.ports import free_port

CHECKOUT = Path(__file__).parent.parent.parent
DEPLOY = CHECKOUT / "deploy"
PATIENCE_S = 60
NO_INDEX = ["--change", "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels"]


def build(engine: Engine, name: str, tag: str, base: bytes, *changes: str) -> None:
    """Build one of the images on this base."""
    engine.docker("import", *changes, "-", f"{tag}-base", stdin=base)
    command = ["docker", "build", "--quiet", "--network", "none", "--tag", tag]
    command += ["--build-arg", f"BASE={tag}-base", "--file", f"deploy/{name}/Dockerfile", "."]
    # No buildx on Debian; the builder without it warns that it will go one day.
    environ = {**os.environ, **engine.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The server's image."""
    wheels = tmp_path_factory.mktemp("wheels")
    bases.download_wheels(wheels)
    build(engine, "server", "archnest", bases.with_python(wheels), *NO_INDEX)
    return "archnest"


@pytest.fixture(scope="module")
def agent_image(engine: Engine) -> str:
    """The agent's image."""
    build(engine, "agent", "archnest-agent", bases.with_docker())
    return "archnest-agent"


class Compose:
    """One compose file, as its user runs it."""

    def __init__(self, engine: Engine, file: Path, settings: dict[str, str]) -> None:
        self._command = ["docker-compose", "--project-name", file.parent.name, "--file", str(file)]
        self._environ = {**os.environ, **engine.environ, **settings}
        self.settings = settings
        self._engine = engine
        self.container = ""

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words], env=self._environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> None:
        """Start it."""
        self("up", "--detach", "--no-build")
        self.container = self("ps", "--quiet").strip()

    def state(self) -> Any:
        """What the engine says of its container's state."""
        return json.loads(self._engine.docker("inspect", self.container))[0]["State"]

    def logs(self) -> str:
        """What it has printed."""
        return self("logs", "--no-color")


def until(found: Callable[[], Any], what: Callable[[], str]) -> Any:
    """The first true value."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)
    return value


def wait_until_listening(server: Compose) -> None:
    """Return once it says that it serves."""
    until(lambda: " is at http://" in server.logs(), server.logs)


@pytest.fixture(scope="module")
def server(engine: Engine, server_image: str) -> Iterator[Compose]:
    """The running server, published on every address of this machine."""
    settings = {"PUBLISH": str(free_port()), "ARCHNEST_AGENT_TOKEN": AGENT_TOKEN}
    compose = Compose(engine, DEPLOY / "server" / "compose.yaml", settings)
    compose.up()
    wait_until_listening(compose)
    yield compose
    compose("down", "--volumes")


@pytest.fixture
def agent(engine: Engine, agent_image: str, server: Compose, tmp_path: Path) -> Iterator[Compose]:
    """The running agent of the engine that it runs on."""
    file = tmp_path / "agent" / "compose.yaml"
    file.parent.mkdir()
    shutil.copy2(DEPLOY / "agent" / "compose.yaml", file)
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    host = engine.docker("network", "inspect", "-f", gateway, "server_default")
    url = f"http://{host}:{server.settings['PUBLISH']}"
    settings = f"ARCHNEST_URL={url}\nARCHNEST_AGENT_TOKEN={AGENT_TOKEN}\n"
    (file.parent / "agent.env").write_text(f"{settings}ARCHNEST_HOST_ID=nas\n")
    (file.parent / "agent.env").chmod(0o600)
    compose = Compose(engine, file, {"DOCKER_SOCKET": str(engine.socket)})
    compose.up()
    yield compose
    compose("down", "--volumes")


def test_the_server_becomes_healthy_and_runs_as_nobody_special(
    engine: Engine, server: Compose
) -> None:
    assert "Make the first admin at" in server.logs()
    (check,) = json.loads(
        engine.docker("inspect", "-f", "[{{json .Config.Healthcheck.Test}}]", server.container)
    )
    assert check[0] == "CMD"
    engine.docker("exec", server.container, *check[1:])
    with pytest.raises(EngineError, match="404"):
        engine.docker("exec", "-e", "ARCHNEST_BASE_PATH=/nest/", server.container, *check[1:])
    script = (
        "id -u; ls -ld /data /data/archnest.db | cut -c1-10; grep ^CapEff /proc/1/status; touch /x"
    )
    with pytest.raises(EngineError, match="Read-only file system"):
        engine.docker("exec", server.container, "sh", "-c", script)
    lines = engine.docker("exec", server.container, "sh", "-c", f"{script} || true").splitlines()
    assert lines == ["10001", "drwx------", "-rw-------", "CapEff:\t0000000000000000"]


def test_the_server_keeps_its_data_and_ends_cleanly(engine: Engine, server: Compose) -> None:
    add = ["user", "add", "ada", "--role", "admin", "--password-stdin"]
    engine.docker(
        "exec", "-i", server.container, "archnest", *add, stdin=b"correct horse battery\n"
    )
    server("stop")
    assert server.state()["ExitCode"] == 0
    server("rm", "--force")
    server.up()
    wait_until_listening(server)
    assert "ada" in engine.docker("exec", server.container, "archnest", "user", "list")


def test_the_servers_image_is_little_more_than_its_base(engine: Engine, server_image: str) -> None:
    base, whole = (
        int(engine.docker("image", "inspect", "-f", "{{.Size}}", name))
        for name in (f"{server_image}-base", server_image)
    )
    assert whole - base < 60_000_000


def test_the_agent_reports_the_engine_that_it_runs_on_and_ends_at_once(
    engine: Engine, server: Compose, agent: Compose
) -> None:
    names = until(lambda: reported(engine, server), agent.logs)
    running = engine.docker("ps", "--format", "{{.Names}}").split()
    assert len(running) >= 2, "the server and the agent; other tests leave theirs"
    assert set(running) <= set(names)
    checked = engine.docker("exec", agent.container, "archnest-docker-agent.sh", "--check")
    assert "ok: exact counters from the engine socket" in checked
    agent("stop")
    assert agent.state()["ExitCode"] == 0


def reported(engine: Engine, server: Compose) -> list[str]:
    """The names of the containers that the server holds of the host nas."""
    script = (
        "import sqlite3; print(*sqlite3.connect('/data/archnest.db').execute("
        "\"SELECT json_extract(value, '$.name') FROM docker_agent_reports,"
        " json_each(report_json) WHERE host_id = 'nas'\").fetchall(), sep='\\n')"
    )
    told = engine.docker("exec", server.container, "python", "-c", script)
    return re.findall(r"'(.+)'", told)
