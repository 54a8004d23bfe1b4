"""How the agent sends: gzip, a hidden token, a lock, one retry, clear ends."""

import fcntl
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.agent.fakes import synthetic
from tests.agent.script import SCRIPT, environ_of, run
from tests.ports import free_port
from tests.running import until

LOCKS = Path("/run/archnest-agent")
TOKEN = "the-token-nobody-may-see"
STORED = (200, {"hostId": "nas", "receivedAt": "2026-06-20T19:30:00Z", "containerCount": 2})


class Handler(BaseHTTPRequestHandler):
    """Keeps every request; answers as scripted, then always 200."""

    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.seen.append(processes())
        status, document = self.server.answers.pop(0) if self.server.answers else STORED
        if status == 0:
            return  # the connection just ends
        content = json.dumps(document).encode()
        self.send_response(status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.seen: list[str] = []
        self.location = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def processes() -> str:
    """Every command line of this machine and every environment of curl, at this moment."""
    found = []
    for one in Path("/proc").iterdir():
        try:
            command = (one / "cmdline").read_bytes()
            found.append(command)
            if b"curl" in command:
                found.append((one / "environ").read_bytes())
        except OSError:
            continue
    return b"\n".join(found).decode(errors="replace")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def environ(server: Server, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that make the agent post two containers to the server."""
    (tmp_path / "tmp").mkdir()
    host = f"nas-{os.getpid()}-{tmp_path.name}"
    yield synthetic(tmp_path / "bin", 2) | {
        "ARCHNEST_URL": f"{server.url}/",
        "ARCHNEST_AGENT_TOKEN": TOKEN,
        "ARCHNEST_HOST_ID": host,
        "TMPDIR": str(tmp_path / "tmp"),
    }
    for lock in LOCKS.glob(f"*-{host}*.lock"):
        lock.unlink()


def test_a_report_is_posted(server: Server, environ: dict[str, str], tmp_path: Path) -> None:
    done = run(environ=environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    [(path, headers, body)] = server.requests
    assert path == "/api/agents/docker/report"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Encoding"] == "gzip"
    report = json.loads(gzip.decompress(body))
    assert report["hostId"] == environ["ARCHNEST_HOST_ID"]
    assert [one["name"] for one in report["containers"]] == ["c0", "c1"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_no_process_shows_the_token(server: Server, environ: dict[str, str]) -> None:
    run(environ=environ)
    assert "curl" in server.seen[0]
    assert "/api/agents/docker/report" in server.seen[0]
    assert TOKEN not in server.seen[0]


@pytest.mark.parametrize("place", [None, "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY"])
def test_a_running_agent_holds_the_lock_whatever_starts_the_other(
    server: Server, environ: dict[str, str], tmp_path: Path, place: str | None
) -> None:
    host = environ["ARCHNEST_HOST_ID"]
    started_so = environ | ({place: str(tmp_path)} if place else {})
    run(environ=environ)
    with (LOCKS / f"archnest-agent-0-{host}.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run(environ=started_so)
        assert done.returncode == 75
        assert f"another run for {host} is still at work" in done.stderr
        other = {"ARCHNEST_HOST_ID": f"{host}-other"}
        assert run(environ=started_so | other).returncode == 0
    assert run(environ=started_so).returncode == 0
    assert len(server.requests) == 3


@pytest.mark.parametrize("first", [0, 502, 504])
def test_a_transient_failure_is_tried_once_more(
    server: Server, environ: dict[str, str], first: int
) -> None:
    server.answers = [(first, {})]
    done = run(environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.requests) == 2
    assert server.requests[0][2] == server.requests[1][2]


def test_and_no_more_than_once(server: Server, environ: dict[str, str]) -> None:
    server.answers = [(0, {})] * 3
    done = run(environ=environ)
    assert done.returncode == 5
    assert f"the server {server.url} cannot be reached" in done.stderr
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 413, 415, 503])
def test_a_refusal_is_final_and_told(server: Server, environ: dict[str, str], status: int) -> None:
    server.answers = [(status, {"title": "No", "detail": f"because of\x1b[31m {status}"})]
    done = run(environ=environ)
    assert done.returncode == 6
    assert done.stderr == (
        f"archnest-agent: the server answered {status}: No: because of [31m {status}\n"
    )
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_told(
    server: Server, environ: dict[str, str], status: int
) -> None:
    server.answers = [(status, {"title": "Elsewhere"})]
    server.location = "https://nest.lan/archnest/api/agents/docker/report?from=here"
    done = run(environ=environ)
    assert done.returncode == 6
    assert done.stderr == (
        f"archnest-agent: the server answered {status} and leads to https://nest.lan/archnest:"
        " if that is ArchNest, ARCHNEST_URL should be that\n"
    )
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [(200, {"title": "Another program"}), (204, {})])
@pytest.mark.parametrize("args", [[], ["--check"]])
def test_what_gives_no_receipt_is_no_server(
    server: Server, environ: dict[str, str], answer: tuple[int, dict[str, Any]], args: list[str]
) -> None:
    server.answers = [answer]
    done = run(*args, environ=environ)
    assert done.returncode == 5
    assert f"what answers at {server.url} is not ArchNest" in done.stderr
    assert "took a report" not in done.stdout
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [STORED, (200, {}), (308, {}), (0, {})])
def test_a_password_in_the_address_is_not_told(
    server: Server, environ: dict[str, str], answer: tuple[int, dict[str, Any]]
) -> None:
    server.answers = [answer] * 2
    server.location = "/elsewhere"
    with_password = server.url.replace("://", "://proxy:hunter2@")
    done = run("--check", environ=environ | {"ARCHNEST_URL": with_password})
    assert server.url in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_no_server(environ: dict[str, str], tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = run(environ=environ | {"ARCHNEST_URL": url})
    assert done.returncode == 5
    assert done.stderr.startswith(f"archnest-agent: the server {url} cannot be reached: ")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_silent_server_ends_in_time(environ: dict[str, str]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        done = run(environ=environ | {"ARCHNEST_URL": url, "ARCHNEST_TIMEOUT_S": "1"})
    assert done.returncode == 5
    assert re.search("cannot be reached: (no answer in time|curl: .*timed out)", done.stderr)
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("ARCHNEST_URL", "", "ARCHNEST_URL must be"),
        ("ARCHNEST_URL", "nest.lan:4000", "ARCHNEST_URL must be"),
        ("ARCHNEST_AGENT_TOKEN", "", "ARCHNEST_AGENT_TOKEN must"),
        ("ARCHNEST_AGENT_TOKEN", "two\nlines", "ARCHNEST_AGENT_TOKEN must"),
        ("ARCHNEST_HOST_ID", "a b", "ARCHNEST_HOST_ID must be"),
        ("ARCHNEST_HOST_ID", "..", "ARCHNEST_HOST_ID must be"),
        ("ARCHNEST_TIMEOUT_S", "0", "ARCHNEST_TIMEOUT_S must be"),
        ("ARCHNEST_CA_FILE", "/nonexistent/ca", "ARCHNEST_CA_FILE must be"),
        ("ARCHNEST_AGENT_ENV", "/nonexistent/env", "/nonexistent/env cannot be read"),
    ],
)
def test_wrong_settings(
    server: Server, environ: dict[str, str], setting: str, value: str, said: str
) -> None:
    done = run(environ=environ | {setting: value})
    assert done.returncode == 3
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert TOKEN not in done.stderr
    assert server.requests == []


def test_missing_tools_are_each_named(tmp_path: Path) -> None:
    for tool in ("bash", "timeout", "mktemp", "gzip"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    done = run("--print", environ={"PATH": str(tmp_path)})
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"missing tool {tool}" for tool in ("docker", "curl", "jq", "flock")
    ]
    assert "apt-get install jq" in lines[2]


def test_the_env_file_is_read_and_the_environment_wins(
    server: Server, environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "agent.env"
    hosts = [f"{environ['ARCHNEST_HOST_ID']}-{name}" for name in ("file", "environment")]
    file.write_text(
        f"# settings\nexport ARCHNEST_URL='{server.url}'\r\nARCHNEST_AGENT_TOKEN=\"{TOKEN}\"\n"
        f"PATH=/nowhere\nARCHNEST_HOST_ID={hosts[0]}"
    )
    unset = dict.fromkeys(("ARCHNEST_URL", "ARCHNEST_AGENT_TOKEN", "ARCHNEST_HOST_ID"), "")
    from_file = environ | unset | {"ARCHNEST_AGENT_ENV": str(file)}
    for changes in ({}, {"ARCHNEST_HOST_ID": hosts[1]}):
        done = run(environ=from_file | changes)
        assert (done.returncode, done.stderr) == (0, "")
    reports = [json.loads(gzip.decompress(body)) for _, _, body in server.requests]
    assert [one["hostId"] for one in reports] == hosts


@pytest.mark.parametrize(("sent", "code"), [("TERM", 143), ("INT", 130)])
def test_a_signal_leaves_nothing_behind_however_early_it_comes(
    environ: dict[str, str], tmp_path: Path, sent: str, code: int
) -> None:
    making = tmp_path / "bin" / "mktemp"
    making.write_text(f'#!/bin/sh\n{shutil.which("mktemp")} "$@"\nkill -{sent} $PPID\n')
    making.chmod(0o755)
    assert run(environ=environ).returncode == code
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_the_loop_repeats_and_ends_at_once(
    server: Server, environ: dict[str, str], tmp_path: Path, sent: signal.Signals
) -> None:
    loop = subprocess.Popen(
        ["bash", str(SCRIPT), "--loop", "1"], env=environ_of(environ), start_new_session=True
    )
    try:
        until(lambda: len(server.requests) >= 3, "third report")
        loop.send_signal(sent)
        assert loop.wait(30) == 0
    finally:
        loop.kill()
        loop.wait()
    assert list((tmp_path / "tmp").iterdir()) == []
    until(lambda: not group(loop.pid), "end of its children")


def group(leader: int) -> list[int]:
    """The processes of a session, the leader left out."""
    pids = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
    return [pid for pid in pids if pid != leader and session(pid) == leader]


def session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def test_the_loop_outlives_failures(server: Server, environ: dict[str, str]) -> None:
    server.answers = [(401, {"title": "No", "detail": "no"}), (503, {"title": "No"})]
    loop = subprocess.Popen(
        ["bash", str(SCRIPT), "--loop", "1"],
        env=environ_of(environ),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: len(server.requests) >= 3, "third report")
    finally:
        loop.terminate()
        _, said = loop.communicate(timeout=10)
    assert "the server answered 401" in said
    assert loop.returncode == 0


def test_check_line_by_line(server: Server, environ: dict[str, str]) -> None:
    done = run("--check", environ=environ)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "ok: tools docker, curl, jq, gzip, flock, timeout"
    assert lines[1] == "ok: engine answers, 2 containers, 2 running"
    assert lines[2].startswith("ok: rounded counters from docker stats")
    assert lines[3] == f"ok: settings, this host is {environ['ARCHNEST_HOST_ID']}"
    assert lines[4].startswith(f"ok: server {server.url} took a report of ")
    server.answers = [(401, {"title": "No", "detail": "wrong token"})]
    refused = run("--check", environ=environ)
    assert refused.returncode == 6
    assert "the server answered 401: No: wrong token" in refused.stderr


def test_version_help_and_wrong_usage() -> None:
    assert run("--version", environ={}).stdout == "archnest-docker-agent 1\n"
    told = run("--help", environ={})
    assert told.returncode == 0
    for word in ("--loop SECONDS", "ARCHNEST_AGENT_TOKEN", "75 another run"):
        assert word in told.stdout
    for args in (["--nonsense"], ["--loop"], ["--loop", "0"], ["--loop", "x"], ["--print", "x"]):
        assert run(*args, environ={}).returncode == 3
