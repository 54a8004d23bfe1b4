"""The docs name everything there is and nothing that is not, and their examples run."""

import argparse
import contextlib
import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archnest import cli, errors, openapi
from archnest.api.routes import ROUTES
from tests.factories import ADMIN, container, report
from tests.ports import free_port
from tests.running import PATIENCE_S, Running, until

CHECKOUT = Path(__file__).parent.parent
DOCS = CHECKOUT / "docs"
PAPERS = sorted([*CHECKOUT.glob("*.md"), *DOCS.glob("**/*.md")])
SETTING = r"\bARCHNEST_[A-Z_]*[A-Z]\b"
METHODS = "GET|POST|PATCH|PUT|DELETE"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> str:
    """Every fenced block of a language in a paper, one after the other."""
    return "\n".join(
        re.findall(rf"^```{language}\n(.*?)^```$", read(path), re.MULTILINE | re.DOTALL)
    )


def settings_of(path: Path) -> set[str]:
    return set(re.findall(SETTING, read(path)))


SERVER_SETTINGS = settings_of(CHECKOUT / "server" / "archnest" / "config.py")
AGENT_SETTINGS = settings_of(CHECKOUT / "agent" / "archnest-docker-agent.sh")


def test_every_setting_of_the_server_has_its_row() -> None:
    rows = re.findall(r"^\| (`ARCHNEST_.*?) \|", read(DOCS / "configuration.md"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(SETTING, row)} == SERVER_SETTINGS


def test_every_setting_of_the_agent_is_documented() -> None:
    assert settings_of(DOCS / "agent.md") >= AGENT_SETTINGS


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_no_paper_names_a_setting_that_does_not_exist(paper: Path) -> None:
    assert settings_of(paper) <= SERVER_SETTINGS | AGENT_SETTINGS


def test_every_route_is_documented_and_no_other() -> None:
    paths = openapi.document(ROUTES)["paths"]
    present = {(method.upper(), path) for path in paths for method in paths[path]}
    named = re.findall(rf"`({METHODS}) (/[^\s`]*)`", read(DOCS / "api.md"))
    assert set(named) == present


def test_every_kind_of_problem_is_documented_with_its_status() -> None:
    table = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", read(DOCS / "api.md"), re.MULTILINE))
    kinds = {kind.slug: str(kind.status) for kind in errors.Problem.__subclasses__()}
    assert kinds.items() <= table.items()


@pytest.mark.parametrize("paper", ["reliability.md", "security.md"])
def test_every_test_that_shows_what_holds_exists(paper: str) -> None:
    tests = "".join(read(path) for path in (CHECKOUT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", read(DOCS / paper))
    assert named
    assert [name for name in named if f"def {name}(" not in tests] == []


def commands(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    """`archnest serve`, `archnest user add`, … and every option with its command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from commands(below, f"{name} {word}")
            return
    yield name
    yield from (option for action in parser._actions for option in action.option_strings)


def test_every_command_and_option_is_documented() -> None:
    text = read(DOCS / "cli.md")
    missing = {name for name in commands(cli._parser(), "archnest") if name not in text}
    assert missing - {"-h", "--help"} == set()


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(paper: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", read(paper))
    assert [link for link in links if not (paper.parent / link).exists()] == []


def test_every_picture_is_shown_and_taken_by_the_script() -> None:
    present = {path.stem for path in (DOCS / "screenshots").iterdir()}
    links = [re.findall(r"screenshots/([a-z-]+)\.png\)", read(paper)) for paper in PAPERS]
    assert {name for names in links for name in names} == present
    script = read(DOCS / "screenshots.py").lower()
    assert {name for name in present if f'"{name}"' not in script} == set()


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_every_make_target_named_exists(paper: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(CHECKOUT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    |&& |\d )make ([a-z-]+)", read(paper), re.MULTILINE))
    assert named <= targets


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """What `make run` starts on a machine without an engine, under a path of its own."""
    environ = {"PATH": "/nonexistent", "ARCHNEST_TRUSTED_PROXIES": "127.0.0.1"}
    started = Running("archnest.quickstart", tmp_path, environ)
    yield started
    started.process.kill()
    started.ends()


def test_every_example_of_the_api_runs(running: Running, tmp_path: Path) -> None:
    code = running.prints(r"code=(\S+)")[1]
    token = running.prints(r"ARCHNEST_AGENT_TOKEN=(\S+)")[1]
    script = blocks(DOCS / "api.md", "sh").replace("http://127.0.0.1:4000", running.address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"CODE={code} AGENT_TOKEN={token}\n{script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_examples_for_programs_run_with_an_access_token(
    running: Running, tmp_path: Path
) -> None:
    session = running.sign_in_first()
    body = {"name": "examples", "password": ADMIN[1]}
    token = running.ask("POST", "/api/auth/tokens", body, session)["token"]
    agent_token = running.prints(r"ARCHNEST_AGENT_TOKEN=(\S+)")[1]
    sick = container(health="unhealthy")
    running.ask("POST", "/api/agents/docker/report", report("vm-1", sick), agent_token)
    (tmp_path / "token").write_text(token)
    environ = {**os.environ, "ARCHNEST": running.address, "TOKEN_FILE": "token"}
    printed = ""
    for language, program in (("sh", "bash"), ("python", sys.executable)):
        done = subprocess.run(
            [program],
            input=blocks(DOCS / "programs.md", language),
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        printed += done.stdout
    assert "vm-1 web\n" in printed
    assert re.search(r"vm-1 +web +20\.0 MiB", printed)
    assert "1 hosts, 1 changed\n1 hosts, 0 changed\n" in printed
    assert "only an admin may do this" in printed


NGINX = """
daemon off; pid nginx.pid; error_log stderr; events {}
http {
    access_log off; client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server { listen 127.0.0.1:PORT; LOCATION }
}
"""


def test_the_nginx_example_serves_page_and_api_under_its_path(tmp_path: Path) -> None:
    environ = {"PATH": "/nonexistent", "ARCHNEST_BASE_PATH": "/archnest/"}
    environ["ARCHNEST_TRUSTED_PROXIES"] = "127.0.0.1"
    running = Running("archnest.quickstart", tmp_path, environ)
    port = free_port()
    location = blocks(DOCS / "reverse-proxy.md", "nginx")
    location = location.replace("http://127.0.0.1:4000", running.address)
    text = NGINX.replace("PORT", str(port)).replace("LOCATION", location)
    (tmp_path / "nginx.conf").write_text(text)
    running.prints("Ctrl-C stops everything")
    proxy = subprocess.Popen(["nginx", "-p", tmp_path, "-c", "nginx.conf"], cwd=tmp_path)
    behind = f"http://127.0.0.1:{port}/archnest/"
    try:
        until(lambda: fetched(behind), behind)
        assert fetched(behind) == fetched(f"{running.address}/archnest/")
        assert fetched(f"{behind}healthz") == '{"status":"alive"}'
        assert upgrade_status(port, f"http://127.0.0.1:{port}") == 101
        assert upgrade_status(port, running.address) == 403
    finally:
        proxy.terminate()
        proxy.wait(PATIENCE_S)
        running.process.terminate()
        running.ends()


def fetched(url: str) -> str:
    """The body of a 200; nothing for anything else."""
    done = subprocess.run(["curl", "-fsS", url], capture_output=True, text=True)
    return done.stdout


def upgrade_status(port: int, origin: str) -> int:
    """What a browser's attempt to open a terminal's WebSocket is answered with."""
    headers = {
        "Origin": origin,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/archnest/api/exec", headers=headers)
        return connection.getresponse().status
