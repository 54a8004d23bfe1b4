"""A private Docker Engine, real: all of it in temporary folders, gone afterwards."""

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

pytest_plugins = ["tests.engine.awkward"]

IMAGE = "archnest-test:1"
BUSYBOX = Path("/bin/busybox")  # a static one: the image holds nothing else
START_S = 40
CALL_S = 60


class EngineError(Exception):
    """The engine, or a command to it, failed; says how."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CALL_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Engine:
    """A running engine and how to reach it."""

    socket: Path
    tcp_port: int

    @property
    def environ(self) -> dict[str, str]:
        """What makes a Docker CLI use this engine and no other."""
        return {
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.socket.parent / "config"),
        }

    def docker(self, *args: str, stdin: bytes | None = None) -> str:
        """What `docker ARGS` prints; raises EngineError with its complaint."""
        done = subprocess.run(
            ["docker", *args],
            env={**os.environ, **self.environ},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=CALL_S,
        )
        if done.returncode != 0:
            raise EngineError(f"docker {' '.join(args)}: {done.stderr.decode()}")
        return done.stdout.decode().strip()

    def api(self, path: str) -> Any:
        """The Engine API's JSON answer to a GET."""
        with contextlib.closing(UnixConnection(self.socket)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise EngineError(f"GET {path}: {answer.status} {body.decode()}")
            return json.loads(body)

    def answers(self) -> bool:
        """Whether it is up."""
        with contextlib.closing(UnixConnection(self.socket)) as connection:
            try:
                connection.request("GET", "/_ping")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A private dockerd with the image IMAGE and no container."""
    with private_engine() as engine:
        yield engine


@contextlib.contextmanager
def private_engine() -> Iterator[Engine]:
    """The same, until left; raises EngineError when there is none."""
    missing = [
        tool for tool in ("docker", "dockerd", "setpriv", str(BUSYBOX)) if not shutil.which(tool)
    ]
    if missing or os.geteuid() != 0:
        raise EngineError(f"it needs root and {', '.join(missing) or 'a dockerd of its own'}")
    folder = Path(tempfile.mkdtemp(prefix="an-", dir="/tmp"))  # unix sockets: 107 bytes at most
    engine = Engine(folder / "s", free_port())
    try:
        daemon = start(folder, engine)
        try:
            wait_until_ready(engine, daemon, folder)
            engine.docker("import", "-", IMAGE, stdin=image())
            yield engine
        finally:
            stop(engine, daemon, folder)
    finally:
        remove(folder)


def start(folder: Path, engine: Engine) -> subprocess.Popen[bytes]:
    """Start dockerd with everything it keeps inside the folder."""
    # It ends, and its containers with it, even when these tests are killed.
    command = ["setpriv", "--pdeathsig", "TERM", "dockerd"]
    command += ["--data-root", f"{folder}/d", "--exec-root", f"{folder}/e"]
    command += ["-H", f"unix://{engine.socket}", "-H", f"tcp://127.0.0.1:{engine.tcp_port}"]
    command += ["--pidfile", f"{folder}/pid", "--bridge=none"]
    command += ["--iptables=false", "--ip6tables=false"]
    # A session of its own: Ctrl-C must not end it before its containers.
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def wait_until_ready(engine: Engine, daemon: subprocess.Popen[bytes], folder: Path) -> None:
    """Return once it answers; raises EngineError with the end of its log otherwise."""
    deadline = time.monotonic() + START_S
    while not engine.answers():
        if daemon.poll() is not None or time.monotonic() > deadline:
            state = "ended" if daemon.poll() is not None else f"did not answer within {START_S} s"
            log = (folder / "log").read_text(errors="replace")[-3000:]
            raise EngineError(f"dockerd {state}; the end of its log:\n{log}")
        time.sleep(0.05)


def stop(engine: Engine, daemon: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill the containers, then end the engine and its containerd."""
    if engine.answers():
        with contextlib.suppress(EngineError, subprocess.TimeoutExpired):
            if ids := engine.docker("ps", "-aq", "--no-trunc").split():
                engine.docker("rm", "-f", "-v", *ids)
            # Their bridges would stay behind in the kernel.
            if networks := engine.docker("network", "ls", "-q", "-f", "type=custom").split():
                engine.docker("network", "rm", *networks)
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
    # Left over only where dockerd itself was killed.
    with contextlib.suppress(OSError, ValueError):
        containerd = int((folder / "e/containerd/containerd.pid").read_text())
        if str(folder) in Path(f"/proc/{containerd}/cmdline").read_text():
            os.kill(containerd, signal.SIGKILL)


def remove(folder: Path) -> None:
    """Remove the folder and whatever is still mounted in it."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for path in sorted((one for one in mounted if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", path], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def image() -> bytes:
    """A file system that holds busybox and its names, as a tar."""
    names = subprocess.run([str(BUSYBOX), "--list"], capture_output=True, check=True, text=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in ("bin", "etc", "root", "tmp"):
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add(BUSYBOX.resolve(), "bin/busybox")
        users = tarfile.TarInfo("etc/passwd")
        content = b"root:x:0:0:root:/root:/bin/sh\n"
        users.size = len(content)
        tar.addfile(users, io.BytesIO(content))
        for name in sorted({*names.stdout.split()} - {"busybox"}):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return packed.getvalue()
