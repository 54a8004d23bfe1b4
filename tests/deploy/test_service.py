"""The server's unit: systemd takes it, it leaves little, and the server works in what it leaves."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archnest import __path__ as package
from tests.deploy import confined
from tests.engine.dockerd import Engine
from tests.factories import container, report
from tests.running import Running
from tests.sources.transports import Sshd

UNIT = Path(package[0]) / "archnest.service"
PROGRAM = "/opt/archnest/bin/archnest"


def setting(name: str) -> list[str]:
    """Every value of a setting of the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def calls(group: str) -> set[str]:
    """The system calls of one of systemd's groups."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True
    ).stdout
    names = [line.split("#")[0].strip() for line in listed.splitlines()[1:]]
    found = {name for name in names if name and not name.startswith("@")}
    return found.union(*(calls(name) for name in names if name.startswith("@")))


def allowed_calls() -> set[str]:
    taken, away = setting("SystemCallFilter")
    return calls(taken).difference(*(calls(group) for group in away.removeprefix("~").split()))


def check(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true"))
    return path


def test_systemd_takes_the_unit_and_finds_little_exposed(unit: Path) -> None:
    said = check("systemd-analyze", "verify", unit)
    # What it says of this machine's own units is not the matter here.
    assert [line for line in said.splitlines() if "archnest" in line] == []
    check("systemd-analyze", "security", "--offline=yes", "--threshold=15", unit)


@pytest.fixture
def confining(tmp_path: Path) -> Iterator[Running]:
    """A server to which all but its own folder is read-only, without any capability."""
    folder = tmp_path / "data"
    folder.mkdir()
    keep = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec "$@"'
    inside = [sys.executable, confined.__file__, " ".join(sorted(allowed_calls()))]
    inside += [setting("RestrictAddressFamilies")[0]]
    started = Running(
        "archnest",
        folder,
        {
            "ARCHNEST_DATA_DIR": str(folder / "kept"),
            "TMPDIR": str(folder),
            "PATH": os.environ["PATH"],
        },
        before=[
            *(
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                keep,
                "sh",
                str(folder),
            ),
            *("setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", *inside),
        ],
        arguments=["serve"],
    )
    yield started
    started.process.kill()
    started.ends()


def test_the_server_works_in_what_the_unit_leaves_it(
    confining: Running, engine: Engine, sshd: Sshd
) -> None:
    session = confining.sign_in_first()
    body = {"hostId": "vm-1"}
    token = confining.ask("POST", "/api/agents/docker/tokens", body, session)["token"]
    confining.ask("POST", "/api/agents/docker/report", report("vm-1", container()), token)
    assert "vm-1" in confining.hosts(session)
    source = {"hostId": "nas", "kind": "docker-socket", "address": str(engine.socket)}
    assert confining.ask("POST", "/api/sources/test", source, session)["ok"]
    source |= {"kind": "docker-ssh", "address": sshd.address, "keyFile": sshd.key_file}
    shown = confining.ask("POST", "/api/sources/test", source, session)["hostKey"]
    tested = confining.ask("POST", "/api/sources/test", source | {"hostKey": shown}, session)
    assert tested["ok"], tested["detail"]
    status = Path(f"/proc/{confining.process.pid}/status").read_text()
    for line in ("Seccomp:\t2", "NoNewPrivs:\t1", "CapBnd:\t0000000000000000"):
        assert line in status
    mounts = Path(f"/proc/{confining.process.pid}/mounts").read_text()
    assert re.search(r"^\S+ / \S+ ro,", mounts, re.MULTILINE)
    confining.process.terminate()
    assert confining.ends() == 0
