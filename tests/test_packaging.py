"""What `pip install .` gives: everything, and a program that runs from any folder."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from docs import licences
from packaging.requirements import Requirement

from tests.ports import free_port

CHECKOUT = Path(__file__).parent.parent
ASSETS = {"web": "_web", "migrations": "_migrations", "agent": "_agent"}


def run(*command: str | Path, **options: object) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def known_files() -> list[str]:
    """Every file git knows that is still there."""
    names = run("git", "ls-files", "-z", cwd=CHECKOUT).split("\0")
    return [name for name in names if name and (CHECKOUT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist of a checkout that holds only what git knows."""
    source = tmp_path_factory.mktemp("source")
    for name in known_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, source / name)
    run(sys.executable, "-m", "build", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with a released installation: what it needs by hash."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", environment)
    pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet"]
    run(*pip, "--require-hashes", "--requirement", CHECKOUT / "server" / "requirements.txt")
    run(*pip, "--no-deps", wheel)
    return environment / "bin"


def test_setup_cfg_names_every_package_that_exists() -> None:
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    named = set(setup["options"]["packages"].split())
    root = CHECKOUT / "server" / "archnest"
    folders = {path.parent for path in root.rglob("*.py")}
    present = {".".join(("archnest", *folder.relative_to(root).parts)) for folder in folders} | {
        f"archnest.{package}" for package in ASSETS.values()
    }
    assert named == present


def test_the_wheel_holds_every_file_of_the_program_and_no_other(wheel: Path) -> None:
    expected = set()
    for name in known_files():
        top, _, rest = name.partition("/")
        if top in ASSETS:
            expected.add(f"archnest/{ASSETS[top]}/{rest}")
        elif name.startswith("server/archnest/"):
            expected.add(name.removeprefix("server/"))
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected


def test_the_pinned_packages_are_those_that_setup_cfg_wants() -> None:
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    wanted = setup["options"]["install_requires"] + setup["options.extras_require"]["fast"]
    pinned = licences.pins()
    for one in map(Requirement, filter(None, wanted.splitlines())):
        assert one.specifier.contains(pinned[one.name.lower()]), one


def test_every_pinned_package_is_listed_with_its_licence() -> None:
    listed = (CHECKOUT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[([a-z0-9.-]+)\]\S* \| (.+) \|$", listed, re.MULTILINE))
    pinned = licences.pins()
    assert rows.keys() == pinned.keys()
    # Another version may say it in other words.
    installed = {name for name in pinned if metadata.version(name) == pinned[name]}
    assert "aiohttp" in rows
    assert {name: rows[name] for name in installed} == {
        name: licences.licence(name) for name in installed
    }


def test_the_installed_program_tells_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "archnest", "--version", cwd=tmp_path).startswith("archnest ")


def test_the_installed_program_describes_its_api(installed: Path, tmp_path: Path) -> None:
    document = json.loads(run(installed / "archnest", "openapi", cwd=tmp_path))
    assert "/api/agents/docker/report" in document["paths"]


def test_the_installed_program_serves_page_and_agent_from_any_folder(
    installed: Path, tmp_path: Path
) -> None:
    port = free_port()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [installed / "archnest", "serve", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=tmp_path, env=environ)
    try:
        page = fetch(f"http://127.0.0.1:{port}/", within_s=20)
        agent = fetch(f"http://127.0.0.1:{port}/agent/archnest-docker-agent.sh", within_s=1)
        ready = fetch(f"http://127.0.0.1:{port}/readyz", within_s=1)
    finally:
        server.terminate()
        assert server.wait(10) == 0
    assert page == (CHECKOUT / "web" / "index.html").read_bytes()
    assert agent == (CHECKOUT / "agent" / "archnest-docker-agent.sh").read_bytes()
    assert json.loads(ready) == {"status": "ready"}
    assert (tmp_path / ".local" / "share" / "archnest" / "archnest.db").is_file()


def fetch(url: str, within_s: float) -> bytes:
    """The body of a 200, asking again until the server listens."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
