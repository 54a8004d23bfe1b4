"""The shipped agent script, run as people run it."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "agent/archnest-docker-agent.sh"
PATIENCE_S = 60


def environ_of(*more: dict[str, str]) -> dict[str, str]:
    """An environment that holds none of this machine's own settings."""
    mine = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HOSTNAME": "test-host"}
    mine["ARCHNEST_AGENT_ENV"] = "/dev/null"
    for one in more:
        mine |= one
    return mine


def run(*args: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    return subprocess.run(
        ["bash", str(SCRIPT), *args],
        env=environ_of(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def printed(environ: dict[str, str]) -> dict[str, Any]:
    """The report of `--print`, which must have succeeded."""
    done = run("--print", environ=environ)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert isinstance(report, dict)
    return report


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of a report."""
    return {one["name"]: one for one in report["containers"]}


def started(*args: str, environ: dict[str, str], trace: Path) -> tuple[int, int]:
    """How many processes the script takes and programs they run, itself included, by strace."""
    calls = "trace=execve,fork,vfork,clone,clone3"
    command = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", str(trace)]
    subprocess.run(
        [*command, "bash", str(SCRIPT), *args],
        env=environ_of(environ),
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=PATIENCE_S,
    )
    text = trace.read_text()
    # Threads are no processes; a call that failed or is told in halves counts once.
    forks = re.findall(r"(?:fork|clone3?)\((?!.*CLONE_THREAD)", text)
    return 1 + len(forks), len(re.findall(r"execve(?:\(.*| resumed>.*)= 0", text))
