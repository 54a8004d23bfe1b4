"""Docker CLIs and engines that misbehave as told."""

import contextlib
import json
import os
import shutil
import socketserver
import threading
from collections.abc import Collection, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import MappingProxyType
from typing import Any

CREATED = "2026-06-20T16:00:00Z"
NO_FAILURES: Mapping[str, str] = MappingProxyType({})


def wrapper(folder: Path, cases: str) -> dict[str, str]:
    """A `docker` first on PATH: the cases of `case "$1"`, else the real CLI as $real."""
    folder.mkdir(exist_ok=True)
    script = folder / "docker"
    real = shutil.which("docker")
    script.write_text(f'#!/bin/bash\nreal={real}\ncase "$1" in\n{cases}\nesac\nexec $real "$@"\n')
    script.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def synthetic(folder: Path, count: int, **changes: Any) -> dict[str, str]:
    """A `docker` that knows so many running containers, and no engine."""
    folder.mkdir()
    ids = [identity(number) for number in range(count)]
    states = "".join(f"{one}\tc{n}\timage:1\trunning\tUp 1 hour\n" for n, one in enumerate(ids))
    (folder / "ps").write_text(states)
    inspected = [inspection(number, **changes) for number in range(count)]
    (folder / "inspect").write_text(json.dumps(inspected))
    (folder / "stats").write_text("".join(json.dumps(printed(one)) + "\n" for one in ids))
    (folder / "version").write_text(json.dumps({"Version": "28.2.2", "ApiVersion": "1.50"}) + "\n")
    (folder / "info").write_text(json.dumps({"NCPU": 4, "MemTotal": 16777216000}) + "\n")
    script = folder / "docker"
    script.write_text(
        f"#!/bin/bash\nprintf '%s\\n' \"$1\" >>{folder}/calls\nexec cat {folder}/$1\n"
    )
    script.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_HOST": "tcp://127.0.0.1:1"}


def identity(number: int) -> str:
    return f"{number:012x}" + "e" * 52


def inspection(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "Id": identity(number),
        "Name": f"/c{number}",
        "Created": CREATED,
        "Image": "sha256:" + "ab" * 32,
        "State": {"Status": "running", "StartedAt": CREATED, "ExitCode": 0, "OOMKilled": False},
        "Config": {"Image": "image:1", "Env": ["A=b"], "Labels": {"l": "x" * 1000}},
        "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
        "NetworkSettings": {"Ports": {}, "Networks": {}},
        "Mounts": [],
        "RestartCount": 0,
    } | changes


def printed(one: str) -> dict[str, str]:
    """A line of `docker stats`."""
    figures = {"CPUPerc": "1.50%", "MemUsage": "20MiB / 512MiB", "PIDs": "3"}
    return {"ID": one[:12], **figures, "NetIO": "1.2kB / 3MB", "BlockIO": "0B / 4.1kB"}


def sample(one: str) -> dict[str, Any]:
    """The engine's answer to `/containers/ID/stats?stream=false`."""
    return {
        "id": one,
        "read": CREATED,
        "cpu_stats": usage(3_000_000, 2_000_000_000),
        "precpu_stats": usage(1_000_000, 1_000_000_000),
        "memory_stats": {"usage": 5000, "limit": 9000, "stats": {"inactive_file": 1000}},
        "networks": {"eth0": {"rx_bytes": 123456789, "tx_bytes": 1}},
        "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 4096}]},
        "pids_stats": {"current": 7},
    }


def usage(total: int, system: int) -> dict[str, Any]:
    return {"cpu_usage": {"total_usage": total}, "system_cpu_usage": system, "online_cpus": 4}


class Handler(BaseHTTPRequestHandler):
    """Answers what the agent asks the socket; hangs and fails where told."""

    protocol_version = "HTTP/1.1"
    server: "SocketServer"

    def do_GET(self) -> None:
        place = self.path.partition("?")[0].removeprefix("/containers/").strip("/")
        if place in self.server.hanging or "*" in self.server.hanging:
            self.server.ended.wait(20)
            return
        identity, _, what = place.partition("/")
        answers = {"version": {"ApiVersion": "1.50", "Version": "28"}, "info": {"NCPU": 4}}
        status, answer = 200, answers.get(identity)
        if place in self.server.failing:
            status, answer = 500, {"message": self.server.failing[place]}
        elif answer is None:
            answer = inspection(int(identity[:12], 16)) if what == "json" else sample(identity)
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        pass


class SocketServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 400
    hanging: Collection[str] = ()
    failing: Mapping[str, str] = NO_FAILURES
    ended: threading.Event

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextlib.contextmanager
def engine_socket(
    path: Path, *, hanging: Collection[str] = (), failing: Mapping[str, str] = NO_FAILURES
) -> Iterator[dict[str, str]]:
    """A socket that gives exact counters; the settings that make the agent ask it.

    What hangs and what fails, with its message, is named as `ID/json` and
    `ID/stats`; `*` is everything.
    """
    with SocketServer(str(path), Handler) as server:
        server.hanging, server.failing = hanging, failing
        server.ended = threading.Event()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {"DOCKER_HOST": f"unix://{path}"}
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
