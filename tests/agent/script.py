"""The shipped agent script, run as people run it."""

import json
import os
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
