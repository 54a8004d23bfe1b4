"""The installer, in a private view of this machine whose changes can be listed."""

import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.script import SCRIPT
from tests.engine.dockerd import Engine
from tests.web.site import Site

INSTALLER = SCRIPT.with_name("install.sh")
PATIENCE_S = 90
SETSID, NSENTER = shutil.which("setsid") or "setsid", shutil.which("nsenter") or "nsenter"
CHANGED = ["/etc", "/usr/local", "/var/spool", "/root", "/run"]
SYSTEMCTL = """#!/bin/bash
# Notes what it is asked, and starts the service as systemd would.
echo "$*" >>/run/systemctl.said
[[ "$*" != "start archnest-docker-agent.service" ]] || exec /usr/local/bin/archnest-docker-agent.sh
"""
SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs none "$1"
for folder in {folders}; do
  name="${{folder//\\//_}}"
  mkdir "$1/$name" "$1/$name.work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$1/$name,workdir=$1/$name.work" "$folder"
done
echo ready
exec sleep infinity
"""


class Machine:
    """This machine as it is, but for what is written, which nobody else sees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "changes"
        self.folder.mkdir()
        script = SETUP.format(folders=" ".join(CHANGED))
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "bash", "-c", script, "-", str(self.folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"

    def close(self) -> None:
        """End it with all that was written."""
        self._holder.terminate()
        self._holder.communicate()

    def command(self, *command: str) -> list[str]:
        return [NSENTER, "--mount", "--target", str(self._holder.pid), "--", *command]

    def run(self, script: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a bash script in it, with nothing of this environment; without a terminal."""
        mine = {"PATH": os.environ["PATH"], "HOME": "/root", "HOSTNAME": "test-host", **environ}
        return subprocess.run(
            [SETSID, "--wait", *self.command("bash", "-c", script)],
            env=mine,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def out(self, script: str) -> str:
        """What a script that must succeed prints."""
        done = self.run(script)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def files(self) -> set[str]:
        """Every file and folder that was written and not removed, but for what cron itself keeps.

        The machine around it goes on writing its own.
        """
        written: set[str] = set()
        for folder in CHANGED:
            upper = self.folder / folder.replace("/", "_")
            # A character device stands for what was removed.
            listed = self.out(
                f"find {upper} -mindepth 1 -not -type c -not -name 'crond.*' -printf '%y %P\\n'"
            )
            for kind, _, name in (line.partition(" ") for line in listed.splitlines()):
                path = Path(folder, name)
                # A folder of the machine around it is there as soon as anything in it is.
                if kind != "d" or not path.is_dir():
                    written.add(str(path))
        return written

    def use_systemd(self) -> None:
        """Let systemd seem to run, with a systemctl that notes what it is asked."""
        file = "/usr/local/sbin/systemctl"
        script = f"mkdir -p /run/systemd/system && cat >{file} && chmod 755 {file}"
        done = self.run(script, stdin=SYSTEMCTL)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which no agent was ever installed."""
    one = Machine(tmp_path)
    yield one
    one.close()


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with an admin."""
    site = Site(tmp_path_factory.mktemp("nest"))
    site.add_admin()
    site.start()
    yield site
    site.stop()


@pytest.fixture
def line(nest: Site, engine: Engine) -> str:
    """The line that the page gives for the host attic, as root and with the engine's address."""
    nest.clear()
    token = nest.ask("POST", "/api/agents/docker/tokens", {"hostId": "attic"})["token"]
    return (
        f"(echo export DOCKER_HOST=unix://{engine.socket} ARCHNEST_URL={nest.url}"
        f" ARCHNEST_AGENT_TOKEN={token} ARCHNEST_HOST_ID=attic;"
        f" curl -fsSL {nest.url}/agent/install.sh) | bash"
    )


def last_report(site: Site) -> str:
    """When the server last heard of the host; empty for never."""
    hosts = site.ask("GET", "/api/hosts")["hosts"]
    return next((host["receivedAt"] for host in hosts if host["hostId"] == "attic"), "")


def test_the_pasted_line_installs_and_cron_reports_until_it_is_undone(
    machine: Machine, nest: Site, line: str
) -> None:
    before = machine.files()
    done = machine.run(line)
    assert done.returncode == 0, done.stdout + done.stderr
    first = last_report(nest)
    assert first
    assert "installed archnest-docker-agent" in done.stdout
    env = "/etc/archnest/agent.env"
    assert machine.out(f"stat -c %a:%U {env}") == "600:root\n"
    assert "cron runs it every 30 s: /etc/cron.d/archnest-agent" in done.stdout
    # With what it has started it ends as a whole.
    alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    cron = subprocess.Popen(machine.command(*alone, "cron", "-f"))
    try:
        deadline = time.monotonic() + PATIENCE_S
        while last_report(nest) == first:
            assert time.monotonic() < deadline, "cron did not run the agent"
            time.sleep(0.5)
    finally:
        cron.kill()
        cron.wait()
    undo = re.search(r"to undo +(.*)", done.stdout)
    assert undo
    undone = machine.run(undo[1].replace("sudo ", ""))
    assert undone.returncode == 0, undone.stderr
    assert machine.files() - before == set()


def test_with_systemd_a_timer_is_enabled_and_the_service_run_once(
    machine: Machine, nest: Site, line: str
) -> None:
    machine.use_systemd()
    before = machine.files()
    done = machine.run(line)
    assert done.returncode == 0, done.stdout + done.stderr
    units = "/etc/systemd/system/archnest-docker-agent"
    machine.out(f"systemd-analyze verify {units}.service {units}.timer")
    said = machine.out("cat /run/systemctl.said").splitlines()
    assert said == [
        "daemon-reload",
        "start archnest-docker-agent.service",
        "--quiet enable --now archnest-docker-agent.timer",
    ]
    assert "list-timers archnest-docker-agent.timer" in done.stdout
    undone = machine.run(f"bash '{INSTALLER}' --uninstall")
    assert undone.returncode == 0, undone.stderr
    assert "--quiet disable --now archnest-docker-agent.timer" in machine.out(
        "cat /run/systemctl.said"
    )
    left = machine.files() - before
    # Where no package has made it yet, and what systemd-analyze leaves behind.
    systemd = {"/etc/systemd/system", "/run/systemd/systemd-units-load"}
    assert left - {"/run/systemctl.said", *systemd} == set()


def test_installing_again_upgrades_and_keeps_the_settings(
    machine: Machine, nest: Site, line: str
) -> None:
    assert machine.run(line).returncode == 0
    machine.out("echo ARCHNEST_TIMEOUT_S=7 >>/etc/archnest/agent.env")
    settings = machine.out("sort /etc/archnest/agent.env")
    machine.out("echo old >/usr/local/bin/archnest-docker-agent.sh")
    first = last_report(nest)
    done = machine.run(f"curl -fsSL {nest.url}/agent/install.sh | bash")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "upgraded archnest-docker-agent" in done.stdout
    assert last_report(nest) > first
    assert set(machine.out("cat /etc/archnest/agent.env").replace("'", "").split("\n")) == set(
        settings.replace("'", "").split("\n")
    )
    assert machine.out("stat -c %a /etc/archnest/agent.env") == "600\n"
    assert machine.out("cat /usr/local/bin/archnest-docker-agent.sh") == SCRIPT.read_text()


def test_settings_written_by_hand_are_read_as_the_agent_reads_them(
    machine: Machine, nest: Site, line: str
) -> None:
    assert machine.run(line).returncode == 0
    env = "/etc/archnest/agent.env"
    mine = r"printf '\xef\xbb\xbfARCHNEST_TIMEOUT_S=\"9\" # patience\n'"
    machine.out(f"{{ {mine}; cat {env}; }} >/run/mine; cat /run/mine >{env}")
    done = machine.run(f"curl -fsSL {nest.url}/agent/install.sh | bash")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.out(f"grep TIMEOUT {env}") == "ARCHNEST_TIMEOUT_S='9'\n"


def test_a_server_that_refuses_leaves_nothing_and_its_reason_is_told(
    machine: Machine, nest: Site, line: str
) -> None:
    before = machine.files()
    wrong = re.sub(r"ahn_(\w{10})_\w+", r"ahn_\1_wrong", line)
    done = machine.run(wrong)
    assert done.returncode == 6
    assert "send an agent token" in done.stdout + done.stderr
    assert "nothing was installed" in done.stderr
    assert machine.files() - before == set()


def test_a_download_that_is_cut_runs_nothing(machine: Machine, line: str) -> None:
    before = machine.files()
    text = INSTALLER.read_text()
    ends = [int(len(text) * part) for part in (0.3, 0.6, 0.9)]
    # The newline may be missing, and that is all.
    for end in [*ends, *range(len(text) - 16, len(text) - 1)]:
        cut = text[:end]
        settings = line.partition("echo ")[2].partition(";")[0]
        machine.run("bash", stdin=f"{settings}\n{cut}")
    assert machine.files() == before


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("ID=debian", "apt-get install jq"),
        ("ID=ubuntu\nID_LIKE=debian", "apt-get install jq"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'", "apt-get install jq"),
        ("ID=fedora", "dnf install jq"),
        ("ID=rocky\nID_LIKE='rhel centos fedora'", "dnf install jq"),
        ("ID=alpine", "apk add jq"),
        ("ID=opensuse-tumbleweed\nID_LIKE='opensuse suse'", "zypper install jq"),
        ("ID=void", "install the package jq"),
    ],
)
def test_a_missing_tool_is_named_with_the_line_that_installs_it(
    machine: Machine, line: str, tmp_path: Path, system: str, words: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "curl", "gzip", "flock", "timeout", "mktemp", "docker", "mv", "cat", "rm"):
        found = shutil.which(tool)
        assert found
        (tools / tool).symlink_to(found)
    machine.out(f"rm -f /etc/os-release; printf '%s\n' \"{system}\" >/etc/os-release")
    done = machine.run(line, PATH=str(tools))
    assert done.returncode == 2
    assert f"jq is missing: {words}" in done.stderr


def test_podman_is_taken_where_no_docker_answers(machine: Machine, nest: Site, line: str) -> None:
    machine.use_systemd()
    done = machine.run(re.sub(r"DOCKER_HOST=\S+", "", line))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ARCHNEST_DOCKER_CLI='podman'" in machine.out("cat /etc/archnest/agent.env")
    unit = "/etc/systemd/system/archnest-docker-agent.service"
    assert "CapabilityBoundingSet=" not in machine.out(f"systemd-analyze verify {unit}; cat {unit}")


def test_without_root_it_is_for_one_user(
    machine: Machine, nest: Site, line: str, engine: Engine
) -> None:
    home = "/run/home"
    engine.socket.parent.chmod(0o755)
    engine.socket.chmod(0o666)
    machine.out(f"install -d -o nobody {home}")
    as_user = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
    refused = machine.run(f"{as_user} bash '{INSTALLER}'", HOME=home)
    assert refused.returncode == 3
    assert "--user" in refused.stderr
    user_line = line.replace("| bash", f"| {as_user} bash -s -- --user")
    done = machine.run(user_line, HOME=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.out(f"stat -c %a:%U {home}/.config/archnest/agent.env") == "600:nobody\n"
    undone = machine.run(f"{as_user} bash '{INSTALLER}' --user --uninstall", HOME=home)
    assert undone.returncode == 0, undone.stderr
    assert machine.out(f"find {home} -type f") == ""


def test_shellcheck_accepts_it_and_other_shells_are_told(machine: Machine) -> None:
    subprocess.run(["shellcheck", str(INSTALLER)], check=True)
    assert stat.S_IMODE(INSTALLER.stat().st_mode) & 0o111
    done = machine.run(f"dash '{INSTALLER}'")
    assert done.returncode == 2
    assert "needs bash 4" in done.stderr
