"""The shipped script and units pass the checkers of their kinds."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.agent.script import SCRIPT

INSTALLED = "/usr/local/bin/archnest-docker-agent.sh"
UNITS = ["archnest-docker-agent.service", "archnest-docker-agent.timer"]


def check(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_shellcheck_accepts_the_script() -> None:
    assert check("shellcheck", str(SCRIPT)) == ""


def test_the_script_is_executable_and_starts_by_itself() -> None:
    assert check(str(SCRIPT), "--version").startswith("archnest-docker-agent ")


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = (SCRIPT.parent / unit).read_text()
        (tmp_path / unit).write_text(text.replace(INSTALLED, str(SCRIPT)))
    said = check("systemd-analyze", "verify", *(str(tmp_path / unit) for unit in UNITS))
    # What it says of this machine's own units is not the matter here.
    assert [line for line in said.splitlines() if "archnest" in line] == []


def test_the_timer_elapses_every_30_s_and_its_offset_is_fixed_and_shorter() -> None:
    lines = (SCRIPT.parent / UNITS[1]).read_text().splitlines()
    timer = dict(line.split("=", 1) for line in lines if "=" in line)
    said = check("systemd-analyze", "calendar", "--iterations=3", timer["OnCalendar"])
    seconds = [int(one) for one in re.findall(r"\d:\d\d:(\d\d) ", said)]
    assert set(seconds) == {0, 30}
    # A delay would be added to each interval of a timer that counts from the last run.
    assert not {"OnUnitActiveSec", "OnUnitInactiveSec", "OnActiveSec"} & set(timer)
    assert timer["FixedRandomDelay"] == "yes"
    assert int(timer["RandomizedDelaySec"].removesuffix("s")) < 29


@pytest.mark.parametrize(
    "setting",
    ["NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes", "CapabilityBoundingSet="],
)
def test_the_service_is_hardened(setting: str) -> None:
    assert setting in (SCRIPT.parent / UNITS[0]).read_text().splitlines()


def test_the_service_is_exposed_little(tmp_path: Path) -> None:
    unit = shutil.copy(SCRIPT.parent / UNITS[0], tmp_path)
    said = check("systemd-analyze", "security", "--offline=yes", "--threshold=40", str(unit))
    assert "Overall exposure level" in said


def test_the_cron_line_and_the_example_name_what_is_there() -> None:
    cron = (SCRIPT.parent / "cron.example").read_text()
    assert Path(INSTALLED).name in cron
    example = (SCRIPT.parent / "agent.env.example").read_text()
    script = SCRIPT.read_text()
    names = [line.lstrip("#").split("=")[0] for line in example.splitlines() if "=" in line]
    assert {"ARCHNEST_URL", "ARCHNEST_AGENT_TOKEN"} <= set(names)
    assert [name for name in names if name not in script] == []


def test_the_example_leads_to_no_socket_that_the_service_may_not_open() -> None:
    # Without a capability root opens nothing in another user's folder.
    assert "CapabilityBoundingSet=" in (SCRIPT.parent / UNITS[0]).read_text().splitlines()
    example = (SCRIPT.parent / "agent.env.example").read_text()
    assert "/run/user/" not in example
