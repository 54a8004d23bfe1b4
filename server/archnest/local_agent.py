"""The agent of the machine the server runs on, where it has an engine."""

import asyncio
import contextlib
import re
import shutil
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping

from archnest import children
from archnest.assets import asset_dir

AGENT = "archnest-docker-agent.sh"
INTERVAL_S = 30
ENGINE_TIMEOUT_S = 10.0


class NoEngine(Exception):
    """This machine's containers cannot be reported; the text says why."""


async def find_engine(environ: Mapping[str, str]) -> str:
    """The name of a container CLI whose engine answers; raises NoEngine."""
    path = environ.get("PATH")
    named = environ.get("ARCHNEST_DOCKER_CLI")
    candidates = [named] if named else ["docker", "podman"]
    present = [cli for cli in candidates if shutil.which(cli, path=path)]
    if not present:
        raise NoEngine(f"no {' or '.join(candidates)} on this machine")
    reasons = []
    for cli in present:
        reason = await _why_silent(cli, environ)
        if reason is None:
            _require_tools(path)
            return cli
        reasons.append(reason)
    raise NoEngine("; ".join(reasons))


def host_id(environ: Mapping[str, str]) -> str:
    """ARCHNEST_HOST_ID, or the hostname with only the characters a hostId may have."""
    named = environ.get("ARCHNEST_HOST_ID")
    if named:
        return named
    made = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:128]
    return made if made.strip(".") else "this-machine"


async def start(
    cli: str, address: str, token: str, host: str, environ: Mapping[str, str]
) -> Process:
    """Start the agent, which posts to `address` every INTERVAL_S."""
    settings = {
        # Another agent's settings may lie in /etc; these are complete.
        "ARCHNEST_AGENT_ENV": "/dev/null",
        "ARCHNEST_URL": address,
        "ARCHNEST_AGENT_TOKEN": token,
        "ARCHNEST_HOST_ID": host,
        "ARCHNEST_DOCKER_CLI": cli,
    }
    script = str(asset_dir("agent") / AGENT)
    return await children.start(
        "bash", script, "--loop", str(INTERVAL_S), environ={**environ, **settings}
    )


def _require_tools(path: str | None) -> None:
    missing = [tool for tool in ("bash", "jq", "curl") if not shutil.which(tool, path=path)]
    if missing:
        names = " and ".join(missing)
        raise NoEngine(f"{names} missing (on Debian: apt install {' '.join(missing)})")


async def _why_silent(cli: str, environ: Mapping[str, str]) -> str | None:
    """None when the engine lists its containers, else why it does not."""
    process = await asyncio.create_subprocess_exec(
        cli, "ps", "--quiet", env=dict(environ), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        code = await asyncio.wait_for(process.wait(), ENGINE_TIMEOUT_S)
    except TimeoutError:
        return f"{cli} is installed, but its engine has not answered for {ENGINE_TIMEOUT_S:g} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return None if code == 0 else f"{cli} is installed, but `{cli} ps` reaches no engine"
